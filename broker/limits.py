"""Every bound in one place: a name, a unit, a reason.

``docs/explanation/memory.md`` adds them up to bytes per connection.
"""

from typing import Final

from broker.units import DAYS, HOURS, KIB, MIB, MILLISECONDS, MINUTES, SECONDS

# --- msgpack and frames (protocol) -------------------------------------------------------------

MAX_DEPTH: Final = 8  # nesting of a client's frame; the deepest that is asked for, a form with choices, has 7 levels
MAX_BROKER_DEPTH: Final = 12  # the same of the broker's: that form within its portal within the account has 9
MAX_VALUES: Final = 4096  # values a frame; a walk of that many takes under a millisecond
MAX_FRAME_BYTES: Final = 64 * KIB  # from a client; a chat text is 16 KiB, an SDP offer about 10
MAX_MESSAGE_BYTES: Final = 256 * KIB  # a WebSocket message from a client: several frames, bounded memory
MAX_MESSAGE_FRAMES: Final = 64  # a batch of this size gives 4.4 times the frames/s; more gives no more
MAX_SERVICE_BYTES: Final = 1 * MIB  # frame and message from a service, which may provision in bulk
MAX_BROKER_BYTES: Final = 8 * MIB  # frame and message from the broker: the largest account's configuration
MAX_BROKER_VALUES: Final = 1_000_000  # of such a frame
MAX_BROKER_STR_BYTES: Final = 512 * KIB  # a page of a transcript; the schema, as meta.schema answers it
MAX_STR_BYTES: Final = 16 * KIB  # one text, as a chat message is; also a string or key within a document
MAX_BIN_BYTES: Final = 64 * KIB  # one bin; the frame's own bound is reached first
MAX_INT: Final = 2**53 - 1  # what a double, and so JavaScript, holds exactly
MAX_KEY_BYTES: Final = 64  # an idempotency key: a UUID in text takes 36
MAX_ID_BYTES: Final = 64  # any id on the wire
MAX_SIGNAL_BYTES: Final = 16 * KIB  # one SIGNAL's data: the largest SDP seen is about 10 KiB

# --- before sign-in -----------------------------------------------------------------------------

HELLO_TIMEOUT: Final = 5 * SECONDS  # three round trips on the worst mobile link, and one lost packet
HELLO_BYTES: Final = 8 * KIB  # a token is under 1 KiB
HTTP_HEAD_BYTES: Final = 16 * KIB  # request line and headers, as other servers allow
HTTP_HEAD_LINES: Final = 100  # of them; browsers and proxies send 30, and parsing costs by the line
MAX_CONNECTIONS: Final = 50_000  # open sockets; the process's own file limit is checked at start
MAX_HANDSHAKES: Final = 4096  # sockets that have not signed in: what a flood may hold for 5 s; the oldest makes room
ADDRESS_CONNECTIONS: Final = 2000  # connections of one address: the largest office behind one address, twice
ADDRESS_HANDSHAKES: Final = 256  # of them not signed in: a sixteenth of all, so that sixteen addresses can't take all
ADDRESS_RATE: Final = (50, 500)  # new connections a second, burst: an office that comes back after a restart
ADDRESS_FAILURES: Final = (1, 50)  # failed sign-ins a second, burst: past it the address is shut out until one is left
ACCOUNT_SHARE: Final = 80  # % of all connections that the customers of one account may have: the others get in
MAX_PERSON_CONNECTIONS: Final = 16  # of one person: devices and tabs; one more ends the oldest

# --- who is who (identity) -----------------------------------------------------------------------

