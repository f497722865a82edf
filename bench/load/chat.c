/* The chat load: the two sides of many conversations write to each other, over links that are signed in and follow
 * their conversation already.
 *
 * Timed, each from the moment a message was *due* (open loop: its Poisson arrival; closed loop: the tick in which it
 * was sent): until its sender reads the acknowledgement, and until the other side reads the message. A message is
 * done when both have happened; done ones are what is counted. Not timed: connecting, signing in, subscribing.
 * What would make the number lie: this program being late (a histogram says how late it sent) or busy (it counts its own
 * CPU time); an open loop that finds a link's window full (counted: the message then waits, its due time kept).
 *
 * Sides 2n and 2n+1 are the sides of conversation n. Closed loop: `inflight` messages of a conversation are on their
 * way at any time; whoever reads the end of one writes the next, so the sides take turns. Open loop: arrivals by the
 * clock, each at a side drawn by chance.
 * What is spoken: the broker's protocol (chat.send, RESULT, chat.message), Redis's (XADD and PUBLISH in one write;
 * RESP3), or that of one of the files chat_*.h.
 * A text begins with 16 digits, its link and its number there, which is how a message is known again. */
#include "wire.h"
#include <math.h>
#include <sys/timerfd.h>

enum { CLOSED, OPEN };
enum { WARMING, MEASURING, DRAINING };
#define WINDOW 64u /* messages of one link that may be on their way */
#define QUEUE (1u << 17)
#define STAMP 16 /* digits */
#define ASKED (1u << 16)
#define OF_A_RUN 100000000u /* more than any has messages of one side */

typedef struct side {
    link_t l;
    link_t *way; /* what it writes to: its own link, or that of an earlier side that came with the same descriptor */
    struct side **asked; /* whose messages are to be answered on this link, in turn; of pools */
    uint32_t asked_n, answered_n;
    int refused;
    uint64_t taken; /* what is to be acknowledged to RabbitMQ */
    str name; /* the session, or what a peer's stream, subject or channel is called by */
    uint32_t sent, acked, done, wants;
    uint64_t due[WINDOW];
    byte state[WINDOW]; /* 1: acknowledged, 2: delivered */
} side;

static side *sides;
static uint32_t run, first; /* numbers begin behind it: what comes late of an earlier run isn't taken for an answer */
static unsigned mode, links, inflight, text_n, phase, warm_ms, measure_ms, drain_ms, stall_ms;
static double rate;
static uint64_t tick, next_arrival, out_now, done_n, ever_done, full, fails, kinds[256];
static str key_prefix, first_fail, first_goodbye;
static hist to_ack, to_other, lateness;
static char text[1024];

/* One way to speak: write the message that lies in `text`, and cut what comes into answers and messages; both are handed
 * to half() and delivered(). Returns how many bytes it used. `open` is what a link says before. */
typedef struct {
    void (*send)(side *from, uint32_t number);
    size_t (*cut)(side *who, byte *p, size_t n);
    void (*open)(side *who);
} tongue;
static const tongue *speech;

static size_t redis_part(char *at, const byte *p, size_t n) {
    size_t h = (size_t)sprintf(at, "$%zu\r\n", n);
    memcpy(at + h, p, n);
    memcpy(at + h + n, "\r\n", 2);
    return h + n + 2;
}
static void send_redis(side *from, uint32_t number) {
    (void)number;
    static char buffer[4096];
    char *p = buffer, channel[96];
    int c = snprintf(channel, sizeof channel, "%.*s:%u", (int)from->name.n, from->name.p, (unsigned)(from->l.number ^ 1));
    p += sprintf(p, "*5\r\n$4\r\nXADD\r\n");
    p += redis_part(p, from->name.p, from->name.n);
    p += sprintf(p, "$1\r\n*\r\n$1\r\nt\r\n");
    p += redis_part(p, (byte *)text, text_n);
    p += sprintf(p, "*3\r\n$7\r\nPUBLISH\r\n");
    p += redis_part(p, (byte *)channel, (size_t)c);
    p += redis_part(p, (byte *)text, text_n);
    out_put(&from->l, buffer, (size_t)(p - buffer));
}
/* REQUEST [16, id, "chat.send", {"session", "text"}, key]. */
static void send_frame(side *from, uint32_t number) {
    byte frame[2048], *p = frame;
    char key[64];
    *p++ = 0x95, *p++ = 16, *p++ = 0xce;
    for (int i = 24; i >= 0; i -= 8) *p++ = (byte)(number >> i);
    p = put_text(p, "chat.send", 9);
    *p++ = 0x82;
    p = put_text(p, "session", 7);
    p = put_text(p, (const char *)from->name.p, from->name.n);
    p = put_text(p, "text", 4);
    p = put_text(p, text, text_n);
    int k = snprintf(key, sizeof key, "%s%u", key_prefix.p, number);
    p = put_text(p, key, (size_t)k);
    ws_put(&from->l, 2, frame, (size_t)(p - frame));
}
static void write_one(side *from, uint64_t due) {
    char digits[STAMP + 1];
    uint32_t number = ++from->sent;
    if (from->way->dead) return;
    from->due[number % WINDOW] = due, from->state[number % WINDOW] = 0;
    out_now++;
    if (phase == MEASURING) hist_add(&lateness, tick > due ? tick - due : 0);
    snprintf(digits, sizeof digits, "%06u%010u", (unsigned)from->l.number, number);
    memcpy(text, digits, STAMP);
    speech->send(from, number);
}

