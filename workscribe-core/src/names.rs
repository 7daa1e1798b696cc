//! Names, titles and other plain texts that people see: which characters they may have, how they are stored, and which are equal.
//!
//! They are stored in Unicode's Normalization Form C (UAX #15), as RFC 5198 requires for text on the network, so that a name
//! typed on two systems is one name. Characters that change the direction of text are refused: they make a name look like another
//! one (UTR #36 §2.6, CVE-2021-42574). Joiners are allowed, since Persian, Indic scripts and emoji need them.

use icu_properties::props::{BidiControl, DefaultIgnorableCodePoint, GeneralCategory as Category};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization as _;

use crate::error::Fault;
use crate::limits::Limit;

/// The maximum length of a name.
const NAME_CHARS: usize = Limit::NameCharacters.default_value() as usize;

/// The key by which names of statuses and labels are compared: lower case, in Normalization Form C. Names stored before names were
/// normalised keep their key until they are renamed.
#[must_use]
pub fn name_key(name: &str) -> String {
    // The lower case of a letter is not always in Normalization Form C.
    nfc(&nfc(name).to_lowercase())
}

/// Checks the name of a person, an organization or a project, and returns its stored form: trimmed, in Normalization Form C,
/// 2–100 characters, at least one of them visible.
///
/// # Errors
/// `TOO_SHORT`, `TOO_LONG`, `BLANK` when no character is visible, or `CONTROL_CHARACTER`, also for line separators and characters
/// that change the direction of text.
pub fn display_name(text: &str) -> Result<String, Fault> {
    let name = normal_line(text)?;
    match name.chars().count() {
        0..=1 => Err(Fault::new("TOO_SHORT", "Use at least 2 characters.")),
        2..=NAME_CHARS if !is_seen(&name) => Err(blank()),
        2..=NAME_CHARS => Ok(name),
        _ => Err(Fault::new("TOO_LONG", format!("Use at most {NAME_CHARS} characters."))),
    }
}

/// Checks a text of one line, and returns its stored form: trimmed, in Normalization Form C, `1..=max` characters, at least one of
/// them visible.
///
/// # Errors
/// `BLANK`, `TOO_LONG` or `CONTROL_CHARACTER`, as [`display_name`].
pub(crate) fn single_line(text: &str, max: usize) -> Result<String, Fault> {
    let line = normal_line(text)?;
    if !is_seen(&line) {
        return Err(blank());
    }
    if line.chars().count() > max {
        return Err(Fault::new("TOO_LONG", format!("Use at most {max} characters.")));
    }
    Ok(line)
}

/// Checks a text of several lines, and returns it in Normalization Form C: at most `max` characters. Of the characters that
/// [`display_name`] refuses, only tabs and line breaks are allowed. The text may be blank.
///
/// # Errors
/// `TOO_LONG` or `CONTROL_CHARACTER`.
pub(crate) fn text(text: &str, max: usize) -> Result<String, Fault> {
    if text.chars().any(|c| is_refused(c) && !is_line_break(c)) {
        let message =
            "Leave out control characters other than line breaks, and marks that turn the direction of text.";
        return Err(Fault::new("CONTROL_CHARACTER", message));
    }
    let text = nfc(text);
    if text.chars().count() > max {
        return Err(Fault::new("TOO_LONG", format!("Use at most {max} characters.")));
    }
    Ok(text)
}

/// The stored form of a name or text that is older than the rules of this module: in Normalization Form C, a space for each line
/// separator, and no characters that change the direction of text. Other faults stay, and a check refuses them.
pub(crate) fn kept_form(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let kept = text.chars().filter(|c| !turns_direction(*c));
    nfc(&kept.map(|c| if matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect::<String>())
}

/// Makes a line from outside valid: the same as [`kept_form`], a space for each control character, and cut to `max` characters.
/// `None` when no character is visible.
pub(crate) fn mended_line(text: &str, max: usize) -> Option<String> {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let cut: String = kept_form(spaced.trim()).trim().chars().take(max).collect();
    Some(cut.trim_end().to_owned()).filter(|line| is_seen(line))
}

fn normal_line(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    if text.chars().any(is_refused) {
        let message =
            "Leave out line breaks, other control characters, and marks that turn the direction of text.";
        return Err(Fault::new("CONTROL_CHARACTER", message));
    }
    Ok(nfc(text).trim().to_owned())
}

fn nfc(text: &str) -> String {
    // Most texts are ASCII, which is in Normalization Form C.
    if text.is_ascii() { text.to_owned() } else { text.nfc().collect() }
}

fn blank() -> Fault {
    Fault::new("BLANK", "Enter at least one character that can be seen.")
}

const fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\t')
}

fn is_refused(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || turns_direction(c)
}

/// Unicode's property `Bidi_Control` (UAX #9): marks, embeddings, overrides and isolates.
fn turns_direction(c: char) -> bool {
    !c.is_ascii() && CodePointSetData::new::<BidiControl>().contains(c)
}

/// Whether a text has a visible character: not a space, not an accent without its letter, not a character that only shapes others,
/// and not one that fonts leave empty.
fn is_seen(text: &str) -> bool {
    text.chars().any(is_visible)
}

