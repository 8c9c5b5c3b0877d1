"""A database made by an earlier Heddle, with data, is brought up to date and goes on.

Each file in `tests/databases` is a backup of the demo's shop as that version left it (`heddle backup` writes them), with
the secret key beside it.
"""

import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from api.house import House
from api.settings import ApiSettings
from demo.farends import SmtpSink
from domain.actors import Role
from domain.db import Database
from domain.desk.files import Folder
from domain.desk.messages import OUTBOX
from domain.keys import Keys
from domain.migrations import differences
from domain.operations.backup import Manifest, restore
from domain.operations.installation import release
from domain.operations.postgres import embedded
from domain.ways_in.channels import Channel, ChannelKind
from integrations.courier import Courier
from integrations.settings import IntegrationSettings
from tests.client import Client
from tests.conftest import empty_database
from tests.doors import answering
from tests.factories import a_mail, receive

DATABASES = sorted((Path(__file__).parents[1] / "databases").glob("*.zip"))
TICKETS = """{ tickets(first: 5) { totalCount edges { node { id subject seq contact { name identities { id channel label } }
  timeline(first: 50) { edges { node { ... on Message { text attachments { url } } ... on Note { text } } } } } } } }"""
SEND = "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { id } userErrors { code } } }"


@pytest.fixture(params=["external", "embedded"])
async def empty(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Database]:
    with ExitStack() as stack:
        if request.param == "embedded":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            folder.chmod(0o711)
            url = stack.enter_context(embedded(folder, durable=False))
        else:
            url = await empty_database(database_url, "old")
        db = Database(url)
        yield db
        await db.close()


@pytest.mark.parametrize("source", DATABASES, ids=lambda source: source.stem)
async def test_a_database_of_an_earlier_version_goes_on(
    source: Path, empty: Database, tmp_path: Path
) -> None:
    keys, files = Keys(source.with_suffix(".key").read_text()), Folder(tmp_path)

    manifest = await restore(empty, keys, files, source)

    assert await differences(empty) == []
    assert await rows(empty, manifest) == manifest.rows
    await empty.open()
    house = House(
        empty, keys, files, "http://heddle.test", settings=ApiSettings.model_construct(undo_seconds=0)
    )
    async with answering(house) as door, Client(door, empty, "Bo", Role.MANAGER) as bo:
        said = (await bo.ask(TICKETS))["tickets"]
        assert said["totalCount"] == manifest.rows["ticket"]
        assert "kubek" in str(said)
        (url,) = [
            attachment["url"]
            for edge in said["edges"]
            for item in edge["node"]["timeline"]["edges"]
            for attachment in item["node"].get("attachments", [])
        ]
        assert (await bo.http.get(url.replace("http://heddle.test", door))).status_code == 200
        await one_more_mail_is_answered(house, bo)


async def rows(db: Database, manifest: Manifest) -> dict[str, int]:
    async with db.reading() as connection:
        counted: dict[str, int] = {}
        for table in manifest.rows:
            count = select(func.count()).select_from(text(f'"{table}"'))
            counted[table] = await connection.scalar(count) or 0
        return counted


async def one_more_mail_is_answered(house: House, bo: Client) -> None:
    async with house.db.transaction() as session:
        mailbox = (await session.scalars(select(Channel).where(Channel.kind == ChannelKind.EMAIL))).one()
        await receive(
            session, mailbox, a_mail("zofia@example.com", "Are you still there?", sender_name="Zofia")
        )
    (node,) = [
        edge["node"]
        for edge in (await bo.ask(TICKETS))["tickets"]["edges"]
        if "Are you still there?" in str(edge)
    ]
    (identity,) = [one for one in node["contact"]["identities"] if one["channel"] == "EMAIL"]

    sent = await bo.do(
        SEND, ticketId=node["id"], identityId=identity["id"], text="We are.", lastSeenSeq=node["seq"]
    )

    assert sent["userErrors"] == []
    async with house.db.transaction() as session:
        assert await OUTBOX.claim(session, 5) == [], "held after a restore"
        await release(session)
    async with house.db.transaction() as session:
        ((message, lease),) = await OUTBOX.claim(session, 5)
    async with SmtpSink() as sink:
        settings = IntegrationSettings(smtp_url=f"smtp://{sink.host}:{sink.port}")
        await Courier(house.db, house.keys, house.files, settings).carry(message, lease)
        assert (await sink.next_mail()).recipients == ["zofia@example.com"]
