/* PostgreSQL, for chat.c: a row and a NOTIFY in one transaction (two prepared statements up to a Sync); ReadyForQuery
 * behind the Sync says that it is committed, NotificationResponse brings it to who listens.
 *
 * Many sides share a connection of a pool, which answers in the order of what was asked: `asked` of the link that
 * carries them keeps whose turn it is. Those that listen are links of no side. Included by chat.c alone. */

static byte *pg_part(byte *p, const byte *value, size_t n) {
    p = put_u32(p, (uint32_t)n);
    memcpy(p, value, n);
    return p + n;
}
/* Bind (all parameters as text) and Execute, of the statement with this name of one letter. */
static byte *pg_call(byte *p, char statement, str conversation) {
    byte *size = p + 1;
    *p = 'B', p += 5;
    *p++ = 0, *p++ = (byte)statement, *p++ = 0;
    *p++ = 0, *p++ = 0, *p++ = 0, *p++ = 2;
    p = pg_part(p, conversation.p, conversation.n);
    p = pg_part(p, (const byte *)text, text_n);
    *p++ = 0, *p++ = 0;
    put_u32(size, (uint32_t)(p - size));
    memcpy(p, "E\0\0\0\x09\0\0\0\0\0", 10);
    return p + 10;
}
static void send_postgres(side *from, uint32_t number) {
    byte buffer[2048], *p = buffer;
    side *carrier = (side *)from->way;
    (void)number;
    p = pg_call(p, 'i', from->name);
    p = pg_call(p, 'n', from->name);
    memcpy(p, "S\0\0\0\x04", 5), p += 5;
    if (carrier->asked_n - carrier->answered_n >= ASKED) fail("a connection of the pool is far behind");
    carrier->asked[carrier->asked_n++ % ASKED] = from;
    out_put(from->way, buffer, (size_t)(p - buffer));
}
static void take_postgres(side *carrier, byte kind, const byte *p, const byte *end) {
    if (kind == 'Z') {
        if (carrier->answered_n == carrier->asked_n) fail("PostgreSQL answered what nobody asked");
        side *from = carrier->asked[carrier->answered_n++ % ASKED];
        uint32_t number = ++from->acked;
        if (!carrier->refused) half(from, number, 1);
        carrier->refused = 0;
    } else if (kind == 'A') {
        const byte *channel = p + 4, *over = memchr(channel, 0, (size_t)(end - channel));
        uint32_t link, number;
        if (!over || !written(over + 1, (size_t)(end - over - 1), &link, &number)) fail("a notice of something else");
        str name = sides[link].name;
        if (name.n != (size_t)(over - channel) || memcmp(name.p, channel, name.n)) fail("a text of another conversation");
        half(&sides[link], number, 2);
    } else if (kind == 'E') {
        keep_first(&first_fail, p, (size_t)(end - p)), fails++;
        carrier->refused = 1;
    }
}
static size_t cut_postgres(side *who, byte *p, size_t n) {
    const byte *at = p, *end = p + n;
    while (end - at >= 5) {
        size_t size = read_u32(at + 1);
        if (size < 4 || size > MAX_TAIL) fail("PostgreSQL sent what is no message");
        if ((size_t)(end - at) < 1 + size) break;
        take_postgres(who, *at, at + 5, at + 1 + size);
        at += 1 + size;
    }
    return (size_t)(at - p);
}
