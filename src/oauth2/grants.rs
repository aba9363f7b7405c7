//! Grants, one file each: what they ask for, what they check, what they issue.

pub mod authorization_code;
pub mod client_credentials;
