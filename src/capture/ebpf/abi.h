// What the program and its loader have in common. abi.rs says the same in Rust, and fails to compile
// where sizes or places differ from what is written there; the loader refuses an object whose maps have
// other sizes.
#pragma once

#include "kernel.h"

// The innermost addresses and ports of a flow, the smaller end first: compared as numbers in the byte
// order of this machine, as both sides read them from memory. IPv4 is written as IPv6 (::ffff:a.b.c.d).
struct flow_key {
    u64 address[2][2];
    u16 port[2];
    u32 zero;
};

enum { OPEN = 0, SETTLED_BY_ENGINE = 1, SETTLED_BY_KERNEL = 2 };

struct flow {
    // When it began for this program; tells one use of the ports from the next.
    u64 started;
    // Sequence number of the first byte of each direction.
    u32 base[2];
    // Payload and packets passed up, both directions.
    u32 bytes;
    u32 packets;
    // Second of the newest hello that was let through a settled flow, and how many in it.
    u32 peek_second;
    u8 peeks;
    u8 settled;
    u8 is_candidate;
    // Two connections have these addresses and ports at once.
    u8 is_contested;
    // 0: base unknown, 1: from a SYN, 2: from the first packet met.
    u8 known[2];
    // The direction began with something the engine has a use for.
    u8 recognised[2];
    // What it said that nobody recognises: one for a short piece, STRANGE_LIMIT for a long one.
    u8 strange[2];
    // The direction began with a request in text.
    u8 is_asking[2];
    // The `epoch` in which the direction was last seen coming in; 0 where it never was.
    u32 came_in[2];
};

// Why a packet was left out, in the order of the names in abi.rs.
enum skip {
    SKIP_SETTLED,
    SKIP_OTHER,
    SKIP_OVER_BUDGET,
    SKIP_UDP,
    SKIP_ICMP,
    SKIP_ARP,
    SKIP_NOT_IP,
    SKIP_ESP,
    SKIP_IKE,
    SKIP_IP_PROTOCOL_OTHER,
    SKIP_FRAGMENT,
    SKIP_NO_PAYLOAD,
    SKIP_OUTGOING,
    SKIPS = 16,
};

enum loss { LOST_RING_FULL, LOST_RATE, LOST_COPY, LOST_BUSY, LOSSES };

struct count {
    u64 packets;
    u64 bytes;
};

// Of one interface and one processor.
struct counters {
    struct count passed;
    struct count skipped[SKIPS];
    struct count lost[LOSSES];
    // Flows that no state could be kept of; their packets went up.
    u64 map_full;
    // Packets that went up because this program does not read what they are wrapped in.
    u64 unparsed;
    // Packets met on the way in, and on the way out: an interface that counts others has a program that ends the chain
    // before this one.
    u64 met[2];
};

// What is known of an interface: its place in the counters, and how its frames begin.
struct slot {
    u32 number;
    u32 is_raw_ip;
};

// Before each frame in the ring.
struct event {
    u64 nanoseconds;
    u32 slot;
    u32 ifindex;
    u32 wire_bytes;
    u32 captured_bytes;
    // As the network card or kernel took it off the frame; host byte order.
    u16 vlan_tci;
    u16 vlan_protocol;
    u8 has_vlan;
    u8 is_outgoing;
    u8 is_raw_ip;
    u8 zero;
    // Control group of the socket that sent it; 0 for what comes in and what is only passed on.
    u64 cgroup;
};

// The largest frame: a merged packet of 64 KiB, its link header and tags.
#define MAX_FRAME_BYTES (65536 + 256)
// One piece of memory per processor, to put an event together in.
struct scratch {
    u64 is_busy;
    struct event event;
    u8 frame[MAX_FRAME_BYTES];
};

struct prefix_key {
    u32 bits;
    u8 address[16];
};

#define MAX_INDEX 16384
#define MAX_SLOTS 1024
#define PORT_WORDS 1024
