"""Who is on duty, and how each person wants to be told."""

import uuid
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Agent, agents_by_id
from api.context import Info, Reading, plain
from api.errors import OkPayload, UserError
from api.mutations import changed, mutation
from api.sla.calendars import HoursInput, WeeklyHours, hours_of, read_hours
from domain import access
from domain.actors import Actor
from domain.agents import duty, staff
from domain.alerting import alert_preferences
from domain.alerting.alert_preferences import AlertPreferences as Preferences
from domain.alerting.alert_preferences import Privacy
from domain.alerting.alerts import AlertKind
from domain.db import Json
from domain.errors import InvalidInput, NotAllowed
from domain.ids import row_id
from domain.languages import N_

strawberry.enum(
    Privacy,
    name="PushPrivacy",
    description="What a lock screen shows. `FULL`: the customer's name and the subject; `MINIMAL`: number, channel, minutes; "
    "`NONE`: only that something is waiting.",
)


@strawberry.type(description="When somebody works.")
class Rota:
    agent: Agent
    hours: WeeklyHours | None = strawberry.field(
        description="The weekly shifts. Without any, who can be rung by push is on duty."
    )
    on_duty: bool | None = strawberry.field(description="By their own word, whatever the shifts say…")
    until: datetime | None = strawberry.field(description="… until then.")
    is_on_shift: bool = strawberry.field(description="Now, all in all.")


@strawberry.type(description="How one wants to be told of alerts.")
class AlertPrefs:
    privacy: Privacy
    quiet_from: str | None = strawberry.field(description="Such as `22:00`, in the person's zone.")
    quiet_to: str | None
    min_level_in_quiet: int = strawberry.field(description="From this level on it rings all the same.")
    muted: list[AlertKind] = strawberry.field(description="The last level rings all the same.")
    group_storms: bool = strawberry.field(
        description="Many alerts at once are told as one, with their number."
    )
    replies: bool = strawberry.field(
        description="Pushes when a customer writes in a ticket of one's own, and one does not have it open."
    )
    calls: bool = strawberry.field(description="Pushes while a call rings that one could take.")


async def alert_prefs_of(reading: Reading) -> AlertPrefs:
    row = (
        await reading.connection.execute(
            select(Preferences.__table__).where(Preferences.agent_id == reading.actor.agent_id)
        )
    ).one_or_none()
    return AlertPrefs(
        privacy=row.privacy if row else Privacy.MINIMAL,
        quiet_from=row.quiet_from if row else None,
        quiet_to=row.quiet_to if row else None,
        min_level_in_quiet=row.min_level_in_quiet if row else 3,
        muted=[AlertKind(kind) for kind in row.muted] if row else [],
        group_storms=row.group_storms if row else True,
        replies=row.replies if row else True,
        calls=row.calls if row else True,
    )


async def _rotas(info: Info) -> list[Rota]:
    async with info.context.reading() as reading:
        return await _read_rotas(reading)


async def _read_rotas(reading: Reading, agent_id: uuid.UUID | None = None) -> list[Rota]:
    who = staff.Agent.left_at.is_(None) if agent_id is None else staff.Agent.id == agent_id
    rows = await reading.connection.execute(
        select(staff.Agent.id, duty.Rota.hours, duty.Rota.on_duty, duty.Rota.until)
        .outerjoin(duty.Rota, duty.Rota.agent_id == staff.Agent.id)
        .where(who)
        .order_by(staff.Agent.name)
        .limit(100)
    )
    found = rows.all()
    present = await duty.on_duty(reading.connection, at=reading.at)
    agents = await agents_by_id(reading, [row.id for row in found])
    return [_rota(row, agents[row.id], row.id in present) for row in found]


def _rota(row: Any, agent: Agent, on_shift: bool) -> Rota:
    return plain(
        Rota,
        {
            "agent": agent,
            "hours": hours_of(row.hours) if row.hours else None,
            "on_duty": row.on_duty,
            "until": row.until,
            "is_on_shift": on_shift,
        },
    )


