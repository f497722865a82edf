"""The gate: every operation for every kind of person within and outside of its scope; who may read which stream."""

# covers: broker/desk/grants.py

from __future__ import annotations

import itertools

import attrs
import pytest

from broker.codes import Code
from broker.desk import grants
from broker.desk.grants import GRANTABLE, KINDS, NAMES, NOTHING, RIGHTS, TEAM_RIGHTS, Actor, Grant, Scope, Target, may
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Handled
from broker.desk.rights import AT_ONCE, TOUCHES, actor, refuse, role_may, weigh
from broker.desk.rules import RULES
from broker.protocol import ops, schema
from broker.protocol.check import ROLES
from tests.support import people
from tests.support.builders import (
    ACCOUNT,
    block_id,
    case_id,
    customer,
    manager,
    offer_id,
    personal,
    representative,
    session_id,
)
from tests.support.people import ANN, CY, DI, ED, MIA, PIA, ROBOT, TED, TIM, house
from tests.support.scene import Scene, office

Patch = pytest.MonkeyPatch

OPS = schema.load()["ops"]
OPERATOR = Identity(ACCOUNT, "operator", Role.OPERATOR)

# --- the table, a second time ------------------------------------------------------------------------

LETTERS = {
    "c": "customer",
    "r": "representative",
    "m": "self_managing",
    "A": "account_manager",
    "T": "team_manager",
    "P": "api_manager",
    "S": "service",
}
TABLE = """
portal.open           c:party
request.create        c:party
request.pick          c:party
request.withdraw      c:party
request.convert       c:party
pin.redeem            c:party
share.accept          c:party
share.confirm         c:party
share.decline         c:party
share.stop            c:party r:party m:party
share.join            c:party r:party m:party
share.started         c:party r:party m:party
share.control         c:party
session.end           c:party r:party m:party
file.begin            c:party r:party m:party
file.chunk            c:party r:party m:party
file.finish           c:party r:party m:party
file.cancel           c:party r:party m:party
file.get              c:party r:party m:party A:account T:party
file.list             c:party r:party m:party A:account T:party
presence.set          r:party m:party
offer.accept          r:party m:party
offer.decline         r:party m:party
pin.create            r:party m:party
pin.revoke            r:party m:party
pin.list              r:party m:party
session.leave         r:party m:party
chat.send             c:party r:party m:party
chat.typing           c:party r:party m:party
chat.read             c:party r:party m:party
note.add              r:party m:party
session.outcome       r:party m:party
session.rate          c:party
session.describe      c:party
session.transfer      r:party m:party
session.invite        r:party m:party
session.remove        r:party m:party
session.monitor       A:account T:teams/monitor
session.monitor_end   A:party T:party
offer.revoke          r:party m:party
share.request         r:party m:party
share.ask_control     r:party m:party
share.reboot          r:party m:party
wrap_up.end           r:party m:party
case.take             r:party m:party
case.list             r:party m:party A:account T:teams
case.assign           A:account T:teams/assign
case.resolve          r:party m:party A:account T:teams/assign
case.reopen           r:party m:party A:account T:teams/assign
case.mail             r:party m:party A:account T:teams/assign
case.get              r:party m:party A:account T:teams
case.search           r:party m:party A:account T:teams
case.delete           A:account
cases.seen            r:party m:party
customer.export       A:account
request.classify      A:account T:teams/assign S:account/classify
transcript.get        c:party r:party m:party A:account T:teams/transcripts
request.why           A:account S:account/why
account.get           m:self A:account T:teams P:account
account.export        P:account
account.put           A:account
function.effective    r:self m:self A:account T:teams P:account S:account/events
portal.put            A:account P:account/portals
portal.delete         A:account P:account/portals
subportal.put         A:account P:account/portals
team.put              A:account T:teams/teams P:account
team.delete           A:account T:teams/teams P:account
reply.put             A:account T:teams/teams P:account
reply.delete          A:account T:teams/teams P:account
reply.list            r:party m:party A:account T:teams P:account
representative.put    A:account T:teams/representatives P:account
representative.delete A:account T:teams/representatives P:account
manager.put           A:account
manager.delete        A:account
service.put           A:account
service.delete        A:account
password.set          r:self m:self A:account T:teams_or_self/representatives P:self
password.link         A:account T:teams/representatives P:account
sign_in.list          r:self m:self A:account T:teams_or_self/sign_ins P:self S:self
sign_in.end           r:self m:self A:account T:teams_or_self/sign_ins P:self S:self
key.create            A:account P:self
key.revoke            A:account P:self
key.list              A:account P:self
visitor.block         A:account T:teams/block
block.end             A:account T:teams/block
block.list            A:account T:teams/block
auth.refresh          c:self r:self m:self A:self T:self P:self S:self
subscribe             c:party r:party m:party A:party T:party P:party S:party
unsubscribe           c:self r:self m:self A:self T:self P:self S:self
meta.schema           c:self r:self m:self A:self T:self P:self S:self
"""
ROLE_OF = {
    "customer": "customer",
    "representative": "representative",
    "self_managing": "representative",
    "account_manager": "manager",
    "team_manager": "manager",
    "api_manager": "manager",
    "service": "service",
}


