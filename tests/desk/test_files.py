"""Files of a session: who may send which, what is told of them and when, and what becomes of them at the end.

The bytes are the hub's (tests/runtime/test_files.py); here a worker's word stands for them.
"""

# covers: broker/desk/file_invariants.py broker/desk/uploads.py

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, cast

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker import ids, limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk import files, invariants
from broker.desk.commands import Gathered
from broker.desk.files import Stored
from broker.desk.identity import Identity
from broker.desk.invariants import InvariantBroken
from broker.desk.outcome import Handled, Refusal
from broker.desk.state import Member
from broker.protocol import ops
from broker.units import MINUTES
from tests.support import people
from tests.support.agreement import reloaded, replay, same_desk
from tests.support.agreement import stored as kept
from tests.support.builders import (
    case_id,
    customer,
    desk,
    entropy,
    manager,
    offer_id,
    personal,
    representative,
    session_id,
)
from tests.support.scene import Scene, of, office

KIM, ANN, BO = customer("kim"), representative("ann"), representative("bo")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(92)
Refuse = Callable[[Scene], Refusal]


def portal(scene: Scene, web_chat: str = "none", /, *, on: bool = True, **rules: object) -> list[e.Event]:
    """The portal takes files by these rules."""
    command = ops.PortalPut(
        "help", "ask", "queue", ["help"], functions={"file_transfer": on}, web_chat=web_chat, files=rules or None
    )
    return of(scene.ok(command, manager()))


@pytest.fixture
def scene() -> Scene:
    """Kim talks with Ann, where files may be sent; Bo is there, too."""
    scene = office("ann", "bo", capacity=3)
    portal(scene)
    scene.assign("kim", "ann")
    return scene


SESSION = session_id("kim")


def announce(
    name: str = "scan.png",
    size: int = len(PNG),
    type_: str = "image/png",
    sha256: str | None = None,
    at: str = SESSION,
) -> ops.FileBegin:
    return ops.FileBegin(at, personal(name), size, type_, sha256)


def file_id(named: str) -> str:
    """The file announced by the command of this name."""
    return f"f_{ids.token(entropy(named))}"


def begin(scene: Scene, who: Identity = KIM, named: str = "file", **as_: Any) -> str:
    value = scene.ok(announce(**as_), who, named).value
    assert value == {"file": file_id(named), "offset": 0, "chunk_bytes": limits.FILE_CHUNK}
    return file_id(named)


def stored(data: bytes = PNG) -> Stored:
    return Stored(len(data), hashlib.sha256(data).hexdigest(), data[:512])


def share(scene: Scene, who: Identity = KIM, named: str = "file", data: bytes = PNG, **as_: Any) -> int:
    """Announce and finish a file; the number of its message."""
    file = begin(scene, who, named, size=len(data), **as_)
    value = scene.ok(ops.FileFinish(file, stored(data).sha256), who, prepared=stored(data)).value
    assert value["file"] == file
    return cast("int", value["message_seq"])


def listed(scene: Scene, who: Identity) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", scene.ok(ops.FileList(SESSION), who).value["files"])


# --- who may send what -----------------------------------------------------------------------------


def test_both_sides_share_files_as_messages_of_the_session(scene: Scene) -> None:
    assert share(scene) == 1
    scene.ok(ops.ChatSend(SESSION, personal("do you see it?")), KIM)
    assert share(scene, ANN, "answer", b"hello", name="a.txt", type_="text/plain") == 3
    told = [data for kind, data in scene.told(f"session:{SESSION}") if kind == "file.shared"]
    assert [(one["message_seq"], one["role"], one.get("by"), one["size"]) for one in told] == [
        (1, "customer", None, 100),
        (3, "representative", "ann", 5),
    ]
    assert told[0]["sha256"] == stored().sha256
    assert "name" in told[0]
    assert [one["state"] for one in listed(scene, KIM)] == ["shared", "shared"]


