//! Documentation pages, whose examples tests run.

/// Returns the fenced blocks of a page: the text after the opening fence, and the content.
pub fn fenced_blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let text = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
        blocks.push((info.to_owned(), text));
    }
    blocks
}
