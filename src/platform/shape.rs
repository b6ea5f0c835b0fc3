//! Finds the one value that a response is about: bare, as a JSON string, or in a JSON object.

use serde_json::{Map, Value};

use super::StatusMap;
use super::token_shape::{is_named_token, is_token, is_uuid, is_wrapped_uuid};
use ferry_types::domain::bounded_json::{bare_json, from_json_within};
use ferry_types::domain::is_invisible;
use ferry_types::domain::lenient_json::{json_among_others, read_json};
use ferry_types::domain::outcome::Status;

/// Quoted so many times over, a string is still read.
const MAX_QUOTES: usize = 4;

/// Objects are searched so deep.
const MAX_DEPTH: usize = 4;

/// The most values of JSON that is searched.
const MAX_VALUES: usize = 10_000;

/// A word is not longer, in characters.
const MAX_WORD: usize = 200;

/// Names of members that identify a request, a session or an error, and no dataset.
const NOT_OF_DATASETS: &[&str] = &["trace", "correlation", "request", "csrf", "error"];

/// A named value within an object.
#[derive(Debug)]
struct Member {
    /// In lower case, letters and digits only; empty for the element of an array.
    name: String,
    value: String,
}

impl Member {
    fn new(name: &str, value: &str) -> Self {
        let name: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
        Self { name: name.to_lowercase(), value: value.to_owned() }
    }
}

/// The status word; `None` if the text holds none, or several.
pub(super) fn status_word(text: &str, words: &StatusMap) -> Option<String> {
    let members = match read(text) {
        Read::Word(word) => return Some(word),
        Read::Members(members) => members,
        Read::Other => return last_line(text, words),
    };
    // What a member named like an error says is said of the request and not of the dataset.
    let speaks_of_error = |m: &Member| m.name.contains("err") || m.name.contains("message");
    // Members that say the same count as one; of two that do not, neither is the one.
    let different = |fits: &dyn Fn(&Member) -> bool| {
        let mut found: Vec<&Member> = Vec::new();
        for member in members.iter().filter(|m| fits(m)) {
            let says_the_same = |other: &&Member| {
                member.value.eq_ignore_ascii_case(&other.value)
                    && speaks_of_error(member) == speaks_of_error(other)
            };
            if !found.iter().any(says_the_same) {
                found.push(member);
            }
            if found.len() > 1 {
                break;
            }
        }
        found
    };
    let known = different(&|m| words.knows(&m.value));
    let named = different(&|m| m.name == "status");
    let state = different(&|m| m.name == "state" && words.knows(&m.value));
    let found = match (named.as_slice(), known.as_slice()) {
        ([named], _) if words.knows(&named.value) => named,
        ([], _) if let [state] = state.as_slice() => state,
        (_, [known]) if !is_failure(&known.value, words) => known,
        (_, [known]) if is_verdict(&known.value) && !speaks_of_error(known) => known,
        (_, [known]) if members.len() == 1 && !speaks_of_error(known) => known,
        ([named], []) => named,
        _ => return None,
    };
    Some(found.value.clone())
}

/// The status word in the last line, behind the warnings of a server.
fn last_line(text: &str, words: &StatusMap) -> Option<String> {
    let lines = || text.lines().map(unquoted).filter(|line| !line.is_empty());
    let last = lines().next_back().filter(|_| !is_web_page(text))?;
    let is_only = lines().filter(|line| words.knows(line)).eq([last]);
    (is_only && (!is_failure(last, words) || is_verdict(last))).then(|| last.to_owned())
}

fn is_failure(word: &str, words: &StatusMap) -> bool {
    matches!(words.classify(word), Status::Failed { .. })
}

/// Such words are verdicts wherever they stand; `failed` may be said of the request.
fn is_verdict(word: &str) -> bool {
    word.to_ascii_lowercase().starts_with("completed")
}

/// The processing token; `None` if the text holds none, or several.
pub(super) fn processing_token(text: &str) -> Option<String> {
    let members = match read(text) {
        Read::Word(word) => return is_token(&word).then_some(word),
        Read::Members(members) => members,
        Read::Other => return None,
    };
    let one = |fits: &dyn Fn(&Member) -> bool| {
        let about_dataset = |m: &&Member| !NOT_OF_DATASETS.iter().any(|word| m.name.contains(word));
        let fitting = members.iter().filter(about_dataset);
        let mut fitting = fitting.filter(|m| fits(m)).map(|m| &m.value);
        let first = fitting.next()?;
        fitting.all(|other| other == first).then(|| first.clone())
    };
    one(&|m| m.name.ends_with("token") && is_uuid(&m.value))
        .or_else(|| one(&|m| m.name.ends_with("token") && is_named_token(&m.value)))
        .or_else(|| one(&|m| is_uuid(&m.value)))
        .or_else(|| one(&|m| is_wrapped_uuid(&m.value)))
}