static uint64_t late[QUEUE];
static unsigned late_first, late_n;

/* One of the two things that end a message has happened. */
static void half(side *from, uint32_t number, byte what) {
    byte *state = &from->state[number % WINDOW];
    if (number <= first) return;
    if (number > from->sent || from->sent - number >= WINDOW || *state & what) fail("an answer nobody waits for");
    *state |= what;
    if (phase == MEASURING) hist_add(what == 1 ? &to_ack : &to_other, tick - from->due[number % WINDOW]);
    if (*state != 3) return;
    out_now--, from->done++, ever_done++;
    done_n += phase == MEASURING;
    if (mode == CLOSED && phase != DRAINING) write_one(&sides[from->l.number ^ 1], tick);
}
/* What stands at the beginning of a text; 0 where it is too short for that. */
static int written(const byte *p, size_t n, uint32_t *link, uint32_t *number) {
    *link = *number = 0;
    if (n < STAMP) return 0;
    for (int i = 0; i < 6; i++) *link = *link * 10 + (uint32_t)(p[i] - '0');
    for (int i = 6; i < STAMP; i++) *number = *number * 10 + (uint32_t)(p[i] - '0');
    if (*link >= links) fail("a text that nobody wrote");
    return 1;
}
static void delivered(side *reader, const byte *p, size_t n) {
    uint32_t link, number;
    if (!written(p, n, &link, &number)) return;
    if (link == ((unsigned)reader->l.number ^ 1)) half(&sides[link], number, 2);
    else if (link != (unsigned)reader->l.number) fail("a text of another conversation");
}

static void event(side *reader, const byte *p, const byte *end) { /* p: behind the kind */
    str stream, type, said;
    const byte *at = mp_str(p, end, &stream);
    if (!at || !(at = mp_skip(at, end)) || !(at = mp_str(at, end, &type)) || !(at = mp_skip(at, end))) return;
    if (mp_is(type, "chat.message") && mp_find(at, end, "text", &said)) delivered(reader, said.p, said.n);
}
static uint32_t mp_uint(const byte *p) {
    uint32_t v = 0;
    if (*p < 0x80) return *p;
    for (unsigned i = 0, w = *p == 0xcc ? 1 : *p == 0xcd ? 2 : *p == 0xce ? 4 : 0; i < w; i++) v = v << 8 | p[1 + i];
    return v;
}
static void take(link_t *l, int opcode, const byte *p, size_t n) {
    const byte *end = p + n;
    if (opcode != 2) return;
    while (p < end) {
        unsigned elements;
        int kind = mp_kind(p, end, &elements);
        const byte *next = mp_skip(p, end);
        if (kind < 0 || !next) fail("a message that is no sequence of frames");
        kinds[kind]++;
        if (kind == 3) pong(l, p, (size_t)(next - p));
        else if (kind == 17) half((side *)l, mp_uint(p + 2), 1);
        else if (kind == 18) keep_first(&first_fail, p, (size_t)(next - p)), fails++;
        else if (kind == 2) keep_first(&first_goodbye, p, (size_t)(next - p));
        else if (kind == 32) event((side *)l, p + 2, next);
        p = next;
    }
}

static size_t cut_frames(side *who, byte *p, size_t n) { return ws_cut(&who->l, p, n, take); }

