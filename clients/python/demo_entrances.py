"""The demo's stories of how people come in: passwords, guesses, API keys, and pages that vouch for their visitors.

As ``demo_stories``, each with people of its own, who leave the account at its end: their names are never given again.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

import trio

from broker.codes import Close
from clients.python.client import open_client
from clients.python.demo_stage import ACCOUNT, WAIT, Actor, DiffersError, Eyes, Stage, must
from clients.python.demo_stories import Story
from clients.python.errors import BadAuth, NotAllowed, SignInOver
from clients.python.roles import Customer, Manager, Representative, Service
from clients.python.settings import Auth, Connected, Disconnected, Login, Settings, Tokens

TEAM: Final = "first-line"
GUESSES: Final = 5  # wrong passwords before there is a wait
FIRST: Final = "Given-by-Mia-1"  # a password that somebody else chose


def named(name: str) -> str:
    """A name that nobody has had."""
    return f"{name}-{secrets.token_hex(4)}"


def login(person: str, password: str, role: Literal["representative", "manager"] = "representative") -> Auth:
    """By password."""
    return Auth(login=Login(account=ACCOUNT, role=role, person=person, password=password))


@asynccontextmanager
async def newcomer(stage: Stage, mia: Manager, name: str, team: str = TEAM) -> AsyncIterator[tuple[str, str]]:
    """Somebody new in a team, with a password of its own: (who, the password). Gone at the end."""
    person, own = named(name), f"Own-{secrets.token_hex(6)}"
    await mia.put_representative(person, name.capitalize(), team, 2)
    try:
        await mia.set_password(FIRST, person=person)
        async with open_client(stage.url, login(person, FIRST), Representative) as does:
            must(f"{name} must choose another password", True, does.identity.must_change)
            await does.set_password(own, FIRST)
        yield person, own
    finally:
        with trio.move_on_after(WAIT, shield=True):
            await mia.delete_representative(person)


@asynccontextmanager
async def signed_in(stage: Stage, name: str, person: str, password: str) -> AsyncIterator[Actor[Representative]]:
    """By password, at its desk."""
    async with open_client(stage.url, login(person, password), Representative) as does:
        actor = Actor(name, does, Eyes(), stage.nursery)
        await actor.follow("me")
        yield actor


async def sign_in(stage: Stage) -> None:
    """A password: it must be changed first, the sign-in is renewed and survives a cut, and ends when it is ended."""
    kept: list[Tokens] = []
    async with stage.manager() as mia:
        person = named("kit")
        await mia.does.put_representative(person, "Kit", TEAM, 1)
        try:
            await mia.does.set_password(FIRST, person=person)
            own = f"Own-{secrets.token_hex(6)}"
            async with open_client(stage.url, login(person, FIRST), Representative) as kit:
                must("kit must choose another password", True, kit.identity.must_change)
                await _may_not(stage, kit)
                await kit.set_password(own, FIRST)
                must("kit must still choose one", False, kit.identity.must_change)
                await kit.pins()
                stage.tell("kit", "chooses another password, and may do everything now")
            settings = Settings(on_tokens=kept.append)
            async with open_client(stage.url, login(person, own), Representative, settings=settings) as kit:
                must("tokens that kit was told", 1, len(kept))
                await kit.renew(kept[0].refresh)
                must("tokens after a renewal", 2, len({tokens.refresh for tokens in kept}))
                await kit.client.cut()
                must("kit's sign-ins", 1, sum(one.sign_in == kit.identity.sign_in for one in await kit.sign_ins()))
                stage.tell("kit", "renews the sign-in, loses the connection, and is back with the new token")
                await mia.does.end_sign_ins(person)
                await _ends(kit)
                stage.tell("kit", "is signed out by mia")
            try:
                async with open_client(stage.url, Auth.again(kept[-1]), Representative):
                    raise DiffersError("a sign-in that was ended goes on")
            except SignInOver:
                stage.tell("kit", "can't come back with the tokens that it kept")
        finally:
            await mia.does.delete_representative(person)


async def _may_not(stage: Stage, kit: Representative) -> None:
    try:
        await kit.set_presence("available")
    except NotAllowed:
        stage.tell("kit", "may do nothing before that")
    else:
        raise DiffersError("kit could work with a password that somebody else chose")


async def _ends(kit: Representative) -> None:
    with trio.move_on_after(WAIT):
        try:
            while True:
                await kit.pins()
                await trio.sleep(0.05)
        except SignInOver:
            return
    raise DiffersError("mia signed kit out, and kit is still there")


async def lockout(stage: Stage) -> None:
    """Wrong passwords: each is refused alike, whether the name is there or not; after some there is a wait."""
    told: list[tuple[int, str]] = []
    async with stage.manager() as mia, newcomer(stage, mia.does, "kit") as (person, own):
        said = {await _guess(stage, named("nobody")), await _guess(stage, person)}
        must("what a guess is told, for a name that is there and one that isn't", 1, len(said))
        for _ in range(GUESSES - 1):
            await _guess(stage, person)
        stage.tell("mallory", f"guesses {GUESSES} times, and is told: {said.pop()}")

        def changed(change: Connected | Disconnected) -> None:
            if isinstance(change, Disconnected):
                told.append((change.code, change.text))

        settings = Settings(on_change=changed, patient=True)
        async with open_client(stage.url, login(person, own), Representative, settings=settings):
            stage.tell("kit", f"waits a moment ({told[0][1] if told else 'not at all'}), and comes in")
        must("kit was told to wait", {int(Close.BUSY)}, {code for code, _ in told})


async def _guess(stage: Stage, person: str) -> str:
    try:
        async with open_client(stage.url, login(person, "Guessed-Wrong-1"), Representative):
            raise DiffersError("a guessed password opened the account")
    except BadAuth as refused:
        return str(refused)


async def api_key(stage: Stage) -> None:
    """An API key: a service comes in with it, may do what its key has scopes for, and is out when it is revoked."""
    async with stage.manager() as mia:
        service = named("crm")
        await mia.does.put_service(service, ["events", "why"])
        try:
            made = await mia.does.create_key(service, scopes=["events"])
            async with open_client(stage.url, Auth(key=made.secret), Service) as crm:
                async with crm.subscribe("account"):
                    stage.tell("crm", f"comes in with the key {made.prefix}, and follows the account")
                try:
                    await crm.why("r_none")
                except NotAllowed:
                    stage.tell("crm", "may not ask why: the key hasn't that scope")
                else:
                    raise DiffersError("a key had more scopes than it was given")
                await mia.does.revoke_key(made.prefix)
                must("keys after that", [], await mia.does.keys(service))
            try:
                async with open_client(stage.url, Auth(key=made.secret), Service):
                    raise DiffersError("a revoked key opened the account")
            except BadAuth:
                stage.tell("crm", "is out: mia revoked the key")
        finally:
            await mia.does.delete_service(service)


async def entry(stage: Stage) -> None:
    """A page that embeds a portal vouches for its visitor: the request has the class that it says."""
    token = await _entry_token(stage)
    portal = f"{ACCOUNT}/classes"
    async with stage.manager() as mia, stage.customer("classes", auth=Auth(portal=portal, entry=token)) as kim:
        asked = await kim.does.ask("It blinks", name="Kim")
        (waiting,) = [one for one in await mia.does.waiting("line-classes") if one.request == asked.request]
        stage.tell("kim", f"waits as {waiting.class_}, because the page says so")
        must("kim's class", "gold", waiting.class_)
        try:
            async with open_client(stage.url, Auth(portal=portal, entry=f"{token[:-2]}AA"), Customer):
                raise DiffersError("a forged entry token was believed")
        except BadAuth:
            stage.tell("lea", "can't say the same by herself")


async def _entry_token(stage: Stage) -> str:
    """Made as an operator makes it."""
    command = [sys.executable, "-m", "broker", "entry", ACCOUNT, "classes", "--class", "gold"]
    command += ["--page", "https://shop.example/cart", "--data", stage.data or ""]
    made = await trio.run_process(command, capture_stdout=True, stderr=subprocess.DEVNULL, check=False)
    if made.returncode != 0:
        raise DiffersError("huntgroup entry made no token: --data must be the broker's data folder")
    return made.stdout.decode().strip()


ENTRANCES: Final[tuple[Story, ...]] = (sign_in, lockout, api_key, entry)
