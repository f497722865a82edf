"""The case machine whole: what representatives, managers, time and a restart do, on top of what customers do."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from broker.codes import Code
from broker.desk import commands as c
from broker.protocol import ops
from broker.units import DAYS
from tests.support.agreement import reloaded, same_desk
from tests.support.builders import representative
from tests.support.case_customers import STAFF, TEAMS, number, rarely
from tests.support.case_ground import MIA
from tests.support.case_talks import CaseTalks, staff
from tests.support.case_things import QUESTION, Dossier


class CaseMachine(CaseTalks):
    """Everything that may happen to cases."""

    # --- cases -----------------------------------------------------------------------------------

    def cannot(self, one: Dossier, name: str) -> bool:
        """Whether a representative can't have a conversation now: not there, or no room."""
        clerk = self.model.clerks[name]
        mine = [
            o for o in self.scene.desk.state.offers.values() if (o.representative, o.request) == (name, one.request)
        ]
        full = self.full(name) if not mine else len(self.model.talking(name)) >= clerk.room
        return one.who is not None or not clerk.connected or full

    @precondition(lambda self: self.model.dossiers)
    @rule(which=number, name=staff)
    def take(self, which: int, name: str) -> None:
        """G3, G7: a representative assigns a case to itself."""
        clerk = self.model.clerks.get(name)
        served = self.model.serves[clerk.team] if clerk is not None else set()
        free = [one for one in self.model.dossiers if one.status == "unassigned" and one.line in served]
        one = self.likely(which, free)
        command, who = ops.CaseTake(case=one.case), representative(name)
        if clerk is None:
            self.refused(Code.NOT_ALLOWED, command, who)
        elif one.line not in self.model.serves[clerk.team] or (one.live and one.pin):
            self.refused(Code.NO_SUCH, command, who)
        elif one.live and self.cannot(one, name):
            self.refused(Code.WRONG_STATE, command, who)
        elif not one.live and one.status != "unassigned":
            self.wrong(one, command, who)
        else:
            self.carried_out(command, who)
            self.model.assign(one, name, "taken")
            self.compare()

    @precondition(lambda self: self.model.dossiers)
    @rule(which=number, name=staff)
    def give(self, which: int, name: str) -> None:
        """G7: a manager assigns it to somebody."""
        one = self.likely(which, [one for one in self.model.dossiers if one.who is None or not one.live])
        command = ops.CaseAssign(name, case=one.case)
        if one.live and one.pin:
            self.refused(Code.NO_SUCH, command, MIA)
        elif name not in self.model.clerks:
            self.refused(Code.BAD_ARGS, command, MIA)
        elif one.live and self.cannot(one, name):
            self.refused(Code.WRONG_STATE, command, MIA)
        elif not one.live and one.status == "resolved":
            self.wrong(one, command, MIA)
        elif not one.live and one.who == name:
            assert self.carried_out(command, MIA).records == []
        else:
            self.carried_out(command, MIA)
            self.model.assign(one, name, "given")
            self.compare()

    @precondition(lambda self: self.model.dossiers)
    @rule(
        which=number,
        name=st.sampled_from([None, "its own", "its own", *STAFF]),
        op=st.sampled_from([ops.CaseResolve, ops.CaseReopen]),
        older=st.sampled_from([None, 0, 1]),
    )
    def settle(
        self, which: int, name: str | None, op: type[ops.CaseResolve] | type[ops.CaseReopen], older: int | None
    ) -> None:
        """G3: it is resolved, or opened again; with a version only as it was seen."""
        wanted = "assigned" if op is ops.CaseResolve else "resolved"
        one = self.likely(which, [one for one in self.model.dossiers if one.status == wanted])
        name = (one.who or "ann") if name == "its own" else name
        version = None if older is None else one.version - older or None
        command = op(one.case, version)
        who = MIA if name is None else representative(name)
        if name is not None and (code := self.not_theirs(one, name)) is not None:
            self.refused(code, command, who)
            return
        if one.status != wanted or version not in (None, one.version):
            self.wrong(one, command, who)
            return
        if op is ops.CaseReopen and one.kind == QUESTION and not self.model.has_room():
            self.refused(Code.QUOTA, command, who)
            return
        value = self.carried_out(command, who).value
        (self.model.resolve if op is ops.CaseResolve else self.model.reopen)(one)
        assert value == {"case": one.case, "status": one.status, "version": one.version}
        self.compare()

    def not_theirs(self, one: Dossier, name: str) -> Code | None:
        """Why a representative may not say what becomes of a case."""
        clerk = self.model.clerks.get(name)
        if clerk is None:
            return Code.NOT_ALLOWED
        if one.who != name and one.line not in self.model.serves[clerk.team]:
            return Code.NO_SUCH
        return Code.NOT_ALLOWED if one.who != name and one.who in self.model.clerks else None

    @precondition(lambda self: self.model.dossiers)
    @rule(name=staff, upto=st.integers(1, 25))
    def see(self, name: str, upto: int) -> None:
        """D4: a representative looks at the unassigned ones."""
        clerk = self.model.clerks.get(name)
        if clerk is not None:
            clerk.seen = max(clerk.seen, min(upto, self.model.listings))
            assert self.carried_out(ops.CasesSeen(upto), representative(name)).value == {"upto": clerk.seen}
            self.compare()

    @precondition(lambda self: any(one.email for one in self.model.dossiers))
    @rule(which=number, manager=st.booleans())
    def mail(self, which: int, manager: bool) -> None:  # noqa: FBT001 (hypothesis passes names)
        """G10: it is answered by e-mail."""
        asked = [one for one in self.model.dossiers if one.who is not None and one.email is not None]
        one = self.likely(which, asked)
        text, subject = self.text("mail"), self.text("subject")
        command = ops.CaseMail(one.case, text, subject)
        who = MIA if manager else representative(one.who or "ann")
        if not manager and (code := self.not_theirs(one, who.person)) is not None:
            self.refused(code, command, who)
        elif one.who is None:
            self.wrong(one, command, who)
        elif one.email is None:
            self.refused(Code.WRONG_STATE, command, who)
        else:
            one.mailed += 1
            one.mails.append(f"m_{one.case[2:]}.{one.mailed}")
            assert self.carried_out(command, who).value == {"mail": one.mails[-1]}
            self.keep(text, subject)
            one.said |= {text.ref[0], subject.ref[0]}
            self.compare()

    @precondition(lambda self: any(one.mails for one in self.model.dossiers))
    @rule(which=number, state=st.sampled_from(["sent", "deferred", "failed"]))
    def post(self, which: int, state: str) -> None:
        """The mail server says what came of one."""
        mails = [(one, mail) for one in self.model.dossiers for mail in one.mails]
        one, mail = mails[which % len(mails)]
        self.carried_out(c.MailAttempted(mail, state, 250, state))
        if state != "deferred":
            one.mails.remove(mail)
        self.compare()

    # --- managers --------------------------------------------------------------------------------

    @precondition(lambda self: self.model.dossiers)
    @rule(which=number, stale=st.sampled_from([False, False, False, True]))
    def delete(self, which: int, stale: bool) -> None:  # noqa: FBT001 (hypothesis passes names)
        """G9: it is erased, once the conversation is over."""
        one = self.likely(which, [one for one in self.model.dossiers if not one.live])
        (read,) = self.named([one.session])
        command = ops.CaseDelete(one.case)
        if which % 9 == 8:
            self.refused(Code.NOT_ALLOWED, command, representative(one.who or "ann"), read)
        elif one.live:
            assert self.refused(Code.WRONG_STATE, command, MIA, read).detail["state"] == "live"  # type: ignore[index]
        elif stale and read.heads[0]:
            self.refused(Code.OVERLOADED, command, MIA, c.Gathered((read.heads[0] - 1, read.heads[1])))
        else:
            assert self.carried_out(command, MIA, read).value == {"case": one.case}
            self.scrub(one.session)
            self.erase(one)
            self.refused(Code.NO_SUCH, command, MIA, c.Gathered((0, 0)))

    @precondition(lambda self: self.scene.commands % 3 == 0 or self.model.due()[1])
    @rule()
    def sweep(self) -> None:
        """The broker erases what it needn't keep any longer, and that alone."""
        reason, found = self.model.due()
        sessions = [one.session for one in self.model.dossiers]
        read = dict(zip(sessions, self.named(sessions), strict=True))
        named = c.EraseCases(tuple((one.case, read[one.session]) for one in found), reason)
        told = self.carried_out(named).records
        erased = [(getattr(one.event, "request", None), getattr(one.event, "reason", None)) for one in told]
        assert sorted(erased) == sorted((one.request, reason) for one in found), f"{found}, erased were {erased}"
        for one in found:
            self.scrub(one.session)
            self.erase(one)
        self.compare()
        if reason == "retention" and self.model.dossiers:
            rest = [(one.case, read[one.session]) for one in self.model.dossiers]
            assert self.carried_out(c.EraseCases(tuple(rest), reason)).records == []

    @rarely
    @precondition(lambda self: self.model.live())
    @rule(which=number)
    def block(self, which: int) -> None:
        """A customer is shut out; who comes next under that name is somebody else."""
        live = self.model.live()
        one = live[which % len(live)]
        self.carried_out(ops.VisitorBlock("rude", one.request), MIA)
        self.model.shut_out(one.visitor)
        self.blocked.add(one.visitor)
        self.generation[one.visitor[2:].partition(".")[0]] += 1
        self.compare()

    @rarely
    @rule(
        what=st.sampled_from(["people", "teams", "portals"]),
        name=staff,
        team=st.sampled_from(sorted(TEAMS)),
        served=st.sets(st.sampled_from(["x", "y", "w", "z", "f"]), min_size=2),
        portal=st.sampled_from(["web", "chat"]),
    )
    def reorganise(self, what: str, name: str, team: str, served: set[str], portal: str) -> None:
        """People come and go, teams serve others, portals are closed and opened."""
        match what:
            case "people":
                self.come_or_go(name, team)
            case "teams":
                self.serve(team, served)
            case _:
                self.close_or_open(portal)

    def serve(self, team: str, served: set[str]) -> None:
        """A team serves other sub-portals."""
        there = {line for names in self.model.portals.values() for line in names}
        self.put_team(team, sorted(served & there))
        self.compare()

    def close_or_open(self, name: str) -> None:
        """A portal goes, and its sub-portals with it; or it is there again."""
        if name not in self.model.portals:
            self.put_portal(name)
        elif any(one.portal == name or one.line in self.model.portals[name] for one in self.model.live()):
            self.refused(Code.WRONG_STATE, ops.PortalDelete(name), MIA)
        else:
            self.carried_out(ops.PortalDelete(name), MIA)
            gone = set(self.model.portals.pop(name))
            for served in self.model.serves.values():
                served -= gone
        self.compare()

    # --- time ------------------------------------------------------------------------------------

    @rule(ms=st.one_of(st.integers(1, 1000), st.sampled_from([5000, 10_000, 20_000, 60_000, 130_000])))
    def wait(self, ms: int) -> None:
        """Time passes; every deadline on the way comes at its moment."""
        until = self.scene.now + ms
        while (due := self.scene.fire(until)) is not None:
            self.model.now = self.scene.now
            self.note()
            self.fired(due[1], due[2])
            self.compare()
        self.model.now = self.scene.now
        self.compare()

    def fired(self, kind: str, name: str) -> None:
        """What time brings."""
        match kind:
            case "lease":
                clerk = self.model.clerks[name]
                assert clerk.lease == self.model.now
                clerk.connected = True  # it was never seen again since the restart
                self.model.lose(name)
            case "hold":
                assert self.model.clerks[name].hold == self.model.now
                self.model.choose(name, "offline")
            case "abandon":
                assert self.model.lost[name] == self.model.now
                self.model.vanish(name)
            case "overflow":
                one = self.model.find(name)
                if one.line == "x":
                    self.model.move(one, "y")
                elif self.model.has_room():
                    self.model.convert(one)
            case "unstaffed" if not self.model.staffed(name):
                for one in sorted(self.model.waiting(), key=lambda one: one.created):
                    if one.line == name and self.model.has_room():
                        self.model.convert(one)
            case "visitors":
                self.generation = {visitor: count + 1 for visitor, count in self.generation.items()}
            case _:
                pass  # of offers and pins, which are no matter of the cases

    @precondition(lambda self: self.model.dossiers)
    @rule()
    def go_for_good(self) -> None:
        """All who wait or talk lose their connections, and aren't back in time."""
        for visitor in self.model.busy():
            self.connect(visitor, back=False)
        self.wait(130_000)

    @precondition(lambda self: self.model.dossiers)
    @rule(days=st.sampled_from([1, 1, 2, 3, 90]), begun=st.booleans())
    def wait_long(self, days: int, begun: bool) -> None:  # noqa: FBT001 (hypothesis passes names)
        """Everybody is gone, visitors are forgotten, and cases have been over for long."""
        for which, one in enumerate(self.model.talking() if begun else ()):
            self.carried_out(ops.SessionEnd(one.session), self.likewise(one))
            self.model.close(one)
            self.settle(which, None, ops.CaseResolve, None)
        if self.model.live():
            self.go_for_good()
        if not self.model.live():  # else somebody would be offered it 600 times
            self.wait(days * DAYS)
            self.sweep()

    @rarely
    @rule(how=st.sampled_from(["snapshot", "replay", "later"]))
    def restart(self, how: str) -> None:
        """The broker starts anew: out of its snapshot, or out of all its records; or takes a snapshot for the end."""
        desk = self.replayed() if how == "replay" else reloaded(self.scene.desk)
        same_desk(self.scene.desk, desk)
        if how == "later":
            self.snapshot = (len(self.papers.records), desk)
            return
        desk.drain_erased()
        self.scene.desk = desk
        self.scene.restart()
        self.note()
        self.model.start()
        self.compare()
