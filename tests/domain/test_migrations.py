import json
import unicodedata
import uuid

import pytest
from sqlalchemy import text

from domain.db import Database
from domain.migrations import HEAD, differences, upgrade
from tests.conftest import empty_database


async def test_the_migrations_make_what_the_models_say(db: Database) -> None:
    assert await differences(db) == []


async def test_what_was_written_before_is_as_it_is_written_now(database_url: str) -> None:
    old = Database(await empty_database(database_url, "before"))
    contact, ticket = uuid.uuid4(), uuid.uuid4()
    tags = ["Mug", "RECLAMACIÓN", unicodedata.normalize("NFD", "reclamación"), " "]
    assigned = """INSERT INTO event (at, kind, actor_kind, ticket_id, data)
        VALUES ('2026-03-02', 'ticket_assigned', 'agent', :ticket, '{"to": "Ben"}'),
            ('2026-03-03', 'ticket_assigned', 'agent', :ticket, '{"to": "Bo"}')"""
    async with old.engine.begin() as connection:
        await upgrade(connection, "5bf0f67a77bd")
        await connection.execute(
            text("INSERT INTO contact (id, name, created_at) VALUES (:contact, '', now())"),
            {"contact": contact},
        )
        await connection.execute(
            text("""INSERT INTO ticket (id, contact_id, subject, status, tags, created_at, updated_at)
                VALUES (:ticket, :contact, '', 'open', CAST(:tags AS jsonb), now(), now())"""),
            {"ticket": ticket, "contact": contact, "tags": json.dumps(tags)},
        )
        await connection.execute(text(assigned), {"ticket": ticket})
        await upgrade(connection, HEAD)

        (kept,) = await connection.execute(text("SELECT tags FROM ticket"))
        opened = await connection.execute(text("SELECT data -> 'status' FROM event ORDER BY at"))

    assert kept.tags == ["mug", "reclamación"]
    assert opened.scalars().all() == [["new", "open"], None]
    await old.close()


async def test_who_was_in_a_zone_that_there_is_not_stops_no_worker_any_more(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Database(await empty_database(database_url, "zones"))
    zones = ["America/Bogota", "Europe/Nowhere", "europe/warsaw ", "../etc"]
    async with old.engine.begin() as connection:
        await upgrade(connection, "acb23908df25")
        for name in zones:
            await connection.execute(
                text("""INSERT INTO agent (id, name, email, role, timezone, created_at)
                    VALUES (gen_random_uuid(), :name, :name, 'agent', :name, now())"""),
                {"name": name},
            )
        await upgrade(connection, HEAD)

        kept = {
            one.name: one.timezone
            for one in await connection.execute(text("SELECT name, timezone FROM agent"))
        }

    assert [kept[name] for name in zones] == [
        "America/Bogota",
        "Europe/Madrid",
        "Europe/Warsaw",
        "Europe/Madrid",
    ]
    assert capsys.readouterr().err.count("agent_in_unknown_zone") == 3
    await old.close()
