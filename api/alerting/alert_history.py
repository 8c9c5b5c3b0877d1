"""What happened to alerts, as the history tells it."""

import uuid
from collections.abc import Mapping
from datetime import datetime

import strawberry
from sqlalchemy import select

from api.agents.staff import Agent, agents_by_id
from api.context import Reading
from api.paging import MOST, of_each
from domain.alerting.alerts import AlertNote
from domain.db import one_of
from domain.events import Event, EventKind
from domain.gathering import gathered

TOLD = (
    EventKind.ALERT_FIRED,
    EventKind.ALERT_CLIMBED,
    EventKind.ALERT_ACKED,
    EventKind.ALERT_SNOOZED,
    EventKind.ALERT_RESOLVED,
)


@strawberry.type(description="What happened to an alert.")
class AlertEvent:
    at: datetime
    kind: str = strawberry.field(
        description="`alert_fired`, `alert_climbed`, `alert_acked`, `alert_snoozed` or `alert_resolved`."
    )
    actor: Agent | None = strawberry.field(description="Null: Heddle itself.")
    level: int
    note: str | None


async def histories_of(
    reading: Reading, fired_at: Mapping[uuid.UUID, datetime]
) -> dict[uuid.UUID, list[AlertEvent]]:
    """Oldest first, of each alert the newest hundred. `fired_at`: of the alerts that are asked for."""
    rows = await reading.connection.execute(
        of_each(
            select(Event.__table__).where(
                one_of(Event.alert_id, fired_at), Event.at >= min(fired_at.values()), Event.kind.in_(TOLD)
            ),
            Event.alert_id,
            Event.seq.desc(),
            most=MOST,
        )
    )
    told = sorted(rows.all(), key=lambda row: row.seq)
    ids = [uuid.UUID(row.data["note"]) for row in told if "note" in row.data]
    noted, agents = await gathered(
        reading.connection.execute(select(AlertNote.id, AlertNote.text).where(one_of(AlertNote.id, ids))),
        agents_by_id(reading, [row.actor_id for row in told if row.actor_kind == "agent"]),
    )
    notes = {str(row.id): row.text for row in noted}
    histories: dict[uuid.UUID, list[AlertEvent]] = {}
    for row in told:
        histories.setdefault(row.alert_id, []).append(
            AlertEvent(
                at=row.recorded_at,
                kind=row.kind,
                actor=agents.get(row.actor_id),
                level=row.data.get("level", 0),
                note=notes.get(row.data.get("note", "")),
            )
        )
    return histories
