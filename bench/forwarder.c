/*
 * The floor that a TURN server on sockets is measured against: a forwarder in C that does for every
 * packet what a relay must (receive, find the flow, strip or prepend the ChannelData header, send) and
 * nothing else. It answers Allocate, ChannelBind and Refresh without looking at anything, so that the
 * same load generator drives it. No authentication, no permissions, no expiry, loopback only:
 * a measuring device, never a server.
 *
 *     cc -O2 -o forwarder bench/forwarder.c
 *     forwarder PORT single|batch      single: recvfrom/sendto; batch: recvmmsg/sendmmsg on the listener
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  BATCH = 64,
  EVENTS = 256,
  SLOT_BYTES = 2048,
  HEADER_BYTES = 4,
  STUN_HEADER_BYTES = 20,
  FLOWS_MAX = 65536,
  LISTENER_BUFFER_BYTES = 4194304,
  RELAY_BUFFER_BYTES = 262144,
  ALLOCATE = 0x0003,
  REFRESH = 0x0004,
  CHANNEL_BIND = 0x0009,
  SUCCESS = 0x0100,
  ATTR_CHANNEL_NUMBER = 0x000c,
  ATTR_LIFETIME = 0x000d,
  ATTR_XOR_PEER_ADDRESS = 0x0012,
  ATTR_XOR_RELAYED_ADDRESS = 0x0016,
};

struct flow {
  int relay; /* its socket, or -1 */
  uint16_t channel;
  struct sockaddr_in client, peer;
};

/* By the client's port: every client is on one address. */
static struct flow flows[FLOWS_MAX];
static int epoll_fd, listener;

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

static void put16(uint8_t *p, uint16_t value) {
  p[0] = (uint8_t)(value >> 8);
  p[1] = (uint8_t)value;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int open_socket(uint16_t port, int buffer_bytes) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(port)};
  local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof local) < 0) die("socket");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
  return fd;
}

static void watch(int fd, uint32_t data) {
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = data};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

/* Address in an attribute, XORed with the magic cookie (IPv4 alone). */
static void xor_address(uint8_t *value, const uint8_t *cookie) {
  value[2] ^= cookie[0];
  value[3] ^= cookie[1];
  for (int i = 0; i < 4; i++) value[4 + i] ^= cookie[i];
}

static void release(struct flow *flow) {
  if (flow->relay >= 0) close(flow->relay);
  flow->relay = -1;
}

/* Writes the relay's address behind the header; returns the attribute's size. A repeated request
   finds the relay there. */
static int allocate(struct flow *flow, uint32_t index, uint8_t *message) {
  struct sockaddr_in local;
  socklen_t length = sizeof local;
  if (flow->relay < 0) {
    flow->relay = open_socket(0, RELAY_BUFFER_BYTES);
    watch(flow->relay, index);
  }
  getsockname(flow->relay, (struct sockaddr *)&local, &length);
  uint8_t *attribute = message + STUN_HEADER_BYTES;
  put16(attribute, ATTR_XOR_RELAYED_ADDRESS);
  put16(attribute + 2, 8);
  put16(attribute + 4, 1);
  memcpy(attribute + 6, &local.sin_port, 2);
  memcpy(attribute + 8, &local.sin_addr, 4);
  xor_address(attribute + 4, message + 4);
  return 12;
}

static void bind_channel(struct flow *flow, uint8_t *message, int length) {
  for (int at = STUN_HEADER_BYTES; at + 8 <= length; at += 4 + ((get16(message + at + 2) + 3) & ~3)) {
    uint8_t *value = message + at + 4;
    if (get16(message + at) == ATTR_CHANNEL_NUMBER) flow->channel = get16(value);
    if (get16(message + at) != ATTR_XOR_PEER_ADDRESS || at + 12 > length) continue;
    xor_address(value, message + 4);
    flow->peer.sin_family = AF_INET;
    memcpy(&flow->peer.sin_port, value + 2, 2);
    memcpy(&flow->peer.sin_addr, value + 4, 4);
  }
}

static int has_zero_lifetime(const uint8_t *message, int length) {
  return length >= STUN_HEADER_BYTES + 8 && get16(message + STUN_HEADER_BYTES) == ATTR_LIFETIME &&
         memcmp(message + STUN_HEADER_BYTES + 4, "\0\0\0\0", 4) == 0;
}

