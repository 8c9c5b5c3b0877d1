"""What was noted stays as it is, and a chain shows whether it did."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from domain import audit
from domain.actors import SYSTEM
from domain.audit import AuditEntry, AuditKind
from domain.db import Database, new_id
from domain.writing import Writing
from tests.factories import NOON


async def noted(db: Database, count: int) -> None:
    async with db.transaction() as session:
        for number in range(count):
            at = NOON + timedelta(seconds=number)
            data = {"number": number, "text": "zażółć"}
            audit.note(
                session,
                AuditKind.CONTACT_READ,
                by=SYSTEM,
                at=at,
                address="::1",
                contact_id=new_id(),
                data=data,
            )


async def chained(db: Database, count: int) -> None:
    """Until so many are; an older transaction of another test may hold the end back."""
    async with asyncio.timeout(20):
        while True:
            async with db.transaction() as session:
                await audit.chain(session)
                if (await audit.end_of_chain(session)).position == count:
                    return
            await asyncio.sleep(0.02)


async def broken_at(db: Database) -> int | None:
    async with db.reading() as connection:
        return await audit.broken_at(connection)


@pytest.mark.parametrize(
    "change",
    [
        update(AuditEntry).values(address="elsewhere"),
        update(AuditEntry).values(hash=None, position=None),
        delete(AuditEntry),
        text("TRUNCATE audit_entry"),
    ],
    ids=["change", "unchain", "delete", "truncate"],
)
async def test_what_was_noted_cannot_be_changed(clean: Database, change: object) -> None:
    await noted(clean, 2)
    await chained(clean, 2)

    with pytest.raises(DBAPIError, match="append-only"):
        async with clean.transaction() as session:
            await session.execute(change)  # type: ignore[call-overload]


async def test_what_is_not_chained_yet_cannot_be_changed_either(clean: Database) -> None:
    await noted(clean, 1)

    with pytest.raises(DBAPIError, match="append-only"):
        async with clean.transaction() as session:
            await session.execute(update(AuditEntry).values(address="elsewhere"))


@pytest.mark.parametrize(
    ("tampered", "found"),
    [
        ("UPDATE audit_entry SET address = 'elsewhere' WHERE position = 3", 3),
        ("UPDATE audit_entry SET at = at + interval '1 microsecond' WHERE position = 4", 4),
        ("UPDATE audit_entry SET data = '{}' WHERE position = 1", 1),
        ("DELETE FROM audit_entry WHERE position = 2", 2),
        ("UPDATE audit_entry SET position = -position WHERE position = 5", None),
    ],
)
async def test_whoever_gets_around_that_breaks_the_chain(
    clean: Database, tampered: str, found: int | None
) -> None:
    await noted(clean, 5)
    await chained(clean, 5)
    assert await broken_at(clean) is None

    async with clean.transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        await session.execute(text(tampered))

    assert await broken_at(clean) == found


async def test_rows_are_chained_in_the_order_in_which_they_were_committed(clean: Database) -> None:
    async with Writing(clean.engine) as slow:
        await slow.begin()
        audit.note(slow, AuditKind.SIGNED_IN, by=SYSTEM, at=NOON)
        await slow.flush()
        await noted(clean, 1)
        async with clean.transaction() as session:
            await audit.chain(session)
            assert (await audit.end_of_chain(session)).position == 0, "something older may still appear"
        await slow.commit()
    await chained(clean, 2)

    async with clean.transaction() as session:
        kinds = await session.scalars(select(AuditEntry.kind).order_by(AuditEntry.position))
        assert kinds.all() == [AuditKind.SIGNED_IN, AuditKind.CONTACT_READ]
    assert await broken_at(clean) is None
