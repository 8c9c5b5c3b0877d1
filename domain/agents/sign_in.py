"""Sessions: a proven person gets tokens, a token becomes an Actor.

A phone has an access token that lives minutes and a refresh token that is good once: each use gives a new pair, and a
used one that comes again ends the session, for one of the two who showed it is a thief. A browser has one token, in a
cookie, that lives while it is used. All are random and stored as SHA-256: what leaks from the database opens nothing.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    Select,
    and_,
    bindparam,
    func,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor, ActorKind
from domain.agents.staff import Agent, TeamMember
from domain.chorus import Reads
from domain.db import Base, new_id, one_of
from domain.errors import NotSignedIn
from domain.keys import new_token, token_hash
from domain.shop import agents_see_all

ACCESS = timedelta(minutes=15)
REFRESH = timedelta(days=30)
COOKIE = timedelta(hours=12)
"""After the last use."""
LONGEST = timedelta(days=90)
"""However much it is used."""
SEEN_EVERY = timedelta(minutes=1)


class SessionKind(StrEnum):
    APP = "app"
    WEB = "web"


class Ended(StrEnum):
    SIGNED_OUT = "signed_out"
    ENDED = "ended"
    """By its owner, from another session; or its owner left the shop."""
    REUSED = "reused"
    """A refresh token came twice."""
    PASSWORD = "password"
    """It was changed."""


class SignIn(Base):
    __tablename__ = "sign_in"
    __table_args__ = (Index("ix_sign_in_open", "agent_id", postgresql_where=text("ended_at IS NULL")),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"), index=True)
    kind: Mapped[SessionKind]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    """Of the access token, or of the cookie."""
    refresh_hash: Mapped[bytes | None] = mapped_column(unique=True)
    refresh_expires_at: Mapped[datetime | None]
    device_label: Mapped[str | None]
    address: Mapped[str | None]
    """Of the network, when it was last seen."""
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[Ended | None]

    def end(self, because: Ended, *, at: datetime) -> None:
        if self.ended_at is None:
            self.ended_at, self.ended_because = at, because


class SpentRefresh(Base):
    """A refresh token that was used."""

    __tablename__ = "spent_refresh"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    sign_in_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("sign_in.id", ondelete="CASCADE"), index=True)


@dataclass(frozen=True)
class Tokens:
    """Shown this once."""

    access: str
    expires_at: datetime
    refresh: str | None = None


def begin(
    session: AsyncSession,
    agent_id: uuid.UUID,
    kind: SessionKind,
    *,
    device_label: str | None,
    address: str | None,
    at: datetime,
) -> tuple[SignIn, Tokens]:
    row = SignIn(
        id=new_id(),
        agent_id=agent_id,
        kind=kind,
        device_label=device_label,
        address=address,
        created_at=at,
        seen_at=at,
    )
    session.add(row)
    return row, _new_tokens(row, at)


def _new_tokens(row: SignIn, at: datetime) -> Tokens:
    last = row.created_at + LONGEST
    access = new_token()
    row.token_hash = token_hash(access)
    if row.kind == SessionKind.WEB:
        row.expires_at = min(at + COOKIE, last)
        return Tokens(access, row.expires_at)
    refresh = new_token("hr_")
    row.expires_at, row.refresh_expires_at = min(at + ACCESS, last), min(at + REFRESH, last)
    row.refresh_hash = token_hash(refresh)
    return Tokens(access, row.expires_at, refresh)


async def refresh_owner(session: AsyncSession, refresh: str) -> SignIn:
    """The session a refresh token belongs to, used or not, held."""
    hashed = token_hash(refresh)
    spent = select(SpentRefresh.sign_in_id).where(SpentRefresh.token_hash == hashed).scalar_subquery()
    theirs = select(SignIn).where((SignIn.refresh_hash == hashed) | (SignIn.id == spent)).with_for_update()
    # Asked again: what was used while the first waited for it is spent by now.
    row = await session.scalar(theirs) or await session.scalar(theirs)
    if row is None:
        raise NotSignedIn
    return row


async def refreshed(session: AsyncSession, row: SignIn, refresh: str, *, at: datetime) -> Tokens | None:
    """A new pair for this refresh token; none if it was used before, and the session ends with that."""
    if row.refresh_hash != token_hash(refresh):
        row.end(Ended.REUSED, at=at)
        return None
    if row.ended_at or (row.refresh_expires_at or at) <= at:
        raise NotSignedIn
    session.add(SpentRefresh(token_hash=row.refresh_hash, sign_in_id=row.id))
    row.seen_at = at
    return _new_tokens(row, at)


async def end_all(
    session: AsyncSession, agent_id: uuid.UUID, because: Ended, *, at: datetime, but: uuid.UUID | None = None
) -> None:
    theirs = and_(SignIn.agent_id == agent_id, SignIn.ended_at.is_(None), SignIn.id.is_distinct_from(but))
    await session.execute(update(SignIn).where(theirs).values(ended_at=at, ended_because=because))


async def session_of_token(session: AsyncSession, token: str) -> SignIn | None:
    """Ended or not."""
    found = await session.scalars(select(SignIn).where(SignIn.token_hash == token_hash(token)))
    return found.one_or_none()


def lives(at: Any) -> ColumnElement[bool]:
    """Of a session of which something can still be used."""
    until = func.greatest(SignIn.expires_at, SignIn.refresh_expires_at)
    return and_(SignIn.ended_at.is_(None), until > at)


@dataclass(frozen=True)
class Recognised:
    actor: Actor
    session_id: uuid.UUID
    kind: SessionKind
    is_stale: bool
    """Not noted as seen for a while."""


async def recognise(connection: Reads, token: str) -> Recognised | None:
    """Whose session this is, as of now by the database's clock; none if it is unknown, ended or out of date."""
    row = (await connection.execute(_recognised, {"token_hash": token_hash(token)})).one_or_none()
    return Recognised(_actor(row), row.session_id, row.kind, row[-1]) if row else None


