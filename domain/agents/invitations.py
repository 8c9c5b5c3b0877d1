"""Links that let somebody set a password: an invitation, or a reset. Good once, and for a while."""

import uuid
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.agents.staff import Agent
from domain.db import Base
from domain.errors import LinkUsedUp
from domain.keys import new_token, token_hash


class Purpose(StrEnum):
    INVITATION = "invitation"
    RESET = "reset"


LIVES = {Purpose.INVITATION: timedelta(days=7), Purpose.RESET: timedelta(hours=1)}


class PasswordLink(Base):
    __tablename__ = "password_link"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"), index=True)
    purpose: Mapped[Purpose]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


async def new_link(session: AsyncSession, agent_id: uuid.UUID, purpose: Purpose, *, at: datetime) -> str:
    """The token of a new link; earlier ones of this agent are good no longer."""
    await spend_all(session, agent_id, at=at)
    token = new_token("hl_")
    session.add(
        PasswordLink(
            token_hash=token_hash(token), agent_id=agent_id, purpose=purpose, expires_at=at + LIVES[purpose]
        )
    )
    return token


async def spend_all(session: AsyncSession, agent_id: uuid.UUID, *, at: datetime) -> None:
    theirs = (PasswordLink.agent_id == agent_id) & PasswordLink.used_at.is_(None)
    await session.execute(update(PasswordLink).where(theirs).values(used_at=at))


async def owner(session: AsyncSession, token: str) -> uuid.UUID | None:
    """Whose link it is or was."""
    found = await session.scalars(
        select(PasswordLink.agent_id).where(PasswordLink.token_hash == token_hash(token))
    )
    return found.one_or_none()


async def redeem(session: AsyncSession, token: str, *, at: datetime) -> Agent:
    """Whoever may set a password now, held."""
    agent = await session.scalar(
        select(Agent)
        .join(PasswordLink, PasswordLink.agent_id == Agent.id)
        .where(
            PasswordLink.token_hash == token_hash(token),
            PasswordLink.used_at.is_(None),
            PasswordLink.expires_at > func.now(),
            Agent.left_at.is_(None),
        )
        .with_for_update()
    )
    if agent is None:
        raise LinkUsedUp(field=["token"])
    await spend_all(session, agent.id, at=at)
    return agent