def test_nothing_is_told_of_a_file_before_it_is_shared(scene: Scene) -> None:
    begin(scene)
    (record,) = scene.records[-1:]
    assert isinstance(record.event, e.FileBegun)
    assert record.entries == ()
    assert listed(scene, ANN) == []
    assert [one["state"] for one in listed(scene, KIM)] == ["uploading"]


def test_a_customer_sends_files_while_it_waits_in_a_web_chat_portal() -> None:
    scene = office()
    portal(scene, "chat_only")
    scene.ask("kim")
    assert share(scene) == 2, "its question is the first"
    portal(scene, "chat_only", on=False)
    scene.refused(announce(), KIM, Code.NOT_ALLOWED)


def guest(scene: Scene, *, view_only: bool = False, masked: bool = False) -> None:
    scene.desk.state.sessions[SESSION].members["bo"] = Member(scene.now, view_only=view_only, masked=masked)
    scene.desk.state.representatives["bo"].guest[SESSION] = None


def test_guests_send_as_far_as_they_may_speak(scene: Scene) -> None:
    scene.refused(announce(), BO, Code.NO_SUCH)
    guest(scene)
    assert share(scene, BO) == 1


@pytest.mark.parametrize("kind", ["view_only", "masked"])
def test_guests_who_only_look_on_send_nothing_and_may_read(scene: Scene, kind: str) -> None:
    share(scene)
    guest(scene, **{kind: True})
    refusal = scene.refused(announce(), BO, Code.NOT_ALLOWED)
    assert kind in refusal.text
    assert scene.ok(ops.FileGet(file_id("file"), 0), BO).value["size"] == len(PNG)
    assert len(listed(scene, BO)) == 1


def gets(scene: Scene, who: Identity, file: str) -> bool:
    """Whether somebody gets this file and sees it in the list, or neither."""
    got = isinstance(scene.do(ops.FileGet(file, 0), who), Handled)
    outcome = scene.do(ops.FileList(SESSION), who)
    assert got == (isinstance(outcome, Handled) and file in [one["file"] for one in listed(scene, who)])
    return got


def test_managers_who_may_have_the_transcript_get_the_files(scene: Scene) -> None:
    people.boss(scene)
    people.hire(scene, "tim", "team", teams=["blue"], rights=["transcripts"])
    people.hire(scene, "ted", "team", teams=["blue"], rights=["monitor"])
    people.hire(scene, "pia", "api")
    scene.team("far")
    people.hire(scene, "tom", "team", teams=["far"], rights=["transcripts"])
    share(scene)
    mia, tim, ted, tom = map(manager, ("mia", "tim", "ted", "tom"))
    for ended in (False, True):
        assert [gets(scene, who, file_id("file")) for who in (mia, tim, ted, tom)] == [True, True, False, False]
        scene.refused(ops.FileGet(file_id("file"), 0), manager("pia"), Code.NOT_ALLOWED)
        if not ended:
            scene.end(SESSION)
    assert str(scene.do(ops.FileGet(file_id("file"), 0), tom)) == str(scene.do(ops.FileGet("f_none", 0), tom))
    for who in (mia, tom):
        scene.refused(ops.FileList("s_none"), who, Code.NO_SUCH)
        scene.refused(announce(), who, Code.NOT_ALLOWED)


@pytest.mark.parametrize("policy", ["silent", "announced"])
def test_managers_get_the_files_while_they_look_on(scene: Scene, policy: str) -> None:
    people.boss(scene)
    people.hire(scene, "ted", "team", teams=["blue"], rights=["monitor"])
    put = ops.PortalPut(
        "help",
        "ask",
        "queue",
        ["help"],
        functions={"file_transfer": True, "monitoring": True},
        monitoring=policy,
    )
    scene.ok(put, manager("mia"))
    share(scene)
    ted = manager("ted")
    assert not gets(scene, ted, file_id("file"))
    scene.ok(ops.SessionMonitor(SESSION), ted)
    before = dict(scene.desk.state.streams)
    assert gets(scene, ted, file_id("file"))
    assert scene.desk.state.streams == before, "the desk tells nobody of it"
    scene.ok(ops.SessionMonitorEnd(SESSION), ted)
    assert not gets(scene, ted, file_id("file"))