/* RESP3: "$n" and so many bytes is XADD's answer, ":n" PUBLISH's, ">3" a message of three "$n". */
static const byte *resp_bulk(const byte *p, const byte *end, str *s) {
    size_t n = 0;
    const byte *nl = memchr(p, '\n', (size_t)(end - p));
    if (!nl) return NULL;
    if (*p != '$') fail("Redis sent what nobody asked for");
    for (const byte *d = p + 1; *d >= '0' && *d <= '9'; d++) n = n * 10 + (size_t)(*d - '0');
    if ((size_t)(end - nl - 1) < n + 2) return NULL;
    s->p = (byte *)nl + 1, s->n = n;
    return nl + 1 + n + 2;
}
static size_t cut_redis(side *who, byte *p, size_t n) {
    const byte *at = p, *end = p + n, *next;
    str one, said = {0};
    while (at < end) {
        if (*at == '$') {
            if (!(next = resp_bulk(at, end, &one))) break;
            half(who, ++who->acked, 1);
        } else {
            const byte *nl = memchr(at, '\n', (size_t)(end - at));
            if (!nl) break;
            next = nl + 1;
            if (*at == '>') {
                for (int i = 0; i < 3 && next; i++) next = next < end ? resp_bulk(next, end, &said) : NULL;
                if (!next) break;
                delivered(who, said.p, said.n);
            } else if (*at != ':') {
                keep_first(&first_goodbye, at, (size_t)(nl - at)), fails++;
            }
        }
        at = next;
    }
    return (size_t)(at - p);
}

static byte *put_u32(byte *p, uint32_t v) {
    for (int i = 24; i >= 0; i -= 8) *p++ = (byte)(v >> i);
    return p;
}
static uint32_t read_u32(const byte *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | p[2] << 8 | p[3]; }

#include "chat_amqp.h"
#include "chat_nats.h"
#include "chat_postgres.h"

static const tongue tongues[] = {
    {send_frame, cut_frames, NULL}, {send_redis, cut_redis, NULL},      {send_nats, cut_nats, NULL},
    {send_postgres, cut_postgres, NULL}, {send_amqp, cut_amqp, open_amqp},
};

static void by_the_clock(void) {
    while (mode == OPEN && phase != DRAINING && (late_n || next_arrival <= tick)) {
        uint64_t due = late_n ? late[late_first % QUEUE] : next_arrival;
        side *from = &sides[(unsigned)(uniform() * links) % links];
        if (from->sent - from->done >= inflight) { /* its window is full: the next best */
            unsigned tried = 0;
            while (from->sent - from->done >= inflight && ++tried < links)
                from = &sides[((unsigned)from->l.number + 1) % links];
            full += phase == MEASURING;
            if (tried == links) {
                if (late_n) return;
                if (late_n++ >= QUEUE) fail("the server is far behind the arrivals");
                late[(late_first + late_n - 1) % QUEUE] = next_arrival;
                next_arrival += (uint64_t)(-log(uniform()) / rate * 1e9);
                continue;
            }
        }
        if (late_n) late_first++, late_n--;
        else next_arrival += (uint64_t)(-log(uniform()) / rate * 1e9);
        write_one(from, due);
    }
}

