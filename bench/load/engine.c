/* The load engine: canned client messages over links that are already connected and signed in.
 *
 * Timed: from the moment a message is queued for its link (written at the end of the same tick) to the tick
 * that reads it at the other end. Not timed: connecting, signing in, making messages (all canned).
 * What would make the number lie: this program being the limit. It counts its own CPU time for that, and
 * the floor run (against echo.c) shows how far it goes.
 *
 * Mode 0, ping-pong: a link that receives a unit sends one; `initial` units start it. Each link's peer gets
 * what it sends, in order, so the n-th unit received belongs to the n-th sent by its `source`.
 * Mode 1, fan-out: one publisher; when every subscriber has its n-th unit, the publisher sends another.
 * The plan comes on standard input (engine.py writes it), sockets as inherited descriptors; lines "warm" and
 * "measured", then one line of JSON, go to standard output. Counts and times are bounded by the plan. */
#include "wire.h"

enum { PINGPONG, FANOUT };
enum { FRAMES, OPAQUE, NATS, MQTT };
enum { WARMING, MEASURING, DRAINING };

typedef struct {
    link_t l;
    unsigned source, initial, publisher, messages, next;
    str *canned;
    uint64_t credit, sent, got, *stamp;
} peer;

static unsigned mode, framing, inflight, links_n, per_message, unit_kind, unit_min, ring;
static unsigned warm_ms, measure_ms, drain_ms, stall_ms, subscribers, phase;
static peer *peers, *publisher;
static unsigned *complete; /* fan-out: how many subscribers have publish n, n modulo ring */
static uint64_t tick, total_sent, total_got, units, messages, kinds[256], max_units;
static hist latency;
static str first_fail, first_goodbye;

static void send_next(peer *p) {
    if (phase == DRAINING || p->l.dead) return;
    str *m = &p->canned[p->next++ % p->messages];
    out_put(&p->l, m->p, m->n);
    for (unsigned i = 0; i < per_message; i++) p->stamp[p->sent++ & (ring - 1)] = tick;
    total_sent += per_message;
}

static void one_unit(peer *p) {
    peer *from = &peers[p->source];
    uint64_t n = p->got++;
    if (p->got > from->sent) fail("a unit came that nobody sent: the plan and the server disagree");
    uint64_t took = tick - from->stamp[n & (ring - 1)];
    if (phase == MEASURING) hist_add(&latency, took), units++;
    if (mode == FANOUT) {
        if (++complete[n & (ring - 1)] < subscribers) return;
        complete[n & (ring - 1)] = 0;
        p = publisher;
    }
    total_got++;
    if (++p->credit >= per_message) p->credit -= per_message, send_next(p);
}

/* One WebSocket message: either a unit by itself, or packed frames of which those of one kind are units. */
static void take(link_t *l, int opcode, const byte *p, size_t n) {
    peer *who = (peer *)l;
    const byte *end = p + n;
    messages += phase == MEASURING;
    if (opcode == 8) return;
    if (framing == OPAQUE) {
        if (n == 1 && *p == '2') ws_put(l, 1, (const byte *)"3", 1); /* Engine.IO's heartbeat */
        if (n >= unit_min && !who->publisher) one_unit(who);
        return;
    }
    while (p < end) {
        unsigned elements;
        int kind = mp_kind(p, end, &elements);
        const byte *next = mp_skip(p, end);
        if (kind < 0 || !next) fail("a message that is no sequence of frames");
        kinds[kind]++;
        if (kind == 3) pong(l, p, (size_t)(next - p));
        if (kind == 18) keep_first(&first_fail, p, (size_t)(next - p));
        if (kind == 2) keep_first(&first_goodbye, p, (size_t)(next - p));
        if ((unsigned)kind == unit_kind && (size_t)(next - p) >= unit_min && !who->publisher) one_unit(who);
        p = next;
    }
}

/* NATS: "MSG subject sid bytes\r\n" and so many bytes and "\r\n"; PING wants PONG. */
static size_t cut_nats(peer *who, const byte *p, size_t n) {
    size_t at = 0;
    while (at < n) {
        const byte *nl = memchr(p + at, '\n', n - at);
        if (!nl) break;
        size_t line = (size_t)(nl - p) + 1, body = 0;
        if (p[at] == 'M') {
            const byte *d = nl - 1; /* on \r: the digits end before it */
            size_t unit = 1;
            while (d[-1] >= '0' && d[-1] <= '9') body += (size_t)(*--d - '0') * unit, unit *= 10;
            if (n - line < body + 2) break;
            line += body + 2;
            if (!who->publisher) one_unit(who);
        } else if (p[at] == 'P' && p[at + 1] == 'I') {
            out_put(&who->l, "PONG\r\n", 6);
        } else if (p[at] == '-') {
            keep_first(&first_goodbye, p + at, (size_t)(nl - p) - at);
        }
        at = line;
    }
    return at;
}

/* MQTT 3.1.1 at QoS 0: fixed header, remaining length in sevens of bits; PUBLISH is 3x. */
static size_t cut_mqtt(peer *who, const byte *p, size_t n) {
    size_t at = 0;
    for (;;) {
        size_t i = at + 1, len = 0, shift = 0;
        while (i < n && (p[i] & 128) && shift < 21) len |= (size_t)(p[i++] & 127) << shift, shift += 7;
        if (i >= n) return at;
        len |= (size_t)(p[i++] & 127) << shift;
        if (n - i < len) return at;
        if ((p[at] & 0xf0) == 0x30 && !who->publisher) one_unit(who);
        at = i + len;
    }
}

