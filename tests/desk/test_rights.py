"""The gate: roles against operations, and who may read which stream."""

from __future__ import annotations

import itertools

import pytest

from broker.codes import Code
from broker.desk.desk import RULES
from broker.desk.identity import Identity, Role
from broker.desk.rights import role_may
from broker.protocol import ops, schema
from tests.support.builders import ACCOUNT, customer, manager, offer_id, representative, session_id
from tests.support.scene import Scene, office

OPS = schema.load()["ops"]
SERVICE = Identity(ACCOUNT, "robot", Role.SERVICE)


@pytest.mark.parametrize(("op", "role"), list(itertools.product(sorted(ops.OPS), Role)))
def test_a_role_may_ask_for_what_the_schema_says_and_nothing_else(op: str, role: Role) -> None:
    assert isinstance(OPS, dict)
    identity = Identity(ACCOUNT, "x", role, "help")
    allowed = role.value in OPS[op]["roles"]
    reason = role_may(identity, op)
    assert (reason is None) == allowed
    scene = office("ann")
    made = ops.OPS[op]
    if not allowed:
        assert op in (reason or "")
        if made in RULES:
            empty = made.__new__(made)  # its arguments don't matter: the gate comes first
            scene.refused(empty, identity, Code.NOT_ALLOWED)


READERS = {
    "me:ann": {"ann"},
    "me:v_carl": {"carl"},
    "account": {"mia", "robot"},
    "account:x": set[str](),
    "team:blue": {"mia"},
    "team:none": set[str](),
    "subportal:help": {"mia", "ann", "bo"},
    "subportal:other": {"mia", "di"},
    "subportal:none": set[str](),
    "session:live": {"ann", "carl"},
    "session:over": {"bo", "cora"},
    "session:none": set[str](),
    "audit": set[str](),
    "": set[str](),
}


def cast() -> tuple[Scene, dict[str, Identity]]:
    scene = office("ann", "bo", kind="ask", mode="web")
    scene.portal("other", "ask", "web")
    scene.team("red", "other")
    scene.staff("red", "di")
    scene.staff("blue", "out", presence="offline")
    scene.assign("carl", "ann")
    scene.end(scene.assign("cora", "bo"))
    people = {name: representative(name) for name in ("ann", "bo", "di", "out", "nobody")}
    people |= {name: customer(name) for name in ("carl", "cora", "eve")}
    return scene, people | {"mia": manager(), "robot": SERVICE}


@pytest.mark.parametrize("stream", list(READERS))
def test_a_stream_is_read_by_those_it_is_for(stream: str) -> None:
    scene, people = cast()
    place = stream.replace("session:live", f"session:{session_id('carl')}")
    place = place.replace("session:over", f"session:{session_id('cora')}")
    readers = {name for name, identity in people.items() if scene.desk.may_read(identity, place)}
    assert readers == READERS[stream]


def test_a_representative_who_signs_out_reads_no_sub_portal() -> None:
    scene, people = cast()
    scene.set("bo", "away")
    assert scene.desk.may_read(people["bo"], "subportal:help")
    scene.set("bo", "offline")
    assert not scene.desk.may_read(people["bo"], "subportal:help")


def test_a_customer_never_reads_as_somebody_else_of_the_same_name() -> None:
    scene, _ = cast()
    scene.ask("eve")
    scene.accept(offer_id("eve"), "bo")
    disguised = Identity(ACCOUNT, "bo", Role.CUSTOMER, "help")
    assert not scene.desk.may_read(disguised, f"session:{session_id('eve')}")
    assert not scene.desk.may_read(Identity(ACCOUNT, "v_eve", Role.REPRESENTATIVE), f"session:{session_id('eve')}")
    assert not scene.desk.may_read(Identity(ACCOUNT, "v_eve", Role.MANAGER), f"session:{session_id('eve')}")
