//! Evaluation over HTTP (authorization.md §2.6, §8.3, §11).
