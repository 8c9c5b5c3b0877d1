"""What admins do with a channel: add it, set it up otherwise, test it, switch it off, give it new secrets."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info
from api.errors import UserError
from api.mutations import changed, mutation
from api.selection import wanted
from api.ways_in.channels import Channel, channels_where
from domain import access
from domain.actors import Actor
from domain.db import Json
from domain.errors import NotFound
from domain.ids import public_id, row_id
from domain.languages import N_
from domain.sla import calendars
from domain.ways_in import channels, switching
from domain.ways_in.channels import ChannelKind
from integrations import setting_up
from integrations.channel_settings import SettingRefused
from integrations.checking import findings_of
from integrations.outbound import Means


@strawberry.input
class LanguageTextInput:
    language: str
    text: str


@strawberry.input(
    description="One of `value`, `values` and `byLanguage`, as the setting's shape says; with none of them it is what it is by "
    "itself. Of `byLanguage`, languages that are not named stay, and one with an empty text goes."
)
class ChannelSettingInput:
    name: str
    value: str | None = None
    values: list[str] | None = None
    by_language: list[LanguageTextInput] | None = None

    def said(self) -> Any:
        given = [one for one in (self.value, self.values, self.by_language) if one is not None]
        if len(given) > 1:
            wrong = N_("say one of value, values and byLanguage")
            raise SettingRefused(self.name, wrong, field=["settings", self.name])
        if self.by_language is not None:
            return {one.language: one.text for one in self.by_language}
        return given[0] if given else None


@strawberry.input(
    description="What a kind can be told: `channelKinds`. Secrets that are made here may be left out: they are answered once."
)
class ChannelCreateInput:
    kind: ChannelKind
    name: str
    slug: str | None = strawberry.field(
        default=None, description="Small letters, digits and hyphens; otherwise made of the name. It stays."
    )
    settings: list[ChannelSettingInput] = strawberry.field(default_factory=list)
    team_id: strawberry.ID | None = None
    calendar_id: strawberry.ID | None = None
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="What is left out stays; null takes away. The address cannot change: another one is another channel."
)
class ChannelUpdateInput:
    id: strawberry.ID
    name: str | None = None
    settings: list[ChannelSettingInput] = strawberry.field(default_factory=list)
    team_id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        description="What opens a ticket in the channel goes to it."
    )
    calendar_id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(description="The office hours.")
    client_mutation_id: strawberry.ID


@strawberry.input
class ChannelInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="`value`: of a secret that its provider gives; one of ours is made anew without it. `graceSeconds`: how long the "
    "one before is accepted as well, at most 30 days; 0: from now on only the new one is."
)
class ChannelRotateSecretInput:
    id: strawberry.ID
    secret: str
    value: str | None = None
    grace_seconds: int = 86_400
    client_mutation_id: strawberry.ID


@strawberry.type(description="Shown this once.")
class NewSecret:
    name: str
    value: str


@strawberry.type(description="`newSecrets`: those that were made here.")
class ChannelPayload:
    channel: Channel | None = None
    new_secrets: list[NewSecret] = strawberry.field(default_factory=list)
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="`name` is stable; `message` is in the caller's language.")
class ChannelFinding:
    name: str
    ok: bool
    message: str


@strawberry.type
class ChannelTestPayload:
    findings: list[ChannelFinding] = strawberry.field(default_factory=list)
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _create(info: Info, input: ChannelCreateInput) -> ChannelPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        added = await setting_up.add(
            session,
            info.context.house.keys,
            input.kind,
            _said(input.settings),
            name=input.name,
            slug=input.slug or channels.slug_of(input.name),
            by=actor,
            at=now,
        )
        await session.flush()
        where = await _places(session, actor, input.team_id, input.calendar_id)
        added.channel.change(by=actor, at=now, **{name: id for name, id in where.items() if id})
        return _done(added.channel, input.settings, **added.made)

    return await _payload(info, await changed(info, input, change))


async def _update(info: Info, input: ChannelUpdateInput) -> ChannelPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        channel = await _held(session, input.id, actor)
        said = _said(input.settings)
        keys = info.context.house.keys
        await setting_up.set_up(session, keys, channel, said, name=input.name, by=actor, at=now)
        given = {"team_id": input.team_id, "calendar_id": input.calendar_id}
        asked = {name: maybe.value for name, maybe in given.items() if maybe}
        where = await _places(session, actor, asked.get("team_id"), asked.get("calendar_id"))
        channel.change(by=actor, at=now, **{name: where[name] for name in asked})
        return _done(channel, input.settings)

    return await _payload(info, await changed(info, input, change))


async def _places(
    session: AsyncSession, actor: Actor, team_id: str | None, calendar_id: str | None
) -> dict[str, uuid.UUID | None]:
    team = calendar = None
    if team_id:
        team = await access.team(session, row_id("Team", team_id, field="teamId"), to=actor)
    if calendar_id:
        asked = row_id("Calendar", calendar_id, field="calendarId")
        calendar = await access.one(session, calendars.Calendar, asked, to=actor, lock=True)
        if calendar.archived_at:
            raise NotFound(field=["calendarId"])
    return {"team_id": team.id if team else None, "calendar_id": calendar.id if calendar else None}


async def _rotate(info: Info, input: ChannelRotateSecretInput) -> ChannelPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        channel = await _held(session, input.id, actor)
        made = await setting_up.rotate(
            session,
            info.context.house.keys,
            channel,
            input.secret,
            input.value,
            keep_for=timedelta(seconds=max(-1, min(input.grace_seconds, 10**9))),
            by=actor,
            at=now,
        )
        return _done(channel, [], **({input.secret: made} if made else {}))

    return await _payload(info, await changed(info, input, change))


async def _disable(info: Info, input: ChannelInput) -> ChannelPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        channel = await _held(session, input.id, actor)
        await switching.switch_off(session, channel, by=actor, at=now)
        return _done(channel, [])

    return await _payload(info, await changed(info, input, change))


async def _enable(info: Info, input: ChannelInput) -> ChannelPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        channel = await _held(session, input.id, actor)
        await switching.switch_on(session, channel, by=actor, at=now)
        return _done(channel, [])

    return await _payload(info, await changed(info, input, change))


async def _test(info: Info, input: ChannelInput) -> ChannelTestPayload:
    house = info.context.house

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        return _done(await _held(session, input.id, actor), [])

    done = await changed(info, input, change)
    async with house.db.transaction() as session:
        channel = await session.get_one(channels.Channel, uuid.UUID(done["channel"]))
    found = await findings_of(channel, Means(house.db, house.keys, house.files, house.integrations))
    locale = info.context.locale
    return ChannelTestPayload(
        findings=[ChannelFinding(name=one.name, ok=one.ok, message=one.in_language(locale)) for one in found]
    )


async def _held(session: AsyncSession, id: str, actor: Actor) -> channels.Channel:
    return await access.one(session, channels.Channel, row_id("Channel", id), to=actor, lock=True)


def _said(settings: list[ChannelSettingInput]) -> dict[str, Any]:
    return {one.name: one.said() for one in settings}


def _done(channel: channels.Channel, settings: list[ChannelSettingInput], **made: str) -> Json:
    """The audit is told the names of settings, which may be secrets, and of what is changed."""
    told = {"channel": public_id("Channel", channel.id)}
    if settings:
        told["settings"] = ", ".join(sorted(one.name for one in settings))[:1000]
    return {"channel": str(channel.id), "made": made, "told": told}


async def _payload(info: Info, done: Json) -> ChannelPayload:
    selection = wanted(info).below("channel")
    async with info.context.reading() as reading:
        mine = channels.Channel.id == uuid.UUID(done["channel"])
        found = await channels_where(reading, mine, selection=selection)
    made = [NewSecret(name=name, value=value) for name, value in done["made"].items()]
    return ChannelPayload(channel=found[0] if found else None, new_secrets=made)


@strawberry.type
class ChannelMutations:
    channel_create: ChannelPayload = mutation(resolver=_create)
    channel_update: ChannelPayload = mutation(resolver=_update)
    channel_disable: ChannelPayload = mutation(
        resolver=_disable,
        description="Nothing comes in and nothing leaves: its webhooks answer 404, its mailbox is not fetched, chats are ended. What came "
        "before is still placed; what waits to be sent waits until it is enabled.",
    )
    channel_enable: ChannelPayload = mutation(resolver=_enable)
    channel_test: ChannelTestPayload = mutation(
        resolver=_test,
        description="Asks the far end whether it works, each question for at most ten seconds. Nothing is sent to anybody.",
    )
    channel_rotate_secret: ChannelPayload = mutation(resolver=_rotate)