def test_who_passed_a_session_on_gets_what_was_shared_until_then(scene: Scene) -> None:
    share(scene, named="before")
    scene.ok(ops.SessionTransfer(SESSION, "bo"), ANN)
    scene.accept(offer_id("kim", 2), "bo")
    share(scene, named="after")
    assert [gets(scene, ANN, file_id(name)) for name in ("before", "after")] == [True, False]
    assert [gets(scene, BO, file_id(name)) for name in ("before", "after")] == [True, True]


def test_who_gave_a_case_away_and_who_could_take_it_get_all_that_was_shared(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RECENT_SESSIONS", 0)
    share(scene)
    scene.end(SESSION)
    people.boss(scene)
    scene.ok(ops.CaseAssign("bo", case=case_id("kim")), manager("mia"))
    assert [gets(scene, who, file_id("file")) for who in (ANN, BO, KIM)] == [True] * 3
    scene.ok(ops.RepresentativeDelete("bo"), manager("mia"))
    scene.staff("blue", "cy", presence="offline")
    assert gets(scene, representative("cy"), file_id("file")), "nobody has the case: cy could take it"


def test_who_became_view_only_goes_on_with_no_upload(scene: Scene) -> None:
    guest(scene)
    file = begin(scene, BO)
    guest(scene, view_only=True)
    for command in (ops.FileChunk(file, 0, b"x"), ops.FileFinish(file, "0" * 64)):
        scene.refused(command, BO, Code.NOT_ALLOWED)
    scene.ok(ops.FileCancel(file), BO)


def test_others_know_of_nothing(scene: Scene) -> None:
    file = begin(scene)
    for who in (customer("eve"), BO, ANN):
        for command in (ops.FileChunk(file, 0, b"x"), ops.FileFinish(file, "0" * 64), ops.FileCancel(file)):
            scene.refused(command, who, Code.NO_SUCH)
    for who in (customer("eve"), BO):
        scene.refused(announce(), who, Code.NO_SUCH)
        scene.refused(ops.FileGet(file, 0), who, Code.NO_SUCH)
        scene.refused(ops.FileList(SESSION), who, Code.NO_SUCH)
    scene.refused(announce(at="s_none"), KIM, Code.NO_SUCH)
    scene.refused(ops.FileChunk("f_none", 0, b"x"), KIM, Code.NO_SUCH)


def test_where_the_function_is_off_nothing_is_sent_and_staff_is_told_the_reasons(scene: Scene) -> None:
    portal(scene, on=False)
    assert scene.refused(announce(), KIM, Code.NOT_ALLOWED).detail == {"function": "file_transfer"}
    refusal = scene.refused(announce(), ANN, Code.NOT_ALLOWED)
    assert refusal.detail is not None
    assert refusal.detail["function"] == "file_transfer"
    assert refusal.detail["reasons"]


# --- what a portal takes ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\\b", "a\x00b", "..", "photo\u202egpj.exe"])
def test_names_that_could_be_paths_are_refused(scene: Scene, name: str) -> None:
    refusal = scene.refused(announce(name), KIM, Code.BAD_ARGS)
    assert refusal.detail is not None
    assert refusal.detail["path"] == "args.name"


@pytest.mark.parametrize("type_", ["image/svg+xml", "application/x-msdownload", "Image/PNG", "nonsense"])
def test_types_that_the_portal_does_not_take_are_refused(scene: Scene, type_: str) -> None:
    refusal = scene.refused(announce(type_=type_), KIM, Code.BAD_ARGS)
    assert refusal.detail is not None
    assert refusal.detail["path"] == "args.type"


def test_a_hash_is_written_in_one_way_only(scene: Scene) -> None:
    file = begin(scene)
    for sha256 in ("", "0" * 63, "A" * 64, "g" * 64, "0" * 64 + "\n"):
        for command in (announce(sha256=sha256), ops.FileFinish(file, sha256)):
            refusal = scene.refused(command, KIM, Code.BAD_ARGS, prepared=stored())
            assert refusal.detail is not None
            assert refusal.detail["path"] == "args.sha256"


def test_a_portal_that_takes_no_type_says_so(scene: Scene) -> None:
    portal(scene, types=[])
    assert "none" in scene.refused(announce(), KIM, Code.BAD_ARGS).text


def test_a_file_is_as_large_as_the_portal_says_at_most(scene: Scene) -> None:
    portal(scene, max_bytes=100, session_bytes=250)
    begin(scene, size=100)
    refusal = scene.refused(announce(size=101), KIM, Code.TOO_LARGE)
    assert refusal.detail == {"path": "args.size", "max_bytes": 100}


def test_the_files_of_a_session_count_together_from_their_announcement_on(scene: Scene) -> None:
    portal(scene, max_bytes=100, session_bytes=250)
    begin(scene, named="one", size=100)
    share(scene, ANN, "two")
    refusal = scene.refused(announce(size=51), KIM, Code.QUOTA)
    assert refusal.detail == {"limit": "session_bytes", "most": 250}
    scene.ok(ops.FileCancel(file_id("one")), KIM)
    begin(scene, named="three", size=100)


def test_uploads_and_files_of_a_session_are_counted(scene: Scene) -> None:
    for number in range(limits.SESSION_UPLOADS):
        begin(scene, named=f"up{number}")
    refusal = scene.refused(announce(), KIM, Code.QUOTA)
    assert refusal.detail == {"limit": "uploads", "most": limits.SESSION_UPLOADS}
    for number in range(limits.SESSION_FILES - limits.SESSION_UPLOADS):
        share(scene, ANN, f"file{number}")
    refusal = scene.refused(announce(), ANN, Code.QUOTA)
    assert refusal.detail == {"limit": "files", "most": limits.SESSION_FILES}


@pytest.mark.parametrize(("limit", "value"), [("ACCOUNT_FILES", 1), ("FILES_ACCOUNT_BYTES", 150)])
def test_an_account_keeps_so_much_at_most(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(limits, limit, value)
    share(scene)
    refusal = scene.refused(announce(), KIM, Code.QUOTA)
    assert refusal.detail is not None
    assert refusal.detail["limit"] == "account_bytes"


def test_a_put_says_what_is_wrong_with_its_rules(scene: Scene) -> None:
    def wrong(**rules: object) -> object:
        command = ops.PortalPut("help", "ask", "queue", ["help"], files=rules)
        return (scene.refused(command, manager(), Code.BAD_ARGS).detail or {})["path"]

    assert wrong(types=["image/*", "*/*"]) == "args.files.types[1]"
    assert wrong(max_bytes=10, session_bytes=9) == "args.files.session_bytes"


def test_rules_are_told_to_managers_and_have_defaults(scene: Scene) -> None:
    def told() -> object:
        value = scene.ok(ops.AccountGet(), manager()).value
        return next(one["files"] for one in cast("list[dict[str, Any]]", value["portals"]) if one["portal"] == "help")

    assert told() == {
        "max_bytes": limits.FILE_BYTES,
        "session_bytes": limits.SESSION_BYTES,
        "types": list(limits.FILE_TYPES),
    }
    (put,) = (one for one in portal(scene, max_bytes=7, types=["a/b", "a/b"]) if isinstance(one, e.PortalPut))
    assert told() == {"max_bytes": 7, "session_bytes": limits.SESSION_BYTES, "types": ["a/b"]}
    assert [change[0] for change in put.changes] == ["files"]
    portal(scene, max_bytes=limits.MAX_FILE_BYTES)
    assert cast("dict[str, object]", told())["session_bytes"] == limits.MAX_FILE_BYTES
    plain = attrs.fields_dict(e.PortalPut)["files"].default
    assert plain == (limits.FILE_BYTES, limits.SESSION_BYTES, limits.FILE_TYPES)


# --- its bytes -------------------------------------------------------------------------------------


def test_a_chunk_changes_nothing_and_ends_within_the_file(scene: Scene) -> None:
    file = begin(scene, size=10)
    assert scene.ok(ops.FileChunk(file, 4, b"123456"), KIM).records == []
    refusal = scene.refused(ops.FileChunk(file, 5, b"123456"), KIM, Code.BAD_ARGS)
    assert refusal.detail is not None
    assert refusal.detail["path"] == "args.data"


def test_finish_without_a_workers_word_changes_nothing(scene: Scene) -> None:
    file = begin(scene)
    assert scene.ok(ops.FileFinish(file, stored().sha256), KIM).records == []


@pytest.mark.parametrize(
    ("found", "declared", "said", "code", "field"),
    [
        (PNG[:-1], None, PNG, Code.WRONG_STATE, None),
        (PNG[:-1] + b"x", None, PNG, Code.BAD_ARGS, "args.sha256"),
        (PNG, PNG + b"x", PNG, Code.BAD_ARGS, "args.sha256"),
        (b"MZ" + bytes(98), None, b"MZ" + bytes(98), Code.BAD_ARGS, "args.file"),
    ],
)
def test_bytes_that_are_not_what_was_announced_are_not_shared(
    scene: Scene, found: bytes, declared: bytes | None, said: bytes, code: Code, field: str | None
) -> None:
    file = begin(scene, sha256=None if declared is None else stored(declared).sha256)
    command = ops.FileFinish(file, stored(said).sha256)
    refusal = scene.refused(command, KIM, code, prepared=stored(found))
    assert refusal.detail is not None
    if field is None:
        assert refusal.detail["offset"] == len(found)
        assert refusal.detail["allowed"] == ["file.chunk", "file.finish", "file.cancel"]
    else:
        assert refusal.detail["path"] == field
    scene.ok(ops.FileChunk(file, 0, b"x"), KIM)  # it may be sent anew


def test_what_is_shared_stays_as_it_is(scene: Scene) -> None:
    share(scene, sha256=stored().sha256)
    file = file_id("file")
    for command in (
        ops.FileChunk(file, 0, b"x"),
        ops.FileFinish(file, stored().sha256),
        ops.FileCancel(file),
    ):
        refusal = scene.refused(command, KIM, prepared=stored())
        assert refusal.detail == {"state": "shared", "allowed": ["file.get"]}


def test_get_says_what_the_bytes_are_once_they_are_shared(scene: Scene) -> None:
    file = begin(scene)
    scene.refused(ops.FileGet(file, 0), KIM)
    scene.ok(ops.FileFinish(file, stored().sha256), KIM, prepared=stored())
    for who in (KIM, ANN):
        value = scene.ok(ops.FileGet(file, 0), who).value
        assert value == {"size": 100, "type": "image/png", "sha256": stored().sha256}


# --- its end ---------------------------------------------------------------------------------------


def test_an_upload_is_given_up_when_its_time_is_over(scene: Scene) -> None:
    file = begin(scene)
    assert scene.pass_time(limits.UPLOAD_LIFE - 1) == []
    (ended,) = scene.pass_time(1)
    assert ended == e.FileEnded(file, SESSION, "v_kim", "expired")
    assert scene.told("me:v_kim")[-1] == ("file.ended", {"file": file, "session": SESSION, "reason": "expired"})
    assert scene.desk.drain_unstored() == [file]
    assert scene.desk.state.file_bytes == 0
    scene.refused(ops.FileChunk(file, 0, b"x"), KIM, Code.NO_SUCH)


def test_an_upload_of_ones_own_can_be_cancelled(scene: Scene) -> None:
    file = begin(scene)
    scene.ok(ops.FileCancel(file), KIM)
    assert scene.desk.drain_unstored() == [file]
    assert personal("scan.png").ref[0] in scene.desk.drain_erased(), "its name was told to nobody, and is gone for good"
    assert scene.pass_time(limits.UPLOAD_LIFE) == []


def test_switching_the_function_off_ends_what_is_on_its_way(scene: Scene) -> None:
    file = begin(scene)
    share(scene, ANN, "shared")
    ended = [one for one in portal(scene, on=False) if isinstance(one, e.FileEnded)]
    assert ended == [e.FileEnded(file, SESSION, "v_kim", "function_off")]
    scene.ok(ops.FileGet(file_id("shared"), 0), KIM)


def test_switching_it_off_for_the_one_who_has_the_session_ends_them_too(scene: Scene) -> None:
    file = begin(scene)
    off = ops.RepresentativePut("ann", personal("Ann", "c_ann"), "blue", 3, functions={"file_transfer": False})
    assert e.FileEnded(file, SESSION, "v_kim", "function_off") in of(scene.ok(off, manager()))


def test_while_nobody_has_the_session_the_portal_alone_decides() -> None:
    scene = office()
    portal(scene, "chat_only")
    scene.ask("kim")
    file = begin(scene)
    assert not [one for one in portal(scene, "chat_only", max_bytes=500) if isinstance(one, e.FileEnded)]
    ended = [one for one in portal(scene, "chat_only", on=False) if isinstance(one, e.FileEnded)]
    assert ended == [e.FileEnded(file, SESSION, "v_kim", "function_off")]


GOING: dict[str, tuple[Callable[[Scene], object], set[str]]] = {
    "its guest leaves": (lambda scene: scene.ok(ops.SessionLeave(SESSION), BO), {"bo"}),
    "its guest is sent away": (lambda scene: scene.ok(ops.SessionRemove(SESSION, "bo"), ANN), {"bo"}),
    "its guest signs out": (lambda scene: scene.ok(ops.PresenceSet("offline"), BO), {"bo"}),
    "guests are switched off": (lambda scene: _functions(scene, collaboration=False), {"bo"}),
    "files and guests are": (lambda scene: _functions(scene, collaboration=False, files=False), {"ann", "bo", "v_kim"}),
    "it is handed back": (lambda scene: scene.ok(ops.SessionLeave(SESSION), ANN), {"ann", "bo"}),
    "who has it is lost": (lambda scene: _lose(scene), {"ann", "bo"}),
    "a guest takes it over": (lambda scene: _hand_over(scene, "bo"), {"ann"}),
    "somebody takes it over": (lambda scene: _hand_over(scene, "cy"), {"ann"}),
}


def _functions(scene: Scene, *, collaboration: bool, files: bool = True) -> None:
    on = {"file_transfer": files, "collaboration": collaboration}
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], functions=on), manager())