/* Answers any request with success, in place. */
static void answer(uint8_t *message, int length, const struct sockaddr_in *client) {
  uint32_t index = client->sin_port;
  struct flow *flow = &flows[index];
  int method = get16(message), body = 0;
  if (length < STUN_HEADER_BYTES) return;
  if (method == ALLOCATE) {
    flow->client = *client;
    body = allocate(flow, index, message);
  } else if (method == CHANNEL_BIND) {
    bind_channel(flow, message, length);
  } else if (method == REFRESH && has_zero_lifetime(message, length)) {
    release(flow);
  }
  put16(message, (uint16_t)(method | SUCCESS));
  put16(message + 2, (uint16_t)body);
  sendto(listener, message, (size_t)(STUN_HEADER_BYTES + body), 0, (const struct sockaddr *)client, sizeof *client);
}

static void from_client(uint8_t *packet, int length, const struct sockaddr_in *client) {
  if (length < HEADER_BYTES) return;
  if (packet[0] < 0x40) {
    answer(packet, length, client);
    return;
  }
  struct flow *flow = &flows[client->sin_port];
  int payload = get16(packet + 2);
  if (flow->relay < 0 || get16(packet) != flow->channel || payload + HEADER_BYTES > length) return;
  sendto(flow->relay, packet + HEADER_BYTES, (size_t)payload, 0, (struct sockaddr *)&flow->peer, sizeof flow->peer);
}

/* Receives from a relay into a slot, behind room for the header; returns what is to be sent, or 0.
   Only the peer is listened to: others' stray packets must not show in the figures. */
static int from_peer(struct flow *flow, uint8_t *slot) {
  struct sockaddr_in from;
  socklen_t from_length = sizeof from;
  ssize_t length = recvfrom(flow->relay, slot + HEADER_BYTES, SLOT_BYTES - HEADER_BYTES, 0,
                            (struct sockaddr *)&from, &from_length);
  if (length < 0 || from.sin_port != flow->peer.sin_port || from.sin_addr.s_addr != flow->peer.sin_addr.s_addr)
    return 0;
  put16(slot, flow->channel);
  put16(slot + 2, (uint16_t)length);
  return (int)length + HEADER_BYTES;
}

static uint8_t slots[BATCH][SLOT_BYTES];
static struct sockaddr_in names[BATCH];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

static void prepare(int slot, struct sockaddr_in *name, size_t length) {
  vectors[slot] = (struct iovec){.iov_base = slots[slot], .iov_len = length};
  messages[slot].msg_hdr = (struct msghdr){
      .msg_name = name, .msg_namelen = sizeof *name, .msg_iov = &vectors[slot], .msg_iovlen = 1};
}

static void read_listener_single(void) {
  for (int i = 0; i < BATCH; i++) {
    socklen_t name_length = sizeof names[0];
    ssize_t length = recvfrom(listener, slots[0], SLOT_BYTES, 0, (struct sockaddr *)&names[0], &name_length);
    if (length < 0) return;
    from_client(slots[0], (int)length, &names[0]);
  }
}

static void read_listener_batch(void) {
  for (int i = 0; i < BATCH; i++) prepare(i, &names[i], SLOT_BYTES);
  int count = recvmmsg(listener, messages, BATCH, 0, NULL);
  for (int i = 0; i < count; i++) from_client(slots[i], (int)messages[i].msg_len, &names[i]);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s PORT single|batch\n", argv[0]);
    return 2;
  }
  int is_batch = strcmp(argv[2], "batch") == 0;
  struct rlimit limit = {.rlim_cur = 1048576, .rlim_max = 1048576};
  setrlimit(RLIMIT_NOFILE, &limit);
  for (int i = 0; i < FLOWS_MAX; i++) flows[i].relay = -1;
  epoll_fd = epoll_create1(0);
  listener = open_socket((uint16_t)atoi(argv[1]), LISTENER_BUFFER_BYTES);
  watch(listener, FLOWS_MAX);
  struct epoll_event events[EVENTS];
  for (;;) {
    int ready = epoll_wait(epoll_fd, events, EVENTS, -1), queued = 0;
    for (int i = 0; i < ready; i++) {
      if (events[i].data.u32 == FLOWS_MAX) {
        /* The slots are about to be read into: what waits in them goes first. */
        if (queued > 0) sendmmsg(listener, messages, (unsigned)queued, 0);
        queued = 0;
        is_batch ? read_listener_batch() : read_listener_single();
        continue;
      }
      struct flow *flow = &flows[events[i].data.u32];
      if (flow->relay < 0) continue;
      int length = from_peer(flow, slots[queued]);
      if (length == 0) continue;
      if (!is_batch) {
        sendto(listener, slots[0], (size_t)length, 0, (struct sockaddr *)&flow->client, sizeof flow->client);
        continue;
      }
      prepare(queued, &flow->client, (size_t)length);
      if (++queued == BATCH) {
        sendmmsg(listener, messages, BATCH, 0);
        queued = 0;
      }
    }
    if (queued > 0) sendmmsg(listener, messages, (unsigned)queued, 0);
  }
}
