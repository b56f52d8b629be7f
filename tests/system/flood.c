// SPDX-License-Identifier: BSD-3-Clause
// Sends TCP SYNs of hosts that do not exist out of a network interface, as fast as it takes them or as
// told, for a time. For tests, in a network namespace of their own. Says how many it sent.
//   flood INTERFACE GATEWAY_MAC GATEWAY_IP PORT SECONDS SYNS_PER_S
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define FRAME_LEN(is_v6) ((is_v6) ? 78u : 60u) // the smallest there is
#define MAX_FRAME_LEN 78
#define MAX_S 120

static uint64_t now_ns(void) {
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint32_t next(void) {
	static uint64_t seed = 1;

	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(seed >> 32);
}

static void put16(uint8_t *p, uint32_t v) {
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v) {
	put16(p, v >> 16);
	put16(p + 2, v);
}

static void put_sum(uint8_t *at, const uint8_t *p, size_t len, uint32_t sum) {
	put16(at, 0);
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(at, ~sum);
}

// A source that the gateway takes for one, and that is nobody here: 11.0.0.0 to 126.255.255.255, or
// anything in 2a00::/16.
static void fill(uint8_t *f, bool is_v6) {
	uint8_t *ip = f + 14, *tcp = ip + (is_v6 ? 40 : 20), *addresses = ip + (is_v6 ? 8 : 12);

	if (is_v6) {
		put32(addresses, 0x2a000000 | (next() & 0xffff));
		put32(addresses + 4, next());
	} else {
		put32(addresses, (11 + next() % 116) << 24 | (next() & 0xffffff));
		put_sum(ip + 10, ip, 20, 0);
	}
	put16(tcp, 1024 + next() % 64000);
	put32(tcp + 4, next());
	put_sum(tcp + 16, addresses, (size_t)(tcp + 24 - addresses), 6 + 24); // and the segment
}

static bool parse_mac(const char *text, uint8_t mac[6]) {
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
		      &mac[4], &mac[5]) == 6;
}

static void make(uint8_t *f, const uint8_t mac[6], const uint8_t *ip, bool is_v6, uint16_t port) {
	uint8_t *tcp = f + (is_v6 ? 54 : 34);

	memset(f, 0, MAX_FRAME_LEN);
	memcpy(f, mac, 6);
	memcpy(f + 6, "\x02\0\0\0\0\x77", 6);
	put16(f + 12, is_v6 ? ETH_P_IPV6 : ETH_P_IP);
	if (is_v6)
		memcpy(f + 14, "\x60\0\0\0\0\x18\x06\x40", 8);
	else
		memcpy(f + 14, "\x45\0\0\x2c\0\0\x40\0\x40\x06", 10);
	memcpy(tcp - (is_v6 ? 16 : 4), ip, is_v6 ? 16 : 4);
	put16(tcp + 2, port);
	memcpy(tcp + 12, "\x60\x02\xff\xff", 4);
	memcpy(tcp + 20, "\x02\x04\x05\xb4", 4); // MSS
}

static int run(int fd, const uint8_t *mold, bool is_v6, unsigned seconds, uint64_t rate) {
	static uint8_t frames[BATCH][MAX_FRAME_LEN];
	static struct iovec iov[BATCH];
	static struct mmsghdr msgs[BATCH];
	uint64_t start_ns = now_ns(), passed_ns, n_sent = 0, n_refused = 0;

	for (unsigned i = 0; i < BATCH; i++) {
		memcpy(frames[i], mold, MAX_FRAME_LEN);
		iov[i] = (struct iovec){frames[i], FRAME_LEN(is_v6)};
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	while ((passed_ns = now_ns() - start_ns) < seconds * UINT64_C(1000000000)) {
		int n;

		if (n_sent * 1000000000 > rate * passed_ns) {
			usleep(200);
			continue;
		}
		for (unsigned i = 0; i < BATCH; i++)
			fill(frames[i], is_v6);
		n = sendmmsg(fd, msgs, BATCH, 0);
		if (n < 0 && errno != ENOBUFS && errno != EAGAIN) {
			perror("flood: sendmmsg");
			return 1;
		}
		n_refused += n < 0;
		n_sent += n > 0 ? (uint64_t)n : 0;
	}
	printf("{\"sent\": %ju, \"refused_batches\": %ju, \"ns\": %ju}\n", (uintmax_t)n_sent,
	       (uintmax_t)n_refused, (uintmax_t)passed_ns);
	return 0;
}

int main(int argc, char **argv) {
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	uint8_t frame[MAX_FRAME_LEN], mac[6], ip[16];
	bool is_v6 = argc == 7 && strchr(argv[3], ':') != NULL;
	unsigned seconds;
	int fd;

	if (argc != 7 || !parse_mac(argv[2], mac) ||
	    inet_pton(is_v6 ? AF_INET6 : AF_INET, argv[3], ip) != 1 ||
	    (seconds = (unsigned)strtoul(argv[5], NULL, 10)) > MAX_S) {
		fprintf(stderr, "usage: %s INTERFACE MAC IP PORT SECONDS(<=%d) SYNS_PER_S\n",
			argv[0], MAX_S);
		return 2;
	}
	make(frame, mac, ip, is_v6, (uint16_t)strtoul(argv[4], NULL, 10));
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	at.sll_ifindex = (int)if_nametoindex(argv[1]);
	if (fd < 0 || at.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		perror("flood");
		return 1;
	}
	return run(fd, frame, is_v6, seconds, strtoull(argv[6], NULL, 10));
}
