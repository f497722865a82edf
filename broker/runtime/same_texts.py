"""Texts that are there already: a desk reads no texts, so the hub tells it by the reference which are the same."""

from __future__ import annotations

from typing import Final

from broker.protocol import ops
from broker.runtime.account import Account

_PORTALS: Final = (("title", "title"), ("form", "labels"), ("texts", "texts"), ("survey", "survey_labels"))
TEXTS: Final[dict[type, tuple[str, str, tuple[tuple[str, str], ...]]]] = {
    ops.PortalPut: ("portals", "portal", _PORTALS),
    ops.ReplyPut: ("teams", "team", (("title", "title"), ("text", "text"), ("texts", "texts"))),
    ops.TeamPut: ("teams", "team", (("title", "title"),)),
    ops.RepresentativePut: ("representatives", "representative", (("name", "name"), ("email", "email"))),
    ops.ManagerPut: ("managers", "manager", (("name", "name"), ("email", "email"))),
}
"""Of what is put again and again: the collection of a desk's state, the argument that is the key in it, and (argument,
attribute) of each text; of a reply, its team. What others say is new each time."""


def take_over(account: Account, command: ops.Command) -> None:
    """Give the texts of a command that are there already by the references that they have: what isn't different is no
    change. The others have no reference yet."""
    known = TEXTS.get(type(command))
    if known is None:
        return
    collection, key, pairs = known
    there = getattr(account.desk.state, collection).get(getattr(command, key))
    if isinstance(command, ops.ReplyPut) and there is not None:
        there = there.replies.get(command.reply)
    if there is None:
        return
    for argument, attribute in pairs:
        given, ref = getattr(command, argument), getattr(there, attribute)
        if given is not None and ref is not None and account.texts.get(ref[0]) == given.text:
            given.ref = ref