def written() -> dict[str, dict[str, tuple[str, str | None]]]:
    """The table above: operation to kind to scope and right."""
    table: dict[str, dict[str, tuple[str, str | None]]] = {}
    for line in TABLE.strip().splitlines():
        op, *cells = line.split()
        table[op] = {}
        for cell in cells:
            letter, _, grant = cell.partition(":")
            scope, _, right = grant.partition("/")
            table[op][LETTERS[letter]] = (scope, right or None)
    return table


def differences() -> list[str]:
    """Operations whose row isn't the one written above."""
    table = written()
    made = {op: {kind: (grant.scope.value, grant.right) for kind, grant in row.items()} for op, row in RIGHTS.items()}
    return sorted(op for op in table.keys() | made.keys() if table.get(op) != made.get(op))


def test_the_table_is_the_one_that_was_thought_through() -> None:
    assert differences() == []


def test_every_operation_has_a_row_and_every_row_is_an_operations() -> None:
    assert isinstance(OPS, dict)
    assert set(RIGHTS) == set(ops.OPS) == set(OPS)


def test_a_widened_a_narrowed_and_a_missing_row_are_noticed(monkeypatch: Patch) -> None:
    monkeypatch.setitem(RIGHTS, "manager.put", {**RIGHTS["manager.put"], "team_manager": Grant(Scope.TEAMS)})
    monkeypatch.setitem(RIGHTS, "case.assign", {"account_manager": Grant(Scope.ACCOUNT)})
    monkeypatch.setitem(RIGHTS, "team.put", {**RIGHTS["team.put"], "team_manager": Grant(Scope.TEAMS)})
    monkeypatch.delitem(RIGHTS, "meta.schema")
    assert differences() == ["case.assign", "manager.put", "meta.schema", "team.put"]
    assert set(RIGHTS) != set(ops.OPS)


@pytest.mark.parametrize("op", sorted(ops.OPS))
def test_the_roles_that_the_schema_names_are_those_of_the_kinds_in_the_row(op: str) -> None:
    assert {ROLE_OF[kind] for kind in RIGHTS[op]} == set(ROLES[op])


def test_kinds_have_names_and_rights_are_those_that_the_schema_knows() -> None:
    assert tuple(NAMES) == KINDS == tuple(ROLE_OF)
    assert isinstance(OPS, dict)
    grantable = {right for rights in GRANTABLE.values() for right in rights}
    assert set(OPS["manager.put"]["args"]["rights"]["of"]["values"]) == grantable
    assert list(OPS["manager.put"]["args"]["kind"]["values"]) == list(GRANTABLE)
    assert tuple(OPS["service.put"]["args"]["scopes"]["of"]["values"]) == grants.SCOPES
    needed = {grant.right for row in RIGHTS.values() for grant in row.values()} - {None}
    assert needed - set(grants.SCOPES) <= grantable


