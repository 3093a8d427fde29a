//! The words that stand for account ids, the same in all that the daemon says: records, metrics, pages and log.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::export::{Redaction, Redactor, numbers_of};

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
        let mut redactor = self.lock();
        let numbers = redactor.numbers().clone();
        *redactor = Redactor::new(redaction);
        redactor.keep_numbers(&numbers);
    }

    /// Gives no number that stands for an account in the file of records already: a run before this one wrote there.
    pub(super) fn begin_behind(&self, records: Option<&Path>) {
        // Anything else, such as a pipe, is not read. What cannot be read now is told of when it is opened to be written.
        let file = records.filter(|path| path.metadata().is_ok_and(|found| found.is_file()));
        let numbers = file.and_then(|path| numbers_of(File::open(path).ok()?).ok());
        self.lock().keep_numbers(&numbers.unwrap_or_default());
    }
}
