// The short way of the packet that is by far the most common. It reads the packet in place, which only programs
// of TC may do.
#pragma once

#include "decide.h"

// Where the innermost Ethernet header begins at most, to be read in place.
#define MAX_OUTER_BYTES 256

// Neither an answer of DNS nor a tunnel nor IPsec.
ALWAYS_INLINE int is_plain_udp(u16 source, u16 destination)
{
    u32 from = swap16(source);
    u32 to = swap16(destination);
    return from != 53 && from != 500 && from != 4500 && to != 500 && to != 4500 && to != 2152 && to != 4789
           && to != 4790 && to != 6081 && to != 8472;
}

ALWAYS_INLINE struct slot slot_of(u32 index)
{
    struct slot unknown = {};
    struct slot *slot = bpf_map_lookup_elem(&slots, &index);
    if (unlikely(!slot))
        slot = bpf_map_lookup_elem(&high_slots, &index);
    return slot ? *slot : unknown;
}

// Whether the packet, on its way out, came in by an interface that is watched: this program saw it there.
ALWAYS_INLINE int was_seen_coming_in(struct __sk_buff *skb)
{
    u32 index = skb->ingress_ifindex;
    return index != 0 && slot_of(index).number != 0;
}

// What is known of a flow that needs no further look, OPEN for every other.
ALWAYS_INLINE u32 settled_by(const struct flow_key *key)
{
    u16 low = (u16)key->address[0][1] ^ key->address[0][1] >> 48 ^ key->address[1][1] >> 48;
    u32 place = (low ^ low >> 8 ^ key->port[0] ^ key->port[0] >> 8 ^ key->port[1] ^ key->port[1] >> 8) % RECENT_FLOWS;
    volatile struct recent *recent = bpf_map_lookup_elem(&recents, &place);
    if (!recent)
        return OPEN;
    // Before the table is asked: an opening that comes later makes it out of date.
    u64 until = *(volatile u64 *)&openings;
    u32 version = recent->version;
    if (recent->openings == until && recent->left != 0 && recent->key.address[0][0] == key->address[0][0]
        && recent->key.address[0][1] == key->address[0][1] && recent->key.address[1][0] == key->address[1][0]
        && recent->key.address[1][1] == key->address[1][1] && recent->key.port[0] == key->port[0]
        && recent->key.port[1] == key->port[1]) {
        u32 settled = recent->settled;
        if (likely(!(version & 1) && recent->version == version)) {
            recent->left--;
            return settled;
        }
    }
    struct flow *flow = bpf_map_lookup_elem(&flows, key);
    if (!flow || flow->settled == OPEN)
        return OPEN;
    u32 settled = flow->settled;
    if (!(version & 1)) {
        recent->version = version + 1;
        recent->openings = until;
        recent->settled = settled;
        recent->left = RECENT_PACKETS;
        recent->key.address[0][0] = key->address[0][0];
        recent->key.address[0][1] = key->address[0][1];
        recent->key.address[1][0] = key->address[1][0];
        recent->key.address[1][1] = key->address[1][1];
        recent->key.port[0] = key->port[0];
        recent->key.port[1] = key->port[1];
        recent->version = version + 2;
    }
    return settled;
}

// TCP and UDP behind plain Ethernet and IP headers at `at`, read in place. Zero where it is anything else.
LAYER u32 decide_plain(struct __sk_buff *skb, u32 slot, u32 at, u32 is_outgoing)
{
    if (at > MAX_OUTER_BYTES)
        return 0;
    u8 *data = (u8 *)(u64)skb->data + at;
    u8 *end = (u8 *)(u64)skb->data_end;
    struct segment segment;
    struct flow_key *key = &segment.key;
    u8 *tcp;
    u32 packet_end;
    u32 tcp_at;
    if (data + 54 > end)
        return 0;
    u32 frame = skb->len - at;
    u16 type = *(u16 *)(data + 12);
    if (type == swap16(0x0800)) {
        u8 *ip = data + 14;
        if (ip[0] != 0x45 || (*(u16 *)(ip + 6) & swap16(0x3fff)))
            return 0;
        if (ip[9] == 17)
            return is_plain_udp(*(u16 *)(ip + 20), *(u16 *)(ip + 22)) ? SKIP_FOR(SKIP_UDP) : 0;
        if (ip[9] != 6)
            return 0;
        u32 total = swap16(*(u16 *)(ip + 2));
        if (total < 40)
            return 0;
        key->address[0][0] = key->address[1][0] = 0;
        key->address[0][1] = v4_mapped(*(u32 *)(ip + 12));
        key->address[1][1] = v4_mapped(*(u32 *)(ip + 16));
        tcp = data + 34;
        tcp_at = 34;
        packet_end = 14 + total;
    } else if (type == swap16(0x86dd)) {
        u8 *ip = data + 14;
        if (data + 74 > end || ip[0] >> 4 != 6)
            return 0;
        if (ip[6] == 17)
            return is_plain_udp(*(u16 *)(ip + 40), *(u16 *)(ip + 42)) ? SKIP_FOR(SKIP_UDP) : 0;
        if (ip[6] != 6)
            return 0;
        u32 total = swap16(*(u16 *)(ip + 4));
        if (total < 20)
            return 0;
        key->address[0][0] = *(u64 *)(ip + 8);
        key->address[0][1] = *(u64 *)(ip + 16);
        key->address[1][0] = *(u64 *)(ip + 24);
        key->address[1][1] = *(u64 *)(ip + 32);
        tcp = data + 54;
        tcp_at = 54;
        packet_end = 54 + total;
    } else {
        return 0;
    }
    u32 header_bytes = (tcp[12] >> 4) * 4;
    if (packet_end > frame)
        packet_end = frame;
    if (header_bytes < 20 || tcp_at + header_bytes > packet_end)
        return 0;
    key->port[0] = *(u16 *)tcp;
    key->port[1] = *(u16 *)(tcp + 2);
    key->zero = 0;
    segment.side = put_in_order(key);
    segment.flags = tcp[13];
    u32 payload_at = tcp_at + header_bytes;
    segment.payload_at = at + payload_at;
    segment.payload_bytes = packet_end - payload_at;
    if (!(segment.flags & SYN)) {
        u32 settled = settled_by(&segment.key);
        if (settled != OPEN) {
            u32 skip = SKIP_FOR(settled == SETTLED_BY_KERNEL ? SKIP_OTHER : SKIP_SETTLED);
            // A hello is at least this long, and most bulk does not begin like one: in place where it can be.
            if (segment.payload_bytes < 6)
                return skip;
            u8 *payload = data + (payload_at & 127);
            if (payload + 6 <= end) {
                if (likely(payload[0] != 0x16 || payload[1] != 3))
                    return skip;
            } else {
                // Elsewhere in memory, where it costs as much to look as all the rest: once is enough.
                u8 head[8] = {};
                if (is_outgoing && was_seen_coming_in(skb))
                    return skip;
                if (bpf_skb_load_bytes(skb, segment.payload_at, head, 6) == 0 && likely(!is_hello(head)))
                    return skip;
            }
            segment.sequence = swap32(*(u32 *)(tcp + 4));
            segment.zero = 0;
            return peek(skb, &segment);
        }
    }
    segment.sequence = swap32(*(u32 *)(tcp + 4));
    segment.zero = 0;
    return decide(skb, &segment, slot);
}
