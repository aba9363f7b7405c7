//! From an HTTP request to what is asked of a resource (crest.md §2, §4).
//!
//! | section | it says                                                      | we do it in      |
//! |---------|--------------------------------------------------------------|------------------|
//! | §14     | a change needs `X-Requested-With` or `Accept-API-Version`    | [`forgeable`]    |
//! | §2      | effective method; `_api`, `_crestapi`; unknown methods 501   | `Method::of`     |
//! | §4.1    | `If-(Un)Modified-Since` 409; content types; bodies           | [`Head::parse`]  |
//! | §4.3    | which precondition fits which method                         | `preconditions`  |
//! | §2      | method and parameters to verb                                | [`Head::verb`]   |

use super::{
    Accepted, Error, Fields, Object, Params, Patch, Protocol, Settings,
    body::{object, optional_object},
    item::MediaType,
    query::Query,
};
use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap, HeaderName},
};
use quorate_raft::{Precondition, Seq};
use std::fmt;

/// In which callers say which versions they know.
pub static ACCEPT_API_VERSION: HeaderName = HeaderName::from_static("accept-api-version");
static METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
static X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// What is asked of a resource.
#[derive(Clone, PartialEq)]
pub enum Verb {
    /// Create; fails where it exists.
    Create(Object),
    /// Create, or update where it exists: PUT without preconditions.
    Put(Object),
    /// Replace what exists.
    Update(Object, Match),
    /// Read; the revision is the one that the caller has (`If-None-Match`).
    Read(Option<String>),
    /// Delete what exists.
    Delete(Match),
    /// Change members of what exists; or why the body is no patch, for whoever may and can be patched.
    Patch(Result<Patch, Error>, Match),
    /// Anything else, by name.
    Action(String, Object),
    /// List.
    Query(Query),
}

impl fmt::Debug for Verb {
    /// Without contents: passwords and secrets arrive in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(_) => f.write_str("Create"),
            Self::Put(_) => f.write_str("Put"),
            Self::Update(_, when) => write!(f, "Update({when:?})"),
            Self::Read(known) => write!(f, "Read({known:?})"),
            Self::Delete(when) => write!(f, "Delete({when:?})"),
            Self::Patch(_, when) => write!(f, "Patch({when:?})"),
            Self::Action(name, _) => write!(f, "Action({name:?})"),
            Self::Query(query) => write!(f, "{query:?}"),
        }
    }
}

/// `If-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// Absent or `*`: whatever there is.
    Any,
    /// This revision.
    Revision(String),
}

impl Match {
    /// As the log checks it. What is no revision of ours fits none.
    pub fn precondition(&self) -> Precondition {
        match self {
            Self::Any => Precondition::Present,
            Self::Revision(text) => Precondition::Revision(self.seq(text)),
        }
    }

    /// Whether `revision` fits.
    pub fn fits(&self, revision: Seq) -> bool {
        match self {
            Self::Any => true,
            Self::Revision(text) => self.seq(text) == revision,
        }
    }

    fn seq(&self, text: &str) -> Seq {
        // One spelling per revision: what reads as the number but is written otherwise is another tag.
        Seq(text.parse().ok().filter(|number: &u64| number.to_string() == text).unwrap_or(u64::MAX))
    }
}

