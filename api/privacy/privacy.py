"""What the shop has decided about how long things are kept."""

from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info
from api.errors import UserError
from api.mutations import changed, mutation
from api.selection import wanted
from api.ways_in.channels import Channel, channels_by_id
from domain import access, shop
from domain.actors import Actor
from domain.db import Json
from domain.ids import row_id
from domain.privacy import retention
from domain.ways_in import channels


@strawberry.type(description="How many days a channel's originals and texts are kept; null: for ever.")
class Retention:
    channel: Channel
    originals_days: int | None
    texts_days: int | None


@strawberry.type(description="What a retention would take now. Nothing is done.")
class RetentionPlan:
    originals: int = strawberry.field(description="Originals as they came, of what was read.")
    texts: int = strawberry.field(
        description="Messages and calls of tickets that take no more, with their files."
    )


@strawberry.type
class Privacy:
    sealed_days: int = strawberry.field(
        description="How long what was erased of a person is kept sealed before it is destroyed; 0: not at all."
    )
    erasing_takes_two: bool = strawberry.field(description="Whoever asks for an erasure may not confirm it.")
    retention: list[Retention] = strawberry.field(description="Channels without one keep everything.")


@strawberry.input(description="What is left out stays.")
class PrivacyUpdateInput:
    sealed_days: int | None = None
    erasing_takes_two: bool | None = None
    client_mutation_id: strawberry.ID


@strawberry.input(description="Null or left out: for ever.")
class RetentionSaveInput:
    channel_id: strawberry.ID
    originals_days: int | None = None
    texts_days: int | None = None
    client_mutation_id: strawberry.ID


@strawberry.type
class PrivacyPayload:
    privacy: Privacy | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _privacy(info: Info) -> Privacy:
    table: Any = retention.Retention.__table__
    async with info.context.reading() as reading:
        days, two = await shop.erasing(reading.connection)
        rows = (await reading.connection.execute(select(table))).all()
        asked = wanted(info)
        selection = asked.get("privacy", asked).below("retention", "channel")
        by_id = await channels_by_id(reading, [row.channel_id for row in rows], selection)
    kept = [
        Retention(channel=by_id[row.channel_id], originals_days=row.originals_days, texts_days=row.texts_days)
        for row in rows
        if row.channel_id in by_id
    ]
    return Privacy(sealed_days=days, erasing_takes_two=two, retention=kept)


async def _retention_plan(
    info: Info, channel_id: strawberry.ID, originals_days: int | None = None, texts_days: int | None = None
) -> RetentionPlan:
    id = row_id("Channel", channel_id, field="channelId")
    async with info.context.reading() as reading:
        due = await retention.due(
            reading.connection, id, originals_days=originals_days, texts_days=texts_days, at=reading.at
        )
    return RetentionPlan(originals=due.originals, texts=due.texts)


async def _privacy_update(info: Info, input: PrivacyUpdateInput) -> PrivacyPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        days, two = await shop.erasing(session)
        await shop.set_erasing(
            session,
            sealed_days=days if input.sealed_days is None else input.sealed_days,
            takes_two=two if input.erasing_takes_two is None else input.erasing_takes_two,
        )
        return {}

    await changed(info, input, change)
    return PrivacyPayload(privacy=await _privacy(info))


async def _retention_save(info: Info, input: RetentionSaveInput) -> PrivacyPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        id = row_id("Channel", input.channel_id, field="channelId")
        channel = await access.one(session, channels.Channel, id, to=actor)
        await retention.save(
            session, channel.id, originals_days=input.originals_days, texts_days=input.texts_days
        )
        return {}

    await changed(info, input, change)
    return PrivacyPayload(privacy=await _privacy(info))


@strawberry.type
class PrivacyQueries:
    privacy: Privacy = strawberry.field(resolver=_privacy)
    retention_plan: RetentionPlan = strawberry.field(
        resolver=_retention_plan, description="A dry run: what such days would take now."
    )


@strawberry.type
class PrivacyMutations:
    privacy_update: PrivacyPayload = mutation(resolver=_privacy_update)
    retention_save: PrivacyPayload = mutation(
        resolver=_retention_save, description="Applied within six hours, and from then on."
    )
