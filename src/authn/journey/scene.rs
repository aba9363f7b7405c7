//! What a request brings along, and what everything that runs for it works with.

use super::goto;
use crate::{attempts, authn::settings::Settings, base_url::BaseUrl, crest::Params, desk::Desk};
use actix_web::{
    HttpRequest,
    http::header::{ACCEPT_LANGUAGE, HeaderMap},
};
use quorate_raft::{RealmPath, Stamp};
use serde_json::{Map, Value};
use std::net::IpAddr;

/// Most languages of a request that are looked at.
const MAX_LANGUAGES: usize = 16;

/// The request, as far as journeys look at it.
pub struct Incoming {
    /// Its head.
    http: HttpRequest,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its parameters.
    pub params: Params,
    /// Its cookies, by name.
    pub cookies: Vec<(String, String)>,
    /// Where it comes from, as far as proxies are believed.
    pub from: Option<IpAddr>,
    /// Languages, the one that is wanted most first.
    languages: Vec<String>,
}

impl Incoming {
    /// From a request.
    pub fn of(desk: &Desk, request: &HttpRequest, params: Params) -> Self {
        let cookies = request.cookies().map(|cookies| {
            cookies.iter().map(|cookie| (cookie.name().to_owned(), cookie.value().to_owned())).collect()
        });
        let languages = languages(request.headers(), params.get("locale"));
        Self {
            http: request.clone(),
            headers: request.headers().clone(),
            params,
            cookies: cookies.unwrap_or_default(),
            from: attempts::source(desk, request),
            languages,
        }
    }

    /// The text of `texts`, by locale, that suits the request best; else `default`.
    pub fn localized<'t>(&self, texts: &'t Map<String, Value>, default: &'t str) -> &'t str {
        self.choose(texts).unwrap_or(default)
    }

    /// The text of `texts`, by locale, that suits the request best.
    pub fn choose<'t>(&self, texts: &'t Map<String, Value>) -> Option<&'t str> {
        let normal = |locale: &str| locale.replace('_', "-").to_ascii_lowercase();
        let find = |wanted: &str| {
            let exact = texts.iter().find(|(locale, _)| normal(locale) == wanted);
            let language = |locale: &str| normal(locale).split('-').next().map(str::to_owned);
            let related = || {
                let wanted = wanted.split('-').next();
                texts.iter().find(|(locale, _)| language(locale).as_deref() == wanted)
            };
            exact.or_else(related).and_then(|(_, text)| text.as_str())
        };
        let wanted = self.languages.iter().find_map(|wanted| find(wanted));
        wanted.or_else(|| find("en")).or_else(|| texts.values().find_map(Value::as_str)).filter(|text| !text.is_empty())
    }
}

/// `locale`, then `Accept-Language` by weight (RFC 9110 §12.5.4).
fn languages(headers: &HeaderMap, locale: Option<&str>) -> Vec<String> {
    let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut weighed: Vec<(f32, String)> = header
        .split(',')
        .take(MAX_LANGUAGES)
        .filter_map(|item| {
            let (range, weight) = item.split_once(";q=").unwrap_or((item, "1"));
            let range = range.trim().to_ascii_lowercase();
            let weight: f32 = weight.trim().parse().ok()?;
            (!range.is_empty() && range != "*" && weight > 0.0).then_some((weight, range))
        })
        .collect();
    weighed.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let asked = locale.map(|locale| locale.replace('_', "-").to_ascii_lowercase());
    asked.into_iter().chain(weighed.into_iter().map(|(_, range)| range)).collect()
}

/// What runs for a request works with this.
pub struct Scene<'s> {
    /// Decisions, views, passwords, keys.
    pub desk: &'s Desk,
    /// The realm that is authenticated in.
    pub realm: &'s RealmPath,
    /// The request.
    pub request: &'s Incoming,
    /// How the realm authenticates.
    pub settings: Settings,
    /// The time: no clock of this node brings to life what log time has ended.
    pub now: Stamp,
}

impl Scene<'_> {
    /// What the realm is called from where this request comes.
    pub fn base_url(&self) -> BaseUrl {
        BaseUrl::in_realm(self.desk, self.realm, &self.request.http)
    }

    /// `url`, if the caller may be sent there.
    pub fn valid_goto(&self, url: Option<&str>) -> Option<String> {
        url.filter(|url| goto::is_valid(self.desk, self.realm, &self.base_url(), url)).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use serde_json::json;

    /// a.4: localized by `Accept-Language`.
    #[actix_web::test]
    async fn texts_come_in_the_language_that_is_wanted_most() {
        let (desk, _) = crate::testing::desk().await;
        let texts = json!({"en": "Sign in", "de-AT": "Servus", "fr_CA": "Bonjour"});
        let texts = texts.as_object().expect("an object");
        let chosen = |header: &str, query: &str| {
            let request = TestRequest::default().insert_header(("Accept-Language", header)).to_http_request();
            let params = Params::parse(query).expect("parameters");
            Incoming::of(&desk, &request, params).localized(texts, "default").to_owned()
        };
        assert_eq!(chosen("de-AT", ""), "Servus");
        assert_eq!(chosen("de", ""), "Servus");
        assert_eq!(chosen("fr-CA;q=0.5, de;q=0.4", ""), "Bonjour");
        assert_eq!(chosen("fr;q=0.1, de-de;q=0.9", ""), "Servus");
        assert_eq!(chosen("de", "locale=fr_FR"), "Bonjour");
        assert_eq!(chosen("it, *;q=0.1", ""), "Sign in");
        assert_eq!(chosen("de;q=0, ;q=x,,", ""), "Sign in");
        let request = Incoming::of(&desk, &TestRequest::default().to_http_request(), Params::default());
        assert_eq!(request.localized(&Map::new(), "default"), "default");
    }
}
