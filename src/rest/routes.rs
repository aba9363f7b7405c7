//! Which path is which resource (crest.md §1, §12).

use crate::{
    crest::{Error, Params, Resource, Served, Shape, percent},
    desk::Desk,
    realms::{address, from_parameter},
    views::Row,
};
use actix_web::{HttpRequest, HttpResponse, web::Bytes};
use futures_util::future::LocalBoxFuture;
use quorate_raft::{Kind, RealmPath};
use std::{cell::RefCell, collections::HashMap, future::Future, rc::Rc};

/// Longest path that is looked at, bytes.
const MAX_PATH_BYTES: usize = 4096;

/// Whether an endpoint exists once, or in every realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Not addressed through a realm.
    Global,
    /// Addressed through a realm, in any form of [`crate::realms`].
    Realm,
}

/// Whether a plain handler wants the check of crest.md §14 done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Csrf {
    /// A change needs `X-Requested-With` or `Accept-API-Version`; else 403.
    Checked,
    /// The handler has its own means.
    Own,
}

/// What a plain handler gets. Neither session nor barrier: it does both itself.
pub struct PlainCall {
    /// Decisions, views, passwords.
    pub desk: Desk,
    /// The realm that is addressed; it exists.
    pub realm: RealmPath,
    /// The request, any method.
    pub request: HttpRequest,
    /// Its body, bounded.
    pub body: Bytes,
    /// Path elements below the endpoint, decoded.
    pub rest: Vec<String>,
}

type Handler = Rc<dyn Fn(PlainCall) -> LocalBoxFuture<'static, HttpResponse>>;

/// What an endpoint is.
#[derive(Clone)]
pub(super) enum Target {
    Resource(Rc<dyn Served>),
    /// A resource below another one: made for what stands in the path for `{…}`.
    Below(Rc<dyn Fn(&[String]) -> Rc<dyn Served>>),
    Plain {
        csrf: Csrf,
        handler: Handler,
    },
}

struct Route {
    scope: Scope,
    template: Vec<String>,
    target: Target,
}

/// The table of endpoints.
#[derive(Default)]
pub struct Routes {
    table: Vec<Route>,
    /// Paths of endpoints themselves, as they came, and where they lead: they are few, and asked for again and again. What
    /// is below them, of which there is no end, is not remembered.
    known: RefCell<HashMap<Box<str>, Known>>,
}

/// Most paths that are remembered. Realms come and go, and a caller may invent any number of them.
const MAX_KNOWN: usize = 512;

struct Known {
    /// Position in the table.
    route: usize,
    realm: Named,
    path: String,
}

/// A path, taken apart.
pub(super) struct Found {
    /// A resource or a plain handler.
    pub target: Target,
    pub realm: Named,
    /// What is below the endpoint, decoded.
    pub rest: Vec<String>,
    /// Endpoint and the rest, for messages.
    pub path: String,
}

/// The realm that a path names; the `realm` parameter may override it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// None can be named.
    Global,
    /// `realms/root/…`: wins over the parameter.
    Absolute(RealmPath),
    /// The legacy form, and the whole path for the error.
    Legacy(RealmPath, String),
    /// No realm in the path.
    Nowhere,
}

impl Routes {
    /// Adds a resource at `path`: its collection, and its instances one element below.
    #[must_use]
    pub fn resource(self, scope: Scope, path: &str, resource: impl Resource) -> Self {
        self.add(scope, path, Target::Resource(Rc::new(resource)))
    }

    /// Adds a resource below another one, at a path in which `{…}` stands for an id: `users/{user}/groups`. `make` makes it of
    /// these ids.
    #[must_use]
    pub fn below<R: Resource>(self, scope: Scope, path: &str, make: impl Fn(&[String]) -> R + 'static) -> Self {
        self.add(scope, path, Target::Below(Rc::new(move |ids| Rc::new(make(ids)))))
    }

    /// Adds a handler that is not a resource; it gets `path` and everything below that is nothing else.
    #[must_use]
    pub fn plain<F, A>(self, scope: Scope, path: &str, csrf: Csrf, handler: F) -> Self
    where
        F: Fn(PlainCall) -> A + 'static,
        A: Future<Output = HttpResponse> + 'static,
    {
        let handler: Handler = Rc::new(move |call| Box::pin(handler(call)));
        self.add(scope, path, Target::Plain { csrf, handler })
    }

