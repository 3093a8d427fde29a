// From the first header of a frame to its innermost TCP or UDP, one header after the other. Reads through
// helpers only, so that it works wherever the bytes are. Each reader is checked by the verifier by itself.
#pragma once

#include "plain.h"

// Frames of more headers go up whole.
#define MAX_LAYERS 20

// What comes next: a kind, and in the low half a number.
enum { ETHERNET = 1 << 16, ETHER_TYPE = 2 << 16, IP = 3 << 16, PROTOCOL = 4 << 16, MPLS = 5 << 16, PPP = 6 << 16 };

struct walk {
    u32 at;
    u32 end;
    u64 source[2];
    u64 destination[2];
    // The outermost packet of which this is the first fragment.
    struct fragment_key fragment;
    u32 is_first_fragment;
    u32 is_v6;
};

ALWAYS_INLINE u32 load16(const u8 *bytes) { return bytes[0] << 8 | bytes[1]; }

LAYER u32 read_ethernet(struct __sk_buff *skb, struct walk *walk)
{
    u8 header[14];
    if (!walk || bpf_skb_load_bytes(skb, walk->at, header, 14) != 0)
        return PASS_UNPARSED;
    walk->at += 14;
    return ETHER_TYPE | load16(header + 12);
}

LAYER u32 read_ether_type(struct __sk_buff *skb, struct walk *walk, u32 number)
{
    u8 tag[8];
    if (!walk)
        return PASS_UNPARSED;
    switch (number) {
    case 0x0800:
    case 0x86dd:
        return IP;
    case 0x8100:
    case 0x88a8:
    case 0x9100:
    case 0x9200:
        if (bpf_skb_load_bytes(skb, walk->at, tag, 4) != 0)
            return PASS_UNPARSED;
        walk->at += 4;
        return ETHER_TYPE | load16(tag + 2);
    case 0x6558:
        return ETHERNET;
    case 0x8847:
    case 0x8848:
        return MPLS;
    case 0x880b:
        return PPP;
    case 0x8864:
        // PPPoE: version and type, code, session, length.
        if (bpf_skb_load_bytes(skb, walk->at, tag, 6) != 0 || tag[0] != 0x11)
            return PASS_UNPARSED;
        if (tag[1] != 0)
            return SKIP_FOR(SKIP_NOT_IP);
        walk->at += 6;
        return PPP;
    case 0x0806:
    case 0x8035:
        return SKIP_FOR(SKIP_ARP);
    case 0x8863: // PPPoE discovery
    case 0x88cc: // LLDP
    case 0x88e5: // MACsec
    case 0x8809: // LACP
        return SKIP_FOR(SKIP_NOT_IP);
    case 0x8903: // headers of switch fabrics, which the engine goes over
    case 0x88e7:
    case 0x8909:
    case 0x8926:
        return PASS_UNPARSED;
    }
    if (number < 0x0600) {
        // LLC: IP is there only behind SNAP, or by an old number.
        if (bpf_skb_load_bytes(skb, walk->at, tag, 2) != 0)
            return PASS_UNPARSED;
        return tag[0] == 0xaa || tag[0] == 0x06 ? PASS_UNPARSED : SKIP_FOR(SKIP_NOT_IP);
    }
    return SKIP_FOR(SKIP_NOT_IP);
}

LAYER u32 read_mpls(struct __sk_buff *skb, struct walk *walk)
{
    u8 entry[8];
    if (!walk || bpf_skb_load_bytes(skb, walk->at, entry, 5) != 0)
        return PASS_UNPARSED;
    if (!(entry[2] & 1)) {
        walk->at += 4;
        return MPLS;
    }
    // 4 and 6 may also begin a MAC address. Where an EtherType stands behind two of those, guess nothing.
    u8 type[2];
    if (entry[4] >> 4 != 4 && entry[4] >> 4 != 6)
        return PASS_UNPARSED;
    if (bpf_skb_load_bytes(skb, walk->at + 16, type, 2) != 0)
        return PASS_UNPARSED;
    u32 number = load16(type);
    if (number == 0x0800 || number == 0x86dd || number == 0x8100 || number == 0x88a8)
        return PASS_UNPARSED;
    walk->at += 4;
    return IP;
}

