"""What managers do with people: who is there, how they come in, and programs that speak for the account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from broker.content import Personal
from broker.protocol import ops
from clients.python import answers
from clients.python.account import Configuration, Functions, Skill
from clients.python.commands import a_map, maps, personal, read
from clients.python.role import Staff


@attrs.frozen
class People(Staff):
    """The half of ``roles.Manager`` that is about people. ``NotAllowed`` says what is missing."""

    async def put_representative(
        self,
        representative: str,
        name: str,
        team: str,
        capacity: int,
        *,
        weight: int | None = None,
        skills: Sequence[Skill] | None = None,
        email: str | None = None,
        management: bool | None = None,
        functions: Functions | None = None,
    ) -> bool:
        """Create a representative or change it to be so; whether anything changed. ``capacity``: places that its
        sessions may take; ``weight``: its share under the policy weighted; ``management``: whether it may read its own
        data on the management side; ``functions``: what it may do or not, whatever its team may."""
        command = ops.RepresentativePut(
            representative, Personal(name), team, capacity, weight, maps(skills), personal(email), management
        )
        command.functions = a_map(functions)
        changed: bool = (await self.request(command))["changed"]
        return changed

    async def delete_representative(self, representative: str) -> str:
        """Let one go for good: sessions go back to the line; the pseudonym under which what it did stays."""
        former: str = (await self.request(ops.RepresentativeDelete(representative)))["former"]
        return former

    async def put_manager(
        self,
        manager: str,
        kind: Literal["account", "team", "api"],
        *,
        name: str | None = None,
        email: str | None = None,
        teams: Sequence[str] | None = None,
        rights: Sequence[str] | None = None,
    ) -> bool:
        """The same for a manager. ``teams``: of a team manager. docs/reference/rights.md says what the rights are."""
        command = ops.ManagerPut(
            manager,
            kind,
            personal(name),
            personal(email),
            None if teams is None else list(teams),
            None if rights is None else list(rights),
        )
        changed: bool = (await self.request(command))["changed"]
        return changed

    async def delete_manager(self, manager: str) -> None:
        """Let one go; ``WrongState`` for the last account manager."""
        await self.request(ops.ManagerDelete(manager))

    async def put_service(self, service: str, scopes: Sequence[str]) -> bool:
        """A program that speaks for the account, and what it may do; whether anything changed."""
        changed: bool = (await self.request(ops.ServicePut(service, list(scopes))))["changed"]
        return changed

    async def delete_service(self, service: str) -> None:
        """It speaks for nobody any more; its keys are worthless."""
        await self.request(ops.ServiceDelete(service))

    async def export(self) -> Configuration:
        """The account as it is set up, e-mail addresses included: for API managers."""
        return read(Configuration, (await self.request(ops.AccountExport())).value)

    async def set_password(self, new: str, old: str | None = None, *, person: str | None = None) -> None:
        """Choose one's own password, with the present one; or another person's, who has to change it."""
        await self.request(ops.PasswordSet(new, old, person))

    async def send_password_link(self, person: str) -> None:
        """Send an e-mail with a link to choose a password. ``WrongState`` for somebody without an address."""
        await self.request(ops.PasswordLink(person))

    async def block(
        self,
        reason: str,
        *,
        request: str | None = None,
        session: str | None = None,
        visitor: str | None = None,
        what: Literal["visitor", "address", "both"] | None = None,
        life_ms: int | None = None,
    ) -> answers.Blocked:
        """Shut out a visitor, the address it asked from (with everybody who shares it), or both: by an open request, a
        session or the visitor, exactly one of them. ``reason``: a code. Without ``life_ms`` it ends after a day."""
        command = ops.VisitorBlock(reason, request, session, visitor, what, life_ms)
        return read(answers.Blocked, (await self.request(command)).value)

    async def end_block(self, block: str) -> None:
        """Let them in again."""
        await self.request(ops.BlockEnd(block))

    async def blocks(self) -> list[answers.Block]:
        """Who is shut out, the oldest block first."""
        return [read(answers.Block, each) for each in (await self.request(ops.BlockList()))["blocks"]]

    async def create_key(
        self, person: str, *, scopes: Sequence[str] | None = None, life_ms: int | None = None
    ) -> answers.MadeKey:
        """An API key for a service or an API manager, at most two at a time. Its text is told this once."""
        command = ops.KeyCreate(person, None if scopes is None else list(scopes), life_ms)
        return read(answers.MadeKey, (await self.request(command)).value)

    async def revoke_key(self, prefix: str) -> None:
        """Make an API key worthless."""
        await self.request(ops.KeyRevoke(prefix))

    async def keys(self, person: str | None = None) -> list[answers.Key]:
        """The live API keys, without what they prove; of everybody, or of one."""
        return [read(answers.Key, each) for each in (await self.request(ops.KeyList(person)))["keys"]]
