//! What scripts are for: contexts, their default scripts, and what code in them may touch (authn-sessions-realms.md e.2;
//! scripting.md §2.1, §3, §14).
//!
//! | path                                                                       | here                  |
//! |----------------------------------------------------------------------------|-----------------------|
//! | `/json/global-config/services/scripting`                                   | [`Scripting`]         |
//! | `/json/global-config/services/scripting/contexts[/{context}]`              | [`Contexts`]          |
//! | `…/contexts/{context}/engineConfiguration`                                 | [`Engine`]            |
//! | `/json/{realm}/contexts/{context}`                                         | [`Bindings`]          |
//!
//! Only JavaScript is a language here (scripting.md §20). What was never changed has no document.

use crate::{
    crest::{
        Call, Description, Error, Item, Listing, Match, Object, Operation, Query, Resource, Returned, Shape, Totals,
        Version, unchanged,
    },
    desk::{Desk, put},
    rest::{
        PlainCall,
        schema::{Attribute as A, EMPTY, LeftOut, Schema, Section},
        typed::{self, Pointed},
    },
};
use actix_web::HttpResponse;
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Seq};
use serde_json::{Value, json};

/// Default of scripted decision nodes.
pub const TREE_DECISION_SCRIPT: &str = "01e1a3c0-038b-4c16-956a-6c9d89328cff";

/// Where the contexts are served.
pub const PATH: &str = "global-config/services/scripting/contexts";

const ENGINE: &str = "engineConfiguration";

/// The language of all scripts.
pub const JAVASCRIPT: &str = "JAVASCRIPT";

/// Something that scripts are for.
#[derive(Debug)]
pub struct Context {
    /// `_id`
    pub id: &'static str,
    /// The script that runs when none is selected; [`EMPTY`] for none.
    pub default_script: &'static str,
    /// Which bindings there are; the first is what a script gets that names none of them.
    pub versions: &'static [&'static str],
}

const LEGACY: &[&str] = &["1.0"];
const NEXT: &[&str] = &["2.0"];
const BOTH: &[&str] = &["1.0", "2.0"];

const fn context(id: &'static str, default_script: &'static str, versions: &'static [&'static str]) -> Context {
    Context { id, default_script, versions }
}

