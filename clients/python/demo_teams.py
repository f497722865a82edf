"""The demo's stories of what somebody may do: team managers, functions that are switched off, logins that run out.

As ``demo_entrances``, with people and teams of their own.
"""

from __future__ import annotations

from typing import Final

import trio

from clients.python.client import open_client
from clients.python.demo_entrances import TEAM, named, newcomer, signed_in
from clients.python.demo_stage import WAIT, DiffersError, Stage, must
from clients.python.demo_stories import Story
from clients.python.errors import BadArgs, NoSuch, NotAllowed, Quota
from clients.python.roles import Manager
from clients.python.settings import Auth


async def team_manager(stage: Stage) -> None:
    """A team manager manages its team and those beneath, and can't tell what there is elsewhere."""
    async with stage.manager() as mia, open_client(stage.url, Auth(token=stage.tokens["tom"]), Manager) as tom:
        elsewhere, person = named("elsewhere"), named("kit")
        await mia.does.put_team(elsewhere, ["pick"])
        try:
            seen = {team.team for team in (await tom.account()).teams}
            stage.tell("tom", f"sees {', '.join(sorted(seen))}")
            must("teams that tom sees", (True, True, False), tuple(t in seen for t in (TEAM, "second-line", elsewhere)))
            await tom.put_representative(person, "Kit", "second-line", 1)
            stage.tell("tom", "takes somebody on in the team beneath his")
            said = set()
            for team in (elsewhere, named("nowhere")):
                try:
                    await tom.put_representative(person, "Kit", team, 1)
                except (NotAllowed, NoSuch) as refused:
                    said.add((refused.code, refused.text.replace(team, "TEAM")))
            stage.tell("tom", "can't move anybody to a team of others, and isn't told whether it is there")
            must("answers about a team elsewhere and one that isn't there", 1, len(said))
            for what in (tom.put_account(), tom.put_manager("tom", "account"), tom.put_service(named("crm"), [])):
                await _refused(what)
            await tom.delete_representative(person)
            stage.tell("tom", "lets kit go")
        finally:
            with trio.move_on_after(WAIT, shield=True):
                await mia.does.delete_team(elsewhere)


async def _refused(what: object) -> None:
    try:
        await what  # type: ignore[misc]  # a coroutine of any of tom's methods
    except NotAllowed:
        return
    raise DiffersError("a team manager could change the account")


async def function_off(stage: Stage) -> None:
    """A function is switched off for somebody who uses it: the screen share ends, and another can't begin."""
    async with (
        stage.manager() as mia,
        newcomer(stage, mia.does, "kit") as (person, own),
        signed_in(stage, "kit", person, own) as kit,
        stage.customer("pick") as kim,
    ):
        await kit.does.set_presence("available")
        asked = await kim.does.ask(representative=person, name="Kim")
        offer = await kit.eyes.event("offer.made", request=asked.request)
        session = (await kit.does.accept(str(offer.data["offer"]))).session
        await kim.eyes.event("request.assigned", request=asked.request)
        await kim.follow(f"session:{session}", 0)
        share = await kit.does.request_share(session)
        await kim.eyes.event("share.changed", share=share, state="requested")
        await kim.does.accept_share(share)
        await kim.does.confirm_share(share)
        await kim.does.share_started(share)
        await kim.eyes.event("share.changed", share=share, state="active")
        stage.tell("kim", "shows kit her screen")
        await mia.does.put_representative(person, "Kit", TEAM, 2, functions={"screen_share": False})
        ended = await kim.eyes.event("share.changed", share=share, state="ended")
        stage.tell("kim", f"sees it end: {ended.data.get('reason')}")
        must("why it ended", ("broker", "function_off"), (ended.data["by"], ended.data.get("reason")))
        try:
            await kit.does.request_share(session)
        except NotAllowed:
            (why,) = await kit.does.functions("pick", "screen_share")
            by = [f"{one.level} {one.name}" for one in why.reasons if one.decides]
            stage.tell("kit", "can't ask for another one, and reads who decided that")
            must("who decided", [f"representative {person}"], by)
        else:
            raise DiffersError("a screen share began that is switched off")
        await kim.does.end(session)


async def form(stage: Stage) -> None:
    """A form: a field that isn't as it must be is named, and nothing is asked; the next try is."""
    async with stage.representative("bo"), stage.customer("ask") as kim:
        page = await kim.does.open_portal(language="de")
        must("the form's fields", ["order", "topic"], [field.field for field in page.form])
        stage.tell("kim", f"fills in {', '.join(str(field.label) for field in page.form)}")
        try:
            await kim.does.ask("Wo bleibt es?", fields={"order": "A-17", "topic": "weather"})
        except BadArgs as bad:
            stage.tell("kim", f"is told: {bad.text}")
            must("which field", "args.fields.topic", bad.path)
        else:
            raise DiffersError("a choice was taken that the form doesn't have")
        must("requests of kim after that", None, (await kim.does.open_portal()).request)
        asked = await kim.does.ask("Wo bleibt es?", fields={"order": "A-17", "topic": "delivery"})
        must("kim's request now", asked.request, (await kim.does.open_portal()).request)


async def takeover(stage: Stage) -> None:
    """A team has one login: the second to sign in is told who has it, and may take it over."""
    async with stage.manager() as mia:
        team = named("night")
        await mia.does.put_team(team, ["pick"], logins=1)
        try:
            async with (
                newcomer(stage, mia.does, "kit", team) as (kit_name, kit_own),
                newcomer(stage, mia.does, "lou", team) as (lou_name, lou_own),
                signed_in(stage, "kit", kit_name, kit_own) as kit,
                signed_in(stage, "lou", lou_name, lou_own) as lou,
            ):
                await kit.does.set_presence("available")
                try:
                    await lou.does.set_presence("available")
                except Quota as full:
                    stage.tell("lou", "is told that no login is left, and that kit has it")
                    must("who has the login", [kit_name], list(full.detail["signed_in"]))  # type: ignore[call-overload]
                else:
                    raise DiffersError("two are signed in where there is one login")
                await lou.does.set_presence("available", takeover=kit_name)
                gone = await kit.eyes.event("presence.changed", representative=kit_name, taken_by=lou_name)
                stage.tell("kit", f"is {gone.data['presence']}: lou took the login over")
        finally:
            with trio.move_on_after(WAIT, shield=True):
                await mia.does.delete_team(team)


TEAMS: Final[tuple[Story, ...]] = (team_manager, function_off, form, takeover)
