//! What configuration looks like: attributes with their forms, labels and defaults, in sections; read from what clients
//! send, and shown in the shapes that clients expect (oauth2-config.md §2).
//!
//! | section | it says                                                       | here                |
//! |---------|---------------------------------------------------------------|---------------------|
//! | §2.1    | single GET and PUT: `{"inherited": …, "value": …}`            | [`Schema::wrapped`] |
//! | §2.2    | queries: plain values, unset ones `null`                      | [`Schema::plain`]   |
//! | §2.3    | services: plain values, unset ones left out                   | [`Schema::service`] |
//! | §2.4    | both on writes, strings for numbers and booleans, `[null]`    | [`Schema::read`]    |
//! | §2.4    | unknown attributes 400; `_id`, `*-encrypted` ignored          | [`Schema::read`]    |

use crate::crest::{Error, Object};
use serde_json::{Map, Value, json};

/// Largest integer: attributes are 32 bits wide.
const MAX_INT: i64 = i32::MAX as i64;

/// Most entries of a list or map.
const MAX_ENTRIES: usize = 1000;

/// Longest name of an attribute that is not listed, bytes.
const MAX_NAME_BYTES: usize = 255;

/// Most bytes of attributes of one section that are not listed.
const MAX_OTHER_BYTES: usize = 128 * 1024;

/// AM's word for "nothing selected"; round-trips.
pub const EMPTY: &str = "[Empty]";

/// What values an attribute has.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A boolean.
    Flag,
    /// An integer of at least this.
    Int(i64),
    /// A string that passes the check.
    Text(fn(&str) -> bool),
    /// One of these; case is ignored and this spelling stored.
    Choice(&'static [&'static str]),
    /// Strings that each pass the check.
    List(fn(&str) -> bool),
    /// Strings by name.
    Map,
    /// Known to the reference, and never set here: a value is refused, since it would promise what nobody keeps.
    Unset,
    /// Write-only: taken out by [`Schema::read`], never stored or shown here.
    Secret,
    /// Accepted and dropped; shown as unset.
    Dropped,
    /// The name of a group; never wrapped, never inherited (oauth2-config.md §2.1).
    Group,
    /// Stands for all attributes that are not listed: kept as they come, within bounds (oauth2-config.md §14.6).
    Others,
}

/// A default.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// None: the attribute is unset.
    None,
    /// A boolean.
    Flag(bool),
    /// An integer.
    Int(i64),
    /// A string.
    Text(&'static str),
    /// Strings.
    List(&'static [&'static str]),
    /// An empty map.
    Map,
}

impl Default {
    fn value(self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Flag(flag) => flag.into(),
            Self::Int(number) => number.into(),
            Self::Text(text) => text.into(),
            Self::List(list) => list.into(),
            Self::Map => Value::Object(Map::new()),
        }
    }
}

/// An attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its name in the console, and in errors.
    pub label: &'static str,
    /// What values it has.
    pub form: Form,
    /// What it has when nothing is said.
    pub default: Default,
}

impl Attribute {
    /// A boolean.
    pub const fn flag(name: &'static str, label: &'static str, default: bool) -> Self {
        Self { name, label, form: Form::Flag, default: Default::Flag(default) }
    }

    /// An integer.
    pub const fn int(name: &'static str, label: &'static str, least: i64, default: i64) -> Self {
        Self { name, label, form: Form::Int(least), default: Default::Int(default) }
    }

    /// Any string; unset by default.
    pub const fn text(name: &'static str, label: &'static str) -> Self {
        Self { name, label, form: Form::Text(any), default: Default::None }
    }

    /// A string that passes `check`; unset by default.
    pub const fn checked(name: &'static str, label: &'static str, check: fn(&str) -> bool) -> Self {
        Self { name, label, form: Form::Text(check), default: Default::None }
    }

