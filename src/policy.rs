pub mod condition;
pub mod error;
mod members;
pub mod model;
pub mod resource;
pub mod subject;
pub use error::Error;
