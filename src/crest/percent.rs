//! Percent-encoding of path elements (RFC 3986 §2.1). `+` is a plus: paths are not forms.

/// `element` decoded; `None` for a broken escape or what is not UTF-8 afterwards.
pub fn decode(element: &str) -> Option<String> {
    let mut bytes = element.bytes();
    let mut decoded = Vec::with_capacity(element.len());
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' { hex(bytes.next()?)? << 4 | hex(bytes.next()?)? } else { byte };
        decoded.push(byte);
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// `element` with everything escaped but RFC 3986's unreserved characters.
pub fn encode(element: &str) -> String {
    let mut encoded = String::with_capacity(element.len());
    for byte in element.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_broken_escape_is_no_element() {
        for broken in ["%", "%2", "%zz", "a%", "%ff", "%+1"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
        assert_eq!(decode("a+b%2Fc%2a").as_deref(), Some("a+b/c*"));
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(text in ".*") {
            let encoded = encode(&text);
            prop_assert!(encoded.is_ascii() && !encoded.contains('/'));
            prop_assert_eq!(decode(&encoded), Some(text));
        }
    }
}
