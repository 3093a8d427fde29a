// The program's memory. Sizes that depend on the host or the configuration are set by the loader.
#pragma once

#include "abi.h"

// Set by the loader before the kernel sees the program.
const volatile u32 flow_bytes = 65536;
const volatile u32 request_bytes = 1 << 20;
const volatile u32 unparsed_per_second = 50000;

struct {
    NUMBER(type, BPF_MAP_TYPE_LRU_HASH);
    TYPE(key, struct flow_key);
    TYPE(value, struct flow);
    NUMBER(max_entries, 262144);
} flows SECTION(".maps");

// Letters of the engine: this flow, begun then, needs no further look. Not written into the flow itself,
// because that would race with a SYN that begins it anew.
struct {
    NUMBER(type, BPF_MAP_TYPE_LRU_HASH);
    TYPE(key, struct flow_key);
    TYPE(value, u64);
    NUMBER(max_entries, 16384);
} settle SECTION(".maps");

// Goes up with each interface that is watched no longer: what was seen coming in before may come in there, and what goes
// out is the only sight of it then. Written by the loader alone; never 0.
volatile u32 epoch SECTION(".data.epoch") = 1;

// Counts what makes a flow open: where it did not change, what was read of settled flows still holds.
u64 openings = 0;

// A settled flow that this processor met lately. Most packets of bulk come behind one of the same flow, and what is passed on
// goes out on the processor that took it in; so most need no look into the table of all flows.
struct recent {
    // Odd while it is written: on kernels with real-time preemption another packet may come in between.
    u32 version;
    u32 settled;
    // Packets until the table is asked again, which keeps the flow from being the one that went longest without a look.
    u32 left;
    u32 zero;
    u64 openings;
    struct flow_key key;
};

#define RECENT_FLOWS 64
#define RECENT_PACKETS 64

struct {
    NUMBER(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    TYPE(key, u32);
    TYPE(value, struct recent);
    NUMBER(max_entries, RECENT_FLOWS);
} recents SECTION(".maps");

struct fragment_key {
    u64 source[2];
    u64 destination[2];
    u32 identification;
    u32 protocol;
};

// What became of the first fragment of a packet: the others share its fate.
struct {
    NUMBER(type, BPF_MAP_TYPE_LRU_HASH);
    TYPE(key, struct fragment_key);
    TYPE(value, u32);
    NUMBER(max_entries, 4096);
} fragments SECTION(".maps");

struct pair_key {
    u64 source[2];
    u64 destination[2];
};

// When an ESP packet of two hosts was last passed up.
struct {
    NUMBER(type, BPF_MAP_TYPE_LRU_HASH);
    TYPE(key, struct pair_key);
    TYPE(value, u64);
    NUMBER(max_entries, 4096);
} esp_pairs SECTION(".maps");

struct {
    NUMBER(type, BPF_MAP_TYPE_ARRAY);
    TYPE(key, u32);
    TYPE(value, struct slot);
    NUMBER(max_entries, MAX_INDEX);
} slots SECTION(".maps");

// Interfaces with numbers of MAX_INDEX and more.
struct {
    NUMBER(type, BPF_MAP_TYPE_HASH);
    TYPE(key, u32);
    TYPE(value, struct slot);
    NUMBER(max_entries, MAX_SLOTS);
} high_slots SECTION(".maps");

struct {
    NUMBER(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    TYPE(key, u32);
    TYPE(value, struct counters);
    NUMBER(max_entries, MAX_SLOTS);
} counts SECTION(".maps");

struct pace {
    u64 second;
    u64 packets;
};

struct {
    NUMBER(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    TYPE(key, u32);
    TYPE(value, struct pace);
    NUMBER(max_entries, 1);
} paces SECTION(".maps");

// An ordinary array with one element per processor: those of per-CPU maps may not be this large.
struct {
    NUMBER(type, BPF_MAP_TYPE_ARRAY);
    TYPE(key, u32);
    TYPE(value, struct scratch);
    NUMBER(max_entries, 1);
} scratches SECTION(".maps");

struct {
    NUMBER(type, BPF_MAP_TYPE_RINGBUF);
    NUMBER(max_entries, 64 << 20);
} ring SECTION(".maps");

// One bit for each port.
struct {
    NUMBER(type, BPF_MAP_TYPE_ARRAY);
    TYPE(key, u32);
    TYPE(value, u64);
    NUMBER(max_entries, PORT_WORDS);
} ports SECTION(".maps");

struct {
    NUMBER(type, BPF_MAP_TYPE_LPM_TRIE);
    TYPE(key, struct prefix_key);
    TYPE(value, u32);
    NUMBER(max_entries, 16384);
    NUMBER(map_flags, BPF_F_NO_PREALLOC);
} prefixes SECTION(".maps");