# --- the whole square --------------------------------------------------------------------------------

EVERY = frozenset((*TEAM_RIGHTS, "portals", "api_managers", *grants.SCOPES))
SQUARE = list(itertools.product(sorted(ops.OPS), KINDS))


def somebody(kind: str, rights: frozenset[str] = EVERY) -> Actor:
    return Actor(kind, "me", frozenset({"in"}), frozenset({"in"}), rights)


def says(reason: str | None, op: str, *words: str) -> None:
    """It says no, to what, and what is missing."""
    assert reason is not None
    assert reason.startswith(op)
    for word in words:
        assert word in reason


WITHIN = Target(frozenset({"in"}), frozenset({"in"}), "other")
BEYOND = Target(frozenset({"in", "out"}), frozenset({"in"}), "other")
ELSEWHERE = Target(frozenset({"in"}), frozenset({"in", "out"}), "other")
ITSELF = Target(frozenset({"out"}), frozenset(), "me")


@pytest.mark.parametrize(("op", "kind"), SQUARE)
def test_within_its_scope_everybody_may_what_the_table_says(op: str, kind: str) -> None:
    scope, _ = written()[op].get(kind, (None, None))
    who = somebody(kind)
    if scope is None:
        for target in (WITHIN, BEYOND, ITSELF, NOTHING):
            says(may(who, op, target), op, NAMES[kind], " or ".join(NAMES[one] for one in KINDS if one in RIGHTS[op]))
        return
    assert may(who, op) is None
    assert may(who, op, ITSELF if scope == "self" else WITHIN) is None


@pytest.mark.parametrize(("op", "kind"), SQUARE)
def test_beyond_its_scope_nobody_may_anything(op: str, kind: str) -> None:
    scope, _ = written()[op].get(kind, (None, None))
    who = somebody(kind)
    if scope in ("teams", "teams_or_self"):
        says(may(who, op, BEYOND), op, "within a team that you manage")
        says(may(who, op, ELSEWHERE), op, "sub-portal that your teams serve")
        assert "out" not in (may(who, op, BEYOND) or "").split()
    elif scope == "self":
        says(may(who, op, WITHIN), op, "for yourself only")
    elif scope is not None:
        assert may(who, op, BEYOND) is None
    if scope == "teams_or_self":
        assert may(who, op, ITSELF) is None


@pytest.mark.parametrize(("op", "kind"), SQUARE)
def test_without_the_right_nobody_may_what_needs_one(op: str, kind: str) -> None:
    scope, right = written()[op].get(kind, (None, None))
    who = somebody(kind, EVERY - {right or ""})
    if right is not None:
        says(may(who, op, WITHIN), op, NAMES[kind], right)
        assert (may(who, op, ITSELF) is None) == (scope == "teams_or_self")
    elif scope is not None and scope != "self":
        assert may(somebody(kind, frozenset()), op, WITHIN) is None


@pytest.mark.parametrize("op", sorted(ops.OPS))
def test_what_the_arguments_need_on_top_is_needed_too_but_of_oneself(op: str) -> None:
    who = somebody("account_manager", frozenset())
    if "account_manager" in RIGHTS[op]:
        needing = attrs.evolve(ITSELF, person="other", rights=frozenset({"api_managers"}))
        assert "api_managers" in (may(who, op, needing) or "") or RIGHTS[op]["account_manager"].scope is Scope.SELF
        assert may(who, op, attrs.evolve(needing, person="me")) is None


@pytest.mark.parametrize("op", sorted(ops.OPS))
def test_the_operator_may_what_account_and_api_managers_may(op: str) -> None:
    allowed = bool({"account_manager", "api_manager"} & written()[op].keys())
    reason = may(Actor("operator", "operator"), op)
    assert (reason is None) == allowed
    if not allowed:
        says(reason, op)


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
        if made in RULES and role is not Role.OPERATOR:  # who comes by no connection, so not through the coarse gate
            empty = made.__new__(made)  # its arguments don't matter: the gate comes first
            scene.refused(empty, identity, Code.NOT_ALLOWED)