async def still(connection: Reads, session_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, tuple[Actor, bool]]:
    """Whose sessions these are while they last, and whether it is worth noting again that they are there: what is open does not
    end with the access token that opened it."""
    query = (
        _agents.join(SignIn, SignIn.agent_id == Agent.id)
        .where(one_of(SignIn.id, session_ids), lives(func.now()))
        .add_columns(SignIn.id.label("session_id"), SignIn.seen_at + SEEN_EVERY < func.now())
    )
    return {row.session_id: (_actor(row), row[-1]) for row in await connection.execute(query)}


async def seen(session: AsyncSession, session_id: uuid.UUID, *, address: str | None, at: datetime) -> None:
    """Somebody is there: a browser's session lives on."""
    row = await session.get_one(SignIn, session_id)
    row.seen_at, row.address = at, address
    if row.kind == SessionKind.WEB:
        row.expires_at = min(at + COOKIE, row.created_at + LONGEST)


async def still_open(session: AsyncSession, session_ids: Iterable[uuid.UUID], *, at: datetime) -> None:
    """A stream of theirs is: they are there, but nobody uses the session, so it does not live longer for it."""
    await session.execute(update(SignIn).where(one_of(SignIn.id, session_ids)).values(seen_at=at))


async def actor_by_id(connection: Reads, agent_id: uuid.UUID) -> Actor | None:
    """The agent with the rights of this moment; none who has left."""
    row = (await connection.execute(_agents.where(Agent.id == agent_id))).one_or_none()
    return _actor(row) if row else None


_teams = select(func.array_agg(TeamMember.team_id)).where(TeamMember.agent_id == Agent.id).scalar_subquery()
_agents: Select[Any] = select(
    Agent.id,
    Agent.role,
    Agent.locale,
    Agent.timezone,
    _teams.label("teams"),
    agents_see_all.label("all_teams"),
).where(Agent.left_at.is_(None))
_recognised = (
    _agents.join(SignIn, SignIn.agent_id == Agent.id)
    .where(
        SignIn.token_hash == bindparam("token_hash", type_=LargeBinary()),
        SignIn.ended_at.is_(None),
        SignIn.expires_at > func.now(),
    )
    .add_columns(SignIn.id.label("session_id"), SignIn.kind, SignIn.seen_at + SEEN_EVERY < func.now())
)


def _actor(row: Any) -> Actor:
    return Actor(
        ActorKind.AGENT,
        row.id,
        row.role,
        frozenset(row.teams or ()),
        row.locale,
        sees_all_teams=row.all_teams,
        timezone=row.timezone,
    )
