//! Which back-end takes the packets from the interfaces: the one place where back-ends are plugged in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::blind::Blindness;
use super::names::Names;
use crate::capture::afpacket::{self, AfPacket, SocketSelection};
use crate::capture::libpcap::{self, Pcap};
use crate::capture::unwanted::Unwanted;
use crate::capture::{Link, LiveError, LiveSource, Outgoing};
use crate::config::{Backend, Resolved};
use crate::host::forwarding;
use crate::host::links::{self, HostLink, LinkEvent, LinkWatch, Selection};
use crate::host::privileges;
use crate::host::process::Senders;
use crate::host::statistics::{self, SinceStart};
use crate::pipeline::MAX_FOLLOWED_BYTES;
use crate::pipeline::live::{Change, Live, OpenSource};

/// How often is looked whether interfaces came or went.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

/// How often the host is asked what its interfaces lost, and whether it forwards.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// What chooses the packets of a packet socket.
const BY_PROGRAM: &str = "packets are chosen by the eBPF program as socket filter";
const BY_FILTER: &str = "packets are chosen by a classic filter";

/// Interfaces named in an error.
const MAX_NAMED: usize = 12;

/// A source at work, and why it is this one.
pub(super) struct Opened {
    pub source: Box<dyn LiveSource>,
    /// Who opened connections of this host, where the back-end tells.
    pub senders: Option<Senders>,
    /// Opens the same back-end again, with nothing attached.
    pub reopen: OpenSource,
    /// What is attached.
    pub links: Vec<Link>,
    /// Interfaces that could not be attached, and why.
    pub refused: Vec<(String, String)>,
    /// Why this back-end, and what chooses the packets.
    pub reason: String,
    /// The kernel is asked by bpf(2) while it runs.
    pub uses_bpf: bool,
    pub follower: LinkWatch,
    /// Where it is allowed.
    pub unwanted: Option<Unwanted>,
}

/// Opens the back-end that is asked for, or the best that this host allows, and attaches the interfaces.
pub(super) fn open(config: &Arc<Resolved>, names: &Names) -> anyhow::Result<Opened> {
    let selection = Selection::new(&config.capture.interfaces);
    let follower = LinkWatch::open(selection.clone())?;
    let links: Vec<Link> = follower.links().map(links::HostLink::link).collect();
    let missing: Vec<&str> =
        selection.exact_names().filter(|name| !follower.links().any(|link| link.is_called(name))).collect();
    if links.is_empty() && !missing.is_empty() {
        let there: Vec<String> =
            links::list()?.into_iter().take(MAX_NAMED).map(|(link, _)| link.name.to_string()).collect();
        return Err(anyhow!(
            "{} cannot be watched: not there, or not up; this host has {}",
            missing.join(", "),
            there.join(", ")
        ));
    }
    for name in missing {
        tracing::warn!(
            interface = names.hide(name),
            "The interface is not there or not up; it will be watched as soon as it is."
        );
    }
    let heard = Heard::default();
    let Chosen { ready, attached, refused, backend, reason } = choose(config, &heard, &links)?;
    let Ready { source, chosen_by, uses_bpf } = ready;
    for (interface, error) in &refused {
        let (interface, error) = (names.hide(interface), names.hide(error));
        tracing::warn!(interface, error, "The interface cannot be watched.");
    }
    let senders = senders_of(&*source, &heard);
    let config = Arc::clone(config);
    let reopen: OpenSource = Box::new(move || open_one(backend, &config, &heard).map(|ready| ready.source));
    let reason = if chosen_by.is_empty() { reason } else { format!("{reason}; {chosen_by}") };
    // Where that is not allowed they are counted as lost by the interface, which the documentation says.
    let unwanted = Unwanted::take().ok();
    Ok(Opened { source, senders, reopen, links: attached, refused, reason, uses_bpf, follower, unwanted })
}

