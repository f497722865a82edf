"""The broker as a contender: started as its users start it, with a configuration of the benchmark's own.

What differs from the defaults is in ``SETTINGS``, and every report says so: rates (the load asks more often than
a person would), and nothing else.
"""

from __future__ import annotations

import http.client
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from bench.load.build import CACHE
from bench.load.people import Person, canned_request, everyone, sign_in
from bench.load.ws import frame
from bench.peers.base import EVENT, SIGNAL, Wired, signal_frame
from bench.peers.process import START_SECONDS, DidNotStart, Server, free_port, start
from broker.identity import secrets
from broker.identity.tokens import Signer

ROOT: Final = Path(__file__).parent.parent.parent
ACCOUNT: Final = "bench"
FOREVER: Final = 2**52  # ms since 1970: no token of a benchmark ends before its broker
PUBLISHES: Final = 40_000
"""Canned publishes of one case: each has a key of its own, so none may be sent twice."""
FANOUT_REP: Final = "representative-with-a-name-as-long"
FANOUT_REASON: Final = "a-reason-that-fills-the-event-up-to-two-hundred-bytes"
PRESENCES: Final = [{"presence": presence, "reason": FANOUT_REASON} for presence in ("available", "away")]
"""Each differs from the one before, so each is an event."""
SETTINGS: Final = """\
[server]
host = "127.0.0.1"
port = {port}

[data]
path = "data"

[[accounts]]
name = "bench"
slot = 0
desk = "desk.toml"

# The load is one person where a thousand would be: nobody is to be held back.
[limits]
customer_rate = 1000000
customer_burst = 1000000
chat_rate = 1000000
chat_burst = 1000000
account_rate = 1000000
account_burst = 1000000
representative_rate = 1000000
representative_burst = 1000000

[logs]
level = "warning"
"""
UNTRUSTED: Final = """\
[limits]
trusted_networks = ["127.0.0.1/32"]
representative_rate = 1000000
representative_burst = 1000000
customer_rate = 50
customer_burst = 100

"""
RAISED: Final = "the broker's rates of commands are raised out of reach for the benchmark; all else is as by default"


def desk_file(*, kind: str, mode: str, representatives: Sequence[str], capacity: int) -> str:
    """A desk with one portal, ``<kind>``, its sub-portal ``help``, and one team, ``bench``."""
    lines = [f'[[portal]]\nportal = "{kind}"\nkind = "{kind}"\nmode = "{mode}"\nsubportals = ["help"]\n']
    lines.append('[[team]]\nteam = "bench"\nsubportals = ["help"]\n')
    for name in representatives:
        lines.append(f'[[representative]]\nrepresentative = "{name}"\nname = "Robin"\nteam = "bench"\n')
        lines.append(f"capacity = {capacity}\n")
    return "\n".join(lines)


def names(count: int) -> list[str]:
    """That many representatives."""
    return [f"rep-{n:05}" for n in range(count)]


def _wait_ready(server: Server, log: Path) -> None:
    """Until /readyz says 200."""
    for _ in range(round(START_SECONDS / 0.05)):
        if server.process.poll() is not None:
            break
        asking = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        try:
            asking.request("GET", "/readyz")
            if asking.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            asking.close()
        time.sleep(0.05)
    server.process.kill()
    server.process.wait()
    raise DidNotStart(f"the broker isn't ready: {log.read_text(errors='replace')[-2000:]}")


@attrs.define
class Running:
    """A broker that serves, and the key to sign people in."""

    server: Server
    signer: Signer
    people: list[Person] = attrs.field(factory=list)
    """All that signed in; they hang up when the broker ends."""

    def sign_in(self, auths: Sequence[Mapping[str, object]]) -> list[Person]:
        """One signed-in person for each ``auth``."""
        found = sign_in(self.server.port, auths)
        self.people += found
        return found

    def staff(self, role: str, people: Sequence[str]) -> list[Person]:
        """Representatives or managers, signed in."""
        tokens = [self.signer.mint(ACCOUNT, person, role, FOREVER) for person in people]
        return self.sign_in([{"token": token} for token in tokens])

    def representatives(self, people: Sequence[str]) -> list[Person]:
        """Representatives who follow ``me`` and are available."""
        found = self.staff("representative", people)
        everyone(found, "subscribe", {"stream": "me", "from": "now"})
        everyone(found, "presence.set", {"presence": "available"})
        for person in found:
            person.event("presence.changed")
        return found

    def customers(self, portal: str, count: int) -> list[Person]:
        """Customers who came through a portal and follow ``me``."""
        found = self.sign_in([{"portal": f"{ACCOUNT}/{portal}"}] * count)
        everyone(found, "subscribe", {"stream": "me", "from": "now"})
        everyone(
            found, "portal.open", {}
        )  # reads the notice of the portal's state, which comes behind the first answer
        return found