LAYER u32 read_ppp(struct __sk_buff *skb, struct walk *walk)
{
    u8 header[4];
    if (!walk || bpf_skb_load_bytes(skb, walk->at, header, 4) != 0)
        return PASS_UNPARSED;
    u32 skip = header[0] == 0xff && header[1] == 0x03 ? 2 : 0;
    u32 first = skip ? header[2] : header[0];
    u32 second = skip ? header[3] : header[1];
    if (first == 0x21 || first == 0x57) {
        walk->at += skip + 1;
        return IP;
    }
    if (first == 0 && (second == 0x21 || second == 0x57)) {
        walk->at += skip + 2;
        return IP;
    }
    return first >= 0x80 ? SKIP_FOR(SKIP_NOT_IP) : PASS_UNPARSED;
}

// What becomes of a fragment that is not the first: the fate of the first, where that is known.
ALWAYS_INLINE u32 later_fragment(struct fragment_key *key)
{
    u32 *fate = bpf_map_lookup_elem(&fragments, key);
    if (!fate)
        return PASS_UNPARSED;
    return *fate >= SKIP ? SKIP_FOR(SKIP_FRAGMENT) : PASS;
}

ALWAYS_INLINE int may_carry_tcp(u32 protocol)
{
    return protocol == 6 || protocol == 17 || protocol == 47 || protocol == 4 || protocol == 41
           || protocol == 137 || protocol == 51 || protocol == 0 || protocol == 43 || protocol == 60;
}

ALWAYS_INLINE u32 fragment_of(struct walk *walk, u32 identification, u32 protocol, u32 is_first)
{
    struct fragment_key key = {};
    if (!may_carry_tcp(protocol))
        return PROTOCOL | protocol;
    key.source[0] = walk->source[0];
    key.source[1] = walk->source[1];
    key.destination[0] = walk->destination[0];
    key.destination[1] = walk->destination[1];
    key.identification = identification;
    key.protocol = protocol;
    if (!is_first)
        return later_fragment(&key);
    if (!walk->is_first_fragment) {
        walk->is_first_fragment = 1;
        walk->fragment = key;
    }
    return PROTOCOL | protocol;
}

LAYER u32 read_ip(struct __sk_buff *skb, struct walk *walk)
{
    union {
        u8 bytes[40];
        u32 words[10];
        u64 longs[5];
    } header;
    if (!walk || bpf_skb_load_bytes(skb, walk->at, header.bytes, 20) != 0)
        return PASS_UNPARSED;
    u32 at = walk->at;
    u32 frame_end = skb->len;
    if (header.bytes[0] >> 4 == 4) {
        u32 header_bytes = (header.bytes[0] & 15) * 4;
        u32 total = load16(header.bytes + 2);
        u32 cut = load16(header.bytes + 6);
        if (header_bytes < 20 || (total != 0 && total < header_bytes))
            return PASS_UNPARSED;
        walk->source[0] = walk->destination[0] = 0;
        walk->source[1] = v4_mapped(header.words[3]);
        walk->destination[1] = v4_mapped(header.words[4]);
        walk->is_v6 = 0;
        walk->at = at + header_bytes;
        // No length is left by segmentation offload.
        walk->end = total == 0 || at + total > frame_end ? frame_end : at + total;
        if (cut & 0x3fff)
            return fragment_of(walk, load16(header.bytes + 4), header.bytes[9], (cut & 0x1fff) == 0);
        return PROTOCOL | header.bytes[9];
    }
    if (header.bytes[0] >> 4 != 6 || bpf_skb_load_bytes(skb, at, header.bytes, 40) != 0)
        return PASS_UNPARSED;
    u32 total = load16(header.bytes + 4);
    __builtin_memcpy(walk->source, header.bytes + 8, 16);
    __builtin_memcpy(walk->destination, header.bytes + 24, 16);
    walk->is_v6 = 1;
    walk->at = at + 40;
    walk->end = total == 0 || at + 40 + total > frame_end ? frame_end : at + 40 + total;
    return PROTOCOL | header.bytes[6];
}

