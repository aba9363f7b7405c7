//! The cookies that carry a session (b.1).
//!
//! | attribute  | here                                                                                |
//! |------------|-------------------------------------------------------------------------------------|
//! | name       | setting `cookie_name`; beside it `amlbcookie=01`, for balancers that look for it     |
//! | `Path`     | `/`                                                                                 |
//! | `Domain`   | none, or one cookie for each of `cookieDomains` (global service `platform`) that the request is for |
//! | `Secure`   | setting `cookie_secure`                                                             |
//! | `HttpOnly` | always                                                                              |
//! | `SameSite` | setting `cookie_same_site`                                                          |
//! | logout     | an empty value that expired long ago; `Clear-Site-Data` where the realm wants it    |

use super::settings::{self, cookie_domains};
use crate::desk::Desk;
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    cookie::{Cookie, Expiration, time::OffsetDateTime},
    http::header::{HeaderName, HeaderValue},
};
use quorate_raft::RealmPath;

/// The cookie that AM's load balancers look for, and its value.
const BALANCER: (&str, &str) = ("amlbcookie", "01");

/// The cookies that hand out a token.
pub fn grant(desk: &Desk, request: &HttpRequest, token: &str) -> Vec<Cookie<'static>> {
    let front = desk.front();
    let mut cookies = cookie(desk, request, &front.cookie_name, token);
    cookies.extend(cookie(desk, request, BALANCER.0, BALANCER.1));
    cookies
}

/// The cookies that take it back.
pub fn withdraw(desk: &Desk, request: &HttpRequest) -> Vec<Cookie<'static>> {
    let mut cookies = cookie(desk, request, &desk.front().cookie_name, "");
    for cookie in &mut cookies {
        cookie.set_expires(Expiration::DateTime(OffsetDateTime::UNIX_EPOCH));
    }
    cookies
}

/// What the answer to a request takes back, besides what its body says.
struct Withdrawn {
    cookies: Vec<Cookie<'static>>,
    clear_site_data: bool,
}

/// Has the answer to `request` take the token back, and clear what the browser keeps for us where the realm wants that
/// (`security.addClearSiteDataHeader`, a.12). Acts on answers of success only.
pub fn withdraw_with_answer(desk: &Desk, request: &HttpRequest, realm: &RealmPath) {
    let withdrawn =
        Withdrawn { cookies: withdraw(desk, request), clear_site_data: settings::clears_site_data(desk, realm) };
    request.extensions_mut().insert(withdrawn);
}

/// Does that.
pub fn amend(request: &HttpRequest, response: &mut HttpResponse) {
    let Some(withdrawn) = request.extensions_mut().remove::<Withdrawn>().filter(|_| response.status().is_success())
    else {
        return;
    };
    for cookie in &withdrawn.cookies {
        // A name that is no cookie's is refused when the configuration is read.
        let _ = response.add_cookie(cookie);
    }
    if withdrawn.clear_site_data {
        let value = HeaderValue::from_static(r#""cache", "cookies", "storage", "executionContexts""#);
        response.headers_mut().insert(HeaderName::from_static("clear-site-data"), value);
    }
}

fn cookie(desk: &Desk, request: &HttpRequest, name: &str, value: &str) -> Vec<Cookie<'static>> {
    let front = desk.front();
    let plain = || {
        let mut cookie = Cookie::build(name.to_owned(), value.to_owned());
        cookie = cookie.path("/").http_only(true).secure(front.cookie_secure);
        if let Some(same_site) = front.cookie_same_site {
            cookie = cookie.same_site(same_site);
        }
        cookie.finish()
    };
    let connection = request.connection_info().clone();
    let host = connection.host().rsplit_once(':').map_or(connection.host(), |(host, _)| host).to_ascii_lowercase();
    let matching = cookie_domains(desk).into_iter().filter(|domain| is_within(&host, domain));
    let cookies: Vec<_> = matching
        .map(|domain| {
            let mut cookie = plain();
            cookie.set_domain(domain);
            cookie
        })
        .collect();
    if cookies.is_empty() { vec![plain()] } else { cookies }
}

/// RFC 6265 §5.1.3; a leading dot means nothing any more (§5.2.3).
fn is_within(host: &str, domain: &str) -> bool {
    let domain = domain.trim_start_matches('.').to_ascii_lowercase();
    let below = || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'));
    !domain.is_empty() && (host == domain || below())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_goes_to_the_domains_that_the_host_lies_in() {
        for (host, domain, within) in [
            ("am.example.com", "example.com", true),
            ("am.example.com", ".example.com", true),
            ("example.com", "EXAMPLE.com", true),
            ("badexample.com", "example.com", false),
            ("example.com", "am.example.com", false),
            ("example.com", "", false),
            ("example.com", ".", false),
        ] {
            assert_eq!(is_within(host, domain), within, "{host} {domain}");
        }
    }
}