    /// A string with a default.
    pub const fn default_text(name: &'static str, label: &'static str, default: &'static str) -> Self {
        Self { name, label, form: Form::Text(any), default: Default::Text(default) }
    }

    /// A string that passes `check`, with a default.
    pub const fn checked_or(
        name: &'static str,
        label: &'static str,
        check: fn(&str) -> bool,
        default: &'static str,
    ) -> Self {
        Self { name, label, form: Form::Text(check), default: Default::Text(default) }
    }

    /// One of `of`; an empty default is none.
    pub const fn choice(
        name: &'static str,
        label: &'static str,
        of: &'static [&'static str],
        default: &'static str,
    ) -> Self {
        let default = if default.is_empty() { Default::None } else { Default::Text(default) };
        Self { name, label, form: Form::Choice(of), default }
    }

    /// Any strings; none by default.
    pub const fn list(name: &'static str, label: &'static str) -> Self {
        Self::list_of(name, label, any, &[])
    }

    /// Strings that pass `check`.
    pub const fn list_of(
        name: &'static str,
        label: &'static str,
        check: fn(&str) -> bool,
        default: &'static [&'static str],
    ) -> Self {
        Self { name, label, form: Form::List(check), default: Default::List(default) }
    }

    /// Strings by name; empty by default.
    pub const fn map(name: &'static str, label: &'static str) -> Self {
        Self { name, label, form: Form::Map, default: Default::Map }
    }

    /// See [`Form::Unset`].
    pub const fn unset(name: &'static str, label: &'static str) -> Self {
        Self { name, label, form: Form::Unset, default: Default::None }
    }

    /// See [`Form::Secret`].
    pub const fn secret(name: &'static str, label: &'static str) -> Self {
        Self { name, label, form: Form::Secret, default: Default::None }
    }

    /// See [`Form::Dropped`].
    pub const fn dropped(name: &'static str, label: &'static str) -> Self {
        Self { name, label, form: Form::Dropped, default: Default::None }
    }

    /// See [`Form::Group`].
    pub const fn group(name: &'static str, label: &'static str) -> Self {
        Self { name, label, form: Form::Group, default: Default::None }
    }

    /// See [`Form::Others`].
    pub const fn others(label: &'static str) -> Self {
        Self { name: "", label, form: Form::Others, default: Default::None }
    }

    /// Whether it is never wrapped (§2.1).
    fn is_bare(&self) -> bool {
        matches!(self.form, Form::Secret | Form::Unset | Form::Group)
    }

    /// Whether a group may say it: not the secret, not the group (§10).
    pub fn is_shared(&self) -> bool {
        !self.is_bare()
    }

    /// A value as it is stored, `null` for unset; §2.4.
    fn coerce(&self, value: &Value) -> Result<Value, Error> {
        let coerced = match (self.form, value) {
            (_, Value::Null) => return Ok(self.default.value()),
            (Form::Text(_) | Form::Choice(_) | Form::Unset | Form::Group, Value::String(text)) if text.is_empty() => {
                return Ok(self.default.value());
            }
            (Form::Flag, Value::Bool(_)) => Some(value.clone()),
            (Form::Flag, Value::String(text)) if text.eq_ignore_ascii_case("true") => Some(true.into()),
            (Form::Flag, Value::String(text)) if text.eq_ignore_ascii_case("false") => Some(false.into()),
            (Form::Int(least), Value::Number(number)) => integer(number.as_i64(), least),
            (Form::Int(least), Value::String(text)) => integer(text.parse().ok(), least),
            (Form::Text(check), Value::String(text)) => check(text).then(|| value.clone()),
            (Form::Group, Value::String(text)) => super::identity::is_name(text).then(|| value.clone()),
            (Form::Choice(of), Value::String(text)) => choose(of, text),
            (Form::Choice(of), Value::Bool(flag)) => choose(of, &flag.to_string()),
            (Form::List(check), Value::Array(values)) => list(values, check),
            (Form::List(check), Value::String(_)) => list(std::slice::from_ref(value), check),
            (Form::Map, Value::Object(map)) => {
                (map.len() <= MAX_ENTRIES && map.values().all(Value::is_string)).then(|| value.clone())
            }
            _ => None,
        };
        coerced.ok_or_else(|| Error::invalid_value(self.label))
    }

    fn json_schema(&self, order: usize) -> Value {
        let (kind, more) = match self.form {
            Form::Flag => ("boolean", json!({})),
            Form::Int(_) => ("integer", json!({})),
            Form::List(_) => ("array", json!({"items": {"type": "string"}})),
            Form::Map => ("object", json!({"patternProperties": {".*": {"type": "string"}}})),
            Form::Choice(of) => ("string", json!({"enum": of})),
            Form::Secret => ("string", json!({"format": "password"})),
            Form::Text(_) | Form::Unset | Form::Dropped | Form::Group | Form::Others => ("string", json!({})),
        };
        let mut schema = json!({
            "title": self.label, "description": "", "propertyOrder": order * 100, "required": false, "type": kind,
            "exampleValue": "",
        });
        if let (Value::Object(schema), Value::Object(more)) = (&mut schema, more) {
            schema.extend(more);
        }
        schema
    }
}

