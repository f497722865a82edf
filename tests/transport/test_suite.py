"""What every transport does, whatever its wires are made of: the seam's conformance suite."""

from collections.abc import Callable

import pytest

from broker import limits
from broker.transport.base import Closed, Data, Kind, Messages, Opened
from broker.transport.websocket import BINARY, CLOSE, CONTINUATION, PING, TEXT, client_frame
from tests.transport.worlds import PATIENCE, Peer, World

HEAD = b"GET / HTTP/1.1\r\nHost: broker.test\r\n\r\n"


def told(world: World, peer: Peer, code: int) -> None:
    """The peer is sent a close frame with that code, and the hub is told the same, once."""
    world.until(lambda: peer.closed and world.of(Closed))
    assert peer.closed is not None
    assert peer.closed[0] == code
    world.settle()
    assert [c.code for c in world.of(Closed)] == [code]


# --- messages -------------------------------------------------------------------------------------------


def test_messages_come_whole_and_in_order_and_answers_go_back(world: World) -> None:
    world.echo = True
    peer, link = world.open()
    sent = [b"", b"a", bytes(125), bytes(126), bytes(range(256)) * 40, bytes(65535), bytes(65536), b"last"]
    peer.send(*sent)
    world.until(lambda: len(peer.messages) == len(sent))
    assert sent == peer.messages
    assert sent == world.messages(link)


def test_a_message_may_come_a_byte_at_a_time(world: World) -> None:
    peer, link = world.open()
    for byte in peer.client.message(b"slowly") + peer.client.message(bytes(130)):
        peer.end.give(bytes((byte,)))
        world.turn()
    world.until(lambda: len(world.messages(link)) == 2)
    assert world.messages(link) == [b"slowly", bytes(130)]


def test_the_upgrade_itself_may_come_a_byte_at_a_time(world: World) -> None:
    peer = world.connect()
    stranger = world.call()
    for byte in peer.client.request():
        stranger.end.give(bytes((byte,)))
        world.turn()
    world.until(lambda: len(world.of(Opened)) == 2)


def test_frames_right_behind_the_upgrade_request_are_read(world: World) -> None:
    peer = world.connect()
    peer.send(b"eager")
    world.until(lambda: world.of(Messages))
    assert world.messages(world.of(Opened)[0].link) == [b"eager"]


def test_fragments_make_one_message_and_control_frames_may_come_between(world: World) -> None:
    peer, link = world.open()
    peer.end.give(client_frame(BINARY, b"one ", fin=False) + client_frame(PING, b"still there?"))
    world.until(lambda: peer.client.pongs)
    peer.end.give(client_frame(CONTINUATION, b"two ", fin=False) + client_frame(CONTINUATION, b"three"))
    world.until(lambda: world.messages(link))
    assert world.messages(link) == [b"one two three"]
    assert peer.client.pongs == [b"still there?"]


def test_each_ping_gets_its_pong(world: World) -> None:
    peer, _ = world.open()
    payloads = [b"", b"x" * 125, *(bytes((n,)) for n in range(10))]
    peer.end.give(b"".join(client_frame(PING, p) for p in payloads))
    world.until(lambda: len(peer.client.pongs) == len(payloads))
    assert payloads == peer.client.pongs


def test_one_link_has_a_bounded_share_of_a_tick(world: World) -> None:
    peer, link = world.open()
    count = 3 * limits.LINK_MESSAGES
    peer.send(*(b"%d" % n for n in range(count)))
    world.until(lambda: len(world.messages(link)) == count)
    assert world.messages(link) == [b"%d" % n for n in range(count)]
    assert max(len(m.messages) for m in world.of(Messages)) <= limits.LINK_MESSAGES


# --- what is refused ------------------------------------------------------------------------------------

