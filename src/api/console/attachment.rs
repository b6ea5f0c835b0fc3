//! Files that browsers save: each has a name that people recognize, whatever dataset names and result keys hold.

use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::content_type::{content_type, media_type};
use ferry_types::domain::dataset::Table;
use ferry_types::domain::is_invisible;

/// Longest stem of a name, in bytes: with the ending it fits every file system.
const LONGEST: usize = 120;

/// Names that Windows takes for devices, with any ending.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The part of a submission that a file has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    /// The dataset.
    Data,
    /// Its events.
    Events,
    /// The feedback.
    Feedback,
    /// A text of the dataset with the feedback as a column.
    WithFeedback(Table),
    /// The result of a key.
    Result(&'a str),
}

/// The response as a file to save.
pub(super) fn attached(mut response: Response, dataset: &str, part: Part<'_>) -> Response {
    let name = file_name(dataset, part, ending(content_type(response.headers())));
    let attachment = HeaderValue::from_str(&disposition(&name));
    let attachment = attachment.unwrap_or(HeaderValue::from_static("attachment"));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, attachment);
    response
}

/// The ending of a type. The Platform chooses the type: none of these is run by a click.
fn ending(content_type: &str) -> &'static str {
    match &*media_type(content_type) {
        "text/csv" | "application/csv" => "csv",
        "text/tab-separated-values" => "tsv",
        "application/json" => "json",
        "text/plain" => "txt",
        _ => "bin",
    }
}

fn file_name(dataset: &str, part: Part<'_>, ending: &str) -> String {
    let name = harmless(dataset);
    match part {
        Part::Data => format!("{name}.csv"),
        Part::Events => format!("{name}.events.csv"),
        Part::WithFeedback(Table::Data) => format!("{name}.with-feedback.csv"),
        Part::WithFeedback(Table::Events) => format!("{name}.events.with-feedback.csv"),
        Part::Feedback => format!("{name}.feedback.{ending}"),
        Part::Result(key) => format!("{name}.{}.{ending}", harmless(key)),
    }
}

/// Text as a part of a file name: without what separates folders, means something to a shell or to Windows, or
/// hides what stands beside it.
fn harmless(text: &str) -> String {
    let is_bad = |c: char| c.is_control() || is_invisible(c) || "/\\:*?\"<>|%'`$;&~".contains(c);
    let mut name = String::new();
    for c in text.chars() {
        let c = if is_bad(c) { '_' } else { c };
        if name.len() + c.len_utf8() > LONGEST {
            break;
        }
        name.push(c);
    }
    // A dot at the front hides a file, a dash is an option, and Windows drops dots and spaces at the end.
    let trimmed = name.trim_start_matches(['.', ' ', '-']).trim_end_matches(['.', ' ']);
    let stem = trimmed.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_numbered = |kind: &str| {
        let number = stem.strip_prefix(kind);
        number.is_some_and(|number| number.len() == 1 && number.parse::<u8>().is_ok())
    };
    match trimmed {
        "" => "_".to_owned(),
        _ if DEVICES.contains(&&*stem) || is_numbered("com") || is_numbered("lpt") => {
            format!("_{trimmed}")
        }
        _ => trimmed.to_owned(),
    }
}

/// The header of RFC 6266: the name in ASCII for old programs, and as it is, if that differs.
fn disposition(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let mut header = format!("attachment; filename=\"{plain}\"");
    if plain != name {
        header += "; filename*=UTF-8''";
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
                header.push(char::from(byte));
            } else {
                header += &format!("%{byte:02X}");
            }
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_is_named_by_its_dataset_and_its_part() {
        let name =
            |part, kind: Option<&str>| file_name("march", part, ending(kind.unwrap_or_default()));
        assert_eq!(name(Part::Data, None), "march.csv");
        assert_eq!(name(Part::Events, None), "march.events.csv");
        assert_eq!(name(Part::WithFeedback(Table::Data), None), "march.with-feedback.csv");
        assert_eq!(name(Part::Feedback, Some("text/plain; charset=utf-8")), "march.feedback.txt");
        assert_eq!(name(Part::Result("ids"), Some("Application/JSON")), "march.ids.json");
        for active in [None, Some("text/html"), Some("image/svg+xml"), Some("application/x-sh")] {
            assert_eq!(name(Part::Result("ids"), active), "march.ids.bin");
        }
    }

    #[test]
    fn a_name_that_was_made_to_deceive_does_no_harm() {
        for (text, expected) in [
            ("../../etc/passwd", "_.._etc_passwd"),
            ("C:\\x", "C__x"),
            (".bashrc", "bashrc"),
            ("--help", "help"),
            ("a\"; filename=\"b.exe", "a__ filename=_b.exe"),
            ("a\r\nSet-Cookie: x", "a__Set-Cookie_ x"),
            ("invoice\u{202e}fdp.exe", "invoice_fdp.exe"),
            ("nul", "_nul"),
            ("Com1.x", "_Com1.x"),
            ("comet", "comet"),
            (" . ", "_"),
            ("", "_"),
        ] {
            assert_eq!(harmless(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_name_beyond_ascii_stands_there_as_it_is_and_in_ascii() {
        assert_eq!(disposition("march.csv"), "attachment; filename=\"march.csv\"");
        assert_eq!(
            disposition("März 1.csv"),
            "attachment; filename=\"M_rz 1.csv\"; filename*=UTF-8''M%C3%A4rz%201.csv"
        );
    }

    proptest! {
        #[test]
        fn any_name_makes_one_header_with_one_harmless_name(text in "\\PC{0,300}|[.\\\\/\"\r\n-]{0,9}") {
            let name = file_name(&text, Part::Result(&text), "csv");
            prop_assert!(name.len() <= 2 * LONGEST + 8 && !name.starts_with(['.', '-']), "{}", name);
            prop_assert!(!name.contains(['/', '\\', '"', '\r', '\n']), "{}", name);
            let header = disposition(&name);
            prop_assert!(HeaderValue::from_str(&header).is_ok(), "{}", header);
            prop_assert_eq!(header.matches('"').count(), 2);
        }
    }
}
