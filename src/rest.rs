//! What is served below `{context}/json`: resources, one file each, on the framework of [`crate::crest`], and how a path
//! finds them.
//!
//! | path                                                    | what                                  | file            |
//! |---------------------------------------------------------|---------------------------------------|-----------------|
//! | `global-config/realms`                                  | realms                                | [`realms`]      |
//! | `{realm}/realms`                                        | realms, as older tools know them      | [`realms`]      |
//! | `{realm}/users`, `users/{user}/groups`, `…/oauth2/applications` | users, and what is below one   | [`users`]       |
//! | `{realm}/groups`                                        | groups, privileges                    | [`groups`]      |
//! | `{realm}/realm-config/agents[/OAuth2Client, …]`         | OAuth 2.0 clients, agents, groups     | [`agents`]      |
//! | `{realm}/realm-config/services[/…]`                     | services of a realm, the provider     | [`services`]    |
//! | `global-config/services[/…]`                            | services of the cluster               | [`services`]    |
//! | `global-config/secrets/stores/…`                        | keys, and what they are for           | [`stores`]      |
//! | `{realm}/dashboard/…`                                   | applications that a console offers    | [`dashboard`]   |
//! | `{realm}/serverinfo/*`, `{realm}/serverinfo/version`    | what clients ask first                | [`serverinfo`]  |
//! | `global-audit/{topic}`, `{realm}/realm-audit/{topic}`   | events that agents report             | [`audit`]       |
//! | `{realm}/realm-config/authentication[/…]`               | settings, journeys, nodes, chains, modules | [`authentication`] |
//! | `{realm}/scripts`, `libraries`, `contexts`              | scripts                               | [`scripts`]     |
//! | `{realm}/policies`, `applications`, `resourcetypes`, …  | the policy service, added by [`authorization::routes`] | [`authorization`] |
//!
//! `{realm}` in all forms of [`crate::realms`]. To add to the table: [`routes()`], then [`Routes::resource`] (see
//! [`crate::crest`]) or [`Routes::plain`] for what is no resource, then [`mount`], once per worker:
//!
//! ```
//! use actix_web::{App, HttpResponse, web};
//! use quorate::rest::{self, Csrf, PlainCall, Scope};
//!
//! async fn hello(call: PlainCall) -> HttpResponse {
//!     HttpResponse::Ok().body(format!("{} bytes for {}", call.body.len(), call.realm))
//! }
//!
//! let app = || {
//!     let routes = || rest::routes().plain(Scope::Realm, "hello", Csrf::Checked, hello);
//!     App::new().service(web::scope("/am/json").configure(|config| rest::mount(routes(), config)))
//! };
//! # drop(app());
//! ```

pub mod agents;
pub mod audit;
pub mod authenticate;
pub mod authentication;
pub mod authorization;
pub mod dashboard;
pub mod descriptors;
pub mod groups;
pub mod identity;
pub mod realms;
pub mod routes;
pub mod schema;
pub mod scripts;
pub mod serverinfo;
pub mod services;
pub mod sessions;
pub mod stores;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod typed;
pub mod users;

pub use routes::{Csrf, PlainCall, Routes, Scope};

use crate::{
    audit::{Topic, context},
    crest::{
        Error, Head, Params, Settings, TransactionId, body,
        request::{ACCEPT_API_VERSION, forgeable, is_unproven},
        response::{self, Manner},
        serve::{self, Place, Routed},
        transaction,
    },
    desk::Desk,
    sessions::cookies,
};
use actix_web::{HttpRequest, HttpResponse, http::header::HeaderValue, web};
use routes::{Found, Target};

/// The resources of this module. Others are added by whoever mounts them.
pub fn routes() -> Routes {
    let routes = stores::routes(agents::routes(services::routes(audit_routes(Routes::default()))));
    let routes = users::devices::PLACES.into_iter().fold(routes, |routes, (place, member)| {
        let make = move |ids: &[String]| users::devices::Devices { user: ids.concat(), member };
        routes.below(Scope::Realm, &format!("users/{{user}}/devices/{place}"), make)
    });
    let routes = users::services::of_users().fold(routes, |routes, (service, _)| {
        let make = move |ids: &[String]| users::services::UserService { user: ids.concat(), service };
        routes.below(Scope::Realm, &format!("users/{{user}}/services/{}", service.id), make)
    });
    scripts::routes(authentication::routes(routes))
        .resource(Scope::Global, "global-config/realms", realms::Realms)
        .resource(Scope::Realm, "realms", realms::LegacyRealms)
        .resource(Scope::Realm, "users", users::Users)
        .below(Scope::Realm, "users/{user}/groups", |ids| users::memberships::Memberships { user: ids.concat() })
        .below(Scope::Realm, "users/{user}/oauth2/applications", |ids| users::applications::Applications {
            user: ids.concat(),
        })
        .below(Scope::Realm, "users/{user}/services", |ids| users::services::UserServices { user: ids.concat() })
        .resource(Scope::Realm, "groups", groups::Groups)
        .resource(Scope::Realm, "dashboard", dashboard::Dashboard)
        .resource(Scope::Realm, "serverinfo", serverinfo::ServerInfo)
        .resource(Scope::Realm, "serverinfo/version", serverinfo::ServerVersion)
}

