// What becomes of a TCP segment.
//
// A flow's packets go up until the engine says that it has decided (then they are counted and left out),
// or its budget is used up. A SYN always goes up and begins the flow anew. A flow on a port and at
// addresses of no interest, which begins with nothing that could become TLS or HTTP, is settled here. A
// hello that comes on a settled flow begins it anew, a few times a second at most.
//
// A packet socket is also given what the host sends. What it only passes on was seen coming in, under the same
// addresses, and is left out; what it says itself, and what it translated, is not. That holds while all interfaces
// go on being watched: afterwards, the next packet that comes in tells it anew. TC does not mark what goes out, so
// nothing is left out there.
#pragma once

#include "maps.h"

// Results of the walk and of the decision. Above 0xffff: the next header, see walk.h.
enum { PASS = 1, PASS_HEAD = 2, PASS_UNPARSED = 3, SKIP = 0x100 };
#define SKIP_FOR(reason) (SKIP + (reason))

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

// Packets of one undecided flow: several sightings of some tens of packets, with room. A flow of
// acknowledgments only, whose data passes elsewhere, ends here.
#define MAX_PACKETS 4096
// The budget in bytes counts once for each sighting of a flow: it may pass this many points.
#define MAX_SIGHTINGS 8
#define PEEKS_PER_SECOND 4
// Two connections with the same addresses and ports whose SYNs come this close together exist at once: address
// ranges overlap behind two tunnels. A client takes a port again later than this.
#define CONTEST_NANOSECONDS 5000000000
// Protocols that upgrade to TLS begin with short messages.
#define SHORT_MESSAGE_BYTES 40
#define STRANGE_LIMIT 4

struct segment {
    struct flow_key key;
    // Which end sent it: an index into the key.
    u32 side;
    u32 flags;
    u32 sequence;
    u32 payload_at;
    u32 payload_bytes;
    u32 zero;
};

// Puts the smaller end of a key first, that was written with the source first. Gives the source's place.
ALWAYS_INLINE u32 put_in_order(struct flow_key *key)
{
    u64 high = key->address[0][0];
    u64 low = key->address[0][1];
    u16 port = key->port[0];
    u32 is_source_second = low != key->address[1][1]
                               ? low > key->address[1][1]
                               : (high != key->address[1][0] ? high > key->address[1][0] : port > key->port[1]);
    if (is_source_second) {
        key->address[0][0] = key->address[1][0];
        key->address[0][1] = key->address[1][1];
        key->address[1][0] = high;
        key->address[1][1] = low;
        key->port[0] = key->port[1];
        key->port[1] = port;
    }
    return is_source_second;
}

ALWAYS_INLINE u64 v4_mapped(u32 address) { return (u64)address << 32 | 0xffff0000; }

ALWAYS_INLINE int is_port_of_interest(u16 port)
{
    u16 number = swap16(port);
    u32 word = number >> 6;
    u64 *bits = bpf_map_lookup_elem(&ports, &word);
    return bits && (*bits >> (number & 63) & 1);
}

ALWAYS_INLINE int is_address_of_interest(const u64 address[2])
{
    struct prefix_key key = {.bits = 128};
    __builtin_memcpy(key.address, address, 16);
    return bpf_map_lookup_elem(&prefixes, &key) != 0;
}

ALWAYS_INLINE int is_candidate(const struct flow_key *key)
{
    return is_port_of_interest(key->port[0]) || is_port_of_interest(key->port[1])
           || is_address_of_interest(key->address[0]) || is_address_of_interest(key->address[1]);
}

// Whether bytes may begin TLS, or what comes before it: text of HTTP, proxies, STARTTLS.
ALWAYS_INLINE int is_recognised(const u8 *head, u32 have)
{
    // A record of TLS.
    if (head[0] >= 20 && head[0] <= 24 && (have < 2 || head[1] == 3))
        return 1;
    // SOCKS 4 and 5.
    if ((head[0] == 4 || head[0] == 5) && (have < 2 || (head[1] >= 1 && head[1] <= 8)))
        return 1;
    // A hello of SSL 2.
    if (head[0] & 0x80 && have >= 3 && (head[2] == 1 || head[2] == 4))
        return 1;
    // The preamble of PROXY version 2 and blank lines before a request; the greeting of DAX.
    u32 is_text = 1;
#pragma unroll
    for (int i = 0; i < 8; i++) {
        u8 byte = head[i];
        if (i < have && !((byte >= 0x20 && byte < 0x7f) || byte == '\r' || byte == '\n' || byte == '\t'))
            is_text = (i >= 4 && head[0] == '\r' && head[1] == '\n');
        if (!is_text)
            break;
    }
    if (is_text)
        return 1;
    // The greetings of servers of MySQL, and TPKT of remote desktops: TLS comes in their dialogue.
    return have >= 5 && ((head[3] == 0 && head[4] == 0x0a) || (head[0] == 3 && head[1] == 0));
}

