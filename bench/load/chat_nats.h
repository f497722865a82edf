/* NATS JetStream, for chat.c: PUB with a subject to answer at, which the stream's acknowledgement (PubAck) comes to when
 * the message is stored, and MSG of a push consumer, which is delivered what the other side said.
 *
 * Subscription 1 of a link is for acknowledgements ("ack.LINK.NUMBER", so that none is taken for another one's), 2 for
 * messages ("said" in talk.CONVERSATION.READER). Included by chat.c alone. */

static void send_nats(side *from, uint32_t number) {
    char buffer[512];
    int n = snprintf(buffer, sizeof buffer, "PUB %.*s.%u ack.%u.%u %u\r\n%.*s\r\n", (int)from->name.n, from->name.p,
                     (unsigned)(from->l.number ^ 1), (unsigned)from->l.number, number, text_n, (int)text_n, text);
    out_put(&from->l, buffer, (size_t)n);
}

/* The word that ends at `end`, as a number. */
static uint32_t number_before(const byte *line, const byte *end) {
    uint32_t n = 0, unit = 1;
    while (end > line && end[-1] >= '0' && end[-1] <= '9') n += unit * (uint32_t)(*--end - '0'), unit *= 10;
    return n;
}
/* "MSG subject sid [answer at] size": an acknowledgement, or what the other side said. */
static void take_nats(side *who, const byte *line, const byte *end, const byte *p, size_t n) {
    const byte *subject_end = memchr(line + 4, ' ', (size_t)(end - line - 4));
    if (!subject_end) fail("NATS sent a message without a subject");
    if (subject_end[1] == '2') {
        delivered(who, p, n);
    } else if (n > 9 && !memcmp(p, "{\"error\":", 9)) {
        keep_first(&first_fail, p, n), fails++;
    } else {
        half(who, number_before(line, subject_end), 1);
    }
}
static size_t cut_nats(side *who, byte *p, size_t n) {
    const byte *at = p, *end = p + n, *nl;
    while (at < end && (nl = memchr(at, '\n', (size_t)(end - at)))) {
        const byte *next = nl + 1, *over = nl > at && nl[-1] == '\r' ? nl - 1 : nl;
        if (over - at > 4 && !memcmp(at, "MSG ", 4)) {
            size_t size = number_before(at, over);
            if ((size_t)(end - next) < size + 2) break;
            take_nats(who, at, over, next, size);
            next += size + 2;
        } else if (*at == 'P' && at[1] == 'I') {
            out_put(&who->l, "PONG\r\n", 6);
        } else if (*at == '-') {
            keep_first(&first_goodbye, at, (size_t)(over - at)), fails++;
        }
        at = next;
    }
    return (size_t)(at - p);
}