PASSWORD_TIME: Final = 3  # passes of Argon2id: RFC 9106's second recommended choice, the one for less memory
PASSWORD_MEMORY: Final = 64 * MIB  # that each of them fills: what makes guessing on graphics cards dear
PASSWORD_LANES: Final = 4  # threads that fill it, by the same choice; on two cores one hash takes about 0.15 s
MAX_PASSWORD_MEMORY: Final = 256 * MIB  # of a stored hash that is still checked: a hostile one mustn't take the machine
MAX_PASSWORD_TIME: Final = 16  # passes of such a hash; with that memory about 3 s
MAX_PASSWORD_LANES: Final = 16  # and its threads
MIN_PASSWORD_CHARS: Final = 8  # where a policy doesn't say otherwise; also the least of NIST SP 800-63B
PASSWORD_CLASSES: Final = 3  # of four classes of characters, unless the account says otherwise
MAX_PASSWORD_CHARS: Final = 128  # after normalising: a passphrase of twenty words
MAX_PASSWORD_BYTES: Final = 512  # as sent, in UTF-8: 4 a character; what is longer isn't even normalised
MAX_HASHES_WAITING: Final = 256  # passwords waiting for a worker: 20 s with two workers, then nobody would wait longer
MAX_SCOPES: Final = 16  # of a service: more than there are, and a token of 16 x 64 fits MAX_TOKEN_CHARS
MAX_ENTRY_SKILLS: Final = 2  # asked for by an embedding page, as by a customer
MAX_PAGE_CHARS: Final = 1024  # a page's address in a token that must fit 2048 characters
MAX_LANGUAGE_CHARS: Final = 35  # RFC 5646, section 4.4.1
SIGN_IN_ACCESS: Final = 1 * HOURS  # an access token: whoever copies one has it no longer than that
SIGN_IN_REFRESH: Final = 14 * DAYS  # a sign-in that isn't used: a holiday
MAX_MAILS_WAITING: Final = 256  # e-mails not sent yet, of at most 64 KiB each: 16 MiB
MAX_MAIL_BYTES: Final = 64 * KIB  # one e-mail's text; ours have about 1 KiB
MAX_SUBJECT_CHARS: Final = 200  # what a list of e-mails shows, and more
MAX_ADDRESS_CHARS: Final = 254  # of an e-mail address: RFC 5321, with its erratum 1690
MAIL_TIMEOUT: Final = 30 * SECONDS  # one attempt, from connecting to the server's last word
MAIL_SENDERS: Final = 4  # attempts at once: one server that hangs for a recipient doesn't hold up the others
MAIL_ATTEMPTS: Final = 10  # with the pauses below they span 20 minutes: greylisting asks for 5
MAIL_PAUSE: Final = 5 * SECONDS  # before the second attempt; twice as long before each next one
MAX_MAIL_PAUSE: Final = 5 * MINUTES  # but never longer
MAIL_LIFE: Final = 30 * MINUTES  # from handing over to giving up: whoever waits for a link has asked again by then

# --- a signed-in connection ---------------------------------------------------------------------

HEARTBEAT_REPRESENTATIVE: Final = 4 * SECONDS  # 2.5 x this: a representative is gone after 10 s
HEARTBEAT_SERVICE: Final = 15 * SECONDS  # below the idle time-outs of common proxies (60 s)
HEARTBEAT_CUSTOMER: Final = 25 * SECONDS  # phones pay for each wake-up
DEAD_AFTER_HEARTBEATS: Final = 2.5  # two pings lost in a row, and half a period of grace
INFLIGHT_CUSTOMER: Final = 8  # unanswered requests
INFLIGHT_REPRESENTATIVE: Final = 32
INFLIGHT_SERVICE: Final = 256
MAX_SUBSCRIPTIONS: Final = 64  # cursors a connection; a console needs about 20
OUTBOX_BYTES: Final = 64 * KIB  # unsent bytes past which a cursor stops writing and falls behind
RING_EVENTS: Final = 256  # recent events of a stream kept packed: about 5 s of a busy desk
RING_BYTES: Final = 128 * KIB  # and their bytes
STALLED_AFTER: Final = 10 * SECONDS  # no progress in writing: the socket is closed, the client comes back
HISTORY_PAGE_EVENTS: Final = 256  # what the reader feeds a cursor at a time
MAX_NOTICE_KEYS: Final = 256  # ephemeral notices held for one connection, the latest per key

# --- rates ---------------------------------------------------------------------------------------

