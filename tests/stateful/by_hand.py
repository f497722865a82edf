"""What people of the desk machine do with requests beside the offers: classes, taking, giving, and the time after."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from broker.codes import Code
from broker.protocol import ops
from tests.stateful.counter import Counter, number
from tests.stateful.setting import CLASSES, rarely, staff
from tests.support.builders import manager, representative
from tests.support.model_things import Wish

GONE = "r_gone"


class ByHand(Counter):
    """Requests that are moved by people."""

    @precondition(lambda self: self.model.wishes)
    @rule(which=number, class_=st.sampled_from(["normal", "none", *dict(CLASSES), *dict(CLASSES)]))
    def classify(self, which: int, class_: str) -> None:
        """A manager says what kind of request it is."""
        wish = self.model.wishes[which % len(self.model.wishes)]
        command = ops.RequestClassify(wish.name, class_)
        if wish.owner is not None or wish.how != "queue":
            self.refused(Code.WRONG_STATE, command, manager())
        elif class_ not in {"normal", *dict(self.model.doors[wish.portal].classes)}:
            self.refused(Code.BAD_ARGS, command, manager())
        else:
            handled = self.carried_out(command, manager())
            assert handled.value == {"request": wish.name, "changed": wish.class_ != class_}
            self.model.classify(wish.name, class_)
        self.compare()

    @precondition(lambda self: any(door.take != "off" for door in self.model.doors.values()))
    @precondition(lambda self: self.model.wishes)
    @rule(which=number, name=staff)
    def take(self, which: int, name: str) -> None:
        """A representative takes a request."""
        wish = self.model.wishes[which % len(self.model.wishes)]
        name = self.likely(name, which, [person.name for person in self.model.serving(wish.line)])
        command, who = ops.CaseTake(wish.name), representative(name)
        if (code := self._not_to_take(wish, name) or self._not_to_have(wish, name)) is not None:
            self.refused(code, command, who)
            return
        handled = self.carried_out(command, who)
        assert handled.value == {"request": wish.name, "session": "s_" + wish.name[2:]}
        self.model.take(wish.name, name)
        self.compare()

    def _not_to_take(self, wish: Wish, name: str) -> Code | None:
        take = self.model.doors[wish.portal].take
        if not self.model.knows(name):
            return Code.NOT_ALLOWED
        if wish.how == "pin" or not self.model.serves(self.model.person(name), wish.line):
            return Code.NO_SUCH
        if take == "off":
            return Code.NOT_ALLOWED
        line = self.model.queue(wish.line)
        later = take == "head" and wish.name in line[1:]
        return Code.WRONG_STATE if later else None

    def _not_to_have(self, wish: Wish, name: str) -> Code | None:
        person, places = self.model.person(name), self.model.places(wish)
        own = any(offer.wish == wish.name for offer in self.model.proposed(name))
        room = self.model.has_room(name, 0 if own else places)
        return None if wish.owner is None and person.connected and room else Code.WRONG_STATE

    @rarely
    @precondition(lambda self: self.model.wishes)
    @rule(which=number, name=staff)
    def assign(self, which: int, name: str) -> None:
        """A manager gives a request to somebody, whatever that one serves."""
        wish = self.model.wishes[which % len(self.model.wishes)]
        command = ops.CaseAssign(name, wish.name)
        if wish.how == "pin":
            self.refused(Code.NO_SUCH, command, manager())
        elif not self.model.knows(name):
            self.refused(Code.BAD_ARGS, command, manager())
        elif (code := self._not_to_have(wish, name)) is not None:
            self.refused(code, command, manager())
        else:
            handled = self.carried_out(command, manager())
            assert handled.value == {"request": wish.name, "session": "s_" + wish.name[2:]}
            self.model.take(wish.name, name)
        self.compare()

    @rarely
    @rule()
    def too_late(self) -> None:
        """What is over can't be moved."""
        self.refused(Code.NO_SUCH, ops.RequestClassify(GONE, "normal"), manager())
        self.refused(Code.NO_SUCH, ops.CaseTake(GONE), representative("ann"))
        self.refused(Code.NO_SUCH, ops.CaseAssign("ann", GONE), manager())
        self.refused(Code.NO_SUCH, ops.WrapUpEnd("s_gone"), representative("ann"))

    @precondition(lambda self: any(person.wrap_ups for person in self.model.people))
    @rule(which=number, name=staff)
    def end_wrap_up(self, which: int, name: str) -> None:
        """What was left to do after a session is done; nobody can say so for another."""
        found = [(wrap_up.session, person.name) for person in self.model.people for wrap_up in person.wrap_ups]
        session, owner = found[which % len(found)]
        name = owner if which % 4 else name
        if name != owner:
            code = Code.NO_SUCH if self.model.knows(name) else Code.NOT_ALLOWED
            self.refused(code, ops.WrapUpEnd(session), representative(name))
        else:
            handled = self.carried_out(ops.WrapUpEnd(session), representative(name))
            assert handled.value == {"session": session}
            self.model.end_wrap_up(session)
        self.compare()