def _lose(scene: Scene) -> None:
    scene.lose("ann")
    scene.pass_time(limits.HOLD)


def _hand_over(scene: Scene, to: str) -> None:
    scene.ok(ops.SessionTransfer(SESSION, to), ANN)
    scene.accept(offer_id("kim", 3), to)


@pytest.mark.parametrize("how", GOING)
def test_what_somebody_was_sending_who_is_not_in_the_session_any_more_takes_nobodys_room(how: str) -> None:
    scene = office("ann", "bo", "cy", capacity=3)
    _functions(scene, collaboration=True)
    scene.assign("kim", "ann")
    scene.ok(ops.SessionInvite(SESSION, "bo"), ANN)
    scene.accept(offer_id("kim", 2), "bo")
    begun = {one.person: begin(scene, one, f"of {one.person}") for one in (KIM, ANN, BO)}
    shared = share(scene, BO, "shared")
    goes, gone = GOING[how]
    goes(scene)
    ended = scene.events(e.FileEnded)
    assert {(one.file, one.by) for one in ended} == {(begun[who], who) for who in gone}
    assert len(ended) == len(gone)
    assert set(scene.desk.drain_unstored()) == {begun[who] for who in gone}
    assert set(scene.desk.state.uploads) == {begun[who] for who in begun.keys() - gone}
    assert shared == 1
    assert scene.desk.state.files[file_id("shared")].number == 1
    same_desk(replay(desk(), [kept(record) for record in scene.records]), scene.desk)


