/* The routing load: customers ask, representatives accept, sessions end, over signed-in links.
 *
 * Timed, each from the moment the request was *due* (open loop: its Poisson arrival; closed loop: when its customer was
 * free again): until the offer reaches a representative, until the customer reads that it is assigned. Not timed:
 * connecting, signing in, subscribing. What would make the number lie: this program being late (it keeps a histogram
 * of how late it sent) or busy (it counts its own CPU time); representatives all busy at an arrival (counted).
 *
 * Closed loop: `active` customers ask again as soon as their request has ended; that gives the most requests a second.
 * Open loop: arrivals come by the clock, whatever the broker does; an arrival with no idle customer waits for one, its
 * due time kept. A representative accepts at once, and ends the session `hold_us` after it was opened.
 * The plan comes on standard input (engine.py), lines "warm" and "measured", then one line of JSON, go out. */
#include "wire.h"
#include <math.h>
#include <sys/timerfd.h>

enum { CLOSED, OPEN };
enum { WARMING, MEASURING, DRAINING };

typedef struct {
    link_t l;
    int customer, busy;
    uint64_t due;
} person;
typedef struct {
    person *who;
    uint64_t at;
    char session[72];
} ending;

#define QUEUE (1u << 17) /* sessions being held, arrivals waiting: both far below */
static person *people;
static unsigned mode, customers, representatives, active, hold_us, capacity, digits_at, phase;
static unsigned warm_ms, measure_ms, drain_ms, stall_ms;
static double rate;
static uint64_t tick, next_arrival, counter, open_requests;
static str create_args, key_prefix;
static ending *endings;
static unsigned end_first, end_n, idle_n, late_first, late_n;
static unsigned *idle;
static uint64_t *late;
static hist to_offer, to_assigned, lateness;
static uint64_t asked, assigned, ended, all_busy, no_idle, fails, kinds[256];
static str first_fail, first_goodbye;

/* REQUEST [16, id, op, args, key] with a fresh id and key. */
static void request(person *who, const char *op, const byte *args, size_t n) {
    byte frame[2048], *p = frame;
    char key[64];
    uint64_t id = ++counter;
    if (n > 1500) fail("arguments too long");
    *p++ = 0x95, *p++ = 16, *p++ = 0xce;
    for (int i = 24; i >= 0; i -= 8) *p++ = (byte)(id >> i);
    p = put_text(p, op, strlen(op));
    memcpy(p, args, n), p += n;
    int k = snprintf(key, sizeof key, "%s%llu", key_prefix.p, (unsigned long long)id);
    p = put_text(p, key, (size_t)k);
    ws_put(&who->l, 2, frame, (size_t)(p - frame));
}
static void request_one(person *who, const char *op, const char *name, const byte *value, size_t n) {
    byte args[160], *p = args;
    if (n > 64) fail("an id is too long");
    *p++ = 0x81;
    p = put_text(p, name, strlen(name));
    p = put_text(p, (const char *)value, n);
    request(who, op, args, (size_t)(p - args));
}
static void ask(unsigned index, uint64_t due) {
    person *who = &people[index];
    char digits[16];
    who->due = due, who->busy = 1;
    if (open_requests++ >= capacity) all_busy += phase == MEASURING;
    if (phase == MEASURING) hist_add(&lateness, tick > due ? tick - due : 0), asked++;
    snprintf(digits, sizeof digits, "%08u", index);
    memcpy(create_args.p + digits_at, digits, 8);
    request(who, "request.create", create_args.p, create_args.n);
}
static void free_customer(unsigned index) {
    people[index].busy = 0;
    open_requests--;
    ended += phase == MEASURING;
    if (phase == DRAINING) return;
    if (mode == CLOSED) {
        ask(index, tick);
    } else if (late_n) {
        ask(index, late[late_first++ % QUEUE]);
        late_n--;
    } else {
        idle[idle_n++] = index;
    }
}

static void event(person *who, const byte *p, const byte *end) { /* p: behind the kind */
    str stream, type, text;
    const byte *at = mp_str(p, end, &stream);
    if (!at || !(at = mp_skip(at, end)) || !(at = mp_str(at, end, &type)) || !(at = mp_skip(at, end))) return;
    if (who->customer) {
        if (mp_is(type, "request.assigned")) {
            if (phase == MEASURING) hist_add(&to_assigned, tick - who->due), assigned++;
        } else if (mp_is(type, "request.ended")) {
            if (who->busy) free_customer((unsigned)who->l.number);
        }
    } else if (mp_is(type, "offer.made")) {
        str offer;
        if (!mp_find(at, end, "offer", &offer) || !mp_find(at, end, "text", &text) || text.n < 8) return;
        unsigned index = 0;
        for (int i = 0; i < 8; i++) index = index * 10 + (unsigned)(text.p[i] - '0');
        if (index >= customers) fail("an offer of somebody else's request");
        if (phase == MEASURING) hist_add(&to_offer, tick - people[index].due);
        request_one(who, "offer.accept", "offer", offer.p, offer.n);
    } else if (mp_is(type, "session.opened")) {
        str session;
        ending *e = &endings[(end_first + end_n) % QUEUE];
        if (!mp_find(at, end, "session", &session) || session.n >= sizeof e->session) return;
        if (!hold_us) {
            request_one(who, "session.end", "session", session.p, session.n);
            return;
        }
        if (end_n++ >= QUEUE) fail("too many sessions held");
        e->who = who, e->at = tick + hold_us * 1000ull;
        memcpy(e->session, session.p, session.n);
        e->session[session.n] = 0;
    }
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
        else if (kind == 18) keep_first(&first_fail, p, (size_t)(next - p)), fails++;
        else if (kind == 2) keep_first(&first_goodbye, p, (size_t)(next - p));
        else if (kind == 32) event((person *)l, p + 2, next);
        p = next;
    }
}

