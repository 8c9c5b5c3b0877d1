"""The people of the shop: agents, managers, admins, and the teams they are in."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import SYSTEM, Actor, ActorKind, Role
from domain.db import Base, new_id
from domain.errors import InvalidInput
from domain.events import EventKind, record
from domain.languages import N_, best_language


class Team(Base):
    __tablename__ = "team"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)


class TeamMember(Base):
    __tablename__ = "team_member"

    team_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("team.id"), primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"), primary_key=True, index=True)


class Agent(Base):
    __tablename__ = "agent"
    __table_args__ = (Index("uq_agent_email", text("lower(email)"), unique=True),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str]
    name: Mapped[str]
    role: Mapped[Role]
    locale: Mapped[str] = mapped_column(default="en", server_default="en")
    timezone: Mapped[str] = mapped_column(default="Europe/Madrid", server_default="Europe/Madrid")
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime]
    left_at: Mapped[datetime | None]

    def as_actor(self, teams: frozenset[uuid.UUID] = frozenset()) -> Actor:
        return Actor(ActorKind.AGENT, self.id, self.role, teams, self.locale)


async def add_agent(
    session: AsyncSession,
    *,
    email: str,
    name: str,
    role: Role,
    password_hash: str | None,
    at: datetime,
    locale: str = "en",
    timezone: str = "Europe/Madrid",
) -> Agent:
    email = email.strip()
    if "@" not in email[1:-1]:
        raise InvalidInput(N_("This is not an email address."), field=["email"])
    taken = await session.scalar(select(Agent.id).where(func.lower(Agent.email) == email.lower()))
    if taken:
        raise InvalidInput(N_("There is an agent with this email address already."), field=["email"])
    agent = Agent(
        email=email,
        name=name,
        role=role,
        password_hash=password_hash,
        created_at=at,
        locale=best_language(locale),
        timezone=timezone,
    )
    session.add(agent)
    await session.flush()
    record(session, EventKind.AGENT_ADDED, by=SYSTEM, at=at, data={"agent": str(agent.id)})
    return agent


def initials(name: str) -> str:
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()
