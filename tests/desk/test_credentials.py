"""Sign-ins, passwords and API keys: what opens the account, for how long, and what ends it."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from broker import limits
from broker.codes import Code
from broker.desk import commands as c
from broker.desk import credentials
from broker.desk import events as e
from broker.desk.identity import Role
from broker.desk.outcome import Handled
from broker.protocol import ops
from broker.units import DAYS, HOURS, SECONDS
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import desk, personal
from tests.support.people import ANN, CY, MIA, PIA, ROBOT, TIM, hashed, house, made_key, sign_in
from tests.support.scene import Scene

LONG = 30 * DAYS


def refresh(scene: Scene, name: str, serial: int, person: str = "ann") -> Handled:
    return scene.ok(c.Refresh(person, name, serial, scene.now + LONG))


def listed(scene: Scene, person: str = "ann") -> list[str]:
    found = scene.ok(ops.SignInList(person), MIA).value["sign_ins"]
    assert isinstance(found, list)
    return [one["sign_in"] for one in found]


# --- signing in --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "role"), [("ann", Role.REPRESENTATIVE), ("tim", Role.MANAGER), ("robot", Role.SERVICE)]
)
def test_who_is_there_signs_in_and_sees_where(person: str, role: Role) -> None:
    scene = house()
    name = sign_in(scene, person, role)
    found = scene.ok(ops.SignInList(person), MIA).value["sign_ins"]
    assert found == [
        {
            "sign_in": name,
            "how": "password",
            "since": scene.now,
            "until": scene.now + LONG,
            "network": "192.0.2.0/24",
        }
    ]
    assert credentials.role_of(scene.desk.state, person) is role


@pytest.mark.parametrize(("person", "role"), [("zoe", "representative"), ("ann", "manager"), ("tim", "service")])
def test_who_is_not_there_in_that_role_does_not_sign_in(person: str, role: str) -> None:
    scene = house()
    scene.refused(c.SignIn(person, role, "password", None, scene.now + LONG), code=Code.NO_SUCH)
    assert credentials.role_of(scene.desk.state, "zoe") is None


def test_the_oldest_of_too_many_sign_ins_ends() -> None:
    scene = house()
    made = [sign_in(scene, "ann") for _ in range(limits.MAX_SIGN_INS + 2)]
    assert listed(scene) == made[2:]
    ended = [event for event in scene.events(e.SignInsEnded) if isinstance(event, e.SignInsEnded)]
    assert [(one.sign_ins, one.reason, one.by) for one in ended] == [
        ((name,), "too_many", "broker") for name in made[:2]
    ]
    sign_in(scene, "cy")
    assert listed(scene) == made[2:]


def test_a_sign_in_that_is_not_refreshed_ends() -> None:
    scene = house()
    first, second = sign_in(scene, "ann", days=1), sign_in(scene, "ann", days=1)
    scene.pass_time(23 * HOURS)
    refresh(scene, first, 0)
    scene.pass_time(1 * HOURS)
    assert listed(scene) == [first]
    assert not scene.desk.admits(ANN, second, 0)
    scene.pass_time(LONG)
    assert listed(scene) == []
    ended = [data for kind, data in scene.told("me:ann") if data.get("state") == "ended"]
    assert [(one["sign_ins"], one["reason"]) for one in ended] == [((second,), "expired"), ((first,), "expired")]


def test_one_sign_in_is_ended_or_all_and_with_all_every_token_made_before() -> None:
    scene = house()
    first, second = sign_in(scene, "ann"), sign_in(scene, "ann")
    before = scene.now
    assert scene.ok(ops.SignInEnd(sign_in=first), ANN).value == {"ended": 1}
    scene.refused(ops.SignInEnd(sign_in=first), ANN, Code.NO_SUCH)
    other = sign_in(scene, "cy")
    scene.refused(ops.SignInEnd(sign_in=other), ANN, Code.NO_SUCH)
    assert scene.desk.admits(ANN, second, before)
    assert scene.desk.admits(ANN, None, before)
    scene.now += 1
    assert scene.ok(ops.SignInEnd("ann"), TIM).value == {"ended": 1}
    assert not scene.desk.admits(ANN, second, before)
    assert not scene.desk.admits(ANN, None, before)
    assert not scene.desk.admits(ANN, None, None)
    assert scene.desk.admits(ANN, None, scene.now)
    assert scene.desk.admits(CY, other, before)
    assert scene.ok(ops.SignInEnd(), ANN).value == {"ended": 0}
    scene.refused(ops.SignInEnd("zoe"), MIA, Code.NO_SUCH)
    scene.refused(ops.SignInList("zoe"), MIA, Code.NO_SUCH)
    assert listed(scene, "di") == []


def test_somebody_who_never_signed_in_can_be_signed_out() -> None:
    scene = house()
    assert scene.desk.admits(ANN, None, 5)
    assert scene.ok(ops.SignInEnd("ann"), MIA).value == {"ended": 0}
    assert not scene.desk.admits(ANN, None, 5)


# --- refreshing --------------------------------------------------------------------------------------


def test_a_refresh_token_is_good_once_and_within_the_grace_again_with_the_same_answer() -> None:
    scene = house()
    name = sign_in(scene, "ann")
    assert refresh(scene, name, 0).value == {"serial": 1}
    scene.pass_time(limits.REFRESH_GRACE - 1)
    for _ in range(3):  # the answer was lost again
        again = refresh(scene, name, 0)
        assert (again.value, again.records) == ({"serial": 1}, [])
    assert refresh(scene, name, 1).value == {"serial": 2}
    assert listed(scene) == [name]


@pytest.mark.parametrize(("serial", "after"), [(0, limits.REFRESH_GRACE), (0, LONG - 1), (5, 0)])
def test_a_copied_token_ends_the_sign_in_for_everybody_who_has_it(serial: int, after: int) -> None:
    scene = house()
    name, other = sign_in(scene, "ann"), sign_in(scene, "ann", days=100)
    refresh(scene, name, 0)
    scene.pass_time(after)
    handled = refresh(scene, name, serial)
    assert handled.value == {"copied": True}
    (ended,) = [record.event for record in handled.records]
    assert isinstance(ended, e.SignInsEnded)
    assert (ended.sign_ins, ended.reason) == ((name,), "copied")
    assert listed(scene) == [other]
    for last in (0, 1):
        scene.refused(c.Refresh("ann", name, last, scene.now + LONG), code=Code.NOT_ALLOWED)


def test_a_sign_in_is_refreshed_by_nobody_else() -> None:
    scene = house()
    name = sign_in(scene, "ann")
    scene.refused(c.Refresh("cy", name, 0, scene.now + LONG), code=Code.NOT_ALLOWED)
    scene.refused(c.Refresh("ann", "n_none", 0, scene.now + LONG), code=Code.NOT_ALLOWED)
    assert listed(scene) == [name]


@attrs.define
class Holder:
    """Somebody with a refresh token: its owner, or a thief who copied it."""

    serial: int
    last: int | None = None
    """The token before, after an answer that came."""


class Refreshing(RuleBasedStateMachine):
    """The owner loses answers and tries again; a thief copies the token once. The owner alone is never signed out; as
    soon as both have gone on past the grace, the sign-in is over for both."""

    @initialize()
    def begin(self) -> None:
        self.scene = house()
        self.name = sign_in(self.scene, "ann")
        self.owner = Holder(0)
        self.thief: Holder | None = None
        self.current, self.made = 0, self.scene.now
        """The good serial, and when it was made: the model."""
        self.over = False

    def use(self, who: Holder, *, lost: bool) -> None:
        now, scene = self.scene.now, self.scene
        late = who.serial == self.current - 1 and now < self.made + limits.REFRESH_GRACE
        outcome = scene.do(c.Refresh("ann", self.name, who.serial, now + LONG))
        if self.over:
            assert not isinstance(outcome, Handled)
        elif late or who.serial == self.current:
            if not late:
                self.current, self.made = self.current + 1, now
            assert isinstance(outcome, Handled)
            assert outcome.value == {"serial": self.current}
            if not lost:
                who.serial = self.current
        else:
            assert isinstance(outcome, Handled)
            assert outcome.value == {"copied": True}
            assert self.thief is not None, "nobody copied anything"
            self.over = True
        assert (self.name in scene.desk.state.sign_ins) is not self.over

    @rule(lost=st.integers(0, 3), pause=st.sampled_from([0, 1000, 9 * SECONDS]))
    def owner_refreshes(self, lost: int, pause: int) -> None:
        """Again and again, until an answer comes: within the grace."""
        for _ in range(lost):
            self.use(self.owner, lost=True)
            self.scene.pass_time(pause)
        self.use(self.owner, lost=False)

    @precondition(lambda self: self.thief is None)
    @rule()
    def copy(self) -> None:
        self.thief = Holder(self.owner.serial)

    @precondition(lambda self: self.thief is not None)
    @rule(lost=st.booleans())
    def thief_refreshes(self, lost: bool) -> None:  # noqa: FBT001
        assert self.thief is not None
        self.use(self.thief, lost=lost)

    @rule(ms=st.sampled_from([1, 30 * SECONDS, 61 * SECONDS, 1 * HOURS]))
    def wait(self, ms: int) -> None:
        self.scene.pass_time(ms)

    @precondition(lambda self: self.thief is not None and not self.over)
    @rule()
    def both_go_on(self) -> None:
        """Whoever comes second, later than the grace, shows what was used."""
        assert self.thief is not None
        self.use(self.thief, lost=False)
        self.scene.pass_time(limits.REFRESH_GRACE)
        self.use(self.owner, lost=False)
        self.scene.pass_time(limits.REFRESH_GRACE)
        self.use(self.thief, lost=False)
        assert self.over

    def teardown(self) -> None:
        same_desk(self.scene.desk, replay(desk(), [stored(record) for record in self.scene.records]))
        same_desk(self.scene.desk, reloaded(self.scene.desk))


TestRefreshing = Refreshing.TestCase
TestRefreshing.settings = settings(stateful_step_count=20, max_examples=settings().max_examples // 3)


# --- passwords ---------------------------------------------------------------------------------------


def test_a_new_password_erases_the_hash_before_and_ends_the_other_sign_ins() -> None:
    scene = house()
    mine, other = sign_in(scene, "ann"), sign_in(scene, "ann")
    scene.ok(ops.PasswordSet("one"), ANN, prepared=hashed("one", mine))
    assert listed(scene) == [mine]
    assert not scene.desk.admits(ANN, other, 0)
    assert scene.desk.drain_erased() == []
    scene.ok(ops.PasswordSet("two", "one"), ANN, prepared=hashed("two", mine))
    assert scene.desk.drain_erased() == ["c_one"]
    access = scene.desk.state.access["ann"]
    assert (access.password, access.passwords, access.must_change) == (hashed("two").password, 2, False)
    assert "c_two" in scene.desk.held_contents()
    assert listed(scene) == [mine]


def test_a_password_that_somebody_else_chose_must_be_changed_and_ends_every_sign_in() -> None:
    scene = house()
    name = sign_in(scene, "ann")
    scene.ok(ops.PasswordSet("one", person="ann"), TIM, prepared=hashed("one", name))
    assert scene.desk.state.access["ann"].must_change
    assert listed(scene) == []
    scene.ok(ops.PasswordSet("two", "one"), ANN, prepared=hashed("two"))
    assert not scene.desk.state.access["ann"].must_change
    told = [data for kind, data in scene.told("me:ann") if kind == "password.changed"]
    assert told == [
        {"person": "ann", "by": "tim", "must_change": True},
        {"person": "ann", "by": "ann", "must_change": False},
    ]


def test_who_has_no_password_is_given_none() -> None:
    scene = house()
    for person in ("robot", "zoe"):
        scene.refused(ops.PasswordSet("x", person=person), MIA, Code.NO_SUCH, hashed("x"))
        scene.refused(c.SetPassword(person, hashed("x").password, 0), code=Code.NO_SUCH)


def test_a_link_is_good_for_one_password() -> None:
    scene = house()
    first, second = hashed("one").password, hashed("two").password
    scene.ok(c.SetPassword("ann", first, 0))
    scene.refused(c.SetPassword("ann", second, 0))
    scene.ok(c.SetPassword("ann", second, 1))
    scene.ok(c.SetPassword("tim", second, 0))
    access = scene.desk.state.access["ann"]
    assert (access.password, access.must_change) == (second, False)


def test_a_link_is_sent_to_who_has_an_address() -> None:
    scene = house()
    refusal = scene.refused(ops.PasswordLink("ann"), MIA)
    assert (refusal.detail or {})["state"] == "no_email"
    scene.refused(ops.PasswordLink("robot"), MIA, Code.NO_SUCH)
    scene.refused(ops.PasswordLink("zoe"), MIA, Code.NO_SUCH)
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 2, email=personal("ann@example.com")), MIA)
    scene.ok(ops.ManagerPut("tim", "team", email=personal("tim@example.com")), MIA)
    for person in ("ann", "tim"):
        handled = scene.ok(ops.PasswordLink(person), MIA)
        assert (handled.value, handled.records) == ({"person": person}, [])


# --- keys --------------------------------------------------------------------------------------------


def test_a_key_is_told_once_kept_as_a_digest_and_ends_on_its_day() -> None:
    scene = house()
    handled = scene.ok(ops.KeyCreate("robot"), MIA, prepared=made_key("k1"))
    expires = scene.now + limits.KEY_LIFE
    assert (handled.value, handled.secret) == ({"prefix": "k1", "expires": expires}, {"secret": "k1.secret"})
    assert scene.desk.state.keys["k1"].digest == b"k1"
    assert scene.desk.admits(ROBOT, "k1", 0)
    scene.ok(ops.KeyCreate("robot", life_ms=60_000), MIA, prepared=made_key("k2"))
    scene.pass_time(59_999)
    assert scene.desk.admits(ROBOT, "k2", 0)
    scene.pass_time(1)
    assert not scene.desk.admits(ROBOT, "k2", 0)
    told = [data for kind, data in scene.told("audit") if kind == "key.changed"]
    assert [(one["prefix"], one["state"], one["by"]) for one in told] == [
        ("k1", "live", "mia"),
        ("k2", "live", "mia"),
        ("k2", "expired", "broker"),
    ]


def test_two_keys_at_a_time_so_that_one_can_be_replaced() -> None:
    scene = house()
    for name in ("k1", "k2"):
        scene.ok(ops.KeyCreate("robot"), MIA, prepared=made_key(name))
    scene.refused(ops.KeyCreate("robot"), MIA, Code.QUOTA, made_key("k3"))
    scene.ok(ops.KeyRevoke("k1"), MIA)
    assert not scene.desk.admits(ROBOT, "k1", 0)
    scene.ok(ops.KeyCreate("robot"), MIA, prepared=made_key("k3"))
    scene.refused(ops.KeyRevoke("k1"), MIA, Code.NO_SUCH)
    scene.refused(ops.KeyRevoke("k1"), PIA, Code.NOT_ALLOWED)
    assert {name: key.person for name, key in scene.desk.state.keys.items()} == {"k2": "robot", "k3": "robot"}


def test_a_key_is_listed_without_what_it_proves() -> None:
    scene = house()
    scene.ok(ops.KeyCreate("robot", scopes=["why", "events", "why"]), MIA, prepared=made_key("k1"))
    scene.ok(ops.KeyCreate("pia"), PIA, prepared=made_key("k2"))
    first = {"prefix": "k1", "person": "robot", "created": scene.now, "expires": scene.now + limits.KEY_LIFE}
    second = {**first, "prefix": "k2", "person": "pia"}
    assert scene.ok(ops.KeyList(), MIA).value == {"keys": [{**first, "scopes": ["events", "why"]}, second]}
    assert scene.ok(ops.KeyList("pia"), PIA).value == {"keys": [second]}
    scene.refused(ops.KeyList(), PIA, Code.NOT_ALLOWED)
    scene.refused(ops.KeyList("robot"), PIA, Code.NOT_ALLOWED)


@pytest.mark.parametrize("person", ["ann", "tim", "mia", "zoe"])
def test_a_key_is_for_services_and_api_managers(person: str) -> None:
    refusal = house().refused(ops.KeyCreate(person), MIA, Code.BAD_ARGS, made_key("k"))
    assert (refusal.detail or {})["path"] == "args.person"


def test_a_key_has_no_scope_that_its_service_has_not() -> None:
    scene = house()
    scene.ok(ops.ServicePut("robot", ["why"]), MIA)
    for person, scopes, index in (("robot", ["why", "audit"], 1), ("pia", ["why"], 0)):
        refusal = scene.refused(ops.KeyCreate(person, scopes), MIA, Code.BAD_ARGS, made_key("k"))
        assert (refusal.detail or {})["path"] == f"args.scopes[{index}]"
    scene.ok(ops.KeyCreate("robot", []), MIA, prepared=made_key("k"))
    assert scene.desk.state.keys["k"].scopes == ()


# --- who goes ----------------------------------------------------------------------------------------


def test_whatever_opened_the_account_for_somebody_is_worthless_once_it_is_gone() -> None:
    scene = house()
    name, managers = sign_in(scene, "ann"), sign_in(scene, "tim", Role.MANAGER)
    scene.ok(ops.KeyCreate("robot"), MIA, prepared=made_key("k1"))
    scene.ok(ops.KeyCreate("pia"), MIA, prepared=made_key("k2"))
    scene.ok(ops.PasswordSet("x"), ANN, prepared=hashed("x", name))
    for command in (
        ops.RepresentativeDelete("ann"),
        ops.ManagerDelete("tim"),
        ops.ManagerDelete("pia"),
        ops.ServiceDelete("robot"),
    ):
        scene.ok(command, MIA)
    state = scene.desk.state
    assert (state.sign_ins, state.keys, state.access) == ({}, {}, {})
    assert "c_x" in scene.desk.drain_erased()
    for who, by in ((ANN, name), (TIM, managers), (PIA, "k2"), (ROBOT, "k1"), (ANN, None)):
        assert not scene.desk.admits(who, by, scene.now)
    assert scene.pass_time(2 * limits.KEY_LIFE) == []


def test_F21_what_opens_the_account_comes_back_from_records_and_snapshots() -> None:
    scene = house()
    name, _ = sign_in(scene, "ann"), sign_in(scene, "tim", Role.MANAGER)
    refresh(scene, name, 0)
    scene.ok(ops.PasswordSet("x"), ANN, prepared=hashed("x", name))
    scene.ok(ops.SignInEnd("tim"), MIA)
    scene.ok(ops.KeyCreate("robot", ["why"]), MIA, prepared=made_key("k1"))
    scene.ok(ops.RepresentativeDelete("cy"), MIA)
    for again in (replay(desk(), [stored(record) for record in scene.records]), reloaded(scene.desk)):
        same_desk(scene.desk, again)
        assert again.admits(ANN, name, 0)
        assert not again.admits(TIM, None, 0)
        assert again.state.access["ann"].password == hashed("x").password


# --- passwords that others changed meanwhile ---------------------------------------------------------


def test_a_change_with_a_password_that_is_another_by_now_is_refused() -> None:
    scene = house()
    scene.ok(ops.PasswordSet("one", person="ann"), MIA, prepared=hashed("one"))
    late = attrs.evolve(hashed("two"), had=0)
    assert (scene.refused(ops.PasswordSet("two", "old"), ANN, prepared=late).detail or {})["state"] == "changed"
    scene.ok(ops.PasswordSet("two", "one"), ANN, prepared=attrs.evolve(late, had=1))
    access = scene.desk.state.access["ann"]
    assert (access.passwords, access.must_change) == (2, False)


def test_a_password_chosen_by_a_link_is_in_the_audit_with_where_from() -> None:
    scene = house()
    scene.ok(c.SetPassword("ann", hashed("one").password, 0, "192.0.2.0/24"))
    (entry,) = [event for event in scene.events(e.Audited) if isinstance(event, e.Audited)]
    assert (entry.person, entry.role, entry.network, entry.op, entry.object) == (
        "ann",
        "representative",
        "192.0.2.0/24",
        "password.set",
        "ann",
    )


def test_a_hash_that_is_made_anew_takes_the_place_of_the_same_password_alone() -> None:
    scene = house()
    scene.ok(ops.PasswordSet("one", person="ann"), MIA, prepared=hashed("one"))
    before = scene.desk.state.access["ann"]
    renewed = hashed("renewed").password
    for late in (c.Rehashed("ann", renewed, 0), c.Rehashed("zoe", renewed, 0)):
        assert scene.ok(late).records == []
    scene.ok(c.Rehashed("ann", renewed, 1))
    assert (before.password, before.must_change) == (renewed, True)
