"""A change asked for twice is made once: the phone's outbox may resend what it is not sure arrived."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.db import Base, Json
from domain.errors import MutationIdReused
from domain.keys import Keys

PURPOSE = "mutation-input"


class Done(Base):
    """What became of a `clientMutationId`."""

    __tablename__ = "done"

    actor_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    client_mutation_id: Mapped[str] = mapped_column(primary_key=True)
    input_hash: Mapped[bytes]
    """Keyed: inputs may hold a password."""
    sealed: Mapped[bytes | None]
    """The result, encrypted: it may hold a token that is shown once. None while the change is being made."""
    at: Mapped[datetime] = mapped_column(index=True)


async def once(
    session: AsyncSession,
    keys: Keys,
    change: Callable[[], Awaitable[Json]],
    *,
    by: Actor,
    client_mutation_id: str,
    asked: str,
    at: datetime,
) -> Json:
    """The result of `change`, or of the earlier time it was asked for under this id.

    `asked` is the whole input. The insert makes a simultaneous copy wait until this transaction ends. A refused change leaves nothing behind.
    """
    begun = await session.execute(
        insert(Done)
        .values(
            actor_id=by.id,
            client_mutation_id=client_mutation_id,
            input_hash=keys.sign(PURPOSE, asked).encode(),
            at=at,
        )
        .on_conflict_do_nothing()
        .returning(Done.at)
    )
    done = await session.scalar(
        select(Done).where(Done.actor_id == by.id, Done.client_mutation_id == client_mutation_id)
    )
    if done is None:
        raise RuntimeError("neither begun nor done")
    if begun.first() is None:
        if done.sealed is None or not keys.signed(done.input_hash.decode("latin1"), PURPOSE, asked):
            raise MutationIdReused(field=["clientMutationId"])
        return keys.decrypt(done.sealed)
    result = await change()
    done.sealed = keys.encrypt(result)
    return result