/// The contexts; from `SAML2_NAMEID_MAPPER` on those of newer releases, so that imports keep them.
pub const CONTEXTS: &[Context] = &[
    context("POLICY_CONDITION", "9de3eb62-f131-4fac-a294-7bd170fd4acb", LEGACY),
    context("AUTHENTICATION_SERVER_SIDE", "7e3d7067-d50f-4674-8c76-a3e13a810c33", LEGACY),
    context(CLIENT_SIDE, EMPTY, LEGACY),
    context("AUTHENTICATION_TREE_DECISION_NODE", TREE_DECISION_SCRIPT, BOTH),
    context("CONFIG_PROVIDER_NODE", "5e854779-6ec1-4c39-aeba-0477e0986646", LEGACY),
    context("OIDC_CLAIMS", "36863ffb-40ec-48b9-94b1-9a99f71cc3b5", LEGACY),
    context("OAUTH2_ACCESS_TOKEN_MODIFICATION", "d22f9a0c-426a-4466-b95e-d0f125b0d5fa", LEGACY),
    context("OAUTH2_VALIDATE_SCOPE", "25e6c06d-cf70-473b-bd28-26931edc476b", LEGACY),
    context("OAUTH2_EVALUATE_SCOPE", "da56fe60-8b38-4c46-a405-d6b306d4b336", LEGACY),
    context("OAUTH2_AUTHORIZE_ENDPOINT_DATA_PROVIDER", "3f93ef6e-e54a-4393-aba1-f322656db28a", LEGACY),
    context("OAUTH2_MAY_ACT", EMPTY, LEGACY),
    context("OAUTH2_SCRIPTED_JWT_ISSUER", "400e48ba-3f13-4144-ac7b-f824ea8e98c5", LEGACY),
    context("SOCIAL_IDP_PROFILE_TRANSFORMATION", "1d475815-72cb-42eb-aafd-4026989d28a7", LEGACY),
    context("SAML2_IDP_ADAPTER", "248b8a56-df81-4b1b-b4ba-45d994f6504c", LEGACY),
    context("SAML2_IDP_ATTRIBUTE_MAPPER", "c4f22465-2368-4e27-8013-e6399974fd48", LEGACY),
    context("SAML2_SP_ADAPTER", "69f06e63-128c-4e2f-af52-079a8a6f448b", LEGACY),
    context(LIBRARY, EMPTY, NEXT),
    context("SAML2_NAMEID_MAPPER", "4a171d3a-056b-4ab7-a19f-d7e93ddf7ae5", LEGACY),
    context("SAML2_SP_ACCOUNT_MAPPER", EMPTY, NEXT),
    context("SAML2_IDP_ADAPTER_NEXTGEN", EMPTY, NEXT),
    context("SAML2_SP_ADAPTER_NEXTGEN", EMPTY, NEXT),
    context("SCRIPTED_DECISION_NODE", EMPTY, NEXT),
    context("NODE_DESIGNER", EMPTY, NEXT),
    context("OIDC_NODE", EMPTY, NEXT),
    context("SOCIAL_PROVIDER_HANDLER_NODE", EMPTY, NEXT),
    context("PINGONE_VERIFY_COMPLETION_DECISION_NODE", EMPTY, NEXT),
    context("POLICY_CONDITION_NEXT_GEN", EMPTY, NEXT),
    context("CONFIG_PROVIDER_NODE_NEXT_GEN", EMPTY, NEXT),
    context("OIDC_CLAIMS_NEXT_GEN", EMPTY, NEXT),
    context("OAUTH2_ACCESS_TOKEN_MODIFICATION_NEXT_GEN", EMPTY, NEXT),
    context("OAUTH2_VALIDATE_SCOPE_NEXT_GEN", EMPTY, NEXT),
    context("OAUTH2_EVALUATE_SCOPE_NEXT_GEN", EMPTY, NEXT),
    context("OAUTH2_AUTHORIZE_ENDPOINT_DATA_PROVIDER_NEXT_GEN", EMPTY, NEXT),
    context("OAUTH2_MAY_ACT_NEXT_GEN", EMPTY, NEXT),
    context("OAUTH2_SCRIPTED_JWT_ISSUER_NEXT_GEN", EMPTY, NEXT),
    context("OAUTH2_DYNAMIC_CLIENT_REGISTRATION", EMPTY, NEXT),
];

/// Scripts that browsers run: nothing here runs them, so there is no engine to configure.
const CLIENT_SIDE: &str = "AUTHENTICATION_CLIENT_SIDE";

/// Scripts that other scripts use.
pub const LIBRARY: &str = "LIBRARY";

/// A context by its id.
pub fn find(id: &str) -> Option<&'static Context> {
    CONTEXTS.iter().find(|context| context.id == id)
}

/// Classes that legacy scripts may use: those that an engine provides (scripting.md §14).
const CLASSES: &[&str] = &[
    "java.lang.Boolean",
    "java.lang.Double",
    "java.lang.Integer",
    "java.lang.Long",
    "java.lang.Math",
    "java.lang.Number",
    "java.lang.Object",
    "java.lang.String",
    "java.net.URI",
    "java.util.ArrayList",
    "java.util.Arrays",
    "java.util.Collections",
    "java.util.HashMap",
    "java.util.HashSet",
    "java.util.LinkedHashMap",
    "java.util.LinkedHashSet",
    "java.util.LinkedList",
    "java.util.Locale",
    "java.util.TreeMap",
    "java.util.TreeSet",
    "java.util.UUID",
    "com.iplanet.sso.SSOException",
    "com.iplanet.sso.SSOToken",
    "com.sun.identity.idm.AMIdentity",
    "com.sun.identity.idm.IdType",
    "org.forgerock.http.Client",
    "org.forgerock.http.protocol.*",
    "org.forgerock.json.JsonValue",
    "org.forgerock.oauth2.core.GrantType",
    "org.forgerock.oauth2.core.TrustedJwtIssuerConfig",
    "org.forgerock.oauth2.core.UserInfoClaims",
    "org.forgerock.oauth2.core.exceptions.*",
    "org.forgerock.openam.auth.node.api.Action",
    "org.forgerock.openidconnect.Claim",
    "org.forgerock.util.promise.*",
    "javax.security.auth.callback.*",
    "com.sun.identity.authentication.callbacks.*",
];