def test_after_the_end_nothing_is_sent_and_what_was_shared_is_read(scene: Scene) -> None:
    share(scene)
    file = begin(scene, named="late")
    scene.end(SESSION)
    assert scene.desk.drain_unstored() == [file]
    for command in (announce(), ops.FileFinish(file, "0" * 64)):
        refusal = scene.do(command, KIM)
        assert isinstance(refusal, Refusal)
    refusal = scene.refused(announce(), KIM)
    assert refusal.detail is not None
    assert refusal.detail["state"] == "ended"
    refusal = scene.refused(ops.FileChunk(file_id("file"), 0, b"x"), KIM)
    assert refusal.detail is not None
    assert refusal.detail["state"] == "ended"
    for who in (KIM, ANN):
        assert len(listed(scene, who)) == 1
        assert scene.ok(ops.FileGet(file_id("file"), 0), who).value["size"] == 100
    scene.refused(ops.FileGet(file_id("file"), 0), customer("eve"), Code.NO_SUCH)


def test_as_long_as_its_case_is_kept_both_sides_read_a_file(scene: Scene) -> None:
    share(scene)
    scene.end(SESSION)
    scene.desk.state.ended_sessions.clear()  # so many others have ended since
    for who in (KIM, ANN):
        assert scene.ok(ops.FileGet(file_id("file"), 0), who).value["size"] == 100
        assert len(listed(scene, who)) == 1
    for who in (customer("eve"), BO):
        scene.refused(ops.FileGet(file_id("file"), 0), who, Code.NO_SUCH)
        scene.refused(ops.FileList(SESSION), who, Code.NO_SUCH)
    heads = scene.desk.stream_head(f"session:{SESSION}"), scene.desk.stream_head(f"session:{SESSION}:staff")
    scene.ok(ops.CaseDelete(f"k_{SESSION[2:]}"), manager(), prepared=Gathered(heads))
    assert scene.desk.drain_unstored() == [file_id("file")]
    assert personal("scan.png").ref[0] in scene.desk.drain_erased()
    for who in (KIM, ANN):
        scene.refused(ops.FileGet(file_id("file"), 0), who, Code.NO_SUCH)
        scene.refused(ops.FileList(SESSION), who, Code.NO_SUCH)


