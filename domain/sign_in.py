"""Signing in: a password becomes a token, a token becomes an Actor.

Tokens are random and stored as SHA-256: what leaks from the database opens nothing, and ending one is instant.
"""

import asyncio
import uuid
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import ColumnElement, ForeignKey, Select, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor, ActorKind
from domain.db import Base, new_id
from domain.errors import InvalidInput, WrongCredentials
from domain.keys import new_token, token_hash
from domain.languages import N_
from domain.staff import Agent, TeamMember

LIFETIME = timedelta(hours=12)
SHORTEST_PASSWORD = 10

_hasher = PasswordHasher()
_HASHING = asyncio.Semaphore(2)
"""argon2 takes 64 MiB and tens of milliseconds each time: no flood of sign-ins may take the machine."""


@lru_cache
def _nobodys() -> str:
    return _hasher.hash("nobody has this password")


class SignIn(Base):
    __tablename__ = "sign_in"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    device_label: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


async def hash_password(password: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput(
            N_("A password needs at least {count} characters."), field=["password"], count=SHORTEST_PASSWORD
        )
    async with _HASHING:
        return await asyncio.to_thread(_hasher.hash, password)


async def password_hash_of(connection: AsyncConnection, email: str) -> str | None:
    """Of whoever works here under this address."""
    hashed: str | None = await connection.scalar(select(Agent.password_hash).where(_at(email)))
    return hashed


async def check(password: str, hashed: str | None) -> None:
    """Waits its turn, with no transaction open. An unknown address takes as long as a wrong password."""

    def right() -> bool:
        try:
            return _hasher.verify(hashed or _nobodys(), password) and hashed is not None
        except (VerifyMismatchError, InvalidHashError):
            return False

    async with _HASHING:
        if not await asyncio.to_thread(right):
            raise WrongCredentials


async def sign_in(
    session: AsyncSession, *, email: str, checked: str | None, device_label: str | None, at: datetime
) -> tuple[str, SignIn]:
    """The token (shown this once) and its row, for who still has the password hash that was checked."""
    agent_id = await session.scalar(select(Agent.id).where(_at(email), Agent.password_hash == checked))
    if agent_id is None:
        raise WrongCredentials
    token = new_token()
    row = SignIn(
        agent_id=agent_id,
        token_hash=token_hash(token),
        device_label=device_label,
        created_at=at,
        expires_at=at + LIFETIME,
    )
    session.add(row)
    return token, row


def _at(email: str) -> ColumnElement[bool]:
    return and_(func.lower(Agent.email) == email.strip().lower(), Agent.left_at.is_(None))


async def sign_out(session: AsyncSession, *, token: str, everywhere: bool, at: datetime) -> None:
    this = select(SignIn.agent_id).where(SignIn.token_hash == token_hash(token)).scalar_subquery()
    mine = SignIn.agent_id == this if everywhere else SignIn.token_hash == token_hash(token)
    await session.execute(update(SignIn).where(mine, SignIn.ended_at.is_(None)).values(ended_at=at))


async def actor_of(connection: AsyncConnection | AsyncSession, token: str) -> Actor | None:
    """Whose token this is, as of now by the database's clock; none if it is unknown, ended or out of date."""
    return await _actor(
        connection,
        _agents.join(SignIn, SignIn.agent_id == Agent.id).where(
            SignIn.token_hash == token_hash(token), SignIn.ended_at.is_(None), SignIn.expires_at > func.now()
        ),
    )


async def actor_by_id(connection: AsyncConnection | AsyncSession, agent_id: uuid.UUID) -> Actor | None:
    """The agent with the rights of this moment; none who has left."""
    return await _actor(connection, _agents.where(Agent.id == agent_id))


_teams = select(func.array_agg(TeamMember.team_id)).where(TeamMember.agent_id == Agent.id).scalar_subquery()
_agents = select(Agent.id, Agent.role, Agent.locale, _teams.label("teams")).where(Agent.left_at.is_(None))


async def _actor(connection: AsyncConnection | AsyncSession, query: Select[Any]) -> Actor | None:
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return Actor(ActorKind.AGENT, row.id, row.role, frozenset(row.teams or ()), row.locale)