    fn add(mut self, scope: Scope, path: &str, target: Target) -> Self {
        self.table.push(Route { scope, template: path.split('/').map(str::to_owned).collect(), target });
        self
    }

    /// The first path elements of endpoints: no realm may be named like that.
    #[cfg(test)]
    pub(super) fn first_elements(&self) -> impl Iterator<Item = &str> {
        self.table.iter().filter_map(|route| route.template.first().map(String::as_str))
    }

    /// The paths of all endpoints, in the order they were added: for tests that every one has a test.
    #[cfg(test)]
    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        self.table.iter().map(|route| route.template.join("/"))
    }

    /// The endpoint with the longest template that `path` starts with.
    fn endpoint(&self, scope: Scope, path: &[String]) -> Option<(usize, &Route)> {
        let fits = |(_, route): &(usize, &Route)| {
            route.scope == scope
                && route.template.len() <= path.len()
                && route.template.iter().zip(path).all(|(t, element)| is_id(t) || t.eq_ignore_ascii_case(element))
        };
        self.table.iter().enumerate().filter(fits).max_by_key(|(_, route)| route.template.len())
    }

    /// Finds what `path`, raw and below `/json`, points at.
    ///
    /// # Errors
    /// 400 for a path that is none, 404 for one that leads nowhere.
    pub(super) fn find(&self, path: &str) -> Result<Found, Error> {
        if let Some(Known { route, realm, path }) = self.known.borrow().get(path)
            && let Some(Route { target, .. }) = self.table.get(*route)
        {
            return Ok(Found { target: target.clone(), realm: realm.clone(), rest: Vec::new(), path: path.clone() });
        }
        let (route, found) = self.look(path)?;
        let has_ids = self.table.get(route).is_none_or(|route| matches!(route.target, Target::Below(_)));
        if found.rest.is_empty() && !has_ids {
            let mut known = self.known.borrow_mut();
            if known.len() >= MAX_KNOWN {
                known.clear();
            }
            known.insert(path.into(), Known { route, realm: found.realm.clone(), path: found.path.clone() });
        }
        Ok(found)
    }

    /// As [`find`](Self::find), and at which position of the table it was found.
    fn look(&self, path: &str) -> Result<(usize, Found), Error> {
        let path = path.trim_matches('/');
        let raw: Vec<&str> = path.split('/').collect();
        if path.len() > MAX_PATH_BYTES || (raw.len() > 1 && raw.iter().any(|element| element.is_empty())) {
            return Err(Error::plain(400));
        }
        let elements: Vec<String> = raw
            .iter()
            .map(|element| percent::decode(element).filter(|element| !element.contains('\0')))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::plain(400))?;
        if let Some((at, route)) = self.endpoint(Scope::Global, &elements) {
            return Ok((at, found(route, Named::Global, &elements)?));
        }
        // An element that decodes to a separator stays as it came: then it is no realm (AD-01).
        let is_root = |n: usize, element: &str| {
            n == 1 && element.eq_ignore_ascii_case("root") && elements.first().is_some_and(|first| first == "realms")
        };
        let levels: Vec<&str> = raw
            .iter()
            .zip(&elements)
            .enumerate()
            .map(|(n, (raw, element))| match element {
                element if is_root(n, element) => "root",
                element if element.contains(['/', '?', '#', '%', '\\']) => raw,
                element => element.as_str(),
            })
            .collect();
        let tail = |rest: &str| {
            let count = if rest.is_empty() { 0 } else { rest.split('/').count() };
            elements.get(elements.len().saturating_sub(count)..).unwrap_or_default()
        };
        let joined = levels.join("/");
        let whole = elements.join("/");
        let is_endpoint = |rest: &str| self.endpoint(Scope::Realm, tail(rest)).is_some();
        let addressed = address(&joined, is_endpoint).ok_or_else(|| Error::no_route(&whole))?;
        let rest = tail(addressed.rest);
        let named = match addressed.realm {
            Some(realm) if elements.first().is_some_and(|first| first == "realms") => Named::Absolute(realm),
            Some(realm) => Named::Legacy(realm, whole),
            None => Named::Nowhere,
        };
        let (at, route) = self.endpoint(Scope::Realm, rest).ok_or_else(|| Error::no_route(&rest.join("/")))?;
        Ok((at, found(route, named, rest)?))
    }
}

