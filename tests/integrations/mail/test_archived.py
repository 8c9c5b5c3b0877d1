"""An older mailbox is brought along: its mails are history, and nobody is woken by them."""

import mailbox
from collections import Counter
from collections.abc import AsyncIterator
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime
from pathlib import Path

import pytest
from imapclient import IMAPClient
from sqlalchemy import func, select

from api.commands.import_commands import _local
from api.house import House
from domain import webhooks
from domain.alerting.alerts import Alert
from domain.alerting.notices import Notice
from domain.arriving.acknowledging import Acknowledgement
from domain.customers.contacts import Identity, Proof
from domain.desk.messages import OUTBOX, Attachment, Direction, Message
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import Event
from domain.importing.mails import HERE
from domain.sla.clocks import Clock
from domain.ways_in.channels import Channel, ChannelKind
from domain.webhooks import Post, add_webhook
from integrations.mail.archived import Archivist, Found, in_files, on_server
from integrations.mail.mailbox import Mailbox
from tests.doors import stored_in
from tests.dovecot import PASSWORD, Dovecot, dovecot, with_dovecot
from tests.factories import NOON, a_channel, a_promise, messages
from tests.integrations.mailing import ADA, HELP, ZOFIA, Mailing, written

DATES = {"asked": NOON.replace(year=2024), "answered": NOON.replace(year=2024, hour=15)}
ASKED = written(
    ADA, "Gdzie jest moja paczka 1043?", id="asked", verified=False, Date=format_datetime(DATES["asked"])
)
ANSWERED = written(
    f"Ben <{HELP}>", "Already on its way.", To=ADA, id="answered", verified=False,
    In_Reply_To="<asked@mail.example>", Date=format_datetime(DATES["answered"]),
)  # fmt: skip
OTHER = written(
    ZOFIA, "Quiero devolver unos zapatos.", id="other", verified=False, Date="Sat, 6 Apr 2024 10:00:00 +0200"
)
WITHIN = written(f"Bo <{HELP}>", "Who takes this?", To=HELP, id="within", verified=False)


@pytest.fixture
async def box(house: House) -> Channel:
    async with house.db.transaction() as session:
        await a_promise(session)
        await add_webhook(session, house.keys, url="https://till.example/", description="", kinds=[], at=NOON)
        return await a_channel(session, house.keys, ChannelKind.EMAIL)


async def _brought(
    house: House, box: Channel, found: AsyncIterator[Found], *, dry_run: bool = False
) -> Counter[str]:
    archivist = Archivist(house.db, house.files, box)
    return Counter([await archivist.bring(one, dry_run=dry_run) or "brought" async for one in found])


def _mbox(folder: Path, *mails: bytes) -> Path:
    path = folder / "old.mbox"
    box = mailbox.mbox(path)
    for mail in mails:
        box.add(mail)
    box.close()
    return path


async def test_a_conversation_becomes_one_closed_ticket_with_its_own_dates(
    house: House, box: Channel, tmp_path: Path
) -> None:
    told = await _brought(house, box, _local(_mbox(tmp_path, ANSWERED, OTHER, ASKED)))

    assert told == {"brought": 3}
    async with house.db.transaction() as session:
        hers, other = await session.scalars(select(Ticket).order_by(Ticket.created_at))
        assert {hers.status, other.status} == {TicketStatus.CLOSED}
        assert (hers.created_at, hers.solved_at) == (DATES["asked"], DATES["answered"])
        asked, answered = await messages(session, hers)
        assert (asked.direction, asked.author, asked.at) == (Direction.IN, "Ada", DATES["asked"])
        assert (answered.direction, answered.author) == (Direction.OUT, "Ben")
        assert not asked.sender_verified


async def test_nobody_is_woken(house: House, box: Channel, tmp_path: Path) -> None:
    await _brought(house, box, _local(_mbox(tmp_path, ASKED, ANSWERED, OTHER)))

    async with house.db.transaction() as session:
        for model in (Clock, Alert, Notice, Acknowledgement):
            assert await session.scalar(select(func.count()).select_from(model)) == 0
        assert await OUTBOX.claim(session, 10) == []
        for event in (await session.scalars(select(Event))).all():
            await webhooks.tell(session, event)
        await session.flush()
        kinds = set(await session.scalars(select(Post.kind)))
    assert kinds == {"channel_changed", "contact_opened", "identity_linked"}


async def test_what_was_brought_along_before_is_left_out(house: House, box: Channel, tmp_path: Path) -> None:
    await _brought(house, box, _local(_mbox(tmp_path, ASKED)))
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "1.eml").write_bytes(ASKED)
    (folder / "2.eml").write_bytes(OTHER)
    (folder / "3.eml").write_bytes(WITHIN)

    told = await _brought(house, box, _local(folder))

    assert told == {HERE: 1, "brought": 1, "it is not from or to a customer": 1}