# --- through the desk --------------------------------------------------------------------------------

ANNA, DIANA = personal("Anna"), personal("Diana")
REQUESTS = {name: f"r_{session_id(name)[2:]}" for name in ("carl", "kim")}
CASES: list[tuple[str | None, object, object]] = [
    # the right that a team manager needs, what it may do with it, and what it may not
    (None, ops.CaseList("help"), ops.CaseList("other")),
    (None, ops.CaseList("side"), ops.CaseList("nowhere")),
    (None, ops.AccountGet(), None),
    (None, ops.FunctionEffective("ann", "help"), ops.FunctionEffective("di", "help")),
    ("assign", ops.CaseAssign("ann", REQUESTS["carl"]), ops.CaseAssign("di", REQUESTS["kim"])),
    ("assign", ops.CaseAssign("ann", REQUESTS["carl"]), ops.CaseAssign("di", REQUESTS["carl"])),
    ("assign", ops.CaseAssign("ann", REQUESTS["carl"]), ops.CaseAssign("ann", REQUESTS["kim"])),
    ("assign", ops.CaseAssign("ann", REQUESTS["carl"]), ops.CaseAssign("ann", "r_none")),
    ("assign", ops.CaseResolve(case_id("old")), ops.CaseResolve(case_id("kim"))),
    ("assign", ops.CaseResolve(case_id("old")), ops.CaseResolve("k_none")),
    ("assign", ops.CaseReopen(case_id("gone")), ops.CaseReopen(case_id("kim"))),
    ("assign", ops.CaseMail(case_id("old"), personal("Hello")), ops.CaseMail(case_id("kim"), personal("Hello"))),
    (
        "assign",
        ops.RequestClassify(REQUESTS["carl"], "normal"),
        ops.RequestClassify(REQUESTS["kim"], "normal"),
    ),
    (None, ops.ReplyList(), None),
    (None, ops.ReplyList("help"), ops.ReplyList("other")),
    ("teams", ops.ReplyDelete("sky", "bye"), ops.ReplyDelete("red", "bye")),
    ("teams", ops.ReplyPut("sky", "hi", text=personal("Hi")), ops.ReplyPut("red", "hi", text=personal("Hi"))),
    ("teams", ops.TeamPut("blue", ["help", "side"]), ops.TeamPut("blue", ["help", "other"])),
    ("teams", ops.TeamPut("new", ["side"], parent="sky"), ops.TeamPut("new", ["side"])),
    ("teams", ops.TeamPut("new", [], parent="blue"), ops.TeamPut("new", [], parent="red")),
    ("teams", ops.TeamPut("sky", ["side"], parent="blue"), ops.TeamPut("red", ["other"])),
    ("teams", ops.TeamPut("sky", [], parent="blue"), ops.TeamPut("sky", ["side"])),  # it would be at the top
    ("teams", ops.TeamPut("sky", [], parent="blue"), ops.TeamPut("sky", ["side"], parent="red")),
    ("teams", ops.TeamPut("sky", [], parent="blue"), ops.TeamPut("ruby", ["far"], parent="blue")),
    ("teams", ops.TeamDelete("sky"), ops.TeamDelete("ruby")),
    ("teams", ops.TeamDelete("sky", "blue"), ops.TeamDelete("sky", "red")),
    ("teams", ops.TeamDelete("sky"), ops.TeamDelete("none")),
    ("teams", ops.TeamDelete("sky"), ops.TeamDelete("blue", "sky")),  # sky would be at the top
    (
        "representatives",
        ops.RepresentativePut("ann", ANNA, "sky", 2),
        ops.RepresentativePut("ann", ANNA, "red", 2),
    ),
    (
        "representatives",
        ops.RepresentativePut("new", ANNA, "sky", 2),
        ops.RepresentativePut("new", ANNA, "ruby", 2),
    ),
    (
        "representatives",
        ops.RepresentativePut("cy", ANNA, "blue", 2),
        ops.RepresentativePut("di", DIANA, "blue", 2),
    ),
    ("representatives", ops.RepresentativeDelete("cy"), ops.RepresentativeDelete("ed")),
    ("representatives", ops.RepresentativeDelete("cy"), ops.RepresentativeDelete("none")),
    ("representatives", ops.PasswordSet("new", person="cy"), ops.PasswordSet("new", person="di")),
    ("representatives", ops.PasswordSet("new", person="cy"), ops.PasswordSet("new", person="ted")),
    ("representatives", ops.PasswordSet("new", person="cy"), ops.PasswordSet("new", person="mia")),
    ("representatives", ops.PasswordLink("ann"), ops.PasswordLink("di")),
    ("representatives", ops.PasswordLink("ann"), ops.PasswordLink("mia")),
    ("sign_ins", ops.SignInList("cy"), ops.SignInList("di")),
    ("sign_ins", ops.SignInList("cy"), ops.SignInList("robot")),
    ("sign_ins", ops.SignInEnd("cy"), ops.SignInEnd("ed")),
    ("sign_ins", ops.SignInEnd("cy"), ops.SignInEnd("mia")),
    ("monitor", ops.SessionMonitor(session_id("seen")), ops.SessionMonitor(session_id("unseen"))),
    ("monitor", ops.SessionMonitor(session_id("seen")), ops.SessionMonitor("s_none")),
    ("monitor", ops.SessionMonitor(session_id("seen")), ops.SessionMonitor(f"s_{REQUESTS['carl'][2:]}")),
    ("block", ops.VisitorBlock("x", REQUESTS["carl"]), ops.VisitorBlock("x", REQUESTS["kim"])),
    ("block", ops.VisitorBlock("x", visitor="v_carl"), ops.VisitorBlock("x", visitor="v_kim")),
    ("block", ops.VisitorBlock("x", visitor="v_carl"), ops.VisitorBlock("x", visitor="v_none")),
    ("block", ops.BlockEnd(block_id("bad")), ops.BlockEnd(block_id("worse"))),
    ("block", ops.BlockEnd(block_id("bad")), ops.BlockEnd("b_none")),
    ("block", ops.BlockList(), None),
]
NAMED = [f"{number}-{case[1].OP}" for number, case in enumerate(CASES)]  # type: ignore[attr-defined]
HASHED = people.hashed("new")


