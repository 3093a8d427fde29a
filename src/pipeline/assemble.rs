//! Everything found of one flow → its record.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;

use super::flows::Flows;
use super::inspect::{Finding, Inspection, Link, TlsStage};
use crate::classify::path::Way;
use crate::classify::{self, EndpointInput};
use crate::flow::{Ending, FlowView};
use crate::model::{
    AlertFrom, Completeness, EndpointEvidence, EndpointFacts, EndpointKind, Eviction, HttpFacts, Outcome,
    PathFacts, ProxyFacts, Record, Shared, Side, Sighting, Sni, Timestamp, TlsFacts,
};
use crate::tls::{TlsError, TlsErrors};

/// The record of a flow, or why there is none.
///
/// # Errors
/// The reason the flow is not reported, as counted in the evictions.
pub(super) fn record(
    flows: &mut Flows,
    state: Inspection,
    view: FlowView,
    ending: Ending,
    now: Timestamp,
) -> Result<Record, Eviction> {
    let may_lack_links = state.may_lack_links();
    let mut links: Vec<(u32, Link)> = state.links().to_vec();
    if !view.has_payload {
        return Err(Eviction::NoPayload);
    }
    let is_from_beginning = view.originator.is_some() && !state.has_gap() && !state.has_preamble();
    let mut parts = Parts::new(is_from_beginning, ending);
    parts.take(state.into_finding(&view, &flows.config().endpoint), flows, &view)?;
    let client_side = *parts.client.get_or_insert_with(|| likely_client(&view));
    let (client, server) = (view.key.end(client_side), view.key.end(client_side.other()));
    if client_side == Side::B {
        links.iter_mut().for_each(|(_, (a, b))| std::mem::swap(a, b));
    }
    let sni = parts.tls.as_ref().map_or(Sni::NotSeen, |facts| facts.sni());
    let (names, is_dns_of_other_family) = flows.names_of(client.ip(), server.ip(), sni, &view);
    let input = EndpointInput {
        sni,
        encrypted_hello: parts.tls.as_ref().map(|facts| facts.encrypted_hello()).unwrap_or_default(),
        certificate: parts.tls.as_ref().and_then(|facts| facts.certificate.as_deref()),
        http: parts.http.as_deref(),
        proxy: parts.proxy.as_ref(),
        is_from_beginning: parts.is_from_beginning,
        dns_names: &names.names,
        has_more_dns_names: names.has_more,
        sni_alias: names.sni,
        is_dns_of_other_family,
        client,
        server,
        translated: &view.translated,
    };
    let endpoint = flows.endpoint(&input, parts.tls.as_ref().and_then(|facts| facts.certificate.as_ref()));
    let addresses = input.addresses();
    // Bytes that look like records of one side alone may be anything.
    let is_tls = parts.tls.as_ref().is_some_and(|facts| facts.established || !parts.is_mid_stream);
    if !is_tls && parts.http.is_none() && endpoint.is_none() {
        return Err(Eviction::NotTls);
    }
    if parts.is_mid_stream && parts.tls.as_ref().is_some_and(|facts| facts.is_truncated) {
        flows.note_tls_errors(TlsErrors::from(TlsError::HandshakeGap));
    }
    let endpoint = endpoint.unwrap_or_else(|| flows.repeated.no_endpoint.clone());
    let mut ways = ArrayVec::new();
    let has_more_ways = flows.add_ways(&mut ways, &view, &links, may_lack_links);
    let esp_seen = flows.esp_seen(&view, now);
    let path = if endpoint.service.is_some() {
        classify::path::classify(
            &classify::path::PathInput {
                client,
                server,
                translated: &view.translated,
                addresses: &addresses,
                ways: &ways,
                has_more_ways,
                knows_link_kinds: flows.is_live(),
                endpoint: &endpoint,
                is_proxied: parts.proxy.is_some()
                    || parts.http.as_ref().is_some_and(|http| http.is_absolute_form),
                esp_seen,
                is_one_sided: !view.is_seen_both_ways(),
            },
            &flows.config().path,
        )
    } else {
        PathFacts::default()
    };
    let mut sightings = Vec::with_capacity(ways.len());
    for Way { sighting, .. } in ways {
        // Each section of a file numbers its interfaces anew.
        if !sightings.contains(&sighting) {
            sightings.push(sighting);
        }
    }
    if let Some(http) = &mut parts.http {
        // Whether or not the address is where the name says; and at that of an interface endpoint there is nothing else.
        let is_there = endpoint.is_in_prefix
            || endpoint.kind == Some(EndpointKind::Interface)
            || endpoint.evidence.contains(&EndpointEvidence::Dns);
        let HttpFacts { host, later, is_absolute_form, .. } = &mut **http;
        let is_at_dynamodb = endpoint.service.is_some() && is_there && !*is_absolute_form;
        later.settle(host.as_deref(), is_at_dynamodb, &addresses);
    }
    Ok(parts.into_record(flows, view, (client, server), endpoint, path, sightings))
}

