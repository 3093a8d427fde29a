// Puts prepared frames onto an interface as fast as it can, or at a pace; says how many, and how long it took.
//
//     sender INTERFACE FRAMES ROUNDS ROUNDS_PER_SECOND
//
// FRAMES: for each frame, as numbers of 16 bits: its length, where the client's address stands, where the
// random of a hello stands (0: nowhere); then its bytes. Each round is sent as another client's, with other randoms.

#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, MOST_FRAMES = 256, MOST_BYTES = 2048 };

struct frame {
    uint16_t length, client_at, random_at;
    uint8_t bytes[MOST_BYTES];
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    static struct frame frames[MOST_FRAMES];
    FILE *file = fopen(argv[2], "rb");
    if (!file)
        return perror(argv[2]), 1;
    unsigned count = 0;
    while (count < MOST_FRAMES && fread(&frames[count], 6, 1, file) == 1) {
        if (frames[count].length > MOST_BYTES || fread(frames[count].bytes, frames[count].length, 1, file) != 1)
            return fprintf(stderr, "%s: not what it should be\n", argv[2]), 1;
        count++;
    }
    uint32_t rounds = strtoul(argv[3], 0, 10);
    double pace = strtod(argv[4], 0);
    int out = socket(AF_PACKET, SOCK_RAW, 0);
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(argv[1])};
    int yes = 1;
    if (out < 0 || bind(out, (struct sockaddr *)&to, sizeof to) != 0
        || setsockopt(out, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) != 0)
        return perror(argv[1]), 1;

    static uint8_t bytes[BATCH][MOST_BYTES];
    static struct iovec vectors[BATCH];
    static struct mmsghdr messages[BATCH];
    for (int i = 0; i < BATCH; i++)
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    unsigned filled = 0;
    uint64_t sent = 0, refused = 0;
    double began = now();
    for (uint32_t round = 0; round < rounds; round++) {
        for (unsigned f = 0; f < count; f++) {
            const struct frame *frame = &frames[f];
            uint8_t *target = bytes[filled];
            memcpy(target, frame->bytes, frame->length);
            if (frame->client_at) {
                uint32_t client = htonl(0x0b000001 + round);
                memcpy(target + frame->client_at, &client, 4);
            }
            if (frame->random_at)
                memcpy(target + frame->random_at, &round, 4);
            vectors[filled] = (struct iovec){target, frame->length};
            if (++filled < BATCH && (round + 1 < rounds || f + 1 < count))
                continue;
            for (unsigned done = 0; done < filled;) {
                int some = sendmmsg(out, messages + done, filled - done, 0);
                if (some > 0) {
                    done += some;
                    sent += some;
                } else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR) {
                    return perror("sendmmsg"), 1;
                } else {
                    refused++;
                }
            }
            filled = 0;
        }
        while (pace > 0 && round / pace > now() - began) {
            struct timespec pause = {0, 200000};
            nanosleep(&pause, 0);
        }
    }
    printf("%llu %llu %.6f\n", (unsigned long long)sent, (unsigned long long)refused, now() - began);
    return 0;
}
