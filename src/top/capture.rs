//! Captures as a picture: what a daemon that had seen the same packets would tell.

use std::collections::VecDeque;

use super::picture::{Flow, MAX_FLOW_BYTES, MAX_FLOWS, Picture, PictureError, Summary};
use crate::config::Resolved;
use crate::export::jsonl::write_record;
use crate::model::Record;
use crate::serve;
use crate::telemetry::Accounts;

/// Takes the records of captures, account ids replaced already.
#[derive(Default)]
pub struct Gathering {
    sums: serve::Picture,
    /// The oldest first.
    flows: VecDeque<Flow>,
    bytes: usize,
}

impl Gathering {
    /// Takes one record.
    pub fn take(&mut self, record: &Record) {
        self.sums.take(record);
        let mut json = Vec::with_capacity(2_048);
        write_record(record, &mut json);
        json.pop();
        let json = String::from_utf8(json).unwrap_or_default().into_boxed_str();
        self.bytes += json.len();
        self.flows.push_back(Flow::new(record, json));
        while self.flows.len() > MAX_FLOWS || self.bytes > MAX_FLOW_BYTES {
            let Some(oldest) = self.flows.pop_front() else { break };
            self.bytes -= oldest.json.len();
        }
    }

    /// All of it; `inputs` are the names of what was read.
    ///
    /// # Errors
    /// Where the summary does not come out as it went in, which a test would find.
    pub fn finish(
        self,
        accounts: &Accounts,
        inputs: Vec<String>,
        configuration: serve::Configuration,
    ) -> Result<Picture, PictureError> {
        let watching = serve::Watching {
            state: serve::State::Over,
            backend: "capture",
            interfaces: inputs,
            ..Default::default()
        };
        let times = (accounts.first_packet.unwrap_or_default(), accounts.last_packet.unwrap_or_default());
        let summary = serve::Summary::new(&self.sums, accounts, &watching, &configuration, times, 0);
        let json = serde_json::to_vec(&summary).unwrap_or_default();
        let summary = Summary::read(&json)?;
        let flows = self.flows.into_iter().rev().collect();
        let mut picture = Picture { summary, flows, is_of_captures: true, ..Picture::default() };
        picture.count_forgotten();
        Ok(picture)
    }
}

/// What the judgement rests on.
#[must_use]
pub fn about(config: &Resolved, address_list: String) -> serve::Configuration {
    serve::Configuration {
        file: config.path_of_file.as_ref().map(|path| path.display().to_string()),
        profile: config.policy.settings.profile.to_string(),
        address_list,
        ..Default::default()
    }
}