MALFORMED = {
    "a reserved bit": (b"\xc2\x80\0\0\0\0", 1002),
    "an unmasked frame": (b"\x82\x01a", 1002),
    "an unknown data opcode": (b"\x83\x80\0\0\0\0", 1002),
    "an unknown control opcode": (b"\x8b\x80\0\0\0\0", 1002),
    "a control frame in fragments": (client_frame(PING, b"", fin=False), 1002),
    "a long control frame": (b"\x89\xfe\x00\x7e", 1002),
    "a continuation of nothing": (client_frame(CONTINUATION, b"x"), 1002),
    "a message inside another": (client_frame(BINARY, b"x", fin=False) + client_frame(BINARY, b"y"), 1002),
    "a length of 126 in two bytes too many": (b"\x82\xfe\x00\x7d\0\0\0\0", 1002),
    "a length in eight bytes too many": (b"\x82\xff" + (65535).to_bytes(8, "big") + bytes(4), 1002),
    "a length beyond 63 bits": (b"\x82\xff" + b"\xff" * 8, 1002),
    "a close code of one byte": (client_frame(CLOSE, b"\x03"), 1002),
    "a close code that may not be sent": (client_frame(CLOSE, (1005).to_bytes(2, "big")), 1002),
    "a close reason that is not UTF-8": (client_frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "a text message": (client_frame(TEXT, b"hello"), 1003),
    "a text message in fragments": (client_frame(TEXT, b"hel", fin=False), 1003),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_frames_end_in_the_code_for_it(world: World, case: str) -> None:
    frames, code = MALFORMED[case]
    peer, link = world.open()
    peer.end.give(peer.client.message(b"before") + frames + peer.client.message(b"after"))
    told(world, peer, code)
    assert world.messages(link) == [b"before"]
    assert world.transport.statistics().links == 0


def test_a_message_over_the_limit_is_refused_before_it_has_come(make_world: Callable[..., World]) -> None:
    world = make_world(max_message_bytes=1000)
    peer, link = world.open()
    peer.end.give(peer.client.message(bytes(1000)) + peer.client.message(bytes(1001))[:8])
    told(world, peer, 1009)
    assert world.messages(link) == [bytes(1000)]


def test_fragments_count_together_towards_the_limit(make_world: Callable[..., World]) -> None:
    world = make_world(max_message_bytes=1000)
    peer, link = world.open()
    peer.end.give(client_frame(BINARY, bytes(600), fin=False) + client_frame(CONTINUATION, bytes(401)))
    told(world, peer, 1009)
    assert not world.messages(link)


def test_the_limit_can_be_raised_for_one_link(make_world: Callable[..., World]) -> None:
    world = make_world(max_message_bytes=1000)
    service, service_link = world.open()
    customer, customer_link = world.open()
    world.transport.set_limit(service_link, 200_000)
    service.send(bytes(200_000))
    customer.send(bytes(1001))
    world.until(lambda: world.messages(service_link) and customer.closed)
    assert customer.closed is not None
    assert customer.closed[0] == 1009
    assert [code for code, _ in world.ends(customer_link)] == [1009]
    assert not world.ends(service_link)


# --- closing --------------------------------------------------------------------------------------------


def test_the_peer_closes(world: World) -> None:
    peer, link = world.open()
    peer.send(b"my last")
    peer.close(4001, "done here")
    world.until(lambda: peer.end.ended)
    assert peer.closed == (4001, "")
    assert world.messages(link) == [b"my last"]
    assert world.ends(link) == [(4001, "done here")]


def test_a_close_without_a_code_is_answered_by_one_without(world: World) -> None:
    peer, link = world.open()
    peer.client.close()
    peer.end.give(client_frame(CLOSE, b""))
    world.until(lambda: peer.end.ended)
    assert peer.closed == (1005, "")
    assert world.ends(link) == [(1005, "")]


def test_we_close_and_the_peer_agrees(world: World) -> None:
    peer, link = world.open()
    world.transport.send(link, [world.transport.prepare(b"our last")])
    world.transport.close(link, 4500, "the token is wrong")
    assert not world.of(Closed), "Closed comes from a poll"
    world.until(lambda: world.of(Closed) and peer.end.ended)
    assert peer.messages == [b"our last"]
    assert peer.closed == (4500, "the token is wrong")
    assert world.ends(link) == [(4500, "the token is wrong")]
    assert world.transport.statistics().links == 0


def test_what_comes_after_our_close_is_not_reported(world: World) -> None:
    peer, link = world.open()
    peer.deaf = True
    world.transport.close(link)
    peer.send(b"too late")
    world.settle()
    peer.deaf = False
    world.until(lambda: world.of(Closed))
    assert world.messages(link) == []
    assert world.ends(link) == [(1000, "")]


def test_closing_twice_and_sending_after_it_do_nothing(world: World) -> None:
    peer, link = world.open()
    world.transport.close(link, 4000)
    world.transport.close(link, 4500)
    assert world.transport.send(link, [world.transport.prepare(b"x")]) == 0
    world.until(lambda: world.of(Closed))
    world.transport.close(link)
    world.transport.abort(link)
    world.transport.pause(link)
    world.transport.resume(link)
    world.transport.set_limit(link, 1)
    assert world.transport.send(link, [world.transport.prepare(b"x")]) == 0
    world.settle()
    assert peer.closed == (4000, "")
    assert peer.messages == []
    assert world.ends(link) == [(4000, "")]


def test_a_peer_that_does_not_answer_our_close_is_cut_in_the_end(world: World) -> None:
    peer, link = world.open()
    peer.deaf = True
    world.transport.close(link, 4008, "too slow")
    world.settle()
    assert not world.of(Closed)
    world.clock.now += limits.CLOSE_TIMEOUT / 1000
    world.until(lambda: world.of(Closed))
    assert [code for code, _ in world.ends(link)] == [1006]


@pytest.mark.parametrize("agreed", [False, True])
def test_a_peer_that_sends_on_after_the_close_is_cut_before_it_costs_much(
    world: World, monkeypatch: pytest.MonkeyPatch, *, agreed: bool
) -> None:
    monkeypatch.setattr(limits, "LATE_BYTES", 100_000)
    peer, link = world.open()
    peer.deaf = True
    if agreed:
        peer.close()
    else:
        world.transport.close(link, 4013, "too fast")
    world.settle()
    before = world.transport.statistics().bytes_in
    for _ in range(20):
        peer.send(bytes(20_000))
        world.settle()
    assert world.transport.statistics().bytes_in - before < 200_000
    assert world.messages(link) == []
    assert [code for code, _ in world.ends(link)] == [1000 if agreed else 1006]


def test_a_peer_that_keeps_its_socket_after_the_close_is_cut_too(make_world: Callable[..., World]) -> None:
    world = make_world(max_connections=1)
    peer, _ = world.open()
    peer.close()
    peer.deaf = True
    world.until(lambda: world.of(Closed))
    world.clock.now += limits.LINGER / 1000
    world.turn()
    world.open()


def test_abort_reports_the_end_once_and_sends_nothing(world: World) -> None:
    peer, link = world.open()
    world.transport.abort(link)
    assert not world.of(Closed)
    world.until(lambda: peer.end.ended and world.of(Closed))
    assert [code for code, _ in world.ends(link)] == [1006]
    assert peer.closed is None


def test_a_reset_is_an_end_without_a_close(world: World) -> None:
    peer, link = world.open()
    peer.send(b"x")
    world.until(lambda: world.messages(link))
    peer.end.abort()
    peer.deaf = True
    world.until(lambda: world.of(Closed))
    assert [code for code, _ in world.ends(link)] == [1006]


def test_a_reset_of_a_paused_link_is_noticed(world: World) -> None:
    peer, link = world.open()
    world.transport.pause(link)
    peer.end.abort()
    peer.deaf = True
    world.until(lambda: world.of(Closed))
    assert [code for code, _ in world.ends(link)] == [1006]


def test_a_half_closed_websocket_is_closed_after_its_messages(world: World) -> None:
    peer, link = world.open()
    peer.send(b"one", b"two")
    peer.end.half_close()
    world.until(lambda: world.of(Closed))
    assert world.messages(link) == [b"one", b"two"]
    assert [code for code, _ in world.ends(link)] == [1006]


# --- slow readers ---------------------------------------------------------------------------------------


def clog(world: World, peer: Peer, link: object) -> int:
    """Send until the socket takes no more; how many messages it was."""
    peer.deaf = True
    chunk = world.transport.prepare(bytes(60_000))
    for count in range(1, 1000):
        if world.transport.send(link, [chunk]):  # type: ignore[arg-type]
            return count
    raise AssertionError("the socket has no end")


def test_what_a_slow_reader_does_not_take_stays_pending_and_drained_tells_when_it_went(world: World) -> None:
    peer, link = world.open()
    count = clog(world, peer, link)
    before = link.pending
    assert before > 0
    after = world.transport.send(link, [world.transport.prepare(b"a little more")])
    assert after == link.pending > before
    world.settle()
    assert link.pending > 0
    assert world.drained(link) == 0
    peer.deaf = False
    world.until(lambda: world.drained(link))
    assert link.pending == 0
    world.until(lambda: len(peer.messages) == count + 1)
    world.settle()
    assert world.drained(link) == 1
    assert peer.messages[-1] == b"a little more"


def test_closing_a_slow_reader_writes_what_is_pending_first(world: World) -> None:
    peer, link = world.open()
    count = clog(world, peer, link)
    world.transport.close(link, 4000, "restarting")
    peer.deaf = False
    world.until(lambda: world.of(Closed))
    assert len(peer.messages) == count
    assert peer.closed == (4000, "restarting")
    assert world.ends(link) == [(4000, "restarting")]


def test_a_slow_reader_can_be_aborted(world: World) -> None:
    peer, link = world.open()
    clog(world, peer, link)
    world.transport.abort(link)
    assert link.pending == 0
    world.until(lambda: world.of(Closed))
    assert world.transport.statistics().links == 0


def test_a_peer_that_pings_and_never_reads_costs_bounded_memory(world: World) -> None:
    peer, link = world.open()
    clog(world, peer, link)
    ping = client_frame(PING, bytes(125))
    for _ in range(40):
        peer.end.give(ping * 100)
        world.turn()
        peer.end.give(b"")
    world.settle()
    assert link.pending < 60_200 + limits.OUTBOX_BYTES + 2 * limits.READ_BYTES


def test_a_paused_link_is_not_read_until_resumed(world: World) -> None:
    peer, link = world.open()
    world.transport.pause(link)
    peer.send(b"one", b"two")
    world.settle()
    assert not world.of(Messages)
    world.transport.resume(link)
    world.until(lambda: world.messages(link))
    assert world.messages(link) == [b"one", b"two"]


def test_pausing_also_holds_what_was_read_but_not_handed_on(world: World) -> None:
    peer, link = world.open()
    count = 2 * limits.LINK_MESSAGES + 10
    peer.send(*(b"%d" % n for n in range(count)))
    world.until(lambda: world.of(Messages))
    world.transport.pause(link)
    seen = len(world.messages(link))
    world.settle()
    assert len(world.messages(link)) == seen < count
    world.transport.resume(link)
    world.until(lambda: len(world.messages(link)) == count)
    assert world.messages(link) == [b"%d" % n for n in range(count)]


def test_closing_a_paused_link_still_hears_the_peers_close(world: World) -> None:
    peer, link = world.open()
    world.transport.pause(link)
    peer.send(b"unread")
    world.transport.close(link, 4029, "busy")
    world.until(lambda: world.of(Closed))
    assert world.ends(link) == [(4029, "busy")]
    assert peer.closed == (4029, "busy")


# --- coming ---------------------------------------------------------------------------------------------


def test_the_origin_and_the_address_are_known_at_opening(world: World) -> None:
    world.connect(origin="https://shop.example")
    world.until(lambda: world.of(Opened))
    link = world.of(Opened)[0].link
    assert link.kind is Kind.WEBSOCKET
    assert link.origin == "https://shop.example"
    assert link.address == "127.0.0.1"
    assert f"link {link.number} 127.0.0.1 open" in repr(link)


def test_numbers_count_up(world: World) -> None:
    numbers = [world.open()[1].number for _ in range(3)]
    assert numbers == sorted(set(numbers))


def test_a_wrong_subprotocol_is_refused_with_a_plain_text(world: World) -> None:
    world.subprotocol = "mqtt"
    peer = world.connect()
    world.until(lambda: peer.client.refused and peer.end.ended)
    assert peer.client.refused is not None
    assert peer.client.refused.status == 400
    assert "huntgroup.v1.msgpack" in peer.client.refused.body
    assert not world.happenings
    assert world.transport.statistics().refused == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x00\xff hello", b"400"),
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * limits.HTTP_HEAD_BYTES + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * limits.HTTP_HEAD_BYTES, b"431"),
        (b"GET /v1/ws HTTP/1.1\r\nHost: broker.test\r\n\r\n", b"426"),
    ],
    ids=["not HTTP", "no request line", "a head too large", "a head without an end", "no upgrade"],
)
def test_what_is_no_good_head_gets_a_response_and_the_end(world: World, sent: bytes, status: bytes) -> None:
    caller = world.call(sent)
    world.until(lambda: caller.end.ended)
    assert caller.got.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nConnection: close\r\n" in caller.got
    assert not world.happenings
    assert world.transport.statistics().refused == 1


