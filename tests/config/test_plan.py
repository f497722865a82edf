"""What would make an account be as its file has it: not too much, not too little, and in an order that works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.config import ConfigError
from broker.config.desk import Put, parse_desk
from broker.config.export import puts_of
from broker.config.plan import UNTOLD, Plan, Step, plan
from broker.desk.desk import Desk
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Handled
from broker.desk.publish import resolve
from broker.ids import ENTROPY_BYTES
from broker.protocol import check
from broker.protocol.ops import AccountExport, AccountGet
from broker.routing.pins import PinSpace
from tests.support.desk_file import FILE


class Account:
    """A desk that is asked as a broker would be, and keeps texts apart."""

    def __init__(self) -> None:
        self.desk = Desk("acme", 0, PinSpace(bytes(16)))
        self.texts: dict[str, str] = {}
        self.count = 0

    def ask(self, op: str, args: Mapping[str, Any], person: str = "boss") -> object:
        """Whatever the desk says."""
        command = check.parse(op, args)
        for text in check.personal_fields(command):
            self.count += 1
            prefix = "c_" if text.data is None else "d_"
            text.seal(f"{prefix}{self.count}", bytes(16))
            self.texts[text.ref[0]] = text.text
        self.count += 1
        entropy = self.count.to_bytes(ENTROPY_BYTES, "big")
        return self.desk.handle(command, Identity("acme", person, Role.MANAGER), 0, entropy)

    def apply(self, found: Plan, person: str = "boss") -> None:
        """Each stage backwards: its steps may come in any order."""
        for stage in found.stages:
            for step in reversed(stage):
                outcome = self.ask(step.op, step.args, person)
                assert isinstance(outcome, Handled), (step, outcome)
                assert outcome.records, step

    def export(self) -> Mapping[str, Any]:
        """As an API manager reads it."""
        robot = Identity("acme", "operator", Role.OPERATOR)
        handled = self.desk.handle(AccountExport(), robot, 0, bytes(ENTROPY_BYTES))
        assert isinstance(handled, Handled)
        return resolve(handled.value, self.texts.get)  # type: ignore[return-value]  # a map stays one

    def get(self) -> Mapping[str, Any]:
        """As an account manager reads it."""
        handled = self.desk.handle(AccountGet(), Identity("acme", "boss", Role.MANAGER), 0, bytes(ENTROPY_BYTES))
        assert isinstance(handled, Handled)
        return resolve(handled.value, self.texts.get)  # type: ignore[return-value]  # the same


def puts(text: str = FILE) -> tuple[Put, ...]:
    return parse_desk(text, "desk.toml")


def compare(
    account: Account, wanted: Sequence[Put], person: str = "boss", *, prune: bool = False, told: Any = None
) -> Plan:
    told = account.export() if told is None else told
    return plan(told, wanted, account="acme", person=person, prune=prune, source="desk.toml")


def there(text: str = FILE) -> Account:
    """An account as the file has it."""
    account = Account()
    account.apply(compare(account, puts(text)))
    return account


def said(found: Plan) -> list[str]:
    return [f"{step.sign} {step.kind} {step.name}" for step in found.steps]


def test_what_an_empty_account_lacks_is_everything_and_then_nothing() -> None:
    account = Account()
    found = compare(account, puts())
    assert said(found) == [
        "+ portal help",
        "~ subportal orders",
        "+ team first",
        "+ team night",
        "+ representative ann",
        "+ service crm",
        "+ manager robot",
        "+ manager tim",
        "+ manager boss",
    ]
    account.apply(found)
    assert compare(account, puts()).stages == ()
    assert compare(account, puts(), "robot").stages == ()


def test_what_was_exported_makes_the_same_account_and_changes_nothing_where_it_came_from() -> None:
    account, other = there(), Account()
    exported = puts_of(account.export())
    assert compare(account, exported).stages == ()
    other.apply(compare(other, exported))
    assert other.export() == account.export()


@pytest.mark.parametrize(
    ("old", "new", "name", "changes"),
    [
        ("Ann Alder", "Anna Alder", "representative ann", [("name", None, None)]),
        ("ann@example.org", "anna@example.org", "representative ann", [("email", None, None)]),
        ("capacity = 2", "capacity = 3", "representative ann", [("capacity", 2, 3)]),
        ('title = "Help"', 'title = "Support"', "portal help", [("title", None, None)]),
        ('label = "Order"', 'label = "Number"', "portal help", [("form", None, None)]),
        ("weight = 2", "weight = 3", "subportal orders", [("weight", 2, 3)]),
        ("weight = 2\n", "", "subportal orders", [("weight", 2, 1)]),
        ('name = "Bo Ss"', 'name = "Bo"', "manager boss", [("name", None, None)]),
        ('["audit"]', '["events"]', "service crm", [("scopes", ["audit"], ["events"])]),
        (
            "recording = true",
            "recording = false",
            "team first",
            [("functions", {"recording": True}, {"recording": False})],
        ),
    ],
)
def test_one_difference_is_one_step_that_says_so(old: str, new: str, name: str, changes: list[object]) -> None:
    account, wanted = there(), FILE.replace(old, new, 1)
    assert wanted != FILE
    (step,) = compare(account, puts(wanted)).steps
    assert f"{step.kind} {step.name}" == name
    assert step.sign == "~"
    assert [attrs.astuple(change) for change in step.changes] == changes
    account.apply(compare(account, puts(wanted)))
    assert compare(account, puts(wanted)).stages == ()


def test_what_the_file_does_not_name_stays_without_prune_and_goes_with_it() -> None:
    account = there()
    less = puts(
        FILE[: FILE.index("[[representative]]")] + FILE[FILE.index("[[manager]]") : FILE.index('manager = "tim"') - 13]
    )
    assert compare(account, less).stages == ()
    found = compare(account, less, prune=True)
    assert said(found) == ["- representative ann", "- service crm", "- manager tim"]
    account.apply(found)
    assert compare(account, less, prune=True).stages == ()


def test_prune_keeps_the_asker_and_the_last_account_manager() -> None:
    account = there()
    found = compare(account, (), prune=True)
    assert "- manager boss" not in said(found)
    assert found.notes == ("manager boss stays: it is you",)
    assert said(found)[-3:] == ["- team night", "- team first", "- portal help"], "sub-teams before their parents"
    second = FILE + '[[manager]]\nmanager = "eve"\nkind = "account"\n'
    account = there(second)
    assert "- manager eve" in said(compare(account, puts(), prune=True))


def test_a_prune_of_the_last_account_manager_by_another_is_left_out_and_told() -> None:
    account = there()
    people = [put for put in puts() if put.op != "manager.put" or put.args["manager"] == "robot"]
    with pytest.raises(ConfigError, match=r"manager tim can't be deleted: manager\.delete is for account manager"):
        compare(account, people, "robot", prune=True)
    kept = [*people, *(put for put in puts() if put.args.get("manager") == "tim")]
    found = compare(account, kept, "robot", prune=True)
    assert found.stages == ()
    assert found.notes[0].startswith("manager boss stays: an account keeps one account manager")


def test_only_what_changes_takes_a_right() -> None:
    account = there()
    assert compare(account, puts(), "robot").stages == ()
    assert said(compare(account, puts(FILE.replace("capacity = 2", "capacity = 3")), "robot"))
    with pytest.raises(ConfigError, match=r"service\[0\]: service\.put is for account manager, not for an API manager"):
        compare(account, puts(FILE.replace('["audit"]', '["events"]')), "robot")
    with pytest.raises(ConfigError, match="you are nobody here any more"):
        compare(account, puts(FILE.replace('["audit"]', '["events"]')), "mallory")


def test_an_order_that_works_is_found_whatever_the_file_has() -> None:
    """A sub-portal moves to another portal, the account loses a mode, and a team becomes its parent's parent."""
    before = """
[[portal]]
portal = "a"
kind = "ask"
mode = "web"
subportals = ["x", "y"]
[[portal]]
portal = "b"
kind = "ask"
mode = "queue"
subportals = ["z"]
[[team]]
team = "one"
subportals = []
[[team]]
team = "two"
subportals = []
parent = "one"
[[manager]]
manager = "boss"
kind = "account"
"""
    after = """
[account]
modes = ["queue"]
[[portal]]
portal = "b"
kind = "ask"
mode = "queue"
subportals = ["z", "x"]
[[portal]]
portal = "a"
kind = "ask"
mode = "queue"
subportals = ["y"]
[[team]]
team = "one"
subportals = []
parent = "two"
[[team]]
team = "two"
subportals = []
[[manager]]
manager = "boss"
kind = "account"
"""
    account = there(before)
    found = compare(account, puts(after))
    assert said(found) == ["~ portal a", "~ team two", "~ team one", "~ account ", "~ portal b"]
    account.apply(found)
    assert compare(account, puts(after)).stages == ()


