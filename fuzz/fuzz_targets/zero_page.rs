//! The two headers of zero page login: bytes to the first newline, and the rest.
#![no_main]

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use quorate::authn::zero_page::{self, Headers};

fuzz_target!(|input: &[u8]| {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (username, password) = input.split_at(at);
    let mut headers = HeaderMap::new();
    for (name, value) in [(zero_page::USERNAME, username), (zero_page::PASSWORD, password.get(1..).unwrap_or_default())] {
        let Ok(value) = HeaderValue::from_bytes(value) else {
            return;
        };
        headers.append(HeaderName::from_bytes(name.as_bytes()).expect("a name"), value);
    }
    if let Headers::Present(credentials) = zero_page::read(&headers) {
        // An encoded word makes bytes into fewer characters, ISO-8859-1 at most two bytes of each.
        assert!(credentials.username.len() <= 2 * username.len());
    }
});