/* Watch its link, or find the earlier side whose link it shares. */
static void give_way(side *who) {
    for (unsigned i = 0; i < (unsigned)who->l.number && who->l.number < (int)links; i++)
        if (sides[i].l.fd == who->l.fd) {
            who->way = sides[i].way;
            return;
        }
    who->way = &who->l;
    if (speech->send == send_postgres && !(who->asked = calloc(ASKED, sizeof *who->asked))) fail("no memory");
    link_watch(&who->l);
}
static void read_plan(void) {
    if (plan_u32() != 0x48474331u) fail("not a chat plan");
    unsigned spoken, ears;
    mode = plan_u32(), spoken = plan_u32(), links = plan_u32(), inflight = plan_u32(), text_n = plan_u32();
    rate = plan_u32() / 1000.0, seed = plan_u32();
    warm_ms = plan_u32(), measure_ms = plan_u32(), drain_ms = plan_u32(), stall_ms = plan_u32();
    run = plan_u32(), first = run * OF_A_RUN, ears = plan_u32(), key_prefix = plan_str();
    if (!links || links % 2 || links > 100000 || ears > 1000 || run > 40 || !inflight || inflight > WINDOW / 2) fail("an impossible plan");
    if (text_n < STAMP || text_n > 255 || key_prefix.n > 24 || (mode == OPEN && rate <= 0)) fail("an impossible plan");
    if (spoken >= sizeof tongues / sizeof *tongues) fail("an impossible plan");
    speech = &tongues[spoken];
    memset(text, 'x', sizeof text);
    sides = calloc(links + ears, sizeof *sides);
    dirty_links = calloc(2 * (links + ears), sizeof *dirty_links);
    if (!sides || !dirty_links) fail("no memory");
    for (unsigned i = 0; i < links + ears; i++) {
        sides[i].l.fd = (int)plan_u32(), sides[i].l.number = (int)i, sides[i].name = plan_str();
        sides[i].sent = sides[i].acked = sides[i].done = first;
        if (sides[i].name.n > 72) fail("a name is too long");
        give_way(&sides[i]);
    }
}
static void print_result(double seconds, double cpu, int stalled) {
    printf("{\"seconds\":%.6f,\"units\":%llu,\"full\":%llu,\"fails\":%llu,\"cpu\":%.6f,\"stalled\":%d,", seconds,
           (unsigned long long)done_n, (unsigned long long)full, (unsigned long long)fails, cpu, stalled);
    printf("\"undrained\":%llu,\"gone\":%llu,", (unsigned long long)out_now, (unsigned long long)gone);
    hist_print("latency_us", &to_other);
    printf(",");
    hist_print("ack_us", &to_ack);
    printf(",");
    hist_print("late_us", &lateness);
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
static void begin(void) {
    tick = next_arrival = now_ns();
    for (unsigned i = 0; speech->open && i < links; i++) speech->open(&sides[i]);
    for (unsigned i = 0; mode == CLOSED && i < links; i++)
        for (unsigned k = i % 2 ? inflight / 2 : (inflight + 1) / 2; k; k--) write_one(&sides[i], tick);
    flush_dirty();
}
static void set_timer(int fd) {
    struct itimerspec t = {.it_value = {(time_t)(next_arrival / 1000000000u), (long)(next_arrival % 1000000000u)}};
    if (mode == OPEN && phase != DRAINING) timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL);
}
/* In the closed loop all begin at once, and a slow server takes thousands in before it gives any out: it goes on in waves.
 * So warm-up and measurement each last until as many are done as are on their way, or as much longer as draining may. */
static int lasted(uint64_t passed, unsigned ms, uint64_t done) {
    int turned = mode == OPEN || done >= (uint64_t)inflight * links / 2 || passed >= (ms + drain_ms) * 1000000ull;
    return !ms || (passed >= ms * 1000000ull && turned);
}
static void read_side(side *who) {
    size_t n, used;
    byte *at = link_read(&who->l, &n);
    if (!n) return;
    used = speech->cut(who, at, n);
    link_keep(&who->l, at + used, n - used);
}

int main(void) {
    struct epoll_event ready[256];
    uint64_t start, began = 0, over = 0, last, before;
    double cpu = 0;
    int stalled = 0;
    link_t timer = {.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)};
    poller = epoll_create1(0);
    read_plan();
    link_watch(&timer);
    begin();
    start = last = tick;
    for (;;) {
        set_timer(timer.fd);
        int n = epoll_wait(poller, ready, 256, 10);
        tick = now_ns(), before = out_now;
        if (phase == WARMING && lasted(tick - start, warm_ms, ever_done)) {
            phase = MEASURING, began = tick, cpu = cpu_seconds();
            say("warm");
        } else if (phase == MEASURING && (stalled || lasted(tick - began, measure_ms, done_n))) {
            phase = DRAINING, over = tick, cpu = cpu_seconds() - cpu;
            say("measured");
        } else if (phase == DRAINING && (!out_now || tick - over >= drain_ms * 1000000ull)) {
            break;
        }
        for (int i = 0; i < n; i++) {
            link_t *l = ready[i].data.ptr;
            uint64_t times;
            if (l == &timer) {
                if (read(timer.fd, &times, sizeof times) < 0) continue;
            } else if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                last = tick;
                read_side((side *)l);
            }
            if (l != &timer && (ready[i].events & EPOLLOUT) && !l->dead) link_flush(l);
        }
        by_the_clock();
        flush_dirty();
        if (out_now != before || !out_now) last = tick;
        if (phase != DRAINING && (gone || fails > 1000 || tick - last >= stall_ms * 1000000ull)) {
            stalled = 1;
            if (phase == WARMING) warm_ms = 0;
        }
    }
    print_result((double)(over - began) / 1e9, cpu, stalled);
    return 0;
}