/// The text if it is one word or sentence, bare or in quotes.
pub(super) fn word(text: &str) -> Option<String> {
    if let Read::Word(word) = read(text) { Some(word) } else { None }
}

/// True for a web page.
pub(super) fn is_web_page(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(256).collect();
    let start = start.to_ascii_lowercase();
    let tags = ["<!doctype html", "<html", "<head", "<body"];
    let prologue = start.starts_with("<!--") || start.starts_with("<?xml");
    tags.iter().any(|tag| start.starts_with(tag) || (prologue && start.contains(tag)))
}

/// True for a part of a web page, if it is declared to be one. Warnings of PHP begin with a line break.
pub(super) fn begins_as_page(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('<') && !["<br", "<?xml"].iter().any(|tag| text.starts_with(tag))
}

/// The JSON object in `text`, also one in a string or as the only member of another.
pub(super) fn object(text: &str) -> Option<Map<String, Value>> {
    let mut value: Value = json(text)?;
    for _ in 0..MAX_DEPTH {
        value = match value {
            Value::String(inner) => json(&inner)?,
            Value::Array(items) if items.len() == 1 => items.into_iter().next()?,
            Value::Object(object) if object.len() == 1 && object.values().all(Value::is_object) => {
                object.into_iter().next()?.1
            }
            Value::Object(object) => return Some(object),
            _ => return None,
        };
    }
    None
}

/// Returns what is wrong with a text that begins like JSON and is none, or holds too much of it.
pub(super) fn json_error(text: &str) -> Option<String> {
    let text = bare_json(text);
    let read = from_json_within::<Value>(text.as_bytes(), MAX_VALUES);
    read.err().filter(|_| text.starts_with(['{', '[', '"'])).map(|error| error.to_string())
}

fn json(text: &str) -> Option<Value> {
    let among_others = || json_among_others(text, MAX_VALUES).filter(|_| !is_web_page(text));
    read_json(text, MAX_VALUES).or_else(among_others)
}

enum Read {
    Word(String),
    Members(Vec<Member>),
    Other,
}

fn read(text: &str) -> Read {
    let mut text = unquoted(text).to_owned();
    for _ in 0..MAX_QUOTES {
        match json(&text) {
            Some(Value::String(inner)) => unquoted(&inner).clone_into(&mut text),
            Some(value @ (Value::Object(_) | Value::Array(_))) => {
                let mut members = Vec::new();
                collect(&value, "", MAX_DEPTH, &mut members);
                return Read::Members(members);
            }
            _ => break,
        }
    }
    if let Some(members) = elements(&text).or_else(|| of_form(&text)) {
        return Read::Members(members);
    }
    let is_word = !text.is_empty()
        && text.chars().count() <= MAX_WORD
        && !text.contains(['<', '{', '[', '"'])
        && !text.chars().any(char::is_control);
    if is_word || is_wrapped_uuid(&text) { Read::Word(text) } else { Read::Other }
}

/// `text` without blanks, invisible characters and quotes of other kinds than JSON has around it.
fn unquoted(text: &str) -> &str {
    const QUOTES: [(&str, &str); 6] = [
        ("'", "'"),
        ("`", "`"),
        ("\u{201c}", "\u{201d}"),
        ("\u{2018}", "\u{2019}"),
        ("&quot;", "&quot;"),
        ("&#34;", "&#34;"),
    ];
    let text = bare(text);
    let inner = QUOTES.into_iter().find_map(|(open, close)| {
        let inner = text.strip_prefix(open)?.strip_suffix(close)?;
        Some(bare(inner)).filter(|inner| !inner.contains(open) && !inner.contains(close))
    });
    inner.unwrap_or(text)
}

fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// A token or a status by the name that the documentation has for it, as `name: value` or in a form.
fn of_form(text: &str) -> Option<Vec<Member>> {
    let is_known =
        |member: &Member| ["processingtoken", "status", "token"].contains(&member.name.as_str());
    let parts = text.split(['&', ';', '\n', '\r']).map(str::trim).filter(|part| !part.is_empty());
    let members = parts.map(|part| {
        let (name, value) = part.split_once(['=', ':'])?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_- ".contains(c);
        name.chars().all(is_name).then(|| Member::new(name, unquoted(value)))
    });
    let members: Vec<Member> = members.collect::<Option<_>>()?;
    members.iter().any(is_known).then_some(members)
}

