//! The text of a script: the REST API has it in base64, files have it as lines, as one text, or in base64.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// As the REST API takes it; `None` for what is no script.
pub fn to_api(value: &Value) -> Option<Value> {
    let text = match value {
        Value::Array(lines) => {
            let lines: Vec<&str> = lines.iter().map(Value::as_str).collect::<Option<_>>()?;
            lines.join("\n")
        }
        Value::String(text) if text.starts_with('"') => serde_json::from_str(text).unwrap_or_else(|_| text.clone()),
        Value::String(text) if decoded(text).is_some() => return Some(value.clone()),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    Some(json!(STANDARD.encode(text)))
}

/// As files have it: lines. What is not base64 of a text stays as it is.
pub fn to_lines(value: &Value) -> Value {
    match value.as_str().and_then(decoded) {
        Some(text) => json!(text.split('\n').collect::<Vec<_>>()),
        None => value.clone(),
    }
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_in_all_forms() {
        let api = json!(STANDARD.encode("var a = 1;\n\"x\""));
        for form in [
            json!(["var a = 1;", "\"x\""]),
            json!("var a = 1;\n\"x\""),
            json!("\"var a = 1;\\n\\\"x\\\"\""),
            api.clone(),
        ] {
            assert_eq!(to_api(&form), Some(api.clone()), "{form}");
        }
        assert_eq!(to_api(&json!(null)), None);
        assert_eq!(to_api(&json!([1])), None);
        assert_eq!(to_lines(&api), json!(["var a = 1;", "\"x\""]));
        assert_eq!(to_api(&to_lines(&api)), Some(api));
    }
}
