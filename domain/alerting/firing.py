"""What an alert is fired for, and that it fires once for each."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.alerting.alerts import TOPIC, WARNINGS, Alert, AlertKind, AlertState
from domain.alerting.ladders import DEFAULT, Ladder, Step
from domain.db import new_id, ring
from domain.events import EventKind, happened, record_all


@dataclass(frozen=True)
class Cause:
    """What an alert is fired for."""

    kind: AlertKind
    at: datetime
    """The moment it is about."""
    ticket_id: uuid.UUID | None = None
    clock_id: uuid.UUID | None = None
    about_id: uuid.UUID | None = None
    ladder: Ladder = DEFAULT


async def fire(session: AsyncSession, causes: Sequence[Cause], *, now: datetime) -> list[uuid.UUID]:
    """One alert for each cause that its ladder has a step for; the ids of those that fire now and did not.

    What fires already stays as it is. What was resolved fires anew for the same clock's same moment: its promise runs again.
    """
    rows = [
        (cause, _row(cause, step, now))
        for cause in causes
        if (step := cause.ladder.step(0, warning=cause.kind in WARNINGS))
    ]
    if not rows:
        return []
    added = insert(Alert.metadata.tables["alert"]).on_conflict_do_nothing().returning(Alert.id)
    new = set((await session.execute(added, [row for _, row in rows])).scalars())
    fired = [(cause, row) for cause, row in rows if row["id"] in new]
    again = [(cause, row) for cause, row in rows if row["id"] not in new and cause.clock_id]
    for cause, row in again:
        revived = await session.scalar(
            update(Alert)
            .where(
                Alert.clock_id == cause.clock_id,
                Alert.kind == cause.kind,
                Alert.fired_at == cause.at,
                Alert.state == AlertState.RESOLVED,
            )
            .values(
                {name: value for name, value in row.items() if name != "id"}
                | dict.fromkeys(("acked_by_id", "acked_at", "ack_expires_at", "snoozed_until", "resolved_at"))
            )
            .returning(Alert.id)
        )
        if revived:
            fired.append((cause, row | {"id": revived}))
    firings = [
        happened(
            EventKind.ALERT_FIRED,
            by=SYSTEM,
            at=cause.at,
            ticket_id=cause.ticket_id,
            alert_id=row["id"],
            data={"alert": cause.kind, "level": row["level"], "rung": 0},
        )
        for cause, row in fired
    ]
    record_all(session, firings)
    ring(session, TOPIC)
    return [row["id"] for _, row in fired]


def _row(cause: Cause, step: Step, now: datetime) -> dict[str, Any]:
    wait = cause.ladder.wait(0, warning=cause.kind in WARNINGS)
    return {
        "id": new_id(),
        "kind": cause.kind,
        "state": AlertState.FIRING,
        "level": step.level,
        "rung": 0,
        "ticket_id": cause.ticket_id,
        "clock_id": cause.clock_id,
        "about_id": cause.about_id,
        "fired_at": cause.at,
        "next_at": now + timedelta(seconds=wait) if wait is not None else None,
    }