def test_a_waiting_sessions_uploads_end_with_its_request() -> None:
    scene = office()
    portal(scene, "chat_only")
    request = scene.ask("kim")
    file = begin(scene)
    scene.ok(ops.RequestWithdraw(request), KIM)
    assert scene.desk.drain_unstored() == [file]


def test_a_released_session_keeps_its_customers_upload(scene: Scene) -> None:
    file, of_ann = begin(scene), begin(scene, ANN, "hers")
    scene.ok(ops.SessionLeave(SESSION), ANN)
    scene.ok(ops.FileChunk(file, 0, b"x"), KIM)
    scene.refused(ops.FileChunk(of_ann, 0, b"x"), ANN, Code.NO_SUCH)
    assert scene.told("me:ann")[-1] != ("file.ended", {"file": file, "session": SESSION, "reason": "left"})
    assert ("file.ended", {"file": of_ann, "session": SESSION, "reason": "left"}) in scene.told("me:ann")


def test_erasing_a_session_leaves_nothing_of_its_files(scene: Scene) -> None:
    share(scene)
    share(scene, ANN, "other", name="answer.png")
    scene.end(SESSION)
    scene.desk.drain_erased()
    files.erase(scene.desk.state, SESSION)
    invariants.check(scene.desk.state)
    assert scene.desk.drain_unstored() == [file_id("file"), file_id("other")]
    assert set(scene.desk.drain_erased()) == {personal(name).ref[0] for name in ("scan.png", "answer.png")}
    assert scene.desk.statistics().files == scene.desk.statistics().file_bytes == 0
    scene.refused(ops.FileGet(file_id("file"), 0), KIM, Code.NO_SUCH)
    scene.desk.state.cases.clear()
    scene.refused(ops.FileList(SESSION), KIM, Code.NO_SUCH)
    files.erase(scene.desk.state, SESSION)