/// Tells of interfaces that come and go, of what they lose and of what this host sends, until the engine has ended.
/// `changes` is counted up when interfaces or addresses change; `selections` names other interfaces to be watched.
pub(super) fn follow<A: Send + 'static>(
    mut follower: LinkWatch,
    live: &Arc<Live<A>>,
    names: &Names,
    changes: Arc<AtomicU64>,
    selections: Receiver<Selection>,
) -> std::io::Result<()> {
    let (live, names) = (Arc::downgrade(live), names.clone());
    let mut losses = SinceStart::new(statistics::losses().unwrap_or_default());
    let mut blindness = Blindness::default();
    std::thread::Builder::new().name("links".to_owned()).spawn(move || {
        let mut outgoing = None;
        let mut asked: Option<Instant> = None;
        let mut is_followed = true;
        loop {
            let Some(live) = live.upgrade() else { return };
            let mut has_changed = false;
            if is_followed {
                let (events, lost) = match selections.try_recv() {
                    Ok(selection) => (follower.select(selection), "An interface is no longer asked for."),
                    Err(_) => (follower.take_events(), "An interface is gone."),
                };
                match events {
                    Ok(events) => {
                        has_changed = !events.is_empty();
                        changes.fetch_add(u64::from(has_changed), Ordering::Relaxed);
                        events.into_iter().for_each(|event| pass_on(event, lost, &live, &names));
                    }
                    Err(error) => {
                        is_followed = false;
                        tracing::error!(%error, "Interfaces that come and go are no longer noticed.");
                    }
                }
            }
            if has_changed || asked.is_none_or(|asked| asked.elapsed() >= ASK_EVERY) {
                asked = Some(Instant::now());
                let watched: Vec<HostLink> = follower.links().cloned().collect();
                let now = outgoing_of(&watched);
                if outgoing.as_ref() != Some(&now) {
                    live.change(Change::Outgoing(now.clone()));
                    outgoing = Some(now);
                }
                if let Ok(counted) = statistics::losses() {
                    let names: Vec<&str> = watched.iter().map(|link| &*link.name).collect();
                    live.set_blind(blindness.observe(Instant::now(), &counted, &names, &live.met()));
                    losses.observe(counted, &names);
                    live.set_lost_before(losses.losses());
                }
            }
            drop(live);
            std::thread::sleep(FOLLOW_EVERY);
        }
    })?;
    Ok(())
}

/// Which frames of those that this host sends are needed; all of them where that cannot be told.
fn outgoing_of(watched: &[HostLink]) -> Outgoing {
    forwarding::situation(watched).map_or(Outgoing::All, |situation| afpacket::outgoing_for(&situation))
}

/// `lost` says what became of one that is watched no longer.
fn pass_on<A: Send + 'static>(event: LinkEvent, lost: &str, live: &Live<A>, names: &Names) {
    match event {
        LinkEvent::Appeared(link) => {
            tracing::info!(interface = names.hide(&link.name), "An interface appeared and is watched.");
            live.change(Change::Appeared(link.link()));
        }
        LinkEvent::Vanished { index, name } => {
            tracing::info!(interface = names.hide(&name), "{lost}");
            live.change(Change::Vanished { index, name });
        }
        LinkEvent::Changed(_) | LinkEvent::Addresses => {}
    }
}

/// A source, and how it works.
struct Ready {
    source: Box<dyn LiveSource>,
    /// What chooses the packets, where there is a choice.
    chosen_by: String,
    uses_bpf: bool,
}

impl Ready {
    fn plain(source: impl LiveSource + 'static) -> Self {
        Self { source: Box::new(source), chosen_by: String::new(), uses_bpf: false }
    }
}

/// Where the back-end notes who opened connections.
#[cfg(target_endian = "little")]
type Heard = Arc<crate::capture::ebpf::Senders>;
#[cfg(not(target_endian = "little"))]
type Heard = ();

#[cfg(target_endian = "little")]
fn senders_of(source: &dyn LiveSource, heard: &Heard) -> Option<Senders> {
    let heard = Arc::clone(heard);
    (source.backend() == "ebpf")
        .then(|| -> Senders { Box::new(move |local, remote| heard.group(local, remote)) })
}

#[cfg(not(target_endian = "little"))]
fn senders_of(_: &dyn LiveSource, _: &Heard) -> Option<Senders> {
    None
}

/// A back-end with the interfaces that it took.
struct Chosen {
    ready: Ready,
    attached: Vec<Link>,
    refused: Vec<(String, String)>,
    backend: Backend,
    reason: String,
}

fn choose(config: &Arc<Resolved>, heard: &Heard, links: &[Link]) -> anyhow::Result<Chosen> {
    let wanted = config.capture.backend;
    if wanted != Backend::Auto {
        return Ok(take(wanted, config, heard, links, "as asked for".to_owned())?);
    }
    let mut refusals = Vec::new();
    for backend in [Backend::Ebpf, Backend::AfPacket, Backend::Pcap] {
        let reason = if refusals.is_empty() {
            "the best that this host allows".to_owned()
        } else {
            format!("the best that this host allows ({})", refusals.join("; "))
        };
        match take(backend, config, heard, links, reason) {
            Ok(chosen) => return Ok(chosen),
            Err(error) => refusals.push(format!("not {}: {error}", backend.as_str())),
        }
    }
    Err(anyhow!("no back-end works here: {}; `ddbwatch doctor` says what to do", refusals.join("; ")))
}

