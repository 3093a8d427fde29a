//! What one flow carries: the state machine from its first byte to its handshake.
//!
//! `Sniffing` → `Tls`, `Http`, `Requests`, `Dns` or `Opaque`. TLS may begin after a clear-text dialogue: a proxy's
//! preamble, STARTTLS and its like, OpenVPN's framing.

mod stage;

use std::borrow::Cow;

use arrayvec::ArrayVec;

use super::dialogue::{Dialogue, MIN_PROBED_BYTES, Said, is_surely_request};
use super::unaligned::Unaligned;
use crate::app::{self, Parse, dns, http1, openvpn, proxy};
use crate::classify::{self, EndpointOptions};
use crate::flow::{FlowView, MAX_CONTEXTS, Moment};
use crate::model::{HttpFacts, ProxyFacts, Side};
use crate::tls::{self, Hellos, Probe};
pub use stage::TlsStage;

/// How often requests of one connection may end in a tunnel, or in the wish for one: as often as a client asks again.
const MAX_TUNNELS: u8 = 16;

/// Hardware addresses remembered per flow: those of both directions on each way.
const MAX_LINKS: usize = 2 * MAX_CONTEXTS;

/// One flow's inspection.
#[derive(Default)]
pub struct Inspection {
    stage: Stage,
    /// What was said in clear so far; there only while something was.
    dialogue: Option<Box<Dialogue>>,
    /// Bytes of this side are missing from it.
    has_gap: [bool; 2],
    /// The connection was not seen to open, so that its first bytes may be any of it.
    is_opening_unseen: bool,
    /// On a port of DNS something else is said.
    is_no_dns: bool,
    /// Before TLS the client said something that is not understood.
    has_preamble: bool,
    /// Times that requests were followed, which may end in a tunnel each.
    tunnels: u8,
    /// This side answered a call of an API in clear.
    answered: Option<Side>,
    /// Records of application data were seen of each side, of a handshake that was not.
    has_records: [bool; 2],
    /// Distinct hardware addresses and their context, where they are wanted.
    links: Option<Box<ArrayVec<(u32, Link), MAX_LINKS>>>,
}

/// The hardware addresses of one hop: that on the way to [`Side::A`], and that on the way to [`Side::B`].
pub type Link = ([u8; 6], [u8; 6]);

#[derive(Default)]
enum Stage {
    #[default]
    Sniffing,
    Tls(Box<TlsStage>),
    /// A request of this side, and none behind it that is looked at.
    Http(Box<(HttpFacts, Option<ProxyFacts>, Side)>),
    /// A request to DynamoDB was read; those that its side sends behind it are looked at, too.
    Requests(Box<(http1::Following, Option<ProxyFacts>, Side)>),
    Dns(Box<[dns::TcpMessages; 2]>),
    Opaque,
}

/// What an inspection makes use of.
pub struct Tools<'a> {
    pub hellos: &'a mut Hellos,
    /// Receives whole DNS messages.
    pub answers: &'a mut dyn FnMut(dns::Message<'_>),
    pub endpoints: &'a EndpointOptions,
    /// Room for bytes to be put together in.
    pub scratch: &'a mut Vec<u8>,
}

/// What was found of a flow.
pub enum Finding {
    Tls(Box<TlsStage>),
    /// A request in clear, the proxy it went through, and who sent it.
    Http(Box<HttpFacts>, Option<ProxyFacts>, Side),
    /// The answer in clear to a call of this side that was not seen.
    Answer(Side),
    /// TLS whose handshake was not seen; whether application data flowed both ways.
    MidStream {
        is_established: bool,
    },
    /// A proxy was asked by this side, TLS never began.
    Proxy(ProxyFacts, Side),
    /// A load balancer looked whether its server is there: it announced no connection but its own, and said no more.
    Check,
    /// A DNS conversation, whose answers were taken as they came; what was lost of each side and not told yet.
    Dns([Option<dns::DnsError>; 2]),
    /// Neither TLS nor HTTP, or the capture joined after the handshake.
    Unknown,
}

