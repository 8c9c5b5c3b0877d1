"""Named lists of tasks that belong together, each with when it is due and whose it is."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import Index, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import naming
from domain.abreast import one_at_a_time
from domain.db import Base, Json, new_id
from domain.errors import InvalidInput, NotFound
from domain.languages import N_, translate
from domain.sla.hours import Hours, NeverOpen
from domain.sla.templates import Template

MOST_TASKS = 20
MOST_AMOUNT = 400


class Unit(StrEnum):
    OPEN_HOURS = "open_hours"
    DAYS = "days"
    WORKING_DAYS = "working_days"


class Anchor(StrEnum):
    START = "start"
    """So much after the template is applied."""
    DECISION = "decision"
    """So much before the date by which a complaint is to be decided."""


class Whose(StrEnum):
    ASSIGNEE = "assignee"
    """Of the ticket."""
    OWNER = "owner"
    """Of the complaint; without one, the ticket's assignee."""
    MANAGER = "manager"
    """Of the ticket's team first; of several, who has least to do."""
    AGENT = "agent"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Planned:
    """A task of a template."""

    title: str
    amount: int
    unit: Unit = Unit.WORKING_DAYS
    anchor: Anchor = Anchor.START
    whose: Whose = Whose.ASSIGNEE
    agent_id: uuid.UUID | None = None
    description: str = ""

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise InvalidInput(N_("A task needs a title."), field=["tasks", "title"])
        if not 0 <= self.amount <= MOST_AMOUNT:
            raise InvalidInput(N_("Give 0 to {most}."), field=["tasks", "amount"], most=MOST_AMOUNT)
        if self.anchor == Anchor.DECISION and self.unit == Unit.OPEN_HOURS:
            raise InvalidInput(N_("Before a decision's date days are counted."), field=["tasks", "unit"])
        if (self.agent_id is None) == (self.whose == Whose.AGENT):
            raise InvalidInput(N_("Name the agent whose task it is."), field=["tasks", "agentId"])

    def due_at(self, hours: Hours, start: datetime, decision: datetime | None) -> datetime | None:
        """Days are over when the shop closes. Never before the end of the first day, for who has to do it; none where no date is
        known to count from."""
        try:
            if self.unit == Unit.OPEN_HOURS:
                return hours.add(start, self.amount * 3600)
        except NeverOpen:
            return None
        working = self.unit == Unit.WORKING_DAYS
        if self.anchor == Anchor.START:
            return hours.evening_of(hours.last_day(start, self.amount, working=working))
        if decision is None:
            return None
        last_moment = decision - timedelta(seconds=1)  # the end of a day is the beginning of the next
        day = hours.day_before(last_moment, self.amount, working=working)
        return min(
            max(hours.evening_of(day), hours.end_of(hours.last_day(start, 0, working=False))), decision
        )

    def to_json(self) -> Json:
        return {
            name: str(value) if isinstance(value, uuid.UUID) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        return cls(
            stored["title"],
            stored["amount"],
            Unit(stored["unit"]),
            Anchor(stored["anchor"]),
            Whose(stored["whose"]),
            uuid.UUID(stored["agent_id"]) if stored["agent_id"] else None,
            stored["description"],
        )


class TaskTemplate(Base):
    __tablename__ = "task_template"
    __table_args__ = (
        Index("uq_task_template_name", "name", unique=True, postgresql_where=text("archived_at IS NULL")),
        Index(
            "uq_task_template_law",
            "law",
            unique=True,
            postgresql_where=text("on_complaint AND archived_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    tasks: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    on_complaint: Mapped[bool]
    """Applied by itself when a ticket becomes a complaint; without tasks, a complaint makes none."""
    law: Mapped[Template | None]
    """Of such: only under this law; none: where no other is."""
    archived_at: Mapped[datetime | None]

    @property
    def planned(self) -> list[Planned]:
        return [Planned.from_json(one) for one in self.tasks]


SHIPPED: dict[Template | None, tuple[Planned, ...]] = {
    Template.COMPLAINT_PL: (
        Planned(N_("Confirm in writing that the complaint was received"), 1, whose=Whose.OWNER),
        Planned(N_("Investigate, and obtain the evidence"), 7, Unit.DAYS, Anchor.DECISION, Whose.OWNER),
        Planned(
            N_("Decide, and answer the customer before the date"), 2, Unit.DAYS, Anchor.DECISION, Whose.OWNER
        ),
    ),
    Template.COMPLAINT_ES: (
        Planned(N_("Confirm in writing that the complaint was received"), 1, whose=Whose.OWNER),
        Planned(
            N_("Investigate, and obtain the evidence"), 7, Unit.WORKING_DAYS, Anchor.DECISION, Whose.OWNER
        ),
        Planned(
            N_("Decide, and answer the customer in their language before the date"),
            3,
            Unit.WORKING_DAYS,
            Anchor.DECISION,
            Whose.OWNER,
        ),
    ),
}
"""What a complaint makes as long as the shop has saved nothing of its own."""
SHIPPED_BY_US = "shipped"


def shipped(law: Template | None, locale: str) -> list[Planned]:
    """In words of that language."""
    planned = SHIPPED.get(law, SHIPPED[Template.COMPLAINT_PL])
    return [
        Planned(translate(locale, one.title), one.amount, one.unit, one.anchor, one.whose) for one in planned
    ]


async def for_complaints(
    session: AsyncSession, law: Template | None, locale: str
) -> tuple[str, list[Planned]]:
    """What a complaint under this law makes, and the name of where that stands, for its steps."""
    found = await session.scalars(
        select(TaskTemplate)
        .where(
            TaskTemplate.on_complaint,
            TaskTemplate.archived_at.is_(None),
            TaskTemplate.law.is_(None) | (TaskTemplate.law == law),
        )
        .order_by(TaskTemplate.law.nulls_last())
        .limit(1)
    )
    template = found.one_or_none()
    return (str(template.id), template.planned) if template else (SHIPPED_BY_US, shipped(law, locale))


async def planned_as(session: AsyncSession, step: str, law: Template | None) -> Planned | None:
    """What a complaint's step says now, by the name that `for_complaints` gave and its number."""
    name, _, number = step.partition("/")
    template = None if name == SHIPPED_BY_US else await session.get_one(TaskTemplate, uuid.UUID(name))
    planned = template.planned if template else shipped(law, "en")
    return planned[int(number)] if int(number) < len(planned) else None


async def save_template(
    session: AsyncSession,
    template_id: uuid.UUID | None,
    *,
    name: str,
    tasks: Sequence[Planned],
    on_complaint: bool,
    law: Template | None,
) -> TaskTemplate:
    """In place of what it was; without an id, a new one."""
    if law is not None and (not on_complaint or law not in SHIPPED):
        raise InvalidInput(N_("A law belongs to what complaints make."), field=["law"])
    name = naming.name(name)
    if len(tasks) > MOST_TASKS or not (tasks or on_complaint):
        raise InvalidInput(N_("A template has 1 to {most} tasks."), field=["tasks"], most=MOST_TASKS)
    await one_at_a_time(session, "task templates")
    template = await session.get(TaskTemplate, template_id) if template_id else TaskTemplate(id=new_id())
    if template is None or template.archived_at:
        raise NotFound(field=["id"])
    others = select(TaskTemplate.id).where(TaskTemplate.archived_at.is_(None), TaskTemplate.id != template.id)
    if await session.scalar(others.where(TaskTemplate.name == name)):
        raise InvalidInput(N_("There is a template with this name already."), field=["name"])
    of_law = (TaskTemplate.on_complaint, TaskTemplate.law.is_not_distinct_from(law))
    if on_complaint and await session.scalar(others.where(*of_law)):
        raise InvalidInput(N_("Another template is what such complaints make."), field=["onComplaint"])
    template.name, template.on_complaint, template.law = name, on_complaint, law
    template.tasks = [one.to_json() for one in tasks]
    session.add(template)
    await session.flush()
    return template