/// Classes that scripts of the next generation may use.
const NEXT_CLASSES: &[&str] = &["java.util.ArrayList", "java.util.HashSet"];

const FORBIDDEN: &[&str] = &["java.security.AccessController", "java.lang.Class", "java.lang.reflect.*"];

/// A name of a class, or of all in a package.
fn class(name: &str) -> bool {
    (1..=256).contains(&name.len()) && name.chars().all(|c| c.is_alphanumeric() || "._$*".contains(c))
}

static ENGINE_SCHEMA: Schema = flat(&[Section {
    name: "",
    title: "",
    bare: false,
    attributes: &[
        A::int("serverTimeout", "Server-side Script Timeout", 0, 0),
        A::int("coreThreads", "Core thread pool size", 1, 10),
        A::int("maxThreads", "Maximum thread pool size", 1, 50),
        A::int("queueSize", "Thread pool queue size", -1, 10),
        A::int("idleTimeout", "Thread idle timeout (seconds)", 0, 60),
        A::list_of("whiteList", "Java class whitelist", class, CLASSES),
        A::list_of("blackList", "Java class blacklist", class, FORBIDDEN),
        A::flag("useSecurityManager", "Use system SecurityManager", true),
        A::default_text("propertyNamePrefix", "System Environment Property Name Prefix", "script"),
    ],
}]);

const fn flat(sections: &'static [Section]) -> Schema {
    Schema { sections, opaque: &[] }
}

/// Where the document of a global setting is.
fn key(id: &str) -> DocumentKey {
    DocumentKey::new(&RealmPath::root(), Kind::GlobalService, &format!("scripting{id}"))
}

fn stored(desk: &Desk, key: &DocumentKey) -> (Option<Seq>, Object) {
    match desk.views().entry(key) {
        Some(entry) => (Some(entry.document.revision), entry.json().as_object().cloned().unwrap_or_default()),
        None => (None, Object::new()),
    }
}

/// Writes a setting that is always there, whether it has a document or not.
async fn write(
    call: &Call<'_>,
    key: DocumentKey,
    when: &Match,
    former: Option<Seq>,
    next: &Object,
) -> Result<Seq, Error> {
    let precondition = match former {
        Some(revision) => unchanged(when, &key.id, revision)?,
        None => unchanged(when, &key.id, Seq(0)).map(|_| Precondition::Absent)?,
    };
    Ok(call.write(put(key, precondition, &Value::Object(next.clone()), Vec::new(), false)).await?)
}

/// What a client may say, and what it sends back without meaning it.
fn known(content: &Object, names: &[&str]) -> Result<(), Error> {
    match content.keys().any(|name| !name.starts_with('_') && !names.contains(&name.as_str())) {
        true => Err(Error::invalid_attribute(names.iter().copied())),
        false => Ok(()),
    }
}

/// How engines of a context are limited: every attribute of `engineConfiguration`. Pass the barrier first.
pub fn engine_configuration(desk: &Desk, context: &Context) -> Object {
    ENGINE_SCHEMA.service(&stored(desk, &engine_key(context)).1)
}

/// The script that runs in a context when none is selected; `None` for none. Pass the barrier first.
pub fn default_script(desk: &Desk, context: &Context) -> Option<String> {
    let (_, stored) = stored(desk, &context_key(context));
    let script = stored.get("defaultScript").and_then(Value::as_str).unwrap_or(context.default_script);
    Some(script.to_owned()).filter(|script| script != EMPTY)
}

