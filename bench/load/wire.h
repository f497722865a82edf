/* What the load programs share: links with bounded reads and kept writes, RFC 6455 framing seen from a
 * client, just enough msgpack to walk frames, latency histograms, and the reading of a plan.
 *
 * A program includes this once; everything is static. Nothing here allocates per message. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef uint8_t byte;

static void fail(const char *what) {
    fprintf(stderr, "load engine: %s (%s)\n", what, errno ? strerror(errno) : "no system error");
    exit(2);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double cpu_seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- the plan: little-endian numbers and byte strings on standard input ------------------------ */

static void plan_bytes(void *into, size_t n) {
    if (n && fread(into, 1, n, stdin) != n) fail("the plan ends too early");
}
static uint32_t plan_u32(void) {
    uint32_t v;
    plan_bytes(&v, sizeof v);
    return v;
}
typedef struct {
    byte *p;
    size_t n;
} str;
static str plan_str(void) {
    str s = {NULL, plan_u32()};
    if (s.n > (64u << 20)) fail("a byte string of the plan is too long");
    s.p = malloc(s.n + 1);
    if (!s.p) fail("no memory");
    plan_bytes(s.p, s.n);
    s.p[s.n] = 0;
    return s;
}

/* ---- histograms: 32 buckets to each power of two of nanoseconds, so 3 % wide ------------------- */

#define HIST_SUB 32
#define HIST_N (64 * HIST_SUB)
typedef struct {
    uint64_t count, max, sum, at[HIST_N];
} hist;

static unsigned hist_index(uint64_t v) {
    if (v < HIST_SUB) return (unsigned)v;
    unsigned msb = 63u - (unsigned)__builtin_clzll(v), shift = msb - 5;
    return (shift + 1) * HIST_SUB + (unsigned)((v >> shift) & (HIST_SUB - 1));
}
static uint64_t hist_value(unsigned i) { /* the middle of bucket i */
    if (i < HIST_SUB) return i;
    unsigned shift = i / HIST_SUB - 1;
    return ((uint64_t)(HIST_SUB + i % HIST_SUB) << shift) + ((1ull << shift) >> 1);
}
static void hist_add(hist *h, uint64_t v) {
    h->at[hist_index(v)]++;
    h->count++;
    h->sum += v;
    if (v > h->max) h->max = v;
}
static double hist_us(const hist *h, double q) {
    uint64_t want = (uint64_t)(q * (double)h->count), seen = 0;
    if (!h->count) return 0;
    for (unsigned i = 0; i < HIST_N; i++)
        if ((seen += h->at[i]) > want) return (double)hist_value(i) / 1e3;
    return (double)h->max / 1e3;
}
static void hist_print(const char *name, const hist *h) {
    printf("\"%s\":{\"count\":%llu,\"mean\":%.2f,\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f}", name,
           (unsigned long long)h->count, h->count ? (double)h->sum / (double)h->count / 1e3 : 0.0, hist_us(h, .5),
           hist_us(h, .9), hist_us(h, .99), hist_us(h, .999), (double)h->max / 1e3);
}

/* ---- links -------------------------------------------------------------------------------------- */

#define READ_BYTES (256u << 10)
#define MAX_TAIL (4u << 20) /* a server message longer than this ends the run: nothing here is that long */
#define MAX_OUT (16u << 20) /* unsent bytes: the load is bounded by what is in flight, so this is never near */

typedef struct {
    int fd, number, dead, dirty, armed, code;
    byte *tail; /* an unfinished frame */
    size_t tail_n, tail_cap;
    byte *out;
    size_t out_n, out_off, out_cap;
} link_t;

static int poller = -1;
static byte scratch[READ_BYTES + MAX_TAIL];
static link_t **dirty_links;
static unsigned dirty_n;
static uint64_t bytes_in, bytes_out, syscalls_in, syscalls_out, gone;

static void link_die(link_t *l) {
    if (l->dead) return;
    l->dead = 1;
    gone++;
    epoll_ctl(poller, EPOLL_CTL_DEL, l->fd, NULL);
}
static void link_watch(link_t *l) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, l->fd, &e)) fail("epoll_ctl");
}
static void link_arm(link_t *l, int on) {
    struct epoll_event e = {.events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = l};
    if (l->armed == on) return;
    l->armed = on;
    epoll_ctl(poller, EPOLL_CTL_MOD, l->fd, &e);
}
static byte *out_room(link_t *l, size_t n) {
    if (l->out_n + n > l->out_cap) {
        size_t cap = l->out_cap ? l->out_cap : 512;
        while (cap < l->out_n + n) cap *= 2;
        if (cap > MAX_OUT) fail("a link takes nothing any more");
        l->out = realloc(l->out, cap);
        if (!l->out) fail("no memory");
        l->out_cap = cap;
    }
    if (!l->dirty) {
        l->dirty = 1;
        dirty_links[dirty_n++] = l;
    }
    byte *at = l->out + l->out_n;
    l->out_n += n;
    return at;
}
static void out_put(link_t *l, const void *p, size_t n) { memcpy(out_room(l, n), p, n); }

