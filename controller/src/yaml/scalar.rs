//! The YAML 1.1 rules for plain scalars: which are null, booleans or numbers, exactly as PyYAML reads them.
//!
//! These rules are needed in both directions. The reader turns `yes` and `0644` into a boolean and a number; the writer
//! quotes text that would be read that way.

use convoy_protocol::Kind;

/// Why a scalar that looks like a number has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberError {
    /// An integer that does not fit in 64 bits.
    TooLarge,
    /// `0x_`: a number without a digit.
    NoDigits,
}

/// Returns whether the plain scalar `text` is something other than text.
pub(super) fn is_special(text: &str) -> bool {
    !matches!(resolve(text), Ok(None))
}

/// Returns whether the plain scalar `text` is null.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Returns the value of the plain scalar `text`, or `None` if it is text.
pub(super) fn resolve(text: &str) -> Result<Option<Kind>, NumberError> {
    if is_null(text) {
        return Ok(Some(Kind::Null));
    }
    if let Some(b) = boolean(text) {
        return Ok(Some(Kind::Bool(b)));
    }
    if let Some(x) = float(text) {
        return Ok(Some(Kind::Float(x)));
    }
    Ok(integer(text)?.map(Kind::Int))
}

/// Returns whether PyYAML reads the plain scalar `text` as a date or time. Convoy keeps both as text, as templates show
/// a date anyway; the writer quotes them so that other readers get text too.
pub(super) fn is_timestamp(text: &str) -> bool {
    let mut rest = text;
    // Consumes between `least` and `most` digits, and one of `after`.
    let mut digits = |least: usize, most: usize, after: &[char]| -> bool {
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest = &rest[count..];
        let ends = after.is_empty() || rest.starts_with(after);
        (least..=most).contains(&count) && ends && {
            rest = rest.get(usize::from(!after.is_empty())..).unwrap_or_default();
            true
        }
    };
    digits(4, 4, &['-']) && digits(1, 2, &['-']) && digits(1, 2, &[]) && {
        rest.is_empty() || rest.starts_with(['T', 't', ' ', '\t'])
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// Splits off a sign. Returns whether it is a minus, and the rest.
fn split_sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn float(text: &str) -> Option<f64> {
    let (minus, body) = split_sign(text);
    let signed = |x: f64| if minus { -x } else { x };
    match body {
        ".inf" | ".Inf" | ".INF" => return Some(signed(f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" if body.len() == text.len() => return Some(f64::NAN),
        _ => {}
    }
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(e) => (&body[..e], Some(&body[e + 1..])),
        None => (body, None),
    };
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['-', '+'])?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    let (whole, fraction) = mantissa.split_once('.')?;
    let decimal = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if !decimal(fraction) {
        return None;
    }
    if whole.is_empty() {
        // `.5` is a float; `-.5` and `._5` are text.
        if body.len() != text.len() || !fraction.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
    } else if whole.contains(':') {
        if exponent.is_some() {
            return None;
        }
        let seconds: f64 = format!("0.{}0", fraction.replace('_', "")).parse().ok()?;
        #[expect(clippy::cast_precision_loss, reason = "the user wrote a float")]
        return Some(signed(base_60(whole, true)? as f64 + seconds));
    } else if !decimal(whole) || whole.starts_with('_') {
        return None;
    }
    let digits: String = body.chars().filter(|c| *c != '_').collect();
    digits.parse().ok().map(signed)
}

fn integer(text: &str) -> Result<Option<i64>, NumberError> {
    let (minus, body) = split_sign(text);
    let parse = |digits: &str, radix: u32| -> Result<Option<i64>, NumberError> {
        let mut digits: String = digits.chars().filter(|c| *c != '_').collect();
        if digits.is_empty() {
            return Err(NumberError::NoDigits);
        }
        if minus {
            digits.insert(0, '-');
        }
        i64::from_str_radix(&digits, radix).map(Some).map_err(|_| NumberError::TooLarge)
    };
    let all = |digits: &str, is_digit: fn(&u8) -> bool| {
        !digits.is_empty() && digits.bytes().all(|b| b == b'_' || is_digit(&b))
    };
    if let Some(digits) = body.strip_prefix("0b").filter(|d| all(d, |b| matches!(b, b'0' | b'1'))) {
        return parse(digits, 2);
    }
    if let Some(digits) = body.strip_prefix("0x").filter(|d| all(d, u8::is_ascii_hexdigit)) {
        return parse(digits, 16);
    }
    if body == "0" {
        return Ok(Some(0));
    }
    if body.starts_with('0') {
        return if all(body, |b| matches!(b, b'0'..=b'7')) { parse(body, 8) } else { Ok(None) };
    }
    if !body.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(None);
    }
    if all(body, u8::is_ascii_digit) {
        return parse(body, 10);
    }
    Ok(base_60(body, false).map(|n| if minus { -n } else { n }))
}

/// Reads a base 60 number such as `190:20:30`. Only floats may begin with a zero.
fn base_60(text: &str, leading_zero: bool) -> Option<i64> {
    let mut parts = text.split(':');
    let first = parts.next()?;
    if !first.starts_with(|c: char| c.is_ascii_digit() && (leading_zero || c != '0')) {
        return None;
    }
    let mut total: i64 = first.replace('_', "").parse().ok()?;
    let mut has_colon = false;
    for part in parts {
        has_colon = true;
        let is_digit = matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
        let digit: i64 = part.parse().ok().filter(|_| is_digit)?;
        total = total.checked_mul(60)?.checked_add(digit)?;
    }
    has_colon.then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scalars and what PyYAML 6 reads them as.
    const TABLE: &str = "yes true|Yes true|YES true|yEs text|no false|on true|Off false|OFF false|y text|n text|true true|\
        True true|tRue text|null null|Null null|NULL null|nUll text|~ null|0 0|-0 0|+1 1|1_000 1000|0644 420|\
        0o644 text|08 text|0_ 0|0_7 7|0x1F 31|0XFF text|0x_1 1|0b101 5|0b12 text|1:30 90|1:30:15 5415|-1:30 -90|\
        0:30 text|190:20:30 685230|1:60 text|1.5 1.5|1. 1.0|.5 0.5|-.5 text|1e3 text|1.0e3 text|1.0e+3 1000.0|\
        1.e-2 0.01|.5e+1 5.0|1_0.5_0 10.5|.inf inf|-.Inf -inf|+.INF inf|.iNF text|.nan NaN|.NaN NaN|-.nan text|\
        1:30.5 90.5|0:0.25 0.25|2024-01-02 text|12e03 text|-- text|+ text|. text|.. text|\
        9223372036854775807 9223372036854775807|-9223372036854775808 -9223372036854775808|0777 511|-0644 -420|\
        00 0|1__2 12|_1 text|0._5 0.5|1,000 text|1.2.3 text|v1 text|0x text|685_230.15 685230.15|\
        685.230_15e+03 685230.15|-0x1f -31|-0b11 -3|+0644 420|1.5_ 1.5|099 text|1:2_ text|- text";

    #[test]
    fn scalars_have_the_values_they_have_in_pyyaml() {
        for line in TABLE.split('|') {
            let (text, expected) = line.trim().split_once(' ').unwrap();
            let value = match resolve(text).unwrap() {
                None => "text".to_owned(),
                Some(Kind::Null) => "null".to_owned(),
                Some(Kind::Bool(b)) => b.to_string(),
                Some(Kind::Int(i)) => i.to_string(),
                Some(Kind::Float(x)) => format!("{x:?}"),
                Some(other) => format!("{other:?}"),
            };
            assert_eq!(value, expected, "{text}");
        }
        assert_eq!(resolve(""), Ok(Some(Kind::Null)));
    }

    #[test]
    fn numbers_that_are_too_large_or_have_no_digits_are_refused() {
        assert_eq!(resolve("9223372036854775808"), Err(NumberError::TooLarge));
        assert_eq!(resolve("0b_"), Err(NumberError::NoDigits));
        assert_eq!(resolve("0x_"), Err(NumberError::NoDigits));
    }

    #[test]
    fn dates_and_times_are_recognized() {
        for text in ["2024-01-02", "2001-12-14 21:59:43.10 -5", "2001-12-14t21:59:43Z", "2001-1-4 1:59:43"] {
            assert!(is_timestamp(text), "{text}");
        }
        for text in ["2024-01", "2024-01-02x", "1.2", "24-01-02", ""] {
            assert!(!is_timestamp(text), "{text}");
        }
    }
}
