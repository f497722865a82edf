"""Managers and services: put, changed, shown, deleted; who may what is in ``test_rights``."""

from __future__ import annotations

import pytest

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk.identity import Identity, Role
from broker.desk.managers import shown_manager, shown_service
from broker.protocol import ops
from tests.support import people
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import desk, personal
from tests.support.people import MIA, PIA, house
from tests.support.scene import Scene


def put(*, changed: bool = True, scene: Scene, **fields: object) -> tuple[object, ...]:
    """Tom is put; what the event says has changed."""
    command = ops.ManagerPut("tom", **{"kind": "team", **fields})  # type: ignore[arg-type]
    handled = scene.ok(command, MIA)
    assert handled.value == {"manager": "tom", "changed": changed}
    events = [record.event for record in handled.records if isinstance(record.event, e.ManagerPut)]
    assert len(events) == changed
    return events[0].changes if events else ()


def test_a_manager_is_as_it_was_put_and_the_event_says_what_changed() -> None:
    scene = house()
    assert put(scene=scene, teams=["red", "red"], rights=["teams", "assign"]) == (
        ("kind", None, "team"),
        ("teams", None, ["red"]),
        ("rights", None, ["assign", "teams"]),
    )
    assert shown_manager(scene.desk.state.managers["tom"]) == {
        "manager": "tom",
        "kind": "team",
        "name": None,
        "email": None,
        "teams": ["red"],
        "rights": ["assign", "teams"],
    }
    assert put(scene=scene, teams=["red"], rights=["assign", "teams"], changed=False) == ()
    assert put(scene=scene, teams=["red"], rights=[]) == (("rights", ["assign", "teams"], []),)
    assert put(scene=scene, kind="account") == (("kind", "team", "account"), ("teams", ["red"], []))


def test_texts_stay_until_others_are_given_and_the_old_ones_are_erased() -> None:
    scene = house()
    put(scene=scene, name=personal("Tom", "c_1"), email=personal("tom@example.com", "c_2"))
    assert put(scene=scene, changed=False) == ()
    assert put(scene=scene, name=personal("Thomas", "c_3")) == (("name", None, None),)
    assert scene.desk.drain_erased() == ["c_1"]
    assert {"c_2", "c_3"} <= scene.desk.held_contents()
    scene.ok(ops.ManagerDelete("tom"), MIA)
    assert sorted(scene.desk.drain_erased()) == ["c_2", "c_3"]
    assert not {"c_2", "c_3"} & scene.desk.held_contents()


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (ops.ManagerPut("ann", "team"), "args.manager"),
        (ops.ManagerPut("tom", "team", teams=["red", "none"]), "args.teams[1]"),
        (ops.ManagerPut("tom", "account", teams=["red"]), "args.teams"),
        (ops.ManagerPut("tom", "api", teams=["red"]), "args.teams"),
        (ops.ManagerPut("tom", "team", rights=["teams", "portals"]), "args.rights[1]"),
        (ops.ServicePut("ann", []), "args.service"),
    ],
)
def test_what_is_wrong_is_named(command: object, path: str) -> None:
    assert (house().refused(command, MIA, Code.BAD_ARGS).detail or {})["path"] == path