impl Inspection {
    /// True for the first bytes of a direction that this state machine has a use for, and that begin it whatever was seen
    /// before them.
    #[must_use]
    pub fn starts_stream(bytes: &[u8]) -> bool {
        match bytes.first() {
            // A request begins with a method, or with the empty lines that may stand before it.
            Some(b'\r' | b'\n' | b'!'..=b'~') => http1::is_surely_request(bytes),
            _ => matches!(tls::probe(bytes), Probe::ClientHello | Probe::ServerHello),
        }
    }

    /// True for first bytes that answer the other side's.
    #[must_use]
    pub fn is_answer(bytes: &[u8]) -> bool {
        tls::probe(bytes) == Probe::ServerHello
    }

    /// True once nothing more can be learned.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        match &self.stage {
            Stage::Sniffing | Stage::Dns(_) => false,
            Stage::Tls(stage) => stage.session.is_decided(),
            Stage::Requests(all) => all.0.is_done(),
            Stage::Http(..) | Stage::Opaque => true,
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.dialogue.as_ref().map_or(0, |dialogue| dialogue.held_bytes())
            + match &self.stage {
                Stage::Tls(stage) => stage.held_bytes(),
                Stage::Dns(messages) => messages.iter().map(dns::TcpMessages::held_bytes).sum(),
                Stage::Requests(all) => all.0.held_bytes(),
                Stage::Sniffing | Stage::Http(..) | Stage::Opaque => 0,
            }
    }

    /// True where bytes are missing before the handshake or the request.
    #[must_use]
    pub fn has_gap(&self) -> bool {
        self.has_gap != [false; 2] || matches!(&self.stage, Stage::Tls(stage) if stage.has_gap)
    }

    /// True where what the client said before TLS is not understood, and may have been said to a proxy.
    #[must_use]
    pub fn has_preamble(&self) -> bool {
        match &self.stage {
            Stage::Tls(stage) => stage.proxy.is_none() && (self.has_preamble || stage.has_preamble),
            _ => self.has_preamble,
        }
    }

    /// Remembers the hardware addresses of a packet in a context.
    pub fn note_link(&mut self, context: u32, link: Link) {
        if !self.links().contains(&(context, link)) {
            let _ = self.links.get_or_insert_default().try_push((context, link));
        }
    }

    /// Distinct hardware addresses the flow was seen with, each with its context, where they are wanted.
    #[must_use]
    pub fn links(&self) -> &[(u32, Link)] {
        self.links.as_ref().map_or(&[], |links| links)
    }

    /// True where there may have been more of them.
    #[must_use]
    pub fn may_lack_links(&self) -> bool {
        self.links().len() == MAX_LINKS
    }

    /// Takes the next bytes of `side`.
    pub fn data(
        &mut self,
        view: &FlowView,
        side: Side,
        bytes: &[u8],
        moment: &Moment,
        tools: &mut Tools<'_>,
    ) {
        match &mut self.stage {
            Stage::Sniffing => self.sniff(view, side, bytes, moment, tools),
            Stage::Tls(stage) => stage.feed(side, bytes, moment, tools.hellos),
            Stage::Dns(messages) => messages[side.index()].push(bytes, tools.answers),
            Stage::Requests(_) => self.follow(view, side, bytes, moment, tools),
            // Held until the other side told that nothing is to be learned but this.
            Stage::Opaque => {
                self.has_records[side.index()] |=
                    self.is_joined(view) && tls::looks_like_application_data(bytes);
            }
            Stage::Http(..) => {}
        }
    }

    /// The beginning of the connection was not seen.
    fn is_joined(&self, view: &FlowView) -> bool {
        view.originator.is_none() || self.has_gap != [false; 2]
    }

    /// True where what a side said in clear begins where a segment does, for want of anything that tells more.
    const fn is_beginning_guessed(&self, side: Side) -> bool {
        self.has_gap[side.index()] || self.is_opening_unseen || self.has_preamble
    }

    /// The request of a side, as far as what is missing in front leaves it known.
    fn known(&self, facts: HttpFacts, side: Side) -> HttpFacts {
        let mut facts = if self.has_gap[side.index()] {
            http1::behind_loss(facts)
        } else if self.is_beginning_guessed(side) {
            http1::of_unknown_beginning(facts)
        } else {
            facts
        };
        // Others may have come before.
        facts.later.is_incomplete |= self.is_opening_unseen;
        facts
    }

    /// What can be said of the request that a side has begun and not ended, and the proxy it went through.
    fn cut_request(&mut self, side: Side) -> Option<(HttpFacts, Option<ProxyFacts>)> {
        // No server answers a request with a record.
        if self.has_records[side.other().index()] {
            return None;
        }
        let is_guessed = self.is_beginning_guessed(side);
        let (request, proxy) = self.dialogue.as_deref_mut()?.of_mut(side).request()?;
        if is_guessed && !is_surely_request(request) {
            return None;
        }
        let (facts, proxy) = (http1::parse_truncated(request), proxy.cloned());
        Some((self.known(facts, side), proxy))
    }

    /// Learns that bytes of `side` are missing, up to the sequence number `until`.
    pub fn gap(&mut self, side: Side, until: u32, endpoints: &EndpointOptions) {
        match &mut self.stage {
            Stage::Sniffing => {
                // Of a request whose head is cut, what was read of it counts, and others may follow.
                if let Some((facts, proxy)) = self.cut_request(side) {
                    let may_tunnel = self.may_tunnel();
                    let following = http1::Following::after_loss(facts, may_tunnel, &whose(endpoints));
                    self.stage = Stage::Requests(Box::new((following, proxy, side)));
                    self.dialogue = None;
                    return;
                }
                self.has_gap[side.index()] = true;
                *self.dialogue.get_or_insert_default().of_mut(side) = Said::behind_loss();
            }
            Stage::Tls(stage) => stage.gap(side, Some(until)),
            Stage::Dns(messages) => messages[side.index()].gap(),
            Stage::Requests(all) if side == all.2 => {
                all.0.gap(&whose(endpoints));
                self.dialogue = None;
            }
            Stage::Requests(..) | Stage::Http(..) | Stage::Opaque => {}
        }
    }

    /// What was found, at the end of the flow.
    #[must_use]
    pub fn into_finding(mut self, view: &FlowView, endpoints: &EndpointOptions) -> Finding {
        let without_hello = match (self.answered, self.has_records) {
            (Some(side), _) => Finding::Answer(side.other()),
            (None, [false, false]) => Finding::Unknown,
            (None, [of_one, of_other]) => Finding::MidStream { is_established: of_one && of_other },
        };
        match self.stage {
            Stage::Tls(stage) => Finding::Tls(stage),
            Stage::Http(both) => {
                let (facts, proxy, client) = *both;
                Finding::Http(Box::new(facts), proxy, client)
            }
            Stage::Requests(all) => {
                let (following, proxy, client) = *all;
                Finding::Http(following.finish(&whose(endpoints)), proxy, client)
            }
            Stage::Dns(messages) => Finding::Dns(messages.map(|messages| messages.untold())),
            Stage::Opaque => without_hello,
            Stage::Sniffing => {
                // A request head that never ended is still a request.
                for side in [view.originator.unwrap_or(Side::A), view.originator.unwrap_or(Side::A).other()] {
                    if let Some((facts, proxy)) = self.cut_request(side) {
                        return Finding::Http(Box::new(facts), proxy, side);
                    }
                    let Some(dialogue) = self.dialogue.as_deref_mut() else { break };
                    let is_answered = !dialogue.of(side.other()).is_empty();
                    if let (rest, Some(facts)) = dialogue.of_mut(side).behind_proxies() {
                        let is_check = facts.is_unannounced() && rest.is_empty() && !is_answered;
                        return if is_check { Finding::Check } else { Finding::Proxy(facts.clone(), side) };
                    }
                }
                match without_hello {
                    Finding::Unknown
                        if is_port(view, 53) && self.dialogue.is_some_and(|said| said.may_be_dns()) =>
                    {
                        Finding::Dns([None, None])
                    }
                    other => other,
                }
            }
        }
    }

    fn sniff(&mut self, view: &FlowView, side: Side, bytes: &[u8], moment: &Moment, tools: &mut Tools<'_>) {
        if self.dialogue.as_ref().is_none_or(|dialogue| dialogue.of(side).is_empty()) {
            // The way of nearly every flow: a hello is the first thing a side says.
            match tls::probe(bytes) {
                Probe::ClientHello => return self.begin(side, side, bytes, moment, tools.hellos, None, None),
                Probe::ServerHello => {
                    return self.begin(side.other(), side, bytes, moment, tools.hellos, None, None);
                }
                Probe::NeedMore | Probe::No => {}
            }
        }
        let is_dns = (is_port(view, 53) && !self.is_no_dns)
            .then(|| Dialogue::is_dns(self.dialogue.as_deref(), side, bytes, self.is_joined(view)))
            .flatten();
        self.is_no_dns |= is_dns == Some(false);
        if is_dns == Some(true) {
            let dialogue = self.dialogue.take();
            let mut messages = Box::new([dns::TcpMessages::default(), dns::TcpMessages::default()]);
            for of in [side.other(), side] {
                messages[of.index()].push(Dialogue::said(dialogue.as_deref(), of), tools.answers);
            }
            messages[side.index()].push(bytes, tools.answers);
            self.stage = Stage::Dns(messages);
            return;
        }
        self.is_opening_unseen = view.originator.is_none();
        let is_joined = self.is_joined(view);
        let said = self.dialogue.get_or_insert_default().of_mut(side);
        // What was joined in the middle may have been the rest of a request: the next one begins with a segment.
        if is_joined && (said.is_rest_before_request(bytes) || app::dax::is_authorization(bytes)) {
            *said = Said::default();
        }
        said.note_next_answer(bytes);
        let is_behind_something = !said.is_empty();
        if said.is_end_alone() {
            self.has_records[side.index()] |= is_joined && tls::looks_like_application_data(bytes);
            self.search_behind(side, bytes, moment, tools);
        } else {
            said.push(bytes);
            self.has_records[side.index()] |= is_joined
                && (tls::looks_like_application_data(bytes)
                    || tls::looks_like_application_data(said.beginning()));
            self.search(view, side, moment, tools);
        }
        // Behind something said to a proxy that is not understood.
        if is_behind_something
            && matches!(self.stage, Stage::Sniffing)
            && is_surely_request(bytes)
            && let Some(dialogue) = &mut self.dialogue
            && let said = dialogue.of_mut(side)
            && !said.has_unfinished_head()
            && said.request().is_none()
        {
            said.begin_with(bytes.to_vec());
            self.has_preamble = true;
            self.search(view, side, moment, tools);
        }
        if matches!(self.stage, Stage::Sniffing)
            && self.dialogue.as_deref_mut().is_some_and(Dialogue::is_too_long)
        {
            let cut = [Side::A, Side::B].into_iter().find_map(|side| Some((self.cut_request(side)?, side)));
            self.dialogue = None;
            self.stage = match cut {
                Some(((mut facts, proxy), side)) => {
                    facts.later.meet_limit();
                    Stage::Http(Box::new((facts, proxy, side)))
                }
                None => Stage::Opaque,
            };
        }
    }

    /// Goes on with requests, which may end in a tunnel.
    fn follow(&mut self, view: &FlowView, side: Side, bytes: &[u8], moment: &Moment, tools: &mut Tools<'_>) {
        let Stage::Requests(all) = &mut self.stage else { return };
        let (following, _, client) = &mut **all;
        if side != *client {
            return following.hear(bytes);
        }
        // The server may switch to TLS, or to a tunnel [RFC 9110 section 7.8].
        let held = self.dialogue.as_deref_mut().map(|all| all.of_mut(side).take());
        let held = held.unwrap_or_default();
        let whole = if held.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned([&held, bytes].concat()) };
        if following.may_give_way() {
            match tls::probe(&whole) {
                Probe::ClientHello => {
                    self.has_preamble = true;
                    return self.begin(side, side, &whole, moment, tools.hellos, None, None);
                }
                Probe::NeedMore if whole.len() < MIN_PROBED_BYTES => {
                    self.dialogue.get_or_insert_default().of_mut(side).begin_with(whole.into_owned());
                    return;
                }
                Probe::NeedMore | Probe::ServerHello | Probe::No => {}
            }
        }
        following.push(&whole, &whose(tools.endpoints));
        if let Some(tunnel) = following.take_tunnel() {
            self.stage = Stage::Sniffing;
            self.dialogue.get_or_insert_default().of_mut(side).begin_with(tunnel);
            self.search(view, side, moment, tools);
        }
    }

    /// Requests are followed from here on; true where they may end in a tunnel.
    const fn may_tunnel(&mut self) -> bool {
        self.tunnels = self.tunnels.saturating_add(1);
        self.tunnels < MAX_TUNNELS
    }

    /// Looks for what the dialogue of `side` has become.
    fn search(&mut self, view: &FlowView, side: Side, moment: &Moment, tools: &mut Tools<'_>) {
        let is_joined = self.is_joined(view);
        let Some(all) = self.dialogue.as_deref_mut() else { return };
        let all = all.of_mut(side);
        if !all.may_have_changed() {
            return;
        }
        let dialogue = all.beginning();
        match tls::probe(dialogue) {
            Probe::ClientHello => {
                let bytes = all.take();
                return self.begin(side, side, &bytes, moment, tools.hellos, None, None);
            }
            Probe::ServerHello => {
                let bytes = all.take();
                return self.begin(side.other(), side, &bytes, moment, tools.hellos, None, None);
            }
            Probe::NeedMore if dialogue.len() < MIN_PROBED_BYTES => return,
            Probe::NeedMore | Probe::No => {}
        }
        let said_bytes = dialogue.len();
        if let Some((bytes, proxy)) = all.request() {
            self.has_preamble |= bytes.len() < said_bytes && proxy.is_none();
            let Parse::Done(mut request) = http1::parse_request(bytes) else { return all.note_unfinished() };
            let (rest, proxy) =
                (bytes.get(request.head_bytes..).unwrap_or_default().to_vec(), proxy.cloned());
            request.facts = self.known(request.facts, side);
            // What comes with the head does not wait.
            request.awaits_continue &= rest.is_empty();
            let may_tunnel = self.may_tunnel();
            self.stage = match http1::Following::after(&request, may_tunnel, &whose(tools.endpoints)) {
                Some(following) => Stage::Requests(Box::new((following, proxy, side))),
                None => Stage::Http(Box::new((request.facts, proxy, side))),
            };
            self.dialogue = None;
            return self.follow(view, side, &rest, moment, tools);
        }
        let (rest, proxy) = all.behind_proxies();
        if app::dax::is_cleartext_greeting(rest) || is_joined && app::dax::is_authorization(rest) {
            let facts = HttpFacts { is_dax: true, ..HttpFacts::default() };
            self.stage = Stage::Http(Box::new((facts, proxy.cloned(), side)));
            self.dialogue = None;
            return;
        }
        if all.answers_api() {
            self.answered = Some(side);
        }
        all.note_unfinished();
        let dialogue = all.beginning();
        let from = all.search_start();
        let hidden = tls::find_hidden(dialogue.get(from..).unwrap_or_default());
        let Some((at, whose)) = hidden.hello else { return all.note_searched() };
        let start = all.start();
        let whole = all.take();
        self.begin_within(side, &whole, from + at, whose, start, moment, tools);
    }

    /// The same where nothing became of what `side` said before.
    fn search_behind(&mut self, side: Side, bytes: &[u8], moment: &Moment, tools: &mut Tools<'_>) {
        let Some(all) = self.dialogue.as_deref_mut() else { return };
        let mut scratch = std::mem::take(tools.scratch);
        if let Some((whole, at, whose)) = all.of_mut(side).search_behind(bytes, &mut scratch) {
            all.of_mut(side).take();
            self.begin_within(side, whole, at, whose, None, moment, tools);
        }
        *tools.scratch = scratch;
    }

    /// A hello was found at `at` of what `side` said, and where that begins; `None` without what came before.
    #[expect(clippy::too_many_arguments, reason = "what was found, put together once")]
    fn begin_within(
        &mut self,
        side: Side,
        said: &[u8],
        at: usize,
        whose: Probe,
        start: Option<proxy::Start>,
        moment: &Moment,
        tools: &mut Tools<'_>,
    ) {
        if whose != Probe::ClientHello {
            // What the client said is missing, or comes yet. This answers something, unless that is understood once it
            // is seen.
            self.has_preamble = true;
            let bytes = said.get(at..).unwrap_or_default();
            return self.begin(side.other(), side, bytes, moment, tools.hellos, None, None);
        }
        let at = at - tls::change_of_cipher_before(said.get(..at).unwrap_or_default());
        let before = said.get(..at).unwrap_or_default();
        let facts = match start.map(|start| proxy::client(before, start)) {
            Some(Parse::Done(preamble)) => preamble.facts,
            Some(Parse::NeedMore | Parse::No) | None => None,
        };
        self.has_preamble = (at > 0 || start.is_none()) && facts.is_none();
        if start.is_some()
            && let Some(pair) = openvpn::detect(said, at)
        {
            return self.begin(side, side, said, moment, tools.hellos, facts, Some(Box::new(pair)));
        }
        let bytes = said.get(at..).unwrap_or_default();
        self.begin(side, side, bytes, moment, tools.hellos, facts, None);
    }

    /// TLS begins: `bytes` are of `side` and start with a hello.
    #[expect(clippy::too_many_arguments, reason = "what TLS begins with, put together once")]
    fn begin(
        &mut self,
        client: Side,
        side: Side,
        bytes: &[u8],
        moment: &Moment,
        hellos: &mut Hellos,
        proxy: Option<ProxyFacts>,
        openvpn: Option<Box<[openvpn::Deframer; 2]>>,
    ) {
        let mut earlier = self
            .dialogue
            .take()
            .map(|mut dialogue| std::mem::take(dialogue.of_mut(side.other())))
            .unwrap_or_default();
        let start = earlier.start();
        let earlier = earlier.take();
        let is_framed = openvpn.is_some();
        let mut session = tls::Session::new();
        if self.has_gap[client.index()] {
            session.join();
        }
        let mut stage = Box::new(TlsStage {
            session,
            client,
            proxy,
            client_hello_frame: None,
            server_hello_frame: None,
            newest_frame: [moment.frame; 2],
            has_server_bytes: false,
            has_gap: false,
            has_preamble: false,
            is_aligned: [false; 2],
            pending: None,
            openvpn,
        });
        stage.is_aligned[side.index()] = true;
        // The other side has said nothing yet, or only what came before TLS.
        // What a client says may come after the answer to it, with a preamble in front; and a client that said one may
        // not have waited for the answer to it.
        let is_answered_in_clear = stage.proxy.is_some() || self.has_preamble;
        stage.is_aligned[side.other().index()] =
            earlier.is_empty() && self.has_gap == [false; 2] && side == client && !is_answered_in_clear;
        stage.feed(side, bytes, moment, hellos);
        if !earlier.is_empty() {
            stage.pending.get_or_insert_default()[side.other().index()] = Unaligned::at(start);
            // Where that stood in its stream is not known any more.
            stage.feed(
                side.other(),
                &earlier,
                &Moment { acknowledgment: None, end: None, ..*moment },
                hellos,
            );
            if !is_framed && client == side {
                stage.is_aligned[side.other().index()] |= stage.session.has_server_hello();
            }
        }
        self.stage = Stage::Tls(stage);
    }
}

/// Tells whose a request in clear is.
fn whose(endpoints: &EndpointOptions) -> impl Fn(&HttpFacts) -> http1::Addressee {
    |facts| classify::addressee(facts, endpoints)
}

fn is_port(view: &FlowView, port: u16) -> bool {
    view.key.end(Side::A).port() == port || view.key.end(Side::B).port() == port
}
