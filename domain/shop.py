"""What the shop has decided for everybody. One row."""

from enum import StrEnum

from sqlalchemy import CheckConstraint, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base


class AgentsSee(StrEnum):
    TEAMS = "teams"
    """Tickets of their teams, of no team and their own; contacts of those tickets, and those without any."""
    ALL = "all"


class Shop(Base):
    __tablename__ = "shop"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    agents_see: Mapped[AgentsSee] = mapped_column(default=AgentsSee.TEAMS)


agents_see_all = select(Shop.id).where(Shop.agents_see == AgentsSee.ALL).exists()
"""A condition; without the row it is false."""


async def set_agents_see(session: AsyncSession, agents_see: AgentsSee) -> None:
    row = insert(Shop).values(id=1, agents_see=agents_see)
    await session.execute(row.on_conflict_do_update(index_elements=["id"], set_={"agents_see": agents_see}))


async def agents_see(connection: AsyncConnection) -> AgentsSee:
    chosen: AgentsSee | None = await connection.scalar(select(Shop.agents_see))
    return chosen or AgentsSee.TEAMS
