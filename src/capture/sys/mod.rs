//! The room for unsafe code: what the kernel offers and no crate wraps safely.
//!
//! Input: numbers, bytes and descriptors. Output: safe types that keep the promises the kernel asks
//! for. Each `unsafe` says why it holds; nothing in here looks into a packet, decides anything or keeps
//! state beyond the descriptor it wraps.

#![expect(unsafe_code, reason = "this is the room for it: system calls and mapped memory")]

pub mod attached;
pub mod clock;
pub mod ethtool;
pub mod heap;
pub mod packet_socket;
pub mod readiness;