def test_there_is_a_bound_on_managers_and_services(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = house()
    monkeypatch.setattr(limits, "MAX_MANAGERS", len(scene.desk.state.managers))
    monkeypatch.setattr(limits, "MAX_SERVICES", 1)
    scene.refused(ops.ManagerPut("tom", "team"), MIA, Code.QUOTA)
    scene.refused(ops.ServicePut("crm", []), MIA, Code.QUOTA)
    scene.ok(ops.ManagerPut("tim", "team"), MIA)
    scene.ok(ops.ServicePut("robot", []), MIA)


def test_who_is_not_there_is_not_deleted() -> None:
    scene = house()
    scene.refused(ops.ManagerDelete("robot"), MIA, Code.NO_SUCH)
    scene.refused(ops.ServiceDelete("tim"), MIA, Code.NO_SUCH)


def test_a_deleted_manager_is_nobody_at_once_and_its_stream_is_forgotten() -> None:
    scene = house()
    people.sign_in(scene, "tim", Role.MANAGER)
    assert scene.desk.knows(people.TIM)
    scene.ok(ops.ManagerDelete("tim"), MIA, "bye")
    assert not scene.desk.knows(people.TIM)
    assert scene.desk.stream_head("me:tim") == 0
    assert scene.desk.state.former["tim"].startswith("former-")
    (told,) = [data for kind, data in scene.told("account") if kind == "manager.deleted"]
    assert told == {"manager": "tim", "by": "mia", "former": scene.desk.state.former["tim"]}


def test_a_service_is_as_it_was_put_and_the_event_says_what_changed() -> None:
    scene = house()
    command = ops.ServicePut("crm", ["why", "events", "why"])
    assert scene.ok(command, MIA).value == {"service": "crm", "changed": True}
    assert shown_service(scene.desk.state.services["crm"]) == {"service": "crm", "scopes": ["events", "why"]}
    assert scene.ok(command, MIA).value == {"service": "crm", "changed": False}
    scene.ok(ops.ServicePut("crm", ["why"]), MIA)
    told = [data for kind, data in scene.told("me:crm") if kind == "service.changed"]
    assert told[-1]["changes"] == [{"field": "scopes", "from": ["events", "why"], "to": ["why"]}]
    scene.ok(ops.ServiceDelete("crm"), MIA)
    assert "crm" not in scene.desk.state.services
    assert not scene.desk.knows(Identity("acme", "crm", Role.SERVICE))


def test_a_deleted_team_is_managed_by_nobody_and_nobody_gets_what_was_beneath() -> None:
    scene = house()
    people.hire(scene, "tom", "team", teams=["blue", "red"])
    scene.ok(ops.TeamDelete("blue", "sky"), MIA)
    assert scene.desk.state.managers["tim"].teams == ()
    assert scene.desk.state.managers["tom"].teams == ("red",)
    assert not scene.desk.may_read(people.TIM, "team:sky")
    assert scene.ok(ops.AccountGet(), people.TIM).value["teams"] == []


def test_an_export_has_what_the_account_shows_and_the_addresses() -> None:
    scene = house()
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 2, email=personal("a@b.c", "c_mail")), MIA)
    shown, exported = scene.ok(ops.AccountGet(), PIA).value, scene.ok(ops.AccountExport(), PIA).value
    staff = exported["representatives"]
    assert isinstance(staff, list)
    assert [one.pop("email") for one in staff] == [personal("a@b.c", "c_mail").ref, None, None, None]
    managers = exported["managers"]
    assert isinstance(managers, list)
    assert [one.pop("email") for one in managers] == [None] * len(managers)
    assert exported == shown


def test_a_representative_with_management_reads_itself_and_nobody_else() -> None:
    scene = house()
    scene.refused(ops.AccountGet(), people.ANN, Code.NOT_ALLOWED)
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 2, management=True), MIA)
    value = scene.ok(ops.AccountGet(), people.ANN).value
    staff = value.pop("representatives") if isinstance(value, dict) else None
    assert isinstance(staff, list)
    assert [(one["representative"], one["team"], one["email"]) for one in staff] == [("ann", "blue", None)]
    assert {**value, "account": None} == {
        "account": None,
        "portals": [],
        "subportals": [],
        "teams": [],
        "managers": [],
        "services": [],
    }


def test_F21_managers_and_services_come_back_from_records_and_snapshots() -> None:
    scene = house()
    put(scene=scene, name=personal("Tom"), teams=["red"])
    scene.ok(ops.ManagerDelete("ted"), MIA)
    scene.ok(ops.ServiceDelete("robot"), MIA)
    same_desk(scene.desk, replay(desk(), [stored(record) for record in scene.records]))
    same_desk(scene.desk, reloaded(scene.desk))


def test_keys_end_with_the_kind_that_may_have_them() -> None:
    scene = house()
    scene.ok(ops.KeyCreate("pia"), MIA, prepared=people.made_key("k"))
    scene.ok(ops.ManagerPut("pia", "api", rights=[]), MIA)
    assert list(scene.desk.state.keys) == ["k"]
    scene.ok(ops.ManagerPut("pia", "account"), MIA)
    assert not scene.desk.state.keys
    (ended,) = [event for event in scene.events(e.KeyEnded) if isinstance(event, e.KeyEnded)]
    assert (ended.key, ended.person, ended.reason, ended.by) == ("k", "pia", "revoked", "mia")
    scene.ok(ops.ManagerPut("nat", "api"), MIA)
    scene.ok(ops.ManagerPut("nat", "team"), MIA)  # who has no key loses none
    assert len(scene.events(e.KeyEnded)) == 1


def test_links_to_an_address_are_worthless_once_there_is_another() -> None:
    scene = house()
    scene.ok(ops.ManagerPut("tim", "team", email=personal("tim@example.com", "c_1")), MIA)
    assert scene.desk.passwords_of("tim") == 0
    scene.ok(ops.ManagerPut("tim", "team", email=personal("tim@example.org", "c_2")), MIA)
    assert scene.desk.passwords_of("tim") == 1