@strawberry.input(description="Without `hours`: no weekly shifts.")
class RotaSaveInput:
    agent_id: strawberry.ID
    hours: HoursInput | None = None
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="`onDuty` null: as the shifts say. Without `agentId` oneself; managers may say it for others."
)
class DutySetInput:
    on_duty: bool | None = None
    until: datetime | None = None
    agent_id: strawberry.ID | None = None
    client_mutation_id: strawberry.ID


@strawberry.input(description="What is left out stays. Two empty words for the quiet hours: none.")
class AlertPrefsSaveInput:
    privacy: Privacy | None = None
    quiet_from: str | None = None
    quiet_to: str | None = None
    min_level_in_quiet: int | None = strawberry.field(default=None, description="0 to 3.")
    muted: list[AlertKind] | None = None
    group_storms: bool | None = None
    replies: bool | None = None
    calls: bool | None = None
    client_mutation_id: strawberry.ID


@strawberry.type
class RotaPayload:
    rota: Rota | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _rota_payload(info: Info, done: Json) -> RotaPayload:
    async with info.context.reading() as reading:
        found = await _read_rotas(reading, uuid.UUID(done["rota_of"]))
    return RotaPayload(rota=found[0] if found else None)


async def _rota_save(info: Info, input: RotaSaveInput) -> RotaPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        agent = await access.one(
            session, staff.Agent, row_id("Agent", input.agent_id, field="agentId"), to=actor
        )
        rota = await duty.rota_of(session, agent.id)
        rota.set_hours(read_hours(input.hours) if input.hours else None, by=actor, at=now)
        return {"rota_of": str(agent.id)}

    return await _rota_payload(info, await changed(info, input, change))


async def _duty_set(info: Info, input: DutySetInput) -> RotaPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        asked = row_id("Agent", input.agent_id, field="agentId") if input.agent_id else actor.agent_id
        if asked != actor.agent_id and not actor.manages:
            raise NotAllowed(field=["agentId"])
        if input.until and input.until <= now:
            raise InvalidInput(N_("That moment has passed."), field=["until"])
        agent = await access.one(session, staff.Agent, asked, to=actor)
        rota = await duty.rota_of(session, agent.id)
        rota.declare(input.on_duty, until=input.until, by=actor, at=now)
        return {"rota_of": str(agent.id)}

    return await _rota_payload(info, await changed(info, input, change))


async def _alert_prefs_save(info: Info, input: AlertPrefsSaveInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if actor.agent_id is None:
            raise NotAllowed
        prefs = await alert_preferences.preferences_of(session, actor.agent_id)
        if input.privacy is not None:
            prefs.privacy = input.privacy
        if input.quiet_from is not None or input.quiet_to is not None:
            begin = prefs.quiet_from if input.quiet_from is None else input.quiet_from
            end = prefs.quiet_to if input.quiet_to is None else input.quiet_to
            prefs.keep_quiet(begin or "", end or "")
        if input.min_level_in_quiet is not None:
            prefs.ring_from(input.min_level_in_quiet)
        if input.muted is not None:
            prefs.muted = sorted(set(input.muted))
        if input.group_storms is not None:
            prefs.group_storms = input.group_storms
        if input.replies is not None:
            prefs.replies = input.replies
        if input.calls is not None:
            prefs.calls = input.calls
        session.add(prefs)
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


@strawberry.type
class DutyQueries:
    rotas: list[Rota] = strawberry.field(
        resolver=_rotas, description="Everybody's shifts, by name; at most 100."
    )


@strawberry.type
class DutyMutations:
    rota_save: RotaPayload = mutation(resolver=_rota_save)
    duty_set: RotaPayload = mutation(resolver=_duty_set)
    alert_prefs_save: OkPayload = mutation(resolver=_alert_prefs_save)
