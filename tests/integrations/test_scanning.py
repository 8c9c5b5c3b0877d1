"""Files are looked through before anybody gets them: by a real scanner where there is one, and by one in all moods."""

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import func, select, update

from api.house import House
from demo.farends import ClamdStandIn, SmtpSink
from domain.audit import AuditEntry, AuditKind
from domain.db import database_time
from domain.desk import scans
from domain.desk.messages import OUTBOX, Attachment, DeliveryState, Message
from domain.desk.scans import SCANS, Scan
from domain.events import Event, EventKind
from domain.ways_in.channels import ChannelKind
from domain.work import TryLater
from integrations.courier import Courier
from integrations.mail.sending.connections import Relays
from integrations.scanning.clamd import ScannerDown, TooLarge, look_through, version
from integrations.scanning.scanner import Scanner
from integrations.settings import IntegrationSettings
from tests.clamd import EICAR, clamd, with_clamd
from tests.client import Client
from tests.factories import a_channel
from tests.integrations.opening import open_all

FILES = """{ tickets(first: 1) { edges { node { id seq replyChannels { id } timeline(first: 5, kinds: [MESSAGE]) { edges { node {
  ... on Message { attachments { id name scan infection url thumbUrl } } } } } } } } }"""
SEND = """mutation($input: MessageSendInput!) { messageSend(input: $input) {
  message { id attachments { scan } } userErrors { code message } } }"""
OPEN = """mutation($input: InfectedFileOpenInput!) { infectedFileOpen(input: $input) { url userErrors { code field } } }"""
PHOTO = b"\x89PNG\r\n\x1a\n" + b"0" * 100


async def pieces(content: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), size):
        yield content[begin : begin + size]


@pytest.fixture
async def scanner() -> AsyncIterator[ClamdStandIn]:
    async with ClamdStandIn(infected=EICAR) as stand_in:
        yield stand_in


@pytest.fixture
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("clamd")
    with clamd(folder) as address:
        yield address


async def a_mail_with(house: House, **files: bytes) -> None:
    """From Ada."""
    from domain.arriving.inbound import keep

    mail = EmailMessage()
    mail["From"], mail["To"], mail["Message-ID"] = "ada@example.org", "help@shop.example", "<1@example.org>"
    mail.set_content("Look")
    for name, content in files.items():
        mail.add_attachment(content, maintype="image", subtype="png", filename=f"{name}.png")
    house.files.scanned = True
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await keep(session, mailbox, external_id="1", raw=mail.as_bytes())
    await open_all(house)


async def looked_through(house: House, url: str, *, required: bool = True) -> list[str]:
    """Whatever waits, once. What was put off, and why."""
    at_work, put_off = Scanner(house.db, house.files, url, required=required), []
    async with house.db.transaction() as session:
        await session.execute(update(Scan).where(Scan.due_at.is_not(None)).values(due_at=func.now()))
    async with house.db.transaction() as session:
        claimed = await SCANS.claim(session, 10)
    for scan, lease in claimed:
        try:
            await at_work.scan(scan, lease)
        except TryLater as later:
            put_off.append(str(later))
            async with house.db.transaction() as session:
                await lease.retry(session, after=1, error=str(later))
    return put_off


async def shown(client: Client) -> dict[str, dict[str, Any]]:
    (edge,) = (await client.ask(FILES))["tickets"]["edges"]
    (message, *_) = edge["node"]["timeline"]["edges"]
    return {one["name"]: one for one in message["node"]["attachments"]}


async def fetched(client: Client, url: str) -> httpx.Response:
    parts = urlsplit(url)
    return await client.http.get(f"{parts.path}?{parts.query}")


@with_clamd
async def test_a_real_scanner_tells_clean_from_infected(real: str) -> None:
    assert (await version(real)).startswith("ClamAV")
    assert await look_through(real, pieces(b"")) is None
    assert await look_through(real, pieces(PHOTO * 1000)) is None
    assert await look_through(real, pieces(b"x" * 20_000 + EICAR)) == "Eicar-Test.UNOFFICIAL"
    with pytest.raises(TooLarge):
        await look_through(real, pieces(b"x" * 3_000_000))


@pytest.mark.parametrize("fault", ["nonsense", "reset"])
async def test_a_scanner_that_answers_anything_else_has_found_nothing_out(
    scanner: ClamdStandIn, fault: Any
) -> None:
    scanner.misbehave(fault)

    with pytest.raises(ScannerDown):
        await look_through(scanner.url, pieces(b"hello"))
    with pytest.raises(ScannerDown):
        await look_through("tcp://127.0.0.1:1", pieces(b"hello"))


