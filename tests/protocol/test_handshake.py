from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.codes import Close, Code
from broker.protocol import handshake
from broker.protocol.check import ROLES
from broker.protocol.codec import BROKER, CLIENT, HELLO, SERVICE, decode, pack
from broker.protocol.frames import Fail, Frame, Goodbye, Hello, Ping, Pong, Request, Signal, Unknown, Welcome
from broker.protocol.handshake import STATES, TERMS, Handshake, Input, Received, State, WrongState
from tests.protocol.samples import sample_frame, tables
from tests.protocol.vectors import raw, read

HELLO_FRAME = Hello([1], [], {"token": "v1.e30.c2ln"}, {})
IDENTITY = {"account": "acme", "person": "ann", "role": "representative"}
SERVER = {"name": "huntgroup", "build": "test", "t_ms": 0}
REQUEST = Request(1, "portal.open", {})
NOW = 1_700_000_000_000


def feed(machine: Handshake, *frames: Frame) -> Received:
    """One message of these frames."""
    return machine.receive(b"".join(map(pack, frames)), NOW)


def reach(state: State, *, offered: tuple[str, ...] = (), asked: tuple[str, ...] = ()) -> Handshake:
    """A machine in this state."""
    machine = Handshake(frozenset(offered))
    if state is State.AWAIT_HELLO:
        return machine
    feed(machine, Hello([1], asked, {"token": "v1.e30.c2ln"}, {}))
    if state is State.SIGNING_IN:
        return machine
    machine.welcome(IDENTITY, SERVER)
    if state is not State.OPEN:
        machine.close(Close.SHUTDOWN, "test")
    if state is State.CLOSED:
        machine.lost()
    assert machine.state is state
    return machine


def make_happen(machine: Handshake, happened: Input) -> Received | None:
    """One input; what it made of a frame."""
    match happened:
        case Input.HELLO:
            return feed(machine, HELLO_FRAME)
        case Input.FRAME:
            return feed(machine, REQUEST)
        case Input.PEER_GOODBYE:
            return feed(machine, Goodbye(1000, "done", 0))
        case Input.SIGNED_IN:
            machine.welcome(IDENTITY, SERVER)
        case Input.GOODBYE:
            machine.close(Close.SHUTDOWN, "test")
        case Input.LOST:
            machine.lost()
    return None


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("happened", list(Input))
def test_every_input_in_every_state_has_its_outcome(state: State, happened: Input) -> None:
    machine = reach(state)
    after = STATES[state].get(happened)
    if after is not None:
        make_happen(machine, happened)
        assert machine.state is after
    elif happened is Input.SIGNED_IN:
        with pytest.raises(WrongState, match=f"signed_in in state {state}"):
            make_happen(machine, happened)
        assert machine.state is state
    elif state in (State.CLOSING, State.CLOSED):
        assert make_happen(machine, happened) in (None, Received())
        assert machine.state is state
    else:
        got = make_happen(machine, happened)
        assert got is not None
        assert got.farewell is not None
        assert got.farewell.code == Close.PROTOCOL
        assert machine.state is State.CLOSING


def test_the_table_leads_only_to_states_it_has() -> None:
    assert set(STATES) == set(State)
    reached = {after for row in STATES.values() for after in row.values()}
    assert reached | {State.AWAIT_HELLO} == set(State)


# --- HELLO and WELCOME ---------------------------------------------------------------------------


def test_a_hello_waits_for_its_credential_to_be_verified() -> None:
    machine = Handshake()
    got = feed(machine, HELLO_FRAME)
    assert got.hello is not None
    assert got.hello.hello == HELLO_FRAME
    assert (got.hello.version, got.hello.capabilities) == (1, ())
    assert (got.frames, got.replies, got.farewell, got.left) == ([], (), None, None)


