//! Which path is which resource (crest.md §1, §12).

use crate::{
    crest::{
        Error, Params, Resource, Served, Shape,
        describe::Exchange,
        openapi::{Endpoint, Is, Part},
        percent,
    },
    desk::Desk,
    realms::{self, Addressed, InPath, NoRealm, address},
};
use actix_web::{HttpRequest, HttpResponse, web::Bytes};
use futures_util::future::LocalBoxFuture;
use quorate_raft::RealmPath;
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

/// Makes a resource for what stands in the path for `{…}`.
type Maker = Rc<dyn Fn(&[String]) -> Rc<dyn Served>>;

/// What an endpoint is.
#[derive(Clone)]
pub(super) enum Target {
    Resource(Rc<dyn Served>),
    /// A resource below another one.
    Below(Maker),
    Plain {
        csrf: Csrf,
        handler: Handler,
        exchanges: Rc<[Exchange]>,
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

/// What a path says about the realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The endpoint is in none.
    Global,
    /// This, and the whole path for the error.
    In(InPath, String),
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
        self.add(scope, path, Target::Plain { csrf, handler, exchanges: Rc::new([]) })
    }

    /// Says what the plain handler that was added last does, for descriptors; one without is not in them.
    #[must_use]
    pub fn described(mut self, described: Vec<Exchange>) -> Self {
        if let Some(Route { target: Target::Plain { exchanges, .. }, .. }) = self.table.last_mut() {
            *exchanges = described.into();
        }
        self
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
        let path = Path::parse(path)?;
        if let Some((at, route)) = self.endpoint(Scope::Global, &path.elements) {
            return Ok((at, found(route, Named::Global, &path.elements)?));
        }
        let addressed = path.addressed(|rest| self.endpoint(Scope::Realm, rest).is_some());
        let lead = |(named, rest)| {
            let (at, route) = self.endpoint(Scope::Realm, rest).ok_or_else(|| Error::no_route(&rest.join("/")))?;
            Ok((at, found(route, named, rest)?))
        };
        match addressed.and_then(lead) {
            // What names a realm, and nothing in it, can be the realm itself.
            Err(error) if error.code() == 404 => path.realms().and_then(|realms| lead(realms).ok()).ok_or(error),
            found => found,
        }
    }

    /// What is registered at `path` and below, for descriptors; and the realm that `path` names.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(super) fn at_or_below(&self, path: &str) -> Result<(Named, Below<'_>), Error> {
        let path = Path::parse(path)?;
        let global = self.parts(Scope::Global, &path.elements);
        if !path.elements.is_empty() && !global.is_empty() {
            return Ok((Named::Global, Below { global, realm: Vec::new() }));
        }
        let fits = |rest: &[String]| {
            rest.is_empty() || self.endpoint(Scope::Realm, rest).is_some() || !self.parts(Scope::Realm, rest).is_empty()
        };
        let (named, rest) = path.addressed(fits)?;
        let realm = self.parts(Scope::Realm, rest);
        if realm.is_empty() {
            return Err(Error::no_route(&rest.join("/")));
        }
        let global = if path.elements.is_empty() { global } else { Vec::new() };
        Ok((named, Below { global, realm }))
    }

    /// Routes at `path` and below, and the one that `path` is an instance of.
    fn parts(&self, scope: Scope, path: &[String]) -> Vec<(&Route, Part)> {
        let is_instance = |route: &Route| {
            let shape = route.served().map(|resource| resource.shape());
            shape == Some(Shape::Collection) && route.template.len() + 1 == path.len()
        };
        let own = self.endpoint(scope, path).map(|(_, route)| route).filter(|route| is_instance(route));
        let starts = |route: &&Route| {
            route.scope == scope
                && path.len() <= route.template.len()
                && route.template.iter().zip(path).all(|(t, element)| is_id(t) || t.eq_ignore_ascii_case(element))
        };
        let below = self.table.iter().filter(starts).map(|route| (route, Part::All));
        own.into_iter().map(|route| (route, Part::Instances)).chain(below).collect()
    }
}

/// What is registered below a path.
pub(super) struct Below<'r> {
    global: Vec<(&'r Route, Part)>,
    realm: Vec<(&'r Route, Part)>,
}

impl Below<'_> {
    /// For descriptors, with the realm in the absolute form.
    pub(super) fn endpoints(&self, realm: &RealmPath) -> Vec<Endpoint> {
        let levels = realm.as_str().split('/').filter(|level| !level.is_empty());
        let prefix = levels.fold("/realms/root".to_owned(), |path, level| path + "/realms/" + &percent::encode(level));
        let global = self.global.iter().map(|(route, part)| route.describe("", *part));
        global.chain(self.realm.iter().map(|(route, part)| route.describe(&prefix, *part))).collect()
    }
}

impl Route {
    /// The resource, if it is one; made for whatever ids where it is made for ids.
    fn served(&self) -> Option<Rc<dyn Served>> {
        match &self.target {
            Target::Resource(resource) => Some(resource.clone()),
            Target::Below(make) => {
                let ids: Vec<String> = self.template.iter().filter(|element| is_id(element)).cloned().collect();
                Some(make(&ids))
            }
            Target::Plain { .. } => None,
        }
    }

