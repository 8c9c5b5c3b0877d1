"""What stops a shop from answering at all: nobody is there, or a channel does not carry, or is flooded. Asked once a minute."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents import duty
from domain.alerting import alerts
from domain.alerting.alerts import UNRESOLVED, Alert, AlertKind
from domain.alerting.firing import Cause, fire
from domain.desk.messages import Message
from domain.sla.clocks import ladders_of
from domain.sla.policies import default_hours
from domain.ways_in.channels import Channel
from domain.ways_in.fetching import Box
from domain.ways_in.flood import flooded

PATIENCE = timedelta(minutes=3)
"""A change of shifts, or a provider that restarts, is no alarm."""
TRIES = 2
CALM = timedelta(minutes=5)


async def look(session: AsyncSession, *, at: datetime) -> None:
    await _nobody_on_shift(session, at)
    await _channels_down(session, at)
    await _channels_flooded(session, at)


async def _nobody_on_shift(session: AsyncSession, at: datetime) -> None:
    """Open now and three minutes ago, and nobody on shift then or since. Only where the shop keeps shifts at all."""
    hours, before = await default_hours(session), at - PATIENCE
    deserted = (
        hours is not None
        and await duty.anybody_has_a_rota(session)
        and hours.is_open(at)
        and hours.is_open(before)
        and not await duty.on_duty(session, at=at)
        and not await duty.on_duty(session, at=before)
    )
    if deserted:
        await _fire(session, Cause(AlertKind.NO_AGENT_ON_SHIFT, at), at)
    else:
        await alerts.resolve(session, Alert.kind == AlertKind.NO_AGENT_ON_SHIFT, at=at)


async def _channels_down(session: AsyncSession, at: datetime) -> None:
    """A channel that carries nothing, and has an answer waiting which failed twice: both for three minutes. Or one whose mail
    cannot be fetched, for as long. At once, one whose provider takes nothing from it any more."""
    stuck = select(Message.channel_id).where(
        Message.due_at.is_not(None), Message.failures >= TRIES, Message.failing_since <= at - PATIENCE
    )
    found = await session.scalars(
        select(Channel.id).where(
            Channel.disabled_at.is_(None), Channel.failing_since <= at - PATIENCE, Channel.id.in_(stuck)
        )
    )
    silent = await session.scalars(
        select(Box.channel_id)
        .join(Channel, Channel.id == Box.channel_id)
        .where(Channel.disabled_at.is_(None), Box.failing_since <= at - PATIENCE)
    )
    refused = await session.scalars(
        select(Channel.id).where(Channel.disabled_at.is_(None), Channel.refused_at.is_not(None))
    )
    down = {*found, *silent, *refused}
    for channel_id in down:
        await _fire(session, Cause(AlertKind.CHANNEL_DOWN, at, about_id=channel_id), at)
    told = await session.scalars(
        select(Alert.about_id).where(Alert.kind == AlertKind.CHANNEL_DOWN, Alert.state.in_(UNRESOLVED))
    )
    works = [id for id in told if id not in down]
    if works:
        await alerts.resolve(session, Alert.kind == AlertKind.CHANNEL_DOWN, Alert.about_id.in_(works), at=at)


async def _channels_flooded(session: AsyncSession, at: datetime) -> None:
    """Something waits its turn; it is over when for a while nothing has."""
    for channel_id in await flooded(session, since=at):
        await _fire(session, Cause(AlertKind.CHANNEL_FLOODED, at, about_id=channel_id), at)
    of_late = await flooded(session, since=at - CALM)
    is_over = Alert.about_id.not_in(of_late)
    await alerts.resolve(session, Alert.kind == AlertKind.CHANNEL_FLOODED, is_over, at=at)


async def _fire(session: AsyncSession, cause: Cause, at: datetime) -> None:
    ladder = (await ladders_of(session, []))[None]
    await fire(session, [replace(cause, ladder=ladder)], now=at)