LAYER u32 read_tcp(struct __sk_buff *skb, struct walk *walk, u32 slot)
{
    union {
        u8 bytes[20];
        u16 halves[10];
        u32 words[5];
    } header;
    if (!walk || bpf_skb_load_bytes(skb, walk->at, header.bytes, 20) != 0)
        return PASS_UNPARSED;
    u32 header_bytes = (header.bytes[12] >> 4) * 4;
    u32 payload_at = walk->at + header_bytes;
    if (header_bytes < 20 || payload_at > walk->end)
        return PASS_UNPARSED;
    struct segment segment = {};
    segment.key.address[0][0] = walk->source[0];
    segment.key.address[0][1] = walk->source[1];
    segment.key.address[1][0] = walk->destination[0];
    segment.key.address[1][1] = walk->destination[1];
    segment.key.port[0] = header.halves[0];
    segment.key.port[1] = header.halves[1];
    segment.side = put_in_order(&segment.key);
    segment.sequence = swap32(header.words[1]);
    segment.flags = header.bytes[13];
    segment.payload_at = payload_at;
    segment.payload_bytes = walk->end - payload_at;
    return decide(skb, &segment, slot);
}

LAYER u32 read_esp(struct walk *walk)
{
    struct pair_key key = {};
    if (!walk)
        return SKIP_FOR(SKIP_ESP);
    key.source[0] = walk->source[0];
    key.source[1] = walk->source[1];
    key.destination[0] = walk->destination[0];
    key.destination[1] = walk->destination[1];
    u64 now = bpf_ktime_get_ns();
    u64 *last = bpf_map_lookup_elem(&esp_pairs, &key);
    if (last && now - *last < 1000000000)
        return SKIP_FOR(SKIP_ESP);
    bpf_map_update_elem(&esp_pairs, &key, &now, BPF_ANY);
    return PASS_HEAD;
}

// UDP: answers of DNS, and tunnels, which are known by their port and must look like one.
LAYER u32 read_udp(struct __sk_buff *skb, struct walk *walk)
{
    u8 header[16] = {};
    if (!walk || bpf_skb_load_bytes(skb, walk->at, header, 8) != 0)
        return PASS_UNPARSED;
    u32 from = load16(header);
    u32 to = load16(header + 2);
    if (from == 53)
        return PASS;
    u32 is_tunnel = to == 4789 || to == 4790 || to == 8472 || to == 6081;
    u32 is_ipsec = from == 4500 || to == 4500;
    if (from == 500 || to == 500)
        return SKIP_FOR(SKIP_IKE);
    if (to == 2152)
        return PASS_UNPARSED;
    if (!is_tunnel && !is_ipsec)
        return SKIP_FOR(SKIP_UDP);
    if (bpf_skb_load_bytes(skb, walk->at + 8, header, is_ipsec ? 4 : 8) != 0)
        return is_ipsec ? SKIP_FOR(SKIP_IKE) : SKIP_FOR(SKIP_UDP);
    if (is_ipsec) {
        u32 is_ike = (header[0] | header[1] | header[2] | header[3]) == 0;
        return is_ike ? SKIP_FOR(SKIP_IKE) : read_esp(walk);
    }
    if (to == 6081) {
        u32 protocol = load16(header + 2);
        if (header[0] >> 6 != 0
            || (protocol != 0x0800 && protocol != 0x86dd && protocol != 0x6558 && protocol != 0x8847
                && protocol != 0x8848))
            return SKIP_FOR(SKIP_UDP);
        walk->at += 16 + (header[0] & 63) * 4;
        return ETHER_TYPE | protocol;
    }
    if (!(header[0] & 0x08))
        return SKIP_FOR(SKIP_UDP);
    if (header[0] & 0x04 && header[3] != 3) {
        // The generic protocol extension.
        if (header[3] == 1 || header[3] == 2) {
            walk->at += 16;
            return IP;
        }
        return PASS_UNPARSED;
    }
    walk->at += 16;
    return ETHERNET;
}

LAYER u32 read_gre(struct __sk_buff *skb, struct walk *walk)
{
    u8 header[12] = {};
    if (!walk || bpf_skb_load_bytes(skb, walk->at, header, 4) != 0)
        return PASS_UNPARSED;
    u32 flags = load16(header);
    u32 protocol = load16(header + 2);
    if (flags & 0x4007)
        // Source routes, and the version of PPTP.
        return PASS_UNPARSED;
    walk->at += 4 + (flags & 0x8000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0) + (flags & 0x1000 ? 4 : 0);
    if (protocol == 0x88be || protocol == 0x22eb) {
        // ERSPAN: types I, II, III.
        if (protocol == 0x88be && !(flags & 0x1000))
            return ETHERNET;
        if (bpf_skb_load_bytes(skb, walk->at, header, 12) != 0)
            return PASS_UNPARSED;
        if (header[0] >> 4 == 1) {
            walk->at += 8;
            return ETHERNET;
        }
        if (header[0] >> 4 != 2)
            return PASS_UNPARSED;
        u32 bits = load16(header + 10);
        walk->at += 12 + (bits & 1 ? 8 : 0);
        u32 type = bits >> 10 & 31;
        return type == 0 ? ETHERNET : (type == 2 ? IP : PASS_UNPARSED);
    }
    if (protocol == 0x883e)
        return PASS_UNPARSED;
    if (protocol == 0)
        return SKIP_FOR(SKIP_NO_PAYLOAD);
    if (protocol < 0x0600)
        return SKIP_FOR(SKIP_NOT_IP);
    return ETHER_TYPE | protocol;
}

