//! Rewrites responses in HTTP/1 as curl reads them to the form that hyper reads. It knows no request but
//! GET and POST, and decides alone where a response ends: hyper sees one framing that cannot be mistaken.

use reqwest::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};

/// Longest head that is rewritten. That of a longer one is for hyper, whose buffer is no larger.
const MAX_HEAD: usize = 400 << 10;

/// Longer bodies do not exist; hyper has a meaning of its own for the last numbers.
const MAX_LENGTH: u64 = i64::MAX as u64;

/// Reads one response of a connection after the other.
#[derive(Debug, Default)]
pub(super) struct Repair {
    state: State,
}

#[derive(Debug)]
enum State {
    /// The head so far, and where its last line begins.
    Head(Vec<u8>, usize),
    /// Number of bytes of a body that are missing.
    Length(u64),
    Chunk(Chunk),
    /// A chunk is broken; nothing behind it can be read.
    Broken(&'static str),
    /// All that follows is as it was: a body that ends with its connection, or what is no response.
    Raw,
}

/// The position in a chunked body.
#[derive(Debug, Clone, Copy)]
enum Chunk {
    /// The digits of a size.
    Size { size: u64, has_digits: bool },
    /// The rest of its line.
    Extension(u64),
    /// Number of bytes of the data that are missing.
    Data(u64),
    /// The end of the line of the data.
    End,
    /// Lines behind the last chunk, up to an empty one.
    Trailer { is_empty: bool },
}

impl Chunk {
    /// The part that follows a size; that of a body's end is written with what ends it.
    fn begun(size: u64, out: &mut Vec<u8>) -> Self {
        if size == 0 {
            return Self::Trailer { is_empty: true };
        }
        out.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        Self::Data(size)
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Head(Vec::new(), 0)
    }
}

impl Repair {
    /// Appends what hyper is to read in place of `bytes`.
    pub(super) fn read(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            bytes = match &mut self.state {
                State::Broken(_) => return,
                State::Raw => return out.extend_from_slice(bytes),
                State::Head(..) => self.read_head(bytes, out),
                State::Length(left) => {
                    let rest = take(left, bytes, out);
                    if *left == 0 {
                        self.state = State::default();
                    }
                    rest
                }
                State::Chunk(_) => self.read_chunk(bytes, out),
            };
        }
    }

    /// Condition that keeps hyper from reading more than it was given.
    pub(super) fn broken(&self) -> Option<&'static str> {
        if let State::Broken(what) = self.state { Some(what) } else { None }
    }

    /// Appends what is left when the connection ends. A body is whole with its last chunk.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.state, State::Raw) {
            State::Head(head, _) => out.extend(head),
            State::Chunk(Chunk::Trailer { .. }) => out.extend_from_slice(b"0\r\n\r\n"),
            _ => {}
        }
    }

    /// Reads up to the end of a line of a head, and returns the rest.
    fn read_head<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let State::Head(head, line) = &mut self.state else { return bytes };
        let end = memchr::memchr(b'\n', bytes);
        let (read, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        head.extend_from_slice(read);
        let is_first = *line == 0;
        if is_first {
            // Some servers send more line ends behind a body than they announce.
            let blank = head.iter().take_while(|byte| b"\r\n".contains(byte)).count();
            head.drain(..blank);
        }
        let is_empty = end.is_some() && without_end(&head[*line..]).is_empty();
        if head.is_empty() {
            return rest;
        }
        if head.len() > MAX_HEAD || (is_first && !may_be_status(head, end.is_some())) {
            out.append(head);
            self.state = State::Raw;
        } else if is_empty {
            let head = std::mem::take(head);
            self.state = rewrite(&head, out).unwrap_or_else(|| {
                out.extend_from_slice(&head);
                State::Raw
            });
        } else if end.is_some() {
            *line = head.len();
        }
        rest
    }

    /// Reads a part of a chunked body, and returns the rest. Chunks leave as they came, in the form of the
    /// standard.
    fn read_chunk<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let (State::Chunk(chunk), Some((&byte, mut rest))) = (&self.state, bytes.split_first())
        else {
            return bytes;
        };
        let next = match *chunk {
            Chunk::Size { size, has_digits } => match char::from(byte).to_digit(16) {
                Some(digit) if size >> 60 == 0 => {
                    Chunk::Size { size: size << 4 | u64::from(digit), has_digits: true }
                }
                Some(_) => return self.broken_by("a chunk of the response is too large"),
                None if !has_digits => {
                    return self.broken_by("a chunk of the response has no size");
                }
                None => {
                    rest = bytes;
                    Chunk::Extension(size)
                }
            },
            // Its parts mean nothing here.
            Chunk::Extension(size) => match memchr::memchr(b'\n', bytes) {
                None => return &[],
                Some(end) => {
                    rest = &bytes[end + 1..];
                    Chunk::begun(size, out)
                }
            },
            Chunk::Data(mut left) => {
                rest = take(&mut left, bytes, out);
                if left == 0 {
                    out.extend_from_slice(b"\r\n");
                    Chunk::End
                } else {
                    Chunk::Data(left)
                }
            }
            Chunk::End => match byte {
                b'\r' => Chunk::End,
                b'\n' => Chunk::Size { size: 0, has_digits: false },
                _ => return self.broken_by("a chunk of the response is longer than its size"),
            },
            Chunk::Trailer { is_empty: true } if byte == b'\n' => {
                out.extend_from_slice(b"0\r\n\r\n");
                self.state = State::default();
                return rest;
            }
            Chunk::Trailer { is_empty } => {
                Chunk::Trailer { is_empty: byte == b'\n' || (is_empty && byte == b'\r') }
            }
        };
        self.state = State::Chunk(next);
        rest
    }

    fn broken_by(&mut self, what: &'static str) -> &'static [u8] {
        self.state = State::Broken(what);
        &[]
    }
}

