// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// The kernel's part of ddbwatch: it selects packets and understands none. What may hold a handshake, an
// alert, a DNS answer or a request in clear goes up whole through a ring; everything else is counted and
// left where it is. No packet is changed, dropped, held or sent anywhere.
//
// ddb_ingress and ddb_egress hang on the two sides of an interface (TC), ddb_socket selects for a packet
// socket. All three share the same logic; the first two also have a short way for the packet that is by
// far the most common, which reads it in place.
//
// Nothing newer than Linux 5.15 is used: global functions with pointer arguments (5.12), ring buffer (5.8). Tried under
// 6.1, 6.12 and 6.18 (tests/kernels).

#include "walk.h"

// What is kept of packets of which only the addresses matter: tags, IPv6 with an extension, UDP.
#define HEAD_BYTES 128

// Helpers reserved to the GPL are used (the clock), so the loaded program is under both licences.
char ddb_license[] SECTION("license") = "Dual MIT/GPL";

// Gives the frame to the ring, at most `most` bytes of it.
LAYER u32 emit(struct __sk_buff *skb, u32 slot, u32 most, u32 is_raw_ip, u32 is_outgoing)
{
    u32 processor = bpf_get_smp_processor_id();
    struct counters *own = bpf_map_lookup_elem(&counts, &slot);
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &processor);
    if (!own || !scratch)
        return 0;
    own->met[is_outgoing & 1]++;
    u32 wire = skb->len;
    u32 have = wire < most ? wire : most;
    u32 has_vlan = skb->vlan_present;
    if (has_vlan)
        wire += 4;
    // On kernels with real-time preemption another packet may come in between.
    if (__sync_val_compare_and_swap(&scratch->is_busy, 0, 1) != 0) {
        own->lost[LOST_BUSY].packets++;
        own->lost[LOST_BUSY].bytes += wire;
        return 0;
    }
    if (have > MAX_FRAME_BYTES)
        have = MAX_FRAME_BYTES;
    u32 is_lost = LOST_COPY;
    AS_NEW(have);
    // Fewer bytes are no header of anything. Kernels before 6.8 do not conclude from `have != 0` that there is one.
    if (have >= 4 && bpf_skb_load_bytes(skb, 0, scratch->frame, have) == 0) {
        struct event *event = &scratch->event;
        event->nanoseconds = bpf_ktime_get_ns();
        event->slot = slot;
        event->ifindex = skb->ifindex;
        event->wire_bytes = wire;
        event->captured_bytes = have;
        event->vlan_tci = has_vlan ? skb->vlan_tci : 0;
        event->vlan_protocol = has_vlan ? swap16(skb->vlan_proto) : 0;
        event->has_vlan = has_vlan != 0;
        event->is_outgoing = is_outgoing;
        event->is_raw_ip = is_raw_ip;
        event->zero = 0;
        event->cgroup = is_outgoing ? bpf_skb_cgroup_id(skb) : 0;
        is_lost = LOST_RING_FULL;
        if (bpf_ringbuf_output(&ring, event, sizeof(struct event) + have, BPF_RB_NO_WAKEUP) == 0)
            is_lost = LOSSES;
    }
    scratch->is_busy = 0;
    if (is_lost == LOSSES) {
        own->passed.packets++;
        own->passed.bytes += wire;
    } else {
        own->lost[is_lost & 3].packets++;
        own->lost[is_lost & 3].bytes += wire;
    }
    return 0;
}

// Whether another packet that this program cannot read may still go up in this second.
ALWAYS_INLINE int is_within_rate(void)
{
    u32 zero = 0;
    struct pace *pace = bpf_map_lookup_elem(&paces, &zero);
    if (!pace)
        return 0;
    u64 second = bpf_ktime_get_ns() / 1000000000;
    if (pace->second != second) {
        pace->second = second;
        pace->packets = 0;
    }
    return pace->packets++ < unparsed_per_second;
}

ALWAYS_INLINE void count_skip(u32 slot, u32 reason, u32 wire, u32 is_outgoing)
{
    struct counters *own = bpf_map_lookup_elem(&counts, &slot);
    if (own) {
        own->skipped[reason & (SKIPS - 1)].packets++;
        own->skipped[reason & (SKIPS - 1)].bytes += wire;
        own->met[is_outgoing & 1]++;
    }
}

ALWAYS_INLINE u32 wire_bytes(struct __sk_buff *skb) { return skb->len + (skb->vlan_present ? 4 : 0); }

// Counts what became of a packet. Gives the bytes that go up; nothing goes into the ring where a socket
// takes them.
ALWAYS_INLINE u32 carry_out(struct __sk_buff *skb, struct slot slot, u32 verdict, u32 is_outgoing, u32 is_socket)
{
    if (verdict >= SKIP) {
        count_skip(slot.number, verdict, wire_bytes(skb), is_outgoing);
        return 0;
    }
    u32 most = verdict == PASS_HEAD ? HEAD_BYTES : MAX_FRAME_BYTES;
    if (verdict != PASS_UNPARSED && !is_socket) {
        emit(skb, slot.number, most, slot.is_raw_ip, is_outgoing);
        return most;
    }
    struct counters *own = bpf_map_lookup_elem(&counts, &slot.number);
    if (!own)
        return 0;
    if (verdict == PASS_UNPARSED) {
        if (!is_within_rate()) {
            own->lost[LOST_RATE].packets++;
            own->lost[LOST_RATE].bytes += wire_bytes(skb);
            return 0;
        }
        own->unparsed++;
    }
    if (!is_socket) {
        emit(skb, slot.number, most, slot.is_raw_ip, is_outgoing);
        return most;
    }
    own->passed.packets++;
    own->passed.bytes += wire_bytes(skb);
    return most;
}

LAYER u32 walk_directly(struct __sk_buff *skb, u32 slot, u32 is_raw_ip)
{
    return walk_frame(skb, slot, is_raw_ip, 1);
}

LAYER u32 walk_by_helpers(struct __sk_buff *skb, u32 slot, u32 is_raw_ip)
{
    return walk_frame(skb, slot, is_raw_ip, 0);
}

ALWAYS_INLINE int classify(struct __sk_buff *skb, u32 is_outgoing)
{
    struct slot slot = slot_of(skb->ifindex);
    u32 verdict = slot.is_raw_ip ? 0 : decide_plain(skb, slot.number, 0, is_outgoing);
    if (verdict == 0)
        verdict = walk_directly(skb, slot.number, slot.is_raw_ip);
    carry_out(skb, slot, verdict, is_outgoing, 0);
    // Go on as if this program was not there.
    return -1;
}

SECTION("classifier") int ddb_ingress(struct __sk_buff *skb) { return classify(skb, 0); }

SECTION("classifier") int ddb_egress(struct __sk_buff *skb) { return classify(skb, 1); }

// The bytes of the packet that the socket gets.
SECTION("socket") int ddb_socket(struct __sk_buff *skb)
{
    struct slot slot = slot_of(skb->ifindex);
    u32 verdict = walk_by_helpers(skb, slot.number, slot.is_raw_ip);
    return carry_out(skb, slot, verdict, skb->pkt_type == PACKET_OUTGOING, 1);
}