REPLIES = """
[[reply]]
team = "night"
reply = "hello"
text = "Good night"

[[reply]]
team = "first"
reply = "hello"
title = "Hello"
texts = { en = "Hello", de = "Hallo" }
"""


def test_E12_replies_are_compared_by_team_and_name_and_go_with_their_team() -> None:
    account = there(FILE + REPLIES)
    assert compare(account, puts(FILE + REPLIES)).stages == ()
    assert puts_of(account.export())[-6].args == {"team": "night", "reply": "hello", "text": "Good night"}
    (step,) = compare(account, puts(FILE + REPLIES.replace("Hallo", "Servus"))).steps
    assert (step.sign, step.kind, step.name) == ("~", "reply", "first/hello")
    assert [attrs.astuple(change) for change in step.changes] == [("texts", None, None)]
    assert compare(account, puts()).stages == ()
    assert said(compare(account, puts(), prune=True)) == ["- reply first/hello", "- reply night/hello"]
    alone = FILE[: FILE.index('[[team]]\nteam = "night')] + FILE[FILE.index("[[service]]") :]
    assert said(compare(account, puts(alone), prune=True))[-2:] == ["- team night", "- reply first/hello"]


def test_what_can_not_be_is_named_with_its_place() -> None:
    account = there()
    wanted = (*puts(FILE), Put("team.put", {"team": "night", "subportals": [], "parent": "nowhere"}, "team[9]"))
    with pytest.raises(ConfigError, match=r"desk\.toml: team\[9\]\.parent: expected the name of a team"):
        compare(account, wanted)