/// What a record is made of, as far as the inspection tells it.
struct Parts {
    client: Option<Side>,
    tls: Option<Box<TlsFacts>>,
    http: Option<Box<HttpFacts>>,
    proxy: Option<ProxyFacts>,
    is_mid_stream: bool,
    /// In clear, and what it answers was not seen.
    is_answer_alone: bool,
    is_from_beginning: bool,
    /// As the flow table tells it, or what was said on the way to it.
    ending: Ending,
    outcome: Option<Outcome>,
    client_hello_frame: Option<u64>,
    server_hello_frame: Option<u64>,
}

impl Parts {
    const fn new(is_from_beginning: bool, ending: Ending) -> Self {
        Self {
            client: None,
            tls: None,
            http: None,
            proxy: None,
            is_mid_stream: false,
            is_answer_alone: false,
            is_from_beginning,
            ending,
            outcome: None,
            client_hello_frame: None,
            server_hello_frame: None,
        }
    }

    /// Takes what the inspection came to.
    ///
    /// # Errors
    /// Where that is nothing to report.
    fn take(&mut self, finding: Finding, flows: &mut Flows, view: &FlowView) -> Result<(), Eviction> {
        match finding {
            Finding::Dns(untold) => {
                flows.note_dns_errors(untold);
                return Err(Eviction::Dns);
            }
            Finding::Tls(stage) => self.take_tls(flows, *stage, view),
            Finding::Http(facts, proxy, client) => {
                self.client = Some(client);
                self.take_http(facts, proxy, view);
            }
            Finding::Answer(client) => {
                self.client = Some(client);
                self.is_answer_alone = true;
                // Whom it was put to is not known.
                self.is_from_beginning = false;
                let facts = HttpFacts { is_truncated: true, ..HttpFacts::default() };
                self.take_http(Box::new(facts), None, view);
            }
            Finding::MidStream { is_established } => {
                self.take_mid_stream(is_established, view.originator.is_some());
            }
            Finding::Proxy(facts, client) => {
                self.client = Some(client);
                self.proxy = Some(facts);
                self.outcome = Some(plain_outcome(self.ending));
            }
            Finding::Check => return Err(Eviction::NotTls),
            Finding::Unknown => {}
        }
        Ok(())
    }

    fn take_tls(&mut self, flows: &mut Flows, mut stage: TlsStage, view: &FlowView) {
        if view.originator.is_none() {
            stage.session.join();
        }
        stage.close();
        let left = view
            .left
            .filter(|ending| ended_by(*ending, stage.client).is_some_and(|by| stage.session.leave(by)));
        self.ending = left.unwrap_or(self.ending);
        flows.note_tls_errors(stage.session.errors());
        let certificate = stage.session.leaf_certificate().map(|leaf| flows.repeated.certificate(leaf));
        let mut facts = stage.session.into_facts();
        match certificate {
            Some(Ok(certificate)) => facts.certificate = Some(certificate),
            Some(Err(error)) => facts.certificate_error = Some(error.reason()),
            None => {}
        }
        flows.complete_resumed(&mut facts, view.key.end(stage.client.other()).ip());
        self.client = Some(stage.client);
        self.proxy = stage.proxy;
        self.client_hello_frame = stage.client_hello_frame;
        self.server_hello_frame = stage.server_hello_frame;
        // It closed without a word, and what the client said then came too late.
        let is_silent = !stage.has_server_bytes
            && !view.is_closed_knowingly
            && self.ending == Ending::Closed(stage.client.other());
        self.outcome = Some(tls_outcome(&facts, view, self.ending, is_silent));
        self.tls = Some(facts);
    }

    /// TLS of which nothing is known but that it runs. Where the connection was seen to open, its hellos were lost or cut.
    fn take_mid_stream(&mut self, is_established: bool, is_truncated: bool) {
        self.is_mid_stream = true;
        let facts = TlsFacts { established: is_established, is_truncated, ..TlsFacts::default() };
        self.tls = Some(Box::new(facts));
        self.outcome = Some(Outcome::NotSeen);
    }

    fn take_http(&mut self, mut facts: Box<HttpFacts>, proxy: Option<ProxyFacts>, view: &FlowView) {
        // What a connection is used for after it was silent for long is not looked at, nor where another one took its
        // place that no end of it was seen of. Of what segments disagree about one alone was read.
        facts.later.is_incomplete |= self.ending == Ending::Superseded
            || self.client.is_none_or(|client| view.is_left_open[client.index()])
            || view.lost_bytes
            || view.has_disagreement;
        self.http = Some(facts);
        self.proxy = proxy;
        self.outcome = Some(Outcome::Plaintext);
    }