fn integer(number: Option<i64>, least: i64) -> Option<Value> {
    number.filter(|number| (least..=MAX_INT).contains(number)).map(Value::from)
}

fn choose(of: &[&str], text: &str) -> Option<Value> {
    of.iter().find(|known| known.eq_ignore_ascii_case(text)).map(|known| (*known).into())
}

fn list(values: &[Value], check: fn(&str) -> bool) -> Option<Value> {
    let mut strings: Vec<Value> = Vec::new();
    for value in values.iter().filter(|value| !value.is_null()) {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        if !check(&text) {
            return None;
        }
        // A list is a set: what stands in it twice stands in it once.
        let text = Value::String(text);
        if !strings.contains(&text) {
            strings.push(text);
        }
    }
    (strings.len() <= MAX_ENTRIES).then_some(Value::Array(strings))
}

/// Accepts any string.
pub fn any(_: &str) -> bool {
    true
}

/// Attributes under one name.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The name; empty for attributes that stand at the top.
    pub name: &'static str,
    /// Its name in the console.
    pub title: &'static str,
    /// Whether its values are never wrapped (§2.1).
    pub bare: bool,
    /// Its attributes.
    pub attributes: &'static [Attribute],
}

/// All attributes of a type.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// In the order of the console.
    pub sections: &'static [Section],
    /// Sections that are kept as they come: known to newer releases of the reference, and read by nobody here.
    pub opaque: &'static [&'static str],
}

/// What happens to attributes that are left out.
#[derive(Clone, Copy, Debug)]
pub enum LeftOut<'s> {
    /// They get their defaults.
    Default,
    /// They stay as they are stored.
    Keep(&'s Object),
}

/// What was read. No `Debug`: a secret may be in it.
pub struct Read {
    /// Plain values, ready to be stored; unset ones are left out.
    pub stored: Object,
    /// A secret that came along; `None` when nothing was said about it.
    pub secret: Option<String>,
}

/// Members that clients send back and servers own (§2.4).
fn is_ignored(name: &str) -> bool {
    ["_id", "_rev", "_type", "_provider"].contains(&name) || name.ends_with("-encrypted")
}

/// `{"inherited": …, "value": …}` without its wrapping.
fn unwrapped(value: &Value) -> &Value {
    match value {
        Value::Object(wrapped) if wrapped.get("inherited").is_some_and(Value::is_boolean) => {
            wrapped.get("value").unwrap_or(&Value::Null)
        }
        plain => plain,
    }
}

/// An attribute, by its section and its name.
pub type Place = (&'static str, &'static str);