// Whether bytes begin what a client asks in text, as HTTP: requests follow one another, and each is looked at.
ALWAYS_INLINE int is_asking(const u8 *head)
{
    int is_word = 1;
#pragma unroll
    for (int i = 0; i < 3; i++)
        is_word = is_word && head[i] >= 'A' && head[i] <= 'Z';
    return is_word && !(head[0] == 'H' && head[1] == 'T' && head[2] == 'T' && head[3] == 'P');
}

ALWAYS_INLINE int is_hello(const u8 *head)
{
    return head[0] == 0x16 && head[1] == 3 && (head[5] == 1 || head[5] == 2);
}

// Global functions copy the key before they look it up: kernels before 6.2 take a key from the stack, a packet or
// a map only, not from memory that was handed in.

// A packet of a settled flow, or far from what its flow expects.
LAYER u32 peek(struct __sk_buff *skb, struct segment *segment)
{
    u8 head[8] = {};
    if (!segment)
        return SKIP_FOR(SKIP_SETTLED);
    struct flow_key key = segment->key;
    struct flow *flow = bpf_map_lookup_elem(&flows, &key);
    if (!flow)
        return SKIP_FOR(SKIP_SETTLED);
    u32 skip = SKIP_FOR(flow->settled == OPEN                ? SKIP_OVER_BUDGET
                        : flow->settled == SETTLED_BY_KERNEL ? SKIP_OTHER
                                                             : SKIP_SETTLED);
    if (segment->payload_bytes < 6 || bpf_skb_load_bytes(skb, segment->payload_at, head, 6) != 0)
        return skip;
    if (!is_hello(head))
        return skip;
    u64 now = bpf_ktime_get_ns();
    u32 second = now / 1000000000;
    if (flow->peek_second != second) {
        flow->peek_second = second;
        flow->peeks = 0;
    }
    if (flow->peeks >= PEEKS_PER_SECOND)
        return skip;
    flow->peeks++;
    if (head[5] == 1) {
        // A new connection whose SYN was not seen.
        u32 side = segment->side & 1;
        flow->started = now;
        flow->base[side] = segment->sequence;
        flow->known[side] = 2;
        flow->known[!side] = 0;
        flow->recognised[0] = flow->recognised[1] = 1;
        flow->strange[0] = flow->strange[1] = 0;
        flow->bytes = segment->payload_bytes;
        flow->packets = 1;
        flow->settled = OPEN;
        __sync_fetch_and_add(&openings, 1);
    } else if (flow->settled == OPEN) {
        // A server's, behind a long talk with a proxy: what follows it belongs to the handshake.
        u32 side = segment->side & 1;
        flow->base[side] = segment->sequence;
        flow->known[side] = 2;
        flow->bytes = segment->payload_bytes;
        flow->packets = 1;
    }
    return PASS;
}

// Makes the entry of a flow that begins, or begins anew.
STEP void begin(const struct flow_key *key, const struct segment *segment, u32 slot, u32 is_outgoing)
{
    u32 side = segment->side & 1;
    struct flow fresh = {};
    fresh.started = bpf_ktime_get_ns();
    struct flow *old = bpf_map_lookup_elem(&flows, key);
    fresh.is_contested = old && old->settled == OPEN && old->known[side] == 1
                         && fresh.started - old->started < CONTEST_NANOSECONDS;
    u32 is_opening = segment->flags & SYN;
    u32 base = segment->sequence + (is_opening ? 1 : 0);
    u8 known = is_opening ? 1 : 2;
    if (side) {
        fresh.base[1] = base;
        fresh.known[1] = known;
        fresh.came_in[1] = is_outgoing ? 0 : epoch;
    } else {
        fresh.base[0] = base;
        fresh.known[0] = known;
        fresh.came_in[0] = is_outgoing ? 0 : epoch;
    }
    fresh.is_candidate = is_candidate(key);
    if (bpf_map_update_elem(&flows, key, &fresh, BPF_ANY) != 0) {
        struct counters *own = bpf_map_lookup_elem(&counts, &slot);
        if (own)
            own->map_full++;
    }
    __sync_fetch_and_add(&openings, 1);
}

