//! HTTP for commands: one connection, one request at a time, plain or TLS. What the administrator's session travels over.
//!
//! | RFC 9112 | it says                                   | here            |
//! |----------|-------------------------------------------|-----------------|
//! | §3       | request line, `Host`                      | [`Http::send`]  |
//! | §4, §5   | status line, fields                       | `Answer::head`  |
//! | §6, §7   | `Content-Length`, chunked, until the end  | `body`          |
//! | §9.3     | connections are used again                | [`Http::send`]  |
//!
//! An answer is bounded: 64 KiB of head, 64 MiB of body.

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::ServerName;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{IpAddr, TcpStream, ToSocketAddrs},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

const MAX_HEAD: usize = 64 << 10;
const MAX_BODY: usize = 64 << 20;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where systems keep the certificates that everybody trusts.
const SYSTEM_ROOTS: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Whom to trust, and how to prove who we are.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// PEM of CAs instead of the system's.
    pub ca: Option<PathBuf>,
    /// PEM of a client certificate and its key.
    pub own: Option<(PathBuf, PathBuf)>,
    /// Whether plain HTTP may leave this machine.
    pub plaintext: bool,
}

/// A server.
pub struct Http {
    secure: Option<Arc<ClientConfig>>,
    host: String,
    port: u16,
    open: Option<Box<dyn Connection>>,
}

trait Connection: BufRead + Write {}

struct Wire<S: Read>(BufReader<S>);

impl<S: Read> Read for Wire<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<S: Read> BufRead for Wire<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}

impl<S: Read + Write> Write for Wire<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}

impl<S: Read + Write> Connection for Wire<S> {}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

fn broken(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// `scheme://host[:port]` → whether secure, host, port.
fn taken_apart(base: &str) -> io::Result<(bool, String, u16)> {
    let wrong = || broken(format!("`{base}` is not http://HOST[:PORT] or https://HOST[:PORT]"));
    let url = reqwest::Url::parse(base).map_err(|_| wrong())?;
    let secure = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(wrong()),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(broken("a URL with a password in it would be seen in the list of processes"));
    }
    let host = url.host_str().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
    Ok((secure, host, url.port_or_known_default().ok_or_else(wrong)?))
}

fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Http {
    /// For the server at `base`; nothing is sent yet.
    ///
    /// # Errors
    /// A URL that is none, files that cannot be used, or plain HTTP to another machine that was not allowed.
    pub fn new(base: &str, trust: &Trust) -> io::Result<Self> {
        let (secure, host, port) = taken_apart(base)?;
        if !secure && !trust.plaintext && !is_here(&host) {
            return Err(broken(
                "plain HTTP to another machine would show the administrator's password: use https, or --plaintext",
            ));
        }
        let secure = if secure { Some(Arc::new(client_config(trust)?)) } else { None };
        Ok(Self { secure, host, port, open: None })
    }

    fn connect(&self) -> io::Result<Box<dyn Connection>> {
        let mut last = broken("no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(TIMEOUT))?;
                    stream.set_write_timeout(Some(TIMEOUT))?;
                    stream.set_nodelay(true)?;
                    return match &self.secure {
                        None => Ok(Box::new(Wire(BufReader::new(stream)))),
                        Some(config) => {
                            let name =
                                ServerName::try_from(self.host.clone()).map_err(|error| broken(error.to_string()))?;
                            let session = ClientConnection::new(config.clone(), name)
                                .map_err(|error| broken(error.to_string()))?;
                            Ok(Box::new(Wire(BufReader::new(StreamOwned::new(session, stream)))))
                        }
                    };
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sends a request and waits for the answer. A connection that the server closed meanwhile is opened anew, once.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> io::Result<Answer> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.authority());
        for (name, value) in headers {
            if value.contains(['\r', '\n', '\0']) || name.contains(['\r', '\n', ':']) {
                return Err(broken(format!("header {name} would be several")));
            }
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.map_or(0, <[u8]>::len)));
        let used = self.open.is_some();
        let mut connection = match self.open.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let message = [head.as_bytes(), body.unwrap_or_default()].concat();
        let sent = connection.write_all(&message).and_then(|()| connection.flush());
        let first = sent.and_then(|()| connection.fill_buf().map(|bytes| !bytes.is_empty()));
        match first {
            Ok(true) => {}
            // Not a byte came back on a connection that had been idle: the request was not taken.
            _ if used => return self.send(method, target, headers, body),
            Ok(false) => return Err(broken("the server closed the connection")),
            Err(error) => return Err(error),
        }
        let (answer, keep) = read(&mut *connection)?;
        if keep {
            self.open = Some(connection);
        }
        Ok(answer)
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{host}:{}", self.port)
    }
}

fn client_config(trust: &Trust) -> io::Result<ClientConfig> {
    // One provider for the whole process; a second installation is the same one again.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let mut roots = RootCertStore::empty();
    let of_system = || SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned);
    let file = trust
        .ca
        .clone()
        .or_else(of_system)
        .ok_or_else(|| broken("no CA certificates on this system: name one with --ca"))?;
    for certificate in crate::config::tls::certificates(&file)? {
        // A system's bundle may hold one that nobody can use any more.
        if let Err(error) = roots.add(certificate)
            && trust.ca.is_some()
        {
            return Err(broken(error.to_string()));
        }
    }
    let builder = ClientConfig::builder().with_root_certificates(roots);
    match &trust.own {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                crate::config::tls::certificates(certificate)?,
                crate::config::tls::private_key(key)?,
            )
            .map_err(|error| broken(error.to_string())),
    }
}