def test_addresses_that_were_not_told_stay_as_they_are() -> None:
    account = there()
    other = puts(FILE.replace("ann@example.org", "other@example.org").replace("capacity = 2", "capacity = 3"))
    found = compare(account, other, told=account.get())
    assert [step.args.get("email") for step in found.steps] == [None]
    assert found.notes == (UNTOLD,)
    account.apply(found)
    assert account.export()["representatives"][0]["email"] == "ann@example.org"


def test_the_installations_own_default_is_the_default() -> None:
    told = {"defaults": {"offer_ms": 33_000}, "portals": [], "managers": [{"manager": "boss", "kind": "account"}]}
    (wanted,) = puts('[[portal]]\nportal = "p"\nkind = "ask"\nmode = "queue"\nsubportals = ["s"]\n')
    portal = {**wanted.args, "offer_ms": 33_000}
    assert plan({**told, "portals": [portal]}, [wanted], account="acme", person="boss", source="f").stages == ()
    (step,) = plan(
        {**told, "portals": [{**portal, "offer_ms": 1000}]}, [wanted], account="acme", person="boss", source="f"
    ).steps
    assert [attrs.astuple(change) for change in step.changes] == [("offer_ms", 1000, 33_000)]


def test_an_account_that_this_release_would_refuse_is_said_to_be_so() -> None:
    broken = {"teams": [{"team": "t", "subportals": ["nowhere"]}]}
    with pytest.raises(ConfigError, match=r"account acme: team\[0\]\.subportals\[0\]: expected"):
        plan(broken, (), account="acme", person="boss", source="f")


