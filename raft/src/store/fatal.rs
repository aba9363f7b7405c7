//! Fail-stop: the first error from a disk is the last thing that the store does. A second `fsync` may succeed without the
//! data of the first, so there is no second.

use std::{fmt, io, sync::Arc};
use tokio::sync::watch;

/// Why the store stopped.
#[derive(Clone, Debug)]
pub struct Fatal {
    doing: &'static str,
    cause: Arc<io::Error>,
}

impl Fatal {
    /// The kind of the error that stopped it.
    pub fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "store stopped while {}", self.doing)
    }
}

impl std::error::Error for Fatal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.cause)
    }
}

impl From<Fatal> for io::Error {
    fn from(fatal: Fatal) -> Self {
        Self::new(fatal.kind(), fatal)
    }
}

/// The switch that all parts of a store share.
#[derive(Clone, Default)]
pub(super) struct FailStop(Arc<watch::Sender<Option<Fatal>>>);

impl FailStop {
    /// Whoever holds this learns why the store stopped.
    pub fn watch(&self) -> watch::Receiver<Option<Fatal>> {
        self.0.subscribe()
    }

    /// An error once the store has stopped.
    pub fn check(&self) -> io::Result<()> {
        match &*self.0.borrow() {
            None => Ok(()),
            Some(fatal) => Err(fatal.clone().into()),
        }
    }

    /// Passes `result` on; an error stops the store. `doing` reads after "while".
    pub fn guard<T>(&self, doing: &'static str, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|cause| {
            let fatal = Fatal { doing, cause: Arc::new(cause) };
            self.0.send_if_modified(|first| {
                let new = first.is_none();
                if new {
                    tracing::error!(doing, error = %fatal.cause, "store stopped");
                    *first = Some(fatal.clone());
                }
                new
            });
            fatal.into()
        })
    }
}
