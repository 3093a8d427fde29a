//! Which back-end takes the packets from the interfaces: the one place where back-ends are plugged in.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;

use crate::capture::afpacket::{self, AfPacket};
use crate::capture::libpcap::{self, Pcap};
use crate::capture::{Link, LiveError, LiveSource};
use crate::config::{Backend, Resolved};
use crate::host::links::{self, LinkEvent, LinkWatch, Selection};
use crate::pipeline::live::{LinkChange, Live, OpenSource};

/// How often is looked whether interfaces came or went.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

/// Interfaces named in an error.
const MAX_NAMED: usize = 12;

/// A source at work, and why it is this one.
pub(super) struct Opened {
    pub source: Box<dyn LiveSource>,
    /// Opens the same back-end again, with nothing attached.
    pub reopen: OpenSource,
    /// What is attached.
    pub links: Vec<Link>,
    /// Interfaces that could not be attached, and why.
    pub refused: Vec<(String, String)>,
    /// Why this back-end.
    pub reason: String,
    pub follower: LinkWatch,
}

/// Opens the back-end that is asked for, or the best that this host allows, and attaches the interfaces.
pub(super) fn open(config: &Arc<Resolved>) -> anyhow::Result<Opened> {
    let selection = Selection::new(&config.capture.interfaces);
    let (follower, _) = LinkWatch::open(selection.clone())?;
    let links: Vec<Link> = follower.links().map(links::HostLink::link).collect();
    let missing: Vec<&str> =
        selection.exact_names().filter(|name| !links.iter().any(|link| *link.name == **name)).collect();
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
        tracing::warn!(interface = name, "The interface is not there or not up; it is watched once it is.");
    }
    let (mut source, backend, reason) = choose(config)?;
    let (mut attached, mut refused, mut first_error) = (Vec::new(), Vec::new(), None);
    for link in links {
        match source.attach(&link) {
            Ok(()) => attached.push(link),
            Err(error) => {
                tracing::warn!(interface = %link.name, %error, "The interface cannot be watched.");
                refused.push((link.name.to_string(), error.to_string()));
                first_error.get_or_insert(error);
            }
        }
    }
    if attached.is_empty()
        && let Some(error) = first_error
    {
        return Err(error.into());
    }
    let config = Arc::clone(config);
    let reopen: OpenSource = Box::new(move || open_one(backend, &config));
    Ok(Opened { source, reopen, links: attached, refused, reason, follower })
}

/// Tells of interfaces that come and go, until the engine has ended.
pub(super) fn follow<A: Send + 'static>(mut follower: LinkWatch, live: &Arc<Live<A>>) -> std::io::Result<()> {
    let live = Arc::downgrade(live);
    std::thread::Builder::new().name("links".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(FOLLOW_EVERY);
            let Some(live) = live.upgrade() else { return };
            match follower.take_events() {
                Ok(events) => events.into_iter().for_each(|event| pass_on(event, &live)),
                Err(error) => {
                    tracing::error!(%error, "Interfaces that come and go are no longer noticed.");
                    return;
                }
            }
        }
    })?;
    Ok(())
}

fn pass_on<A: Send + 'static>(event: LinkEvent, live: &Live<A>) {
    match event {
        LinkEvent::Appeared(link) => {
            tracing::info!(interface = %link.name, "An interface appeared and is watched.");
            live.change_link(LinkChange::Appeared(link.link()));
        }
        LinkEvent::Vanished { index, name } => {
            tracing::info!(interface = %name, "An interface is gone.");
            live.change_link(LinkChange::Vanished(index));
        }
        LinkEvent::Changed(_) | LinkEvent::Addresses => {}
    }
}

type Chosen = (Box<dyn LiveSource>, Backend, String);

fn choose(config: &Arc<Resolved>) -> anyhow::Result<Chosen> {
    let wanted = config.capture.backend;
    if wanted != Backend::Auto {
        return Ok((open_one(wanted, config)?, wanted, "as asked for".to_owned()));
    }
    let mut refusals = Vec::new();
    for backend in [Backend::Ebpf, Backend::AfPacket, Backend::Pcap] {
        match open_one(backend, config) {
            Ok(source) => {
                let reason = if refusals.is_empty() {
                    "the best that this host allows".to_owned()
                } else {
                    format!("the best that this host allows ({})", refusals.join("; "))
                };
                return Ok((source, backend, reason));
            }
            Err(error) => refusals.push(format!("not {}: {error}", backend.as_str())),
        }
    }
    Err(anyhow!("no back-end works here: {}; `ddbwatch doctor` tells what mends it", refusals.join("; ")))
}

fn open_one(backend: Backend, config: &Resolved) -> Result<Box<dyn LiveSource>, LiveError> {
    let capture = &config.capture;
    match backend {
        Backend::Auto | Backend::Ebpf => open_ebpf(config),
        Backend::AfPacket => {
            let options = afpacket::Options {
                snaplen_bytes: capture.snaplen_bytes,
                ring_mib: capture.ring_mib,
                ..afpacket::Options::default()
            };
            Ok(Box::new(AfPacket::open(options, None)?))
        }
        Backend::Pcap => Ok(Box::new(Pcap::new(libpcap::Options {
            snaplen_bytes: capture.snaplen_bytes,
            buffer_mib: capture.ring_mib,
            ..libpcap::Options::default()
        }))),
    }
}

#[cfg(target_endian = "little")]
fn open_ebpf(config: &Resolved) -> Result<Box<dyn LiveSource>, LiveError> {
    use crate::capture::ebpf::{EbpfSource, Options};

    let options = Options {
        ring_mib: config.capture.ring_mib,
        flow_bytes: u32::try_from(config.limits.flow_bytes).unwrap_or(u32::MAX),
        prefixes: config.endpoint.prefixes.networks().collect(),
        ..Options::default()
    };
    Ok(Box::new(EbpfSource::load(&options)?))
}

#[cfg(not(target_endian = "little"))]
fn open_ebpf(_: &Resolved) -> Result<Box<dyn LiveSource>, LiveError> {
    Err(LiveError::Unsupported {
        what: "the eBPF back-end".to_owned(),
        why: "its program is built for little-endian machines".to_owned(),
    })
}