def asked() -> Scene:
    """The house, with a request at help and one at other, and an address for links; one that was answered there before,
    and one that was given up."""
    scene = house()
    command = ops.RequestCreate(text=personal("Why?", "c_why"), email=personal("old@example.com", "c_mail"))
    scene.ok(command, customer("old"), "old")
    scene.end(scene.accept(offer_id("old"), "ann"))
    scene.ok(ops.RequestWithdraw(scene.ask("gone")), customer("gone"))
    scene.set("ann", "away")
    scene.set("di", "away")
    scene.ask("carl", "help")
    scene.ask("kim", "other")
    for team in ("sky", "red"):
        scene.ok(ops.ReplyPut(team, "bye", text=personal("Bye")), MIA)
    for name, portal in (("bad", "help"), ("worse", "other")):
        scene.ok(ops.VisitorBlock("x", scene.ask(name, portal)), MIA, name)
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 2, email=personal("ann@example.com")), MIA)
    scene.set("ann", "available")
    scene.ok(ops.OfferDecline(offer_id("carl"), "no"), ANN)
    for name, portal, who in (("seen", "help", "ann"), ("unseen", "other", "di")):
        scene.ok(ops.CaseAssign(who, scene.ask(name, portal)), MIA)
        scene.desk.state.portals[portal].monitoring = "silent"
        scene.desk.state.portals[portal].functions = (("monitoring", True),)
    return scene


