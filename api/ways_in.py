"""Which channels a process serves, and which mailboxes it fetches: said once, as it starts."""

from collections.abc import AsyncIterator

import structlog
from sqlalchemy import select

from domain.channels import Channel, ChannelKind
from domain.db import Database

log = structlog.get_logger()


async def announce(db: Database, *, doors: bool, workers: bool) -> AsyncIterator[str]:
    """A line for each kind of channel whose doors are open here, and one for the mailboxes that are fetched."""
    async with db.transaction() as session:
        found = (await session.scalars(select(Channel).order_by(Channel.slug))).all()
    working = [one for one in found if one.disabled_at is None]
    for kind in ChannelKind if doors else ():
        if slugs := [one.slug for one in working if one.kind == kind]:
            log.info("serves", kind=kind.value, channels=slugs)
            yield f"Serves {kind.value}: {', '.join(slugs)}"
    if off := [one.slug for one in found if one.disabled_at]:
        log.info("switched_off", channels=off)
        yield f"Switched off: {', '.join(off)}"
    fetched = [one.slug for one in working if one.kind == ChannelKind.EMAIL and one.config.get("imap_url")]
    if workers and fetched:
        log.info("fetches", mailboxes=fetched)
        yield f"Fetches mailboxes: {', '.join(fetched)}"