static void read_link(peer *p) {
    size_t n, used;
    byte *at = link_read(&p->l, &n);
    if (!n) return;
    used = framing == NATS ? cut_nats(p, at, n) : framing == MQTT ? cut_mqtt(p, at, n) : ws_cut(&p->l, at, n, take);
    link_keep(&p->l, at + used, n - used);
}

static void read_plan(void) {
    if (plan_u32() != 0x48474231u) fail("not a plan");
    mode = plan_u32(), framing = plan_u32(), inflight = plan_u32(), links_n = plan_u32(), per_message = plan_u32();
    unit_kind = plan_u32(), unit_min = plan_u32(), warm_ms = plan_u32(), measure_ms = plan_u32();
    drain_ms = plan_u32(), stall_ms = plan_u32(), max_units = plan_u32();
    if (!links_n || !per_message || links_n > 100000) fail("an impossible plan");
    for (ring = 64; ring < 4 * (inflight + per_message);) ring *= 2;
    peers = calloc(links_n, sizeof *peers);
    dirty_links = calloc(2 * links_n, sizeof *dirty_links); /* twice: a flush in mid-tick, and dirty again */
    complete = calloc(ring, sizeof *complete);
    if (!peers || !dirty_links || !complete) fail("no memory");
    for (unsigned i = 0; i < links_n; i++) {
        peer *p = &peers[i];
        p->l.fd = (int)plan_u32(), p->l.number = (int)i;
        p->source = plan_u32(), p->initial = plan_u32(), p->publisher = plan_u32(), p->messages = plan_u32();
        if (p->source >= links_n) fail("a source that isn't in the plan");
        p->canned = calloc(p->messages + 1, sizeof *p->canned);
        p->stamp = mode == FANOUT && !p->publisher ? NULL : calloc(ring, sizeof *p->stamp);
        for (unsigned k = 0; k < p->messages; k++) p->canned[k] = plan_str();
        if (p->publisher) publisher = p;
        else subscribers++;
        link_watch(&p->l);
    }
}

static void print_result(double seconds, double cpu, int stalled) {
    printf("{\"seconds\":%.6f,\"units\":%llu,\"messages\":%llu,\"cpu\":%.6f,\"stalled\":%d,\"undrained\":%llu,", seconds,
           (unsigned long long)units, (unsigned long long)messages, cpu, stalled,
           (unsigned long long)(total_sent - total_got));
    printf("\"gone\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu,\"reads\":%llu,\"writes\":%llu,", (unsigned long long)gone,
           (unsigned long long)bytes_in, (unsigned long long)bytes_out, (unsigned long long)syscalls_in,
           (unsigned long long)syscalls_out);
    hist_print("latency_us", &latency);
    printf(",\"kinds\":{");
    for (unsigned i = 0, first = 1; i < 256; i++)
        if (kinds[i]) printf("%s\"%u\":%llu", first ? "" : ",", i, (unsigned long long)kinds[i]), first = 0;
    printf("},");
    print_hex("fail", first_fail.p, first_fail.n);
    printf(",");
    print_hex("goodbye", first_goodbye.p, first_goodbye.n);
    printf("}\n");
    fflush(stdout);
}

int main(void) {
    struct epoll_event ready[256];
    uint64_t start, began = 0, ended = 0, last;
    double cpu = 0;
    int stalled = 0;
    poller = epoll_create1(0);
    read_plan();
    start = last = tick = now_ns();
    for (unsigned i = 0; i < links_n; i++)
        for (unsigned k = 0; k < peers[i].initial; k += per_message) send_next(&peers[i]);
    flush_dirty();
    for (;;) {
        int n = epoll_wait(poller, ready, 256, 10);
        tick = now_ns();
        uint64_t before = total_got;
        if (phase == WARMING && tick - start >= warm_ms * 1000000ull) {
            phase = MEASURING, began = tick, cpu = cpu_seconds();
            bytes_in = bytes_out = syscalls_in = syscalls_out = 0;
            say("warm");
        } else if (phase == MEASURING && (tick - began >= measure_ms * 1000000ull || units >= max_units || stalled)) {
            phase = DRAINING, ended = tick, cpu = cpu_seconds() - cpu;
            say("measured");
        } else if (phase == DRAINING && (total_sent == total_got || tick - ended >= drain_ms * 1000000ull)) {
            break;
        }
        for (int i = 0; i < n; i++) {
            peer *p = ready[i].data.ptr;
            if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_link(p);
            if ((ready[i].events & EPOLLOUT) && !p->l.dead) link_flush(&p->l);
        }
        flush_dirty();
        if (total_got != before) last = tick;
        if (phase != DRAINING && (gone || tick - last >= stall_ms * 1000000ull)) {
            stalled = 1; /* an answer is missing, or a link broke: report what there is */
            if (phase == WARMING) warm_ms = 0;
        }
    }
    print_result((double)(ended - began) / 1e9, cpu, stalled);
    return 0;
}