/// What was read of something that may inherit (§2, §10).
pub struct ReadHeir {
    /// What it says itself.
    pub own: Read,
    /// What it wants to inherit.
    pub inherited: Vec<Place>,
}

impl Schema {
    /// Reads what a client sends.
    ///
    /// # Errors
    /// 400 for unknown attributes and for values that an attribute does not have.
    pub fn read(&self, content: &Object, left_out: LeftOut<'_>) -> Result<Read, Error> {
        let mut read = Read { stored: Object::new(), secret: None };
        let nothing = Object::new();
        let top: Vec<&str> =
            self.sections.iter().flat_map(Section::members).chain(self.opaque.iter().copied()).collect();
        let open = self.sections.iter().any(|section| section.name.is_empty() && section.is_open());
        if !open && content.keys().any(|name| !is_ignored(name) && !top.contains(&name.as_str())) {
            return Err(Error::invalid_attribute(top));
        }
        for section in self.sections {
            let given = match (section.name, content.get(section.name)) {
                ("", _) => content,
                (_, None | Some(Value::Null)) => &nothing,
                (_, Some(Value::Object(given))) => given,
                (_, Some(_)) => return Err(Error::invalid_value(section.title)),
            };
            let names = || section.attributes.iter().map(|attribute| attribute.name);
            let closed = !section.name.is_empty() && !section.is_open();
            if closed && given.keys().any(|name| !is_ignored(name) && !names().any(|n| n == name)) {
                return Err(Error::invalid_attribute(names()));
            }
            let kept = match left_out {
                LeftOut::Default => None,
                LeftOut::Keep(stored) => section.of(stored),
            };
            let mut values = Object::new();
            for attribute in section.attributes {
                let value = match (given.get(attribute.name), kept) {
                    (Some(given), _) => unwrapped(given),
                    (None, Some(kept)) => kept.get(attribute.name).unwrap_or(&Value::Null),
                    (None, None) => &Value::Null,
                };
                match attribute.form {
                    Form::Dropped => {}
                    Form::Secret => {
                        if let Some(secret) = secret(attribute, value)? {
                            read.secret = Some(secret);
                        }
                    }
                    Form::Others => {
                        let known = |name: &str| names().chain(top.iter().copied()).any(|known| known == name);
                        values.extend(others(attribute, given, known)?);
                    }
                    _ => {
                        let value = attribute.coerce(value)?;
                        if !value.is_null() {
                            values.insert(attribute.name.into(), value);
                        }
                    }
                }
            }
            if section.name.is_empty() {
                read.stored.extend(values);
            } else {
                read.stored.insert(section.name.into(), Value::Object(values));
            }
        }
        for name in self.opaque {
            let kept = match left_out {
                LeftOut::Default => None,
                LeftOut::Keep(stored) => stored.get(*name),
            };
            if let Some(value) = content.get(*name).or(kept) {
                read.stored.insert((*name).into(), value.clone());
            }
        }
        Ok(read)
    }

