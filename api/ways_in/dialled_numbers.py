"""Which advert, page or product a call came from: the shop's numbers, and where each of them stands."""

import uuid
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Team, teams_by_id
from api.context import Info, Reading, plain
from api.errors import OkPayload, UserError
from api.mutations import changed, mutation
from api.node import Node
from api.selection import Selection, wanted
from api.ways_in.channels import Channel, channels_by_id
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.calling import dialled_numbers
from domain.db import Json
from domain.ids import public_id, row_id
from domain.ways_in import channels


@strawberry.type(description="A number of the shop's that leads to a phone line.")
class DialledNumber(Node):
    channel: Channel
    number: str
    campaign: str
    source: str = strawberry.field(description="Where it stands: an advert, a page, a product.")
    language: str = strawberry.field(description="Of who calls it, where nothing better is known.")
    team: Team | None = strawberry.field(description="Whose its tickets are; none: the line's.")
    dial: str = strawberry.field(
        description="Where its calls are connected, an extension or a number; empty: as the PBX knows itself."
    )


@strawberry.input(description="By its line and number. What is left out stays; a team of null: the line's.")
class DialledNumberSaveInput:
    channel_id: strawberry.ID
    number: str
    campaign: str | None = None
    source: str | None = None
    language: str | None = strawberry.field(default=None, description="en, pl, es or ca.")
    team_id: strawberry.Maybe[strawberry.ID | None]
    dial: str | None = None
    client_mutation_id: strawberry.ID


@strawberry.input
class DialledNumberDeleteInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class DialledNumberPayload:
    dialled_number: DialledNumber | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _load(
    reading: Reading, selection: Selection, *conditions: ColumnElement[bool]
) -> list[DialledNumber]:
    row_of = dialled_numbers.DialledNumber
    found = await reading.connection.execute(
        select(row_of.__table__)
        .where(may_see(row_of, reading.actor), *conditions)
        .order_by(row_of.channel_id, row_of.number)
        .limit(100)
    )
    rows = found.all()
    lines = await channels_by_id(reading, {row.channel_id for row in rows}, selection.below("channel"))
    teams = await teams_by_id(reading, [row.team_id for row in rows])
    return [_number(row, lines[row.channel_id], teams.get(row.team_id)) for row in rows]


def _number(row: Any, line: Channel, team: Team | None) -> DialledNumber:
    said = {name: getattr(row, name) for name in ("number", "campaign", "source", "language", "dial")}
    return plain(
        DialledNumber, {**said, "id": public_id("DialledNumber", row.id), "channel": line, "team": team}
    )


async def _dialled_numbers(info: Info, channel_id: strawberry.ID | None = None) -> list[DialledNumber]:
    async with info.context.reading() as reading:
        if channel_id is None:
            return await _load(reading, wanted(info))
        asked = row_id("Channel", channel_id, field="channelId")
        return await _load(reading, wanted(info), dialled_numbers.DialledNumber.channel_id == asked)


async def _save(info: Info, input: DialledNumberSaveInput) -> DialledNumberPayload:
    async def change(session: AsyncSession, actor: Actor, now: Any) -> Json:
        asked = row_id("Channel", input.channel_id, field="channelId")
        line = await access.one(session, channels.Channel, asked, to=actor)
        team_id = None
        if input.team_id is not None and (given := input.team_id.value):
            team = await access.team(session, row_id("Team", given, field="teamId"), to=actor)
            team_id = team.id
        saved = await dialled_numbers.save_number(
            session,
            line,
            input.number,
            campaign=input.campaign,
            source=input.source,
            language=input.language,
            team_id=team_id,
            keep_team=input.team_id is None,
            dial=input.dial,
            at=now,
        )
        return {"number": str(saved.id)}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        selection = wanted(info).below("dialledNumber")
        found = await _load(reading, selection, dialled_numbers.DialledNumber.id == uuid.UUID(done["number"]))
    return DialledNumberPayload(dialled_number=found[0] if found else None)


async def _delete(info: Info, input: DialledNumberDeleteInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: Any) -> Json:
        asked = row_id("DialledNumber", input.id)
        kept = await access.one(session, dialled_numbers.DialledNumber, asked, to=actor, lock=True)
        await session.delete(kept)
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


@strawberry.type
class DialledNumberQueries:
    dialled_numbers: list[DialledNumber] = strawberry.field(
        resolver=_dialled_numbers, description="Of one line, or of all, by number; at most 100."
    )


@strawberry.type
class DialledNumberMutations:
    dialled_number_save: DialledNumberPayload = mutation(resolver=_save)
    dialled_number_delete: OkPayload = mutation(
        resolver=_delete, description="Calls that came by it keep their campaign."
    )
