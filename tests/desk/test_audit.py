"""The audit: who did what to whom and from where; whatever managers change is in it, and no secret ever is."""

from __future__ import annotations

import attrs
import pytest

from broker.desk import commands as c
from broker.desk import events as e
from broker.desk.audit import READS
from broker.desk.identity import Identity, Role
from broker.protocol import ops
from broker.protocol.codec import pack_value
from tests.support import people
from tests.support.builders import ACCOUNT, block_id, personal, session_id
from tests.support.people import ANN, MIA, PIA, ROBOT, TIM, house
from tests.support.scene import Scene

NETWORK = "192.0.2.0/24"


def at(identity: Identity) -> Identity:
    """Somebody who speaks from somewhere."""
    return attrs.evolve(identity, network=NETWORK)


def audited(scene: Scene) -> list[e.Audited]:
    return [event for event in scene.events(e.Audited) if isinstance(event, e.Audited)]


CHANGES: list[tuple[object, str | None]] = [
    (ops.PortalPut("new", "ask", "queue", ["new"]), "new"),
    (ops.SubportalPut("help", 3), "help"),
    (ops.AccountPut(["queue"]), None),
    (ops.PortalDelete("far"), "far"),
    (ops.TeamPut("new", []), "new"),
    (ops.TeamDelete("ruby"), "ruby"),
    (ops.ReplyPut("blue", "hi", text=personal("Hi")), "blue/hi"),
    (ops.ReplyDelete("sky", "bye"), "sky/bye"),
    (ops.RepresentativePut("zoe", personal("Zoe"), "blue", 1), "zoe"),
    (ops.RepresentativeDelete("ed"), "ed"),
    (ops.ManagerPut("tom", "team"), "tom"),
    (ops.ManagerDelete("ted"), "ted"),
    (ops.ServicePut("crm", []), "crm"),
    (ops.ServiceDelete("robot"), "robot"),
    (ops.PasswordSet("s3cret", person="ann"), "ann"),
    (ops.PasswordLink("cy"), "cy"),
    (ops.SignInEnd("ann"), "ann"),
    (ops.SignInList("ann"), "ann"),
    (ops.KeyCreate("robot"), "robot"),
    (ops.VisitorBlock("abuse", visitor="v_kim"), "v_kim"),
    (ops.VisitorBlock("abuse", session=session_id("kim")), session_id("kim")),
    (ops.BlockEnd(block_id("b")), block_id("b")),
]


@pytest.mark.parametrize(("command", "about"), CHANGES, ids=[type(one).__name__ for one, _ in CHANGES])
def test_what_a_manager_does_is_told_once_with_its_object(command: object, about: str | None) -> None:
    scene = house()
    scene.ok(ops.RepresentativePut("cy", personal("Cy"), "sky", 2, email=personal("cy@example.com")), MIA)
    scene.ok(ops.ReplyPut("sky", "bye", text=personal("Bye")), MIA)
    scene.assign("kim", "ann")
    scene.ok(ops.VisitorBlock("abuse", scene.ask("bad")), MIA, "b")
    prepared = people.made_key("k") if isinstance(command, ops.KeyCreate) else people.hashed("s3cret")
    scene.ok(command, at(MIA), prepared=prepared)
    (entry,) = audited(scene)
    op = type(command).OP  # type: ignore[attr-defined]
    assert (entry.person, entry.role, entry.network, entry.op, entry.object) == ("mia", "manager", NETWORK, op, about)
    told = [data for kind, data in scene.told("audit") if kind == "audit.recorded"]
    assert [(one["person"], one["op"], one.get("object")) for one in told] == [("mia", op, about)]


def test_whatever_a_manager_or_service_can_change_is_tried_above_or_said_to_be_no_matter_of_the_audit() -> None:
    from broker.desk.grants import RIGHTS
    from broker.protocol.check import WRITES

    tried = {type(command).OP for command, _ in CHANGES}  # type: ignore[attr-defined]
    staff = {"account_manager", "team_manager", "api_manager", "service"}
    changing = {op for op, row in RIGHTS.items() if staff & row.keys() and op in WRITES}
    assert changing - tried == {
        "request.classify",
        "case.assign",
        "key.revoke",
        "session.monitor",
        "session.monitor_end",
        *("case.resolve", "case.reopen", "case.mail", "case.delete"),
    }
    assert READS - tried == {"account.export"}