/// Moves at most `left` of `bytes` to `out`, and returns the rest.
fn take<'a>(left: &mut u64, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let length = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    let (taken, rest) = bytes.split_at(length);
    out.extend_from_slice(taken);
    *left -= length as u64;
    rest
}

/// A line without its end, which may have more than one carriage return.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let end = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |at| at + 1);
    &line[..end]
}

const PROTOCOL: &[u8] = b"http/";

/// True if the beginning of a head may be a status line; that it is `whole` says that it is one.
fn may_be_status(head: &[u8], whole: bool) -> bool {
    let length = head.len().min(PROTOCOL.len());
    let is_protocol = head[..length].eq_ignore_ascii_case(&PROTOCOL[..length]);
    is_protocol && (!whole || status(without_end(head)).is_some())
}

/// The status in a status line, and whether the version keeps no connection unless it says so.
fn status(line: &[u8]) -> Option<(u16, bool)> {
    let is_protocol = line.get(..PROTOCOL.len())?.eq_ignore_ascii_case(PROTOCOL);
    let line = String::from_utf8_lossy(&line[..line.len().min(40)]);
    let (version, rest) = line.get(PROTOCOL.len()..)?.split_once([' ', '\t'])?;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    let is_version = matches!(major, "1" | "2" | "3") && minor.parse::<u8>().is_ok();
    let rest = rest.trim_start();
    let is_number = !rest.get(3..)?.starts_with(|c: char| c.is_ascii_digit());
    let status = rest.get(..3)?.parse().ok().filter(|status| *status >= 100)?;
    (is_protocol && is_version && is_number).then_some((status, version == "1.0"))
}

