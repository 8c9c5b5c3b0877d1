"""`heddle doctor` finds what is ill."""

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from api.commands import doctor
from api.commands.doctor import examine
from api.commands.findings import Finding, Health
from api.house import House
from api.running import Settings
from api.settings import ApiSettings
from demo.farends import SmtpSink
from domain import audit, auditor
from domain.actors import SYSTEM
from domain.agents.system_mail import SystemMail, post
from domain.audit import AuditKind
from domain.db import Database, database_time, new_id
from domain.events import EventKind, Reader, record
from domain.keys import Keys
from domain.operations import installation
from domain.settings import DomainSettings
from domain.ways_in.channels import ChannelKind
from domain.ways_in.fetching import Box
from integrations.settings import IntegrationSettings
from notifications.settings import NotificationSettings
from tests.conftest import empty_database
from tests.doors import store_that_is_away, stored_in
from tests.factories import NOON, a_channel
from tests.two_teams import TwoTeams


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[Settings]:
    async with SmtpSink() as sink:
        yield Settings(
            DomainSettings.model_construct(data=tmp_path, base_url="https://help.shop.example"),
            ApiSettings.model_construct(),
            IntegrationSettings.model_construct(smtp_url=f"smtp://{sink.host}:{sink.port}"),
            NotificationSettings.model_construct(fcm_credentials="{}"),
        )


async def ill(settings: Settings, house: House, keys: Keys | None = None) -> dict[str, str]:
    found: list[Finding] = [
        finding async for finding in examine(settings, house.db, keys or house.keys, house.files)
    ]
    assert {"database", "tables", "queue outbox", "audit"} <= {finding.subject for finding in found}
    return {finding.subject: finding.said for finding in found if finding.health is not Health.WELL}


async def test_a_shop_that_works_is_well(settings: Settings, house: House, two_teams: TwoTeams) -> None:
    async with house.db.transaction() as session:
        await auditor.look(session)

    assert await ill(settings, house) == {}


async def test_each_illness_is_named(settings: Settings, house: House, two_teams: TwoTeams) -> None:
    async with house.db.transaction() as session:
        now = await database_time(session)
        post(session, house.keys, to="mia@shop.example", subject="Hello", text="Hello", at=now)
        session.add(Reader(name="stuck", xid=3, seq=1))
        record(session, EventKind.AGENT_ADDED, by=SYSTEM, at=NOON)
        audit.note(session, AuditKind.EXPORTED, by=SYSTEM, at=now)
        await auditor.look(session, at=now - timedelta(hours=1))
        await session.flush()
        await session.execute(update(SystemMail).values(due_at=now - timedelta(hours=1)))
        await session.execute(
            text("UPDATE event SET recorded_at = recorded_at - interval '1 hour', xid = '4'")
        )
        await session.execute(
            text("UPDATE audit_entry SET position = 2, hash = 'wrong' WHERE kind = 'exported'")
        )
    shutil.rmtree(stored_in(house))
    settings.integrations.smtp_url = "smtp://127.0.0.1:1"
    settings.integrations.scan_url = "tcp://127.0.0.1:1"

    said = await ill(settings, house, Keys("another secret that is long enough for a key"))

    assert set(said) == {
        "secret key",
        "scanner",
        "queue system_mail",
        "reader stuck",
        "files",
        "audit",
        "mail",
        "promises",
    }
    assert "the oldest since" in said["queue system_mail"]
    assert "broken at 1" in said["audit"]


async def test_mail_that_the_relay_has_refused_for_a_while_is_told(settings: Settings, house: House) -> None:
    async with house.db.transaction() as session:
        now = await database_time(session)
        post(session, house.keys, to="mia@shop.example", subject="Hello", text="Hello", at=now)
        await auditor.look(session)
        await session.flush()
        since, again = now - timedelta(minutes=20), now + timedelta(minutes=10)
        await session.execute(update(SystemMail).values(failures=9, failing_since=since, due_at=again))

    said = await ill(settings, house)

    assert said == {
        "queue system_mail": f"0 due, 1 wait for another try, failing since {since:%Y-%m-%d %H:%M}"
    }


async def test_what_is_held_after_a_restore_is_told(settings: Settings, house: House) -> None:
    async with house.db.reading() as connection:
        await installation.restored(connection)
        await connection.commit()

    assert "heddle release" in (await ill(settings, house))["held"]


async def test_a_mailbox_that_cannot_be_signed_in_to_is_told(settings: Settings, house: House) -> None:
    fetched = {"imap_url": "imaps://imap.shop.example", "imap_password": "x"}
    async with house.db.transaction() as session:
        now = await database_time(session)
        boxes = [
            await a_channel(
                session, house.keys, ChannelKind.EMAIL, slug=slug, address=f"{slug}@shop.example", **fetched
            )
            for slug in ("broken", "left", "well")
        ]
        held = {"held_by": new_id(), "held_until": now + timedelta(hours=1), "signed_in_at": now}
        session.add(Box(channel_id=boxes[0].id, failing_since=now, last_error="The sign-in is refused: no"))
        session.add(Box(channel_id=boxes[2].id, **held))

    said = await ill(settings, house)

    assert said["mailbox broken"] == f"since {now:%Y-%m-%d %H:%M} not fetched: The sign-in is refused: no"
    assert said["mailbox left"] == "nobody fetches it: does a worker run?"
    assert "mailbox well" not in said


async def test_an_exchange_that_is_not_heard_is_told(settings: Settings, house: House) -> None:
    exchange = {"provider": "asterisk", "ami_host": "10.0.0.5", "ami_user": "heddle", "ami_secret": "x"}
    async with house.db.transaction() as session:
        now = await database_time(session)
        lines = [
            await a_channel(session, house.keys, ChannelKind.PHONE, slug=slug, number=number, **exchange)
            for slug, number in (("broken", "+48221234567"), ("left", "+48221234568"))
        ]
        session.add(Box(channel_id=lines[0].id, failing_since=now, last_error="no connection"))

    said = await ill(settings, house)

    assert said["exchange broken"] == f"since {now:%Y-%m-%d %H:%M} not listened to: no connection"
    assert said["exchange left"] == "nobody listens to it: does a worker run?"


async def test_an_empty_database_is_told_apart(settings: Settings, house: House, database_url: str) -> None:
    db = Database(await empty_database(database_url, "doctor"))

    found = [finding async for finding in examine(settings, db, house.keys, house.files)]
    await db.close()

    assert [(finding.subject, finding.health) for finding in found] == [("tables", Health.ILL)]


async def test_without_credentials_of_firebase_browsers_ring(settings: Settings, house: House) -> None:
    settings.notifications.fcm_credentials = None

    assert "only browsers, by Web Push" in (await ill(settings, house))["phones"]


async def test_a_full_disk_is_told(settings: Settings, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SPACE", 1 << 60)

    assert "free" in (await ill(settings, house))["space"]


async def test_a_store_that_does_not_answer_is_told_and_the_rest_is_looked_at(
    settings: Settings, house: House, two_teams: TwoTeams
) -> None:
    object.__setattr__(house, "files", store_that_is_away())

    found = await ill(settings, house)

    assert "stored files cannot be reached" in found["files"]


async def test_a_relay_whose_name_is_none_is_told(settings: Settings, house: House) -> None:
    settings.integrations.smtp_url = "smtp://mail..example"

    assert "does not answer" in (await ill(settings, house))["mail"]