# --- any account, any file ------------------------------------------------------------------------------

_slugs = st.sampled_from(["a", "b", "c", "d"])


@st.composite
def files(draw: st.DrawFn) -> tuple[Put, ...]:
    """A small file that stands by itself."""
    portals = draw(st.lists(_slugs, unique=True, max_size=2))
    served = [f"{name}-{number}" for name in portals for number in range(draw(st.integers(1, 2)))]
    found = [
        Put("portal.put", {"portal": name, "kind": "ask", "mode": draw(st.sampled_from(["queue", "web"])),
         "subportals": [one for one in served if one.startswith(name)]}, f"portal {name}")
        for name in portals
    ]  # fmt: skip
    teams = draw(st.lists(_slugs, unique=True, max_size=4))
    for number, name in enumerate(teams):
        parent = draw(st.sampled_from([None, *teams[:number]]))
        given = draw(st.lists(st.sampled_from(served), unique=True, max_size=2)) if served else []
        args = {"team": name, "subportals": given} | ({} if parent is None else {"parent": parent})
        found.append(Put("team.put", args, f"team {name}"))
    for name in teams:
        for slug in draw(st.lists(st.sampled_from(["hi", "ho"]), unique=True)):
            said: dict[str, Any] = draw(
                st.sampled_from([{"text": "A"}, {"text": "B", "title": "T"}, {"texts": {"en": "A"}}])
            )
            found.append(Put("reply.put", {"team": name, "reply": slug, **said}, f"reply {name}/{slug}"))
    if teams:
        for name in draw(st.lists(st.sampled_from(["r1", "r2", "r3"]), unique=True)):
            team, places, called = draw(st.tuples(st.sampled_from(teams), st.integers(1, 2), st.sampled_from("AB")))
            given_args: dict[str, object] = {"representative": name, "name": called, "team": team, "capacity": places}
            found.append(Put("representative.put", given_args, f"representative {name}"))
    found.append(Put("manager.put", {"manager": "boss", "kind": "account"}, "manager boss"))
    return tuple(found)


@given(files(), files())
def test_any_account_becomes_any_file_and_stays(first: tuple[Put, ...], second: tuple[Put, ...]) -> None:
    account = Account()
    account.apply(compare(account, first, prune=True))
    kept = {put.args["representative"] for put in second if put.op == "representative.put"}
    found = compare(account, second, prune=True)
    account.apply(found)
    assert compare(account, second, prune=True).stages == ()
    other = Account()
    other.apply(compare(other, second))
    assert puts_of(account.export()) == puts_of(other.export())
    assert {one["representative"] for one in account.export()["representatives"]} == kept


def test_a_plan_that_leaves_a_step_out_is_noticed() -> None:
    """The property above would catch it: what is planned is what differs."""
    account = Account()
    found = compare(account, puts())
    fewer = attrs.evolve(found, stages=found.stages[:-1])
    account.apply(fewer)
    assert said(compare(account, puts())) == ["+ manager boss"]


def test_the_demo_applies_to_itself() -> None:
    text = (Path(__file__).parents[2] / "broker/demo/desk.toml").read_text(encoding="utf-8")
    boss = Put("manager.put", {"manager": "boss", "kind": "account"}, "manager[0]")
    account, wanted = Account(), (*puts(text), boss)
    account.apply(compare(account, wanted))
    assert compare(account, wanted).stages == ()
    assert isinstance(compare(account, (), prune=True).steps[0], Step)