RATE_CUSTOMER: Final = (5, 20)  # commands a second, burst: a person clicks, a loop doesn't
RATE_CHAT: Final = (2, 10)  # messages of a customer a second, burst: nobody types faster
RATE_REPRESENTATIVE: Final = (20, 60)
RATE_SERVICE: Final = (2000, 4000)
ACCOUNT_RATE: Final = (10_000, 20_000)  # of all people of an account together: above what one core carries out
ASKED_HISTORY: Final = 512  # questions waiting for the journal past which history isn't asked for
WRONG_PINS_MINUTE: Final = 5  # per visitor and per address: 9 digits would take 380 years
WRONG_PINS_HOUR: Final = 20
WRONG_PINS_BURST: Final = 200  # of one account, from everywhere, before it is on guard: a bad day's slips
WRONG_PASSWORDS: Final = 5  # of one name from one network, before there is a wait: people mistype, programs guess
WRONG_PASSWORDS_ANYWHERE: Final = 50  # of one name from all networks
LOCKOUT_FIRST: Final = 1 * SECONDS  # the first wait; each further wrong one doubles it
LOCKOUT_MOST: Final = 15 * MINUTES  # up to this
LOCKOUT_ANYWHERE: Final = 30 * SECONDS  # between tries of a name that is guessed at from everywhere: 120 an hour
MAX_TRACKED_ADDRESSES: Final = 10_000  # the oldest is forgotten first

# --- the desk ------------------------------------------------------------------------------------

