//! Takes a stream of server-sent events apart into messages, as its bytes come in.

use std::collections::VecDeque;

/// The longest line, and the longest message, in bytes: what the server sends is far shorter.
const LONGEST: usize = 64 << 10;

/// A message, whole.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// Its kind; empty if it has none.
    pub(super) event: String,
    /// The position of the stream after it.
    pub(super) id: Option<String>,
    pub(super) data: String,
}

/// A line or a message is longer than any of Ferry's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MessageTooLongError;

/// The part of a stream that has arrived.
#[derive(Debug, Default)]
pub(super) struct Messages {
    line: Vec<u8>,
    started: Message,
    whole: VecDeque<Message>,
}

impl Messages {
    /// The next message that is whole, in their order.
    pub(super) fn next(&mut self) -> Option<Message> {
        self.whole.pop_front()
    }

    /// More bytes, cut anywhere.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), MessageTooLongError> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + part.len() + self.started.data.len() > LONGEST {
                return Err(MessageTooLongError);
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.read(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
            }
        }
        Ok(())
    }

    fn read(&mut self, line: &str) {
        if line.is_empty() {
            let message = std::mem::take(&mut self.started);
            if message != Message::default() {
                self.whole.push_back(message);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.started.event),
            "id" => self.started.id = Some(value.to_owned()),
            "data" => {
                if !self.started.data.is_empty() {
                    self.started.data.push('\n');
                }
                self.started.data.push_str(value);
            }
            // Comments, and what a later version may say.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&[u8]]) -> Vec<Message> {
        let mut messages = Messages::default();
        for part in parts {
            messages.push(part).unwrap();
        }
        std::iter::from_fn(|| messages.next()).collect()
    }

    #[test]
    fn messages_are_whole_wherever_the_stream_is_cut() {
        let text = b": hello\nretry: 1\nevent: ready\nid: 00ff00ff00ff00ff-7\ndata: {}\n\n\nid:00ff00ff00ff00ff-8\r\ndata:a\r\ndata: b\r\n\r\ndata: cut";
        let expected = [("ready", 7, "{}"), ("", 8, "a\nb")].map(|(event, id, data)| Message {
            event: event.to_owned(),
            id: Some(format!("00ff00ff00ff00ff-{id}")),
            data: data.to_owned(),
        });
        for cut in 0..text.len() {
            let (one, other) = text.split_at(cut);
            assert_eq!(read(&[one, other]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn what_never_ends_is_not_stored() {
        let mut messages = Messages::default();
        let endless = [b'x'; 1000];
        let taken = (0..1000).take_while(|_| messages.push(&endless).is_ok()).count();
        assert_eq!(taken, LONGEST / 1000, "one line");
        let mut messages = Messages::default();
        let taken = (0..100_000).take_while(|_| messages.push(b"data: xxxx\n").is_ok()).count();
        assert!(taken < LONGEST / 4, "one message of many lines: {taken}");
        assert_eq!(messages.push(b"event: x\n\n"), Err(MessageTooLongError));
    }
}