/// Whether an element of a template stands for an id.
fn is_id(template: &str) -> bool {
    template.starts_with('{')
}

fn found(route: &Route, realm: Named, elements: &[String]) -> Result<Found, Error> {
    let rest = elements.get(route.template.len()..).unwrap_or_default();
    let target = match &route.target {
        Target::Below(make) => {
            let named = route.template.iter().zip(elements).filter(|(t, _)| is_id(t));
            let ids: Vec<String> = named.map(|(_, element)| element.clone()).collect();
            Target::Resource(make(&ids))
        }
        target => target.clone(),
    };
    let deepest = match &target {
        Target::Resource(resource) if resource.shape() == Shape::Collection => 1,
        Target::Resource(_) | Target::Below(_) => 0,
        Target::Plain { .. } => usize::MAX,
    };
    if rest.len() > deepest {
        return Err(Error::no_route(&rest.join("/")));
    }
    Ok(Found { target, realm, rest: rest.to_vec(), path: elements.join("/") })
}

impl Named {
    /// The realm, as it is stored.
    ///
    /// # Errors
    /// 404 or, for one that the parameter names, 400, when it does not exist; 503 without quorum.
    pub(super) async fn resolve(self, desk: &Desk, params: &Params) -> Result<RealmPath, Error> {
        let parameter = params.get("realm");
        match (self, parameter) {
            (Self::Global, _) => Ok(RealmPath::root()),
            (Self::Absolute(realm), _) => {
                existing(desk, &realm, Aliases::No).await?.ok_or_else(|| Error::no_realm(realm.as_str()))
            }
            (Self::Legacy(..) | Self::Nowhere, Some(value)) => {
                let invalid = || Error::bad_request(format!("Invalid realm, {value}"));
                let realm = from_parameter(value).ok_or_else(invalid)?;
                existing(desk, &realm, Aliases::Yes).await?.ok_or_else(invalid)
            }
            (Self::Legacy(realm, whole), None) => {
                existing(desk, &realm, Aliases::Yes).await?.ok_or_else(|| Error::no_route(&whole))
            }
            (Self::Nowhere, None) => Ok(RealmPath::root()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Aliases {
    Yes,
    No,
}

/// `realm` in the spelling that is stored: names ignore case (crest.md §12.3), and where a realm stands alone it may be an
/// alias. The exact name wins.
async fn existing(desk: &Desk, realm: &RealmPath, aliases: Aliases) -> Result<Option<RealmPath>, Error> {
    if *realm == RealmPath::root() {
        return Ok(Some(RealmPath::root()));
    }
    desk.barrier().await?;
    if desk.realm_exists(realm) {
        return Ok(Some(realm.clone()));
    }
    let all = desk.rows(&RealmPath::root(), Kind::Realm);
    if let Some(row) = all.iter().find(|row| row.id.eq_ignore_ascii_case(realm.as_str())) {
        return Ok(Some(RealmPath(row.id.clone())));
    }
    let alias = realm.as_str().trim_start_matches('/');
    if aliases == Aliases::No || alias.contains('/') {
        return Ok(None);
    }
    let goes_by = |row: &&Row| {
        let names = row.entry.json().get("aliases").and_then(|aliases| aliases.as_array());
        names.is_some_and(|names| {
            names.iter().any(|name| name.as_str().is_some_and(|name| name.eq_ignore_ascii_case(alias)))
        })
    };
    Ok(all.iter().find(goes_by).map(|row| RealmPath(row.id.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crest::Version;

    struct Things(Shape);

    impl Resource for Things {
        fn shape(&self) -> Shape {
            self.0
        }

        fn versions(&self) -> &[Version] {
            &[Version(1, 0)]
        }
    }

    fn find(path: &str) -> Result<(Named, String), (u16, String)> {
        let routes = Routes::default()
            .resource(Scope::Global, "global-config/realms", Things(Shape::Collection))
            .resource(Scope::Realm, "users", Things(Shape::Collection))
            .resource(Scope::Realm, "realm-config/agents", Things(Shape::Collection))
            .resource(Scope::Realm, "realm-config/agents/OAuth2Client", Things(Shape::Collection))
            .resource(Scope::Realm, "serverinfo/version", Things(Shape::Singleton))
            .plain(Scope::Realm, "sessions", Csrf::Checked, |_| async { HttpResponse::Ok().finish() });
        let found = routes.find(path).map_err(|e| (e.code(), e.message().to_owned()))?;
        Ok((found.realm, found.rest.join("|")))
    }

    fn absolute(realm: &str, rest: &str) -> Result<(Named, String), (u16, String)> {
        Ok((Named::Absolute(realm.into()), rest.into()))
    }

    #[test]
    fn every_form_of_a_path_finds_its_resource() {
        assert_eq!(find("/global-config/realms/Lw"), Ok((Named::Global, "Lw".into())));
        assert_eq!(find("/users"), Ok((Named::Nowhere, "".into())));
        assert_eq!(find("/USERS/Demo/"), Ok((Named::Nowhere, "Demo".into())));
        assert_eq!(find("/realms/root/users/a%2Fb+c"), absolute("/", "a/b+c"));
        assert_eq!(find("/realms/Root/realms/a/realms/b/users"), absolute("/a/b", ""));
        assert_eq!(find("/realms/root/realms/caf%C3%A9/users"), absolute("/café", ""));
        assert_eq!(find("/realms/root/realm-config/agents/OAuth2Client/x"), absolute("/", "x"));
        assert_eq!(find("/realms/root/realm-config/agents/x"), absolute("/", "x"));
        assert_eq!(find("/a/b/users/x"), Ok((Named::Legacy("/a/b".into(), "a/b/users/x".into()), "x".into())));
        assert_eq!(find("/realms/root/sessions/a/b"), absolute("/", "a|b"));
    }

    /// A path leads to the same place when it comes again, and so many of them that none is remembered for long.
    #[test]
    fn a_path_that_is_known_leads_where_it_led() {
        let routes = Routes::default().resource(Scope::Realm, "users", Things(Shape::Collection)).resource(
            Scope::Global,
            "global-config/realms",
            Things(Shape::Collection),
        );
        let find = |path: &str| {
            let found = routes.find(path).map_err(|error| error.code())?;
            let is_users = matches!(found.target, Target::Resource(_)) && found.path == "users";
            Ok::<_, u16>((found.realm, is_users, found.rest))
        };
        for n in 0..MAX_KNOWN * 2 {
            let path = format!("/realms/root/realms/r{n}/users");
            let expected = Ok((Named::Absolute(format!("/r{n}").as_str().into()), true, Vec::new()));
            assert_eq!(find(&path), expected);
            assert_eq!(find(&path), expected);
            assert_eq!(find(&format!("{path}/x")).map(|(_, _, rest)| rest), Ok(vec!["x".to_owned()]));
            assert!(routes.known.borrow().len() <= MAX_KNOWN);
        }
        assert_eq!(find("/global-config/realms"), Ok((Named::Global, false, Vec::new())));
        assert_eq!(find("/nosuch"), Err(404));
        assert_eq!(find("/nosuch"), Err(404));
    }

    /// AD-01, HT-07: what names no realm and no resource leads nowhere.
    #[test]
    fn other_paths_lead_nowhere() {
        let nowhere = |rest: &str| Err((404, format!("Resource '{rest}' not found")));
        assert_eq!(find("/"), nowhere(""));
        assert_eq!(find("/nosuch"), nowhere("nosuch"));
        assert_eq!(find("/realms/root/nosuch/x"), nowhere("nosuch/x"));
        assert_eq!(find("/users/a/b"), nowhere("a/b"));
        assert_eq!(find("/serverinfo/version/x"), nowhere("x"));
        assert_eq!(find("/realms/alpha/users"), nowhere("realms/alpha/users"));
        for path in [
            "/realms/root/realms/a/../b/users",
            "/realms/root/realms/%2e%2e/users",
            "/realms/root/realms/a%2Fb/users",
            "/..;/users",
            "/a%5Cb/users",
        ] {
            let found = find(path);
            assert!(matches!(&found, Err((404, _)) | Ok((Named::Legacy(..), _))), "{path}: {found:?}");
            assert!(!matches!(&found, Ok((Named::Absolute(_), _))), "{path}");
        }
        for path in ["/a//users", "/users//x", "/users/%", "/users/%00", "/users/%ff"] {
            assert_eq!(find(path), Err((400, "Bad Request".into())), "{path}");
        }
        assert_eq!(find(&format!("/users/{}", "x".repeat(5000))), Err((400, "Bad Request".into())));
    }
}
