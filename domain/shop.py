"""What the shop has decided for everybody. One row."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import CheckConstraint, Integer, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.abreast import asked
from domain.agents.staff import Agent
from domain.chorus import Reads
from domain.complaints.stages import Stage
from domain.db import Base, Json
from domain.desk.threads import DEFAULT_WINDOWS, Windows
from domain.errors import InvalidInput
from domain.joining.numbers import checked_mask
from domain.languages import LANGUAGES, N_, best_language

THREE_YEARS = 3 * 365
"""How long claims can still be brought; 0 to MOST_DAYS may be set."""
MOST_DAYS = 10 * 365


class AgentsSee(StrEnum):
    TEAMS = "teams"
    """Tickets of their teams, of no team and their own; contacts of those tickets, and those without any."""
    ALL = "all"


class Shop(Base):
    __tablename__ = "shop"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    agents_see: Mapped[AgentsSee] = mapped_column(default=AgentsSee.TEAMS, server_default="teams")
    order_numbers: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'"))
    """Masks of the shop's own order numbers."""
    marketplaces: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'"))
    """Domains, beside the known ones, that write on behalf of buyers under an address for each order."""
    same_matter: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    """Hours of `Windows` (`domain/desk/threads.py`) that the shop has chosen otherwise."""
    sealed_days: Mapped[int] = mapped_column(Integer, default=THREE_YEARS, server_default=str(THREE_YEARS))
    """How long what was erased of a person is kept sealed, until it is destroyed; 0: not at all."""
    erasing_takes_two: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whoever asks for an erasure may not confirm it."""
    language: Mapped[str | None]
    """In which Heddle writes what stays in the shop: the tasks of a complaint, its file."""
    stalled_days: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    """By stage, after how many working days without a move a complaint is told of, where it is not the usual number."""


agents_see_all = select(Shop.id).where(Shop.agents_see == AgentsSee.ALL).exists()
"""A condition; without the row it is false."""


async def set_agents_see(session: AsyncSession, agents_see: AgentsSee) -> None:
    await _set(session, {"agents_see": agents_see})


async def _set(session: AsyncSession, chosen: Json) -> None:
    """The rest stays, or is what nobody has chosen."""
    if chosen:
        row = insert(Shop).values(id=1, **chosen)
        await session.execute(row.on_conflict_do_update(index_elements=["id"], set_=chosen))


MOST_HOURS = 24 * 90
MOST_LISTED = 50
WINDOWS = tuple(field.name for field in fields(Windows))


async def set_joining(
    session: AsyncSession,
    *,
    order_numbers: list[str] | None = None,
    marketplaces: list[str] | None = None,
    hours: dict[str, int] | None = None,
) -> None:
    """What is left out stays. `hours`: of `WINDOWS`."""
    chosen: Json = {}
    for listed, field in ((order_numbers, "orderNumbers"), (marketplaces, "marketplaces")):
        if len(listed or ()) > MOST_LISTED:
            raise InvalidInput(N_("At most {most} of them."), field=[field], most=MOST_LISTED)
    if order_numbers is not None:
        chosen["order_numbers"] = list(dict.fromkeys(map(checked_mask, order_numbers)))
    if marketplaces is not None:
        if not all(
            re.fullmatch(r"(?:[a-z0-9-]{1,63}\.)+[a-z]{2,63}", domain.lower()) for domain in marketplaces
        ):
            raise InvalidInput(N_("Write a domain, such as marketplace.example.com."), field=["marketplaces"])
        chosen["marketplaces"] = sorted({domain.lower() for domain in marketplaces})
    if hours:
        if not all(0 <= one <= MOST_HOURS for one in hours.values()):
            raise InvalidInput(N_("Hours are 0 to {most}."), field=["sameMatter"], most=MOST_HOURS)
        chosen["same_matter"] = await _hours(session) | hours
    await _set(session, chosen)


async def _hours(session: AsyncSession) -> Json:
    return await session.scalar(select(Shop.same_matter)) or {}


async def agents_see(connection: Reads) -> AgentsSee:
    chosen: AgentsSee | None = await connection.scalar(select(Shop.agents_see))
    return chosen or AgentsSee.TEAMS


@dataclass(frozen=True)
class Joining:
    """How the shop's conversations find their tickets."""

    order_numbers: tuple[str, ...]
    marketplaces: tuple[str, ...]
    windows: Windows


async def joining(session: Reads) -> Joining:
    return await asked(session, _joining, None)


async def _joining(session: Reads, _: Sequence[None]) -> Mapping[None, Joining]:
    return {None: await _chosen_joining(session)}


async def _chosen_joining(session: Reads) -> Joining:
    chosen = await session.execute(select(Shop.order_numbers, Shop.marketplaces, Shop.same_matter))
    row = chosen.one_or_none()
    if row is None:
        return Joining((), (), DEFAULT_WINDOWS)
    hours = {name: timedelta(hours=hours) for name, hours in row.same_matter.items()}
    return Joining(tuple(row.order_numbers), tuple(row.marketplaces), replace(DEFAULT_WINDOWS, **hours))


async def erasing(session: Reads) -> tuple[int, bool]:
    """For how many days what is erased stays sealed, and whether it takes two."""
    row = (await session.execute(select(Shop.sealed_days, Shop.erasing_takes_two))).one_or_none()
    return (row.sealed_days, row.erasing_takes_two) if row else (THREE_YEARS, False)


async def set_erasing(session: AsyncSession, *, sealed_days: int, takes_two: bool) -> None:
    if not 0 <= sealed_days <= MOST_DAYS:
        raise InvalidInput(N_("Days are 0 to {most}."), field=["sealedDays"], most=MOST_DAYS)
    await _set(session, {"sealed_days": sealed_days, "erasing_takes_two": takes_two})


STALLED_DAYS = 3
MOST_STALLED_DAYS = 60


async def language(session: Reads) -> str:
    """The one that was chosen; otherwise that of most people here."""
    chosen = await session.scalar(select(Shop.language))
    if chosen is None:
        spoken = select(Agent.locale).where(Agent.left_at.is_(None)).group_by(Agent.locale)
        chosen = await session.scalar(spoken.order_by(func.count().desc(), Agent.locale).limit(1))
    return best_language(chosen)


async def stalled_days(session: Reads) -> dict[Stage, int]:
    chosen = await session.scalar(select(Shop.stalled_days)) or {}
    return {stage: chosen.get(stage, STALLED_DAYS) for stage in Stage if stage != Stage.CLOSED}


async def set_complaints(
    session: AsyncSession, *, language: str | None = None, days: dict[Stage, int] | None = None
) -> None:
    """What is left out stays."""
    chosen: Json = {}
    if language is not None:
        if language not in LANGUAGES:
            raise InvalidInput(
                N_("Heddle speaks {languages}."), field=["language"], languages=", ".join(LANGUAGES)
            )
        chosen["language"] = language
    if days:
        if Stage.CLOSED in days or not all(1 <= one <= MOST_STALLED_DAYS for one in days.values()):
            raise InvalidInput(
                N_("Days are 1 to {most}, of open stages."), field=["stalledDays"], most=MOST_STALLED_DAYS
            )
        chosen["stalled_days"] = {
            stage.value: some for stage, some in (await stalled_days(session) | days).items()
        }
    await _set(session, chosen)