def test_a_socket_that_says_nothing_is_dropped_in_time(world: World) -> None:
    caller = world.call()
    world.until(lambda: world.transport.statistics().handshaking == 1)
    world.clock.now += limits.HELLO_TIMEOUT / 1000 + 1
    world.until(lambda: caller.end.ended)
    assert world.transport.statistics().handshaking == 0
    assert world.transport.statistics().refused == 1
    assert not world.happenings


def test_a_head_that_trickles_in_is_dropped_in_time(world: World) -> None:
    caller = world.call(b"GET / HTTP/1.1\r\n")
    world.settle()
    world.clock.now += limits.HELLO_TIMEOUT / 1000 - 1
    caller.end.give(b"Host: x\r\n")
    world.settle()
    assert world.transport.statistics().handshaking == 1
    world.clock.now += 1.1
    world.until(lambda: caller.end.ended)


def test_a_socket_that_goes_before_it_spoke_leaves_nothing(world: World) -> None:
    world.dial().half_close()
    world.dial().abort()
    world.settle()
    world.until(lambda: world.transport.statistics().handshaking == 0)
    assert not world.happenings


def test_dispose_drops_every_link(world: World) -> None:
    peer, _ = world.open()
    world.transport.dispose()
    world.transport.dispose()
    world.peers.clear()
    for _ in range(PATIENCE):
        peer.turn()
        if peer.end.ended:
            break
        world.give_way()
    assert peer.end.ended


