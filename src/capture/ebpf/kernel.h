// What the kernel offers, as far as it is used here. Numbers and layouts are those of the kernel's own
// user interface (uapi/linux/bpf.h), which never change; so no header of any kernel is needed.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;

#define SECTION(name) __attribute__((section(name), used))
#define ALWAYS_INLINE static inline __attribute__((always_inline))
// A function the verifier checks once for every caller. It must not be static.
#define LAYER __attribute__((noinline))
// A function the verifier checks once for every call, with all that is known there: its caller's stack may be handed in.
#define STEP static __attribute__((noinline))

// What the compiler knows of a number is forgotten: bounds are checked where the verifier is to see them, and not on a copy.
#define AS_NEW(number) __asm__ volatile("" : "+r"(number))

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

// How maps are described (as BTF): the width of an array, the type behind a pointer.
#define NUMBER(name, value) int(*name)[value]
#define TYPE(name, of) of *name

enum {
    BPF_MAP_TYPE_ARRAY = 2,
    BPF_MAP_TYPE_PERCPU_ARRAY = 6,
    BPF_MAP_TYPE_LRU_HASH = 9,
    BPF_MAP_TYPE_LPM_TRIE = 11,
    BPF_MAP_TYPE_HASH = 1,
    BPF_MAP_TYPE_RINGBUF = 27,
};

enum { BPF_ANY = 0, BPF_F_NO_PREALLOC = 1, BPF_RB_NO_WAKEUP = 1 };

// The packet as programs of the types sched_cls and socket_filter see it.
struct __sk_buff {
    u32 len;
    u32 pkt_type;
    u32 mark;
    u32 queue_mapping;
    u32 protocol;
    u32 vlan_present;
    u32 vlan_tci;
    u32 vlan_proto;
    u32 priority;
    u32 ingress_ifindex;
    u32 ifindex;
    u32 tc_index;
    u32 cb[5];
    u32 hash;
    u32 tc_classid;
    u32 data;
    u32 data_end;
};

// Packets this host sends, as seen by a packet socket.
enum { PACKET_OUTGOING = 4 };

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static long (*bpf_skb_load_bytes)(const void *skb, u32 offset, void *to, u32 len) = (void *)26;
static u64 (*bpf_skb_cgroup_id)(struct __sk_buff *skb) = (void *)79;
static long (*bpf_ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;

ALWAYS_INLINE u16 swap16(u16 value) { return __builtin_bswap16(value); }
ALWAYS_INLINE u32 swap32(u32 value) { return __builtin_bswap32(value); }
