//! An administrator's session on a running node, for commands that configure it over REST.
//!
//! The password comes from a file, from `QUORATE_ADMIN_PASSWORD`, or is asked for: never from the command line, which
//! everybody on the machine can read. The session is ended when the command is.

pub mod http;

use clap::Args;
use http::{Http, Trust};
use serde_json::{Value, json};
use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

/// How to reach a node, and as whom.
#[derive(Clone, Debug, Args)]
pub struct Admin {
    /// Where the service is, context path included
    #[arg(long, value_name = "URL", env = "QUORATE_URL", default_value = "http://127.0.0.1:8080/am")]
    pub url: String,
    /// Administrator to log in as, in the top-level realm
    #[arg(long, value_name = "NAME", default_value = "amAdmin")]
    pub user: String,
    /// File with the password, `-` for standard input [default: QUORATE_ADMIN_PASSWORD, or it is asked for]
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// PEM file with CAs to trust instead of the system's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// PEM file with a client certificate
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// PEM file with its key
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Allow plain HTTP to another machine
    #[arg(long)]
    pub plaintext: bool,
}

/// Why nothing could be asked.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The server did not answer.
    #[error("{url}: {source}")]
    NoAnswer {
        /// Whom we asked.
        url: String,
        /// What came of it.
        source: io::Error,
    },
    /// The password could not be read.
    #[error("the password cannot be read: {0}")]
    Password(io::Error),
    /// The server does not let us in.
    #[error("{user} cannot log in at {url}: {status} {message}")]
    Refused {
        /// As whom.
        user: String,
        /// Where.
        url: String,
        /// Status.
        status: u16,
        /// What the server says.
        message: String,
    },
    /// What answers is none of ours.
    #[error("{0} is no such service")]
    Stranger(String),
}

/// An answer with its JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The JSON, or nothing.
    pub json: Value,
}

impl Reply {
    /// Whether what was asked was done.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What the server says about a failure.
    pub fn message(&self) -> String {
        let message = self.json.get("message").and_then(Value::as_str).unwrap_or("no explanation");
        format!("{} {message}", self.status)
    }

    /// Whether there is no such endpoint, as opposed to no such object.
    pub fn has_no_endpoint(&self) -> bool {
        let message = self.json.get("message").and_then(Value::as_str).unwrap_or_default();
        self.status == 501
            || (self.status == 404 && message.starts_with("Resource '") && message.ends_with("not found"))
    }
}

/// A session. Ends when dropped.
pub struct Session {
    http: Http,
    base: String,
    context: String,
    cookie: String,
    token: String,
}

impl Session {
    /// Logs in.
    ///
    /// # Errors
    /// [`Unreachable`].
    pub fn start(admin: &Admin) -> Result<Self, Unreachable> {
        let Admin { url, user, ca, cert, key, plaintext, .. } = admin;
        let url = url.trim_end_matches('/').to_owned();
        let silent = |source| Unreachable::NoAnswer { url: url.clone(), source };
        let own = cert.clone().zip(key.clone());
        let http = Http::new(&url, &Trust { ca: ca.clone(), own, plaintext: *plaintext }).map_err(silent)?;
        let authority = url.find("://").map_or(0, |at| at + 3);
        let path = url.get(authority..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| at + authority);
        let (base, context) = url.split_at(path);
        let mut session = Self {
            http,
            base: base.to_owned(),
            context: context.to_owned(),
            cookie: String::new(),
            token: String::new(),
        };
        let info = session.ask("GET", "/json/serverinfo/*", &[("Accept-API-Version", "resource=1.1")], None)?;
        let cookie = info.json.get("cookieName").and_then(Value::as_str).ok_or(Unreachable::Stranger(url.clone()))?;
        session.cookie = cookie.to_owned();
        let password = password(admin).map_err(Unreachable::Password)?;
        let headers = [
            ("X-OpenAM-Username", user.as_str()),
            ("X-OpenAM-Password", password.as_str()),
            ("Accept-API-Version", "protocol=1.0,resource=2.0"),
        ];
        let login = session.ask("POST", "/json/realms/root/authenticate", &headers, Some(&json!({})))?;
        match login.json.get("tokenId").and_then(Value::as_str).filter(|token| !token.is_empty()) {
            Some(token) => session.token = token.to_owned(),
            None => {
                let message = login.message();
                return Err(Unreachable::Refused { user: user.clone(), url, status: login.status, message });
            }
        }
        Ok(session)
    }