    /// As [`read`](Self::read) with defaults for what is left out, and what is to be inherited.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_heir(&self, content: &Object) -> Result<ReadHeir, Error> {
        let own = self.read(content, LeftOut::Default)?;
        let wants = |(section, name): &Place| {
            let given = Self::given(content, (section, name));
            given.and_then(|given| given.get("inherited")).and_then(Value::as_bool).unwrap_or(false)
        };
        Ok(ReadHeir { own, inherited: self.heritable().filter(wants).collect() })
    }

    /// What may be inherited.
    pub fn heritable(&self) -> impl Iterator<Item = Place> {
        self.sections.iter().filter(|section| !section.bare).flat_map(|section| {
            let can = |attribute: &&Attribute| {
                attribute.is_shared() && !matches!(attribute.form, Form::Dropped | Form::Others)
            };
            section.attributes.iter().filter(can).map(|attribute| (section.name, attribute.name))
        })
    }

    /// What a client sends for an attribute, as it sends it.
    pub fn given<'c>(content: &'c Object, (section, name): Place) -> Option<&'c Value> {
        let group = if section.is_empty() { Some(content) } else { content.get(section).and_then(Value::as_object) };
        group?.get(name)
    }

    /// §2.1.
    pub fn wrapped(&self, stored: &Object) -> Object {
        self.wrapped_heir(stored, |_| false)
    }

    /// §2.1, of something whose inherited values stand in it already.
    pub fn wrapped_heir(&self, stored: &Object, inherits: impl Fn((&str, &str)) -> bool) -> Object {
        self.show(stored, |section, attribute, value| match (value, section.bare || attribute.is_bare()) {
            (Value::Null, true) if section.bare => Some(Value::Null),
            (Value::Null, true) => None,
            (value, true) => Some(value),
            (Value::Null, false) => Some(json!({"inherited": inherits((section.name, attribute.name))})),
            (value, false) => Some(json!({"inherited": inherits((section.name, attribute.name)), "value": value})),
        })
    }

    /// §2.2.
    pub fn plain(&self, stored: &Object) -> Object {
        self.show(stored, |_, _, value| Some(value))
    }

    /// §2.3.
    pub fn service(&self, stored: &Object) -> Object {
        self.show(stored, |_, _, value| Some(value).filter(|value| !value.is_null()))
    }

    /// The defaults, plain.
    pub fn template(&self) -> Object {
        self.plain(&Object::new())
    }

    /// Secrets are never among what is shown: their values are not stored here, and their names only appear where the
    /// reference shows a `null`.
    fn show(&self, stored: &Object, shape: impl Fn(&Section, &Attribute, Value) -> Option<Value>) -> Object {
        let mut shown = Object::new();
        for section in self.sections {
            let own = section.of(stored);
            let mut values = Object::new();
            for attribute in section.attributes {
                let value = match attribute.form {
                    Form::Secret => continue,
                    Form::Others => {
                        let others = own.into_iter().flatten().filter(|(name, _)| !self.is_listed(section, name));
                        values.extend(others.filter_map(|(name, value)| {
                            Some((name.clone(), shape(section, attribute, value.clone())?))
                        }));
                        continue;
                    }
                    Form::Dropped => None,
                    _ => own.and_then(|own| own.get(attribute.name)).cloned(),
                };
                let value = value.unwrap_or_else(|| attribute.default.value());
                if let Some(value) = shape(section, attribute, value) {
                    values.insert(attribute.name.into(), value);
                }
            }
            if section.name.is_empty() {
                shown.extend(values);
            } else {
                shown.insert(section.name.into(), Value::Object(values));
            }
        }
        for name in self.opaque {
            if let Some(value) = stored.get(*name) {
                shown.insert((*name).into(), value.clone());
            }
        }
        shown
    }

    /// Whether `name` is an attribute of its own in `section`, or something else that stands beside such.
    fn is_listed(&self, section: &Section, name: &str) -> bool {
        let beside = |other: &Section| section.name.is_empty() && other.name == name;
        name.starts_with('_')
            || section.attributes.iter().any(|attribute| attribute.name == name)
            || self.sections.iter().any(beside)
    }

    /// JSON schema for consoles.
    pub fn json_schema(&self) -> Value {
        let mut properties = Object::new();
        for (order, section) in self.sections.iter().enumerate() {
            let own = section
                .attributes
                .iter()
                .enumerate()
                .filter(|(_, attribute)| !matches!(attribute.form, Form::Dropped | Form::Unset | Form::Others));
            let own = own.map(|(order, attribute)| (attribute.name.to_owned(), attribute.json_schema(order + 1)));
            if section.name.is_empty() {
                properties.extend(own);
            } else {
                let own: Object = own.collect();
                let schema =
                    json!({"type": "object", "title": section.title, "propertyOrder": order, "properties": own});
                properties.insert(section.name.into(), schema);
            }
        }
        json!({"type": "object", "properties": properties})
    }
}