fn context_key(context: &Context) -> DocumentKey {
    key(&format!("/contexts/{}", context.id))
}

fn engine_key(context: &Context) -> DocumentKey {
    key(&format!("/contexts/{}/{ENGINE}", context.id))
}

/// `/json/global-config/services/scripting`.
pub struct Scripting;

impl Scripting {
    fn shown(revision: Option<Seq>, stored: &Object) -> Item {
        let context = stored.get("defaultContext").cloned().unwrap_or_else(|| "POLICY_CONDITION".into());
        let content = Object::from_iter([("defaultContext".to_owned(), context), ("_type".to_owned(), Self::marker())]);
        Item::new("", Some(revision.unwrap_or(Seq(0))), content)
    }

    fn marker() -> Value {
        json!({"_id": "scripting", "name": "Scripting", "collection": false})
    }
}

impl Resource for Scripting {
    fn shape(&self) -> Shape {
        Shape::Singleton
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn put_creates(&self) -> bool {
        false
    }

    async fn read(&self, call: &Call<'_>, _: &str) -> Result<Item, Error> {
        let (revision, stored) = stored(call.desk, &key(""));
        Ok(Self::shown(revision, &stored))
    }

    async fn update(&self, call: &Call<'_>, _: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        known(content, &["defaultContext"])?;
        let (revision, mut next) = stored(call.desk, &key(""));
        match content.get("defaultContext") {
            None => {}
            Some(Value::String(id)) if find(id).is_some() => {
                next.insert("defaultContext".into(), id.clone().into());
            }
            Some(_) => return Err(Error::invalid_value("Default Script Type")),
        }
        let revision = write(call, key(""), when, revision, &next).await?;
        Ok(Self::shown(Some(revision), &next))
    }

    async fn action(&self, _: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match name {
            "getType" => Ok(Self::marker().into()),
            "template" => Ok(json!({"defaultContext": "POLICY_CONDITION"}).into()),
            "schema" => {
                let ids: Vec<&str> = CONTEXTS.iter().map(|context| context.id).collect();
                Ok(json!({"type": "object", "properties": {"defaultContext": {"title": "Default Script Type",
                    "description": "", "propertyOrder": 100, "required": true, "type": "string", "enum": ids,
                    "exampleValue": ""}}})
                .into())
            }
            "getAllTypes" | "getCreatableTypes" => Ok(json!({"result": [Contexts::marker()]}).into()),
            "nextdescendents" => Ok(json!({"result": []}).into()),
            _ => Err(Error::unsupported_action(name)),
        }
    }
}

/// `/json/global-config/services/scripting/contexts`, and one of them.
pub struct Contexts;

impl Contexts {
    fn marker() -> Value {
        json!({"_id": "contexts", "name": "scriptContext", "collection": true})
    }

    fn shown(desk: &Desk, context: &Context) -> Item {
        let (revision, stored) = stored(desk, &context_key(context));
        Self::item(context, revision, &stored)
    }