    fn completeness(&self, view: &FlowView) -> Completeness {
        if let Some(facts) = &self.tls {
            let is_cut = facts.is_truncated
                || facts.client_hello.as_ref().is_some_and(|hello| hello.is_truncated)
                || facts.server_hello.as_ref().is_some_and(|hello| hello.is_truncated);
            return match (&facts.client_hello, &facts.server_hello) {
                // A hello began, and so little of it was captured that nothing could be read.
                (None, None) if facts.is_truncated => Completeness::Truncated,
                (None, None) => Completeness::MidStream,
                // What two segments disagree about is not known.
                _ if is_cut || view.lost_bytes || view.has_disagreement => Completeness::Truncated,
                (Some(_), None) => Completeness::ClientOnly,
                (None, Some(_)) => Completeness::ServerOnly,
                (Some(_), Some(_)) => Completeness::Full,
            };
        }
        match &self.http {
            Some(_) if self.is_answer_alone => Completeness::ServerOnly,
            Some(facts) if facts.is_truncated || view.has_disagreement => Completeness::Truncated,
            Some(_) if !view.is_seen_both_ways() => Completeness::ClientOnly,
            Some(_) => Completeness::Full,
            None => Completeness::MidStream,
        }
    }

    fn into_record(
        self,
        flows: &Flows,
        view: FlowView,
        (client, server): (SocketAddr, SocketAddr),
        endpoint: Shared<EndpointFacts>,
        path: PathFacts,
        sightings: Vec<Sighting>,
    ) -> Record {
        let completeness = self.completeness(&view);
        // A capture without times tells no durations.
        let is_timed = |duration: &Duration| view.first_seen.is_date() || !duration.is_zero();
        let handshake_duration =
            self.tls.as_ref().and_then(|facts| Some(facts.established_at?.since(facts.client_hello_at?)));
        let (source, first_frame) = flows.file_of(view.first_frame);
        // Numbers of frames are those in that file.
        let there = |number: u64| {
            let (file, number) = flows.file_of(number);
            Arc::ptr_eq(file, source).then_some(number)
        };
        Record {
            timestamp: view.first_seen,
            client,
            server,
            source: Arc::clone(source),
            sightings,
            first_frame,
            client_hello_frame: self.client_hello_frame.and_then(there),
            server_hello_frame: self.server_hello_frame.and_then(there),
            completeness,
            outcome: self.outcome.unwrap_or(Outcome::NotSeen),
            is_from_beginning: self.is_from_beginning,
            ended_by: self
                .client
                .and_then(|client| ended_by(self.ending, client))
                .filter(|_| !view.is_end_doubtful),
            tls: self.tls,
            http: self.http,
            proxy: self.proxy,
            handshake_duration: handshake_duration.filter(is_timed),
            tcp_rtt: view.round_trip.filter(is_timed),
            endpoint,
            path,
            translated: view.translated,
            host: None,
            policy: None,
        }
    }
}

/// Without a hello, a request or a word to a proxy: who opened the connection, else the higher port.
fn likely_client(view: &FlowView) -> Side {
    view.originator.unwrap_or_else(|| {
        if view.key.end(Side::A).port() >= view.key.end(Side::B).port() { Side::A } else { Side::B }
    })
}

fn ended_by(ending: Ending, client: Side) -> Option<AlertFrom> {
    match ending {
        Ending::Closed(side) | Ending::Reset(side) => {
            Some(if side == client { AlertFrom::Client } else { AlertFrom::Server })
        }
        _ => None,
    }
}

/// How a connection ended, where TLS says nothing of it.
fn plain_outcome(ending: Ending) -> Outcome {
    match ending {
        Ending::Reset(_) => Outcome::Reset,
        Ending::Closed(_) => Outcome::Closed,
        _ => Outcome::TimedOut,
    }
}

/// `is_silent`: the server closed without having sent a byte, so that an alert of the client is its
/// answer to that and not a refusal.
fn tls_outcome(facts: &TlsFacts, view: &FlowView, ending: Ending, is_silent: bool) -> Outcome {
    if facts.established {
        return Outcome::Completed;
    }
    if let Some((_, from)) = facts.alert.filter(|(_, from)| *from != AlertFrom::Client || !is_silent) {
        return match from {
            AlertFrom::Client => Outcome::RefusedByClient,
            AlertFrom::Server => Outcome::RefusedByServer,
        };
    }
    if facts.client_hello.is_none() && facts.server_hello.is_none() {
        return Outcome::NotSeen;
    }
    // With one direction only, or a hole in front of the end, how the handshake ended cannot be known. Where the
    // client's hello was missed, what it said next was, too.
    let is_client_unread = facts.client_hello.is_none();
    if is_client_unread || facts.is_end_hidden || !view.is_seen_both_ways() {
        return Outcome::NotSeen;
    }
    plain_outcome(ending)
}