# --- HTTP -----------------------------------------------------------------------------------------------


def test_any_other_request_is_a_link_of_raw_bytes(world: World) -> None:
    caller = world.call(HEAD)
    world.until(lambda: world.of(Opened))
    link = world.of(Opened)[0].link
    assert link.kind is Kind.HTTP
    world.until(lambda: world.data(link) == HEAD)
    caller.end.give(b"more, whatever it is")
    world.until(lambda: world.data(link) == HEAD + b"more, whatever it is")
    assert world.transport.send(link, [world.transport.prepare(b"no message")]) == 0
    assert world.transport.send_raw(link, b"an answer") == 0
    world.transport.close(link)
    world.until(lambda: caller.end.ended and world.of(Closed))
    assert caller.got == b"an answer"
    assert world.ends(link) == [(1000, "")]


def test_a_half_closed_http_client_still_gets_its_answer(world: World) -> None:
    caller = world.call(HEAD)
    world.until(lambda: world.of(Opened))
    caller.end.half_close()
    link = world.of(Opened)[0].link
    world.until(lambda: any(not d.data for d in world.of(Data)))
    world.settle()
    assert not world.of(Closed)
    answer = bytes(5_000_000)
    world.transport.send_raw(link, answer)
    assert link.pending > 0
    world.transport.close(link)
    world.until(lambda: caller.end.ended and world.of(Closed))
    assert caller.got == answer
    assert world.ends(link) == [(1000, "")]


