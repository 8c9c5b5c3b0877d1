"""A backup taken while the shop works, restored elsewhere: all is there, nothing is sent twice, cursors ask anew."""

import asyncio
import json
import random
import resource
import zipfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from api.house import House
from api.settings import ApiSettings
from demo.farends import SmtpSink
from domain import events
from domain.actors import SYSTEM, Role
from domain.answering.uploads import Upload
from domain.db import Database
from domain.desk.files import Folder
from domain.desk.messages import OUTBOX
from domain.events import Event, EventKind, Reader, record
from domain.ids import row_id
from domain.importing.imports import Import
from domain.keys import Keys
from domain.migrations import migrate
from domain.operations import backup, installation
from domain.operations.backup import NoBackup
from domain.ways_in.channels import ChannelKind
from integrations.courier import Courier
from integrations.settings import IntegrationSettings
from tests.client import Client
from tests.conftest import empty_database
from tests.doors import answering, store_that_is_away
from tests.factories import NOON, a_channel, a_mail, receive
from tests.feed import cursor_of
from tests.journeys.test_old_databases import rows

CHANGES = "query($since: Cursor!) { changes(since: $since) { cursor resetRequired changes { __typename } } }"
LIVE = "subscription($since: Cursor!) { changes(since: $since) { resetRequired changes { __typename } } }"
TICKETS = "{ tickets(first: 50) { edges { node { id seq contact { id identities { id } } } } } }"
AT_ONCE = ApiSettings.model_construct(undo_seconds=0)
SEND = "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { id } userErrors { code } } }"
DRAFT = "mutation($input: DraftSaveInput!) { draftSave(input: $input) { userErrors { code } } }"
IMPORT = "mutation($input: ImportStartInput!) { importStart(input: $input) { userErrors { code } } }"
EXPORT = "mutation($input: ContactExportInput!) { contactExport(input: $input) { userErrors { code } } }"


