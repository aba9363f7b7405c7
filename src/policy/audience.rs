//! Scopes that name the API they are for: `api://{provider}/{permission}` (§8.3).
//!
//! | reference                                            | here                  |
//! |------------------------------------------------------|-----------------------|
//! | the resource names provider and permission           | [`parse`]             |
//! | only the first audience asked for is evaluated       | [`first`]             |
//! | granted: the rows with `actions.GRANT === true`      | [`Audience::granted`] |

use super::decide::Decision;

/// The action that grants a scope.
pub const GRANT: &str = "GRANT";

/// The one API that a token will be for, with what was asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience<'a> {
    /// Client id of the API; its policy set has the same name.
    pub provider: &'a str,
    /// Without repetitions, in the order asked.
    pub asked: Vec<Asked<'a>>,
}

/// One scope of an [`Audience`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The whole scope: the resource to evaluate.
    pub scope: &'a str,
    /// What the token's scope will say when it is granted.
    pub permission: &'a str,
}

impl<'a> Audience<'a> {
    /// The resources to evaluate, in the order asked.
    pub fn resources(&self) -> Vec<String> {
        self.asked.iter().map(|asked| asked.scope.to_owned()).collect()
    }

    /// The permissions that `decisions` grant, in the order asked. What has no decision is not granted.
    pub fn granted(&self, decisions: &[Decision]) -> Vec<&'a str> {
        let grants = |asked: &&Asked<'_>| {
            let mut rows = decisions.iter().filter(|decision| decision.resource == asked.scope);
            rows.any(|decision| decision.allows(GRANT))
        };
        self.asked.iter().filter(grants).map(|asked| asked.permission).collect()
    }
}

/// Provider and permission of an audience scope. The last slash divides them, as in the scripts this
/// replaces; neither half is empty.
pub fn parse(scope: &str) -> Option<(&str, &str)> {
    let (provider, permission) = scope.strip_prefix("api://")?.rsplit_once('/')?;
    (!provider.is_empty() && !permission.is_empty()).then_some((provider, permission))
}

/// The audience of the first audience scope in `scopes`, with all its scopes. Those of other
/// audiences, and scopes that name none, are left out.
pub fn first<'a>(scopes: &[&'a str]) -> Option<Audience<'a>> {
    let mut parsed = scopes.iter().filter_map(|scope| Some((*scope, parse(scope)?))).peekable();
    let &(_, (provider, _)) = parsed.peek()?;
    let mut asked: Vec<Asked<'a>> = Vec::new();
    for (scope, (of, permission)) in parsed {
        let new = Asked { scope, permission };
        if of == provider && !asked.contains(&new) {
            asked.push(new);
        }
    }
    Some(Audience { provider, asked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_names_its_audience_or_none() {
        assert_eq!(parse("api://warehouse/stock.read"), Some(("warehouse", "stock.read")));
        assert_eq!(parse("api://a/b/c"), Some(("a/b", "c")));
        for scope in ["", "read", "api://", "api://warehouse", "api://warehouse/", "api:///read", "API://a/b"] {
            assert_eq!(parse(scope), None, "{scope}");
        }
        assert_eq!(parse("xapi://warehouse/read"), None);
    }

    #[test]
    fn the_first_audience_asked_for_wins() {
        let scopes = ["openid", "api://w/read", "api://depot/read", "api://w/write", "api://w/read"];
        let audience = first(&scopes).unwrap();
        assert_eq!(audience.provider, "w");
        assert_eq!(audience.resources(), ["api://w/read", "api://w/write"]);
        assert_eq!(first(&["openid", "read"]), None);
        assert_eq!(first(&[]), None);
    }
}