@pytest.mark.parametrize("role", sorted(TERMS))
def test_a_welcome_says_what_was_agreed_and_what_binds(role: str) -> None:
    machine = reach(State.SIGNING_IN)
    identity = {**IDENTITY, "role": role}
    welcome = machine.welcome(identity, SERVER)
    assert welcome == Welcome(1, (), identity, TERMS[role].limits(), TERMS[role].heartbeat_ms, SERVER)
    assert machine.limits is (SERVICE if role == "service" else CLIENT)
    (read_back,) = decode(pack(welcome), BROKER)
    assert isinstance(read_back, Welcome)
    assert read_back.limits == TERMS[role].limits()


def test_there_are_terms_for_every_role() -> None:
    assert set(TERMS) == frozenset().union(*ROLES.values())


def test_the_owner_may_have_its_own_terms() -> None:
    terms = handshake.Terms(
        size=SERVICE, inflight=9, commands_per_second=7, commands_burst=8, heartbeat_ms=100, subscriptions=3
    )
    machine = reach(State.SIGNING_IN)
    welcome = machine.welcome(IDENTITY, SERVER, terms)
    assert welcome.heartbeat_ms == 100
    assert welcome.limits == {
        "frame_bytes": 1 << 20,
        "message_bytes": 1 << 20,
        "message_frames": 64,
        "inflight": 9,
        "commands_per_second": 7,
        "commands_burst": 8,
        "subscriptions": 3,
        "signal_bytes": 16384,
        "file_bytes_per_second": 4 * 1024 * 1024,
    }
    assert machine.limits is SERVICE


def test_welcomes_limits_are_those_of_the_schema() -> None:
    assert list(TERMS["customer"].limits()) == list(tables()["maps"]["limits"])


@pytest.mark.parametrize("versions", [[1], [1, 2, 200], [255, 1], [1, 1]])
def test_the_highest_common_version_is_taken(versions: list[int]) -> None:
    got = feed(Handshake(), Hello(versions, [], {"portal": "acme/help"}, {}))
    assert got.hello is not None
    assert got.hello.version == 1


def test_a_newer_version_is_preferred_once_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "VERSIONS", (1, 2))
    got = feed(Handshake(), Hello([1, 2, 3], [], {"portal": "acme/help"}, {}))
    assert got.hello is not None
    assert got.hello.version == 2


def test_no_common_version_ends_it() -> None:
    machine = Handshake()
    got = feed(machine, Hello([2, 3], [], {"portal": "acme/help"}, {}))
    assert got.farewell == Goodbye(4502, "this broker speaks version 1", 0)
    assert machine.state is State.CLOSING


def test_the_capabilities_are_those_of_both() -> None:
    machine = Handshake(frozenset(("a", "b", "x-c")))
    got = feed(machine, Hello([1], ["x-c", "d", "a", "a"], {"portal": "acme/help"}, {}))
    assert got.hello is not None
    assert got.hello.capabilities == ("a", "x-c")
    assert machine.welcome(IDENTITY, SERVER).capabilities == ("a", "x-c")


@pytest.mark.parametrize(
    "auth",
    [
        {"token": "t"},
        {"portal": "acme/help"},
        {"pin": "123 456 789"},
        {"portal": "acme/help", "visitor": "t"},
        {"portal": "acme/help", "entry": "t"},
        {"pin": "123456789", "visitor": "t"},
        {"token": "t", "later": 1},
        {"token": "t", "portal": None},
    ],
)
def test_one_way_to_sign_in_is_enough(auth: dict[str, object]) -> None:
    assert feed(Handshake(), Hello([1], [], auth, {})).hello is not None


@pytest.mark.parametrize(
    ("auth", "says"),
    [
        ({}, "exactly one"),
        ({"visitor": "t"}, "exactly one"),
        ({"token": "t", "portal": "acme/help"}, "exactly one"),
        ({"portal": "acme/help", "pin": "123456789"}, "exactly one"),
        ({"token": "t", "visitor": "t"}, "visitor"),
        ({"pin": "123456789", "entry": "t"}, "entry"),
    ],
)
def test_none_or_two_ways_to_sign_in_end_it(auth: dict[str, object], says: str) -> None:
    got = feed(Handshake(), Hello([1], [], auth, {}))
    assert got.farewell is not None
    assert got.farewell.code == Close.PROTOCOL
    assert says in got.farewell.text
    assert got.hello is None


