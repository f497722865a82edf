/* The floor: what this machine's kernel and a C program make of the same work, with nothing checked.
 *
 * One epoll loop, level-triggered; each tick reads once from every ready socket, handles all frames, writes once to
 * every socket that got something. By the path of the upgrade: /echo sends back to the sender, /pair/N to the other
 * link of pair N, /pub to every link that came by /sub. It checks only what it must to stay in step.
 * /talk/N is chat that survives: what both links of pair N say is appended to the file named on the command line, one
 * fdatasync a tick for all of it, and then answered, and told to both.
 * Bounded: 65,536 pairs, 70,000 descriptors, frames up to 1 MiB, 64 MiB said in a tick. Prints "listening PORT". */
#include "wire.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

enum { HEAD, ECHO, PAIR, PUB, SUB, TALK };
#define PAIRS 65536
#define FDS 70000

typedef struct member {
    link_t l;
    int role;
    struct member *other, *next;
} member;

static member *waiting[PAIRS], *subscribers, *by_fd[FDS];

static uint32_t rol(uint32_t v, int n) { return v << n | v >> (32 - n); }

static void sha1_block(uint32_t h[5], const byte *p) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
        uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
        uint32_t t = rol(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rol(b, 30), b = a, a = t;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}
/* Sec-WebSocket-Accept: base64(sha1(key + GUID)); key and GUID are 60 bytes, so two blocks. */
static void accept_key(const char *key, char out[29]) {
    static const char *b64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    byte m[128] = {0}, d[21] = {0};
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    memcpy(m, key, 24);
    memcpy(m + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    m[60] = 0x80, m[126] = (60 * 8) >> 8, m[127] = (60 * 8) & 255;
    sha1_block(h, m);
    sha1_block(h, m + 64);
    for (int i = 0; i < 20; i++) d[i] = (byte)(h[i / 4] >> (24 - 8 * (i & 3)));
    for (int i = 0; i < 7; i++) {
        uint32_t v = (uint32_t)d[3 * i] << 16 | (uint32_t)d[3 * i + 1] << 8 | d[3 * i + 2];
        for (int k = 0; k < 4; k++) out[4 * i + k] = b64[v >> (18 - 6 * k) & 63];
    }
    out[27] = '=', out[28] = 0;
}

static void close_member(member *m) {
    if (!by_fd[m->l.fd]) return;
    for (member **s = &subscribers; *s; s = &(*s)->next)
        if (*s == m) {
            *s = m->next;
            break;
        }
    if (m->other) m->other->other = NULL;
    for (unsigned i = 0; (m->role == PAIR || m->role == TALK) && i < PAIRS; i++)
        if (waiting[i] == m) waiting[i] = NULL;
    by_fd[m->l.fd] = NULL;
    close(m->l.fd); /* the struct stays: this server lives for one benchmark, and a tick may still point at it */
}

static void send_frame(member *to, int opcode, const byte *p, size_t n) {
    byte *at = out_room(&to->l, n + (n < 126 ? 2 : n < 65536 ? 4 : 10));
    *at++ = (byte)(0x80 | opcode);
    if (n < 126) {
        *at++ = (byte)n;
    } else if (n < 65536) {
        *at++ = 126, *at++ = (byte)(n >> 8), *at++ = (byte)n;
    } else {
        *at++ = 127;
        for (int i = 0; i < 8; i++) *at++ = (byte)((uint64_t)n >> (56 - 8 * i));
    }
    memcpy(at, p, n);
}

/* ---- chat that survives ----------------------------------------------------------------------------- */

#define SAID (64u << 20)
static int book = -1;
static byte said[SAID];
static size_t said_n;
static struct {
    member *from;
    size_t at, n;
} words[65536];
static unsigned words_n;

static void write_down(member *m, const byte *p, size_t n) {
    if (words_n == 65536 || said_n + n > SAID) fail("too much was said at once");
    memcpy(said + said_n, p, n);
    words[words_n].from = m, words[words_n].at = said_n, words[words_n].n = n;
    words_n++, said_n += n;
}
/* REQUEST [16, id, op, args, key] as RESULT [17, id, {}] to who sent it, and EVENT with its args to both. */
static void tell(member *m, const byte *p, const byte *end) {
    byte out[4096], *at = out;
    const byte *id = p + 2, *op = mp_skip(id, end), *args = op ? mp_skip(op, end) : NULL;
    const byte *over = args ? mp_skip(args, end) : NULL;
    if (!over || over - args > 3000) fail("not a request");
    *at++ = 0x96, *at++ = 32;
    at = put_text(at, "session", 7), *at++ = 0;
    at = put_text(at, "chat.message", 12), *at++ = 0;
    memcpy(at, args, (size_t)(over - args)), at += over - args;
    send_frame(m, 2, out, (size_t)(at - out));
    if (m->other) send_frame(m->other, 2, out, (size_t)(at - out));
    at = out, *at++ = 0x93, *at++ = 17;
    memcpy(at, id, (size_t)(op - id)), at += op - id;
    *at++ = 0x80;
    send_frame(m, 2, out, (size_t)(at - out));
}
static void commit(void) {
    if (!words_n) return;
    if (write(book, said, said_n) != (ssize_t)said_n || fdatasync(book)) fail("cannot write it down");
    for (unsigned i = 0; i < words_n; i++) tell(words[i].from, said + words[i].at, said + words[i].at + words[i].n);
    words_n = 0, said_n = 0;
}

static size_t upgrade(member *m, byte *p, size_t n) {
    char accept[29], reply[256];
    p[n] = 0;
    char *text = (char *)p, *end = strstr(text, "\r\n\r\n"), *key = strcasestr(text, "\r\nSec-WebSocket-Key: ");
    unsigned pair = 0;
    if (!end) return 0;
    if (!key || key + 45 > end || strncmp(text, "GET /", 5)) {
        link_die(&m->l);
        return n;
    }
    accept_key(key + 21, accept);
    int len = snprintf(reply, sizeof reply,
                       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    out_put(&m->l, reply, (size_t)len);
    m->role = ECHO;
    if (!strncmp(text, "GET /pub", 8)) m->role = PUB;
    if (!strncmp(text, "GET /sub", 8)) m->role = SUB, m->next = subscribers, subscribers = m;
    if (sscanf(text, "GET /talk/%u", &pair) == 1 && book >= 0) m->role = TALK;
    else if (sscanf(text, "GET /pair/%u", &pair) == 1) m->role = PAIR;
    if ((m->role == PAIR || m->role == TALK) && pair < PAIRS) {
        m->other = waiting[pair], waiting[pair] = m->other ? NULL : m;
        if (m->other) m->other->other = m;
    }
    return (size_t)(end - text) + 4;
}

static size_t frames(member *m, byte *p, size_t n) {
    size_t at = 0;
    while (n - at >= 6) {
        size_t len = p[at + 1] & 127, h = 2;
        if (!(p[at + 1] & 128)) link_die(&m->l);
        if (len == 126) len = (size_t)p[at + 2] << 8 | p[at + 3], h = 4;
        if (len == 127 || m->l.dead) {
            link_die(&m->l);
            return n;
        }
        if (n - at < h + 4 + len) break;
        uint32_t mask;
        memcpy(&mask, p + at + h, 4);
        byte *body = p + at + h + 4;
        ws_mask(body, body, len, mask);
        int opcode = p[at] & 15;
        if (opcode == 8) send_frame(m, 8, body, len);
        else if (opcode == 9) send_frame(m, 10, body, len);
        else if (m->role == ECHO) send_frame(m, opcode, body, len);
        else if (m->role == PAIR && m->other) send_frame(m->other, opcode, body, len);
        else if (m->role == TALK) write_down(m, body, len);
        else if (m->role == PUB)
            for (member *s = subscribers; s; s = s->next) send_frame(s, opcode, body, len);
        at += h + 4 + len;
    }
    return at;
}

static void read_member(member *m) {
    size_t n, used = 0;
    byte *p = link_read(&m->l, &n);
    if (!n) return;
    if (m->role == HEAD) used = upgrade(m, p, n);
    if (m->role != HEAD && used < n) used += frames(m, p + used, n - used);
    link_keep(&m->l, p + used, n - used);
}

static int listen_any(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) || listen(fd, 4096)) fail("cannot listen");
    getsockname(fd, (struct sockaddr *)&a, &n);
    printf("listening %d\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

int main(int count, char **words_of) {
    struct epoll_event ready[512];
    int on = 1, listener = listen_any();
    link_t door = {.fd = listener};
    if (count > 1 && (book = open(words_of[1], O_WRONLY | O_CREAT | O_APPEND, 0600)) < 0) fail("cannot open the file");
    poller = epoll_create1(0);
    dirty_links = calloc(2 * FDS, sizeof *dirty_links);
    if (!dirty_links) fail("no memory");
    link_watch(&door);
    for (;;) {
        int n = epoll_wait(poller, ready, 512, -1);
        for (int i = 0; i < n; i++) {
            member *m = ready[i].data.ptr;
            if ((link_t *)m == &door) {
                for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                    if (fd >= FDS || !(m = calloc(1, sizeof *m))) fail("too many connections");
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                    m->l.fd = fd, by_fd[fd] = m;
                    link_watch(&m->l);
                }
                continue;
            }
            if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_member(m);
            if (ready[i].events & EPOLLOUT && !m->l.dead) link_flush(&m->l);
            if (m->l.dead) close_member(m);
        }
        commit();
        flush_dirty();
    }
}
