"""What the shop has decided for everybody. One row."""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import CheckConstraint, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base, Json
from domain.threads import DEFAULT_WINDOWS, Windows


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
    """Hours of `domain.threads.Windows` that the shop has chosen otherwise."""


agents_see_all = select(Shop.id).where(Shop.agents_see == AgentsSee.ALL).exists()
"""A condition; without the row it is false."""


async def set_agents_see(session: AsyncSession, agents_see: AgentsSee) -> None:
    row = insert(Shop).values(id=1, agents_see=agents_see)
    await session.execute(row.on_conflict_do_update(index_elements=["id"], set_={"agents_see": agents_see}))


async def agents_see(connection: AsyncConnection) -> AgentsSee:
    chosen: AgentsSee | None = await connection.scalar(select(Shop.agents_see))
    return chosen or AgentsSee.TEAMS


@dataclass(frozen=True)
class Joining:
    """How the shop's conversations find their tickets."""

    order_numbers: tuple[str, ...]
    marketplaces: tuple[str, ...]
    windows: Windows


async def joining(session: AsyncSession | AsyncConnection) -> Joining:
    chosen = await session.execute(select(Shop.order_numbers, Shop.marketplaces, Shop.same_matter))
    row = chosen.one_or_none()
    if row is None:
        return Joining((), (), DEFAULT_WINDOWS)
    hours = {name: timedelta(hours=hours) for name, hours in row.same_matter.items()}
    return Joining(tuple(row.order_numbers), tuple(row.marketplaces), replace(DEFAULT_WINDOWS, **hours))