@contextmanager
def running(desk: str, *, untrusted: bool = False) -> Iterator[Running]:
    """A broker on its own core with a fresh journal on disk. ``untrusted``: customers are held to a rate that the load
    needs, and limits by address bind this machine too, but for the load's own address."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="broker-", dir=CACHE))
    server, broker = None, None
    try:
        port = free_port()
        settings = SETTINGS.format(port=port)
        if untrusted:
            settings = re.sub(r"# The load is one.*?\n\n", UNTRUSTED, settings, flags=re.DOTALL)
        (folder / "huntgroup.toml").write_text(settings)
        (folder / "desk.toml").write_text(desk)
        command: list[str | Path] = [sys.executable, "-m", "broker", "serve", "--config", folder / "huntgroup.toml"]
        server = start("broker", command, cwd=ROOT, port=port)
        _wait_ready(server, CACHE / "broker.log")
        broker = Running(server, Signer(secrets.load(folder / "data").token_key))
        yield broker
    finally:
        for person in broker.people if broker is not None else ():
            person.socket.close()
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def share(customer: Person, representative: Person, name: str) -> str:
    """From a request to a screen share with full consent; the share's id."""
    customer.ask("request.create", {"representative": name})
    offer = representative.event("offer.made")["offer"]
    session = representative.ask("offer.accept", {"offer": offer})["session"]
    shared: str = representative.ask("share.request", {"session": session})["share"]
    customer.ask("share.accept", {"share": shared})
    customer.ask("share.confirm", {"share": shared})
    customer.ask("share.started", {"share": shared})
    return shared


def settle(people: Sequence[Person]) -> None:
    """One more answer for each: whatever was on its way to them has been read then."""
    everyone(people, "unsubscribe", {"stream": "me"})


@attrs.frozen
class Broker:
    """Huntgroup itself."""

    name: str = "broker"
    per_message: int = 1
    """Frames that its clients pack into one message in the relay."""

    @contextmanager
    def relay(self, pairs: int) -> Iterator[Wired]:
        """See ``Contender``. Pairs: (customer, representative)."""
        reps = names(pairs)
        with running(desk_file(kind="pick", mode="web", representatives=reps, capacity=4)) as broker:
            staff = broker.representatives(reps)
            customers = broker.customers("pick", pairs)
            canned: list[list[bytes]] = []
            people: list[Person] = []
            for customer, person, name in zip(customers, staff, reps, strict=True):
                signal = frame(signal_frame(share(customer, person, name)) * self.per_message)
                canned += [[signal], [signal]]
                people += [customer, person]
            settle(people)
            yield self._wired(broker, people, canned, SIGNAL, self.per_message)

    @contextmanager
    def fanout(self, subscribers: int) -> Iterator[Wired]:
        """See ``Contender``. The publisher is a representative, the subscribers are managers."""
        with running(desk_file(kind="ask", mode="queue", representatives=[FANOUT_REP], capacity=1)) as broker:
            publisher = broker.staff("representative", [FANOUT_REP])[0]
            managers = broker.staff("manager", [f"manager-{n:05}" for n in range(subscribers)])
            everyone(managers, "subscribe", {"stream": "team:bench", "from": "now"})
            publishes = [canned_request("presence.set", presence) for presence in PRESENCES * (PUBLISHES // 2)]
            people = [publisher, *managers]
            yield self._wired(broker, people, [publishes] + [[]] * subscribers, EVENT, 1)

    def _wired(
        self,
        broker: Running,
        people: Sequence[Person],
        canned: list[list[bytes]],
        kind: int,
        per_message: int,
    ) -> Wired:
        server = attrs.evolve(broker.server, name=self.name)
        sockets = [person.socket for person in people]
        return Wired(
            server=server, sockets=sockets, canned=canned, unit_kind=kind, per_message=per_message, note=RAISED
        )
