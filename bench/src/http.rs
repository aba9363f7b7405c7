//! An HTTP/1.1 client that costs as little as a load generator on the servers' own cores should.
//!
//! One connection, kept alive, one request at a time. Requests are bytes made beforehand; of an answer only the status
//! line, `Content-Length` and `Connection` are read. That is all that RFC 9112 needs for the answers measured here:
//! anything else (chunked bodies, bytes after the body) is an error, never a guess.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The largest answer accepted, head and body together, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// Why a request has no usable answer.
#[derive(Debug)]
pub enum Failure {
    /// Connecting, sending or receiving failed; the connection is gone.
    Io(io::Error),
    /// Not HTTP/1.1 as this client understands it; the connection is gone.
    Malformed(&'static str),
    /// An answer, but not the one that counts as done.
    Refused { status: u16, body: String },
    /// The other side answered something that is not a failure and not the expected content either.
    Unexpected(String),
}

impl Failure {
    /// An answer with another status than expected. Keeps only the start of the body.
    pub fn refused(answer: &Answer<'_>) -> Self {
        Self::Refused { status: answer.status, body: excerpt(answer.body) }
    }

    /// The right status, but not the content that was asked for. Keeps only the start of the body.
    pub fn unexpected(answer: &Answer<'_>) -> Self {
        Self::Unexpected(excerpt(answer.body))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(cause) => write!(f, "{cause}"),
            Self::Malformed(what) => write!(f, "not understood: {what}"),
            Self::Refused { status, body } => write!(f, "{status} {body}"),
            Self::Unexpected(body) => write!(f, "unexpected answer: {body}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body.get(..120).unwrap_or(body)).into_owned()
}

/// An answer, borrowed from the connection that received it.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// The string value of `"name":"value"` in a compact JSON body, if it needs no unescaping.
    ///
    /// A scan instead of a parse: this runs once per token issued.
    pub fn json_str(&self, name: &str) -> Option<&str> {
        let mut rest = self.body;
        loop {
            let at = find(rest, name.as_bytes())?;
            let after = rest.get(at + name.len()..)?;
            let quoted = at > 0 && rest.get(at - 1) == Some(&b'"');
            if let (true, Some(value)) = (quoted, after.strip_prefix(b"\":\"")) {
                let value = value.get(..value.iter().position(|&b| b == b'"')?)?;
                let value = std::str::from_utf8(value).ok()?;
                return (!value.contains('\\')).then_some(value);
            }
            rest = after;
        }
    }

    /// Whether the body contains these bytes.
    pub fn contains(&self, bytes: &[u8]) -> bool {
        find(self.body, bytes).is_some()
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Where an answer's parts are in the bytes received.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    status: u16,
    body: std::ops::Range<usize>,
    /// The server will close the connection after this answer.
    last: bool,
}

/// Finds a complete answer at the start of `bytes`, or `None` if more bytes are needed.
fn frame(bytes: &[u8]) -> Result<Option<Frame>, Failure> {
    let mut lines = Lines { bytes, at: 0 };
    let Some(status_line) = lines.next() else {
        return Ok(None);
    };
    let status = match status_line {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', a, b, c, ..] => [a, b, c]
            .iter()
            .try_fold(0u16, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u16::from(**digit - b'0'))),
        _ => None,
    };
    let status = status.ok_or(Failure::Malformed("status line"))?;
    let (mut length, mut last) = (None, false);
    loop {
        let Some(line) = lines.next() else {
            return Ok(None);
        };
        if line.is_empty() {
            break;
        }
        if let Some(value) = header(line, b"content-length") {
            let value = std::str::from_utf8(value).ok().and_then(|text| text.parse::<usize>().ok());
            length = Some(value.ok_or(Failure::Malformed("Content-Length"))?);
        } else if let Some(value) = header(line, b"connection") {
            last = value.eq_ignore_ascii_case(b"close");
        } else if header(line, b"transfer-encoding").is_some() {
            return Err(Failure::Malformed("a chunked answer"));
        }
    }
    let length = match (length, status) {
        (Some(length), _) => length,
        (None, 204 | 304) => 0,
        (None, _) => return Err(Failure::Malformed("an answer without Content-Length")),
    };
    let end =
        lines.at.checked_add(length).filter(|end| *end <= MAX_ANSWER).ok_or(Failure::Malformed("answer too long"))?;
    Ok((bytes.len() >= end).then_some(Frame { status, body: lines.at..end, last }))
}

/// The value of the header line, trimmed, if it is the header `name` (lower case).
fn header<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    head.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// Lines that have arrived completely, without their ends.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let end = rest.iter().position(|&b| b == b'\n')?;
        self.at += end + 1;
        let line = rest.get(..end)?;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// One connection to one server. Opens itself again when it was closed.
pub struct Conn {
    addr: SocketAddr,
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

impl Conn {
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr, stream: None, received: Vec::with_capacity(4096) }
    }

    /// Opens the connection unless it is open, so that connecting is not part of the first request's time.
    pub async fn open(&mut self) -> io::Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.addr).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Sends one request and waits for its answer. Never retries: a failure is the caller's to count.
    ///
    /// Dropping the future before it is done leaves the connection closed, so that a late answer is never taken for the
    /// answer to another request.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>, Failure> {
        self.open().await?;
        let Some(mut stream) = self.stream.take() else {
            return Err(Failure::Malformed("no connection"));
        };
        stream.write_all(request).await?;
        self.received.clear();
        loop {
            if stream.read_buf(&mut self.received).await? == 0 {
                return Err(Failure::Io(io::ErrorKind::UnexpectedEof.into()));
            }
            if let Some(Frame { status, body, last }) = frame(&self.received)? {
                if self.received.len() != body.end {
                    return Err(Failure::Malformed("bytes after the answer"));
                }
                if !last {
                    self.stream = Some(stream);
                }
                return Ok(Answer { status, body: self.received.get(body).unwrap_or_default() });
            }
            if self.received.len() > MAX_ANSWER {
                return Err(Failure::Malformed("answer too long"));
            }
        }
    }
}