def test_every_operation_of_team_managers_is_tried_within_and_beyond_its_scope() -> None:
    tried = {type(inside).OP for _, inside, _ in CASES}  # type: ignore[attr-defined]
    hubs = {"auth.refresh", "subscribe", "unsubscribe", "meta.schema", "transcript.get"}
    hubs |= {"session.monitor_end"}  # of what one looks on in
    hubs |= {"file.get", "file.list"}  # test_files: of what may be read as a transcript or a stream
    hubs |= {"case.get", "case.search"}  # below
    assert tried == {op for op, row in RIGHTS.items() if "team_manager" in row} - hubs


@pytest.mark.parametrize(("right", "inside", "outside"), CASES, ids=NAMED)
def test_a_team_manager_may_within_its_teams_what_it_was_granted(
    right: str | None, inside: object, outside: object
) -> None:
    scene = asked()
    if outside is not None:
        refusal = scene.refused(outside, TIM, Code.NOT_ALLOWED, HASHED)
        assert "red" not in refusal.text.split()
        assert "ruby" not in refusal.text.split()
    if right is None:
        scene.ok(inside, TED)
    else:
        assert right in scene.refused(inside, TED, Code.NOT_ALLOWED, HASHED).text
        least = [one for one in TEAM_RIGHTS if one != right]
        scene.ok(ops.ManagerPut("tim", "team", teams=["blue"], rights=least), MIA)
        assert right in scene.refused(inside, TIM, Code.NOT_ALLOWED, HASHED).text
        scene.ok(ops.ManagerPut("tim", "team", teams=["blue"], rights=[right]), MIA)
    scene.ok(inside, TIM, prepared=HASHED)


@pytest.mark.parametrize("case", CASES, ids=NAMED)
def test_an_account_manager_needs_no_right_and_is_bound_to_no_team(case: tuple[str | None, object, object]) -> None:
    for command in case[1:]:
        if command is not None:
            assert refuse(asked().desk.state, MIA, command) is None


def test_a_team_manager_moves_people_between_teams_only_if_it_manages_both() -> None:
    scene = house()
    into_red = ops.RepresentativePut("ann", ANNA, "red", 2)
    scene.refused(into_red, TIM, Code.NOT_ALLOWED)
    scene.ok(ops.ManagerPut("tim", "team", teams=["blue", "red"], rights=TEAM_RIGHTS), MIA)
    scene.ok(into_red, TIM)
    assert scene.desk.state.representatives["ann"].team == "red"
    scene.ok(ops.ManagerPut("tim", "team", teams=["blue"], rights=TEAM_RIGHTS), MIA)
    scene.refused(ops.RepresentativePut("ann", ANNA, "blue", 2), TIM, Code.NOT_ALLOWED)


def test_caught_a_target_that_forgets_the_team_somebody_comes_from(monkeypatch: Patch) -> None:
    def forgetful(state: object, command: ops.RepresentativePut) -> Target:
        return Target(frozenset({command.team}))

    monkeypatch.setitem(TOUCHES, ops.RepresentativePut, forgetful)
    poached = ops.RepresentativePut("di", DIANA, "blue", 2)
    with pytest.raises(AssertionError, match="was carried out"):
        house().refused(poached, TIM, Code.NOT_ALLOWED)


def test_caught_a_team_manager_who_may_make_managers(monkeypatch: Patch) -> None:
    command = ops.ManagerPut("tom", "account")
    house().refused(command, TIM, Code.NOT_ALLOWED)
    monkeypatch.setitem(RIGHTS, "manager.put", {**RIGHTS["manager.put"], "team_manager": Grant(Scope.TEAMS)})
    assert isinstance(house().do(command, TIM), Handled)


# --- at once -----------------------------------------------------------------------------------------