    fn item(context: &Context, revision: Option<Seq>, stored: &Object) -> Item {
        let script = stored.get("defaultScript").cloned().unwrap_or_else(|| context.default_script.into());
        let content = Object::from_iter([
            ("languages".to_owned(), json!([JAVASCRIPT])),
            ("defaultScript".to_owned(), script),
            ("_type".to_owned(), Self::marker()),
        ]);
        Item::new(context.id, Some(revision.unwrap_or(Seq(0))), content)
    }
}

impl Resource for Contexts {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    /// There are no others.
    fn put_creates(&self) -> bool {
        false
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let context = find(id).ok_or_else(Error::not_found)?;
        Ok(Self::shown(call.desk, context))
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let context = find(id).ok_or_else(Error::not_found)?;
        known(content, &["defaultScript", "languages"])?;
        let (revision, mut next) = stored(call.desk, &context_key(context));
        match content.get("defaultScript") {
            None => {}
            Some(Value::String(script)) if script == EMPTY || uuid::Uuid::try_parse(script).is_ok() => {
                next.insert("defaultScript".into(), script.clone().into());
            }
            Some(_) => return Err(Error::invalid_value("Default Script")),
        }
        let revision = write(call, context_key(context), when, revision, &next).await?;
        Ok(Self::item(context, Some(revision), &next))
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        query.answer_all(CONTEXTS.iter().map(|context| Self::shown(call.desk, context)), Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, id: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match (id, name) {
            (_, "getType") => Ok(Self::marker().into()),
            (None, "nextdescendents") => {
                let all = CONTEXTS.iter().map(|context| Item { revision: None, ..Self::shown(call.desk, context) });
                Ok(json!({"result": all.map(|item| item.whole()).collect::<Vec<Value>>()}).into())
            }
            _ => Err(Error::unsupported_action(name)),
        }
    }
}

/// `…/contexts/{context}/engineConfiguration`.
pub struct Engine(&'static Context);

impl Engine {
    fn marker() -> Value {
        json!({"_id": ENGINE, "name": "Scripting engine configuration", "collection": false})
    }

    fn shown(revision: Option<Seq>, stored: &Object) -> Item {
        let mut content = ENGINE_SCHEMA.service(stored);
        content.insert("_type".into(), Self::marker());
        Item::new(ENGINE, Some(revision.unwrap_or(Seq(0))), content)
    }
}

impl Resource for Engine {
    fn shape(&self) -> Shape {
        Shape::Singleton
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn put_creates(&self) -> bool {
        false
    }

    async fn read(&self, call: &Call<'_>, _: &str) -> Result<Item, Error> {
        let (revision, stored) = stored(call.desk, &engine_key(self.0));
        Ok(Self::shown(revision, &stored))
    }

    async fn update(&self, call: &Call<'_>, _: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let key = engine_key(self.0);
        let (revision, former) = stored(call.desk, &key);
        let next = ENGINE_SCHEMA.read(content, LeftOut::Keep(&former))?.stored;
        let revision = write(call, key, when, revision, &next).await?;
        Ok(Self::shown(Some(revision), &next))
    }

    async fn action(&self, _: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match name {
            "getType" => Ok(Self::marker().into()),
            "template" => Ok(Value::Object(ENGINE_SCHEMA.template()).into()),
            "schema" => Ok(ENGINE_SCHEMA.json_schema().into()),
            _ => Err(Error::unsupported_action(name)),
        }
    }
}

/// Serves [`PATH`].
pub async fn handle(call: PlainCall) -> HttpResponse {
    typed::serve(call, PATH, |rest| match rest {
        [] => Ok(Pointed::whole(Contexts)),
        [context] => Ok(Pointed::member(Contexts, context)),
        [context, engine] if engine == ENGINE && context != CLIENT_SIDE => {
            find(context).map(|context| Pointed::whole(Engine(context))).ok_or_else(|| typed::nowhere(rest))
        }
        _ => Err(typed::nowhere(rest)),
    })
    .await
}

/// `/json/{realm}/contexts/{context}`: for editors.
pub struct Bindings;

impl Resource for Bindings {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection).can([Operation::Read])
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let context = find(id).ok_or_else(Error::not_found)?;
        let listed = engine_configuration(call.desk, context).get("whiteList").cloned().unwrap_or_default();
        let lists = context.versions.iter().map(|version| {
            let list = if *version == "2.0" { NEXT_CLASSES.into() } else { listed.clone() };
            ((*version).to_owned(), list)
        });
        let content = Object::from_iter([
            ("allowLists".to_owned(), Value::Object(lists.collect())),
            ("evaluatorVersions".to_owned(), json!({JAVASCRIPT: context.versions})),
        ]);
        Ok(Item::new(context.id, None, content))
    }
}