/// A line of the head, without its end.
fn line(connection: &mut dyn Connection, left: &mut usize) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut limited = (&mut *connection).take(*left as u64);
    limited.read_until(b'\n', &mut bytes)?;
    *left = left.saturating_sub(bytes.len());
    if bytes.pop() != Some(b'\n') {
        return Err(broken("an answer without an end to its head"));
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    String::from_utf8(bytes).map_err(|_| broken("an answer whose head is no text"))
}

/// The answer, and whether the connection can be used again.
fn read(connection: &mut dyn Connection) -> io::Result<(Answer, bool)> {
    let mut left = MAX_HEAD;
    let status = line(connection, &mut left)?;
    let status = status.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok());
    let status: u16 = status.ok_or_else(|| broken("the answer is not HTTP"))?;
    let (mut length, mut chunked, mut keep) = (None, false, true);
    loop {
        let field = line(connection, &mut left)?;
        if field.is_empty() {
            break;
        }
        let (name, value) = field.split_once(':').ok_or_else(|| broken("a field without a name"))?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.parse::<usize>().map_err(|_| broken("a wrong Content-Length"))?),
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => keep = !value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let body = match (status, chunked, length) {
        (204 | 304, ..) => Vec::new(),
        (_, true, _) => chunks(connection)?,
        (_, false, Some(length)) => exactly(connection, length)?,
        (_, false, None) => {
            keep = false;
            let mut body = Vec::new();
            connection.take(MAX_BODY as u64).read_to_end(&mut body)?;
            body
        }
    };
    Ok((Answer { status, body }, keep))
}

fn exactly(connection: &mut dyn Connection, length: usize) -> io::Result<Vec<u8>> {
    if length > MAX_BODY {
        return Err(broken("the answer is too large"));
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok(body)
}

fn chunks(connection: &mut dyn Connection) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut left = MAX_HEAD;
        let size = line(connection, &mut left)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| broken("a wrong chunk"))?;
        if size == 0 {
            while !line(connection, &mut left)?.is_empty() {}
            return Ok(body);
        }
        if body.len().saturating_add(size) > MAX_BODY {
            return Err(broken("the answer is too large"));
        }
        body.append(&mut exactly(connection, size)?);
        line(connection, &mut left)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    /// A server that gives each connection some of the answers, and what it was asked.
    fn server(connections: Vec<Vec<&'static str>>) -> (String, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let serve = move || {
            let mut heard = Vec::new();
            for answers in connections {
                let (stream, _) = listener.accept().expect("a client");
                let mut stream = Wire(BufReader::new(stream));
                for answer in answers {
                    let (mut left, mut length) = (MAX_HEAD, 0);
                    heard.push(line(&mut stream, &mut left).expect("a request"));
                    loop {
                        let field = line(&mut stream, &mut left).expect("a field");
                        if let Some(value) = field.strip_prefix("Content-Length: ") {
                            length = value.parse().expect("a number");
                        }
                        if field.is_empty() {
                            break;
                        }
                    }
                    exactly(&mut stream, length).expect("a body");
                    stream.write_all(answer.as_bytes()).expect("sent");
                }
            }
            heard
        };
        (base, thread::spawn(serve))
    }

    #[test]
    fn answers_of_all_shapes_on_connections_that_live_and_die() {
        let (base, heard) = server(vec![
            vec![
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
                "HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n",
                "HTTP/1.1 204 No Content\r\n\r\n",
            ],
            vec!["HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end"],
            vec!["nonsense\r\n\r\n"],
        ]);
        let mut http = Http::new(&base, &Trust::default()).expect("a client");
        let mut ask = |path: &str| http.send("POST", path, &[("A", "b")], Some(b"body"));
        let text = |answer: io::Result<Answer>| {
            let answer = answer.expect("an answer");
            (answer.status, String::from_utf8(answer.body).expect("text"))
        };
        assert_eq!(text(ask("/1")), (200, "hi".into()));
        assert_eq!(text(ask("/2")), (404, "abcde".into()));
        assert_eq!(text(ask("/3")), (204, String::new()));
        assert_eq!(text(ask("/4")), (200, "to the end".into()));
        assert!(ask("/5").is_err());
        let heard = heard.join().expect("ends");
        assert_eq!(heard, ["/1", "/2", "/3", "/4", "/5"].map(|path| format!("POST {path} HTTP/1.1")));
        assert!(http.send("GET", "/", &[("A", "b\r\nC: d")], None).is_err(), "one header stays one");
    }

    #[test]
    fn passwords_stay_on_this_machine_or_are_encrypted() {
        let plain = Trust { plaintext: true, ..Trust::default() };
        for (base, trust, fine) in [
            ("http://127.0.0.1:8080", &Trust::default(), true),
            ("http://localhost:8080", &Trust::default(), true),
            ("http://[::1]:8080", &Trust::default(), true),
            ("http://am.example.com", &Trust::default(), false),
            ("http://am.example.com", &plain, true),
            ("http://u:p@localhost", &plain, false),
            ("ftp://localhost", &plain, false),
            ("localhost:8080", &plain, false),
        ] {
            assert_eq!(Http::new(base, trust).is_ok(), fine, "{base}");
        }
    }
}