OFFER_TIMEOUT: Final = 20 * SECONDS  # a representative looks up, reads, clicks
TRANSFER_TIMEOUT: Final = 60 * SECONDS  # a session offered to all of a sub-portal: somebody finishes a sentence first
MAX_GUESTS: Final = 7  # beside whoever has a session, invitations included: eight around one customer
MAX_MONITORS: Final = 4  # managers who look on in one session: a trainer, a lead, two who learn it
ROUND_PAUSE: Final = 10 * SECONDS  # between rounds of offers nobody wanted
LEASE: Final = 10 * SECONDS  # silence after which a representative is gone: 2.5 heartbeats of 4 s
HOLD: Final = 60 * SECONDS  # how long a lost representative's sessions wait for the return
ABANDON_GRACE: Final = 120 * SECONDS  # how long a lost customer's request or session waits for the return
PIN_LIFE: Final = 4 * HOURS  # a phone call with breaks; the sister product's keys live as long
CONSENT_TIMEOUT: Final = 60 * SECONDS  # silence is refusal
NEGOTIATION_TIMEOUT: Final = 60 * SECONDS  # from consent to the first picture: ICE takes 30 s at worst, then once more
REBOOT_GRACE: Final = 10 * MINUTES  # a machine that installs something as it restarts
TURN_LIFE: Final = 1 * HOURS  # of a TURN credential: whoever copies one uses the relay no longer than that
MEDIA_LINK_LIFE: Final = 2 * MINUTES  # of a token in a media back-end's address: from the click to the page
MAX_ICE_URLS: Final = 8  # STUN and TURN servers told to a client: browsers warn at five, and try each
MAX_MEDIA_URL: Final = 2048  # bytes of a media back-end's address, its token included: what every browser takes
VISITOR_MEMORY: Final = 24 * HOURS  # how long a visitor token, and so its stream, lives after the last use
FORGET_PERIOD: Final = 1 * HOURS  # visitors are forgotten in batches this far apart: one event for many
KEY_MEMORY: Final = 24 * HOURS  # idempotency keys in the journal
RECENT_SESSIONS: Final = 4096  # ended sessions whose streams their parties may still read to the end
RECENT_OFFERS: Final = 4096  # ended offers remembered, so that a late accept learns why
MAX_WAITING: Final = 200_000  # requests waiting in one sub-portal's line
MAX_CASES: Final = (
    50_000  # of an account: about 2 KiB each, a desk's largest part; past it the one over longest is erased
)
MAX_OPEN_CASES: Final = (
    10_000  # support requests not resolved: more than a team answers in a week, and a bound to floods
)
LISTED_RESOLVED: Final = 500  # resolved cases of a sub-portal in its list: a few days; older ones are found by search
CASE_MAIL_TEXT: Final = 8000  # characters of an e-mail to a customer: two of its own texts
MAX_CASE_MAILS: Final = 1000  # e-mails of an account on their way: a server that is down for an afternoon
MAX_PINS: Final = 64  # live pins of one representative
MAX_DECISIONS: Final = 100  # decisions about one request that are explained at once: the last ones
LISTED_CASES: Final = 100  # requests of a line told at once: more than a page shows
MAX_CANDIDATES: Final = 100  # representatives whose part in a decision is told one by one; the others are counted
LISTED_PINS: Final = 256  # pins of one representative that pin.list remembers, ended ones included
MAX_PORTALS: Final = 1000
MAX_SUBPORTALS: Final = 1000
MAX_TEAMS: Final = 1000
LISTED_SEATS: Final = 100  # who is signed in, as told to somebody for whom there is no login left: more than one reads
MAX_TEAM_DEPTH: Final = 8  # levels of teams: a person, a shift, a site, a country, and as many again
CHANGE_BYTES: Final = 4 * KIB  # of one changed value that is told; of a larger one, only that it changed
MAX_REPRESENTATIVES: Final = 20_000
MAX_MANAGERS: Final = 1000
MAX_SERVICES: Final = 1000
MAX_SIGN_INS: Final = 16  # of one person at once: a few devices and some forgotten ones; the oldest ends
MAX_KEYS: Final = 2  # live API keys of one person: the old one and the one that replaces it
KEY_LIFE: Final = 365 * DAYS  # of an API key, unless it is given another
REFRESH_GRACE: Final = 60 * SECONDS  # a refresh token is good once more so long, for the answer may have been lost
MAX_BLOCKS: Final = 10_000  # visitors and addresses shut out of an account at once: 2 MiB; past it somebody tidies up
BLOCK_LIFE: Final = 24 * HOURS  # of a block, unless it is given another: addresses are given to somebody else
MAX_BLOCK_LIFE: Final = 400 * DAYS  # and no longer: nobody is shut out for ever by something forgotten
LINK_LIFE: Final = 24 * HOURS  # of a link to choose a password: mail may lie until the next morning
LINK_PAUSE: Final = 5 * MINUTES  # between two links that somebody asks for by an e-mail address
AUDIT_PERIOD: Final = 60 * SECONDS  # refusals are counted and written this often: a flood must not cost an fsync each
AUDIT_ROWS: Final = 100  # (person, network, code) told one by one in a period; the others are one number
MAX_FORMER: Final = 200_000  # names of people who left, never given again: ten times as many as may be there
FORM_FIELDS: Final = 20  # of a portal: more than anybody fills in
FORM_BYTES: Final = 16 * KIB  # of a portal's form, its labels in all languages included
FORM_TEXT: Final = 200  # characters of a form's one-line text
FORM_LONG_TEXT: Final = 4000  # and of one of several lines, as a request's text may be
DESCRIBE_BYTES: Final = 16 * KIB  # of one document about a customer's device: a long list of programs and drivers
SESSION_DOCUMENTS: Final = (
    16  # of one session: the device, and diagnostics collected anew after each thing that was tried
)
FIELDS_BYTES: Final = 8 * KIB  # of what one customer filled in: kept while the request is open
LABEL_TEXT: Final = 200  # characters of a label
EMAIL_TEXT: Final = 254  # the longest address that mail takes (RFC 5321)
PORTAL_TEXT: Final = 500  # characters of one text of a portal's page: a paragraph
PORTAL_TEXTS_BYTES: Final = 16 * KIB  # all of a portal's texts, in all languages
MAX_LANGUAGE_BYTES: Final = 35  # of a language tag, as RFC 5646 recommends to allow
MAX_REPLIES: Final = 200  # canned replies of one team: more than anybody remembers; teams above add theirs
REPLY_TEXT: Final = 4000  # characters of one in one language: a page; a chat text takes them in any script
REPLY_BYTES: Final = 16 * KIB  # of one reply's texts in all languages
REPLY_COST: Final = 256  # bytes that one counts for its names and references, beside its texts
REPLIES_BYTES: Final = 4 * MIB  # all replies of an account: kept in memory, and an export holds them in one frame
MAX_OUTCOMES: Final = 16  # of a portal: more than anybody chooses among at the end of each session
CLOSING: Final = 15 * MINUTES  # before a portal's hours end it is closing: a chat takes about as long
CASE_FORMER: Final = (
    32  # who had a case before and still may read what was said then: more than any case is passed on to
)
TRANSCRIPT_PAGE_BYTES: Final = (
    256 * KIB
)  # after which a page of a transcript ends; with its last entry, under twice that
RETENTION_DAYS: Final = (
    90  # after its end, days that a case with its transcript is kept, unless its portal says otherwise
)
MAX_RETENTION_DAYS: Final = 3650  # and at most: ten years, the longest that bookkeeping asks for
MAX_ORIGINS: Final = 32  # of a portal: an organisation's sites
MAX_ORIGIN_BYTES: Final = 261  # https://, the longest name of a host
MAX_WEEKLY_SPANS: Final = 64  # of a portal's hours: nine a day, where people need two or three
MAX_HOLIDAYS: Final = 400  # dates and their spans: ten years of feasts, or every day of one year by itself
HOURS_AHEAD: Final = 400 * DAYS  # how far the next opening or closing is looked for: a year, and a feast that moves
MAX_ZONE_BYTES: Final = 64  # a time zone's name; the longest takes 32
MAX_ZONES: Final = 1024  # time zones kept in memory: more than there are names, about 4 KiB each

