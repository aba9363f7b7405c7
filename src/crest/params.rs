//! Query string parameters (crest.md §3): names that begin with `_` ignore case, all but `_fields` have one value.

use super::Error;
use std::borrow::Cow;

/// The parameters of a request, decoded.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(Cow<'static, str>, String)>);

/// Most parameters of one request.
const MAX_PARAMS: usize = 64;

/// Reserved names as the reference spells them; messages use this spelling.
const RESERVED: [&str; 14] = [
    "_fields",
    "_prettyPrint",
    "_mimeType",
    "_action",
    "_queryFilter",
    "_queryId",
    "_queryExpression",
    "_pageSize",
    "_pagedResultsOffset",
    "_pagedResultsCookie",
    "_totalPagedResultsPolicy",
    "_sortKeys",
    "_api",
    "_crestapi",
];

impl Params {
    /// Decodes a query string.
    ///
    /// # Errors
    /// 400 for a name that has several values and may have one, and for more parameters than anybody needs.
    pub fn parse(query: &str) -> Result<Self, Error> {
        let mut params: Vec<(Cow<'static, str>, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if params.len() == MAX_PARAMS {
                return Err(Error::plain(400));
            }
            let reserved = RESERVED.iter().find(|reserved| reserved.eq_ignore_ascii_case(&name));
            let name = reserved.map_or_else(|| Cow::Owned(name.into_owned()), |reserved| Cow::Borrowed(*reserved));
            if name != "_fields" && params.iter().any(|(known, _)| *known == name) {
                return Err(Error::bad_request(match &*name {
                    "_mimeType" => "Only one mime type value allowed".to_owned(),
                    _ => format!("Multiple values provided for the single-valued request parameter '{name}'"),
                }));
            }
            params.push((name, value.into_owned()));
        }
        Ok(Self(params))
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_ignore_case_and_others_do_not() {
        let params = Params::parse("_QUERYFILTER=true&realm=%2Fa&Realm=b&_fields=a&_FIELDS=b").expect("parses");
        assert_eq!(params.get("_queryFilter"), Some("true"));
        assert_eq!((params.get("realm"), params.get("Realm")), (Some("/a"), Some("b")));
        assert_eq!(params.all("_fields").collect::<Vec<_>>(), ["a", "b"]);
    }

    /// AZ-07: no first-wins or last-wins.
    #[test]
    fn a_repeated_parameter_is_refused() {
        for (query, name) in [
            ("_prettyPrint=true&_prettyprint=true", "_prettyPrint"),
            ("_action=a&_action=b", "_action"),
            ("realm=a&realm=a", "realm"),
        ] {
            let text = format!("Multiple values provided for the single-valued request parameter '{name}'");
            assert_eq!(Params::parse(query).expect_err(query), Error::bad_request(text));
        }
    }
}
