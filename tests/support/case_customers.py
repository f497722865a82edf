"""The customers of the case machine, and what its managers set up."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from broker.codes import Code
from broker.content import Personal
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Refusal
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.builders import ACCOUNT, customer, representative
from tests.support.case_ground import MIA, CaseGround
from tests.support.case_things import Clerk, Dossier

PORTALS = {
    "help": ("ask", "queue", ("x", "y"), "none", 1),
    "chat": ("button", "queue", ("w",), "chat_only", 3),
    "web": ("ask", "web", ("z",), "none", None),
    "phone": ("pin", "phone", ("f",), "none", 2),
}
"""(kind, mode, sub-portals, web chat, days that its cases are kept)."""
SUBPORTALS = [name for _, _, names, _, _ in PORTALS.values() for name in names]
OVERFLOW: dict[str, list[dict[str, object]]] = {
    "x": [{"on": "wait", "after_ms": 30 * SECONDS, "to": "y"}],
    "y": [{"on": "wait", "after_ms": 70 * SECONDS}],
    "w": [{"on": "staffing"}],
}
TEAMS = {"blue": {"x", "y", "z", "w", "f"}, "red": {"x", "w", "f"}}
STAFF = ["ann", "bo", "cy", "di", "ed"]
VISITORS = [f"n{number}" for number in range(5)]

number = st.integers(0, 40)
rarely = precondition(lambda self: self.scene.commands % 3 == 0)
fates = st.sampled_from(["waits", "talks", "talks", "talked", "talked", "resolved", "asks", "withdrawn", "vanished"])
crowds = st.lists(st.tuples(st.sampled_from(VISITORS), st.sampled_from(["x", "x", "y", "w", "z"]), fates), max_size=9)


class CaseCustomers(CaseGround):
    """Portals, teams, and the people who ask."""

    # --- setting up ------------------------------------------------------------------------------

    @initialize(room=st.integers(1, 4), crowd=crowds)
    def begin(self, room: int, crowd: list[tuple[str, str, str]]) -> None:
        """All portals, two teams, three representatives, and some who came before."""
        self.lines, self.generation, self.blocked = SUBPORTALS, dict.fromkeys(VISITORS, 0), set[str]()
        self.model.kept_days = {name: days for name, (*_, days) in PORTALS.items() if days is not None}
        for name in PORTALS:
            self.put_portal(name)
        for team, served in TEAMS.items():
            self.put_team(team, sorted(served))
        for name, team in (("ann", "blue"), ("bo", "red"), ("cy", "blue")):
            self.hire(name, team, room)
            self.carried_out(ops.PresenceSet("available"), representative(name))
            self.model.choose(name, "available")
        for at, (visitor, line, fate) in enumerate(crowd):
            self.come_before(visitor, line, fate, ["ann", "bo", "cy"][at % 3])

    def come_before(self, visitor: str, line: str, fate: str, who: str) -> None:
        """A customer came, and this became of it."""
        before = len(self.model.dossiers)
        self.come(visitor, line, self.text("mail"), self.text(), True, None)
        if len(self.model.dossiers) == before or not self.model.dossiers[-1].live:
            return
        one = self.model.dossiers[-1]
        match fate:
            case "talks" | "talked" | "resolved" if not self.full(who):
                self.tell(ops.CaseAssign(who, one.request), MIA)
                self.model.assign(one, who, "given")
                if fate != "talks":
                    self.tell(ops.SessionEnd(one.session), self.likewise(one))
                    self.model.close(one)
                if fate == "resolved":
                    self.tell(ops.CaseResolve(one.case), MIA)
                    self.model.resolve(one)
            case "asks" if self.model.has_room():
                self.tell(ops.RequestConvert(one.request), self.likewise(one))
                self.model.convert(one)
            case "withdrawn":
                self.tell(ops.RequestWithdraw(one.request), self.likewise(one))
                self.model.give_up(one, "withdrawn")
            case "vanished":
                self.connect(one.visitor, back=False)
            case _:
                pass
        self.compare()

    def put_portal(self, name: str) -> None:
        """A portal as the table has it."""
        kind, mode, subportals, web_chat, days = PORTALS[name]
        take = "off" if kind == "pin" else "any"
        put = ops.PortalPut(name, kind, mode, subportals, web_chat=web_chat, take=take, retention_days=days)
        self.carried_out(put, MIA)
        self.model.portals[name] = subportals
        for line in subportals:
            if line in OVERFLOW:
                self.carried_out(ops.SubportalPut(line, overflow=OVERFLOW[line]), MIA)

    def put_team(self, team: str, served: list[str]) -> None:
        """What a team serves."""
        self.carried_out(ops.TeamPut(team, served), MIA)
        self.model.serves[team] = set(served)

    def hire(self, name: str, team: str, room: int) -> None:
        """A representative who isn't signed in yet."""
        called = self.text("called")
        self.carried_out(ops.RepresentativePut(name, called, team, room), MIA)
        self.keep(called)
        self.model.clerks[name] = Clerk(name, team, called.ref, room)

    def queued(self, line: str) -> bool:
        """Whether requests stand in line there."""
        return line in ("x", "y", "w")

    # --- asking ----------------------------------------------------------------------------------

    def visitor(self, name: str, portal: str) -> Identity:
        """A customer; one who was forgotten or shut out is somebody else when it comes again."""
        return customer(f"{name}.{self.generation[name]}", portal)

    def likewise(self, one: Dossier) -> Identity:
        """The customer of a case."""
        return Identity(ACCOUNT, one.visitor, Role.CUSTOMER, one.portal)

    @rule(
        name=st.sampled_from(VISITORS),
        line=st.sampled_from(["x", "x", "y", "w", "z"]),
        address=st.booleans(),
        said=st.booleans(),
        named=st.booleans(),
    )
    def ask(self, name: str, line: str, address: bool, said: bool, named: bool) -> None:  # noqa: FBT001
        """A customer comes."""
        self.come(name, line, self.text("mail") if address else None, self.text() if said else None, named, None)

    @rule(name=st.sampled_from(VISITORS), line=st.sampled_from(["x", "w", "z"]), which=number)
    def leave_question(self, name: str, line: str, which: int) -> None:
        """A customer comes who doesn't want to wait at all."""
        address = self.text("mail") if which % 5 else None
        self.come(name, line, address, self.text() if which % 6 else None, False, True)

    def come(
        self,
        name: str,
        line: str,
        address: Personal | None,
        said: Personal | None,
        named: bool,  # noqa: FBT001
        support: bool | None,  # noqa: FBT001
    ) -> None:
        """Perhaps for the second time, perhaps at a closed door."""
        portal = next(portal for portal, (_, _, names, _, _) in PORTALS.items() if line in names)
        kind, mode, *_ = PORTALS[portal]
        if kind == "ask" and not support:
            said = said or self.text()
        called = self.text("name") if named else None
        who = self.visitor(name, portal)
        command = ops.RequestCreate(line, said, name=called, email=address, support=support)
        if portal not in self.model.portals:
            self.refused(Code.NO_SUCH, command, who)
            return
        already = self.model.at(who.person, portal)
        if already is not None:
            handled = self.carried_out(command, who)
            assert (handled.records, handled.value["request"], handled.value["existing"]) == ([], already.request, True)
            return
        if support and (address is None or said is None):
            self.refused(Code.BAD_ARGS, command, who)
            return
        if support and not self.model.has_room():
            self.refused(Code.QUEUE_FULL, command, who)
            return
        if not support and mode == "web" and not self.model.staffed(line):
            self.refused(Code.WRONG_STATE, command, who)
            return
        request = str(self.carried_out(command, who).value["request"])
        self.keep(said, called, address)
        one = Dossier(request, 0, who.person, portal, line, self.model.now, 0)
        one.text, one.name, one.email = (None if part is None else part.ref for part in (said, called, address))
        self.model.open(one)
        unserved = line == "w" and not self.model.staffed(line) and self.model.has_room()
        if support or unserved:
            self.model.convert(one)
        self.compare()

    # --- waiting ---------------------------------------------------------------------------------

    @precondition(lambda self: self.model.live())
    @rule(which=number, said=st.booleans(), address=st.booleans(), named=st.booleans())
    def give_up_waiting(self, which: int, said: bool, address: bool, named: bool) -> None:  # noqa: FBT001
        """C12: a customer leaves a question instead."""
        live = self.model.waiting() if which % 7 and self.model.waiting() else self.model.live()
        one = live[which % len(live)]
        text = self.text() if said else None
        email = self.text("mail") if address else None
        name = self.text("name") if named else None
        command = ops.RequestConvert(one.request, text, name, email)
        if which % 11 == 10:
            self.refused(Code.NO_SUCH, command, customer("stranger", one.portal))
        elif one.who is not None:
            self.refused(Code.WRONG_STATE, command, self.likewise(one))
        elif (one.email or email) is None or (one.text or text) is None:
            self.refused(Code.BAD_ARGS, command, self.likewise(one))
        elif not self.model.has_room():
            self.refused(Code.QUEUE_FULL, command, self.likewise(one))
        else:
            value = self.carried_out(command, self.likewise(one)).value
            assert value == {"request": one.request, "case": one.case}
            self.keep(text, email, name)
            self.lose_text(one.name if name else None, one.email if email else None)
            one.question = text.ref if text else None
            one.name, one.email = name.ref if name else one.name, email.ref if email else one.email
            self.model.convert(one)
            self.compare()

    @precondition(lambda self: self.model.waiting())
    @rule(which=number)
    def withdraw(self, which: int) -> None:
        """A customer goes away and leaves nothing."""
        one = self.model.waiting()[which % len(self.model.waiting())]
        self.carried_out(ops.RequestWithdraw(one.request), self.likewise(one))
        self.model.give_up(one, "withdrawn")
        self.compare()

    def connect(self, who: str, *, back: bool) -> None:
        """Somebody's last connection is gone, or one is there again."""
        self.tick()
        (self.scene.back if back else self.scene.lose)(who)
        self.note()
        (self.model.back if back else self.model.lose)(who)
        self.compare()

    def write(self, one: Dossier) -> None:
        """A customer writes: in a web chat from the first, else once somebody had it; never after the end."""
        text = self.text("message")
        command = ops.ChatSend(one.session, text)
        if one.live and (one.had or PORTALS[one.portal][3] != "none"):
            self.carried_out(command, self.likewise(one))
            self.keep(text)
            self.model.write(one, text.ref)
            self.compare()
        else:
            outcome = self.tell(command, self.likewise(one))
            codes = {Code.WRONG_STATE, Code.NO_SUCH, *([Code.NOT_ALLOWED] if one.visitor in self.blocked else [])}
            assert getattr(outcome, "code", None) in codes, outcome

    @precondition(lambda self: self.model.talking())
    @rule(which=number)
    def hang_up(self, which: int) -> None:
        """A customer ends a conversation."""
        one = self.model.talking()[which % len(self.model.talking())]
        self.carried_out(ops.SessionEnd(one.session), self.likewise(one))
        self.model.close(one)
        self.compare()

    def rate(self, one: Dossier, score: int) -> None:
        """A customer says how it was, once."""
        text = self.text("comment")
        outcome = self.tell(ops.SessionRate(one.session, score, text), self.likewise(one))
        if isinstance(outcome, Refusal):
            return
        assert one.rated is None
        self.keep(text)
        one.said.add(text.ref[0])
        one.rated = score
        self.compare()

    # --- pins ------------------------------------------------------------------------------------

    @rarely
    @rule(who=st.sampled_from(STAFF), name=st.sampled_from(VISITORS))
    def by_phone(self, who: str, name: str) -> None:
        """A representative makes a pin, and a customer types it."""
        clerk = self.model.clerks.get(who)
        if clerk is None or "f" not in self.model.serves[clerk.team] or not clerk.connected:
            return
        made = self.tell(ops.PinCreate(), representative(who))
        if isinstance(made, Refusal):
            return
        visitor = self.visitor(name, "phone")
        outcome = self.tell(ops.PinRedeem(str(made.secret["pin"])), visitor)
        if isinstance(outcome, Refusal):
            assert self.model.at(visitor.person, "phone") is not None or self.full(who)
            return
        one = Dossier(str(outcome.value["request"]), 0, visitor.person, "phone", "f", self.model.now, 0, pin=True)
        self.model.open(one)
        self.model.assign(one, who, "assigned")
        self.compare()

    def full(self, who: str) -> bool:
        """Whether a representative has no room: for what it talks about, and what it is offered."""
        offers = [one for one in self.scene.desk.state.offers.values() if one.representative == who]
        return len(self.model.talking(who)) + len(offers) >= self.model.clerks[who].room