def test_given_requests_and_revoked_keys_are_in_it_and_classes_are_not() -> None:
    scene = house()
    scene.set("ann", "away")
    request = scene.ask("carl")
    scene.ok(ops.CaseAssign("ann", request), at(TIM))
    scene.ok(ops.KeyCreate("pia"), PIA, prepared=people.made_key("k"))
    scene.ok(ops.KeyRevoke("k"), at(PIA))
    assert [(one.op, one.person, one.object) for one in audited(scene)] == [
        ("case.assign", "tim", request),
        ("key.revoke", "pia", "k"),
    ]
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], classes=[{"class": "vip", "boost_ms": 1000}]), MIA)
    waits = scene.ask("dora")
    scene.ok(ops.RequestClassify(waits, "vip"), at(ROBOT))
    assert len(audited(scene)) == 2


def test_changes_are_told_in_the_words_of_the_operation() -> None:
    scene = house()
    scene.ok(ops.ManagerPut("ted", "team", teams=["red"], name=personal("Ted")), at(MIA))
    assert audited(scene)[0].changes == (("name", None, None), ("teams", ["blue"], ["red"]))
    (_, told) = next(one for one in scene.told("audit") if one[0] == "audit.recorded")
    assert told["changes"] == [{"field": "name"}, {"field": "teams", "from": ["blue"], "to": ["red"]}]


def test_what_changes_nothing_is_not_in_it() -> None:
    scene = house()
    scene.ok(ops.ServicePut("robot", ["events", "audit", "classify", "why"]), at(MIA))
    scene.refused(ops.ManagerDelete("mia"), at(MIA))
    assert audited(scene) == []


def test_exports_and_other_peoples_sign_ins_are_in_it_and_other_reading_is_not() -> None:
    scene = house()
    scene.ok(ops.SignInList(), at(TIM))
    scene.ok(ops.SignInList("tim"), at(TIM))
    scene.ok(ops.AccountGet(), at(TIM))
    scene.ok(ops.KeyList(), at(MIA))
    scene.ok(ops.CaseList("help"), at(TIM))
    assert audited(scene) == []
    scene.ok(ops.SignInList("cy"), at(TIM))
    scene.ok(ops.AccountExport(), at(PIA))
    assert [(one.op, one.person, one.object) for one in audited(scene)] == [
        ("sign_in.list", "tim", "cy"),
        ("account.export", "pia", None),
    ]


def test_what_goes_on_at_the_desk_is_not_in_it_nor_what_nobody_says() -> None:
    scene = house()
    scene.ok(ops.PresenceSet("away"), at(ANN))
    scene.ok(ops.PasswordSet("x", "y"), at(ANN), prepared=people.hashed("x"))
    scene.ok(ops.TeamPut("new", []), MIA)  # it speaks from nowhere: a desk file
    assert audited(scene) == []


def test_the_operators_changes_are_in_it() -> None:
    scene = house()
    operator = Identity(ACCOUNT, "operator", Role.OPERATOR, network="local")
    scene.ok(ops.TeamPut("new", []), operator)
    assert [(one.person, one.role, one.network) for one in audited(scene)] == [("operator", "operator", "local")]


def test_no_secret_and_no_text_is_ever_in_it() -> None:
    scene = house()
    scene.ok(ops.PasswordSet("s3cret", person="ann"), at(MIA), prepared=people.hashed("argon"))
    scene.ok(ops.PasswordSet("s3cret", "0ld"), at(PIA), prepared=people.hashed("argon2"))
    made = scene.ok(ops.KeyCreate("robot"), at(MIA), prepared=people.made_key("key9"))
    assert made.secret == {"secret": "key9.secret"}
    assert "secret" not in made.value
    scene.ok(ops.ManagerPut("tom", "team", name=personal("Thomas"), email=personal("t@example.com")), at(MIA))
    packed = b"".join(pack_value(e.pack_body(record.event)) for record in scene.records)
    told = repr([scene.told(stream) for stream in ("audit", "account", "me:ann", "me:tom")])
    for word in ("s3cret", "0ld", "key9.secret", "Thomas", "t@example.com"):
        assert word.encode() not in packed
        assert word not in told


def test_what_is_no_operation_of_the_desk_can_be_told_and_refusals_counted() -> None:
    scene = house()
    scene.ok(c.Audit("mia", "manager", NETWORK, "request.why", "r_1"))
    scene.ok(c.CountRefusals((("tim", NETWORK, "2401", 3), (None, None, "2407", 1)), 5))
    assert scene.told("audit")[-2:] == [
        (
            "audit.recorded",
            {
                "person": "mia",
                "role": "manager",
                "network": NETWORK,
                "op": "request.why",
                "object": "r_1",
                "changes": [],
            },
        ),
        (
            "audit.refusals",
            {
                "rows": [
                    {"person": "tim", "network": NETWORK, "code": "2401", "count": 3},
                    {"code": "2407", "count": 1},
                ],
                "more": 5,
            },
        ),
    ]