CASE_MAIL_SWEEP: Final = 10 * SECONDS  # between two looks at e-mails of cases that nobody is sending
CASE_SWEEP: Final = 60 * SECONDS  # between two looks at cases whose time is over: they wait for days
ERASED_AT_ONCE: Final = 64  # cases erased by the broker in one commit: each scrubs the journal's WAL once
MAX_ERASING: Final = 1024  # cases whose contents were gathered and that aren't erased yet
GATHERED_AGAIN: Final = 5  # times that what goes with a case is gathered anew because something was just said in it

# --- files of a session ---------------------------------------------------------------------------

FILE_CHUNK: Final = 48 * KIB  # bytes of a file in one frame, which may have 64 KiB with all around them
FILE_BYTES: Final = 20 * MIB  # of one file, unless its portal says otherwise: photographs, scans, logs
MAX_FILE_BYTES: Final = 256 * MIB  # and no portal may allow more: a worker hashes that in about half a second
SESSION_BYTES: Final = 100 * MIB  # of all files of one session, unless its portal says otherwise
MAX_SESSION_BYTES: Final = 1024 * MIB  # and no portal may allow more
SESSION_FILES: Final = 32  # of one session: more than people send; past it somebody sends a folder
SESSION_UPLOADS: Final = 4  # of one person in one session at once: browsers drop a handful, and send one by one
ACCOUNT_FILES: Final = 100_000  # kept by one account at once; each takes 300 bytes of memory
FILES_ACCOUNT_BYTES: Final = 50 * 1024 * MIB  # kept by one account at once: past it somebody deletes cases
FILE_TYPES: Final = ("image/*", "application/pdf", "text/plain")  # unless a portal says otherwise: nothing that runs
MAX_FILE_TYPES: Final = 64  # that a portal may list
MAX_TYPE_BYTES: Final = 127  # of a media type: RFC 6838, section 4.2, allows that for its longer half
FILE_NAME: Final = 255  # bytes of a file's name, as file systems have it
UPLOAD_LIFE: Final = 1 * HOURS  # from file.begin to file.finish: 256 MiB take that long at 0.6 Mbit/s
FILE_WORKERS: Final = 2  # threads that read and write files: one may hash a large one meanwhile
FILE_JOBS: Final = 512  # calls of the store that wait for them: some milliseconds each on a slow disk
FILE_JOBS_BYTES: Final = 8 * MIB  # and the bytes that these carry, both ways: 170 chunks
FILE_RATE: Final = (4 * MIB, 4 * MIB)  # bytes of files a second, burst, of one person, both ways
FILE_COST: Final = 4 * KIB  # that a chunk counts at least: small ones cost the hub nearly as much as large ones