@pytest.mark.parametrize("name", sorted(set(tables()["frames"]) - {"hello", "goodbye"}))
def test_the_first_frame_is_hello(name: str) -> None:
    got = feed(Handshake(), sample_frame(name))
    assert got == Received(farewell=Goodbye(4501, "the first frame must be HELLO", 0))


def test_hello_is_alone_in_its_message() -> None:
    machine = Handshake()
    assert machine.limits is HELLO
    got = feed(machine, HELLO_FRAME, REQUEST)
    assert got == Received(farewell=Goodbye(4501, "message: more than 1 frame", 0))


def test_nothing_is_read_before_welcome() -> None:
    machine = reach(State.SIGNING_IN)
    assert feed(machine, Ping(1, 0)) == Received(farewell=Goodbye(4501, "a frame before WELCOME", 0))


# --- an open connection --------------------------------------------------------------------------


def test_requests_signals_and_pongs_are_the_owners() -> None:
    frames: list[Frame] = [REQUEST, Signal("h_1", "ice", b"x"), Pong(1, 2)]
    assert feed(reach(State.OPEN), *frames) == Received(frames)


def test_a_ping_is_answered_with_its_nonce_and_the_time() -> None:
    frames: list[Frame] = [REQUEST, Ping(7, 1), Ping(8, 1), Pong(1, 2)]
    assert feed(reach(State.OPEN), *frames) == Received([REQUEST, Pong(1, 2)], (Pong(7, NOW), Pong(8, NOW)))


@pytest.mark.parametrize(
    "name", sorted(name for name, frame in tables()["frames"].items() if frame["from"] == "broker")
)
def test_what_only_the_broker_sends_ends_it(name: str) -> None:
    machine = reach(State.OPEN)
    got = feed(machine, REQUEST, sample_frame(name), REQUEST)
    assert got == Received([REQUEST], farewell=Goodbye(4501, f"{name.upper()}: only the broker sends it", 0))
    assert machine.state is State.CLOSING


@pytest.mark.parametrize("name", sorted(name for name, frame in tables()["frames"].items() if frame["from"] == "both"))
def test_what_both_send_is_taken(name: str) -> None:
    assert feed(reach(State.OPEN), sample_frame(name)).farewell is None


def test_a_second_hello_ends_it() -> None:
    got = feed(reach(State.OPEN), HELLO_FRAME)
    assert got.farewell == Goodbye(4501, "HELLO: only once", 0)


def test_an_unknown_kind_is_answered_once_and_then_ends_it() -> None:
    machine = reach(State.OPEN)
    got = feed(machine, REQUEST, Unknown(99, ("x",)))
    assert got == Received([REQUEST], (Fail(0, Code.NO_SUCH, "unknown frame kind 99"),))
    assert machine.state is State.OPEN
    assert feed(machine, REQUEST) == Received([REQUEST])
    got = feed(machine, Unknown(77))
    assert got == Received(farewell=Goodbye(4501, "kind 77: unknown, again", 0))


def test_two_unknown_kinds_in_one_message_end_it() -> None:
    got = feed(reach(State.OPEN), Unknown(99), Unknown(99))
    assert got.farewell is not None
    assert len(got.replies) == 1


