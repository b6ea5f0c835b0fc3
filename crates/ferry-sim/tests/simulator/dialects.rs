//! The dialects, decoded here by hand.

use async_compression::tokio::write::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use ferry_sim::Response;
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::world::Virtual;
use super::*;

macro_rules! decoded {
    ($decoder:ident, $bytes:expr) => {{
        let mut decoder = $decoder::new(Vec::new());
        let written = async {
            decoder.write_all($bytes).await.expect("it decodes");
            decoder.shutdown().await.expect("it decodes");
        };
        written.now_or_never().expect("a vector takes everything at once");
        decoder.into_inner()
    }};
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let found = response.headers.iter().find(|(header, _)| header == name);
    found.map(|(_, value)| value.as_str())
}

/// The text of a body, with its byte order mark.
pub(crate) fn decoded(response: &Response) -> String {
    let bytes = match header(response, "content-encoding") {
        None => response.body.clone(),
        Some("gzip") => decoded!(GzipDecoder, &response.body),
        Some("deflate") => decoded!(ZlibDecoder, &response.body),
        Some("br") => decoded!(BrotliDecoder, &response.body),
        Some("zstd") => decoded!(ZstdDecoder, &response.body),
        Some(other) => panic!("coded as {other}"),
    };
    let utf16 = |pair: &[u8]| u16::from_le_bytes([pair[0], pair[1]]);
    match header(response, "content-type").expect("a content type") {
        declared if declared.ends_with("utf-16") => {
            let units: Vec<u16> = bytes.chunks(2).map(utf16).collect();
            String::from_utf16(&units).expect("UTF-16")
        }
        declared if declared.ends_with("1252") => bytes.into_iter().map(char::from).collect(),
        _ => String::from_utf8(bytes).expect("UTF-8"),
    }
}

fn of(dialect: Dialect) -> Virtual {
    Virtual::new(SimConfig { dialect: Some(dialect), ..quick() })
}

#[test]
fn each_dialect_rejects_an_existing_name_in_its_own_way() {
    let mut seen = BTreeSet::new();
    for (name, status, text) in [
        ("plain", 409, "a dataset named n already exists"),
        ("quoted", 409, "\"a dataset named n already exists\""),
        ("german", 400, "Der Bezeichner n ist bereits vergeben"),
        ("japanese", 422, "\u{feff}\"名称「n」は使用済みです\""),
        (
            "french",
            409,
            "\u{feff}{\"type\":\"about:blank\",\"status\":409,\
             \"detail\":\"L\u{2019}identifiant n est d\u{e9}j\u{e0} utilis\u{e9}\"}",
        ),
        ("silent", 400, ""),
        (
            "legacy",
            413,
            "<!DOCTYPE html>\n<html><body><h1>413</h1>a dataset named n already exists</body></html>",
        ),
        ("portal", 422, "{\"message\":\"a dataset named n already exists\"}"),
    ] {
        let mut client = of(Dialect::named(name).expect("a dialect"));
        assert_eq!(client.upload("n", false).response.status, 200, "{name}");
        let rejected = client.upload("n", false).response;
        assert_eq!((rejected.status, decoded(&rejected).as_str()), (status, text), "{name}");
        seen.insert(name);
    }
    assert_eq!(seen, Dialect::ALL.iter().map(Dialect::name).collect());
    assert!(Dialect::named("klingon").is_none());
}

#[test]
fn each_dialect_says_tokens_words_and_feedback_in_its_own_form() {
    for (name, token, word, feedback) in [
        ("plain", "T", "CompletedSuccessfully", "2|x|not a date\n"),
        ("quoted", "\"T\"", "\"CompletedSuccessfully\"", "\"2|x|not a date\\n\""),
        ("german", "T", "COMPLETED_SUCCESSFULLY", "2|x|ung\u{fc}ltiges Datum\n"),
        (
            "japanese",
            "\u{feff}\"T\"",
            "\u{feff}\"completedsuccessfully\"",
            "\u{feff}\"2|x|日付が正しくありません\\n\"",
        ),
        (
            "french",
            "\u{feff}{\"token\":\"T\"}",
            "\u{feff}{\"status\":\"Completed Successfully\"}",
            "\u{feff}[\"2|x|date invalide\"]",
        ),
        ("silent", r#""\"T\"""#, r#""\"completedsuccessfully\"""#, r#""2|x|not a date\n""#),
        ("legacy", "T", "CompletedSuccessfully", "2|x|not a date\n"),
        (
            "portal",
            r#"{"token":"T"}"#,
            r#"{"status":"COMPLETED_SUCCESSFULLY"}"#,
            r#"["2|x|not a date"]"#,
        ),
    ] {
        let mut client = of(Dialect::named(name).expect("a dialect"));
        let stored = decoded(&client.upload("n", false).response);
        let known = client.world.ledger().names["n"].accepted[0].processing_token.clone();
        assert_eq!(stored.replace(&known, "T"), token, "{name}");
        assert_eq!(decoded(&client.get(&known, "status")), word, "{name}");
        let results = client.get(&known, "tableofresultids");
        assert_eq!(decoded(&results), expected_results("n", DATA), "{name}");
        client.upload_data("bad", &DATA.replace("01/02/2026,08", "x,08"));
        let known = client.world.ledger().names["bad"].accepted[0].processing_token.clone();
        assert_eq!(decoded(&client.get(&known, "feedback")), feedback, "{name}");
    }
}

#[test]
fn text_that_a_charset_does_not_have_goes_out_in_another() {
    let mut client = of(Dialect::named("german").expect("a dialect"));
    client.upload("\u{20ac} 名", false);
    let rejected = client.upload("\u{20ac} 名", false).response;
    assert_eq!(header(&rejected, "content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(decoded(&rejected), "Der Bezeichner \u{20ac} 名 ist bereits vergeben");
}

#[tokio::test]
async fn odd_header_lines_are_sent_as_they_are() {
    let caller = start(SimConfig { dialect: Dialect::named("legacy"), ..quick() }).await;
    let address = caller.sim.address();
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let request = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.expect("a response");
    let response: String = response.iter().map(|byte| char::from(*byte)).collect();
    assert!(response.starts_with("HTTP/1.1 404 Not Found\r\n"), "{response}");
    for line in ["\r\nX-Folded: one\r\n two\r\n", "\r\nX-Spaced : one\r\n", "X-Latin: M\u{fc}ller"]
    {
        assert!(response.contains(line), "{response}");
    }
    assert!(response.contains("\r\nX-Filter-199: seen\r\n") && !response.contains("x-raw-lines"));
    assert!(response.ends_with("<h1>404</h1>nothing here</body></html>"), "{response}");
}

#[test]
fn a_portal_redirects_to_its_login_page() {
    let mut client = of(Dialect::named("portal").expect("a dialect"));
    client.world.script(Endpoint::Upload, Fault::RevokeToken);
    let rejected = client.upload("n", false).response;
    assert_eq!(rejected.status, 302);
    let location = header(&rejected, "location").expect("a location");
    assert!(location.starts_with("https://login.example.com/"), "{location}");
    assert_eq!(client.world.ledger().unauthorized, 1);
}
