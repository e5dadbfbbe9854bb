//! A decoder of server-sent events (WHATWG HTML, 9.2.6), with all sizes bounded.
//!
//! It takes bytes as they come, cut anywhere, and gives whole messages. Of the standard it deviates where that would
//! hide damage: bytes that are not UTF-8 are an error, not replaced.

use std::time::Duration;

/// A message: what stood between two blank lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// What `event:` said; empty if nothing did.
    pub(super) event: String,
    /// The last `id:` of the stream, so far.
    pub(super) id: Option<String>,
    /// The lines of `data:`, joined; `None` if there were none.
    pub(super) data: Option<String>,
}

/// What is not a stream of events that we take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a message of the stream has more than {max} bytes")]
    TooLarge { max: usize },
    #[error("the stream is not UTF-8")]
    NotUtf8,
}

/// The state between two chunks.
#[derive(Debug)]
pub(super) struct Decoder {
    max: usize,
    /// The line that has not ended.
    line: Vec<u8>,
    /// The bytes of the message's lines that have ended.
    bytes: usize,
    started: bool,
    after_return: bool,
    event: String,
    data: Option<String>,
    id: Option<String>,
    retry: Option<Duration>,
    ready: Vec<Message>,
}

impl Decoder {
    /// A decoder of messages of at most `max` bytes, all their lines counted.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            line: Vec::new(),
            bytes: 0,
            started: false,
            after_return: false,
            event: String::new(),
            data: None,
            id: None,
            retry: None,
            ready: Vec::new(),
        }
    }

    /// Takes the next bytes, and returns the messages that end in them, oldest first. What has not ended when the
    /// stream ends is no message.
    ///
    /// # Errors
    /// [`Malformed`]; the stream is of no use after that.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Message>, Malformed> {
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => self.end_line()?,
                _ => {
                    if self.bytes + self.line.len() >= self.max {
                        return Err(Malformed::TooLarge { max: self.max });
                    }
                    self.line.push(byte);
                }
            }
        }
        Ok(std::mem::take(&mut self.ready))
    }

    /// What the stream said last about how long to wait before a reconnection.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    fn end_line(&mut self) -> Result<(), Malformed> {
        let line = std::mem::take(&mut self.line);
        let mut text = std::str::from_utf8(&line).map_err(|_| Malformed::NotUtf8)?;
        if !std::mem::replace(&mut self.started, true) {
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        if text.is_empty() {
            self.end_message();
        } else if !text.starts_with(':') {
            // A comment does not count, so that a quiet stream may be kept alive forever.
            self.bytes += line.len();
            self.field(text);
        }
        // The room is kept for the next line.
        self.line = line;
        self.line.clear();
        Ok(())
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.event),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry);
            }
            _ => {}
        }
    }

    fn end_message(&mut self) {
        if std::mem::take(&mut self.bytes) == 0 {
            return;
        }
        let event = std::mem::take(&mut self.event);
        self.ready.push(Message { event, id: self.id.clone(), data: self.data.take() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: &str, id: Option<&str>, data: Option<&str>) -> Message {
        Message {
            event: event.to_owned(),
            id: id.map(str::to_owned),
            data: data.map(str::to_owned),
        }
    }

    fn all(stream: &[u8]) -> Vec<Message> {
        Decoder::new(1_000).feed(stream).unwrap()
    }

    #[test]
    fn each_field_means_what_the_standard_says() {
        let cases: [(&str, Vec<Message>); 11] = [
            ("id: 7\nevent: commit\ndata: x\n\n", vec![message("commit", Some("7"), Some("x"))]),
            ("data:x\ndata: y\ndata\n\n", vec![message("", None, Some("x\ny\n"))]),
            ("\u{feff}data: x\n\n", vec![message("", None, Some("x"))]),
            ("data:  x: y\n\n", vec![message("", None, Some(" x: y"))]),
            (": a comment\n\n:\n\n\n", vec![]),
            ("data: x\n", vec![]),
            (
                "data: x\r\rdata: y\r\n\r\n",
                vec![message("", None, Some("x")), message("", None, Some("y"))],
            ),
            (
                "id: 1\n\ndata: x\n\n",
                vec![message("", Some("1"), None), message("", Some("1"), Some("x"))],
            ),
            ("id: a\0b\ndata: x\n\n", vec![message("", None, Some("x"))]),
            (
                "id: 1\ndata: x\n\nid\ndata: y\n\n",
                vec![message("", Some("1"), Some("x")), message("", Some(""), Some("y"))],
            ),
            ("unknown: 1\nDATA: x\n\n", vec![message("", None, None)]),
        ];
        for (stream, expected) in cases {
            assert_eq!(all(stream.as_bytes()), expected, "{stream:?}");
        }
    }

    #[test]
    fn where_the_stream_is_cut_does_not_matter() {
        let stream = "\u{feff}id: 7\r\nevent: commit\r\ndata: \u{20ac}\r\n\r\n: ping\n\ndata: z\r\rid: 8\ndata: y\n\n";
        let whole = all(stream.as_bytes());
        assert_eq!(whole.len(), 3);
        for size in 1..stream.len() {
            let mut decoder = Decoder::new(1_000);
            let pieces = stream.as_bytes().chunks(size);
            let messages: Vec<_> = pieces.flat_map(|piece| decoder.feed(piece).unwrap()).collect();
            assert_eq!(messages, whole, "in pieces of {size}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_alike_however_they_are_cut(
            pieces in proptest::collection::vec("[\r\n: a]{0,3}|data: ?|id|event:c|\\PC|\u{feff}", 0..40),
            size in 1_usize..20,
        ) {
            let stream = pieces.concat();
            let whole = Decoder::new(60).feed(stream.as_bytes());
            let mut decoder = Decoder::new(60);
            let cut: Result<Vec<_>, _> =
                stream.as_bytes().chunks(size).map(|piece| decoder.feed(piece)).collect();
            proptest::prop_assert_eq!(whole, cut.map(|messages| messages.concat()));
        }
    }

    #[test]
    fn a_message_is_bounded_exactly_and_comments_do_not_add_up() {
        let mut decoder = Decoder::new(10);
        assert_eq!(decoder.feed(b"data:12345\n\n").unwrap().len(), 1);
        assert_eq!(decoder.feed(b"data:123456"), Err(Malformed::TooLarge { max: 10 }));
        let mut decoder = Decoder::new(10);
        assert_eq!(decoder.feed(b"data:\ndata:\nid"), Err(Malformed::TooLarge { max: 10 }));
        let mut decoder = Decoder::new(10);
        for _ in 0..1_000 {
            assert_eq!(decoder.feed(b": alive\n").unwrap(), []);
        }
        assert_eq!(decoder.feed(&[b'x'; 11]), Err(Malformed::TooLarge { max: 10 }));
    }

    #[test]
    fn what_is_not_utf_8_is_an_error_and_a_retry_is_read() {
        assert_eq!(Decoder::new(100).feed(b"data: \xff\n"), Err(Malformed::NotUtf8));
        let mut decoder = Decoder::new(100);
        decoder.feed(b"retry: 1500\nretry: x\nretry:\nretry: 99999999999999999999999\n\n").unwrap();
        assert_eq!(decoder.retry(), Some(Duration::from_millis(1_500)));
    }
}