impl Section {
    /// The members that it has at the top of a body.
    fn members(&self) -> Vec<&'static str> {
        match self.name {
            "" => self.attributes.iter().map(|attribute| attribute.name).filter(|name| !name.is_empty()).collect(),
            name => vec![name],
        }
    }

    /// Whether it takes attributes that are not listed.
    fn is_open(&self) -> bool {
        self.attributes.iter().any(|attribute| matches!(attribute.form, Form::Others))
    }

    /// Its values in a stored body.
    fn of<'s>(&self, stored: &'s Object) -> Option<&'s Object> {
        match self.name {
            "" => Some(stored),
            name => stored.get(name)?.as_object(),
        }
    }
}

/// The attributes of `given` that are not listed, as they are kept. Names that servers own are refused, and what sounds like a
/// secret is dropped wherever it stands: nobody here would use it, and the log keeps none in the clear (G5).
fn others(attribute: &Attribute, given: &Object, known: impl Fn(&str) -> bool) -> Result<Object, Error> {
    let invalid = || Error::invalid_value(attribute.label);
    let mut kept = Object::new();
    let mut bytes = 0;
    for (name, value) in given.iter().filter(|(name, _)| !is_ignored(name) && !known(name)) {
        if name.starts_with('_') || name.len() > MAX_NAME_BYTES || kept.len() >= MAX_ENTRIES {
            return Err(invalid());
        }
        let value = without_secrets(unwrapped(value));
        bytes += name.len() + value.to_string().len();
        if bytes > MAX_OTHER_BYTES {
            return Err(invalid());
        }
        if !value.is_null() && !is_secret_name(name) {
            kept.insert(name.clone(), value);
        }
    }
    Ok(kept)
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "privatekey", "passphrase", "credential"].iter().any(|word| name.contains(word))
}

fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let open = members.iter().filter(|(name, _)| !is_secret_name(name));
            Value::Object(open.map(|(name, value)| (name.clone(), without_secrets(value))).collect())
        }
        Value::Array(values) => values.iter().map(without_secrets).collect(),
        plain => plain.clone(),
    }
}

