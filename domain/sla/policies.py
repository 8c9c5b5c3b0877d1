"""Policies: what is promised to whom, in which hours, and who is told when it is at risk."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from sqlalchemy import ForeignKey, Index, Integer, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import naming
from domain.abreast import asked, one_at_a_time
from domain.alerting.ladders import DEFAULT, Ladder
from domain.db import Base, Json, new_id
from domain.desk import tags
from domain.desk.tickets import TicketStatus
from domain.errors import InUse, InvalidInput, NotFound
from domain.languages import N_
from domain.sla.calendars import Calendar, save_calendar
from domain.sla.hours import Hours
from domain.sla.promises import Terms
from domain.sla.targets import Target
from domain.ways_in.channels import Channel, ChannelKind


@dataclass(frozen=True)
class Matter:
    """What of a ticket decides which policy it falls under."""

    channels: Collection[ChannelKind]
    team_id: uuid.UUID | None
    priority: int
    tags: Collection[str]
    language: str | None


def _speaks(language: str | None, named: str) -> bool:
    """Who speaks `pl-PL` speaks `pl`; not the other way round."""
    spoken, asked = ((tag or "").replace("_", "-").lower() for tag in (language, named))
    return spoken == asked or spoken.startswith(f"{asked}-")


@dataclass(frozen=True)
class Conditions:
    """All that is named must hold; of each, one of the values is enough. Without any, it holds always."""

    channels: tuple[ChannelKind, ...] = ()
    teams: tuple[uuid.UUID, ...] = ()
    priorities: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", tuple(tags.kept(self.tags)))

    def hold(self, matter: Matter) -> bool:
        return (
            (not self.channels or not set(self.channels).isdisjoint(matter.channels))
            and (not self.teams or matter.team_id in self.teams)
            and (not self.priorities or matter.priority in self.priorities)
            and (not self.tags or not set(self.tags).isdisjoint(matter.tags))
            and (not self.languages or any(_speaks(matter.language, named) for named in self.languages))
        )

    def to_json(self) -> Json:
        return {
            name: [str(v) if isinstance(v, uuid.UUID) else v for v in values]
            for name, values in asdict(self).items()
            if values
        }

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        return cls(
            channels=tuple(ChannelKind(kind) for kind in stored.get("channels", ())),
            teams=tuple(uuid.UUID(team) for team in stored.get("teams", ())),
            priorities=tuple(stored.get("priorities", ())),
            tags=tuple(stored.get("tags", ())),
            languages=tuple(stored.get("languages", ())),
        )


class Policy(Base):
    __tablename__ = "policy"
    __table_args__ = (
        Index("uq_policy_default", "is_default", unique=True, postgresql_where=text("is_default")),
        Index("uq_policy_name", "name", unique=True, postgresql_where=text("archived_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    calendar_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("calendar.id"))
    is_default: Mapped[bool]
    """It holds where no other does."""
    position: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """Policies are tried in this order; the first whose conditions hold is the ticket's."""
    conditions: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    targets: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    pauses: Mapped[list[str]] = mapped_column(
        default=lambda: ["pending"], server_default=text("""'["pending"]'""")
    )
    reopen_seconds: Mapped[int] = mapped_column(Integer, default=604_800, server_default="604800")
    ladder: Mapped[Json | None]
    """Who is told, and when; without one, the house's own."""
    archived_at: Mapped[datetime | None]

    def terms(self, hours: Hours) -> Terms:
        return Terms(
            policy_id=self.id,
            targets=tuple(Target.from_json(one) for one in self.targets),
            hours=hours,
            pauses=frozenset(TicketStatus(status) for status in self.pauses),
            reopens_within=timedelta(seconds=self.reopen_seconds),
        )


async def policies_in_order(session: AsyncSession) -> Sequence[tuple[Policy, Calendar]]:
    """The default one last."""
    return await asked(session, _in_order, None)


async def _in_order(
    session: AsyncSession, _: Sequence[None]
) -> Mapping[None, Sequence[tuple[Policy, Calendar]]]:
    found = await session.execute(_ordered.add_columns(Calendar))
    return {None: [(row.Policy, row.Calendar) for row in found]}


_ordered = (
    select(Policy)
    .join(Calendar, Calendar.id == Policy.calendar_id)
    .where(Policy.archived_at.is_(None))
    .order_by(Policy.is_default, Policy.position, Policy.name)
)
IN_ORDER = _ordered.add_columns(Calendar.hours)


Hung = TypeVar("Hung")


def policies_for(
    ordered: Sequence[tuple[Policy, Hung]], matter: Matter, chosen: uuid.UUID | None
) -> list[tuple[Policy, Hung]]:
    """The ticket's own first: the one that was `chosen` by hand, or the first whose conditions hold. Then all others that
    hold, for what a law promises counts in each of them. Without conditions, only the default one holds: a default that
    another has replaced must not hide those that come after it."""
    holding = [
        (policy, calendar)
        for policy, calendar in ordered
        if (policy.conditions or policy.is_default) and Conditions.from_json(policy.conditions).hold(matter)
    ]
    own = (
        [one for one in ordered if one[0].id == chosen]
        or [one for one in ordered if one in holding or one[0].is_default]
    )[:1]
    return own + [one for one in holding if one not in own]


