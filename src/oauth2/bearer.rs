//! Bearer tokens in requests.
//!
//! | RFC         | it says                                       | we do it in     |
//! |-------------|-----------------------------------------------|-----------------|
//! | 6750 §2.1   | `Authorization: Bearer`                        | [`from_header`] |
//! | 6750 §2.3   | not in the query string                       | nobody reads it there |

use actix_web::{HttpRequest, http::header};

/// The token in the `Authorization` header.
pub fn from_header(http: &HttpRequest) -> Option<&str> {
    let value = http.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