def faster_than_the_table() -> list[str]:
    """Operations of which the gate says at once what the table doesn't say, for somebody and some arguments."""
    scene = house()
    scene.ok(ops.RepresentativePut("cy", personal("Cy"), "sky", 2, management=True), MIA)
    scene.ok(ops.RepresentativeDelete("ed"), MIA)
    scene.ok(ops.VisitorBlock("x", scene.ask("bad")), MIA, "bad")
    scene.desk.state.blocked["elsewhere"] = block_id("worse")
    unwelcome = [customer("bad"), attrs.evolve(customer("kim"), source="elsewhere")]
    staff = [ANN, CY, ED, representative("nobody"), representative("mia")]
    wrong = set()
    for who, (op, made) in itertools.product([customer("carl"), *unwelcome, *staff], ops.OPS.items()):
        for name in ("ann", "cy", "help", who.person):
            command = made.__new__(made)
            for field in attrs.fields(made):
                setattr(command, field.name, name)
            if refuse(scene.desk.state, who, command) != weigh(scene.desk.state, who, command):
                wrong.add(op)
    return sorted(wrong)


def test_what_is_said_at_once_is_what_the_table_says() -> None:
    assert faster_than_the_table() == []
    commands = {ops.RequestCreate, ops.OfferAccept, ops.SessionEnd}  # else nobody gains anything
    assert commands <= AT_ONCE[Role.CUSTOMER] | AT_ONCE[Role.REPRESENTATIVE]


def test_caught_an_answer_at_once_that_the_table_does_not_give(monkeypatch: Patch) -> None:
    monkeypatch.setitem(AT_ONCE, Role.REPRESENTATIVE, frozenset({ops.SignInList, ops.AccountGet, ops.OfferAccept}))
    monkeypatch.setitem(AT_ONCE, Role.CUSTOMER, frozenset({ops.OfferAccept, ops.RequestCreate}))
    assert faster_than_the_table() == ["account.get", "offer.accept", "sign_in.list"]


# --- who asks ----------------------------------------------------------------------------------------


def test_an_actor_is_what_the_account_knows_of_it_now() -> None:
    scene = house()
    state = scene.desk.state
    assert actor(state, customer("x")) == Actor("customer", "v_x")
    assert actor(state, ANN) == Actor("representative", "ann")
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 2, management=True), MIA)
    assert actor(state, ANN) == Actor("self_managing", "ann")
    assert actor(state, MIA) == Actor(
        "account_manager", "mia", rights=frozenset((*TEAM_RIGHTS, "portals", "api_managers"))
    )
    reach = frozenset({"blue", "sky"}), frozenset({"help", "side"})
    assert actor(state, TIM) == Actor("team_manager", "tim", *reach, frozenset(TEAM_RIGHTS))
    assert actor(state, TED) == Actor("team_manager", "ted", *reach)
    assert actor(state, PIA) == Actor("api_manager", "pia", rights=frozenset((*TEAM_RIGHTS, "portals")))
    assert actor(state, ROBOT) == Actor("service", "robot", rights=frozenset(grants.SCOPES))
    for nobody in (representative("tim"), manager("ann"), manager("nobody")):
        assert actor(state, nobody) is None
        assert "nobody here" in scene.refused(ops.AccountGet(), nobody, Code.NOT_ALLOWED).text


def test_a_service_may_what_its_account_and_its_credential_both_allow() -> None:
    scene = house()
    narrow = attrs.evolve(ROBOT, scopes=("why", "audit"))
    scene.ok(ops.ServicePut("robot", ["events", "why"]), MIA)
    found = [actor(scene.desk.state, who) for who in (ROBOT, narrow, attrs.evolve(narrow, person="unlisted"))]
    assert [one.rights for one in found if one is not None] == [{"events", "why"}, {"why"}, {"why", "audit"}]
    assert scene.desk.may_read(ROBOT, "account")
    assert not scene.desk.may_read(narrow, "account")
    assert not scene.desk.may_read(ROBOT, "audit")
    assert "classify" in scene.refused(ops.RequestClassify("r_none", "normal"), ROBOT, Code.NOT_ALLOWED).text