# --- replay, snapshots, invariants -----------------------------------------------------------------


def test_names_of_uploads_are_held_and_those_of_shared_files_are_the_journals(scene: Scene) -> None:
    begin(scene, name="held.png")
    assert personal("held.png").ref[0] in scene.desk.held_contents()
    share(scene, ANN, "other", name="told.png")
    assert personal("told.png").ref[0] not in scene.desk.held_contents()
    assert personal("told.png").ref[0] in scene.desk.drain_released()


def test_F21_files_come_back_from_records_and_from_a_snapshot(scene: Scene) -> None:
    share(scene)
    begin(scene, ANN, "upload")
    same_desk(replay(desk(), [kept(record) for record in scene.records]), scene.desk)
    again = reloaded(scene.desk)
    same_desk(again, scene.desk)
    assert again.state.files[file_id("upload")].until == scene.now + limits.UPLOAD_LIFE
    assert again.state.deadlines.get("upload", file_id("upload")) == scene.now + limits.UPLOAD_LIFE
    invariants.check(again.state)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "share", "cancel", "wait", "leave", "end", "off", "on"]),
        st.sampled_from([KIM, ANN]),
    ),
    max_size=14,
)


@settings(deadline=None)
@given(STEPS)
def test_whatever_happens_files_are_counted_right_and_replay_alike(steps: list[tuple[str, Identity]]) -> None:
    scene = office("ann", "bo", capacity=3)
    portal(scene)
    scene.assign("kim", "ann")
    for number, (step, who) in enumerate(steps):
        mine = [one.file for one in scene.desk.state.files.values() if one.by == who.person and one.until is not None]
        match step:
            case "begin":
                scene.do(announce(), who, f"f{number}")
            case "share" if mine:
                scene.do(ops.FileFinish(mine[0], stored().sha256), who, prepared=stored())
            case "cancel" if mine:
                scene.do(ops.FileCancel(mine[0]), who)
            case "wait":
                scene.pass_time(25 * MINUTES)
            case "leave":
                scene.do(ops.SessionLeave(SESSION), who)
            case "end":
                scene.do(ops.SessionEnd(SESSION), who)
            case "off" | "on":
                portal(scene, on=step == "on")
            case _:
                pass
    same_desk(replay(desk(), [kept(record) for record in scene.records]), scene.desk)
    same_desk(reloaded(scene.desk), scene.desk)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.uploads.clear(),
        lambda state: state.uploads.update({"f_none": None}),
        lambda state: state.session_files.clear(),
        lambda state: attrs.evolve(state, file_bytes=state.file_bytes + 1),
        lambda state: state.deadlines.set("upload", file_id("upload"), 1),
        lambda state: setattr(state.files[file_id("file")], "number", 7),
        lambda state: setattr(state.files[file_id("upload")], "number", 1),
        lambda state: setattr(state.files[file_id("upload")], "session", "s_over"),
        lambda state: setattr(state.files[file_id("upload")], "by", "cy"),
        lambda state: setattr(state.files[file_id("upload")], "role", "customer"),
    ],
)
def test_E7_caught_a_state_that_must_not_be(scene: Scene, spoil: Callable[[Any], Any]) -> None:
    share(scene)
    begin(scene, ANN, "upload")
    state = scene.desk.state
    state = spoil(state) or state
    with pytest.raises(InvariantBroken) as caught:
        invariants.check(state)
    assert caught.value.invariant == "E7"


def test_E7_caught_an_upload_that_outlives_its_session(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(scene)
    monkeypatch.setattr(files, "session_over", lambda state, session, event_type: None)
    with pytest.raises(InvariantBroken) as caught:
        scene.end(SESSION)
    assert caught.value.invariant == "E7"