static void link_flush(link_t *l) {
    l->dirty = 0;
    while (!l->dead && l->out_off < l->out_n) {
        ssize_t n = send(l->fd, l->out + l->out_off, l->out_n - l->out_off, MSG_NOSIGNAL);
        syscalls_out++;
        if (n > 0) {
            l->out_off += (size_t)n;
            bytes_out += (uint64_t)n;
        } else if (errno == EAGAIN) {
            link_arm(l, 1);
            return;
        } else if (errno != EINTR) {
            link_die(l);
        }
    }
    l->out_n = l->out_off = 0;
    if (!l->dead) link_arm(l, 0);
}
static void flush_dirty(void) {
    for (unsigned i = 0; i < dirty_n; i++) link_flush(dirty_links[i]);
    dirty_n = 0;
}

/* One read; returns where the bytes lie (tail first) and how many there are, 0 for nothing. */
static byte *link_read(link_t *l, size_t *n) {
    memcpy(scratch, l->tail, l->tail_n);
    ssize_t got = recv(l->fd, scratch + l->tail_n, READ_BYTES, 0);
    syscalls_in++;
    *n = 0;
    if (got > 0) {
        bytes_in += (uint64_t)got;
        *n = l->tail_n + (size_t)got;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        link_die(l);
    }
    return scratch;
}
static void link_keep(link_t *l, const byte *p, size_t n) {
    if (n > l->tail_cap) {
        if (n > MAX_TAIL) fail("a message from the server is too long");
        l->tail_cap = n < 256 ? 256 : 2 * n;
        l->tail = realloc(l->tail, l->tail_cap);
        if (!l->tail) fail("no memory");
    }
    memcpy(l->tail, p, n);
    l->tail_n = n;
}

/* ---- WebSocket, from the client's side ---------------------------------------------------------- */

static uint32_t mask_state = 0x9e3779b9u;
static void ws_mask(byte *to, const byte *from, size_t n, uint32_t mask) {
    uint64_t wide = (uint64_t)mask << 32 | mask, w;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&w, from + i, 8);
        w ^= wide;
        memcpy(to + i, &w, 8);
    }
    for (; i < n; i++) to[i] = from[i] ^ (byte)(mask >> (8 * (i & 3)));
}
/* A masked client frame. The mask is a xorshift's, which is as good as any for a benchmark. */
static void ws_put(link_t *l, int opcode, const byte *p, size_t n) {
    byte head[14] = {(byte)(0x80 | opcode)};
    size_t h = 2;
    if (n < 126) {
        head[1] = (byte)(0x80 | n);
    } else if (n < 65536) {
        head[1] = 0x80 | 126, head[2] = (byte)(n >> 8), head[3] = (byte)n, h = 4;
    } else {
        head[1] = 0x80 | 127, h = 10;
        for (int i = 0; i < 8; i++) head[2 + i] = (byte)((uint64_t)n >> (56 - 8 * i));
    }
    mask_state ^= mask_state << 13, mask_state ^= mask_state >> 17, mask_state ^= mask_state << 5;
    memcpy(head + h, &mask_state, 4);
    byte *at = out_room(l, h + 4 + n);
    memcpy(at, head, h + 4);
    ws_mask(at + h + 4, p, n, mask_state);
}
typedef void (*on_message)(link_t *, int opcode, const byte *, size_t);

/* Cut what lies at p into frames (servers here never fragment), hand them on, return how much was used. */
static size_t ws_cut(link_t *l, const byte *p, size_t n, on_message take) {
    size_t at = 0;
    while (n - at >= 2 && !l->dead) {
        size_t len = p[at + 1] & 127, h = 2;
        if (len == 126) {
            if (n - at < 4) break;
            len = (size_t)p[at + 2] << 8 | p[at + 3], h = 4;
        } else if (len == 127) {
            if (n - at < 10) break;
            len = 0, h = 10;
            for (int i = 0; i < 8; i++) len = len << 8 | p[at + 2 + i];
        }
        if (len > MAX_TAIL) fail("a message from the server is too long");
        if (n - at - h < len) break;
        int opcode = p[at] & 15;
        if (opcode == 9) {
            ws_put(l, 10, p + at + h, len);
        } else if (opcode == 8) {
            l->code = len >= 2 ? p[at + h] << 8 | p[at + h + 1] : 1005;
            take(l, 8, p + at + h, len);
            link_die(l);
        } else if (opcode != 10) {
            take(l, opcode, p + at + h, len);
        }
        at += h + len;
    }
    return at;
}

/* ---- msgpack ------------------------------------------------------------------------------------- */