/// The bytes of a request. `headers` are whole lines without their ends.
pub fn request(method: &str, path: &str, host: SocketAddr, headers: &[&str], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
    for line in headers {
        text.push_str(line);
        text.push_str("\r\n");
    }
    if method != "GET" {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nDate: x\r\ncontent-length: 5\r\n\r\nhello";

    /// A server that answers the n-th request with the n-th of `answers`, in pieces of `piece` bytes, whatever is asked.
    /// A connection is closed after an answer that says so.
    async fn server(answers: Vec<&'static [u8]>, piece: usize) -> (SocketAddr, tokio::task::JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let (mut connections, mut answers) = (0, answers.into_iter());
            let mut next = answers.next();
            while next.is_some() {
                let (mut stream, _) = listener.accept().await.unwrap();
                connections += 1;
                while let Some(answer) = next {
                    let mut buffer = [0; 1024];
                    if stream.read(&mut buffer).await.unwrap() == 0 {
                        break; // the client left; the same answer goes to its next connection
                    }
                    for part in answer.chunks(piece) {
                        stream.write_all(part).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                    next = answers.next();
                    if find(answer, b"Connection: close").is_some() {
                        break;
                    }
                }
            }
            connections
        });
        (addr, task)
    }

    #[test]
    fn an_answer_is_complete_at_its_last_byte_and_not_before() {
        for cut in 0..OK.len() {
            assert_eq!(frame(&OK[..cut]).unwrap(), None, "cut at {cut}");
        }
        assert_eq!(frame(OK).unwrap(), Some(Frame { status: 200, body: OK.len() - 5..OK.len(), last: false }));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for bytes in [
            &b"HTTP/2 200\r\n"[..],
            b"HTTP/1.1 2x0 OK\r\n",
            b"220 smtp.example ESMTP\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
        ] {
            assert!(frame(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
        let empty = frame(b"HTTP/1.1 204 No Content\r\nConnection: Close\r\n\r\n").unwrap().unwrap();
        assert!(empty.body.is_empty() && empty.last);
    }

    #[test]
    fn json_strings_are_found_by_their_whole_name() {
        let body = br#"{"x_access_token":"no","token":"access_token","access_token":"t0k-en_","scope":""}"#;
        let answer = Answer { status: 200, body };
        assert_eq!(answer.json_str("access_token"), Some("t0k-en_"));
        assert_eq!(answer.json_str("scope"), Some(""));
        assert_eq!(answer.json_str("absent"), None);
        assert_eq!(Answer { status: 200, body: br#"{"a":"x\"y"}"# }.json_str("a"), None);
        assert_eq!(Answer { status: 200, body: br#"{"a":"unfinished"# }.json_str("a"), None);
    }

    #[tokio::test]
    async fn one_connection_serves_many_requests_until_the_server_closes_it() {
        let closing = b"HTTP/1.1 503 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
        for piece in [1, 7, 4096] {
            let (addr, server) = server(vec![OK, OK, closing, OK], piece).await;
            let mut conn = Conn::new(addr);
            let mut seen = Vec::new();
            for _ in 0..4 {
                let answer = conn.send(b"x").await.unwrap();
                seen.push((answer.status, answer.body.to_vec()));
            }
            let hello = (200, b"hello".to_vec());
            assert_eq!(seen, [hello.clone(), hello.clone(), (503, b"no".to_vec()), hello]);
            assert_eq!(server.await.unwrap(), 2, "connections");
        }
    }

    #[tokio::test]
    async fn a_surplus_byte_fails_the_request_and_the_next_one_starts_clean() {
        let surplus = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab";
        let (addr, server) = server(vec![surplus, OK], 4096).await;
        let mut conn = Conn::new(addr);
        assert!(matches!(conn.send(b"x").await, Err(Failure::Malformed(_))));
        assert_eq!(conn.send(b"x").await.unwrap().body, b"hello");
        assert_eq!(server.await.unwrap(), 2, "connections");
    }

    #[tokio::test]
    async fn an_abandoned_request_does_not_leave_its_answer_to_the_next() {
        let late = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate";
        let (addr, server) = server(vec![late, OK], 4096).await;
        let mut conn = Conn::new(addr);
        conn.open().await.unwrap();
        // Polled once, so that the request is under way, then dropped.
        tokio::select! {
            biased;
            _ = conn.send(b"x") => panic!("answered before the server ran"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(conn.send(b"x").await.unwrap().body, b"hello");
        drop(server);
    }

    #[test]
    fn a_request_is_what_rfc_9112_says() {
        let host = "127.0.0.1:80".parse().unwrap();
        assert_eq!(
            request("POST", "/a", host, &["X: y"], "b=c"),
            b"POST /a HTTP/1.1\r\nHost: 127.0.0.1:80\r\nX: y\r\nContent-Length: 3\r\n\r\nb=c"
        );
        assert_eq!(request("GET", "/a", host, &[], ""), b"GET /a HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n");
    }
}
