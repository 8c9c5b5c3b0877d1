"""Files in a bucket: S3 as moto plays it, over a real socket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import obstore
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import select

from api.house import House
from domain.actors import Role
from domain.answering import uploads
from domain.answering.uploads import Upload
from domain.certificates import trusted
from domain.db import Database, database_time
from domain.desk import scans
from domain.desk.buckets import Bucket
from domain.desk.files import Files, Folder, StoreDown, preview_of
from domain.desk.messages import Attachment, Message
from domain.desk.scans import Scan
from domain.keys import Keys
from domain.operations import backup
from domain.privacy import retention
from domain.settings import DomainSettings, WrongSetting, load
from domain.ways_in.channels import ChannelKind
from tests.client import Client
from tests.conftest import empty_database
from tests.doors import answering
from tests.factories import a_channel, a_mail, a_promise, receive

START = """mutation($input: FileUploadStartInput!) { fileUploadStart(input: $input) {
  upload { attachmentId method url headers { name value } expiresAt } userErrors { code field } } }"""
FINISH = """mutation($input: FileUploadFinishInput!) { fileUploadFinish(input: $input) {
  file { id name mime bytes } userErrors { code field message } } }"""
ATTACHED = """{ tickets(first: 1) { edges { node { id seq replyChannels { id } timeline(first: 5, kinds: [MESSAGE]) { edges { node {
  ... on Message { attachments { name url thumbUrl } } } } } } } } }"""
SEND = """mutation($input: MessageSendInput!) { messageSend(input: $input) {
  message { attachments { name mime } } userErrors { code } } }"""
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


@pytest.fixture(scope="module")
def s3() -> Any:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
async def bucket(s3: str) -> Bucket:
    async with httpx.AsyncClient(verify=trusted()) as client:
        await client.post(f"{s3}/moto-api/reset")
        (await client.put(f"{s3}/shop")).raise_for_status()
    settings = DomainSettings.model_construct(
        files_url="s3://shop/heddle", files_endpoint=s3, files_key_id="id", files_secret="secret", files_public_endpoint=None
    )  # fmt: skip
    return Bucket(settings)


@dataclass
class Shop:
    """Ben, at a Heddle whose files lie in a folder or in a bucket."""

    house: House
    ben: Client

    async def sends(self, method: str, url: str, **sent: Any) -> httpx.Response:
        """As a browser does: to our door, or to the bucket's."""
        url = url.removeprefix(self.house.base_url)
        async with httpx.AsyncClient(
            base_url=self.ben.address, follow_redirects=True, verify=trusted()
        ) as browser:
            return await browser.request(method, url, **sent)

    async def started(self, content: bytes = PNG, **said: Any) -> dict[str, Any]:
        asked = {"name": "../photo ą.png", "mime": "text/html", "bytes": len(content), **said}
        done = await self.ben.do(START, **asked)
        assert done["userErrors"] == []
        return dict(done["upload"])

    async def lays(self, upload: dict[str, Any], content: bytes = PNG) -> httpx.Response:
        headers = {one["name"]: one["value"] for one in upload["headers"]}
        return await self.sends(upload["method"], upload["url"], content=content, headers=headers)

    async def kept(self) -> set[str]:
        """All keys there are."""
        listed = obstore.list(self.house.files._store)
        return {one["path"] for page in listed for one in page}