/* The end of the value at p, or NULL where the bytes are not msgpack or end too early. */
static const byte *mp_skip(const byte *p, const byte *end) {
    for (uint64_t todo = 1; todo; todo--) {
        if (p >= end) return NULL;
        byte b = *p++;
        uint64_t n = 0, k = 0;
        static const byte fixed[32] = {[0x0a] = 4, [0x0b] = 8, [0x0c] = 1, [0x0d] = 2, [0x0e] = 4, [0x0f] = 8,
                                       [0x10] = 1, [0x11] = 2, [0x12] = 4, [0x13] = 8};
        if (b < 0x80 || b >= 0xe0 || b == 0xc0 || b == 0xc2 || b == 0xc3) continue;
        if (b < 0x90) k = 2u * (b & 15);
        else if (b < 0xa0) k = b & 15;
        else if (b < 0xc0) n = b & 31;
        else if (b >= 0xca && b <= 0xd3) n = fixed[b & 31];
        else {
            unsigned w = b >= 0xd9 && b <= 0xdb ? 1u << (b - 0xd9) : b >= 0xc4 && b <= 0xc6 ? 1u << (b - 0xc4)
                       : b == 0xdc || b == 0xde ? 2 : b == 0xdd || b == 0xdf ? 4 : 0;
            uint64_t v = 0;
            if (!w || (size_t)(end - p) < w) return NULL;
            while (w--) v = v << 8 | *p++;
            if (b <= 0xdb) n = v;
            else k = b <= 0xdd ? v : 2 * v;
        }
        if ((uint64_t)(end - p) < n) return NULL;
        p += n;
        todo += k;
    }
    return p;
}
/* A str (or bin) at p: its bytes; returns its end, or NULL where there is something else. */
static const byte *mp_str(const byte *p, const byte *end, str *s) {
    const byte *e = mp_skip(p, end);
    if (!e) return NULL;
    unsigned h = (*p & 0xe0) == 0xa0 ? 1 : *p == 0xd9 || *p == 0xc4 ? 2 : *p == 0xda || *p == 0xc5 ? 3 : 0;
    if (!h) return NULL;
    s->p = (byte *)p + h, s->n = (size_t)(e - p) - h;
    return e;
}
static int mp_is(str s, const char *text) { return s.n == strlen(text) && !memcmp(s.p, text, s.n); }

/* The str under `key` in the map at p; 0 where there is none. */
static int mp_find(const byte *p, const byte *end, const char *key, str *value) {
    if (p >= end) return 0;
    unsigned n = (*p & 0xf0) == 0x80 ? *p & 15 : *p == 0xde && end - p > 2 ? (unsigned)p[1] << 8 | p[2] : 0;
    p += *p == 0xde ? 3 : 1;
    while (n--) {
        str k;
        const byte *v = mp_str(p, end, &k);
        if (!v) return 0;
        if (mp_is(k, key)) return mp_str(v, end, value) != NULL;
        if (!(p = mp_skip(v, end))) return 0;
    }
    return 0;
}
/* A frame starts at p: its kind and how many elements its array has; -1 where it isn't one of ours. */
static int mp_kind(const byte *p, const byte *end, unsigned *elements) {
    if (end - p < 2 || (*p & 0xf0) != 0x90 || p[1] >= 0x80) return -1;
    *elements = *p & 15u;
    return p[1];
}
/* Answer PING [3, nonce, t] with PONG [4, nonce, t]: the same bytes with another kind. */
static void pong(link_t *l, const byte *p, size_t n) {
    byte copy[32];
    if (n > sizeof copy) return;
    memcpy(copy, p, n);
    copy[1] = 4;
    ws_put(l, 2, copy, n);
}
static void print_hex(const char *name, const byte *p, size_t n) {
    printf("\"%s\":\"", name);
    for (size_t i = 0; i < n; i++) printf("%02x", p[i]);
    printf("\"");
}
static void keep_first(str *s, const byte *p, size_t n) {
    if (s->p) return;
    s->p = malloc(n + 1), s->n = n;
    if (!s->p) fail("no memory");
    memcpy(s->p, p, n);
}
static byte *put_text(byte *p, const char *text, size_t n) {
    if (n < 32) *p++ = (byte)(0xa0 | n);
    else *p++ = 0xd9, *p++ = (byte)n;
    memcpy(p, text, n);
    return p + n;
}

/* ---- arrivals, and what is said to whoever started this ------------------------------------------- */

static uint64_t seed;
static double uniform(void) { /* (0, 1], splitmix64 */
    uint64_t z = (seed += 0x9e3779b97f4a7c15ull);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull, z = (z ^ z >> 27) * 0x94d049bb133111ebull, z ^= z >> 31;
    return (double)((z >> 11) + 1) / 9007199254740992.0;
}
static void say(const char *word) {
    puts(word);
    fflush(stdout);
}
#endif
