"""Macros and canned texts: what there is, and saving it."""

import uuid
from collections.abc import Collection
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Team, agents_by_id, teams_by_id
from api.context import Info, Reading, plain
from api.errors import OkPayload, UserError
from api.macros.actions import Known, MacroAction, MacroActionInput, MacroTarget, asked_action, shown_action
from api.mutations import changed, mutation
from api.node import Node
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.db import Json, by_name, one_of
from domain.errors import NotFound
from domain.gathering import gathered
from domain.ids import public_id, row_id
from domain.macros import actions as doing
from domain.macros import checking, macros
from domain.macros.macros import Visibility
from domain.macros.variables import NAMES
from domain.planning.templates import TaskTemplate
from domain.ways_in.channels import ChannelKind

strawberry.enum(
    Visibility,
    name="MacroVisibility",
    description="Who sees a macro: whoever made it, a team, or everyone of the shop.",
)


@strawberry.type
class MacroBody:
    locale: str
    text: str = strawberry.field(
        description="With places to fill in, such as `{{contact.first_name|cliente}}`: what stands after `|` is said where "
        f"nothing is known. There are {', '.join(f'`{name}`' for name in NAMES)}."
    )


@strawberry.type(
    description="A text that is often written, and what is done along with it. Without actions it is a canned text."
)
class Macro(Node):
    name: str
    shortcut: str | None
    channels: list[ChannelKind] = strawberry.field(description="That it fits; empty: all.")
    bodies: list[MacroBody]
    locale: str | None = strawberry.field(description="The language of `body`.")
    body: str | None = strawberry.field(
        description="In the reader's language, or in one that there is; null where it only does something."
    )
    actions: list[MacroAction]
    visibility: Visibility
    team: Team | None
    used: int = strawberry.field(description="On how many tickets.")


@strawberry.input
class MacroBodyInput:
    locale: str
    text: str


@strawberry.input(
    description="Without `id` a new one, private unless `visibility` says otherwise. What is left out stays; lists are given whole."
)
class MacroSaveInput:
    id: strawberry.ID | None = None
    name: str | None = None
    shortcut: str | None = strawberry.field(default=None, description="Empty: none.")
    channels: list[ChannelKind] | None = None
    bodies: list[MacroBodyInput] | None = None
    actions: list[MacroActionInput] | None = None
    visibility: Visibility | None = None
    team_id: strawberry.ID | None = strawberry.field(default=None, description="Of the visibility `TEAM`.")
    client_mutation_id: strawberry.ID


@strawberry.input
class MacroDeleteInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class MacroPayload:
    macro: Macro | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def macros_where(reading: Reading, *conditions: ColumnElement[bool]) -> list[Macro]:
    row_of = macros.Macro
    rows = (
        await reading.connection.execute(
            select(row_of.__table__)
            .where(may_see(row_of, reading.actor), *conditions)
            .order_by(by_name(row_of.name), row_of.id)
        )
    ).all()
    does = {row.id: [doing.read(kept) for kept in row.actions] for row in rows}
    everything = [action for actions in does.values() for action in actions]
    agents, teams, templates = await gathered(
        agents_by_id(reading, checking.agents_of(everything)),
        teams_by_id(reading, {*(row.team_id for row in rows), *checking.teams_of(everything)}),
        _templates(reading, checking.templates_of(everything)),
    )
    handed_to = {id: MacroTarget(id=team.id, name=team.name) for id, team in teams.items()}
    known = Known(agents, handed_to, templates)
    return [
        plain(
            Macro,
            {
                "id": public_id("Macro", row.id),
                "name": row.name,
                "shortcut": row.shortcut,
                "channels": [ChannelKind(kind) for kind in row.channels],
                "bodies": [MacroBody(locale=locale, text=text) for locale, text in row.bodies.items()],
                "locale": (locale := macros.language_for(row.bodies, reading.locale)),
                "body": row.bodies[locale] if locale else None,
                "actions": [shown_action(one, known) for one in does[row.id]],
                "visibility": macros.visibility_of(row.owner_id, row.team_id),
                "team": teams.get(row.team_id),
                "used": row.used,
            },
        )
        for row in rows
    ]


async def _templates(reading: Reading, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, MacroTarget]:
    """Those that are not archived."""
    if not ids:
        return {}
    there = (may_see(TaskTemplate, reading.actor), TaskTemplate.archived_at.is_(None))
    named = select(TaskTemplate.id, TaskTemplate.name).where(one_of(TaskTemplate.id, ids), *there)
    return {
        row.id: MacroTarget(id=strawberry.ID(public_id("TaskTemplate", row.id)), name=row.name)
        for row in await reading.connection.execute(named)
    }


async def _macros(info: Info, channel: ChannelKind | None = None) -> list[Macro]:
    async with info.context.reading() as reading:
        found = await macros_where(reading)
    return [one for one in found if channel is None or not one.channels or channel in one.channels]


async def _macro_save(info: Info, input: MacroSaveInput) -> MacroPayload:
    async def change(session: AsyncSession, actor: Actor, now: Any) -> Json:
        macro = await held(session, input.id, actor) if input.id else None
        was_shared = macro is not None and macro.visibility != Visibility.PRIVATE
        team_id = row_id("Team", input.team_id, field="teamId") if input.team_id else None
        team = await access.team(session, team_id, to=actor) if team_id else None
        actions, bodies = input.actions, input.bodies
        saved = await macros.save(
            session,
            macro,
            macros.Said(
                name=input.name,
                shortcut=input.shortcut,
                channels=input.channels,
                bodies=None if bodies is None else [(one.locale, one.text) for one in bodies],
                actions=None
                if actions is None
                else [asked_action(one, ["actions", str(number)]) for number, one in enumerate(actions)],
                visibility=input.visibility,
                team_id=team.id if team else None,
            ),
            by=actor,
            at=now,
        )
        private = saved.visibility == Visibility.PRIVATE and not was_shared
        return {"macro": str(saved.id), "private": private, "told": {"id": public_id("Macro", saved.id)}}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        found = await macros_where(reading, macros.Macro.id == uuid.UUID(done["macro"]))
    return MacroPayload(macro=found[0] if found else None)


async def _macro_delete(info: Info, input: MacroDeleteInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: Any) -> Json:
        macro = await held(session, input.id, actor)
        macro.check_changed(actor)
        await session.execute(delete(macros.Macro).where(macros.Macro.id == macro.id))
        return {"private": macro.visibility == Visibility.PRIVATE, "told": {"name": macro.name}}

    await changed(info, input, change)
    return OkPayload(ok=True)


async def held(session: AsyncSession, id: str, actor: Actor, *, field: str = "id") -> macros.Macro:
    try:
        return await access.one(session, macros.Macro, row_id("Macro", id, field=field), to=actor, lock=True)
    except NotFound:
        raise NotFound(field=[field]) from None


@strawberry.type
class MacroQueries:
    macros: list[Macro] = strawberry.field(
        resolver=_macros,
        description="All that this person may use, by name: at most 500 of everyone's, 200 of each of their teams, 200 of their own. "
        "A screen asks once and keeps them.",
    )


@strawberry.type
class MacroMutations:
    macro_save: MacroPayload = mutation(resolver=_macro_save)
    macro_delete: OkPayload = mutation(resolver=_macro_delete)
