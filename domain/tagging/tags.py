"""The tags there are: a list that the database itself keeps, whenever a ticket is given a tag, or a tagged ticket another team.

A trigger writes it, in the transaction that tags the ticket (the migration "the tags there are" has it), so no way to put a tag on
leaves it out: by hand, by a rule, by a merge and by taking one back. Each stands there once for each team that has put it on, for who
sees no other team's tickets sees no other team's words.
"""

import uuid

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.abreast import one_at_a_time
from domain.agents.staff import Team
from domain.db import Base, new_id


class Tag(Base):
    __tablename__ = "tag"
    __table_args__ = (Index("uq_tag", "name", "team_id", unique=True, postgresql_nulls_not_distinct=True),)

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, default=new_id, server_default=text("gen_random_uuid()")
    )
    name: Mapped[str]
    team_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey(Team.id))
    """Of the tickets that have it; none: of tickets of no team."""


async def nobody_puts(session: AsyncSession, tag: str) -> None:
    """Until this transaction ends, nobody gives the tag to a ticket; whoever is about to has been waited for. The trigger takes the
    same lock, shared: who puts a tag on waits for no other who does."""
    await one_at_a_time(session, f"tag\n{tag}")
