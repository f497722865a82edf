/* RabbitMQ (AMQP 0-9-1), for chat.c: a persistent message to the queue that the other side consumes, confirmed by the
 * broker when it is stored; what a side consumes it acknowledges, all that came in one read at once.
 *
 * A side consumes on channel 1, which it comes with. It publishes on one that this run opens: confirms are counted by
 * channel, from 1, and so are the numbers of a run behind its first. Included by chat.c alone. */

enum { METHOD = 1, HEADER = 2, BODY = 3 };
#define AMQP_ACK 0x003c0050u
#define AMQP_NACK 0x003c0078u
#define AMQP_DELIVER 0x003c003cu
#define AMQP_CLOSE 0x000a0032u
#define AMQP_CHANNEL_CLOSE 0x00140028u

static uint64_t amqp_u64(const byte *p) { return (uint64_t)read_u32(p) << 32 | read_u32(p + 4); }
static byte *amqp_frame(byte *p, byte kind, unsigned channel, const void *payload, size_t n) {
    *p++ = kind, *p++ = (byte)(channel >> 8), *p++ = (byte)channel;
    p = put_u32(p, (uint32_t)n);
    memcpy(p, payload, n), p += n;
    *p++ = 0xce;
    return p;
}
static void open_amqp(side *who) {
    byte buffer[64], *p = buffer;
    p = amqp_frame(p, METHOD, 2 + run, "\0\x14\0\x0a\0", 5); /* channel.open */
    p = amqp_frame(p, METHOD, 2 + run, "\0\x55\0\x0a\0", 5); /* confirm.select */
    out_put(&who->l, buffer, (size_t)(p - buffer));
}
static void send_amqp(side *from, uint32_t number) {
    byte buffer[1024], method[128] = "\0\x3c\0\x28\0\0\0", *p = buffer; /* basic.publish to the exchange "" */
    byte header[15] = "\0\x3c\0\0\0\0\0\0\0\0\0\0\x10\0\x02";           /* delivery mode 2: persistent */
    int n = snprintf((char *)method + 8, 100, "%.*s.%u", (int)from->name.n, from->name.p, (unsigned)(from->l.number ^ 1));
    (void)number;
    method[7] = (byte)n, method[8 + n] = 0;
    put_u32(header + 8, text_n);
    p = amqp_frame(p, METHOD, 2 + run, method, (size_t)n + 9);
    p = amqp_frame(p, HEADER, 2 + run, header, sizeof header);
    p = amqp_frame(p, BODY, 2 + run, text, text_n);
    out_put(&from->l, buffer, (size_t)(p - buffer));
}
/* A confirm: of one message, or of all up to it. `acked` is the last before which none is missing. */
static void confirmed(side *who, uint32_t number, int all) {
    if (number <= who->acked || number > who->sent) fail("RabbitMQ confirmed what nobody asked for");
    for (uint32_t n = all ? who->acked + 1 : number; n <= number; n++)
        if (!(who->state[n % WINDOW] & 1)) half(who, n, 1);
    while (who->acked < who->sent && who->state[(who->acked + 1) % WINDOW] & 1) who->acked++;
}
static void take_amqp(side *who, unsigned channel, const byte *p, size_t n) {
    uint32_t method = n < 4 ? 0 : read_u32(p);
    if (method == AMQP_ACK && n >= 13 && channel == 2 + run) {
        confirmed(who, first + (uint32_t)amqp_u64(p + 4), p[12] & 1);
    } else if (method == AMQP_DELIVER && n > 5 && n >= 13u + p[4]) {
        who->taken = amqp_u64(p + 5 + p[4]);
    } else if (method == AMQP_NACK || method == AMQP_CLOSE || method == AMQP_CHANNEL_CLOSE) {
        keep_first(&first_goodbye, p, n), fails++;
    }
}
static size_t cut_amqp(side *who, byte *p, size_t n) {
    byte *at = p, *end = p + n, ack[32], method[13] = "\0\x3c\0\x50";
    who->taken = 0;
    while (end - at >= 8) {
        size_t size = read_u32(at + 3);
        if (size > MAX_TAIL) fail("RabbitMQ sent what is no frame");
        if ((size_t)(end - at) < size + 8) break;
        if (at[size + 7] != 0xce) fail("RabbitMQ sent what is no frame");
        if (*at == METHOD) take_amqp(who, (unsigned)at[1] << 8 | at[2], at + 7, size);
        else if (*at == BODY) delivered(who, at + 7, size);
        at += size + 8;
    }
    if (who->taken) {
        put_u32(method + 4, (uint32_t)(who->taken >> 32)), put_u32(method + 8, (uint32_t)who->taken), method[12] = 1;
        out_put(&who->l, ack, (size_t)(amqp_frame(ack, METHOD, 1, method, sizeof method) - ack));
    }
    return (size_t)(at - p);
}