def test_raw_bytes_are_refused_on_a_websocket(world: World) -> None:
    peer, link = world.open()
    assert world.transport.send_raw(link, b"junk") == 0
    world.transport.send(link, [world.transport.prepare(b"fine")])
    world.until(lambda: peer.messages == [b"fine"])


# --- counts ---------------------------------------------------------------------------------------------


def test_statistics_count_links_messages_and_bytes(world: World) -> None:
    world.echo = True
    first, _ = world.open()
    world.open()
    first.send(b"a" * 100, b"b" * 100)
    world.until(lambda: len(first.messages) == 2)
    counts = world.transport.statistics()
    assert (counts.links, counts.handshaking, counts.refused) == (2, 0, 0)
    assert (counts.messages_in, counts.messages_out) == (2, 2)
    assert counts.bytes_in > 200
    assert counts.bytes_out > 200
    first.close()
    world.until(lambda: world.of(Closed))
    assert world.transport.statistics().links == 1


def test_one_prepared_message_goes_to_any_number_of_links(world: World) -> None:
    opened = [world.open() for _ in range(5)]
    for size in (0, 125, 126, 65535, 65536):
        message = world.transport.prepare(bytes(size))
        for _, link in opened:
            world.transport.send(link, [message])
        for peer, _ in opened:
            world.until(lambda peer=peer, size=size: peer.messages and peer.messages[-1] == bytes(size))  # type: ignore[misc]


def test_no_messages_are_no_bytes(world: World) -> None:
    peer, link = world.open()
    assert world.transport.send(link, []) == 0
    world.transport.send(link, [world.transport.prepare(b"x")])
    world.until(lambda: peer.messages == [b"x"])