/// HTTP methods that mean something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The override counts for POST only, so that nothing that looks safe changes anything (HT-08).
    fn of(request: &HttpRequest) -> Result<Self, Error> {
        let real = request.method().as_str();
        let name = match one(request.headers(), &METHOD_OVERRIDE)? {
            Some(name) if real == "POST" => name,
            _ => real,
        };
        Ok(match name {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => return Err(Error::new(501, format!("Method {name} not supported"))),
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request without its body, checked.
#[derive(Clone, Debug)]
pub struct Head {
    method: Method,
    /// What versions it accepts.
    pub accepted: Accepted,
    /// Its parameters.
    pub params: Params,
    /// What it wants to see.
    pub fields: Fields,
    /// How it wants to see it.
    pub pretty: bool,
    /// Whether it wants the one field as it is, and as what (§6).
    pub media_type: Option<MediaType>,
    /// What holds where it says nothing.
    pub settings: Settings,
    conditions: Conditions,
    content_type: bool,
}

#[derive(Clone, Debug, Default)]
struct Conditions {
    matches: Option<String>,
    none_match: Option<String>,
}

/// §14 (SE-02): whether a page of another site could have made a browser send this, and that counts.
pub fn forgeable(request: &HttpRequest) -> bool {
    is_unproven(request) && Settings::for_request(request).csrf
}

/// Whether a request that may change something carries neither of the headers that a page of another site cannot set.
pub fn is_unproven(request: &HttpRequest) -> bool {
    let safe = matches!(request.method().as_str(), "GET" | "HEAD" | "OPTIONS");
    let headers = request.headers();
    !safe && !headers.contains_key(&X_REQUESTED_WITH) && !headers.contains_key(&ACCEPT_API_VERSION)
}

/// The one value of a header.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Error> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Error::plain(400)),
        // Two values could be read as either.
        (Some(_), Some(_)) => Err(Error::plain(400)),
    }
}

/// An entity tag without its quotes; no lists, no weak tags (§4.3).
fn tag(text: &str) -> String {
    text.strip_prefix('"')
        .map_or(text, |inner| inner.get(..inner.len().saturating_sub(1)).unwrap_or_default())
        .to_owned()
}

impl Head {
    /// Checks everything that needs neither the body nor the resource.
    ///
    /// # Errors
    /// The texts of crest.md §3, §4, §13.1, in the order of the module's table.
    pub fn parse(request: &HttpRequest) -> Result<Self, Error> {
        if forgeable(request) {
            return Err(Error::plain(403));
        }
        let headers = request.headers();
        let method = Method::of(request)?;
        let settings = Settings::for_request(request);
        let accepted = match one(headers, &ACCEPT_API_VERSION) {
            Ok(value) => settings.accepted(value)?,
            Err(_) => return Err(Error::bad_request("Version string is in an invalid format: ")),
        };
        let dates =
            [(header::IF_MODIFIED_SINCE, "If-Modified-Since"), (header::IF_UNMODIFIED_SINCE, "If-Unmodified-Since")];
        for (header, name) in dates {
            if headers.contains_key(header) {
                return Err(Error::new(409, format!("Header {name} not supported")));
            }
        }
        let content_type = content_type(headers, method)?;
        let params = Params::parse(request.query_string())?;
        let conditions = Conditions {
            matches: one(headers, &header::IF_MATCH)?.map(tag),
            none_match: one(headers, &header::IF_NONE_MATCH)?.map(tag),
        };
        let fields = Fields::parse(&params)?;
        let pretty = params.get("_prettyPrint").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let mut head =
            Self { method, accepted, params, fields, pretty, media_type: None, settings, conditions, content_type };
        head.preconditions()?;
        if method == Method::Get && !head.is_query() {
            head.media_type = MediaType::parse(&head.params, &head.fields)?;
        }
        Ok(head)
    }

    fn is_query(&self) -> bool {
        ["_queryId", "_queryExpression", "_queryFilter"].iter().any(|name| self.params.has(name))
    }

    /// §4.3, first table.
    fn preconditions(&self) -> Result<(), Error> {
        let Conditions { matches, none_match } = &self.conditions;
        let name = self.method.name();
        let failed = |text: String| Err(Error::new(412, text));
        match (self.method, none_match.as_deref()) {
            (Method::Put, Some(tag)) if tag != "*" => {
                let text = format!("\"{tag}\" is not a supported value for If-None-Match on PUT");
                return Err(Error::bad_request(text));
            }
            (Method::Put, Some(_)) if matches.is_some() => {
                return failed("Simultaneous use of If-Match and If-None-Match not supported for PUT requests".into());
            }
            (Method::Get | Method::Post, _) if matches.is_some() => {
                return failed(format!("If-Match not supported for {name} requests"));
            }
            (Method::Get, Some("*")) if !self.is_query() => {
                return failed("If-None-Match * not appropriate for GET requests".into());
            }
            (Method::Get, Some(_)) if !self.is_query() => {}
            (Method::Patch, Some(_)) => {
                return failed("Use of If-None-Match not supported for PATCH requests".into());
            }
            (Method::Get | Method::Post | Method::Delete, Some(_)) => {
                return failed(format!("If-None-Match not supported for {name} requests"));
            }
            _ => {}
        }
        Ok(())
    }

    /// What is asked, given the body.
    ///
    /// # Errors
    /// The texts of crest.md §2, §3, §4.1.
    pub fn verb(&self, body: &[u8]) -> Result<Verb, Error> {
        let protocol = self.accepted.protocol;
        let matches = || match self.conditions.matches.as_deref() {
            None | Some("*") => Match::Any,
            Some(tag) => Match::Revision(tag.to_owned()),
        };
        match self.method {
            Method::Get if self.is_query() => Query::parse(&self.params).map(Verb::Query),
            Method::Get => Ok(Verb::Read(self.conditions.none_match.clone())),
            Method::Post => match self.params.get("_action") {
                None | Some("") if protocol < Protocol::V2_1 => {
                    Err(Error::bad_request("No values provided for the request parameter '_action'"))
                }
                None => self.content(body).map(Verb::Create),
                Some(action) if action.eq_ignore_ascii_case("create") => self.content(body).map(Verb::Create),
                Some("") => Err(Error::bad_request("No values provided for the request parameter '_action'")),
                Some(action) => Ok(Verb::Action(action.to_owned(), optional_object(body)?)),
            },
            Method::Put => {
                let content = self.content(body)?;
                Ok(match (&self.conditions.none_match, &self.conditions.matches) {
                    (Some(_), _) => Verb::Create(content),
                    (None, None) if protocol > Protocol::V1_0 => Verb::Put(content),
                    (None, _) => Verb::Update(content, matches()),
                })
            }
            Method::Patch => Ok(Verb::Patch(self.has_content().and_then(|()| Patch::parse(body)), matches())),
            Method::Delete => Ok(Verb::Delete(matches())),
        }
    }

    /// Whether the id of a new resource comes from the path.
    pub fn is_put(&self) -> bool {
        self.method == Method::Put
    }

    /// The body of an operation that needs one.
    fn content(&self, body: &[u8]) -> Result<Object, Error> {
        self.has_content()?;
        object(body)
    }

    fn has_content(&self) -> Result<(), Error> {
        if self.content_type {
            return Ok(());
        }
        Err(Error::bad_request(
            "The request could not be processed because the  content-type was not specified and is required",
        ))
    }
}

/// §4.1: whether there is a content type; 400 for one that is not ours. GET may carry any.
fn content_type(headers: &HeaderMap, method: Method) -> Result<bool, Error> {
    let Some(value) = one(headers, &header::CONTENT_TYPE)?.filter(|_| method != Method::Get) else {
        return Ok(false);
    };
    let media_type = value.split(';').next().unwrap_or_default().trim();
    if ["application/json", "multipart/form-data"].iter().any(|known| media_type.eq_ignore_ascii_case(known)) {
        return Ok(true);
    }
    Err(Error::bad_request(format!(
        "The request could not be processed because it specified the content-type '{media_type}' when only the \
         content-type 'application/json' and 'multipart/form-data' are supported"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{http::Method as HttpMethod, test::TestRequest};

    fn ask(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Result<Verb, (u16, String)> {
        let method = HttpMethod::from_bytes(method.as_bytes()).expect("a method");
        let mut request = TestRequest::default().method(method).uri(uri);
        for header in headers {
            request = request.append_header(*header);
        }
        Head::parse(&request.to_http_request())
            .and_then(|head| head.verb(body.as_bytes()))
            .map_err(|e| (e.code(), e.message().to_owned()))
    }

    const JSON: (&str, &str) = ("Content-Type", "application/json; charset=utf-8");
    const V2_1: (&str, &str) = ("Accept-API-Version", "resource=1.0");
    const V2_0: (&str, &str) = ("Accept-API-Version", "protocol=2.0");
    const V1_0: (&str, &str) = ("Accept-API-Version", "protocol=1.0");

    fn failed(code: u16, text: &str) -> Result<Verb, (u16, String)> {
        Err((code, text.to_owned()))
    }

    /// The table of §2.
    #[test]
    fn method_and_parameters_make_the_verb() {
        let none = Object::new;
        assert_eq!(ask("GET", "/x", &[], ""), Ok(Verb::Read(None)));
        assert!(matches!(ask("GET", "/x?_QUERYFILTER=true", &[], ""), Ok(Verb::Query(_))));
        let no_action = "No values provided for the request parameter '_action'";
        assert_eq!(ask("POST", "/x", &[JSON, V2_1], "{}"), Ok(Verb::Create(none())));
        assert_eq!(ask("POST", "/x", &[JSON, V2_0], "{}"), failed(400, no_action));
        assert_eq!(ask("POST", "/x", &[JSON, V1_0], "{}"), failed(400, no_action));
        assert_eq!(ask("POST", "/x?_action=", &[JSON, V2_1], "{}"), failed(400, no_action));
        assert_eq!(ask("POST", "/x?_action=CREATE", &[JSON, V2_0], "{}"), Ok(Verb::Create(none())));
        assert_eq!(ask("POST", "/x?_action=schema", &[V2_0], ""), Ok(Verb::Action("schema".into(), none())));
        assert_eq!(ask("PUT", "/x", &[JSON, V2_1], "{}"), Ok(Verb::Put(none())));
        assert_eq!(ask("PUT", "/x", &[JSON, V1_0], "{}"), Ok(Verb::Update(none(), Match::Any)));
        assert_eq!(ask("PUT", "/x", &[JSON, V2_1, ("If-None-Match", "*")], "{}"), Ok(Verb::Create(none())));
        assert_eq!(ask("PUT", "/x", &[JSON, V2_1, ("If-Match", "*")], "{}"), Ok(Verb::Update(none(), Match::Any)));
        assert_eq!(
            ask("PUT", "/x", &[JSON, V2_1, ("If-Match", "\"7\"")], "{}"),
            Ok(Verb::Update(none(), Match::Revision("7".into())))
        );
        let required = "The request could not be processed because the  content-type was not specified and is required";
        let no_type = ask("PATCH", "/x", &[V2_1], "[]");
        assert_eq!(no_type, Ok(Verb::Patch(Err(Error::bad_request(required)), Match::Any)));
        assert_eq!(ask("DELETE", "/x", &[V2_1], ""), Ok(Verb::Delete(Match::Any)));
        let nothing = || Patch::of(Vec::new());
        assert_eq!(ask("PATCH", "/x", &[JSON, V2_1], "[]"), Ok(Verb::Patch(nothing(), Match::Any)));
        assert_eq!(
            ask("PATCH", "/x", &[JSON, V2_1, ("If-Match", "\"7\"")], "[]"),
            Ok(Verb::Patch(nothing(), Match::Revision("7".into())))
        );
        assert_eq!(ask("HEAD", "/x", &[V2_1], ""), failed(501, "Method HEAD not supported"));
        assert_eq!(ask("TRACE", "/x", &[V2_1], ""), failed(501, "Method TRACE not supported"));
    }

    /// HT-08: what looks safe stays safe.
    #[test]
    fn only_a_post_is_overridden() {
        let to_delete = ("X-HTTP-Method-Override", "DELETE");
        assert_eq!(ask("POST", "/x", &[V2_1, to_delete], ""), Ok(Verb::Delete(Match::Any)));
        assert_eq!(ask("GET", "/x", &[V2_1, to_delete], ""), Ok(Verb::Read(None)));
        assert_eq!(ask("POST", "/x", &[to_delete], ""), failed(403, "Forbidden"));
    }

    /// The tables of §4.3.
    #[test]
    fn preconditions_fit_their_methods() {
        let (any, seven) = (("If-Match", "*"), ("If-Match", "\"7\""));
        let (absent, other) = (("If-None-Match", "*"), ("If-None-Match", "\"7\""));
        for matches in [any, seven] {
            assert_eq!(ask("GET", "/x", &[matches], ""), failed(412, "If-Match not supported for GET requests"));
            let post = ask("POST", "/x?_action=a", &[V2_1, matches], "");
            assert_eq!(post, failed(412, "If-Match not supported for POST requests"));
        }
        let inappropriate = "If-None-Match * not appropriate for GET requests";
        assert_eq!(ask("GET", "/x", &[absent], ""), failed(412, inappropriate));
        assert_eq!(ask("GET", "/x", &[other], ""), Ok(Verb::Read(Some("7".into()))));
        for none in [absent, other] {
            let query = ask("GET", "/x?_queryFilter=true", &[none], "");
            assert_eq!(query, failed(412, "If-None-Match not supported for GET requests"));
            let post = ask("POST", "/x?_action=a", &[V2_1, none], "");
            assert_eq!(post, failed(412, "If-None-Match not supported for POST requests"));
            let delete = ask("DELETE", "/x", &[V2_1, none], "");
            assert_eq!(delete, failed(412, "If-None-Match not supported for DELETE requests"));
            let patch = ask("PATCH", "/x", &[JSON, V2_1, none], "[]");
            assert_eq!(patch, failed(412, "Use of If-None-Match not supported for PATCH requests"));
        }
        let unsupported = "\"7\" is not a supported value for If-None-Match on PUT";
        assert_eq!(ask("PUT", "/x", &[JSON, V2_1, other], "{}"), failed(400, unsupported));
        assert_eq!(ask("PUT", "/x", &[JSON, V2_1, other, any], "{}"), failed(400, unsupported));
        let both = "Simultaneous use of If-Match and If-None-Match not supported for PUT requests";
        assert_eq!(ask("PUT", "/x", &[JSON, V2_1, absent, seven], "{}"), failed(412, both));
        for name in ["If-Modified-Since", "If-Unmodified-Since"] {
            let since = ask("GET", "/x", &[(name, "Mon, 01 Jan 2024 00:00:00 GMT")], "");
            assert_eq!(since, failed(409, &format!("Header {name} not supported")));
        }
    }

    #[test]
    fn a_tag_fits_one_revision_in_one_spelling() {
        let revision = |text: &str| Match::Revision(text.into());
        assert!(revision("7").fits(Seq(7)));
        for other in ["07", "+7", "7 ", "", "seven", "W/\"7\"", "8", "18446744073709551616"] {
            assert!(!revision(other).fits(Seq(7)), "{other}");
        }
        assert_eq!(revision("x").precondition(), Precondition::Revision(Seq(u64::MAX)));
        assert_eq!(Match::Any.precondition(), Precondition::Present);
        assert_eq!(
            (tag("\"7\""), tag("7"), tag("\""), tag("W/\"7\"")),
            ("7".into(), "7".into(), "".into(), "W/\"7\"".into())
        );
    }

    #[test]
    fn bodies_have_their_media_type() {
        let text = |t: &str| {
            format!(
                "The request could not be processed because it specified the content-type '{t}' when only the \
                 content-type 'application/json' and 'multipart/form-data' are supported"
            )
        };
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let form_refused = failed(400, &text("application/x-www-form-urlencoded"));
        assert_eq!(ask("POST", "/x?_action=create", &[V2_1, form], "{}"), form_refused);
        assert_eq!(ask("DELETE", "/x", &[V2_1, ("Content-Type", "text/plain")], ""), failed(400, &text("text/plain")));
        assert_eq!(ask("GET", "/x", &[("Content-Type", "text/plain")], ""), Ok(Verb::Read(None)));
        let required = "The request could not be processed because the  content-type was not specified and is required";
        assert_eq!(ask("PUT", "/x", &[V2_1], "{}"), failed(400, required));
        let empty = "The request could not be processed because it did not contain any JSON content";
        assert_eq!(ask("PUT", "/x", &[V2_1, JSON], ""), failed(400, empty));
    }

    /// SE-02: a form of another site's page can neither change nor delete.
    #[test]
    fn a_change_needs_a_header_that_no_form_can_send() {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            assert_eq!(ask(method, "/x?_action=a", &[JSON], "{}"), failed(403, "Forbidden"), "{method}");
        }
        assert!(ask("POST", "/x?_action=a", &[("X-Requested-With", "")], "").is_ok());
        assert!(ask("POST", "/x?_action=a", &[("Accept-API-Version", "resource=1.0")], "").is_ok());
        assert!(ask("GET", "/x", &[], "").is_ok());
    }

    /// §6.
    #[test]
    fn a_mime_type_needs_one_field() {
        let text = "The mime type parameter requires only 1 field to be specified";
        for fields in ["", "&_fields=a,b", "&_fields=", "&_fields=*", "&_fields=a&_fields=b"] {
            assert_eq!(ask("GET", &format!("/x?_mimeType=text/plain{fields}"), &[], ""), failed(400, text), "{fields}");
        }
        let twice = ask("GET", "/x?_mimeType=text/plain&_mimeType=text/plain&_fields=a", &[], "");
        assert_eq!(twice, failed(400, "Only one mime type value allowed"));
        assert_eq!(ask("GET", "/x?_mimeType=text/plain&_fields=a", &[], ""), Ok(Verb::Read(None)));
        for forged in ["text/html%0d%0aSet-Cookie:a", "", "text", "a/b/c", "text%2fh%20tml"] {
            let asked = ask("GET", &format!("/x?_mimeType={forged}&_fields=a"), &[], "");
            assert!(matches!(asked, Err((400, _))), "{forged}: {asked:?}");
        }
    }
}