@pytest.fixture(params=["folder", "bucket"])
async def shop(house: House, bucket: Bucket, request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    files: Files = bucket if request.param == "bucket" else house.files
    there = replace(house, files=files)
    async with answering(there) as address, Client(address, there.db, "Ben", Role.AGENT) as ben:
        yield Shop(there, ben)


async def ada_wrote(shop: Shop, **files: bytes) -> dict[str, Any]:
    """What an answer to her names."""
    async with shop.house.db.transaction() as session:
        await a_promise(session)
        mailbox = await a_channel(session, shop.house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org"))
        (message,) = await session.scalars(select(Message))
        for name, content in files.items():
            file = await shop.house.files.put(content)
            await scans.ask(session, shop.house.files, [file])
            session.add(
                Attachment(
                    item_id=message.id, name=f"{name}.html", mime="text/html", bytes=len(content), file=file
                )
            )
    (edge,) = (await shop.ben.ask(ATTACHED))["tickets"]["edges"]
    return {
        "ticketId": edge["node"]["id"],
        "identityId": edge["node"]["replyChannels"][0]["id"],
        "text": "Here you are.",
        "lastSeenSeq": edge["node"]["seq"],
        "force": True,
    }


async def test_a_file_goes_up_by_a_link_and_along_with_an_answer(shop: Shop) -> None:
    answer, upload = await ada_wrote(shop), await shop.started()

    early = await shop.ben.refused(SEND, **answer, attachmentIds=[upload["attachmentId"]])
    laid = await shop.lays(upload)
    still_early = await shop.ben.refused(SEND, **answer, attachmentIds=[upload["attachmentId"]])
    done = await shop.ben.do(FINISH, id=upload["attachmentId"])
    again = await shop.ben.do(FINISH, id=upload["attachmentId"])
    sent = await shop.ben.do(SEND, **answer, attachmentIds=[upload["attachmentId"]])

    assert (early, still_early) == (["NOT_FOUND"], ["NOT_FOUND"])
    assert laid.is_success
    assert done["file"] == {
        "id": upload["attachmentId"], "name": "photo ą.png", "mime": "image/png", "bytes": len(PNG),
    }  # fmt: skip
    assert again == done
    assert sent["message"]["attachments"] == [{"name": "photo ą.png", "mime": "image/png"}]


async def test_nobody_changes_by_a_link_what_was_finished(shop: Shop) -> None:
    upload = await shop.started(clientMutationId="photo")
    await shop.lays(upload, b"x" * len(PNG))
    await shop.lays(upload)
    await shop.ben.do(FINISH, id=upload["attachmentId"])

    await shop.lays(upload, b"x" * len(PNG))
    await shop.lays(await shop.started(clientMutationId="photo"), b"x" * len(PNG))

    async with shop.house.db.transaction() as session:
        (kept,) = await session.scalars(select(Upload))
        assert (await session.scalars(select(Scan.file))).all() == [kept.file]
    assert await shop.house.files.get(kept.file) == PNG


async def test_what_has_not_come_or_not_all_of_it_is_not_finished(shop: Shop) -> None:
    nothing = await shop.started()
    short = await shop.started()
    laid = await shop.lays(short, PNG[:-1]) if isinstance(shop.house.files, Folder) else None
    too_large = await shop.ben.refused(START, name="x", mime="a/b", bytes=uploads.LARGEST + 1)

    for upload in (nothing, short):
        assert await shop.ben.refused(FINISH, id=upload["attachmentId"]) == ["UPLOAD_NOT_WHOLE"]
    assert too_large == ["INVALID"]
    assert laid is None or laid.status_code == 400
    assert await shop.kept() == set()


async def test_what_is_not_sent_in_a_day_goes(shop: Shop) -> None:
    finished, laid = await shop.started(), await shop.started()
    for upload in (finished, laid):
        await shop.lays(upload)
    await shop.ben.do(FINISH, id=finished["attachmentId"])
    assert len(await shop.kept()) == 2

    async with shop.house.db.transaction() as session:
        later = await database_time(session) + timedelta(days=2)
        assert await uploads.sweep(session, shop.house.files, at=later) == 2

    assert await shop.kept() == set()
    async with shop.house.db.transaction() as session:
        assert (await session.scalars(select(Scan))).all() == []


async def test_a_link_leads_to_the_bytes_wherever_they_lie_and_only_for_a_while(shop: Shop) -> None:
    await ada_wrote(shop, page=b"<script>alert(1)</script>")
    (edge,) = (await shop.ben.ask(ATTACHED))["tickets"]["edges"]
    (message,) = edge["node"]["timeline"]["edges"]
    (page,) = message["node"]["attachments"]

    got = await shop.sends("GET", page["url"])
    first = await shop.ben.http.get(page["url"].removeprefix(shop.house.base_url))

    assert got.content == b"<script>alert(1)</script>"
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''page.html"
    if isinstance(shop.house.files, Bucket):
        query = parse_qs(urlsplit(first.headers["location"]).query)
        assert (first.status_code, query["X-Amz-Expires"]) == (302, ["60"])
        assert first.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("shop", ["bucket"], indirect=True)
async def test_backups_and_retention_reach_the_files_wherever_they_lie(
    shop: Shop, keys: Keys, database_url: str, tmp_path: Path
) -> None:
    await ada_wrote(shop, page=b"Ada's page")
    there = Database(await empty_database(database_url, "elsewhere"))
    folder = Folder(tmp_path / "files")

    made = await backup.back_up(shop.house.db, keys, shop.house.files, tmp_path / "backup.zip")
    await backup.restore(there, keys, folder, tmp_path / "backup.zip")
    async with shop.house.db.transaction() as session:
        (attachment,) = await session.scalars(select(Attachment))
        await shop.house.files.keep(preview_of(str(attachment.file)), b"preview")
        file = str(attachment.file)
        await retention._empty_attachments(session, shop.house.files, [attachment.item_id])

    assert made.files == 1
    assert await folder.get(file) == b"Ada's page"
    assert await shop.kept() == set()
    await there.close()


async def test_a_bucket_that_does_not_answer_is_tried_again(bucket: Bucket) -> None:
    nowhere = DomainSettings.model_construct(
        files_url="s3://shop", files_endpoint="http://127.0.0.1:1", files_public_endpoint=None,
        files_key_id="id", files_secret="secret",
    )  # fmt: skip

    with pytest.raises(StoreDown):  # an OSError: whoever works tries later
        await Bucket(nowhere).get("ab/cd")
    with pytest.raises(FileNotFoundError):
        await bucket.get("ab/cd")


async def test_large_files_come_in_pieces(bucket: Bucket) -> None:
    async with bucket.writing("ab/large") as out:
        for number in range(12):
            out.write(bytes([number]) * (1 << 20))
    with pytest.raises(RuntimeError):
        async with bucket.writing("ab/cut"):
            raise RuntimeError

    read = [part async for part in bucket.parts("ab/large")]

    assert sum(map(len, read)) == 12 << 20
    assert b"".join(read)[:: 1 << 20] == bytes(range(12))
    assert not await bucket.has("ab/cut")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"FILES_URL": "https://bucket"}, "HEDDLE_FILES_URL is wrong: should be s3://bucket or s3://bucket/folder."),
        ({"FILES_ENDPOINT": "minio:9000"}, "HEDDLE_FILES_ENDPOINT is wrong: should begin with http:// or https://."),
        (
            {"FILES_URL": "s3://bucket"},
            "HEDDLE_FILES_URL needs HEDDLE_FILES_KEY_ID and HEDDLE_FILES_SECRET.",
        ),
    ],
)  # fmt: skip
def test_a_wrong_setting_says_what_it_should_be(
    no_settings: None, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"HEDDLE_{name}", value)

    with pytest.raises(WrongSetting, match="^" + said.replace(".", r"\.") + "$"):
        load(DomainSettings)