    /// Where the service is.
    pub fn url(&self) -> String {
        format!("{}{}", self.base, self.context)
    }

    fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Reply, Unreachable> {
        let body = body.map(|body| body.to_string().into_bytes());
        let mut all = headers.to_vec();
        if body.is_some() {
            all.push(("Content-Type", "application/json"));
        }
        let target = format!("{}{path}", self.context);
        let answer = self.http.send(method, &target, &all, body.as_deref());
        let answer = answer.map_err(|source| Unreachable::NoAnswer { url: self.base.clone(), source })?;
        Ok(Reply { status: answer.status, json: serde_json::from_slice(&answer.body).unwrap_or_default() })
    }

    /// A request as the administrator; `path` below `/json`.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        version: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Unreachable> {
        let (cookie, token) = (self.cookie.clone(), self.token.clone());
        let headers =
            [(cookie.as_str(), token.as_str()), ("Accept-API-Version", version), ("X-Requested-With", "quorate")];
        self.ask(method, &format!("/json{path}"), &headers, body)
    }

    /// Whether `secret` is the secret of an OAuth 2.0 client, as the service itself tells.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn knows_client(&mut self, realm: &str, id: &str, secret: &str) -> Result<bool, Unreachable> {
        let field = |text: &str| crate::crest::percent::encode(text);
        let form = format!("token=none&client_id={}&client_secret={}", field(id), field(secret));
        let target = format!("{}/oauth2{}/introspect", self.context, crate::cli::transfer::realm_path(realm));
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let answer = self.http.send("POST", &target, &headers, Some(form.as_bytes()));
        Ok(answer.map_err(|source| Unreachable::NoAnswer { url: self.base.clone(), source })?.status == 200)
    }

    /// Whether `password` is that of a user or an agent: a login of `service` that starts no session.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn knows_password(
        &mut self,
        realm: &str,
        service: &str,
        name: &str,
        password: &str,
    ) -> Result<bool, Unreachable> {
        let is_header = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !is_header(name) || !is_header(password) {
            return Ok(false); // Then it is written again, which changes nothing.
        }
        let realm = crate::cli::transfer::realm_path(realm);
        let query = format!("noSession=true&authIndexType=service&authIndexValue={service}");
        let headers = [
            ("X-OpenAM-Username", name),
            ("X-OpenAM-Password", password),
            ("Accept-API-Version", "protocol=1.0,resource=2.0"),
        ];
        let reply = self.ask("POST", &format!("/json{realm}/authenticate?{query}"), &headers, Some(&json!({})))?;
        Ok(reply.is_ok())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.token.is_empty() {
            // A session that could not be ended ends by itself.
            drop(self.send("POST", "/realms/root/sessions?_action=logout", "resource=2.0", Some(&json!({}))));
        }
    }
}

fn password(admin: &Admin) -> io::Result<String> {
    let text = match &admin.password_file {
        Some(file) if file.as_os_str() == "-" => io::read_to_string(io::stdin())?,
        Some(file) => fs::read_to_string(file)?,
        None => match std::env::var("QUORATE_ADMIN_PASSWORD") {
            Ok(password) => password,
            Err(_) => prompt(&admin.user)?,
        },
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// Asks on the terminal, which does not show what is typed.
fn prompt(user: &str) -> io::Result<String> {
    let nobody = || io::Error::other("nobody can be asked: set QUORATE_ADMIN_PASSWORD or --password-file");
    if !io::stdin().is_terminal() {
        return Err(nobody());
    }
    let echo = |word: &str| Command::new("stty").arg(word).stdin(Stdio::inherit()).status();
    if !echo("-echo")?.success() {
        return Err(nobody());
    }
    let mut text = String::new();
    let read = write!(io::stderr(), "password of {user}: ")
        .and_then(|()| io::stderr().flush())
        .and_then(|()| io::stdin().read_line(&mut text));
    echo("echo")?;
    eprintln!();
    read.map(|_| text)
}
