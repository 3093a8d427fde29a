//! Frames in: recorded captures and live interfaces.
//!
//! Input: paths or a stream. Output: [`Frame`]s with the [`Interface`] they were taken on, in file
//! order, and the damage that was met. It looks at no byte of a frame.
//!
//! `live` says what every live back-end gives; `afpacket` and `libpcap` are such, `merge` puts the frames of
//! several interfaces into one order, and `sys` is the room for unsafe code. Stages of a file: [`expand`] finds
//! the files, `buffer` reads them in large pieces, `content` says what they are, `compression` unpacks them,
//! `pcap` and `pcapng` find the packets.

#[cfg(target_os = "linux")]
pub mod afpacket;
mod buffer;
mod compression;
mod content;
#[cfg(all(target_os = "linux", target_endian = "little"))]
pub mod ebpf;
mod error;
mod file;
mod frame;
mod input;
#[cfg(target_os = "linux")]
pub mod libpcap;
mod link_type;
pub mod live;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod merge;
mod pcap;
mod pcapng;
#[cfg(target_os = "linux")]
mod places;
#[cfg(target_os = "linux")]
mod reading;
#[cfg(target_os = "linux")]
mod standard_input;
#[cfg(target_os = "linux")]
pub(crate) mod sys;
#[cfg(target_os = "linux")]
pub mod unwanted;
#[cfg(test)]
mod writer;

pub use content::Content;
pub use error::{Breakage, CaptureError, Compression, Damage, DamageKind};
pub use file::{
    Beginning, FileSource, Frames, MOST_TOGETHER, beginning, fuzz_file, open_input, open_input_until,
    standard_input,
};
pub use frame::{Frame, FrameSource, Interface};
pub use input::{Expanded, InOrder, Input, InputError, PassedOver, PassedOverReason, expand, is_capture};
pub use link_type::LinkType;
pub use live::{Count, FlowAddresses, Link, LinkCounts, LiveError, LiveSource, Met, Outgoing, Take};
pub use pcapng::RecordedDrops;

/// Gives free memory back to the operating system, where its allocator keeps it for each thread.
pub fn give_back_memory() {
    #[cfg(target_os = "linux")]
    sys::heap::give_back();
}