async def test_a_maildir_is_brought_along_with_its_files_which_are_kept_once(
    house: House, box: Channel, tmp_path: Path
) -> None:
    photo = MIMEMultipart()
    photo["From"], photo["Message-ID"] = ADA, "<asked@mail.example>"
    photo.attach(MIMEText("Gdzie jest moja paczka?"))
    photo.attach(MIMEImage(b"a picture", "png", name="mug.png"))
    letters = mailbox.Maildir(tmp_path / "old")
    for mail in (photo.as_bytes(), ANSWERED):
        letters.add(mail)

    told = [await _brought(house, box, _local(tmp_path / "old")) for _ in range(2)]

    assert told == [{"brought": 2}, {HERE: 2}]
    async with house.db.transaction() as session:
        (file,) = await session.scalars(select(Attachment.file))
    assert await house.files.get(file or "") == b"a picture"
    assert [one.name for one in stored_in(house).rglob("*") if one.is_file()] == [Path(file or "").name]


async def test_what_somebody_took_up_again_is_left_alone(house: House, box: Channel, tmp_path: Path) -> None:
    await _brought(house, box, _local(_mbox(tmp_path, ASKED)))
    async with house.db.transaction() as session:
        (taken_up,) = await session.scalars(select(Ticket))
        taken_up.status, taken_up.solved_at = TicketStatus.OPEN, None

    await _brought(house, box, _local(_mbox(tmp_path, ANSWERED)))

    async with house.db.transaction() as session:
        old, new = await session.scalars(select(Ticket).order_by(Ticket.created_at))
        assert (old.status, old.solved_at) == (TicketStatus.OPEN, None)
        assert new.status == TicketStatus.CLOSED


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(in_files(tmp_path / "nowhere"))


async def test_a_dry_run_keeps_nothing(house: House, box: Channel, tmp_path: Path) -> None:
    told = await _brought(house, box, _local(_mbox(tmp_path, ASKED, OTHER)), dry_run=True)

    assert told == {"brought": 2}
    async with house.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Message)) == 0


async def test_an_answer_of_today_opens_a_ticket_of_today(mailing: Mailing, tmp_path: Path) -> None:
    house = mailing.house
    async with house.db.transaction() as session:
        box = (await session.scalars(select(Channel).where(Channel.address == HELP))).one()
    await _brought(house, box, _local(_mbox(tmp_path, ASKED, ANSWERED)))

    await mailing.comes(ADA, "And where is it now?", In_Reply_To="<answered@mail.example>")

    async with house.db.transaction() as session:
        old, new = await session.scalars(select(Ticket).order_by(Ticket.created_at))
        assert (old.status, new.status) == (TicketStatus.CLOSED, TicketStatus.NEW)
        assert len(await messages(session, old)) == 2


async def test_the_history_is_that_of_the_contact_who_has_the_address(
    mailing: Mailing, tmp_path: Path
) -> None:
    house = mailing.house
    await mailing.comes(ADA, "Where is my parcel?")
    async with house.db.transaction() as session:
        box = (await session.scalars(select(Channel).where(Channel.address == HELP))).one()

    await _brought(house, box, _local(_mbox(tmp_path, ASKED)))

    async with house.db.transaction() as session:
        assert len(set(await session.scalars(select(Ticket.contact_id)))) == 1
        proofs = set(await session.scalars(select(Identity.verified_by)))
    assert proofs == {Proof.MAIL_AUTHENTICATED}


@with_dovecot
async def test_a_folder_of_the_mailboxs_server_is_brought_along(house: House) -> None:
    async with dovecot() as server:
        _put(server, "Archive", ASKED, ANSWERED)
        async with house.db.transaction() as session:
            box = await a_channel(
                session,
                house.keys,
                ChannelKind.EMAIL,
                imap_url=server.url,
                imap_user="help",
                imap_password=PASSWORD,
            )

        told = await _brought(house, box, on_server(Mailbox.of(box, house.keys), "Archive"))

    assert told == {"brought": 2}
    async with house.db.transaction() as session:
        assert (await session.scalars(select(Ticket.status))).all() == [TicketStatus.CLOSED]


def _put(server: Dovecot, folder: str, *mails: bytes) -> None:
    host, port = server.url.removeprefix("imap://").split(":")
    with IMAPClient(host, int(port), ssl=False) as client:
        client.login("help", PASSWORD)
        client.create_folder(folder)
        for mail in mails:
            client.append(folder, mail)
