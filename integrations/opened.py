"""What was read of arrivals that came together, and how those of plain words are opened in one transaction."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from domain.arriving import intake
from domain.arriving.afterwards import InboundReceipt
from domain.arriving.inbound import Arrival, ArrivalState, Inbound, InboundMessage, Unread
from domain.db import Database
from domain.desk import revisions
from domain.keys import Keys
from domain.ways_in.channels import Channel
from domain.work import Lease, settle_all

log = structlog.get_logger()

NOT_LONG = 15.0
"""Seconds for a batch: then there is time in its leases to open each alone."""


@dataclass(frozen=True, eq=False)
class Opened:
    arrival: Arrival
    lease: Lease[Arrival]
    channel: Channel
    parts: Sequence[Inbound | Unread] | None
    """None where reading failed."""

    @property
    def is_plain(self) -> bool:
        """Are there only words and receipts in it, which need nothing but the database?"""
        return self.parts is not None and all(map(_is_plain, self.parts))


def _is_plain(part: Inbound | Unread) -> bool:
    match part:
        case InboundMessage():
            return not part.attachments
        case Unread():
            return not part.failed
        case _:
            return isinstance(part, InboundReceipt)


async def opened_together(db: Database, keys: Keys, run: Sequence[Opened]) -> Sequence[Opened]:
    """Those that are still to be opened alone."""
    parts = [(one, part) for one in run for part in one.parts or () if not isinstance(part, Unread)]
    idle: dict[Opened, list[str]] = defaultdict(list)
    try:
        async with asyncio.timeout(NOT_LONG), db.shared() as session:
            # Each part is a writer, so that none holds one person while it waits for another.
            answers = await session.side_by_side(
                [intake.receive(session, one.channel, one.arrival, part, keys=keys) for one, part in parts]
            )
            for (one, _), why in zip(parts, answers, strict=True):
                idle[one] += [why] if isinstance(why, str) else []
            left = await _with_news(session, run)
            done = defaultdict(list)
            for one in run:
                if one not in left:
                    done[outcome(one.parts or (), idle[one])].append(one.lease)
            for (state, reasons), leases in done.items():
                await settle_all(session, leases, state=state, last_error=reasons)
    except Exception as failure:
        log.info("arrivals_opened_alone", many=len(run), because=type(failure).__name__)
        return run
    return left


async def _with_news(session: AsyncSession, run: Sequence[Opened]) -> list[Opened]:
    """Those with a message of which something was told before it was here."""
    left: list[Opened] = []
    for channel in {one.channel for one in run if one.channel.kind in revisions.CHANGEABLE}:
        said = {
            part.external_id: one
            for one in run
            for part in one.parts or ()
            if one.channel is channel and isinstance(part, InboundMessage)
        }
        left += [said[id] for id in await revisions.awaited_among(session, channel, said)]
    return [one for one in run if one in left]


def outcome(parts: Sequence[Inbound | Unread], idle: Sequence[str]) -> tuple[ArrivalState, str | None]:
    """What the arrival is now, and why nothing came of some of its parts."""
    unread = [part for part in parts if isinstance(part, Unread)]
    reasons = "; ".join([*(part.reason for part in unread), *idle])[:500] or None
    if any(part.failed for part in unread):
        return ArrivalState.FAILED, reasons
    return ArrivalState.PLACED if len(parts) > len(unread) + len(idle) else ArrivalState.IGNORED, reasons
