//! What kinds of things the policy engine knows (authorization.md §2.7): read-only, the same in every realm, by name.
//!
//! | reference | collection          | here                   |
//! |-----------|---------------------|------------------------|
//! | §2.7.1    | `applicationtypes`  | [`APPLICATION_TYPES`]  |
//! | §2.7.2    | `conditiontypes`    | [`CONDITION_TYPES`]    |
//! | §2.7.3    | `subjecttypes`      | [`SUBJECT_TYPES`]      |
//! | §2.7.5    | `decisioncombiners` | [`DECISION_COMBINERS`] |

use crate::{
    crest::{
        Call, Description, Error, Item, Listing, Operation, Query, Resource, Shape, Totals, Version, pointer::Names,
        query::Select,
    },
    policy::catalogue,
    privileges::Endpoint,
};

/// One collection: what it is to those who may read it, and its items, by name.
pub struct Catalogue(Endpoint, fn() -> Vec<catalogue::Item>);

/// What a policy set may be.
pub const APPLICATION_TYPES: Catalogue = Catalogue(Endpoint::ApplicationTypes, catalogue::application_types);
/// Under which circumstances a policy may apply. There is no identity management to ask here.
pub const CONDITION_TYPES: Catalogue = Catalogue(Endpoint::ConditionTypes, || catalogue::condition_types(false));
/// To whom a policy may apply.
pub const SUBJECT_TYPES: Catalogue = Catalogue(Endpoint::SubjectTypes, catalogue::subject_types);
/// How what policies say may be combined.
pub const DECISION_COMBINERS: Catalogue = Catalogue(Endpoint::DecisionCombiners, catalogue::decision_combiners);

impl Resource for Catalogue {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection).can([Operation::Read, Operation::Query])
    }

    fn endpoint(&self) -> Endpoint {
        self.0
    }

    /// §2.1.5: the current time for one.
    async fn read(&self, _: &Call<'_>, id: &str) -> Result<Item, Error> {
        let item = (self.1)().into_iter().find(|item| item.name == id).ok_or_else(Error::not_found)?;
        Ok(Item { id: item.name.to_owned(), revision: Some(super::now().to_string()), content: item.content })
    }

    async fn query(&self, _: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let all = (self.1)().into_iter().map(|item| Item::new(item.name, None, item.content));
        match &query.select {
            Select::Filter(_) => query.answer(all, Names::Exact, Totals::Remaining),
            Select::Id(_) | Select::Expression(_) => super::filter::present(query, all.collect()),
        }
    }
}
