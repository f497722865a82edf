"""Configurations go through the schema's check and the desk's rules; changes to them too."""

# covers: broker/simulation/puts.py

import attrs
import pytest

from broker.desk.state import Subportal
from broker.protocol.ops import SubportalPut
from broker.simulation.puts import Change, Put, SettingError, parse_capacity, parse_set
from broker.simulation.setting import build, changed, configuration

PUTS = (
    Put("portal.put", {"portal": "p", "title": "Shop", "kind": "ask", "mode": "queue", "subportals": ["x", "y.z"]}),
    Put("subportal.put", {"subportal": "x", "weight": 3, "max_waiting": 50}),
    Put("team.put", {"team": "blue", "title": "Blue", "subportals": ["x", "y.z"]}),
    Put("representative.put", {"representative": "ann", "name": "Ann Alder", "team": "blue", "capacity": 2}),
)


def subportal(puts: tuple[Put, ...], name: str) -> Subportal:
    return build(puts, 0).state.subportals[name]


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("subportal.x.weight=2", Change("subportal", "x", "weight", 2)),
        ("subportal.y.z.policy=round_robin", Change("subportal", "y.z", "policy", "round_robin")),
        ('subportal.x.policy="round_robin"', Change("subportal", "x", "policy", "round_robin")),
        ("subportal.x.open=true", Change("subportal", "x", "open", True)),
        ("subportal.x.list=[1, 2]", Change("subportal", "x", "list", [1, 2])),
        ("subportal.x.empty=", Change("subportal", "x", "empty", "")),
    ],
)
def test_a_change_is_read_as_it_is_written(text: str, change: Change) -> None:
    assert parse_set(text) == change


@pytest.mark.parametrize(
    "text", ["", "x", "subportal.x=2", "team.blue.title=x", "subportal..weight=2", "subportal.x.weight"]
)
def test_what_is_no_change_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected subportal\.NAME\.FIELD=VALUE"):
        parse_set(text)


def test_a_change_is_told_as_a_machine_would_write_it() -> None:
    assert str(parse_set("subportal.x.policy=round_robin")) == "subportal.x.policy=round_robin"
    told = str(parse_set('subportal.x.overflow=[{on = "wait", after_ms = 9}]'))
    assert told == 'subportal.x.overflow=[{"on": "wait", "after_ms": 9}]'


def test_a_capacity_is_a_change_too() -> None:
    assert str(parse_capacity("ann=3")) == "representative.ann.capacity=3"
    for wrong in ("", "ann", "=3", "ann=", "ann=x", "ann=-1"):
        with pytest.raises(ValueError, match="expected REPRESENTATIVE=NUMBER"):
            parse_capacity(wrong)


def test_a_change_leaves_the_other_fields_as_they_were() -> None:
    after = subportal(changed(PUTS, [parse_set("subportal.x.policy=longest_idle")]), "x")
    assert (after.weight, after.policy, after.max_waiting) == (3, "longest_idle", 50)


def test_several_changes_of_one_sub_portal_add_up() -> None:
    changes = [parse_set("subportal.x.weight=5"), parse_set("subportal.x.max_waiting=7"), parse_capacity("ann=4")]
    puts = changed(PUTS, changes)
    assert (subportal(puts, "x").weight, subportal(puts, "x").max_waiting) == (5, 7)
    assert build(puts, 0).state.representatives["ann"].capacity == 4


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (parse_set("subportal.x.weight=0"), "args.weight: expected an int from 1 to 100"),
        (parse_set("subportal.x.weight=heavy"), "args.weight: expected an int from 1 to 100"),
        (parse_set("subportal.x.policy=alphabetical"), "args.policy: expected one of least_occupied, longest_idle"),
        (parse_set("subportal.x.wait=3"), "subportal.put has no field wait; it has"),
        (parse_set("subportal.x.subportal=3"), "subportal.put has no field subportal"),
        (parse_set("subportal.nope.weight=3"), "there is no subportal nope"),
        (parse_capacity("ann=0"), "args.capacity: expected an int from 1"),
        (parse_capacity("bo=1"), "there is no representative bo"),
    ],
)
def test_a_bad_change_gets_the_operation_s_own_words(change: Change, told: str) -> None:
    with pytest.raises(SettingError) as caught:
        changed(PUTS, [change])
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"{change}: ")


def test_each_field_of_the_operation_can_be_set() -> None:
    known = {field.name for field in attrs.fields(SubportalPut)} - {"subportal"}
    shown = next(put.args for put in configuration(build(PUTS, 0)) if put.op == "subportal.put")
    for name in sorted(known & shown.keys()):
        changed(PUTS, [Change("subportal", "x", name, shown[name])])


def test_what_account_get_says_builds_the_same_desk_again() -> None:
    once = configuration(build(PUTS, 0))
    assert configuration(build(once, 5)) == once
    assert "Ann Alder" not in str(once)


def test_what_the_desk_refuses_is_told() -> None:
    with pytest.raises(
        SettingError, match=r"^team\.put red: args\.subportals\[0\]: expected the name of a sub-portal$"
    ):
        build([Put("team.put", {"team": "red", "subportals": ["nope"]})], 0)