fn is_visible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_graphic();
    }
    // Two characters are symbols by category and empty in every font: the blank Braille pattern and the null note head.
    let is_empty_symbol = matches!(c, '\u{2800}' | '\u{1D159}');
    // Hangul fillers are letters and variation selectors are marks; both have this property (UAX #44).
    let is_ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c);
    let is_shape_or_space = matches!(
        CodePointMapData::<Category>::new().get(c),
        Category::SpaceSeparator
            | Category::LineSeparator
            | Category::ParagraphSeparator
            | Category::Control
            | Category::Format
            | Category::NonspacingMark
            | Category::EnclosingMark
    );
    !(is_empty_symbol || is_ignorable || is_shape_or_space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_taken_is_taken_again_as_it_is() {
        for name in ["Zoe\u{308}", " \u{1e9b}\u{323} ", "\u{958}\u{fb2c}", "\u{2000}a\u{2001}b\u{2000}"] {
            let kept = single_line(name, 50).unwrap();
            assert_eq!((single_line(&kept, 50).unwrap(), kept_form(&kept)), (kept.clone(), kept), "{name:?}");
        }
    }

    fn code<T: std::fmt::Debug>(checked: Result<T, Fault>) -> &'static str {
        checked.unwrap_err().code
    }

    #[test]
    fn names_are_trimmed_and_blank_or_broken_ones_refused() {
        assert_eq!(display_name("  Ada Lovelace ").unwrap(), "Ada Lovelace");
        assert_eq!(code(display_name("   ")), "TOO_SHORT");
        assert_eq!(code(display_name("a\u{0}b")), "CONTROL_CHARACTER");
        assert_eq!(code(display_name("a\nb")), "CONTROL_CHARACTER");
        assert_eq!(code(display_name(&"é".repeat(101))), "TOO_LONG");
        assert!(display_name(&"é".repeat(100)).is_ok());
        assert!(display_name(&"e\u{301}".repeat(100)).is_ok(), "what is kept is counted");
    }

    #[test]
    fn lines_are_trimmed_and_texts_keep_their_line_breaks() {
        assert_eq!(single_line("  To Do ", 50).unwrap(), "To Do");
        assert_eq!(code(single_line(" \t ", 50)), "BLANK");
        assert_eq!(code(single_line("a\nb", 50)), "CONTROL_CHARACTER");
        assert_eq!(code(single_line(&"ä".repeat(51), 50)), "TOO_LONG");
        assert_eq!(text("a\n\tb", 5).unwrap(), "a\n\tb");
        assert_eq!(text("", 5).unwrap(), "");
        assert_eq!(code(text("a\0", 5)), "CONTROL_CHARACTER");
        assert_eq!(code(text("a\u{202e}b", 5)), "CONTROL_CHARACTER");
    }

    #[test]
    fn what_turns_the_direction_of_text_or_breaks_lines_is_refused() {
        let turning = ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
        let others = ['\u{200e}', '\u{200f}', '\u{61c}', '\u{2028}', '\u{2029}', '\u{7f}', '\u{85}', '\u{0}'];
        for c in turning.chain(others) {
            assert_eq!(code(display_name(&format!("Ada{c}Byron"))), "CONTROL_CHARACTER", "{c:?}");
            assert_eq!(code(single_line(&format!("a{c}b"), 50)), "CONTROL_CHARACTER", "{c:?}");
        }
    }

    #[test]
    fn a_name_of_which_nothing_is_seen_is_blank() {
        let unseen = [
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{2060}',
            '\u{feff}',
            '\u{ad}',
            '\u{34f}',
            '\u{115f}',
            '\u{1160}',
            '\u{3164}',
            '\u{ffa0}',
            '\u{180e}',
            '\u{17b4}',
            '\u{fe0f}',
            '\u{e0100}',
            '\u{e0041}',
            '\u{2800}',
            '\u{301}',
            '\u{20dd}',
            '\u{1d159}',
            '\u{206a}',
            '\u{fff9}',
            '\u{2061}',
        ];
        for c in unseen {
            for name in [format!("{c}{c}"), format!("{c} {c}"), format!("{c}\u{200b}\u{3000}{c}")] {
                assert_eq!(code(display_name(&name)), "BLANK", "{c:?}");
                assert_eq!(code(single_line(&name, 50)), "BLANK", "{c:?}");
            }
            assert!(single_line(&format!("a{c}"), 50).is_ok(), "{c:?}");
        }
    }

    #[test]
    fn names_of_all_scripts_and_emoji_stay_as_they_are() {
        for name in [
            "می‌خواهم",
            "क्‍ष",
            "שלום",
            "👨‍👩‍👧",
            "❤️",
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
            "한국어",
            "日本語",
            "Zoë",
            "Đặng",
            "नमस्ते",
            "☕",
            "…",
            "!!",
        ] {
            assert_eq!(single_line(name, 50).unwrap(), name);
        }
    }

    #[test]
    fn twins_of_another_normalization_form_are_one_name() {
        assert_eq!(display_name("Zoe\u{308}").unwrap(), "Zo\u{eb}");
        assert_eq!(name_key("CAFE\u{301}"), name_key("caf\u{e9}"));
        // The lower case of this composed letter has two characters.
        assert_eq!(name_key("\u{130}stanbul"), name_key("I\u{307}stanbul"));
        assert_ne!(name_key("cafe"), name_key("caf\u{e9}"));
    }

    #[test]
    fn what_came_from_elsewhere_is_mended_into_what_is_taken_here() {
        assert_eq!(mended_line(" a\nb\0c ", 50).unwrap(), "a b c");
        assert_eq!(mended_line("ää ää", 3).unwrap(), "ää");
        assert_eq!(mended_line("a\u{202e}b\u{2028}c e\u{301}", 50).unwrap(), "ab c \u{e9}");
        for nothing in [" \n", "\u{202e}\u{200b}", "\u{3164}"] {
            assert_eq!(mended_line(nothing, 50), None, "{nothing:?}");
        }
        assert_eq!(kept_form("a\n\tb\u{202e}\u{2029}e\u{301}"), "a\n\tb \u{e9}");
    }
}