async def default_hours(session: AsyncSession | AsyncConnection) -> Hours | None:
    """The shop's."""
    stored = await session.scalar(
        select(Calendar.hours).join(Policy, Policy.calendar_id == Calendar.id).where(Policy.is_default)
    )
    return Hours.from_json(stored) if stored else None


async def archive_calendar(session: AsyncSession, calendar: Calendar, *, at: datetime) -> None:
    """One by which a policy counts, or a channel is open, stays."""
    await one_at_a_time(session, "policies")
    await session.refresh(calendar, with_for_update={"key_share": True})  # as whoever gives it to a channel
    if calendar.archived_at:
        raise NotFound(field=["id"])
    policies = select(Policy.name).where(Policy.calendar_id == calendar.id, Policy.archived_at.is_(None))
    channels = select(Channel.name).where(Channel.calendar_id == calendar.id)
    if using := [*await session.scalars(policies.order_by(Policy.name)), *await session.scalars(channels)]:
        raise InUse(field=["id"], names=", ".join(using))
    calendar.archived_at = at
    await session.flush()


async def save_policy(
    session: AsyncSession,
    policy_id: uuid.UUID | None,
    *,
    name: str | None = None,
    calendar_id: uuid.UUID | None = None,
    targets: Iterable[Target] | None = None,
    conditions: Conditions | None = None,
    position: int | None = None,
    pauses: Collection[TicketStatus] | None = None,
    reopen_seconds: int | None = None,
    ladder: Ladder | None = None,
    default: bool | None = None,
) -> Policy:
    """What is left out stays, or is what a new one begins with."""
    await one_at_a_time(session, "policies")
    policy = await session.get(Policy, policy_id, populate_existing=True) if policy_id else None
    if policy is None:
        if policy_id:
            raise NotFound(field=["id"])
        last = await session.scalar(select(func.max(Policy.position)))
        policy = Policy(id=new_id(), name="", is_default=False, position=(last or 0) + 1, targets=[])
        if name is None or calendar_id is None:
            raise InvalidInput(
                N_("A new policy needs a name and a calendar."),
                field=["name" if name is None else "calendarId"],
            )
    if policy.archived_at:
        raise NotFound(field=["id"])
    if name is not None:
        policy.name = naming.name(name)
        same = Policy.archived_at.is_(None) & (Policy.name == policy.name) & (Policy.id != policy.id)
        with session.no_autoflush:
            if await session.scalar(select(Policy.id).where(same)):
                raise InvalidInput(N_("A policy needs a name that no other has."), field=["name"])
    if calendar_id is not None:
        calendar = await session.get(Calendar, calendar_id)
        if calendar is None or calendar.archived_at:
            raise NotFound(field=["calendarId"])
        policy.calendar_id = calendar_id
    if targets is not None:
        targets = list(targets)
        if len({(one.metric, one.legal, one.priority, one.channel) for one in targets}) < len(targets):
            raise InvalidInput(N_("Two targets promise the same thing."), field=["targets"])
        policy.targets = [_stored(target) for target in targets]
    if conditions is not None:
        if "" in conditions.tags:
            raise InvalidInput(N_("This may not be empty."), field=["conditions", "tags"])
        policy.conditions = conditions.to_json()
    if pauses is not None:
        policy.pauses = sorted(pauses)
    if position is not None:
        policy.position = position
    if reopen_seconds is not None:
        policy.reopen_seconds = reopen_seconds
    if ladder is not None:
        policy.ladder = ladder.to_json() if ladder != DEFAULT else None
    if default is False and policy.is_default:
        raise InvalidInput(N_("Make another policy the default first."), field=["isDefault"])
    if default is True and not policy.is_default:
        await session.execute(update(Policy).where(Policy.is_default).values(is_default=False))
        policy.is_default = True
    session.add(policy)
    await session.flush()
    return policy


def _stored(target: Target) -> Json:
    values = asdict(target)
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items() if value
    }


async def archive_policy(session: AsyncSession, policy: Policy, *, at: datetime) -> None:
    """It promises nothing any more; what it promised once is still told under its name."""
    await one_at_a_time(session, "policies")  # before its row: whoever saves one holds them in this order
    await session.refresh(policy)
    if policy.archived_at:
        raise NotFound(field=["id"])
    others = select(Policy.id).where(Policy.archived_at.is_(None), Policy.id != policy.id).limit(1)
    if policy.is_default and await session.scalar(others):
        raise InvalidInput(N_("Make another policy the default first."), field=["id"])
    policy.archived_at, policy.is_default = at, False
    await session.flush()


async def set_default_policy(
    session: AsyncSession, *, name: str, hours: Hours, targets: Iterable[Target]
) -> Policy:
    """One policy and its calendar, in place of what had that name."""
    name = naming.name(name)
    named = (Calendar.name == name, Calendar.archived_at.is_(None))
    calendar_id = await session.scalar(select(Calendar.id).where(*named))
    calendar = await save_calendar(session, calendar_id, name, hours)
    policy_id = await session.scalar(
        select(Policy.id).where(Policy.name == name, Policy.archived_at.is_(None))
    )
    return await save_policy(
        session, policy_id, name=name, calendar_id=calendar.id, targets=targets, default=True
    )