async def test_what_came_waits_until_it_is_found_clean(
    house: House, ben: Client, admin: Client, scanner: ClamdStandIn
) -> None:
    await a_mail_with(house, photo=PHOTO, virus=b"MZ" + EICAR)
    waiting = await shown(ben)

    await looked_through(house, scanner.url)
    files = await shown(ben)

    assert {
        name: (one["scan"], one["url"], one["thumbUrl"]) for name, one in waiting.items()
    } == dict.fromkeys(("photo.png", "virus.png"), ("WAITING", None, None))
    photo, virus = files["photo.png"], files["virus.png"]
    assert (photo["scan"], photo["infection"]) == ("CLEAN", None)
    assert (await fetched(ben, photo["url"])).content == PHOTO
    assert (virus["scan"], virus["infection"], virus["url"]) == ("INFECTED", "Eicar-Test-Signature", None)
    assert sorted(scanner.seen) == sorted([PHOTO, b"MZ" + EICAR])
    async with house.db.transaction() as session:
        told = await session.scalars(select(Event.data).where(Event.kind == EventKind.ATTACHMENT_SCANNED))
        assert sorted(data["infected"] for data in told) == [False, True]

    refused = await ben.refused(OPEN, id=virus["id"], confirm="virus.png")
    unsure = await admin.refused(OPEN, id=virus["id"], confirm="yes")
    clean = await admin.refused(OPEN, id=photo["id"], confirm="photo.png")
    opened = await admin.do(OPEN, id=virus["id"], confirm="virus.png")
    saved = await fetched(admin, opened["url"])

    assert (refused, unsure, clean) == (["NOT_ALLOWED"], ["INVALID"], ["NOT_FOUND"])
    assert saved.content == b"MZ" + EICAR
    assert saved.headers["content-type"] == "application/octet-stream"
    assert "virus.png.infected" in saved.headers["content-disposition"]
    as_if_clean = opened["url"].replace("/infected", "")
    assert (await fetched(admin, as_if_clean)).status_code == 404
    async with house.db.transaction() as session:
        kinds = (await session.scalars(select(AuditEntry.kind))).all()
        assert kinds.count(AuditKind.INFECTED_OPENED) == 1


async def test_an_old_link_to_a_file_that_turns_out_infected_leads_nowhere(
    house: House, ben: Client, scanner: ClamdStandIn
) -> None:
    await a_mail_with(house, photo=PHOTO)
    await looked_through(house, scanner.url)
    photo = (await shown(ben))["photo.png"]
    async with house.db.transaction() as session:
        await session.execute(update(Scan).values(infection="Found later"))

    assert (await fetched(ben, photo["url"])).status_code == 403
    assert (await fetched(ben, photo["thumbUrl"])).status_code == 403


@pytest.mark.parametrize(
    ("required", "state"), [pytest.param(True, "WAITING"), pytest.param(False, "UNSCANNED")]
)
async def test_while_the_scanner_is_down_files_wait_unless_they_need_not(
    house: House, ben: Client, scanner: ClamdStandIn, required: bool, state: str
) -> None:
    await a_mail_with(house, photo=PHOTO)

    put_off = await looked_through(house, "tcp://127.0.0.1:1", required=required)
    down = (await shown(ben))["photo.png"]
    await looked_through(house, scanner.url, required=required)
    up = (await shown(ben))["photo.png"]

    assert len(put_off) == 1
    assert (down["scan"], down["url"] is None) == (state, required)
    assert (up["scan"], up["url"] is None) == ("CLEAN", False)


async def test_a_file_that_is_too_large_for_the_scanner_is_not_asked_for_again(
    house: House, ben: Client, scanner: ClamdStandIn
) -> None:
    await a_mail_with(house, photo=PHOTO)
    scanner.misbehave("too_large")

    put_off = await looked_through(house, scanner.url)

    photo = (await shown(ben))["photo.png"]
    assert (put_off, photo["scan"], photo["url"]) == ([], "UNSCANNED", None)
    async with house.db.transaction() as session:
        assert (await session.scalars(select(Scan.due_at))).all() == [None]


