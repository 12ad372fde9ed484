//! Patterns of layouts: most of them mean the same to both versions.

/// A pattern of log4j 2, and what it lacks of the old one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) text: String,
    /// What has no counterpart.
    pub(super) dropped: Vec<String>,
}

/// Converts a pattern; `of_carbon`, if its layout is the one of Carbon that knows tenants.
pub(super) fn converted(pattern: &str, of_carbon: bool) -> Pattern {
    let mut text = String::new();
    let mut dropped = Vec::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let end = after.find(|c: char| !matches!(c, '-' | '.' | '0'..='9')).unwrap_or(after.len());
        let (width, after) = after.split_at(end);
        let Some(letter) = after.chars().next() else {
            rest = after;
            break;
        };
        rest = &after[letter.len_utf8()..];
        let new = match letter {
            'T' if of_carbon => "tenantId",
            'S' if of_carbon => "appName",
            'c' | 'C' | 'd' | 'F' | 'l' | 'L' | 'm' | 'M' | 'n' | 'p' | 'r' | 't' | 'x' | 'X' | '%' => {
                &after[..1]
            }
            _ => {
                dropped.push(format!("%{letter}"));
                // What is in braces belongs to it.
                if let Some((_, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                    rest = after;
                }
                continue;
            }
        };
        text.push_str(&format!("%{width}{new}"));
    }
    text.push_str(rest);
    Pattern { text, dropped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_counterpart_is_dropped_and_told() {
        for (old, of_carbon, new, dropped) in [
            ("[%d] %5p - %x %m {%c}%n", false, "[%d] %5p - %x %m {%c}%n", vec![]),
            (
                "%d{HH:mm:ss,SSS} [%X{ip}] %-5.10p %c{1}",
                false,
                "%d{HH:mm:ss,SSS} [%X{ip}] %-5.10p %c{1}",
                vec![],
            ),
            ("TID: [%T] [%S] [%d] %P%5p", true, "TID: [%tenantId] [%appName] [%d] %5p", vec!["%P"]),
            ("%U@%D{x}|%-3T", true, "@|%-3tenantId", vec!["%U", "%D"]),
            ("100%% %T", false, "100%% ", vec!["%T"]),
            ("%", true, "", vec![]),
            ("a%-5", true, "a", vec![]),
            ("%é", true, "", vec!["%é"]),
        ] {
            let dropped = dropped.into_iter().map(str::to_owned).collect();
            assert_eq!(converted(old, of_carbon), Pattern { text: new.to_owned(), dropped }, "{old}");
        }
    }
}