    fn describe(&self, prefix: &str, part: Part) -> Endpoint {
        let is = match (self.served(), &self.target) {
            (Some(resource), _) => Is::Resource {
                shape: resource.shape(),
                versions: resource.versions().to_vec(),
                is_public: resource.is_public(),
                description: Box::new(resource.describe()),
            },
            (None, Target::Plain { exchanges, .. }) => Is::Plain(exchanges.to_vec()),
            (None, Target::Resource(_) | Target::Below(_)) => Is::Plain(Vec::new()),
        };
        Endpoint { path: format!("{prefix}/{}", self.template.join("/")), part, is }
    }
}

/// A path, in its elements as they came and decoded.
struct Path {
    elements: Vec<String>,
    /// As [`address`] wants them: an element that decodes to a separator stays as it came, so that it is no realm (AD-01).
    levels: String,
}

impl Path {
    fn parse(path: &str) -> Result<Self, Error> {
        let path = path.trim_matches('/');
        if path.is_empty() {
            return Ok(Self { elements: Vec::new(), levels: String::new() });
        }
        let raw: Vec<&str> = path.split('/').collect();
        if path.len() > MAX_PATH_BYTES || raw.iter().any(|element| element.is_empty()) {
            return Err(Error::plain(400));
        }
        let elements: Vec<String> = raw
            .iter()
            .map(|element| percent::decode(element).filter(|element| !element.contains('\0')))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::plain(400))?;
        let level = |(raw, element): (&&str, &String)| match element {
            element if element.contains(['/', '?', '#', '%', '\\']) => (*raw).to_owned(),
            element => element.clone(),
        };
        let levels: Vec<String> = raw.iter().zip(&elements).map(level).collect();
        Ok(Self { levels: levels.join("/"), elements })
    }

    /// The path, should it end in `realms` or `realms/{name}`: where these are, and that end. Elsewhere these words say in which
    /// realm something is (authn-sessions-realms.md c.2).
    fn realms(&self) -> Option<(Named, &[String])> {
        let levels: Vec<&str> = self.levels.split('/').collect();
        let split = [1, 2].into_iter().find_map(|count| {
            let at = self.elements.len().checked_sub(count)?;
            let is_it = self.elements.get(at)?.eq_ignore_ascii_case("realms");
            let is_root = at == 0 && self.elements.get(1).is_some_and(|name| name.eq_ignore_ascii_case("root"));
            (is_it && !is_root).then_some(at)
        })?;
        let head = levels.get(..split)?.join("/");
        let realm = match head.as_str() {
            "" => InPath::Nothing,
            head => match address(head, |_| false)? {
                Addressed { realm: realm @ InPath::Absolute(_), rest: "" } => realm,
                _ => return None,
            },
        };
        Some((Named::In(realm, self.elements.join("/")), self.elements.get(split..)?))
    }

    /// The realm that the path names, and what follows.
    fn addressed(&self, is_endpoint: impl Fn(&[String]) -> bool) -> Result<(Named, &[String]), Error> {
        let tail = |rest: &str| {
            let count = if rest.is_empty() { 0 } else { rest.split('/').count() };
            self.elements.get(self.elements.len().saturating_sub(count)..).unwrap_or_default()
        };
        let whole = self.elements.join("/");
        let addressed = address(&self.levels, |rest| is_endpoint(tail(rest))).ok_or_else(|| Error::no_route(&whole))?;
        Ok((Named::In(addressed.realm, whole), tail(addressed.rest)))
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
    /// 404 or, for one that the parameter names or a host that is not ours, 400; 503 without quorum.
    pub(super) async fn resolve(self, desk: &Desk, request: &HttpRequest, params: &Params) -> Result<RealmPath, Error> {
        match self {
            Self::Global => {
                realms::check_host(desk, request)?;
                Ok(RealmPath::root())
            }
            Self::In(in_path, whole) => {
                let realm = realms::resolve(desk, request, &in_path, params.get("realm")).await;
                realm.map_err(|none| match (in_path, none) {
                    (InPath::Legacy(_), NoRealm::Absent(_)) => Error::no_route(&whole),
                    (_, none) => none.into(),
                })
            }
        }
    }
}

impl From<NoRealm> for Error {
    /// crest.md §12.
    fn from(none: NoRealm) -> Self {
        match none {
            NoRealm::Absent(realm) => Self::no_realm(realm.as_str()),
            NoRealm::Parameter(value) => Self::bad_request(format!("Invalid realm, {value}")),
            NoRealm::Host(host) => Self::bad_request(format!("FQDN \"{host}\" is not valid.")),
            NoRealm::Unavailable(unavailable) => unavailable.into(),
        }
    }
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

    /// Without the path that is kept for errors.
    fn named(path: &str) -> Result<(Named, String), (u16, String)> {
        find(path).map(|(named, rest)| match named {
            Named::In(realm, _) => (Named::In(realm, String::new()), rest),
            Named::Global => (Named::Global, rest),
        })
    }