@pytest.mark.parametrize(
    ("required", "state"), [pytest.param(True, "WAITING"), pytest.param(False, "UNSCANNED")]
)
async def test_a_scanner_that_hangs_is_one_that_is_down(
    house: House,
    ben: Client,
    scanner: ClamdStandIn,
    monkeypatch: pytest.MonkeyPatch,
    required: bool,
    state: str,
) -> None:
    monkeypatch.setattr("integrations.scanning.clamd.LOOKING", 0.3)
    await a_mail_with(house, photo=PHOTO)
    scanner.misbehave("hang")

    put_off = await looked_through(house, scanner.url, required=required)
    hanging = (await shown(ben))["photo.png"]
    await looked_through(house, scanner.url, required=required)

    assert put_off == ["it does not answer (in time)"]
    assert (hanging["scan"], hanging["url"] is None) == (state, required)
    assert (await shown(ben))["photo.png"]["scan"] == "CLEAN"


async def test_a_scanner_whose_machine_goes_is_down_and_a_file_that_goes_is_not(
    scanner: ClamdStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone() -> AsyncIterator[bytes]:
        yield b"hello"
        raise FileNotFoundError("the file")

    async def never(*_: Any) -> bytes:
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    with pytest.raises(FileNotFoundError):
        await look_through(scanner.url, gone())
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_recv", never)
    with pytest.raises(ScannerDown):
        await look_through(scanner.url, pieces(b"hello"))


async def test_what_we_send_waits_too_and_an_infected_file_never_leaves(
    house: House, ben: Client, scanner: ClamdStandIn
) -> None:
    await a_mail_with(house, photo=PHOTO)
    (edge,) = (await ben.ask(FILES))["tickets"]["edges"]
    answer = {
        "ticketId": edge["node"]["id"],
        "identityId": edge["node"]["replyChannels"][0]["id"],
        "text": "Here you are.",
        "lastSeenSeq": edge["node"]["seq"],
        "force": True,
    }

    async def uploaded(content: bytes) -> str:
        headers = {"authorization": f"Bearer {ben.token}"}
        kept = await ben.http.post("/files", params={"name": "a.bin"}, content=content, headers=headers)
        return str(kept.json()["id"])

    infected = await uploaded(EICAR)
    quick = (await ben.do(SEND, **answer, attachmentIds=[await uploaded(b"clean")]))["message"]
    unlucky = (await ben.do(SEND, **answer, attachmentIds=[await uploaded(b"MZ" + EICAR)]))["message"]
    async with SmtpSink() as sink:
        with pytest.raises(TryLater):
            await carried(house, sink)
        await looked_through(house, scanner.url)
        await carried(house, sink)
        await carried(house, sink)
        mail = await sink.next_mail()

    assert quick["attachments"] == [{"scan": "WAITING"}]
    assert [part.get_payload(decode=True) for part in mail.message.iter_attachments()] == [b"clean"]
    assert len(sink.mails) == 1
    assert await ben.refused(SEND, **answer, attachmentIds=[infected]) == ["FILE_INFECTED"]
    async with house.db.transaction() as session:
        failed = select(Message).where(Message.delivery == DeliveryState.FAILED)
        (message,) = await session.scalars(failed)
    assert message.particulars == {"problem": "file_unsafe"}
    assert unlucky["id"]


async def carried(house: House, sink: SmtpSink) -> None:
    async with house.db.transaction() as session:
        now = await database_time(session)
        await session.execute(update(Message).where(Message.due_at.is_not(None)).values(due_at=now))
    async with house.db.transaction() as session:
        ((message, lease), *_) = await OUTBOX.claim(session, 1)
    async with Relays() as relays:
        settings = IntegrationSettings(smtp_url=f"smtp://{sink.host}:{sink.port}")
        await Courier(house.db, house.keys, house.files, settings, relays).carry(message, lease)


async def test_when_a_scanner_is_set_up_it_looks_through_what_is_here_already(
    house: House, ben: Client, scanner: ClamdStandIn
) -> None:
    await a_mail_with(house, photo=PHOTO)
    async with house.db.transaction() as session:
        await scans.begin(session, scanned=False)
    off = (await shown(ben))["photo.png"]
    async with house.db.transaction() as session:
        await scans.begin(session, scanned=True)
    on = (await shown(ben))["photo.png"]
    await looked_through(house, scanner.url)

    assert (off["scan"], on["scan"]) == ("UNSCANNED", "UNSCANNED")
    assert off["url"]
    assert on["url"]
    assert (await shown(ben))["photo.png"]["scan"] == "CLEAN"


async def test_a_file_that_went_is_not_waited_for(house: House, scanner: ClamdStandIn) -> None:
    await a_mail_with(house, photo=PHOTO)
    async with house.db.transaction() as session:
        await house.files.delete(str((await session.scalars(select(Attachment.file))).one()))

    assert await looked_through(house, scanner.url) == []

    async with house.db.transaction() as session:
        assert (await session.scalars(select(Scan))).all() == []