/// Opens a back-end and has it watch the interfaces; an error, too, where it takes none of them.
fn take(
    backend: Backend,
    config: &Resolved,
    heard: &Heard,
    links: &[Link],
    reason: String,
) -> Result<Chosen, LiveError> {
    let mut ready = open_one(backend, config, heard)?;
    let (mut attached, mut refused, mut first_error) = (Vec::new(), Vec::new(), None);
    for link in links {
        match ready.source.attach(link) {
            Ok(()) => attached.push(link.clone()),
            Err(error) => {
                refused.push((link.name.to_string(), error.to_string()));
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        Some(error) if attached.is_empty() => Err(error),
        _ => Ok(Chosen { ready, attached, refused, backend, reason }),
    }
}

fn open_one(backend: Backend, config: &Resolved, heard: &Heard) -> Result<Ready, LiveError> {
    let capture = &config.capture;
    match backend {
        Backend::Auto | Backend::Ebpf => open_ebpf(config, heard),
        Backend::AfPacket => {
            let options = afpacket::Options {
                snaplen_bytes: capture.snaplen_bytes,
                ring_mib: capture.ring_mib,
                ..afpacket::Options::default()
            };
            let (selection, chosen_by) = match selection(config) {
                Ok(selection) => (Some(selection), BY_PROGRAM.to_owned()),
                Err(error) => (None, format!("{BY_FILTER} ({error})")),
            };
            let uses_bpf = selection.is_some();
            let source = Box::new(AfPacket::open(options, selection)?);
            Ok(Ready { source, chosen_by, uses_bpf })
        }
        Backend::Pcap => Ok(Ready::plain(Pcap::new(libpcap::Options {
            snaplen_bytes: capture.snaplen_bytes,
            buffer_mib: capture.ring_mib,
            ..libpcap::Options::default()
        }))),
    }
}

#[cfg(target_endian = "little")]
fn open_ebpf(config: &Resolved, heard: &Heard) -> Result<Ready, LiveError> {
    let source = crate::capture::ebpf::EbpfSource::load(&ebpf_options(config))?.telling(Arc::clone(heard));
    Ok(Ready { source: Box::new(source), chosen_by: String::new(), uses_bpf: true })
}

/// The program that chooses for packet sockets.
#[cfg(target_endian = "little")]
fn selection(config: &Resolved) -> Result<Box<dyn SocketSelection>, LiveError> {
    if !privileges::missing_of(privileges::SELECTION).is_empty() {
        // The kernel would say so in its own, long words.
        return Err(LiveError::Privilege {
            what: "the eBPF program".to_owned(),
            capability: "CAP_BPF and CAP_PERFMON",
        });
    }
    Ok(Box::new(crate::capture::ebpf::SelectionProgram::load(&ebpf_options(config))?))
}

#[cfg(target_endian = "little")]
fn ebpf_options(config: &Resolved) -> crate::capture::ebpf::Options {
    let options = crate::capture::ebpf::Options::default();
    // What the engine may hold of a direction says nothing of how much it looks at.
    let flow_bytes = u32::try_from(config.limits.flow_bytes).unwrap_or(u32::MAX).max(options.flow_bytes);
    // A little more than the engine follows, so that it learns that there is more.
    let followed = u32::try_from(MAX_FOLLOWED_BYTES).unwrap_or(u32::MAX).saturating_add(options.flow_bytes);
    crate::capture::ebpf::Options {
        ring_mib: config.capture.ring_mib,
        flow_bytes,
        request_bytes: flow_bytes.max(followed),
        prefixes: config.endpoint.prefixes.networks().collect(),
        ..options
    }
}

/// Whether a back-end could look for all addresses of a configuration.
#[cfg(target_endian = "little")]
pub(super) fn check_interest(config: &Resolved) -> anyhow::Result<()> {
    let (count, most) = (config.endpoint.prefixes.networks().count(), crate::capture::ebpf::MAX_INTEREST);
    anyhow::ensure!(
        count <= most,
        "the address list has {count} DynamoDB prefixes, and the kernel part holds {most}: give a list with fewer"
    );
    Ok(())
}

#[cfg(not(target_endian = "little"))]
fn open_ebpf(_: &Resolved, _: &Heard) -> Result<Ready, LiveError> {
    Err(not_here())
}

#[cfg(not(target_endian = "little"))]
fn selection(_: &Resolved) -> Result<Box<dyn SocketSelection>, LiveError> {
    Err(not_here())
}

#[cfg(not(target_endian = "little"))]
pub(super) fn check_interest(_: &Resolved) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(not(target_endian = "little"))]
fn not_here() -> LiveError {
    LiveError::Unsupported {
        what: "eBPF".to_owned(),
        why: "its program is built for little-endian machines".to_owned(),
    }
}
