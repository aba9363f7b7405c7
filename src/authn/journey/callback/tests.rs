use super::*;
use proptest::prelude::*;

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|text| (*text).to_owned()).collect()
}

/// a.6, in its order: type, names of outputs, names of inputs behind `IDToken1`.
fn catalogue() -> Vec<(Callback, &'static str, &'static [&'static str], &'static [&'static str])> {
    const VALIDATED: &[&str] = &["", "validateOnly"];
    const ATTRIBUTE: &[&str] = &["name", "prompt", "required", "policies", "failedPolicies", "validateOnly", "value"];
    let attribute = |of, value| Callback::attribute(of, "mail", "Mail", true, value, Validation::default());
    let nothing = || Value::Null;
    vec![
        (Callback::name("User Name", ""), "NameCallback", &["prompt"], &[""]),
        (Callback::password("Password"), "PasswordCallback", &["prompt"], &[""]),
        (
            Callback::choice("Which", &texts(&["a", "b"]), 1),
            "ChoiceCallback",
            &["prompt", "choices", "defaultChoice"],
            &[""],
        ),
        (
            Callback::confirmation("", &texts(&["Yes", "No"]), 1),
            "ConfirmationCallback",
            &["prompt", "messageType", "options", "optionType", "defaultOption"],
            &[""],
        ),
        (Callback::text_input("Say", "x"), "TextInputCallback", &["prompt", "defaultText"], &[""]),
        (Callback::text_output(Message::Error, "No"), "TextOutputCallback", &["message", "messageType"], &[]),
        (
            Callback::suspended_text_output(Message::Information, "Mail"),
            "SuspendedTextOutputCallback",
            &["message", "messageType"],
            &[],
        ),
        (Callback::hidden_value("jwt", "nonce"), "HiddenValueCallback", &["value", "id"], &[""]),
        (Callback::polling_wait(8000, "Wait"), "PollingWaitCallback", &["waitTime", "message"], &[]),
        (
            Callback::redirect("https://x.example", Some(Map::new()), true),
            "RedirectCallback",
            &["redirectUrl", "redirectMethod", "trackingCookie", "redirectData"],
            &[],
        ),
        (Callback::metadata(Map::new()), "MetadataCallback", &["data"], &[]),
        (Callback::language("en", "US"), "LanguageCallback", &[], &["Language", "Country"]),
        (
            Callback::validated_username("Username", "", Validation::default()),
            "ValidatedCreateUsernameCallback",
            &["policies", "failedPolicies", "validateOnly", "prompt"],
            VALIDATED,
        ),
        (
            Callback::validated_password("Password", false, Validation::default()),
            "ValidatedCreatePasswordCallback",
            &["echoOn", "policies", "failedPolicies", "validateOnly", "prompt"],
            VALIDATED,
        ),
        (attribute(AttributeType::Text, "".into()), "StringAttributeInputCallback", ATTRIBUTE, VALIDATED),
        (attribute(AttributeType::Number, nothing()), "NumberAttributeInputCallback", ATTRIBUTE, VALIDATED),
        (attribute(AttributeType::Flag, false.into()), "BooleanAttributeInputCallback", ATTRIBUTE, VALIDATED),
        (
            Callback::kba_create("Pick", &texts(&["Pet?"]), true),
            "KbaCreateCallback",
            &["prompt", "predefinedQuestions", "allowUserDefinedQuestions"],
            &["question", "answer"],
        ),
        (
            Callback::terms("1", "Be nice", "2026-01-01"),
            "TermsAndConditionsCallback",
            &["version", "terms", "createDate"],
            &[""],
        ),
        (Callback::select_idp(json!([])), "SelectIdPCallback", &["providers", "value"], &[""]),
        (
            Callback::idp([(); 9].map(|()| nothing())),
            "IdPCallback",
            &[
                "provider",
                "clientId",
                "redirectUri",
                "scopes",
                "nonce",
                "acrValues",
                "request",
                "requestUri",
                "acceptsJSON",
            ],
            &["token", "token_type"],
        ),
        (
            Callback::device_profile(true, false, ""),
            "DeviceProfileCallback",
            &["metadata", "location", "message"],
            &[""],
        ),
        (
            Callback::consent_mapping([(); 8].map(|()| nothing())),
            "ConsentMappingCallback",
            &["name", "displayName", "icon", "accessLevel", "titles", "message", "isRequired", "fields"],
            &[""],
        ),
        (Callback::recaptcha("key"), "ReCaptchaCallback", &["recaptchaSiteKey"], &[""]),
    ]
}

#[test]
fn every_type_is_rendered_as_in_the_catalogue() {
    for (callback, kind, outputs, inputs) in catalogue() {
        let shown = &render(std::slice::from_ref(&callback), false)[0];
        assert_eq!(shown["type"], kind);
        let names = |member: &str| -> Vec<&str> {
            let pairs = shown[member].as_array().map(Vec::as_slice).unwrap_or_default();
            pairs.iter().filter_map(|pair| pair["name"].as_str()).collect()
        };
        assert_eq!(names("output"), outputs, "{kind}");
        let expected: Vec<String> = inputs.iter().map(|suffix| format!("IDToken1{suffix}")).collect();
        assert_eq!(names("input"), expected, "{kind}");
        assert_eq!(shown.get("input").is_some(), !inputs.is_empty(), "{kind}");
        assert_eq!(shown.get("_id"), None);
        // Sent back as it came, it is an answer.
        assert!(answers(&[callback.asked()], Some(&json!([shown]))).is_ok(), "{kind}");
    }
}

/// a.4: the numbers count what has no input, too; a page numbers its callbacks.
#[test]
fn inputs_are_numbered_over_the_whole_step() {
    let step = [Callback::text_output(Message::Information, "Hello"), Callback::name("User Name", "")];
    let shown = render(&step, true);
    let hello = json!({"type": "TextOutputCallback", "output": [{"name": "message", "value": "Hello"},
        {"name": "messageType", "value": "0"}], "_id": 0});
    let name = json!({"type": "NameCallback", "output": [{"name": "prompt", "value": "User Name"}],
        "input": [{"name": "IDToken2", "value": ""}], "_id": 1});
    assert_eq!(shown, json!([hello, name]));
    let hidden = render(&[Callback::hidden_value("jwt", "nonce")], false);
    assert_eq!(hidden[0]["input"][0]["value"], "jwt", "initially equal to the id");
}

/// a.2: whole, in order, of the same types; else these texts.
#[test]
fn a_step_comes_back_whole_or_not_at_all() {
    let asked = [Callback::name("User Name", "").asked(), Callback::password("Password").asked()];
    let name = json!({"type": "NameCallback", "input": [{"name": "IDToken1", "value": "demo"}]});
    let password = json!({"type": "PasswordCallback", "output": "ignored", "input": [{"value": "secret"}], "x": 1});
    let given = answers(&asked, Some(&json!([name, password]))).expect("a whole step");
    assert_eq!(given.iter().map(Answer::text).collect::<Vec<_>>(), ["demo", "secret"]);
    let told = |callbacks: Option<Value>| {
        let failure = answers(&asked, callbacks.as_ref()).expect_err("no whole step");
        (failure.status, failure.message)
    };
    let number = (400, "Incorrect number of callbacks found in JSON response".to_owned());
    let kind = (400, "Required callback not found in JSON response".to_owned());
    assert_eq!(told(None), number);
    assert_eq!(told(Some(json!("text"))), number);
    assert_eq!(told(Some(json!([name]))), number);
    assert_eq!(told(Some(json!([name, password, password]))), number);
    assert_eq!(told(Some(json!([password, name]))), kind);
    assert_eq!(told(Some(json!([name, null]))), kind);
    assert_eq!(told(Some(json!([name, {"type": 1}]))), kind);
    let value = |value: Value| json!([{"type": "NameCallback", "input": [{"value": value}]}, password]);
    let wrong = (400, "Invalid value for NameCallback in JSON response".to_owned());
    assert_eq!(told(Some(value(json!(7)))), wrong);
    assert_eq!(told(Some(value(json!({"$ne": ""})))), wrong);
    assert_eq!(told(Some(value(json!("x".repeat(MAX_ANSWER_BYTES + 1))))), wrong);
    assert_eq!(answers(&asked, Some(&value(Value::Null))).expect("unanswered")[0].text(), "");
}

#[test]
fn choices_and_flags_come_in_two_spellings_and_within_bounds() {
    let ask = |callback: Callback, value: Value| {
        let shown = json!([{"type": callback.kind, "input": [{"value": value}]}]);
        answers(&[callback.asked()], Some(&shown)).ok().map(|given| given[0].clone())
    };
    let choose = |value: Value| ask(Callback::choice("", &texts(&["a", "b"]), 1), value).map(|given| given.choice());
    assert_eq!(choose(json!(0)), Some(0));
    assert_eq!(choose(json!("1")), Some(1));
    assert_eq!(choose(Value::Null), Some(1), "the default");
    for wrong in [json!(2), json!(-1), json!("x"), json!(0.5), json!([0]), json!(true)] {
        assert_eq!(choose(wrong.clone()), None, "{wrong}");
    }
    let accept = |value: Value| ask(Callback::terms("", "", ""), value).map(|given| given.flag(0));
    assert_eq!(accept(json!(true)), Some(true));
    assert_eq!(accept(json!("true")), Some(true));
    assert_eq!(accept(json!("")), Some(false));
    assert_eq!(accept(json!(1)), None);
}

proptest! {
    /// Whatever comes back, there is an answer to each callback or a 400.
    #[test]
    fn hostile_steps_are_refused_or_read(value in ".{0,12}", number in any::<f64>(), which in 0..24usize, shape in 0..5u8) {
        let (callback, ..) = catalogue().swap_remove(which);
        let value = match shape {
            0 => json!(value),
            1 => json!(number),
            2 => json!([value]),
            3 => json!({ value: number }),
            _ => json!(true),
        };
        let shown = json!([{"type": callback.kind, "input": [{"value": value}, {"value": value}]}]);
        match answers(&[callback.asked()], Some(&shown)) {
            Ok(given) => prop_assert_eq!(given[0].values().len(), callback.input.len()),
            Err(failure) => prop_assert_eq!(failure.status, 400),
        }
    }
}
