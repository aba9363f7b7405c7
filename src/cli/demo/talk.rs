//! Requests shown as curl lines that can be pasted, answers with their timing, and checks. Secrets
//! are shown by name: `$API1_SECRET`.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use serde_json::Value;

use super::Broken;

/// Prints a line. When nobody reads any more (`quorate demo | head`), the demo goes on unseen.
macro_rules! line {
    ($($text:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

/// A request that takes longer counts as not answered.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Between two tries of a patient call.
const TRY_AGAIN: Duration = Duration::from_millis(10);
/// Longest line shown of an answer that is not the point of its step, characters.
const BRIEF: usize = 160;

/// A request.
#[derive(Clone)]
pub(super) struct Call {
    method: Method,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Body,
    keep: Option<(Kept, &'static str)>,
    brief: bool,
    patience: Duration,
}

#[derive(Clone)]
enum Body {
    None,
    Form(Vec<(&'static str, String)>),
    Json(Value),
}

/// What to remember of an answer as a secret.
#[derive(Clone, Copy)]
pub(super) enum Kept {
    /// A member of its JSON.
    Member(&'static str),
    /// A parameter of its `Location`.
    Query(&'static str),
}

impl Call {
    pub(super) fn new(method: Method, url: String) -> Self {
        Self { method, url, headers: Vec::new(), body: Body::None, keep: None, brief: false, patience: Duration::ZERO }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn json(mut self, body: Value) -> Self {
        self.body = Body::Json(body);
        self
    }

    pub(super) fn form<const N: usize>(mut self, fields: [(&'static str, &str); N]) -> Self {
        self.body = Body::Form(fields.map(|(name, value)| (name, value.to_owned())).into());
        self
    }

    /// Remembers a part of the answer under a name, shown as `$name` from then on.
    pub(super) fn keep(mut self, part: Kept, name: &'static str) -> Self {
        self.keep = Some((part, name));
        self
    }

    /// Asks again, for so long, while the answer is 503 or none.
    pub(super) fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Shows one line of the answer only.
    pub(super) fn brief(mut self) -> Self {
        self.brief = true;
        self
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `Null` if the body is no JSON.
    pub(super) body: Value,
    pub(super) location: Option<String>,
    took: Duration,
}

impl Answer {
    /// A member of the JSON that is a string.
    pub(super) fn text(&self, member: &str) -> Option<&str> {
        self.body.get(member).and_then(Value::as_str)
    }

    pub(super) fn member(&self, name: &str) -> Value {
        self.body.get(name).cloned().unwrap_or_default()
    }

    fn kept(&self, part: Kept) -> Option<String> {
        let found = match part {
            Kept::Member(name) => self.text(name).map(str::to_owned),
            Kept::Query(name) => {
                let url = reqwest::Url::parse(self.location.as_deref()?).ok()?;
                url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
            }
        };
        found.filter(|value| !value.is_empty())
    }
}

/// The screen, the HTTP client and the count of checks.
pub(super) struct Talk {
    client: reqwest::Client,
    colour: bool,
    secrets: Vec<(&'static str, String)>,
    held: u32,
    failed: u32,
}

impl Talk {
    pub(super) fn new() -> Result<Self, Broken> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(1))
            .timeout(TIMEOUT)
            .build()
            .map_err(|cause| Broken::Request { request: "HTTP client".into(), cause })?;
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Ok(Self { client, colour, secrets: Vec::new(), held: 0, failed: 0 })
    }

    /// From now on `value` is shown as `$name`.
    pub(super) fn hide(&mut self, name: &'static str, value: &str) {
        self.secrets.retain(|(known, _)| *known != name);
        self.secrets.push((name, value.to_owned()));
        // Longest first: a value that contains another one is replaced as a whole.
        self.secrets.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    }

    /// A value that [`Call::keep`] remembered.
    pub(super) fn kept(&self, name: &str) -> Result<String, Broken> {
        let found = self.secrets.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone()).ok_or_else(|| Broken::Step(format!("no answer gave ${name}")))
    }

    /// What a shell needs to repeat the lines shown.
    pub(super) fn exports(&self) -> String {
        let lines: Vec<String> =
            self.secrets.iter().map(|(name, value)| format!("{name}={}", single_quoted(value))).collect();
        lines.join("\n")
    }

    /// Shows a request, sends it, shows the answer.
    pub(super) async fn send(&mut self, call: Call) -> Result<Answer, Broken> {
        line!("\n{}", self.curl(&call));
        let (answer, in_vain) = self.ask(&call).await?;
        if let Some((part, name)) = call.keep
            && let Some(value) = answer.kept(part)
        {
            self.hide(name, &value);
        }
        self.show(&answer, in_vain, call.brief);
        Ok(answer)
    }

    /// The answer, and how many tries were in vain before it.
    async fn ask(&self, call: &Call) -> Result<(Answer, u32), Broken> {
        let began = Instant::now();
        let mut in_vain = 0;
        loop {
            let outcome = self.once(call).await;
            let again = match &outcome {
                Ok(answer) => answer.status == 503,
                Err(_) => true,
            };
            if !again || began.elapsed() >= call.patience {
                return Ok((outcome?, in_vain));
            }
            in_vain += 1;
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    async fn once(&self, call: &Call) -> Result<Answer, Broken> {
        let began = Instant::now();
        let mut request = self.client.request(call.method.clone(), &call.url);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        request = match &call.body {
            Body::None => request,
            Body::Form(fields) => request.form(fields),
            Body::Json(json) => request.json(json),
        };
        self.receive(request, began, &call.url).await
    }

    /// GET without showing anything, for waiting.
    pub(super) async fn probe(&self, url: &str) -> Result<Answer, Broken> {
        let request = self.client.get(url).timeout(Duration::from_secs(1));
        self.receive(request, Instant::now(), url).await
    }

    async fn receive(&self, request: reqwest::RequestBuilder, began: Instant, url: &str) -> Result<Answer, Broken> {
        let broken = |cause: reqwest::Error| Broken::Request { request: url.to_owned(), cause: cause.without_url() };
        let response = request.send().await.map_err(broken)?;
        let status = response.status().as_u16();
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let text = response.text().await.map_err(broken)?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { status, body, location, took: began.elapsed() })
    }

    /// The request as one would type it; continued lines as in AM's documentation.
    fn curl(&self, call: &Call) -> String {
        let mut parts = vec![match call.method {
            Method::POST | Method::GET => format!("curl {}", self.shell(&call.url)),
            ref method => format!("curl -X {method} {}", self.shell(&call.url)),
        }];
        if call.method == Method::POST && matches!(call.body, Body::None) {
            parts.push("-X POST".into());
        }
        for (name, value) in &call.headers {
            parts.push(format!("-H {}", self.shell(&format!("{name}: {value}"))));
        }
        match &call.body {
            Body::None => {}
            Body::Form(fields) => {
                for (name, value) in fields {
                    parts.push(format!("--data-urlencode {}", self.shell(&format!("{name}={value}"))));
                }
            }
            Body::Json(json) => {
                parts.push(format!("-H '{CONTENT_TYPE}: application/json'"));
                parts.push(format!("-d {}", self.shell(&json.to_string())));
            }
        }
        let lines = parts.join(" \\\n      ");
        format!("  {}", self.paint("36", &lines))
    }

    /// A shell word. With a secret in it: double quotes, so that `$NAME` is filled in.
    fn shell(&self, text: &str) -> String {
        if self.masked(text) == text {
            return single_quoted(text);
        }
        let mut escaped = String::with_capacity(text.len() + 2);
        for c in text.chars() {
            if matches!(c, '\\' | '"' | '$' | '`') {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        format!("\"{}\"", self.masked(&escaped))
    }

    fn masked(&self, text: &str) -> String {
        self.secrets
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(value.as_str(), &format!("${name}")))
    }

    fn show(&self, answer: &Answer, in_vain: u32, brief: bool) {
        let mut timing = format!("{} in {}", answer.status, millis(answer.took));
        if in_vain > 0 {
            timing.push_str(&format!(", after {in_vain} tries that found no leader"));
        }
        line!("  {} {timing}", self.paint("2", "→"));
        if let Some(location) = &answer.location {
            line!("    location: {}", self.masked(location));
        }
        if answer.body.is_null() {
            return;
        }
        let line = self.masked(&answer.body.to_string());
        if brief {
            let cut: String = line.chars().take(BRIEF).collect();
            line!("    {cut}{}", if cut.len() < line.len() { "…" } else { "" });
        } else if let Ok(pretty) = serde_json::to_string_pretty(&answer.body) {
            line!("    {}", self.masked(&pretty).replace('\n', "\n    "));
        }
    }

    pub(super) fn heading(&self, text: &str) {
        line!("\n{}", self.paint("1", &format!("== {text}")));
    }

    pub(super) fn note(&self, text: &str) {
        line!("  {}", self.masked(text));
    }

    /// Notes whether a step held, and goes on either way.
    pub(super) fn check(&mut self, what: &str, held: bool) {
        let what = self.masked(what);
        if held {
            self.held += 1;
            line!("  {} {what}", self.paint("32", "✓"));
        } else {
            self.failed += 1;
            line!("  {} {what}", self.paint("31", "✗"));
        }
    }

    /// Like [`Talk::check`] for steps without which the rest makes no sense.
    pub(super) fn must(&mut self, what: &str, held: bool) -> Result<(), Broken> {
        if held {
            self.check(what, true);
            Ok(())
        } else {
            Err(Broken::Step(format!("this did not hold: {what}")))
        }
    }

    pub(super) fn all_held(&self) -> bool {
        self.failed == 0
    }

    pub(super) fn summary(&self, took: Duration) {
        let Self { held, failed, .. } = self;
        let seconds = took.as_secs_f64();
        if *failed == 0 {
            line!("\n{}", self.paint("1;32", &format!("Every step held: {held} checks in {seconds:.1} s")));
        } else {
            line!(
                "\n{}",
                self.paint("1;31", &format!("{failed} of {} checks failed, after {seconds:.1} s", held + failed))
            );
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

pub(super) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk() -> Talk {
        let mut talk = Talk::new().unwrap();
        talk.hide("SECRET", "s3cr3t");
        talk.hide("LONG", "s3cr3t-and-more");
        talk
    }

    #[test]
    fn a_shell_word_survives_its_shell() {
        let talk = talk();
        for (text, word) in [
            ("plain", "'plain'"),
            ("it's $HOME", r"'it'\''s $HOME'"),
            ("client_secret=s3cr3t", r#""client_secret=$SECRET""#),
            ("x=s3cr3t-and-more", r#""x=$LONG""#),
            (r#"{"a":"s3cr3t","b":"$x`\"}"#, r#""{\"a\":\"$SECRET\",\"b\":\"\$x\`\\\"}""#),
        ] {
            assert_eq!(talk.shell(text), word);
        }
    }

    #[test]
    fn no_part_of_a_shown_request_holds_a_secret() {
        let talk = talk();
        let call = Call::new(Method::PUT, "http://127.0.0.1/x".into())
            .header("Cookie", "sso=s3cr3t")
            .json(serde_json::json!({"userpassword": "s3cr3t-and-more"}));
        let line = talk.curl(&call);
        assert!(!line.contains("s3cr3t") && line.contains("$SECRET") && line.contains("$LONG"), "{line}");
        let form = Call::new(Method::POST, "http://127.0.0.1/x?code=s3cr3t".into()).form([("token", "s3cr3t")]);
        let line = talk.curl(&form);
        assert!(!line.contains("s3cr3t") && line.matches("$SECRET").count() == 2, "{line}");
    }

    #[test]
    fn a_code_is_found_in_a_redirect() {
        let answer = Answer {
            status: 302,
            body: Value::Null,
            location: Some("https://rp/cb?code=a%2Bb&iss=x".into()),
            took: Duration::ZERO,
        };
        assert_eq!(answer.kept(Kept::Query("code")).as_deref(), Some("a+b"));
        assert_eq!(answer.kept(Kept::Query("state")), None);
    }

    #[test]
    fn what_is_exported_can_be_read_back_by_a_shell() {
        assert!(talk().exports().contains("SECRET='s3cr3t'\n") || talk().exports().ends_with("SECRET='s3cr3t'"));
    }
}
