//! Characters that do something where they are shown.

/// Whether a character acts instead of showing: control codes (C0, DEL, C1), line and paragraph
/// separators, and the invisible ones that reorder or hide text (bidi controls, zero width, tags).
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