    #[test]
    fn every_form_of_a_path_finds_its_resource() {
        let at = |realm: InPath, rest: &str| Ok((Named::In(realm, String::new()), rest.to_owned()));
        let absolute = |realm: &str, rest: &str| at(InPath::Absolute(realm.into()), rest);
        assert_eq!(find("/global-config/realms/Lw"), Ok((Named::Global, "Lw".into())));
        assert_eq!(named("/users"), at(InPath::Nothing, ""));
        assert_eq!(named("/USERS/Demo/"), at(InPath::Nothing, "Demo"));
        assert_eq!(named("/realms/root/users/a%2Fb+c"), absolute("/", "a/b+c"));
        assert_eq!(named("/realms/Root/realms/a/realms/b/users"), absolute("/a/b", ""));
        assert_eq!(named("/realms/root/realms/caf%C3%A9/users"), absolute("/café", ""));
        assert_eq!(named("/realms/root/realm-config/agents/OAuth2Client/x"), absolute("/", "x"));
        assert_eq!(named("/realms/root/realm-config/agents/x"), absolute("/", "x"));
        assert_eq!(named("/realms/alpha/users"), at(InPath::Relative("/alpha".into()), ""));
        assert_eq!(named("/realms/alpha/realms/b/users/x"), at(InPath::Relative("/alpha/b".into()), "x"));
        assert_eq!(
            find("/a/b/users/x"),
            Ok((Named::In(InPath::Legacy("/a/b".into()), "a/b/users/x".into()), "x".into()))
        );
        assert_eq!(named("/realms/root/sessions/a/b"), absolute("/", "a|b"));
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
            let realm = InPath::Absolute(format!("/r{n}").as_str().into());
            let whole = path.trim_start_matches('/').to_owned();
            let expected = Ok((Named::In(realm, whole), true, Vec::new()));
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
        assert_eq!(find("/realms"), nowhere("realms"));
        for path in [
            "/realms/root/realms/a/../b/users",
            "/realms/root/realms/%2e%2e/users",
            "/realms/root/realms/a%2Fb/users",
            "/realms/%2e%2e/users",
            "/..;/users",
            "/a%5Cb/users",
        ] {
            let found = find(path);
            assert!(matches!(&found, Err((404, _)) | Ok((Named::In(InPath::Legacy(_), _), _))), "{path}: {found:?}");
        }
        for path in ["/a//users", "/users//x", "/users/%", "/users/%00", "/users/%ff"] {
            assert_eq!(find(path), Err((400, "Bad Request".into())), "{path}");
        }
        assert_eq!(find(&format!("/users/{}", "x".repeat(5000))), Err((400, "Bad Request".into())));
    }

    fn below(path: &str) -> Result<Vec<String>, u16> {
        let routes = Routes::default()
            .resource(Scope::Global, "global-config/realms", Things(Shape::Collection))
            .resource(Scope::Realm, "users", Things(Shape::Collection))
            .resource(Scope::Realm, "realm-config/agents", Things(Shape::List))
            .resource(Scope::Realm, "realm-config/agents/OAuth2Client", Things(Shape::Collection));
        let (named, below) = routes.at_or_below(path).map_err(|e| e.code())?;
        let realm = match named {
            Named::In(InPath::Absolute(realm) | InPath::Legacy(realm) | InPath::Relative(realm), _) => realm,
            Named::In(InPath::Nothing, _) | Named::Global => RealmPath::root(),
        };
        let text = |endpoint: Endpoint| match endpoint.part {
            Part::All => endpoint.path,
            Part::Instances => format!("{}/*", endpoint.path),
        };
        Ok(below.endpoints(&realm).into_iter().map(text).collect())
    }

    /// crest.md §15: limited to that path and below.
    #[test]
    fn a_descriptor_is_about_what_is_below() {
        let all = |paths: &[&str]| Ok(paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>());
        let agents = ["/realms/root/realm-config/agents", "/realms/root/realm-config/agents/OAuth2Client"];
        assert_eq!(below("/"), all(&["/global-config/realms", "/realms/root/users", agents[0], agents[1]]));
        assert_eq!(below("/global-config"), all(&["/global-config/realms"]));
        assert_eq!(below("/global-config/realms/Lw"), all(&["/global-config/realms/*"]));
        assert_eq!(below("/realms/root"), all(&["/realms/root/users", agents[0], agents[1]]));
        assert_eq!(
            below("/realms/root/realms/a"),
            all(&[
                "/realms/root/realms/a/users",
                "/realms/root/realms/a/realm-config/agents",
                "/realms/root/realms/a/realm-config/agents/OAuth2Client",
            ])
        );
        assert_eq!(below("/realm-config/agents"), all(&agents));
        assert_eq!(below("/Users/demo"), all(&["/realms/root/users/*"]));
        assert_eq!(below("/users/demo/x"), Err(404));
        assert_eq!(below("/realm-config/agents/x"), Err(404));
    }
}