/// Where events of each audit topic are reported.
fn audit_routes(routes: Routes) -> Routes {
    Topic::ALL.into_iter().fold(routes, |routes, topic| {
        let name = topic.name();
        routes.resource(Scope::Global, &format!("global-audit/{name}"), audit::Events::global(topic)).resource(
            Scope::Realm,
            &format!("realm-audit/{name}"),
            audit::Events::of_realm(topic),
        )
    })
}

/// Serves the resources of this module. Belongs into the scope `{context}/json` of an application that has
/// `web::Data<Desk>`.
pub fn configure(config: &mut web::ServiceConfig) {
    mount(routes(), config);
}

/// Serves `routes`: as [`configure`], with more in the table.
pub fn mount(routes: Routes, config: &mut web::ServiceConfig) {
    config.app_data(web::Data::new(routes)).default_service(web::to(handle));
}

/// Who warns (crest.md §13.3).
const RESOURCE: &str = "CREST";
const PLAIN: &str = "chf";

async fn handle(
    request: HttpRequest,
    payload: web::Payload,
    desk: web::Data<Desk>,
    routes: web::Data<Routes>,
) -> HttpResponse {
    let transaction = TransactionId::of(&request);
    let mut agent = RESOURCE;
    let mut response = match answer(&desk, &routes, &request, payload, &mut agent).await {
        Ok(response) => response,
        // Before a resource was found, nobody knows how the answer should look.
        Err(error) => response::fail(&error, Manner { pretty: pretty(&request), ..Manner::default() }),
    };
    if agent != RESOURCE {
        response::secure(&mut response); // resources have these headers already
    }
    if !request.headers().contains_key(&ACCEPT_API_VERSION) && Settings::of(&desk).warns {
        response::warn(&mut response, agent);
    }
    if let Ok(id) = HeaderValue::from_str(transaction.as_str()) {
        response.headers_mut().insert(transaction::HEADER.clone(), id);
    }
    response
}

fn pretty(request: &HttpRequest) -> bool {
    let params = Params::parse(request.query_string()).unwrap_or_default();
    params.get("_prettyPrint").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// crest.md §14: whether a request comes from no other site's page, or nobody minds. That nobody minds is confirmed by the
/// barrier before it counts.
async fn check_origin(desk: &Desk, request: &HttpRequest) -> Result<(), Error> {
    if forgeable(request) {
        return Err(Error::plain(403));
    }
    if is_unproven(request) {
        desk.barrier().await?;
        if forgeable(request) {
            return Err(Error::plain(403));
        }
    }
    Ok(())
}

/// Path, then head, then body, then realm: what costs least is checked first. `agent` becomes who warns.
async fn answer(
    desk: &Desk,
    routes: &Routes,
    request: &HttpRequest,
    payload: web::Payload,
    agent: &mut &str,
) -> Result<HttpResponse, Error> {
    let context = &desk.front().context_path;
    let path = request.uri().path();
    let below = path.strip_prefix(context.as_str()).unwrap_or(path);
    let path = below.strip_prefix("/json").unwrap_or(below);
    if let Some(wanted) = descriptors::wanted(request) {
        check_origin(desk, request).await?;
        return descriptors::answer(desk, routes, request, path, wanted).await;
    }
    let Found { target, realm, rest, path: endpoint } = routes.find(path)?;
    match target {
        Target::Plain { csrf, handler, .. } => {
            *agent = PLAIN;
            if csrf == Csrf::Checked {
                check_origin(desk, request).await?;
            }
            let params = Params::parse(request.query_string())?;
            let body = body::read(payload).await?;
            let realm = realm.resolve(desk, request, &params).await?;
            context::in_realm(&realm);
            let call = PlainCall { desk: desk.clone(), realm, request: request.clone(), body, rest };
            Ok(handler(call).await)
        }
        Target::Below(_) => Err(Error::no_route(&endpoint)),
        Target::Resource(resource) => {
            let head = Head::parse(request)?;
            let body = body::read(payload).await?;
            let realm = realm.resolve(desk, request, &head.params).await?;
            let place = Place { path: &endpoint, id: rest.first().map(String::as_str) };
            let routed = Routed { resource: &*resource, place, head: &head, body: &body, realm: &realm };
            let mut response = serve::serve(desk, request, routed).await;
            cookies::amend(request, &mut response);
            Ok(response)
        }
    }
}
