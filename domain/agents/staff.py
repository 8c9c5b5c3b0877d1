"""The people of the shop: agents, managers, admins, and the teams they are in."""

import uuid
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, delete, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import naming
from domain.abreast import one_at_a_time
from domain.actors import SYSTEM, Actor, ActorKind, Role
from domain.customers import profiles
from domain.db import Base, new_id, session_of
from domain.desk.tags import kept
from domain.errors import InvalidInput, NotFound
from domain.events import EventKind, record
from domain.languages import N_, best_language

MOST_CAPACITY = 1_000
LONGEST_EMAIL = 254
"""RFC 5321, section 4.5.3.1.3."""


class Team(Base):
    __tablename__ = "team"
    __table_args__ = (
        Index("uq_team_name", "name", unique=True, postgresql_where=text("archived_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    archived_at: Mapped[datetime | None]


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
    languages: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'"))
    """In which they can answer, besides their own."""
    line: Mapped[str | None] = mapped_column(unique=True)
    """Their telephone, as the PBX calls it: an extension, a SIP address, or a number in E.164."""
    skills: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'"))
    """What the shop's teams ask for (`domain/assigning/policies.py`), as tags are written."""
    capacity: Mapped[int | None] = mapped_column(Integer)
    """How much work is given to them at once; none: as their teams say, 0: nothing by itself."""
    turns: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """How often they were given something, as it is compared with others (`domain/assigning/choosing.py`). Who hands out work
    holds the row, so that nobody else does meanwhile."""
    given_at: Mapped[datetime | None]
    """When the house gave them something last."""
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime]
    left_at: Mapped[datetime | None]

    def as_actor(self, teams: frozenset[uuid.UUID] = frozenset()) -> Actor:
        return Actor(ActorKind.AGENT, self.id, self.role, teams, self.locale)

    def change(
        self,
        *,
        by: Actor,
        at: datetime,
        name: str | None = None,
        role: Role | None = None,
        locale: str | None = None,
        timezone: str | None = None,
        languages: Collection[str] | None = None,
        line: str | None = None,
        skills: Collection[str] | None = None,
        left: bool | None = None,
    ) -> None:
        """What is left out stays. Nobody takes their own rights away: somebody must be left who can give them back."""
        if self.id == by.agent_id and (left or (role and role != self.role)):
            raise InvalidInput(N_("Ask another admin to change your own rights."), field=["id"])
        if name is not None:
            self.name = naming.name(name)
        if role:
            self.role = role
        if locale is not None:
            self.locale = best_language(locale)
        if timezone is not None:
            self.timezone = profiles.timezone(timezone)
        if languages is not None:
            said = filter(None, (language.strip() for language in languages))
            self.languages = sorted({profiles.locale(one, field="languages") for one in said})
        if line is not None:
            self.line = line_called(naming.line(line, "line")) or None
        if skills is not None:
            self.skills = sorted(skill for skill in kept(skills) if skill)
        if left is not None:
            self.left_at = (self.left_at or at) if left else None
        self.tell(by=by, at=at)

    def set_capacity(self, capacity: int | None) -> None:
        """None: as their teams say."""
        if capacity is not None and not 0 <= capacity <= MOST_CAPACITY:
            raise InvalidInput(N_("A capacity is 0 to {most}."), field=["capacity"], most=MOST_CAPACITY)
        self.capacity = capacity

    def tell(self, *, by: Actor, at: datetime) -> None:
        record(session_of(self), EventKind.AGENT_CHANGED, by=by, at=at, data={"agent": str(self.id)})


async def put_in_teams(session: AsyncSession, agent: Agent, team_ids: Collection[uuid.UUID]) -> None:
    """In these, and in no others."""
    await session.execute(delete(TeamMember).where(TeamMember.agent_id == agent.id))
    session.add_all(TeamMember(agent_id=agent.id, team_id=team_id) for team_id in set(team_ids))


async def save_team(session: AsyncSession, team_id: uuid.UUID | None, name: str) -> Team:
    """Renames it; without an id, a new one."""
    name = naming.name(name)
    await one_at_a_time(session, "teams")
    others = (Team.archived_at.is_(None), Team.id.is_distinct_from(team_id))
    if await session.scalar(select(Team.id).where(Team.name == name, *others)):
        raise InvalidInput(N_("There is a team with this name already."), field=["name"])
    team = await session.get(Team, team_id) if team_id else Team(id=new_id())
    if team is None or team.archived_at:
        raise NotFound(field=["id"])
    team.name = name
    session.add(team)
    await session.flush()
    return team


async def add_agent(
    session: AsyncSession,
    *,
    email: str,
    name: str,
    role: Role,
    password_hash: str | None,
    by: Actor = SYSTEM,
    at: datetime,
    locale: str = "en",
    timezone: str = "Europe/Madrid",
) -> Agent:
    agent = Agent(
        email=await free_address(session, email),
        name=naming.name(name),
        role=role,
        password_hash=password_hash,
        created_at=at,
        locale=best_language(locale),
        timezone=profiles.timezone(timezone),
    )
    session.add(agent)
    await session.flush()
    record(session, EventKind.AGENT_ADDED, by=by, at=at, data={"agent": str(agent.id)})
    return agent


async def free_address(session: AsyncSession, email: str, *, of: uuid.UUID | None = None) -> str:
    """As it is kept; refuses what is no address, and what is another's."""
    email = email.strip()
    if "@" not in email[1:-1] or len(email) > LONGEST_EMAIL:
        raise InvalidInput(N_("This is not an email address."), field=["email"])
    others = (func.lower(Agent.email) == email.lower(), Agent.id.is_distinct_from(of))
    if await session.scalar(select(Agent.id).where(*others)):
        raise InvalidInput(N_("There is an agent with this email address already."), field=["email"])
    return email


async def account(session: AsyncSession, email: str) -> Agent | None:
    """Of whoever works here under this address."""
    found = await session.scalars(
        select(Agent).where(func.lower(Agent.email) == email.strip().lower(), Agent.left_at.is_(None))
    )
    return found.one_or_none()


def line_called(written: str) -> str:
    """As a PBX names a telephone: `7`, `SIP:Ben@pbx` and `sip:ben@pbx` are compared so."""
    return written.strip().lower().removeprefix("sip:")


async def free_line(session: AsyncSession, agent: Agent, written: str) -> None:
    """Refuses a telephone that somebody else has."""
    others = (func.lower(Agent.line) == line_called(written), Agent.id != agent.id)
    if await session.scalar(select(Agent.id).where(*others)):
        raise InvalidInput(N_("Somebody else has this telephone."), field=["line"])


async def agents_called(session: AsyncSession, names: Collection[str]) -> dict[str, uuid.UUID]:
    """Of those names by which a PBX calls telephones or people, whose they are."""
    asked = {line_called(name): name for name in names}
    if not asked:
        return {}
    found = await session.execute(
        select(Agent.id, func.lower(Agent.line), func.lower(Agent.email)).where(
            Agent.left_at.is_(None),
            or_(func.lower(Agent.line).in_(asked), func.lower(Agent.email).in_(asked)),
        )
    )
    theirs: dict[str, uuid.UUID] = {}
    for id, line, email in found:
        theirs |= {name: id for name in (line, email) if name in asked}
    return {name: theirs[said] for said, name in asked.items() if said in theirs}


def initials(name: str) -> str:
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()