/// Appends the head in the form of the standard, and returns what follows it. `None` if it has no status.
fn rewrite(head: &[u8], out: &mut Vec<u8>) -> Option<State> {
    let mut lines = head.split(|byte| *byte == b'\n').map(without_end);
    let (status, is_1_0) = status(lines.next()?)?;
    match status {
        // What follows is another protocol.
        101 => return None,
        ..200 => return Some(State::default()),
        _ => {}
    }
    let headers = headers(lines);
    let framing = framing(status, &headers);
    let has_connection = headers.iter().any(|(name, _)| *name == CONNECTION);
    out.extend_from_slice(format!("HTTP/1.1 {status}\r\n").as_bytes());
    for (name, value) in &headers {
        let is_dropped = [CONTENT_LENGTH, TRANSFER_ENCODING].contains(name)
            || (*name == CONNECTION && framing.is_contradictory);
        if !is_dropped {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    }
    // A coding for the way here is undone like one of the content, and before those.
    for coding in transfer_codings(&headers).filter(|coding| !is_coding(coding, b"chunked")) {
        out.extend_from_slice(b"content-encoding: ");
        out.extend_from_slice(coding);
        out.extend_from_slice(b"\r\n");
    }
    if framing.is_contradictory || (is_1_0 && !has_connection) {
        out.extend_from_slice(b"connection: close\r\n");
    }
    match framing.body {
        State::Chunk(_) => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        State::Length(length) => {
            out.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
        }
        State::Head(..) | State::Broken(_) | State::Raw => {}
    }
    out.extend_from_slice(b"\r\n");
    Some(match framing.body {
        State::Length(0) => State::default(),
        body => body,
    })
}

/// Header lines with a name and a value; a line that begins with a blank continues the one before it.
fn headers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<(HeaderName, Vec<u8>)> {
    let mut headers: Vec<(HeaderName, Vec<u8>)> = Vec::new();
    let mut is_dropped = true;
    for line in lines {
        let folded = line.starts_with(b" ") || line.starts_with(b"\t");
        // Controls separate as little as blanks.
        let text = |bytes: &[u8]| -> Vec<u8> {
            let is_control = |byte: u8| byte.is_ascii_control() && byte != b'\t';
            let shown = |byte: &u8| if is_control(*byte) { b' ' } else { *byte };
            bytes.trim_ascii().iter().map(shown).collect()
        };
        if folded {
            if let Some((_, value)) = headers.last_mut().filter(|_| !is_dropped) {
                value.push(b' ');
                value.extend(text(line));
            }
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let name = colon.and_then(|at| HeaderName::from_bytes(line[..at].trim_ascii_end()).ok());
        is_dropped = name.is_none();
        if let (Some(name), Some(colon)) = (name, colon) {
            headers.push((name, text(&line[colon + 1..])));
        }
    }
    headers
}

struct Framing {
    body: State,
    /// It names several lengths, so that the rest of the connection is not to be trusted.
    is_contradictory: bool,
}

/// The framing of the body that follows, as curl decides it: by chunks if those are the last coding,
/// otherwise by the last length. An unusable length means that the body ends with the connection.
fn framing(status: u16, headers: &[(HeaderName, Vec<u8>)]) -> Framing {
    let of = |body| Framing { body, is_contradictory: false };
    if matches!(status, 204 | 304) {
        return of(State::default());
    }
    if let Some(last) = transfer_codings(headers).last() {
        let first = Chunk::Size { size: 0, has_digits: false };
        return of(if is_coding(last, b"chunked") { State::Chunk(first) } else { State::Raw });
    }
    let lengths: Vec<Option<u64>> = values(headers, CONTENT_LENGTH).map(length).collect();
    let Some(last) = lengths.last() else { return of(State::Raw) };
    Framing {
        body: last.map_or(State::Raw, State::Length),
        is_contradictory: lengths.iter().any(|other| other != last),
    }
}

/// The values of a header, which may be in one line or in several.
fn values(headers: &[(HeaderName, Vec<u8>)], wanted: HeaderName) -> impl Iterator<Item = &[u8]> {
    let values = headers.iter().filter(move |(name, _)| *name == wanted);
    let values = values.flat_map(|(_, value)| value.split(|byte| *byte == b','));
    values.map(<[u8]>::trim_ascii).filter(|value| !value.is_empty())
}

/// The transfer codings in the order in which they were applied, without their parameters.
fn transfer_codings(headers: &[(HeaderName, Vec<u8>)]) -> impl Iterator<Item = &[u8]> {
    let codings = values(headers, TRANSFER_ENCODING);
    let codings = codings.map(|coding| coding.split(|byte| *byte == b';').next().unwrap_or(coding));
    codings.map(<[u8]>::trim_ascii).filter(|coding| !is_coding(coding, b"identity"))
}

fn is_coding(coding: &[u8], name: &[u8]) -> bool {
    coding.eq_ignore_ascii_case(name)
}

/// A length, perhaps with a sign, a fraction or a unit.
fn length(value: &[u8]) -> Option<u64> {
    let value = std::str::from_utf8(value).ok()?;
    let digits = value.strip_prefix('+').unwrap_or(value);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let is_other = digits[end..].starts_with(char::is_alphanumeric);
    let length = digits[..end].parse().ok().filter(|length| *length <= MAX_LENGTH);
    length.filter(|_| !is_other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes that hyper reads of `bytes` that arrive in pieces of this size, before the connection ends.
    fn repaired(bytes: &[u8], piece: usize) -> Vec<u8> {
        let (mut repair, mut out) = (Repair::default(), Vec::new());
        for piece in bytes.chunks(piece) {
            repair.read(piece, &mut out);
        }
        out.extend(repair.broken().into_iter().flat_map(str::bytes));
        repair.end(&mut out);
        out
    }

    fn is(bytes: &str, expected: &str) {
        for piece in [1, 3, bytes.len()] {
            let out = repaired(bytes.as_bytes(), piece);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{bytes:?} by {piece}");
        }
    }

    #[test]
    fn heads_of_all_forms_have_that_of_the_standard() {
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200\nContent-Length:2\n\n",
            "http/1.1\t200\tOK\r\nContent-Length : +2\r\n\r\n",
            "HTTP/2 200OK\r\r\nContent-Length: 2, 2\r\r\n\r\r\n",
            "\r\n\nHTTP/1.1  200 O\u{1}K\r\nContent-Length:\r\n  2\r\n\r\n",
            "HTTP/1.1 200 OK\r\n folded\r\nnonsense\r\nA B: c\r\n d\r\ncontent-length: 2 bytes\r\n\r\n",
            "HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\nContent-Length: 02\n\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2.0\r\n\r\n",
        ] {
            is(&format!("{head}ab"), "HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nab");
        }
        is(
            "HTTP/1.0 200 OK\r\nA: b\tc\u{7f}\r\n d\r\n\r\nxy",
            "HTTP/1.1 200\r\na: b\tc  d\r\nconnection: close\r\n\r\nxy",
        );
    }

    #[test]
    fn codings_for_the_way_are_those_of_the_content() {
        is(
            "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nTransfer-Encoding: gzip;q=1, Chunked\r\n\r\n1\n.\n0\n\n",
            "HTTP/1.1 200\r\ncontent-encoding: br\r\ncontent-encoding: gzip\r\n\
             transfer-encoding: chunked\r\n\r\n1\r\n.\r\n0\r\n\r\n",
        );
    }

    #[test]
    fn chunks_of_all_forms_have_that_of_the_standard() {
        let head =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked, identity\r\nContent-Length: 9\r\n\r\n";
        for body in [
            "a\r\n0123456789\r\n1\r\n.\r\n0\r\n\r\n",
            "0A\n0123456789\n000000000000000001\n.\n0\n\n",
            "A;name=\"x\"\r\n0123456789\n1 \t\n.\r\n00;end\nA : b\r\n c\nnonsense\n\n",
            "Azz\n0123456789\r\r\n1 what\r\n.\r\n0\r\n",
        ] {
            is(
                &format!("{head}{body}"),
                "HTTP/1.1 200\r\ntransfer-encoding: chunked\r\n\r\na\r\n0123456789\r\n1\r\n.\r\n0\r\n\r\n",
            );
        }
        for (body, error) in [
            ("\r\n", "a chunk of the response has no size"),
            ("1\r\nab", "a chunk of the response is longer than its size"),
            ("fffffffffffffffff\n", "a chunk of the response is too large"),
        ] {
            let out = repaired(format!("{head}{body}").as_bytes(), 1);
            assert!(String::from_utf8_lossy(&out).ends_with(error), "{body}");
        }
    }

    #[test]
    fn one_response_follows_the_other() {
        is(
            "HTTP/1.1 200 OK\nContent-Length: 2\n\nab\r\nHTTP/1.1 204 No\nContent-Length: 2\n\n\
             HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\na\n0\n\n\
             HTTP/1.1 500\nContent-Length: 0\n\nHTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\nHTTP/",
            "HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nabHTTP/1.1 204\r\n\r\n\
             HTTP/1.1 200\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n\
             HTTP/1.1 500\r\ncontent-length: 0\r\n\r\n\
             HTTP/1.1 200\r\ncontent-encoding: gzip\r\n\r\nHTTP/",
        );
    }

    #[test]
    fn contradictory_lengths_end_the_connection() {
        is(
            "HTTP/1.1 200 OK\nContent-Length: 3\nConnection: keep-alive\nContent-Length: 2\n\nab",
            "HTTP/1.1 200\r\nconnection: close\r\ncontent-length: 2\r\n\r\nab",
        );
        for length in ["-1", "2x", "two", "18446744073709551615", "99999999999999999999"] {
            let head = format!("HTTP/1.1 200 OK\nContent-Length: {length}\n\n");
            is(&format!("{head}ab"), "HTTP/1.1 200\r\n\r\nab");
        }
    }

    #[test]
    fn bytes_that_are_no_response_stay_as_they_are() {
        for bytes in [
            "SSH-2.0-OpenSSH_9.2\r\n",
            "HTTP/9.9 200 OK\r\n\r\n",
            "HTTP/1.1 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n\u{0}",
            "HTTP/1.1 200 OK\r\nA: b",
            "{\"a\":1}",
        ] {
            is(bytes, bytes);
        }
        // The beginning says that it is none.
        let mut out = Vec::new();
        Repair::default().read(b"S", &mut out);
        assert_eq!(out, b"S");
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            parts in prop::collection::vec(prop::sample::select(vec![
                "HTTP/1.1 200 OK", "HTTP/1.0 404", "HTTP/1.1 100", "\r\n", "\n", "Content-Length: 3",
                "Transfer-Encoding: chunked", "Connection: close", "3", "0", ";", " ", "a:b", "abc", "\u{e9}",
            ]), 0..40),
            piece in 1_usize..9,
        ) {
            let bytes = parts.concat().into_bytes();
            prop_assert_eq!(repaired(&bytes, piece), repaired(&bytes, bytes.len().max(1)));
        }
    }
}
