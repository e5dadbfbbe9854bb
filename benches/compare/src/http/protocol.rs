//! What is said to a server, as bytes: to read a key, to write it, and to swap it; and what an answer says.

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Ours, and that of the route by hand.
    Documents,
    /// Redis: a hash for each key, with its revision and value, swapped by a script.
    Redis,
}

/// What a key was read as, or that a write was done or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With the revision, as it is written back.
    Read(String),
    /// The write was done.
    Done,
    /// The revision was another one.
    Refused,
}

/// As `EVAL` takes it, and Redis keeps it by its hash: the revision that is expected, and the value.
const SWAP: &str = "if redis.call('HGET', KEYS[1], 'r') ~= ARGV[1] then return 0 end \
                    redis.call('HSET', KEYS[1], 'r', ARGV[1] + 1, 'v', ARGV[2]) return 1";

impl Protocol {
    /// Asks for a key.
    #[must_use]
    pub fn get(self, key: &str) -> Vec<u8> {
        match self {
            Self::Documents => {
                format!("GET /v1/kv/{key} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
            }
            Self::Redis => command(&[b"HMGET", key.as_bytes(), b"r", b"v"]),
        }
    }

    /// Writes a key, whatever is there.
    #[must_use]
    pub fn put(self, key: &str, value: &[u8]) -> Vec<u8> {
        match self {
            Self::Documents => document(key, None, value),
            Self::Redis => command(&[b"HSET", key.as_bytes(), b"r", b"1", b"v", value]),
        }
    }

    /// Writes a key if it is still at this revision.
    #[must_use]
    pub fn swap(self, key: &str, revision: &str, value: &[u8]) -> Vec<u8> {
        match self {
            Self::Documents => document(key, Some(revision), value),
            Self::Redis => command(&[
                b"EVAL",
                SWAP.as_bytes(),
                b"1",
                key.as_bytes(),
                revision.as_bytes(),
                value,
            ]),
        }
    }

    /// The first answer in these bytes, and its length; `None` if it has not come to its end.
    ///
    /// # Panics
    /// If it is no answer to what is asked here: the figures would be of something else.
    #[must_use]
    pub fn answer(self, bytes: &[u8]) -> Option<(Answer, usize)> {
        if self == Self::Redis {
            return reply(bytes);
        }
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let head = response.parse(bytes).expect("HTTP");
        let httparse::Status::Complete(head) = head else { return None };
        let header = |name: &str| {
            let header =
                response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            header.map(|header| std::str::from_utf8(header.value).expect("text"))
        };
        let status = response.code.expect("it is complete");
        let length = match header("content-length") {
            Some(length) => length.parse().expect("a number"),
            None => {
                assert_eq!(status, 204, "an answer has a length");
                0
            }
        };
        let body = bytes.get(head..head + length)?;
        let answer = match (self, status) {
            (_, 200) => Answer::Read(header("etag").expect("a document has a tag").to_owned()),
            (Self::Documents, 201 | 204) => Answer::Done,
            (Self::Documents, 409) => Answer::Refused,
            _ => panic!("{status}: {}", String::from_utf8_lossy(body)),
        };
        Some((answer, head + length))
    }
}

fn document(key: &str, revision: Option<&str>, value: &[u8]) -> Vec<u8> {
    let condition = revision.map_or(String::new(), |tag| format!("If-Match: {tag}\r\n"));
    let mut request = format!(
        "PUT /v1/kv/{key} HTTP/1.1\r\nHost: localhost\r\n{condition}Content-Type: application/octet-stream\r\n\
         Content-Length: {}\r\n\r\n",
        value.len()
    )
    .into_bytes();
    request.extend(value);
    request
}

fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend(*word);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// A number, of fields that were new or of swaps that were done; or the revision and the value.
fn reply(bytes: &[u8]) -> Option<(Answer, usize)> {
    let (line, mut end) = line(bytes, 0)?;
    match line.split_at_checked(1)? {
        (":", "0") => Some((Answer::Refused, end)),
        (":", _) => Some((Answer::Done, end)),
        ("*", "2") => {
            let mut read = String::new();
            for _ in 0..2 {
                let (length, begin) = self::line(bytes, end)?;
                let length: usize = length.strip_prefix('$')?.parse().expect("the key is there");
                let word = bytes.get(begin..begin + length)?;
                if read.is_empty() {
                    read = String::from_utf8(word.to_vec()).expect("a number");
                }
                end = begin + length + 2;
            }
            (end <= bytes.len()).then_some((Answer::Read(read), end))
        }
        _ => panic!("{line}"),
    }
}

fn line(bytes: &[u8], begin: usize) -> Option<(&str, usize)> {
    let rest = bytes.get(begin..)?;
    let length = rest.windows(2).position(|pair| pair == b"\r\n")?;
    Some((std::str::from_utf8(&rest[..length]).expect("text"), begin + length + 2))
}

#[cfg(test)]
mod tests {
    use super::{Answer, Protocol};

    #[test]
    fn an_answer_is_taken_when_all_of_it_has_come() {
        let read = |revision: &str| Answer::Read(revision.to_owned());
        let cases: [(Protocol, &str, Answer); 6] = [
            (
                Protocol::Documents,
                "HTTP/1.1 200 OK\r\nETag: \"a.7\"\r\nContent-Length: 2\r\n\r\nvv",
                read("\"a.7\""),
            ),
            (Protocol::Documents, "HTTP/1.1 204 No Content\r\nETag: \"8\"\r\n\r\n", Answer::Done),
            (
                Protocol::Documents,
                "HTTP/1.1 409 Conflict\r\ncontent-length: 2\r\n\r\n{}",
                Answer::Refused,
            ),
            (Protocol::Redis, "*2\r\n$1\r\n7\r\n$3\r\nv\r\n\r\n", read("7")),
            (Protocol::Redis, ":1\r\n", Answer::Done),
            (Protocol::Redis, ":0\r\n", Answer::Refused),
        ];
        for (protocol, bytes, answer) in cases {
            let bytes = bytes.as_bytes();
            assert_eq!(protocol.answer(bytes), Some((answer, bytes.len())), "{protocol:?}");
            for end in 1..bytes.len() {
                assert_eq!(protocol.answer(&bytes[..end]), None, "{protocol:?} {end}");
            }
        }
    }
}
