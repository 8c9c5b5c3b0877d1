"""The channels, for whoever looks after the installation: what a process serves and fetches, and what the doctor finds of them."""

from collections.abc import AsyncIterator

import structlog
from sqlalchemy import or_, select

from api.commands.findings import Finding, Health, Patient
from domain.db import Database, database_time
from domain.ways_in.channels import Channel, ChannelKind
from domain.ways_in.fetching import Box
from integrations.mail.mailbox import FETCHED
from integrations.phone.line import HEARD

log = structlog.get_logger()

TURNED_AWAY = 3600.0
"""Seconds for which it is told that a door turned somebody away."""


async def announce(db: Database, *, doors: bool, workers: bool) -> AsyncIterator[str]:
    """A line for each kind of channel whose doors are open here, and for the mailboxes and exchanges that are looked after."""
    async with db.transaction() as session:
        found = (await session.scalars(select(Channel).order_by(Channel.slug))).all()
        looked_after = select(Channel.slug).where(Channel.disabled_at.is_(None)).order_by(Channel.slug)
        fetched = (await session.scalars(looked_after.where(FETCHED))).all()
        heard = (await session.scalars(looked_after.where(HEARD))).all()
    working = [one for one in found if one.disabled_at is None]
    for kind in ChannelKind if doors else ():
        if slugs := [one.slug for one in working if one.kind == kind]:
            log.info("serves", kind=kind.value, channels=slugs)
            yield f"Serves {kind.value}: {', '.join(slugs)}"
    if off := [one.slug for one in found if one.disabled_at]:
        log.info("switched_off", channels=off)
        yield f"Switched off: {', '.join(off)}"
    if workers and fetched:
        log.info("fetches", mailboxes=fetched)
        yield f"Fetches mailboxes: {', '.join(fetched)}"
    if workers and heard:
        log.info("listens", exchanges=heard)
        yield f"Listens to exchanges: {', '.join(heard)}"


async def of_channels(patient: Patient) -> AsyncIterator[Finding]:
    """Those that carry nothing, are off, or turn somebody away. Whether each works: `heddle channel test`."""
    now = await database_time(patient.connection)
    found = (await patient.connection.execute(select(Channel.__table__).order_by(Channel.slug))).all()
    for row in found:
        if row.disabled_at:
            yield Finding(
                f"channel {row.slug}", Health.ODD, f"switched off since {row.disabled_at:%Y-%m-%d %H:%M}"
            )
        elif row.failing_since:
            said = f"answers do not leave since {row.failing_since:%Y-%m-%d %H:%M}: {row.last_error}"
            yield Finding(f"channel {row.slug}", Health.ILL, said)
        elif row.turned_away_at and (now - row.turned_away_at).total_seconds() < TURNED_AWAY:
            said = (
                f"at {row.turned_away_at:%Y-%m-%d %H:%M} somebody came without the right signature or token"
            )
            yield Finding(f"channel {row.slug}", Health.ODD, said)
    working = sum(1 for row in found if not row.disabled_at)
    yield Finding("channels", Health.WELL, f"{working} of {len(found)} are on")


async def of_what_is_fetched(patient: Patient) -> AsyncIterator[Finding]:
    """What the workers saw of the mailboxes that are fetched and the exchanges that are listened to: a name is not said with
    its password once more than it must be."""
    now = await database_time(patient.connection)
    found = await patient.connection.execute(
        select(
            Channel.kind, Channel.slug, Box.failing_since, Box.last_error, Box.signed_in_at, Box.held_until
        )
        .outerjoin(Box, Box.channel_id == Channel.id)
        .where(Channel.disabled_at.is_(None), or_(FETCHED, HEARD))
        .order_by(Channel.slug)
    )
    for kind, slug, failing_since, last_error, signed_in_at, held_until in found:
        what, done, does = (
            ("mailbox", "fetched", "fetches it")
            if kind == ChannelKind.EMAIL
            else ("exchange", "listened to", "listens to it")
        )
        if failing_since:
            health, said = Health.ILL, f"since {failing_since:%Y-%m-%d %H:%M} not {done}: {last_error}"
        elif held_until is None or held_until < now:
            health, said = Health.ODD, f"nobody {does}: does a worker run?"
        else:
            health, said = (
                Health.WELL,
                f"{done}; signed in {signed_in_at:%Y-%m-%d %H:%M}" if signed_in_at else "being signed in to",
            )
        yield Finding(f"{what} {slug}", health, said)