/// The elements of XML that hold text and no others, such as the only one in which some frameworks write
/// a string.
fn elements(text: &str) -> Option<Vec<Member>> {
    let text = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>")?.1.trim_start(),
        None => text,
    };
    if !text.starts_with('<') || !text.ends_with('>') || is_web_page(text) {
        return None;
    }
    let (mut members, mut open, mut is_innermost) = (Vec::new(), Vec::new(), false);
    for part in text.split('<').skip(1).take(MAX_VALUES) {
        let (tag, content) = part.split_once('>')?;
        if let Some(name) = tag.strip_prefix('/') {
            let (opened, content): (&str, &str) = open.pop()?;
            if opened != name.trim() {
                return None;
            }
            if std::mem::take(&mut is_innermost) && !content.is_empty() {
                let (_, name) = opened.rsplit_once(':').unwrap_or(("", opened));
                members.push(Member::new(name, content));
            }
        } else if !tag.ends_with('/') && !tag.starts_with(['!', '?']) {
            open.push((tag.split_whitespace().next()?, content.trim()));
            is_innermost = true;
        }
    }
    open.is_empty().then_some(members)
}

fn collect(value: &Value, name: &str, depth: usize, members: &mut Vec<Member>) {
    let mut push = |value: &str| members.push(Member::new(name, unquoted(value)));
    match value {
        Value::String(text) if text.chars().count() <= MAX_WORD => push(text),
        Value::Number(number) => push(&number.to_string()),
        Value::Object(object) if depth > 0 => {
            object.iter().for_each(|(name, value)| collect(value, name, depth - 1, members));
        }
        Value::Array(items) if depth > 0 && items.len() == 1 => {
            collect(&items[0], name, depth - 1, members);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

    fn word(text: &str) -> Option<String> {
        status_word(text, &StatusMap::default())
    }

    #[test]
    fn status_word_is_found_in_any_wrapping() {
        for text in [
            "Processing",
            r#""Processing""#,
            r#""\"Processing\"""#,
            r#"{"status":"Processing"}"#,
            r#"{"status":"Queued","status":"Processing"}"#,
            r#"{"d":"Processing"}"#,
            r#"["Processing"]"#,
            r#""{\"Status\":\"Processing\"}""#,
            r#"{"result":{"Status":"Processing","message":"working on it"}}"#,
            r#"{"status":"ok","data":"Processing","code":0}"#,
            ")]}'\n\"Processing\"",
            r#"while(1);{"status":"Processing"}"#,
            r#"cb({"status":"Processing"});"#,
            "<string>Processing</string>",
            "<?xml version=\"1.0\"?>\r\n<string xmlns=\"http://a/\">Processing</string>\r\n",
            r#"/**/cb("Processing")"#,
            "<a><b/><b>Processing</b></a>",
            "'Processing'",
            "&quot;Processing&quot;",
            r#"{"phase":"Processing","stage":"processing"}"#,
            r#"{"status":"Processing","job":{"status":"PROCESSING"}}"#,
            "{status: 'Processing',}",
            "status: Processing",
            "code=0&status=Processing",
            "status: Processing\r\nrows: 2\r\n",
            "status=Processing;rows=2",
            "Warning: x in a.php on line 3\n{\"status\":\"Processing\"}",
            "\u{200b}Processing\u{a0}",
            "PHP Warning: x in a.php on line 3\r\n\r\nProcessing\r\n",
        ] {
            assert_eq!(word(text).as_deref(), Some("Processing"), "{text}");
        }
        assert_eq!(word(r#"{"status":"warming up"}"#).as_deref(), Some("warming up"));
        let odd = r#"{"state":"CompletedWithErrors","message":"3 rows"}"#;
        assert_eq!(word(odd).as_deref(), Some("CompletedWithErrors"));
        let state = r#"{"state":"failed","message":"3 rows","id":7,"step":"running"}"#;
        assert_eq!(word(state).as_deref(), Some("failed"));
        assert_eq!(word(r#"{"d":"completedwitherrors"}"#).as_deref(), Some("completedwitherrors"));
    }

    #[test]
    fn no_verdict_is_read_out_of_an_object_that_says_none() {
        for text in [
            r#"{"oddly":"shaped"}"#,
            r#"{"error":"failed"}"#,
            r#"{"error":"failed","result":"failed"}"#,
            r#"{"error":"failed","message":"failed"}"#,
            r#"{"message":"error","code":5}"#,
            r#"{"state":"failed","status":"running","status_of":"x","Status ":"error"}"#,
            r#"{"state":"NY","code":5}"#,
            r#"{"a":"processing","b":"completedsuccessfully"}"#,
            "{}",
            "[]",
            "",
            "a\nb",
            "queued\nProcessing",
            "Warning: x\nfailed",
            "Processing\nWarning: x",
            "<p>",
            "<error>failed</error>",
            "<html>Processing</html>",
            "<a><b>Processing</b><c>failed</b></a>",
            "<a><b>Processing</b>",
            "<html>\n\"Processing\"\n</html>",
            "{\"status\":\"Processing\"}\n{\"status\":\"Processing\"}",
            "error=failed&status=",
        ] {
            assert_eq!(word(text), None, "{text}");
        }
    }

    #[test]
    fn processing_token_is_found_in_any_wrapping() {
        for text in [
            UUID.to_owned(),
            format!("\"{UUID}\""),
            format!(r#"{{"anything":"{UUID}"}}"#),
            format!(r#"{{"name":"march 1","id":7,"token":"{UUID}"}}"#),
            format!(r#"{{"csrf_token":"abc123","id":"{UUID}"}}"#),
            format!(r#"[{{"processingToken":"{UUID}","requestId":"{}"}}]"#, UUID.replace('3', "4")),
            serde_json::to_string(&format!("\"{UUID}\"")).expect("a text has a JSON form"),
            format!("for(;;);{{\"token\":\"{UUID}\"}}"),
            format!("cb(\"{UUID}\");"),
            format!("<string xmlns=\"http://a/\">{UUID}</string>"),
            format!(
                "<s:Envelope><s:Body><Answer><Token>{UUID}</Token></Answer></s:Body></s:Envelope>"
            ),
            format!("'{UUID}'"),
            format!("\u{201c}{UUID}\u{201d}\r\n"),
            format!("\u{feff}\u{200b} {UUID}\u{2060}\u{a0}"),
            format!("[\"{UUID}\"]"),
            format!("{{\"ids\":[\"{UUID}\"]}}"),
            format!("{{'token':'{UUID}',}}"),
            format!("{{token: {UUID}}} // issued"),
            format!("{{\"token\":\"{UUID}\",\"eta\":NaN}}"),
            format!("Processing token: {UUID}"),
            format!("status=ok&token={UUID}"),
            format!("<br />\n<b>Warning</b>: x in <b>a.php</b> on line <b>3</b><br />\n\"{UUID}\""),
        ] {
            assert_eq!(processing_token(&text).as_deref(), Some(UUID), "{text}");
        }
        for text in [
            r#"{"oddly":"shaped"}"#,
            r#"{"error":"E1234"}"#,
            r#"{"code":42}"#,
            r#"{"token":null,"id":42}"#,
            r#"{"token":0}"#,
            "\"ERR-1001\"",
            "0",
            r#"{"token":"none"}"#,
            &format!(r#"{{"success":false,"traceId":"{UUID}"}}"#),
            &format!(r#"{{"error":{{"code":"E1","correlationId":"{UUID}"}}}}"#),
            &format!(r#"{{"a":"{UUID}","b":"{}"}}"#, UUID.replace('3', "4")),
            &format!("<a><error>E1</error><traceId>{UUID}</traceId></a>"),
            &format!("Invalid token: {UUID}"),
            &format!("<html>\n{{\"id\":\"{UUID}\"}}\n</html>"),
            &format!("{{\"id\":\"{UUID}\"}}\n{{\"id\":\"{UUID}\"}}"),
            "token=none",
            "{}",
            "OK",
            "null",
        ] {
            assert_eq!(processing_token(text), None, "{text}");
        }
    }

    #[test]
    fn uuid_is_taken_in_every_form_of_one_as_it_was_issued() {
        let plain = UUID.replace('-', "");
        for form in [
            UUID.to_uppercase(),
            plain.clone(),
            format!("{{{UUID}}}"),
            format!("({UUID})"),
            format!("<{UUID}>"),
            format!("urn:uuid:{UUID}"),
            format!("<URN:UUID:{}>", UUID.to_uppercase()),
        ] {
            let quoted = serde_json::to_string(&form).expect("a text has a JSON form");
            for text in [form.clone(), quoted.clone(), format!("{{\"id\":{quoted}}}")] {
                assert_eq!(processing_token(&text).as_deref(), Some(form.as_str()), "{text}");
            }
        }
        let both = format!("{{\"id\":\"{UUID}\",\"hash\":\"{}\"}}", plain.replace('3', "4"));
        assert_eq!(processing_token(&both).as_deref(), Some(UUID));
    }

    #[test]
    fn web_page_is_recognized() {
        for page in [" <!DOCTYPE html><p>", "<HTML lang=en>", "<!-- x -->\n<html>", "<html>Sign in"]
        {
            assert!(is_web_page(page), "{page}");
        }
        assert!(begins_as_page("\n<title>Sign in</title>") && begins_as_page("<div class='x'>"));
        assert!(!begins_as_page("<br />\n<b>Warning</b>: x<br />\nId\n1\n"));
        for other in ["<string>a</string>", "Id\n1\n", "", "\u{fc}".repeat(300).as_str()] {
            assert!(!is_web_page(other), "{other}");
        }
    }
}