fn secret(attribute: &Attribute, value: &Value) -> Result<Option<String>, Error> {
    match value {
        Value::Null => Ok(None),
        Value::String(secret) if super::identity::is_secret(secret) => Ok(Some(secret.clone())),
        _ => Err(Error::invalid_value(attribute.label)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: Schema = Schema {
        sections: &[
            Section {
                name: "core",
                title: "Core",
                bare: false,
                attributes: &[
                    Attribute::flag("on", "On", true),
                    Attribute::int("life", "Life (seconds)", -1, 7),
                    Attribute::text("uri", "URI"),
                    Attribute::choice("kind", "Kind", &["One", "Two"], "One"),
                    Attribute::list("names", "Names"),
                    Attribute::secret("password", "Password"),
                    Attribute::unset("group", "Group"),
                ],
            },
            Section { name: "bare", title: "Bare", bare: true, attributes: &[Attribute::text("script", "Script")] },
            Section { name: "", title: "", bare: false, attributes: &[Attribute::map("map", "Map")] },
        ],
        opaque: &["newer"],
    };

    fn object(value: &Value) -> Object {
        value.as_object().cloned().expect("an object")
    }

    fn read(content: Value) -> Result<Value, String> {
        let read = SCHEMA.read(&object(&content), LeftOut::Default);
        read.map(|read| Value::Object(read.stored)).map_err(|e| e.message().to_owned())
    }

    fn defaults() -> Value {
        json!({"core": {"on": true, "life": 7, "kind": "One", "names": []}, "bare": {}, "map": {}})
    }

    #[test]
    fn wrapped_and_bare_values_read_alike() {
        assert_eq!(read(json!({})), Ok(defaults()));
        let wrapped = json!({"core": {
            "on": {"inherited": false, "value": "FALSE"}, "life": {"inherited": true, "value": "-1"},
            "uri": {"inherited": false}, "kind": "two", "names": {"inherited": false, "value": [null, "a", 5, "a"]},
        }, "map": {"inherited": false, "value": {"a": "b"}}, "newer": {"any": [1]}, "_id": "x", "_rev": "1",
            "password-encrypted": "x"});
        let mut expected = defaults();
        expected["core"] = json!({"on": false, "life": -1, "kind": "Two", "names": ["a", "5"]});
        expected["map"] = json!({"a": "b"});
        expected["newer"] = json!({"any": [1]});
        assert_eq!(read(wrapped), Ok(expected));
        let mut single = defaults();
        single["core"]["names"] = json!(["only"]);
        assert_eq!(read(json!({"core": {"names": "only", "kind": "", "life": null}})), Ok(single));
    }

    #[test]
    fn what_an_attribute_does_not_have_is_refused() {
        let invalid = |label: &str| Err(format!("Data validation failed for the attribute, {label}"));
        for (attribute, value, label) in [
            ("on", json!("yes"), "On"),
            ("life", json!(-2), "Life (seconds)"),
            ("life", json!(1.5), "Life (seconds)"),
            ("life", json!(1u64 << 40), "Life (seconds)"),
            ("kind", json!("Three"), "Kind"),
            ("names", json!([{"a": 1}]), "Names"),
            ("names", json!({"a": 1}), "Names"),
            ("password", json!(""), "Password"),
            ("password", json!(7), "Password"),
            ("group", json!("g"), "Group"),
        ] {
            assert_eq!(read(json!({"core": {attribute: value}})), invalid(label), "{attribute}");
        }
        assert_eq!(read(json!({"map": {"a": 1}})), invalid("Map"));
        assert_eq!(read(json!({"core": []})), invalid("Core"));
        for unknown in [
            json!({"isAdmin": true}),
            json!({"core": {"isAdmin": true}}),
            json!({"on": true}),
            json!({"_verifier": "x"}),
        ] {
            assert_eq!(read(unknown), Err("Invalid attribute specified.".into()));
        }
    }

    #[test]
    fn what_is_left_out_stays_where_it_should() {
        let stored = object(&json!({"core": {"on": false, "uri": "u"}, "map": {"a": "b"}, "newer": 1}));
        let content = object(&json!({"core": {"life": 9, "password": "s3cret"}}));
        let read = SCHEMA.read(&content, LeftOut::Keep(&stored)).expect("reads");
        let core = json!({"on": false, "life": 9, "uri": "u", "kind": "One", "names": []});
        assert_eq!(Value::Object(read.stored), json!({"core": core, "bare": {}, "map": {"a": "b"}, "newer": 1}));
        assert_eq!(read.secret.as_deref(), Some("s3cret"));
    }

    /// §2.1 to §2.3: three shapes of one thing.
    #[test]
    fn each_reader_gets_its_shape() {
        let stored = object(&json!({"core": {"on": false}, "bare": {}}));
        let set = |value: Value| json!({"inherited": false, "value": value});
        assert_eq!(
            Value::Object(SCHEMA.wrapped(&stored)),
            json!({
                "core": {"on": set(json!(false)), "life": set(json!(7)), "uri": {"inherited": false},
                    "kind": set(json!("One")), "names": set(json!([]))},
                "bare": {"script": null}, "map": set(json!({})),
            })
        );
        assert_eq!(
            Value::Object(SCHEMA.plain(&stored)),
            json!({"core": {"on": false, "life": 7, "uri": null, "kind": "One", "names": [], "group": null},
                "bare": {"script": null}, "map": {}})
        );
        assert_eq!(
            Value::Object(SCHEMA.service(&stored)),
            json!({"core": {"on": false, "life": 7, "kind": "One", "names": []}, "bare": {}, "map": {}})
        );
    }
}
