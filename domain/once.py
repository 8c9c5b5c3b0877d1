"""A change asked for twice is made once: the phone's outbox may resend what it is not sure arrived."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy import and_, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.db import Base, Json
from domain.errors import MutationIdReused
from domain.keys import Keys
from domain.telling import tell

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
    request = {"actor": by.id, "id": client_mutation_id}
    hashed = keys.sign(PURPOSE, asked).encode()
    if (await tell(session, _begin, request | {"hash": hashed, "now": at})).first() is None:
        done = (await tell(session, _begun, request)).one()
        if done.sealed is None or not keys.signed(done.input_hash.decode("latin1"), PURPOSE, asked):
            raise MutationIdReused(field=["clientMutationId"])
        return keys.decrypt(done.sealed)
    result = await change()
    await tell(session, _seal, request | {"sealing": keys.encrypt(result)})
    return result


_begin = (
    insert(Done)
    .values(
        actor_id=bindparam("actor"),
        client_mutation_id=bindparam("id"),
        input_hash=bindparam("hash"),
        at=bindparam("now"),
    )
    .on_conflict_do_nothing()
    .returning(Done.at)
)
_this = and_(Done.actor_id == bindparam("actor"), Done.client_mutation_id == bindparam("id"))
_begun = select(Done.input_hash, Done.sealed).where(_this)
_seal = update(Done).where(_this).values(sealed=bindparam("sealing"))
