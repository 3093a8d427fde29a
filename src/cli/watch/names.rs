//! The words that stand for account ids, the same in all that the daemon says: records, metrics, pages and log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::export::{Redaction, Redactor};

/// One redactor for all threads. It is asked for each record and each line of the log, never for a packet.
#[derive(Clone)]
pub(super) struct Names(Arc<Mutex<Redactor>>);

impl Names {
    /// No account was met yet.
    pub(super) fn new(redaction: Redaction) -> Self {
        Self(Arc::new(Mutex::new(Redactor::new(redaction))))
    }

    /// The redactor; others wait for it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Redactor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name, or a sentence with names in it, as everybody may read it.
    pub(super) fn hide(&self, text: &str) -> String {
        self.lock().name(text).into_owned()
    }

    /// Forgets every word: from now on ids become others, or stay.
    pub(super) fn begin_anew(&self, redaction: Redaction) {
        *self.lock() = Redactor::new(redaction);
    }
}