@pytest.mark.parametrize("kind", [128, 150, 191])
def test_an_experimental_kind_needs_an_agreed_capability(kind: int) -> None:
    for offered, asked in (((), ()), (("x-a",), ()), ((), ("x-a",)), (("x-a", "b"), ("x-b", "b"))):
        got = feed(reach(State.OPEN, offered=offered, asked=asked), Unknown(kind))
        assert got.farewell is not None
        assert got.farewell.code == Close.PROTOCOL
    agreed = reach(State.OPEN, offered=("x-a",), asked=("x-a",))
    assert feed(agreed, Unknown(kind, (1,)), Unknown(kind)) == Received([Unknown(kind, (1,)), Unknown(kind)])


def test_what_comes_before_a_mistake_still_counts() -> None:
    got = feed(reach(State.OPEN), REQUEST, Ping(1, 0), HELLO_FRAME, REQUEST)
    assert got == Received([REQUEST], (Pong(1, NOW),), farewell=Goodbye(4501, "HELLO: only once", 0))


def test_nothing_of_a_message_with_illegal_bytes_counts() -> None:
    machine = reach(State.OPEN)
    got = machine.receive(pack(REQUEST) + b"\xc1", NOW)
    assert got == Received(farewell=Goodbye(4501, "frame: expected an array", 0))
    assert machine.state is State.CLOSING


# --- the end -------------------------------------------------------------------------------------


def test_a_peers_goodbye_ends_it_and_nothing_behind_it_counts() -> None:
    machine = reach(State.OPEN)
    goodbye = Goodbye(1000, "done", 0)
    assert feed(machine, REQUEST, goodbye, REQUEST) == Received([REQUEST], left=goodbye)
    assert machine.state is State.CLOSING
    assert machine.close(Close.SHUTDOWN, "test") is None


def test_a_peer_may_leave_at_any_time() -> None:
    for state in (State.AWAIT_HELLO, State.SIGNING_IN, State.OPEN):
        machine = reach(state)
        assert feed(machine, Goodbye(1001, "", 0)).left == Goodbye(1001, "", 0)


def test_our_own_goodbye_is_said_once() -> None:
    machine = reach(State.OPEN)
    assert machine.close(Close.SHUTDOWN, "restarting", retry_ms=2000) == Goodbye(4000, "restarting", 1, 2000)
    assert machine.close(Close.DEAD, "again") is None
    assert feed(machine, REQUEST) == Received()


def test_our_own_goodbye_may_name_a_better_place() -> None:
    assert reach(State.OPEN).close(Close.SHUTDOWN, "moved", url="wss://b.example") == Goodbye(
        4000, "moved", 2, None, "wss://b.example"
    )


def test_a_lost_link_is_lost_once() -> None:
    machine = reach(State.OPEN)
    machine.lost()
    machine.lost()
    assert machine.state is State.CLOSED


def test_a_machine_shows_its_state() -> None:
    assert (
        repr(reach(State.SIGNING_IN)) == "Handshake(capabilities=frozenset(), state=<State.SIGNING_IN: 'signing_in'>)"
    )


# --- anything ------------------------------------------------------------------------------------

PIECES = [
    *(pack(sample_frame(name)) for name in sorted(tables()["frames"])),
    *(raw(vector["bytes"]) for vector in read("refused.json")["refused"] if len(raw(vector["bytes"])) < 300),
    pack(HELLO_FRAME),
    pack(Unknown(99)),
    pack(Unknown(130)),
]


@given(st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map(b"".join), max_size=6), st.data())
def test_any_frames_in_any_order_leave_it_in_a_known_state(messages: list[bytes], data: st.DataObject) -> None:
    machine = Handshake()
    ended = False
    for message in messages:
        got = machine.receive(message, NOW)
        if ended:
            assert got == Received()
        ended = ended or got.farewell is not None or got.left is not None
        assert ended == (machine.state is State.CLOSING)
        if got.hello is not None and data.draw(st.booleans()):
            machine.welcome(IDENTITY, SERVER)
        allowed: tuple[Any, ...] = (Request, Signal, Pong)
        assert all(isinstance(frame, allowed) for frame in got.frames)
        assert len([reply for reply in got.replies if isinstance(reply, Fail)]) <= 1