LAYER u32 decide(struct __sk_buff *skb, struct segment *segment, u32 slot)
{
    if (!segment)
        return PASS_UNPARSED;
    u32 side = segment->side & 1;
    u32 payload = segment->payload_bytes;
    u32 is_outgoing = skb->pkt_type == PACKET_OUTGOING;
    struct flow_key key = segment->key;
    struct flow *flow = bpf_map_lookup_elem(&flows, &key);
    if (segment->flags & SYN) {
        u32 base = segment->sequence + 1;
        if (!flow || flow->settled != OPEN || (flow->known[side] && flow->base[side] != base)) {
            begin(&key, segment, slot, is_outgoing);
            return PASS;
        }
        // The very opening that came in.
        if (is_outgoing && flow->came_in[side] == epoch && flow->known[side] == 1)
            return SKIP_FOR(SKIP_OUTGOING);
        flow->base[side] = base;
        flow->known[side] = 1;
        flow->packets++;
        if (!is_outgoing)
            flow->came_in[side] = epoch;
        return PASS;
    }
    if (flow) {
        if (is_outgoing && flow->came_in[side] == epoch)
            return SKIP_FOR(SKIP_OUTGOING);
        if (!is_outgoing)
            flow->came_in[side] = epoch;
    } else {
        begin(&key, segment, slot, is_outgoing);
        flow = bpf_map_lookup_elem(&flows, &key);
        if (!flow)
            return PASS_UNPARSED;
    }
    if (flow->settled != OPEN)
        return peek(skb, segment);
    u64 *letter = bpf_map_lookup_elem(&settle, &key);
    // Of a contested flow nobody knows which connection is meant.
    if (letter && *letter == flow->started && !flow->is_contested) {
        flow->settled = SETTLED_BY_ENGINE;
        return peek(skb, segment);
    }
    if (!flow->known[side]) {
        flow->base[side] = segment->sequence;
        flow->known[side] = 2;
    }
    if (segment->flags & (FIN | RST) && payload == 0)
        return PASS;
    if (flow->packets >= MAX_PACKETS)
        return peek(skb, segment);
    if (payload == 0) {
        flow->packets++;
        return PASS;
    }
    s32 offset = segment->sequence - flow->base[side];
    u32 is_beginning = offset == 0 || flow->known[side] == 2;
    u32 is_unknown = !flow->is_candidate && !flow->recognised[side] && !flow->recognised[!side];
    if ((is_beginning && !flow->is_asking[side]) || (is_unknown && flow->strange[side])) {
        u8 head[8] = {};
        u32 have = payload < 8 ? payload : 8;
        // Two lengths, because the verifier wants to know them.
        long failed = have == 8 ? bpf_skb_load_bytes(skb, segment->payload_at, head, 8)
                                : bpf_skb_load_bytes(skb, segment->payload_at, head, 1);
        if (failed == 0) {
            flow->is_asking[side] = have == 8 && is_asking(head);
            if (is_recognised(head, have == 8 ? 8 : 1)) {
                flow->recognised[side] = 1;
            } else if (is_unknown) {
                flow->strange[side] += payload > SHORT_MESSAGE_BYTES ? STRANGE_LIMIT : 1;
                if (flow->strange[side] >= STRANGE_LIMIT) {
                    flow->settled = SETTLED_BY_KERNEL;
                    return SKIP_FOR(SKIP_OTHER);
                }
            }
        }
    }
    u32 most = flow->is_asking[side] ? request_bytes : flow_bytes;
    if (flow->bytes >= 2 * MAX_SIGHTINGS * most)
        return peek(skb, segment);
    // Too late, or of another connection.
    if (!flow->is_contested && (offset >= (s32)most || offset < -(s32)most))
        return peek(skb, segment);
    flow->bytes += payload;
    flow->packets++;
    return PASS;
}
