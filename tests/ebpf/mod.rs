//! The eBPF back-end in the kernel: what is recorded goes over a wire between two interfaces in a network
//! namespace of its own, and must give what the file gives. Needs root.

mod devices;
mod frames;
mod namespace;
mod object;
mod passing_on;
mod replay;
mod selection;
mod settled;
mod speed;
mod taken_away;