@pytest.fixture
async def elsewhere(database_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[House]:
    db = Database(await empty_database(database_url, "elsewhere"))
    await db.open()
    yield House(
        db, keys, Folder(tmp_path / "files"), "http://heddle.test", epoch="elsewhere", settings=AT_ONCE
    )
    await db.close()


@asynccontextmanager
async def sending(house: House, sink: SmtpSink) -> AsyncIterator[None]:
    settings = IntegrationSettings(smtp_url=f"smtp://{sink.host}:{sink.port}")
    courier = asyncio.create_task(Courier(house.db, house.keys, house.files, settings).run())
    yield
    courier.cancel()
    await asyncio.gather(courier, return_exceptions=True)


async def the_shop_works(house: House, client: Client, chance: random.Random) -> None:
    """Customers write, and every one of them is answered."""
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
    number = 0
    while True:
        number += 1
        async with house.db.transaction() as session:
            await receive(session, mailbox, a_mail(f"writer{number}@example.org", f"Question {number}"))
        (edge, *_) = (await client.ask(TICKETS))["tickets"]["edges"]
        await answer(client, edge["node"], f"Answer {number}")
        await asyncio.sleep(chance.uniform(0, 0.02))


async def answer(client: Client, node: dict[str, Any], text: str) -> None:
    identity = node["contact"]["identities"][0]["id"]
    sent = await client.do(SEND, ticketId=node["id"], identityId=identity, text=text, lastSeenSeq=node["seq"])
    assert sent["userErrors"] == []


def message_ids(*sinks: SmtpSink) -> Counter[str]:
    return Counter(str(mail.message["Message-ID"]) for sink in sinks for mail in sink.mails)


async def test_a_backup_under_load_is_whole_and_sends_nothing_twice(
    house: House, ben: Client, elsewhere: House, tmp_path: Path
) -> None:
    file = tmp_path / "backup.zip"
    since = await cursor_of(house, ben)
    async with SmtpSink() as before, SmtpSink() as after:
        async with sending(house, before):
            working = asyncio.create_task(the_shop_works(house, ben, random.Random(5)))
            while len(before.mails) < 10:
                await asyncio.sleep(0.05)
            made = await backup.back_up(house.db, house.keys, house.files, file)
            so_far = len(before.mails)
            while len(before.mails) < so_far + 10:
                await asyncio.sleep(0.05)
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working

        await backup.restore(elsewhere.db, elsewhere.keys, elsewhere.files, file)

        assert await rows(elsewhere.db, made) == made.rows | {"installation": 1}
        assert made.rows["ticket"] >= 10
        async with (
            sending(elsewhere, after),
            answering(elsewhere) as door,
            Client(door, elsewhere.db, "Bo", Role.MANAGER) as bo,
        ):
            assert (await bo.ask(CHANGES, since=since))["changes"]["resetRequired"]
            async with asyncio.timeout(30), bo.listening(LIVE, since=since) as stream:
                assert (await stream.next())["changes"]["resetRequired"]
            await answer(bo, (await bo.ask(TICKETS))["tickets"]["edges"][0]["node"], "After all that")
            await asyncio.sleep(1)
            assert len(after.mails) == 0, "nothing leaves until somebody confirms"

            async with elsewhere.db.transaction() as session:
                held = await installation.held_since(session)
                assert held
                await OUTBOX.discard(session, before=held)
                await installation.release(session)
            mail = await after.next_mail(10)

        assert "After all that" in mail.raw.decode()
        assert set(message_ids(before, after).values()) == {1}


async def test_files_that_are_sent_with_nothing_yet_are_in_it(
    house: House, ben: Client, admin: Client, elsewhere: House, tmp_path: Path
) -> None:
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", "Hello"))
    (ticket,) = (await ben.ask(TICKETS))["tickets"]["edges"]
    file = await uploaded(ben, b"for a draft")
    draft = {"ticketId": ticket["node"]["id"], "body": "Look", "attachmentIds": [file]}
    assert (await ben.ask(DRAFT, input=draft))["draftSave"]["userErrors"] == []
    sheet = await uploaded(admin, b"email\nzofia@example.org\n")
    assert await admin.refused(IMPORT, kind="CONTACTS", fileId=sheet) == []
    assert await admin.refused(EXPORT, contactId=ticket["node"]["contact"]["id"]) == []
    async with house.db.transaction() as session:
        awaited = {"name": "a.pdf", "mime": "application/pdf", "bytes": 7, "file": "uploads/awaited"}
        session.add(Upload(**awaited, agent_id=row_id("Agent", ben.agent_id), created_at=NOON))

    kept = tmp_path / "backup.zip"
    made = await backup.back_up(house.db, house.keys, house.files, kept)
    with pytest.raises(NoBackup, match="Nothing was restored: stored files cannot be reached"):
        await backup.restore(elsewhere.db, elsewhere.keys, store_that_is_away(), kept)
    await backup.restore(elsewhere.db, elsewhere.keys, elsewhere.files, kept)

    assert (made.files, made.missing) == (2, [])
    async with elsewhere.db.transaction() as session:
        keys = [*await session.scalars(select(Upload.file).where(Upload.finished_at.is_not(None)))]
        keys += await session.scalars(select(Import.file))
    assert [await elsewhere.files.get(str(key)) for key in keys] == [
        b"for a draft",
        b"email\nzofia@example.org\n",
    ]


async def uploaded(client: Client, content: bytes) -> str:
    headers = {"authorization": f"Bearer {client.token}"}
    kept = await client.http.post("/files", params={"name": "a.bin"}, content=content, headers=headers)
    return str(kept.json()["id"])


async def test_what_was_not_sent_when_the_old_house_ended_is_sent_once(
    house: House, ben: Client, elsewhere: House, tmp_path: Path
) -> None:
    file = tmp_path / "backup.zip"
    working = asyncio.create_task(the_shop_works(house, ben, random.Random(6)))
    await asyncio.sleep(1)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    made = await backup.back_up(house.db, house.keys, house.files, file)

    await backup.restore(elsewhere.db, elsewhere.keys, elsewhere.files, file)

    async with elsewhere.db.transaction() as session:
        await installation.release(session)
    async with SmtpSink() as sink, sending(elsewhere, sink):
        async with asyncio.timeout(30):
            while len(sink.mails) < made.rows["ticket"] - 1:  # the last may not have been answered
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        assert set(message_ids(sink).values()) == {1}


async def test_readers_of_the_feed_go_on_where_they_were(
    house: House, elsewhere: House, tmp_path: Path
) -> None:
    """Though the numbers of the old server's transactions lie in the future of the new one."""
    for number in range(6):
        async with house.db.transaction() as session:
            record(session, EventKind.AGENT_ADDED, by=SYSTEM, at=NOON, data={"number": number})
    async with house.db.transaction() as session:
        places = (await session.execute(select(Event.xid, Event.seq).order_by(Event.xid, Event.seq))).all()
        for name, at in (("early", 1), ("late", 4)):
            session.add(Reader(name=name, xid=places[at].xid, seq=places[at].seq))
        await session.flush()
        for table in ("event", "reader"):
            later = f"UPDATE {table} SET xid = (xid::text::bigint + 1000000000)::text::xid8"
            await session.execute(text(later))
    await backup.back_up(house.db, house.keys, house.files, tmp_path / "backup.zip")

    await backup.restore(elsewhere.db, elsewhere.keys, elsewhere.files, tmp_path / "backup.zip")

    async with asyncio.timeout(30):
        while await unread(elsewhere, "late") != [5]:  # another test may hold the feed back
            await asyncio.sleep(0.05)
    assert await unread(elsewhere, "early") == [2, 3, 4, 5]


async def test_what_is_not_ours_in_a_database_stays(house: House, elsewhere: House, tmp_path: Path) -> None:
    await backup.back_up(house.db, house.keys, house.files, tmp_path / "backup.zip")
    async with elsewhere.db.transaction() as session:
        await session.execute(text("CREATE TABLE theirs AS SELECT 1 AS number"))
    await migrate(elsewhere.db)

    await backup.restore(elsewhere.db, elsewhere.keys, elsewhere.files, tmp_path / "backup.zip")

    async with elsewhere.db.transaction() as session:
        assert await session.scalar(text("SELECT number FROM theirs")) == 1


async def unread(house: House, name: str) -> list[int]:
    async with house.db.transaction() as session:
        reader = await session.get_one(Reader, name)
        return [event.data["number"] for event in await events.since(session, (reader.xid, reader.seq), 100)]


async def test_what_cannot_be_restored_is_refused_in_a_sentence(
    house: House, elsewhere: House, tmp_path: Path
) -> None:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.EMAIL)
    good = tmp_path / "backup.zip"
    await backup.back_up(house.db, house.keys, house.files, good)
    damaged, flipped, newer = (tmp_path / f"{name}.zip" for name in ("damaged", "flipped", "newer"))
    damaged.write_bytes(good.read_bytes()[:-200])
    for at in range(100, 3000, 7):
        bits = bytearray(good.read_bytes())
        bits[at] ^= 0xFF
        flipped.write_bytes(bits)
        with suppress(NoBackup):  # or it was between the entries
            backup.read_manifest(flipped)
    _changed(good, newer, revision="from the future")
    (tmp_path / "text.zip").write_text("not a zip")
    other = Keys("another secret that is long enough for a key")

    async def refusal(source: Path, keys: Keys = elsewhere.keys, into: Database = elsewhere.db) -> str:
        with pytest.raises(NoBackup) as refused:
            await backup.restore(into, keys, elsewhere.files, source)
        return str(refused.value)

    assert "There is no" in await refusal(tmp_path / "nowhere.zip")
    assert "no backup" in await refusal(tmp_path / "text.zip")
    assert "damaged" in await refusal(damaged)
    assert "newer" in await refusal(newer)
    assert "HEDDLE_SECRET_KEY" in await refusal(good, keys=other)
    assert "not empty" in await refusal(good, into=house.db)
    with pytest.raises(NoBackup, match="cannot be written"):
        await backup.back_up(house.db, house.keys, house.files, good)
    with pytest.raises(NoBackup, match="There is no Heddle in the database"):
        await backup.back_up(elsewhere.db, house.keys, house.files, tmp_path / "none.zip")
    await backup.restore(elsewhere.db, other, elsewhere.files, good, any_key=True)


async def test_a_backup_for_which_there_is_no_room_is_refused_in_a_sentence_and_leaves_nothing(
    house: House, tmp_path: Path
) -> None:
    file = tmp_path / "backup.zip"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, before[1]))
    try:
        with pytest.raises(NoBackup, match=f"{file} was not made: .*File too large"):
            await backup.back_up(house.db, house.keys, house.files, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert not file.exists()


def _changed(source: Path, target: Path, **changes: str) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == backup.MANIFEST:
                content = json.dumps({**json.loads(content), **changes}).encode()
            new.writestr(name, content)