def test_until_there_is_an_account_manager_the_operators_word_is_enough_and_not_after() -> None:
    scene = office("ann")
    assert scene.desk.knows(manager("anybody"))
    assert not scene.desk.knows(manager("ann"))
    people.hire(scene, "tim", "team", teams=["blue"], who=manager("first"))
    people.hire(scene, "tim", "team", teams=[], who=manager("second"))  # nobody is the last account manager yet
    assert not refuse(scene.desk.state, manager("first"), ops.ManagerDelete("tim"))
    people.boss(scene, "boss")
    assert not scene.desk.knows(manager("first"))
    scene.refused(ops.AccountGet(), manager("first"), Code.NOT_ALLOWED)
    scene.ok(ops.AccountGet(), manager("boss"))


# --- streams -----------------------------------------------------------------------------------------

READERS = {
    "me:ann": {"ann"},
    "me:tim": {"tim"},
    "me:v_carl": {"carl"},
    "account": {"mia", "robot"},
    "account:x": set[str](),
    "audit": {"mia", "robot"},
    "audit:x": set[str](),
    "team:blue": {"mia", "tim", "ted"},
    "team:sky": {"mia", "tim", "ted"},
    "team:red": {"mia"},
    "team:none": set[str](),
    "subportal:help": {"mia", "tim", "ted", "ann", "bo"},
    "subportal:side": {"mia", "tim", "ted", "cy"},
    "subportal:other": {"mia", "di"},
    "subportal:none": set[str](),
    "session:live": {"ann", "carl"},
    "session:over": {"bo", "cora"},
    "session:none": set[str](),
    "": set[str](),
}


def cast() -> tuple[Scene, dict[str, Identity]]:
    scene = house()
    scene.staff("blue", "bo")
    scene.staff("blue", "out", presence="offline")
    scene.assign("carl", "ann")
    scene.set("ann", "away")
    scene.end(scene.assign("cora", "bo"))
    scene.set("ann", "available")
    names = {"ann": ANN, "bo": representative("bo"), "cy": CY, "di": DI, "out": representative("out")}
    managers = {"mia": MIA, "tim": TIM, "ted": TED, "pia": PIA, "robot": ROBOT}
    visitors = {name: customer(name) for name in ("carl", "cora", "eve")}
    return scene, {**names, **managers, **visitors, "nobody": representative("nobody"), "operator": OPERATOR}


@pytest.mark.parametrize("stream", list(READERS))
def test_a_stream_is_read_by_those_it_is_for(stream: str) -> None:
    scene, everybody = cast()
    place = stream.replace("session:live", f"session:{session_id('carl')}")
    place = place.replace("session:over", f"session:{session_id('cora')}")
    readers = {name for name, identity in everybody.items() if scene.desk.may_read(identity, place)}
    assert readers == READERS[stream]


def test_a_representative_who_signs_out_reads_no_sub_portal() -> None:
    scene, everybody = cast()
    scene.set("bo", "away")
    assert scene.desk.may_read(everybody["bo"], "subportal:help")
    scene.set("bo", "offline")
    assert not scene.desk.may_read(everybody["bo"], "subportal:help")


def test_a_customer_never_reads_as_somebody_else_of_the_same_name() -> None:
    scene, _ = cast()
    scene.set("ann", "away")
    scene.ask("eve")
    scene.accept(offer_id("eve"), "bo")
    disguised = Identity(ACCOUNT, "bo", Role.CUSTOMER, "help")
    assert not scene.desk.may_read(disguised, f"session:{session_id('eve')}")
    assert not scene.desk.may_read(Identity(ACCOUNT, "v_eve", Role.REPRESENTATIVE), f"session:{session_id('eve')}")
    assert not scene.desk.may_read(Identity(ACCOUNT, "v_eve", Role.MANAGER), f"session:{session_id('eve')}")
