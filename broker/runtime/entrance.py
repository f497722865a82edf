"""How people come in and are shut out: credentials, passwords, links, and what ends connections; put together here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from broker.desk.outcome import Recorded
from broker.identity.hashers import Hashers
from broker.runtime import emails, revocations
from broker.runtime.account import Account
from broker.runtime.admission import Admission
from broker.runtime.asks import Asks
from broker.runtime.batches import Part
from broker.runtime.clock import Clock
from broker.runtime.conductor import Conductor
from broker.runtime.credentials import Credentials
from broker.runtime.emails import Emails
from broker.runtime.keyring import Secrets
from broker.runtime.links import Links, Post
from broker.runtime.lockout import Lockout
from broker.runtime.options import Options
from broker.runtime.outbox import Outbox
from broker.runtime.passwords import Passwords
from broker.runtime.pin_guard import PinGuard
from broker.runtime.presence import Presence
from broker.runtime.refusals import Refusals
from broker.runtime.requests import Requests
from broker.runtime.revocations import Revocations
from broker.runtime.secret_ops import SecretOps
from broker.runtime.signin import SignIn
from broker.runtime.watch import Watch
from broker.transport.base import Transport

_OF_PEOPLE: Final = revocations.CONCERNING.union(emails.CHANGES)
"""Events that anybody here wants to know of: those of a request's way are none."""


@attrs.frozen
class Statistics:
    """What the entrance can say of itself."""

    signed_out: int
    """Connections ended because their credential was taken back."""
    kicked: int
    """Customers' connections ended by a block."""
    links_sent: int
    links_lost: int
    """Links to choose a password that had no room in the post, or nowhere to go."""


class Entrance:
    """The parts of a hub that decide who somebody is."""

    # size: it hands each part what it needs, and decides nothing
    def __init__(
        self,
        *,
        admission: Admission,
        pin_guard: PinGuard,
        accounts: Mapping[str, Account],
        secrets: Secrets,
        hashers: Hashers,
        post: Post | None,
        transport: Transport,
        clock: Clock,
        outbox: Outbox,
        asks: Asks,
        conductor: Conductor,
        requests: Requests,
        presence: Presence,
        watch: Watch,
        refusals: Refusals,
        options: Options,
        entropy: Callable[[int], bytes],
    ) -> None:
        self.emails = Emails()
        self.revocations = Revocations(outbox)
        self.passwords = Passwords(hashers=hashers, emails=self.emails, lockout=Lockout(), entropy=entropy)
        self.credentials = Credentials(
            clock=clock,
            accounts=accounts,
            signer=secrets.signer,
            pinspace=secrets.pinspace,
            api_keys=secrets.api_keys,
            sources=secrets.sources,
            conductor=conductor,
            passwords=self.passwords,
            pin_guard=pin_guard,
            refusals=refusals,
            options=options,
            entropy=entropy,
        )
        self.sign_in = SignIn(
            admission=admission,
            clock=clock,
            outbox=outbox,
            transport=transport,
            credentials=self.credentials,
            asks=asks,
            presence=presence,
            watch=watch,
            options=options,
        )
        self.secret_ops = SecretOps(
            requests=requests, passwords=self.passwords, api_keys=secrets.api_keys, clock=clock, entropy=entropy
        )
        self.links = Links(
            accounts=accounts,
            signer=secrets.signer,
            passwords=self.passwords,
            emails=self.emails,
            conductor=conductor,
            requests=requests,
            clock=clock,
            url=options.public_url,
            post=post,
        )

    def decided(self, part: Part, records: Sequence[Recorded]) -> None:
        """Told of each command's events, before they are on disk."""
        for recorded in records:
            if type(recorded.event) in _OF_PEOPLE:
                self.revocations.decided(part, records)
                self.emails.decided(part.account, records)
                return

    def statistics(self) -> Statistics:
        """Counts, for metrics and tests."""
        return Statistics(self.revocations.ended, self.revocations.kicked, self.links.sent, self.links.lost)