# --- the runtime ---------------------------------------------------------------------------------

TICK_SOCKETS: Final = 64  # sockets read in one tick: about 1 ms, so that nobody waits long for the hub
READ_BYTES: Final = 64 * KIB  # read once from a ready socket
TICK_BYTES: Final = 512 * KIB  # read in one tick, all sockets together; the others are served in the next
MESSAGE_COST: Final = 256  # bytes of that a message counts beside its own: handling it costs more than reading it
LINK_MESSAGES: Final = 256  # messages of one link handed on in one tick: a client may send 9,000 tiny ones in a read
TICK_STRANGERS: Final = 16  # sockets of those not signed in, read in one tick after all others: under 1 ms
TICK_ACCEPTS: Final = 16  # connections accepted in one tick: under 1 ms
TICK_TLS_HANDSHAKES: Final = 4  # steps of TLS handshakes in one tick: an RSA signature takes about 1 ms
ACCEPT_PAUSE: Final = 250 * MILLISECONDS  # no accepting after the process ran out of descriptors or memory
CLOSE_TIMEOUT: Final = 5 * SECONDS  # from our close frame to the peer's answer, what was pending included
LINGER: Final = 2 * SECONDS  # after our end of the stream, for the peer's: closing at once could cut off our last bytes
LATE_BYTES: Final = (
    16 * MIB
)  # read after our close and thrown away: above what both kernels hold; more is sent on purpose
LISTEN_BACKLOG: Final = 4096  # connections the kernel holds for us: a reconnect storm; cut to net.core.somaxconn
HTTP_IDLE: Final = 30 * SECONDS  # a kept-alive HTTP connection without a request
HTTP_REQUEST_TIMEOUT: Final = 10 * SECONDS  # from a request's first byte to its last
HTTP_SEND_TIMEOUT: Final = 30 * SECONDS  # one response, to the slowest reader worth waiting for
HTTP_BODY_BYTES: Final = 64 * KIB  # a request's body
HTTP_BUFFER_BYTES: Final = 128 * KIB  # read and not yet taken by the HTTP task; beyond it the socket isn't read
TICK_DEADLINES: Final = 64  # due deadlines handled in one tick; the rest in the next
BATCH_RECORDS: Final = 2048  # records in one commit; more gives no more throughput
COMMIT_RATE: Final = (250, 25)  # small commits a second, burst: past that they wait up to 4 ms, and carry more each
SMALL_COMMIT: Final = 64  # records from which a commit doesn't wait: more would hardly make each of them cheaper
OPEN_BATCH_RECORDS: Final = 65_536  # records decided ahead of the journal; beyond it writes get OVERLOADED
POSITION_PERIOD: Final = 2 * SECONDS  # places in the line are told at most this often
POSITIONS_EXACT: Final = 100  # exact so far, in tens beyond
POSITIONS_PER_PERIOD: Final = 2048  # notices made in one period, all lines together
PORTAL_STATE_PAUSE: Final = 250 * MILLISECONDS  # what a portal's customers are told of it is gathered so long
PORTAL_STATES_A_TICK: Final = 256  # people looked at in one tick to tell them: 50,000 take 200 ticks, a few ms each
SHUTDOWN_GRACE: Final = 5 * SECONDS  # to flush what is committed and say goodbye
COME_BACK: Final = 2 * SECONDS  # told in GOODBYE at shutdown; clients add jitter
SNAPSHOT_RECORDS: Final = 20_000  # records since the last snapshot after which the follower makes one
