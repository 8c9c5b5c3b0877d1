"""Tokens for integrators' programs: shown once, stored as SHA-256, with scopes and an end."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import naming
from domain.actors import Actor, ActorKind, Scope
from domain.chorus import Reads
from domain.db import Base, new_id, one_of
from domain.errors import InvalidInput
from domain.keys import new_token, token_hash
from domain.languages import N_

PREFIX = "hd_"
SEEN_EVERY = timedelta(minutes=5)


class ApiToken(Base):
    __tablename__ = "api_token"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    created_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    """None: from the command line."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


def create_token(
    session: AsyncSession,
    *,
    name: str,
    scopes: Sequence[Scope],
    expires_at: datetime | None,
    by: Actor,
    at: datetime,
) -> tuple[str, ApiToken]:
    """The token, shown this once, and its row."""
    name = naming.name(name)
    if not scopes:
        raise InvalidInput(N_("A token needs at least one scope."), field=["scopes"])
    if expires_at and expires_at <= at:
        raise InvalidInput(N_("This moment has passed."), field=["expiresAt"])
    token = new_token(PREFIX)
    row = ApiToken(
        id=new_id(),
        name=name,
        token_hash=token_hash(token),
        scopes=sorted(set(scopes)),
        created_by_id=by.agent_id,
        created_at=at,
        expires_at=expires_at,
    )
    session.add(row)
    return token, row


async def programs(connection: Reads, shown: Iterable[str]) -> dict[str, tuple[Actor, bool]]:
    """Whose tokens these are, and whether their last use is worth noting again."""
    hashes = {token_hash(token): token for token in shown}
    found = await connection.execute(
        select(ApiToken.__table__, (ApiToken.last_used_at + SEEN_EVERY >= func.now()).label("noted")).where(
            one_of(ApiToken.token_hash, hashes),
            ApiToken.revoked_at.is_(None),
            (ApiToken.expires_at > func.now()) | ApiToken.expires_at.is_(None),
        )
    )
    return {hashes[row.token_hash]: (_actor(row), not row.noted) for row in found}


def _actor(row: Any) -> Actor:
    scopes = frozenset(Scope(scope) for scope in row.scopes)
    return Actor(ActorKind.TOKEN, row.id, name=row.name, scopes=scopes)


async def used(session: AsyncSession, token_id: uuid.UUID, *, at: datetime) -> None:
    await session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=at))