LAYER u32 read_protocol(struct __sk_buff *skb, struct walk *walk, u32 number)
{
    u8 header[8] = {};
    if (!walk)
        return PASS_UNPARSED;
    switch (number) {
    case 4:
    case 41:
        return IP;
    case 17:
        return read_udp(skb, walk);
    case 47:
        return read_gre(skb, walk);
    case 50:
        return read_esp(walk);
    case 137:
        return MPLS;
    case 1:
    case 58:
        return SKIP_FOR(SKIP_ICMP);
    case 51:
        if (bpf_skb_load_bytes(skb, walk->at, header, 8) != 0)
            return PASS_UNPARSED;
        walk->at += (header[1] + 2) * 4;
        return PROTOCOL | header[0];
    case 44:
        if (!walk->is_v6)
            return SKIP_FOR(SKIP_IP_PROTOCOL_OTHER);
        if (bpf_skb_load_bytes(skb, walk->at, header, 8) != 0)
            return PASS_UNPARSED;
        walk->at += 8;
        u32 cut = load16(header + 2);
        if (!(cut & 0xfff9))
            return PROTOCOL | header[0];
        return fragment_of(walk, load16(header + 4) << 16 | load16(header + 6), header[0], cut < 8);
    case 0:
    case 43:
    case 60:
    case 135:
    case 139:
    case 140:
        if (!walk->is_v6)
            return SKIP_FOR(SKIP_IP_PROTOCOL_OTHER);
        if (bpf_skb_load_bytes(skb, walk->at, header, 8) != 0)
            return PASS_UNPARSED;
        walk->at += (header[1] + 1) * 8;
        return PROTOCOL | header[0];
    case 59:
        return SKIP_FOR(SKIP_NO_PAYLOAD);
    }
    return SKIP_FOR(SKIP_IP_PROTOCOL_OTHER);
}

// The whole way. With `is_direct`, TCP behind plain headers is read in place wherever that is possible, which
// only programs of TC may do.
ALWAYS_INLINE u32 walk_frame(struct __sk_buff *skb, u32 slot, u32 is_raw_ip, const int is_direct)
{
    struct walk walk = {};
    u32 next = is_raw_ip ? IP : ETHERNET;
    u32 done = 0;
    walk.end = skb->len;
    for (int i = 0; i < MAX_LAYERS; i++) {
        u32 number = next & 0xffff;
        switch (next & 0xffff0000) {
        case ETHERNET:
            if (is_direct && i > 0 && !walk.is_first_fragment) {
                done = decide_plain(skb, slot, walk.at, 0);
                if (done)
                    return done;
            }
            next = read_ethernet(skb, &walk);
            continue;
        case ETHER_TYPE:
            // Behind a tag; what stands before it does not matter.
            if (is_direct && i == 2 && !walk.is_first_fragment && walk.at >= 18) {
                done = decide_plain(skb, slot, walk.at - 14, 0);
                if (done)
                    return done;
            }
            next = read_ether_type(skb, &walk, number);
            continue;
        case IP:
            next = read_ip(skb, &walk);
            continue;
        case MPLS:
            next = read_mpls(skb, &walk);
            continue;
        case PPP:
            next = read_ppp(skb, &walk);
            continue;
        case PROTOCOL:
            next = number == 6 ? read_tcp(skb, &walk, slot) : read_protocol(skb, &walk, number);
            continue;
        }
        break;
    }
    if (next > 0xffff)
        next = PASS_UNPARSED;
    if (walk.is_first_fragment)
        bpf_map_update_elem(&fragments, &walk.fragment, &next, BPF_ANY);
    return next;
}