static void by_the_clock(void) {
    while (mode == OPEN && phase != DRAINING && next_arrival <= tick) {
        if (idle_n) {
            ask(idle[--idle_n], next_arrival);
        } else {
            no_idle += phase == MEASURING;
            if (late_n++ >= QUEUE) fail("the broker is far behind the arrivals");
            late[(late_first + late_n - 1) % QUEUE] = next_arrival;
        }
        next_arrival += (uint64_t)(-log(uniform()) / rate * 1e9);
    }
    for (; end_n && endings[end_first].at <= tick; end_n--, end_first = (end_first + 1) % QUEUE) {
        ending *e = &endings[end_first];
        request_one(e->who, "session.end", "session", (byte *)e->session, strlen(e->session));
    }
}
static void set_timer(int fd) {
    static uint64_t set;
    uint64_t due = mode == OPEN && phase != DRAINING ? next_arrival : UINT64_MAX;
    if (end_n && endings[end_first].at < due) due = endings[end_first].at;
    if (due == set || due == UINT64_MAX) return;
    struct itimerspec t = {.it_value = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)}};
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL);
    set = due;
}

static void read_plan(void) {
    if (plan_u32() != 0x48475231u) fail("not a routing plan");
    mode = plan_u32(), customers = plan_u32(), representatives = plan_u32(), active = plan_u32();
    rate = plan_u32() / 1000.0, hold_us = plan_u32(), capacity = plan_u32(), seed = plan_u32();
    warm_ms = plan_u32(), measure_ms = plan_u32(), drain_ms = plan_u32(), stall_ms = plan_u32();
    digits_at = plan_u32(), create_args = plan_str(), key_prefix = plan_str();
    unsigned all = customers + representatives;
    if (!customers || !representatives || active > customers || digits_at + 8 > create_args.n || key_prefix.n > 24)
        fail("an impossible plan");
    people = calloc(all, sizeof *people);
    dirty_links = calloc(2 * all, sizeof *dirty_links);
    idle = calloc(customers, sizeof *idle);
    late = calloc(QUEUE, sizeof *late);
    endings = calloc(QUEUE, sizeof *endings);
    if (!people || !dirty_links || !idle || !late || !endings) fail("no memory");
    for (unsigned i = 0; i < all; i++) {
        people[i].l.fd = (int)plan_u32(), people[i].l.number = (int)i, people[i].customer = i < customers;
        link_watch(&people[i].l);
    }
}
static void print_result(double seconds, double cpu, int stalled) {
    printf("{\"seconds\":%.6f,\"units\":%llu,\"asked\":%llu,\"ended\":%llu,\"all_busy\":%llu,\"no_idle\":%llu,", seconds,
           (unsigned long long)assigned, (unsigned long long)asked, (unsigned long long)ended,
           (unsigned long long)all_busy, (unsigned long long)no_idle);
    printf("\"fails\":%llu,\"cpu\":%.6f,\"stalled\":%d,\"undrained\":%llu,\"gone\":%llu,", (unsigned long long)fails, cpu,
           stalled, (unsigned long long)open_requests, (unsigned long long)gone);
    hist_print("latency_us", &to_offer);
    printf(",");
    hist_print("assigned_us", &to_assigned);
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

int main(void) {
    struct epoll_event ready[256];
    uint64_t start, began = 0, over = 0, last, before;
    double cpu = 0;
    int stalled = 0;
    link_t timer = {.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)};
    poller = epoll_create1(0);
    read_plan();
    link_watch(&timer);
    start = last = tick = next_arrival = now_ns();
    if (mode == CLOSED)
        for (unsigned i = 0; i < active; i++) ask(i, tick);
    else
        for (unsigned i = customers; i--;) idle[idle_n++] = i;
    flush_dirty();
    for (;;) {
        set_timer(timer.fd);
        int n = epoll_wait(poller, ready, 256, 10);
        tick = now_ns();
        before = kinds[32];
        if (phase == WARMING && tick - start >= warm_ms * 1000000ull) {
            phase = MEASURING, began = tick, cpu = cpu_seconds();
            say("warm");
        } else if (phase == MEASURING && (tick - began >= measure_ms * 1000000ull || stalled)) {
            phase = DRAINING, over = tick, cpu = cpu_seconds() - cpu;
            say("measured");
        } else if (phase == DRAINING && (!open_requests || tick - over >= drain_ms * 1000000ull)) {
            break;
        }
        for (int i = 0; i < n; i++) {
            link_t *l = ready[i].data.ptr;
            if (l == &timer) {
                uint64_t times;
                if (read(timer.fd, &times, sizeof times) < 0) continue;
            } else if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                size_t got, used;
                byte *at = link_read(l, &got);
                if (!got) continue;
                used = ws_cut(l, at, got, take);
                link_keep(l, at + used, got - used);
            }
            if (l != &timer && (ready[i].events & EPOLLOUT) && !l->dead) link_flush(l);
        }
        by_the_clock();
        flush_dirty();
        if (kinds[32] != before || (mode == OPEN && !open_requests)) last = tick;
        if (phase != DRAINING && (gone || fails > 1000 || tick - last >= stall_ms * 1000000ull)) {
            stalled = 1;
            if (phase == WARMING) warm_ms = 0;
        }
    }
    print_result((double)(over - began) / 1e9, cpu, stalled);
    return 0;
}
