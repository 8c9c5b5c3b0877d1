"""Who is there: by an open screen, by a device that can be rung, by their own word, and on the telephone.

On shift is when somebody is to work (`domain/agents/duty.py`); present is whether they do. Both change as time passes, so
somebody calls the roll every few seconds and writes into the history what is other than before.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import ColumnElement, ForeignKey, Select, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import SYSTEM, Actor
from domain.agents import duty
from domain.agents.sign_in import SEEN_EVERY, SignIn
from domain.agents.staff import Agent
from domain.alerting.devices import RINGS, Device, Fitness, fitness
from domain.bell import heard
from domain.chorus import Reads
from domain.db import Base, Database, among, database_time, one_of_given, ring
from domain.desk.messages import Call, CallState
from domain.events import EventKind, happened, record_all

log = structlog.get_logger()

TOPIC = "presence"
"""Rung when somebody says that they are away, or back."""
LOOK = 5.0
"""Seconds between two calls of the roll."""
SCREEN_FOR = SEEN_EVERY + timedelta(seconds=45)
"""After the last request, or sign of life of an open stream, a screen counts as closed."""
WRAP_UP = timedelta(seconds=30)
"""After a call, for writing down what was said."""


class Presence(StrEnum):
    ONLINE = "online"
    AWAY = "away"
    """By their own word; or no screen is open, but a device of theirs can be rung."""
    OFFLINE = "offline"


class Activity(StrEnum):
    IDLE = "idle"
    ON_CALL = "on_call"
    WRAP_UP = "wrap_up"


class Attendance(Base):
    """What somebody said of themselves, and what the roll has told of them last."""

    __tablename__ = "attendance"

    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"), primary_key=True)
    away_since: Mapped[datetime | None]
    away_until: Mapped[datetime | None]
    """Without it, until further word."""
    presence: Mapped[Presence] = mapped_column(default=Presence.OFFLINE, server_default="offline")
    activity: Mapped[Activity] = mapped_column(default=Activity.IDLE, server_default="idle")
    on_shift: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    gone_since: Mapped[datetime | None]
    """None: they can be reached."""
    off_shift_since: Mapped[datetime | None]


@dataclass(frozen=True)
class Standing:
    """Of one person, now."""

    agent_id: uuid.UUID
    on_shift: bool
    on_screen: bool = False
    rings: bool = False
    away: bool = False
    """By their own word."""
    away_until: datetime | None = None
    activity: Activity = Activity.IDLE
    gone_since: datetime | None = None
    """As the roll has it."""
    off_shift_since: datetime | None = None

    @property
    def presence(self) -> Presence:
        if self.on_screen and not self.away:
            return Presence.ONLINE
        return Presence.AWAY if self.on_screen or self.rings else Presence.OFFLINE


async def standings(
    connection: Reads, agent_ids: Collection[uuid.UUID] | Select[uuid.UUID] | None, *, at: datetime
) -> dict[uuid.UUID, Standing]:
    """Without ids, of everybody who works here."""
    moments = {"seen_since": at - SCREEN_FOR, "hung_up_since": at - WRAP_UP, "at": at}
    if agent_ids is None or isinstance(agent_ids, Select):
        who = Agent.left_at.is_(None) if agent_ids is None else among(Agent.id, agent_ids)
        rows = await connection.execute(_standings(who, **moments))
    else:
        rows = await connection.execute(_named, moments | {"ids": list(agent_ids)})
    return {row.id: _standing(row, at) for row in rows}


def _standings(who: ColumnElement[bool], *, seen_since: Any, hung_up_since: Any, at: Any) -> Any:
    seen = select(SignIn.agent_id).where(SignIn.ended_at.is_(None), SignIn.seen_at > seen_since)
    talking = select(Call.agent_id).where(Call.call_state == CallState.ANSWERED, Call.due_at.is_not(None))
    hung_up = select(Call.agent_id).where(
        Call.ended_at > hung_up_since, Call.ended_at <= at, Call.answered_at.is_not(None)
    )
    last = func.jsonb_build_array(Device.last_push_at, Device.last_receipt_at)
    devices = select(func.jsonb_agg(last)).where(Device.agent_id == Agent.id, RINGS).scalar_subquery()
    return (
        select(
            Agent.id,
            *duty.SAID,
            Agent.id.in_(seen).label("on_screen"),
            Agent.id.in_(talking.where(Call.agent_id.is_not(None))).label("talking"),
            Agent.id.in_(hung_up.where(Call.agent_id.is_not(None))).label("hung_up"),
            devices.label("devices"),
            Attendance.away_since,
            Attendance.away_until,
            Attendance.gone_since,
            Attendance.off_shift_since,
        )
        .outerjoin(duty.Rota, duty.Rota.agent_id == Agent.id)
        .outerjoin(Attendance, Attendance.agent_id == Agent.id)
        .where(who)
    )


_named = _standings(
    one_of_given(Agent.id),
    seen_since=bindparam("seen_since"),
    hung_up_since=bindparam("hung_up_since"),
    at=bindparam("at"),
)


def _standing(row: Any, at: datetime) -> Standing:
    away = row.away_since is not None and (row.away_until is None or at < row.away_until)
    return Standing(
        row.id,
        on_shift=duty.is_on(row, rings=bool(row.devices), at=at),
        on_screen=row.on_screen,
        rings=any(_rings_well(*map(_read, device), at=at) for device in row.devices or ()),
        away=away,
        away_until=row.away_until if away else None,
        activity=Activity.ON_CALL if row.talking else Activity.WRAP_UP if row.hung_up else Activity.IDLE,
        gone_since=row.gone_since,
        off_shift_since=row.off_shift_since,
    )


def _read(moment: str | None) -> datetime | None:
    return datetime.fromisoformat(moment) if moment else None


def _rings_well(last_push_at: datetime | None, last_receipt_at: datetime | None, *, at: datetime) -> bool:
    found = fitness(last_push_at=last_push_at, last_receipt_at=last_receipt_at, at=at)
    return found in (Fitness.UNTRIED, Fitness.WELL)


async def set_away(
    session: AsyncSession, agent: Agent, away: bool, *, until: datetime | None, by: Actor, at: datetime
) -> None:
    said = {"away_since": at if away else None, "away_until": until if away else None}
    row = insert(Attendance).values(agent_id=agent.id, **said)
    await session.execute(row.on_conflict_do_update(index_elements=["agent_id"], set_=said))
    agent.tell(by=by, at=at)
    ring(session, TOPIC)


async def call_the_roll(session: AsyncSession, *, at: datetime | None = None) -> int:
    """Tells of everybody who is not as they were told last; how many. One process at a time: the others need not."""
    alone = func.pg_try_advisory_xact_lock(func.hashtextextended(TOPIC, 0))
    if not await session.scalar(select(alone)):
        return 0
    now = at or await database_time(session)
    told = {row.agent_id: row for row in await session.scalars(select(Attendance))}
    changed = []
    for standing in (await standings(session, None, at=now)).values():
        before = told.get(standing.agent_id)
        shown = (standing.presence, standing.activity, standing.on_shift)
        if before and shown == (before.presence, before.activity, before.on_shift):
            continue
        changed.append(standing)
        said = {
            "presence": standing.presence,
            "activity": standing.activity,
            "on_shift": standing.on_shift,
            "gone_since": (standing.gone_since or now) if standing.presence == Presence.OFFLINE else None,
            "off_shift_since": None if standing.on_shift else (standing.off_shift_since or now),
        }
        row = insert(Attendance).values(agent_id=standing.agent_id, **said)
        await session.execute(row.on_conflict_do_update(index_elements=["agent_id"], set_=said))
    record_all(
        session,
        [
            happened(
                EventKind.AGENT_PRESENCE,
                by=SYSTEM,
                at=now,
                data={
                    "agent": str(one.agent_id),
                    "presence": one.presence,
                    "activity": one.activity,
                    "on_shift": one.on_shift,
                },
            )
            for one in changed
        ],
    )
    return len(changed)


async def run(db: Database) -> None:
    """Until cancelled."""
    with db.bell.listening(TOPIC) as rung:
        while True:
            rung.clear()
            try:
                async with db.transaction() as session:
                    await call_the_roll(session)
            except (SQLAlchemyError, OSError) as failure:
                log.warning("roll_waits_for_database", error=type(failure).__name__)
            await heard(rung, LOOK)
