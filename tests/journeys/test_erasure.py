"""A person is erased: a word planted wherever something of theirs lies, through the real doors, is found nowhere afterwards,
and every number is what it was."""

import asyncio
import io
import json
import secrets
import sys
import time
import tracemalloc
import uuid
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import jwt
import orjson
import pytest
from sqlalchemy import func, select, text, update
from websockets.asyncio.client import connect

from api.house import House
from demo.farends import GraphStandIn, messenger_events
from domain import webhooks
from domain.actors import Role
from domain.agents import system_mail
from domain.agents.staff import Agent
from domain.agents.system_mail import SystemMail
from domain.alerting.alerts import Alert, AlertKind
from domain.alerting.devices import Transport
from domain.alerting.firing import Cause, fire
from domain.alerting.notices import Delivery, DeliveryStage, Notice
from domain.arriving import intake
from domain.arriving.inbound import ARRIVALS, Arrival, ArrivalState, keep
from domain.audit import AuditEntry, AuditKind
from domain.complaints.complaints import Complaint
from domain.customers.contacts import Contact, Identity
from domain.db import Base, Database, database_time, new_id
from domain.desk.messages import OUTBOX, Attachment, Item
from domain.desk.tasks import Task
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.errors import NotAllowed
from domain.events import Event
from domain.feedback import surveys
from domain.feedback.requests import AnsweredBy, SurveyRequest
from domain.feedback.scales import SurveyKind
from domain.feedback.surveys import Choice
from domain.ids import public_id, row_id
from domain.privacy import dossier, erasure, retention, sealing
from domain.privacy.erasure import ERASURES, Erasure, SealedPart
from domain.privacy.exporting import Exporter
from domain.privacy.exports import EXPORTS, ContactExport, discard_old
from domain.privacy.sealing import Sealer
from domain.privacy.unsealing import Destroyed, unseal
from domain.sla.clocks import Clock
from domain.ways_in.channels import Channel, ChannelKind
from domain.webhooks import Attempt, Post, add_webhook
from integrations.mail.addresses import reply_address
from integrations.mail.receiving.smtp_in import listen
from integrations.mailroom import Mailroom
from integrations.signatures import phone_signature
from tests.client import Client
from tests.doors import stored_in
from tests.factories import NOON, SETTINGS, a_channel, a_mail, a_promise
from tests.working_off import worked_off

ADA = "Ada.Canary@example.org"
NUMBER = "600777888"
CANARIES = ("canary", NUMBER)
PHOTO = b"\x89PNG the bytes of the canary's photo" * 5000
HELP = SETTINGS[ChannelKind.EMAIL]["address"]
PAGE = SETTINGS[ChannelKind.MESSENGER]
WIDGET = SETTINGS[ChannelKind.CHAT]

ASK = """mutation($input: ContactEraseInput!) { contactErase(input: $input) {
  erasure { id state taken { what count } confirmedBy { name } } userErrors { code field } } }"""
PLAN = """query($id: ID!) { erasurePlan(contactId: $id) {
  openTickets sealedDays storedBytes taken { what count text } kept { what count text } } }"""
ERASURES_ASKED = "{ erasures { id state contactId askedBy { name } destroyAt } }"
EXPORT = """mutation($input: ContactExportInput!) { contactExport(input: $input) {
  export { id state url } userErrors { code } } }"""
EXPORTED = "query($id: ID!) { contactExports(contactId: $id) { id state url bytes } }"
CONTACT = "query($id: ID!) { contact(id: $id) { name erasedAt identities { label } timeline { edges { node { __typename } } } } }"
LINK = "mutation($input: IdentityLinkInput!) { identityLink(input: $input) { contact { id } userErrors { code } } }"
MESSENGER_LINK = (
    "mutation($input: MessengerLinkInput!) { messengerLink(input: $input) { url userErrors { code } } }"
)
NOTE = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { code } } }"
TASK = "mutation($input: TaskSaveInput!) { taskSave(input: $input) { userErrors { code } } }"
COMPLAIN = "mutation($input: ComplaintOpenInput!) { complaintOpen(input: $input) { complaint { id } userErrors { code } } }"
NEXT_STEP = (
    "mutation($input: ComplaintUpdateInput!) { complaintUpdate(input: $input) { userErrors { code } } }"
)
DECIDE = (
    "mutation($input: ComplaintAdvanceInput!) { complaintAdvance(input: $input) { userErrors { code } } }"
)
SEND = "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { id } userErrors { code message } } }"
UPDATE = "mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) { userErrors { code } } }"
FIELD = "mutation($input: TicketFieldSaveInput!) { ticketFieldSave(input: $input) { ticketField { id } userErrors { code } } }"
DRAFT = "mutation($input: DraftSaveInput!) { draftSave(input: $input) { ok userErrors { code } } }"
SNOOZE = "mutation($input: AlertSnoozeInput!) { alertSnooze(input: $input) { userErrors { code } } }"


@dataclass
class Shop:
    house: House
    door: str
    smtp: dict[str, Any]
    mia: Client
    admin: Client
    contact_id: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def contact(self) -> str:
        return public_id("Contact", self.contact_id)


@pytest.fixture
async def shop(house: House, door: str, mia: Client, admin: Client) -> AsyncIterator[Shop]:
    async with AsyncExitStack() as stack:
        async with house.db.transaction() as session:
            for kind in (ChannelKind.EMAIL, ChannelKind.CHAT, ChannelKind.MESSENGER, ChannelKind.PHONE):
                await a_channel(session, house.keys, kind)
            await a_promise(session, 60)
        server = await listen(house.db, house.keys, host="127.0.0.1", port=0, hostname="heddle.test")
        await stack.enter_async_context(server)
        host, port = server.sockets[0].getsockname()
        yield Shop(house, door, {"hostname": host, "port": port, "start_tls": False}, mia, admin)


async def opened(shop: Shop) -> None:
    await worked_off(shop.house, ARRIVALS, Mailroom(shop.house.db, shop.house.keys, shop.house.files).open)


async def mails(
    shop: Shop, text: str, *, sender: str = ADA, to: str = HELP, name: str = "Ada Canary"
) -> None:
    mail = EmailMessage()
    mail["Authentication-Results"] = f"mx.shop.example; dmarc=pass header.from={sender.partition('@')[2]}"
    mail["From"], mail["To"], mail["Subject"] = f"{name} <{sender}>", to, f"{text}, in short"
    mail["Message-ID"] = f"<{uuid.uuid4()}@{name.split()[-1].lower()}.example>"
    mail.set_content(text)
    mail.add_alternative(f"<p>{text}</p>", subtype="html")
    photo = PHOTO if sender == ADA else b"another photo"
    mail.add_attachment(photo, maintype="image", subtype="png", filename=f"{name}.png")
    await aiosmtplib.send(mail.as_bytes(), sender=sender, recipients=[to], **shop.smtp)
    await opened(shop)


async def chats(shop: Shop, text: str) -> None:
    """Signed in, so that the chat joins the mails."""
    signed = jwt.encode(
        {
            "sub": "customer-canary", "email": ADA, "email_verified": True, "name": "Ada Canary",
            "aud": "chat", "exp": int(time.time()) + 600,
        },
        WIDGET["identity_key"],
    )  # fmt: skip
    page = {"url": "https://shop.example/canary", "title": "A canary"}
    async with connect(shop.door.replace("http", "ws") + "/chat/chat") as socket:
        await socket.send(orjson.dumps({"type": "hello", "identity": signed}).decode())
        await socket.recv()
        await socket.send(
            orjson.dumps({"type": "message", "id": "m-canary", "text": text, "page": page}).decode()
        )
        await socket.recv()
    await opened(shop)


async def posts(shop: Shop, *events: dict[str, Any]) -> None:
    body, headers = GraphStandIn(PAGE["page_token"], PAGE["app_secret"]).webhook(
        list(events), PAGE["page_id"]
    )
    answer = await shop.mia.http.post("/hooks/messenger/messenger", content=body, headers=headers)
    assert answer.status_code == 200
    await opened(shop)


async def calls(shop: Shop, call_id: str) -> None:
    """The last step does not say whose call it was."""
    steps = (
        {"event": "newCall", "direction": "in", "from": f"48{NUMBER}", "to": "48221234567"},
        {"event": "answer", "user": "mia@shop.example", "from": f"0048{NUMBER}"},
        {"event": "hangup"},
    )
    for step in steps:
        body = orjson.dumps(step | {"call_id": call_id})
        signature = phone_signature(SETTINGS[ChannelKind.PHONE]["key"], body, at=int(time.time()))
        answer = await shop.mia.http.post(
            "/hooks/phone/phone", content=body, headers={"x-signature": signature}
        )
        assert answer.status_code == 200
    await opened(shop)


async def writes_everywhere(shop: Shop, messages: int) -> None:
    """Ada, by every door and then in bulk; and what the shop's people and machines say about her."""
    house, mia = shop.house, shop.mia
    await mails(shop, "Where is my canary?")
    await chats(shop, "Is the canary there?")
    async with house.db.transaction() as session:
        shop.contact_id = (
            await session.scalars(select(Contact.id).where(Contact.name == "Ada Canary"))
        ).one()
    await mia.do(LINK, contactId=shop.contact, channel="PHONE", value=f"+48{NUMBER}")
    await calls(shop, "call-canary")
    await posts(
        shop, messenger_events.text_message("canary-psid", PAGE["page_id"], "Canary?", mid="m_canary1")
    )
    async with house.db.transaction() as session:
        identity = await session.scalar(select(Identity.id).where(Identity.value == "canary-psid"))
    assert identity
    await mia.do(LINK, contactId=shop.contact, identityId=public_id("Identity", identity))
    await posts(
        shop,
        messenger_events.text_message("canary-psid", PAGE["page_id"], "The second canary", mid="m_canary2"),
        messenger_events.text_message("another", PAGE["page_id"], "Not me", mid="m_another"),
    )
    await posts(shop, messenger_events.read("canary-psid", PAGE["page_id"]))
    await aiosmtplib.send(
        b"X-Writer: %s\r\nX-Filler: %s\r\n" % (ADA.encode(), b"a" * 900) * 300 + b"\r\nunreadable",
        sender=ADA, recipients=[HELP], **shop.smtp,
    )  # fmt: skip
    await opened(shop)
    await in_bulk(shop, messages)
    await spoken_of(shop)


async def in_bulk(shop: Shop, messages: int) -> None:
    house = shop.house
    async with house.db.transaction() as session:
        mailbox = (await session.scalars(select(Channel).where(Channel.kind == ChannelKind.EMAIL))).one()
    for first in range(0, messages, 100):
        async with house.db.transaction() as session:
            if first % 500 == 400:  # another matter now and then
                live = Ticket.status.not_in((TicketStatus.CLOSED, TicketStatus.SOLVED))
                closed = {"status": TicketStatus.CLOSED, "solved_at": func.now()}
                await session.execute(update(Ticket).where(live).values(closed))
            for number in range(first, min(first + 100, messages)):
                said = a_mail(
                    ADA.lower(), f"Canary number {number} " + "sings " * 50, sender_name="Ada Canary",
                    external_id=f"<{number}@canary.example>", html=f"<p>canary {number}</p>", at=NOON,
                )  # fmt: skip
                id = await keep(
                    session,
                    mailbox,
                    external_id=f"canary {number}",
                    raw=f"From: {ADA}\n\n{said.text}".encode(),
                )
                assert id
                arrival = await session.get_one(Arrival, id)
                arrival.due_at, arrival.state = None, ArrivalState.PLACED
                await intake.receive(session, mailbox, arrival, said)


async def spoken_of(shop: Shop) -> None:
    house, mia = shop.house, shop.mia
    async with house.db.transaction() as session:
        theirs = select(Ticket).where(Ticket.contact_id == shop.contact_id).order_by(Ticket.number.desc())
        ticket = (await session.scalars(theirs)).first()
        assert ticket
        email = await session.scalar(select(Identity.id).where(Identity.value == ADA.lower()))
        missed = Cause(AlertKind.CALL_MISSED, NOON, ticket_id=ticket.id)
        await fire(session, [missed], now=NOON)
    assert email
    id = public_id("Ticket", ticket.id)
    await mia.do(NOTE, ticketId=id, text="The canary is hers")
    await mia.do(TASK, ticketId=id, title="Call the canary back", description="The canary is shy")
    soon = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    opened = await mia.do(COMPLAIN, ticketId=id, promisedAt=soon, note="The canary is hoarse")
    complaint = opened["complaint"]["id"]
    await mia.do(NEXT_STEP, id=complaint, nextStep="Ask who sold the canary")
    await mia.do(DECIDE, id=complaint, stage="DECIDED", outcome="ACCEPTED", decision="Another canary")
    await mia.do(TASK, contactId=shop.contact, title="Canary: send a cage")
    await mia.do(
        SEND,
        ticketId=id,
        identityId=public_id("Identity", email),
        text="Your canary sings",
        lastSeenSeq=0,
        force=True,
    )
    field = (await shop.admin.do(FIELD, label="Bird", kind="TEXT"))["ticketField"]["id"]
    house.settings.undo_seconds = 10  # so that it is kept how to take the change back
    await mia.do(
        UPDATE, ids=[id], addTags=["canary-lady", "refund"], fields=[{"fieldId": field, "value": "A canary"}]
    )
    house.settings.undo_seconds = 0
    await mia.ask(DRAFT, input={"ticketId": id, "body": "Dear canary", "cc": ["canary@example.net"]})
    async with house.db.transaction() as session:
        alerts = (await session.scalars(select(Alert.id).where(Alert.ticket_id == ticket.id))).all()
        until = (await database_time(session)) + timedelta(hours=1)
    for alert in alerts:
        await mia.do(SNOOZE, id=public_id("Alert", alert), until=until.isoformat(), reason="Canary on leave")
    async with house.db.transaction() as session:
        await add_webhook(session, house.keys, url="https://till.example/", description="", kinds=[], at=NOON)
        await session.flush()
        for event in (
            await session.scalars(select(Event).where(Event.ticket_id == ticket.id).limit(5))
        ).all():
            await webhooks.tell(session, event)
        await session.flush()
        for post in (await session.scalars(select(Post))).all():
            said = {"milliseconds": 5, "status": 500, "error": None, "answer": "no canary here"}
            session.add(Attempt(post_id=post.id, at=NOON, **said))
        alone = select(Task.id).where(Task.contact_id.is_not(None), Task.ticket_id.is_(None))
        for about in ({"ticket_id": ticket.id}, {"task_id": (await session.scalars(alone)).one()}):
            await _mail_to_mia(session, house, **about)
        await _was_asked(session, ticket.id, row_id("Agent", mia.agent_id))


async def _mail_to_mia(session: Any, house: House, **about: uuid.UUID) -> None:
    mia = (await session.scalars(select(Agent.id).where(Agent.name == "Mia"))).one()
    notice = Notice(id=new_id(), agent_id=mia, created_at=NOON, **about)
    session.add(notice)
    await session.flush()
    delivery = Delivery(
        id=new_id(), notice_id=notice.id, transport=Transport.EMAIL, stage=DeliveryStage.SENT, created_at=NOON
    )
    session.add(delivery)
    await session.flush()
    system_mail.post(
        session,
        house.keys,
        to="mia@shop.example",
        subject="Ada Canary",
        text="canary",
        at=NOON,
        delivery_id=delivery.id,
    )


async def _was_asked(session: Any, ticket_id: uuid.UUID, mia_id: uuid.UUID) -> None:
    survey = await surveys.save(session, SurveyKind.CSAT, None, Choice(), at=NOON)
    mailbox = (await session.scalars(select(Channel.id).where(Channel.kind == ChannelKind.EMAIL))).one()
    session.add(
        SurveyRequest(
            id=new_id(), survey_id=survey.id, event_seq=1, kind=survey.kind, scale=survey.scale,
            ticket_id=ticket_id, agent_id=mia_id, channel_id=mailbox, solved_at=NOON, asked_at=NOON, score=5,
            words="My canary thanks you", answered_by=AnsweredBy.LINK, answered_at=NOON, changed_at=NOON,
        )
    )  # fmt: skip


async def other_people(shop: Shop) -> None:
    """Zofia, whose tags are the shop's."""
    await mails(shop, "Mine has arrived", sender="zofia@example.net", name="Zofia Kowalska")
    async with shop.house.db.transaction() as session:
        zofia = (await session.scalars(select(Contact.id).where(Contact.name == "Zofia Kowalska"))).one()
        await session.execute(update(Ticket).where(Ticket.contact_id == zofia).values(tags=["refund"]))


async def settled(shop: Shop) -> None:
    """All is said and done: nothing waits, all tickets are closed."""
    house = shop.house
    async with house.db.transaction() as session:
        for message in (
            await session.scalars(select(OUTBOX.model).where(OUTBOX.model.due_at.is_not(None)))
        ).all():
            message.due_at = None
            message.sent(at=NOON)
        ids = (await session.scalars(select(Ticket.id).where(Ticket.merged_into_id.is_(None)))).all()
    for some in [ids[at : at + 50] for at in range(0, len(ids), 50)]:
        done = await shop.mia.do(UPDATE, ids=[public_id("Ticket", id) for id in some], status="CLOSED")
        assert done["userErrors"] == []


async def erase(shop: Shop) -> None:
    asked = await shop.admin.do(ASK, contactId=shop.contact, confirm=True)
    assert (asked["userErrors"], asked["erasure"]["state"]) == ([], "SEALING")
    await worked_off(shop.house, ERASURES, Sealer(shop.house.db, shop.house.keys, shop.house.files).erase)


async def found_in_tables(db: Database, but: tuple[str, ...] = ()) -> set[str]:
    """Where a canary sings: as text, in bytes, and as base64 would spell it."""
    found = set()
    async with db.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name in but:
                continue
            rows = await connection.stream(text(f'SELECT "{table.name}"::text AS said FROM "{table.name}"'))
            async for (said,) in rows:
                low = said.lower()
                if any(word in low or word.encode().hex() in low for word in (*CANARIES, "Canary", "CANARY")):
                    found.add(f"{table.name}: {said[:300]}")
    return found


def found_in_files(folder: Path) -> list[Path]:
    return [
        file
        for file in folder.rglob("*")
        if file.is_file() and any(word.encode() in file.read_bytes().lower() for word in CANARIES)
    ]


NUMBERS = {
    Item: ("id seq kind ticket_id contact_id thread_id channel_id direction agent_id at automatic sender_verified "
           "delivery call_state answered_at ended_at arrival_id"),
    Ticket: "id number contact_id status priority team_id assignee_id policy_id merged_into_id created_at solved_at",
    Clock: "id ticket_id metric channel started_at due_at met_at breached_at ended_at target_seconds",
    Alert: "id kind state level ticket_id fired_at acked_at resolved_at",
    Thread: "id number channel_id contact_id ticket_id joined_code joined_proof joined_at",
    Attachment: "id item_id bytes",
    Arrival: "id channel_id received_at",
}  # fmt: skip


async def numbers(db: Database) -> dict[str, list[Any]]:
    said = {}
    async with db.reading() as connection:
        for model, names in NUMBERS.items():
            table: Any = model.__table__
            columns = [table.c[name] for name in names.split()]
            said[table.name] = list(await connection.execute(select(*columns).order_by(table.c.id)))
    return said


async def of_others(db: Database, contact_id: uuid.UUID) -> list[Any]:
    async with db.reading() as connection:
        theirs = Item.__table__.c.contact_id != contact_id
        items = await connection.execute(select(Item.__table__).where(theirs).order_by(Item.__table__.c.id))
        people = select(Identity.__table__).where(Identity.contact_id != contact_id).order_by(Identity.id)
        return [*items, *await connection.execute(people)]


@pytest.mark.parametrize(
    ("messages", "piece"), [(60, 25), pytest.param(10_000, sealing.ROWS, marks=pytest.mark.slow)]
)
async def test_no_canary_sings_after_an_erasure_and_every_number_stays(
    shop: Shop,
    messages: int,
    piece: int,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sealing, "ROWS", piece)
    house, folder = shop.house, stored_in(shop.house)
    await other_people(shop)
    await writes_everywhere(shop, messages)
    await shop.mia.do(EXPORT, contactId=shop.contact)
    await worked_off(house, EXPORTS, Exporter(house.db, house.files).make)
    await settled(shop)
    before, others = await numbers(house.db), await of_others(house.db, shop.contact_id)
    sang = {said.partition(":")[0] for said in await found_in_tables(house.db)}
    assert sang >= {
        "contact", "identity", "thread", "ticket", "task", "item", "attachment", "arrival", "alert_note",
        "webhook_attempt", "draft", "edited_ticket", "survey_request", "complaint", "complaint_step",
    }  # fmt: skip
    assert len(before["item"]) > messages
    capfd.readouterr()

    begun = time.monotonic()
    await erase(shop)

    took = time.monotonic() - begun
    said = capfd.readouterr().err.lower()
    assert await found_in_tables(house.db) == set()
    assert found_in_files(folder) == []
    assert not any(word in said for word in CANARIES)
    after = await numbers(house.db)
    assert {name: rows for name, rows in after.items() if rows != before[name]} == {}
    assert await of_others(house.db, shop.contact_id) == others
    async with house.db.transaction() as session:
        row = (await session.scalars(select(Erasure))).one()
        assert set(await session.scalars(select(SystemMail.sealed))) == {None}
        tags = await session.scalars(select(Ticket.tags).where(Ticket.contact_id == shop.contact_id))
        assert [word for one in tags for word in one] == ["refund"], "what nobody else's ticket has is gone"
        parts = (await session.execute(select(func.count(), func.max(func.length(SealedPart.sealed))))).one()
    with capfd.disabled():
        sys.stdout.write(
            f"\n{messages}: {row.emptied} in {took:.1f} s, {parts[0]} parts, the largest of {parts[1]} bytes\n"
        )

    await _is_opened_for_a_reason_only(shop, tmp_path, messages)


async def _is_opened_for_a_reason_only(shop: Shop, tmp_path: Path, messages: int) -> None:
    house = shop.house
    with pytest.raises(NotAllowed):
        await unseal(
            house.db,
            house.keys,
            shop.contact_id,
            tmp_path / "no.zip",
            admin="mia@shop.example",
            reason="Curious",
        )

    zip = tmp_path / "unsealed.zip"
    await unseal(
        house.db, house.keys, shop.contact_id, zip, admin="admin@shop.example", reason="Court 7, 12/2026"
    )

    with zipfile.ZipFile(zip) as archive:
        items = [
            json.loads(line)
            for name in archive.namelist()
            if name.startswith("rows/item")
            for line in archive.read(name).splitlines()
        ]
        photos = [archive.read(name) for name in archive.namelist() if name.startswith("files/")]
        originals = [archive.read(name) for name in archive.namelist() if name.startswith("originals/")]
    assert sum("Canary number" in item["text"] for item in items) == messages
    assert photos == [PHOTO]
    assert sum(b"Canary number" in original for original in originals) == messages
    async with house.db.transaction() as session:
        noted = (await session.scalars(select(AuditEntry).where(AuditEntry.kind == AuditKind.UNSEALED))).one()
        assert (noted.contact_id, noted.data["reason"]) == (shop.contact_id, "Court 7, 12/2026")

        later = (await database_time(session)) + timedelta(days=3 * 365 + 1)
        assert await erasure.destroy_due(session, at=later) == 1
    async with house.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(SealedPart)) == 0
        assert (await session.scalars(select(Erasure.wrapped_key))).one() is None
    with pytest.raises(Destroyed):
        await unseal(house.db, house.keys, shop.contact_id, zip, admin="admin@shop.example", reason="Late")


async def test_who_writes_again_is_somebody_new_by_whatever_way(shop: Shop) -> None:
    await writes_everywhere(shop, 3)
    async with shop.house.db.transaction() as session:
        thread = (
            await session.scalars(
                select(Thread)
                .join(Channel, Channel.id == Thread.channel_id)
                .where(Channel.kind == ChannelKind.EMAIL)
            )
        ).first()
        page = (await session.scalars(select(Channel.id).where(Channel.kind == ChannelKind.MESSENGER))).one()
    assert thread
    linked = await shop.mia.do(MESSENGER_LINK, contactId=shop.contact, channelId=public_id("Channel", page))
    await erase(shop)

    await mails(shop, "It is me again", to=reply_address(shop.house.keys, HELP, thread.number))
    await chats(shop, "And here")
    await calls(shop, "another call")
    reference = linked["url"].partition("ref=")[2]
    await posts(shop, messenger_events.text_message("canary-psid", PAGE["page_id"], "Hi", mid="m_3"))
    await posts(shop, messenger_events.referral("other-psid", PAGE["page_id"], reference))

    async with shop.house.db.transaction() as session:
        late = (
            await session.scalars(select(Item).where(Item.text.in_(("It is me again", "And here", "Hi"))))
        ).all()
        assert not await session.scalar(select(Identity.id).where(Identity.contact_id == shop.contact_id))
        assert (await session.get_one(Contact, shop.contact_id)).name == ""
    assert len(late) == 2 or len(late) == 3
    assert shop.contact_id not in {item.contact_id for item in late}
    refused = await shop.mia.refused(LINK, contactId=shop.contact, channel="EMAIL", value="x@example.org")
    assert refused == ["NOT_FOUND"]
    shown = (await shop.mia.ask(CONTACT, id=shop.contact))["contact"]
    assert (shown["name"], shown["identities"]) == ("", [])
    assert shown["erasedAt"]


async def test_open_tickets_are_closed_and_what_waited_does_not_leave(shop: Shop) -> None:
    await writes_everywhere(shop, 3)
    plan = (await shop.mia.ask(PLAN, id=shop.contact))["erasurePlan"]
    assert plan["openTickets"] > 0
    assert {share["what"]: share["count"] for share in plan["taken"]}["item"] >= 8
    assert {share["what"] for share in plan["kept"]} >= {"tickets", "events", "others"}

    await erase(shop)

    async with shop.house.db.transaction() as session:
        states = set(await session.scalars(select(Ticket.status).where(Ticket.contact_id == shop.contact_id)))
        assert states == {TicketStatus.CLOSED}
        assert all(await session.scalars(select(Task.done_at)))
        assert not await OUTBOX.claim(session, 10)


async def test_a_manager_asks_and_an_admin_confirms(shop: Shop) -> None:
    await mails(shop, "Where is my canary?")
    async with shop.house.db.transaction() as session:
        shop.contact_id = (await session.scalars(select(Contact.id))).one()

    assert await shop.mia.refused(ASK, contactId=shop.contact, confirm=True) == ["NOT_ALLOWED"]
    asked = await shop.mia.do(ASK, contactId=shop.contact)
    assert asked["erasure"]["state"] == "ASKED"
    two = "mutation($input: PrivacyUpdateInput!) { privacyUpdate(input: $input) { privacy { sealedDays erasingTakesTwo } } }"
    await shop.admin.do(two, erasingTakesTwo=True, sealedDays=0)
    confirmed = await shop.admin.do(ASK, contactId=shop.contact, confirm=True)
    await worked_off(shop.house, ERASURES, Sealer(shop.house.db, shop.house.keys, shop.house.files).erase)

    assert confirmed["erasure"]["confirmedBy"] == {"name": "Admin"}
    (shown,) = (await shop.mia.ask(ERASURES_ASKED))["erasures"]
    assert (shown["state"], shown["askedBy"]) == ("DESTROYED", {"name": "Mia"})
    async with shop.house.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(SealedPart)) == 0
        kinds = (
            await session.scalars(
                select(AuditEntry.kind)
                .where(AuditEntry.contact_id == shop.contact_id)
                .order_by(AuditEntry.seq)
            )
        ).all()
    assert [kind for kind in kinds if kind != AuditKind.CONTACT_READ] == [
        AuditKind.ERASURE_ASKED, AuditKind.ERASURE_ASKED, AuditKind.ERASED,
    ]  # fmt: skip


async def test_who_asked_does_not_confirm_where_it_takes_two_and_may_withdraw(shop: Shop) -> None:
    await mails(shop, "Where is my canary?")
    async with shop.house.db.transaction() as session:
        shop.contact_id = (await session.scalars(select(Contact.id))).one()
    two = "mutation($input: PrivacyUpdateInput!) { privacyUpdate(input: $input) { userErrors { code } } }"
    await shop.admin.do(two, erasingTakesTwo=True)

    assert await shop.admin.refused(ASK, contactId=shop.contact, confirm=True) == ["INVALID"]
    asked = await shop.admin.do(ASK, contactId=shop.contact)
    withdraw = """mutation($input: ErasureWithdrawInput!) { erasureWithdraw(input: $input) {
      erasure { state } userErrors { code } } }"""
    withdrawn = await shop.mia.do(withdraw, id=asked["erasure"]["id"])

    assert withdrawn["erasure"]["state"] == "WITHDRAWN"
    again = await shop.mia.do(ASK, contactId=shop.contact)
    assert (again["erasure"]["state"], again["erasure"]["id"] == asked["erasure"]["id"]) == ("ASKED", False)


async def test_an_erasure_whose_worker_dies_goes_on_where_it_was(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "ROWS", 25)
    await writes_everywhere(shop, 30)
    await shop.admin.do(ASK, contactId=shop.contact, confirm=True)
    dying = Sealer(shop.house.db, shop.house.keys, shop.house.files)
    seal, sealed = dying._seal_rows, 0

    async def dies(*arguments: Any) -> None:
        nonlocal sealed
        sealed += 1
        await seal(*arguments)
        if sealed == 7:
            raise asyncio.CancelledError

    monkeypatch.setattr(dying, "_seal_rows", dies)
    with pytest.raises(asyncio.CancelledError):
        await worked_off(shop.house, ERASURES, dying.erase)
    async with shop.house.db.transaction() as session:
        await session.execute(update(Erasure).values(due_at=func.now(), deaths=0))
    await worked_off(shop.house, ERASURES, Sealer(shop.house.db, shop.house.keys, shop.house.files).erase)

    assert await found_in_tables(shop.house.db) == set()
    async with shop.house.db.transaction() as session:
        row = (await session.scalars(select(Erasure))).one()
        numbers = (await session.scalars(select(SealedPart.number).order_by(SealedPart.number))).all()
    assert list(numbers) == list(range(1, row.parts + 1))


async def test_an_export_has_everything_and_its_link_dies_with_the_permission(shop: Shop) -> None:
    await writes_everywhere(shop, 30)
    asked = await shop.mia.do(EXPORT, contactId=shop.contact)
    assert (asked["export"]["state"], asked["export"]["url"]) == ("MAKING", None)
    await worked_off(shop.house, EXPORTS, Exporter(shop.house.db, shop.house.files).make)
    (made,) = (await shop.mia.ask(EXPORTED, id=shop.contact))["contactExports"]

    path = made["url"].removeprefix("http://heddle.test")
    fetched = await shop.mia.http.get(path)

    assert (fetched.status_code, len(fetched.content)) == (200, made["bytes"])
    with zipfile.ZipFile(io.BytesIO(fetched.content)) as archive:
        person = json.loads(archive.read("person.json"))
        photos = [archive.read(name) for name in archive.namelist() if name.startswith("attachments/")]
        originals = [archive.read(name) for name in archive.namelist() if name.startswith("originals/")]
    assert {identity["kind"] for identity in person["identities"]} == {
        "email", "chat", "customer", "phone", "messenger"
    }  # fmt: skip
    assert sum("Canary number" in item["text"] for item in person["items"]) == 30
    assert any("The canary is hers" in item["text"] for item in person["items"]), "notes too"
    assert {task["title"] for task in person["tasks"]} >= {"Call the canary back", "Canary: send a cage"}
    assert [(one["outcome"], one["decision"]) for one in person["complaints"]] == [
        ("accepted", "Another canary")
    ]
    assert all(thread["joinedBecause"] for thread in person["threads"])
    assert any(agent["name"] == "Mia" for agent in person["agents"])
    assert person["history"]
    assert photos == [PHOTO]
    assert sum(b"Canary number" in original for original in originals) == 30

    assert (await shop.mia.http.get(path.replace("s=", "s=a"))).status_code == 404
    async with shop.house.db.transaction() as session:
        kinds = set(
            await session.scalars(select(AuditEntry.kind).where(AuditEntry.contact_id == shop.contact_id))
        )
        assert {AuditKind.EXPORTED, AuditKind.EXPORT_FETCHED} <= kinds
        await session.execute(update(Agent).where(Agent.name == "Mia").values(role=Role.AGENT))
    assert (await shop.mia.http.get(path)).status_code == 404

    async with shop.house.db.transaction() as session:
        later = (await database_time(session)) + timedelta(days=8)
        assert await discard_old(session, shop.house.files, at=later) == 1
    folder = stored_in(shop.house)
    async with shop.house.db.transaction() as session:
        kept = set(await session.scalars(select(Attachment.file))) | set(
            await session.scalars(select(ContactExport.file))
        )
    assert {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} == kept - {None}


async def test_originals_and_texts_go_when_their_days_are_over(shop: Shop) -> None:
    await writes_everywhere(shop, 5)
    await settled(shop)
    async with shop.house.db.transaction() as session:
        mailbox = (await session.scalars(select(Channel.id).where(Channel.kind == ChannelKind.EMAIL))).one()
        await session.execute(update(Ticket).values(solved_at=Ticket.solved_at - timedelta(days=40)))
        await session.execute(update(Arrival).values(received_at=Arrival.received_at - timedelta(days=11)))
        await session.execute(update(Complaint).values(closed_at=datetime.now(UTC) - timedelta(days=1100)))
    plan = "query($id: ID!) { retentionPlan(channelId: $id, originalsDays: 10, textsDays: 30) { originals texts } }"
    save = """mutation($input: RetentionSaveInput!) { retentionSave(input: $input) {
      privacy { retention { channel { name } originalsDays textsDays } } userErrors { code } } }"""
    channel = public_id("Channel", mailbox)
    counted = (await shop.admin.ask(plan, id=channel))["retentionPlan"]
    saved = await shop.admin.do(save, channelId=channel, originalsDays=10, textsDays=30)
    assert saved["privacy"]["retention"] == [
        {"channel": {"name": "Email"}, "originalsDays": 10, "textsDays": 30}
    ]

    taken = await retention.apply(shop.house.db, shop.house.files)

    assert {"originals": taken[mailbox].originals, "texts": taken[mailbox].texts} == counted
    assert counted["originals"] >= 6
    assert counted["texts"] >= 7
    assert (await retention.apply(shop.house.db, shop.house.files))[mailbox] == retention.Due(0, 0)
    async with shop.house.db.transaction() as session:
        left = await session.scalars(select(Item.text).where(Item.channel_id == mailbox))
        assert set(left) == {""}
        assert list(await session.scalars(select(SurveyRequest.words))) == [""]
        raw = select(func.length(Arrival.raw), Arrival.state).where(Arrival.channel_id == mailbox)
        lengths = (await session.execute(raw)).all()
        assert {state for length, state in lengths if length} == {"failed"}, (
            "what could not be read waits for somebody"
        )
        chat = (await session.scalars(select(Item.text).where(Item.text == "Is the canary there?"))).all()
        assert len(chat) == 1, "another channel keeps its own"
        noted = (
            await session.scalars(select(AuditEntry).where(AuditEntry.kind == AuditKind.RETENTION_APPLIED))
        ).one()
    assert (noted.actor_kind, noted.data["texts"]) == ("system", counted["texts"])
    folder = stored_in(shop.house)
    assert found_in_files(folder) == []


async def test_neither_an_export_nor_an_erasure_holds_more_than_a_piece_at_a_time(
    shop: Shop, tmp_path: Path
) -> None:
    """Sixty megabytes of photos, and an original of twenty."""
    await mails(shop, "Where is my canary?")
    house = shop.house
    async with house.db.transaction() as session:
        message = (await session.scalars(select(Item))).one()
        shop.contact_id = message.contact_id
        await session.execute(update(Arrival).values(raw=secrets.token_bytes(20 << 20)))
        for number in range(12):
            key = await house.files.put(secrets.token_bytes(5 << 20))
            named = {"name": f"{number}.png", "mime": "image/png", "bytes": 5 << 20, "file": key}
            session.add(Attachment(id=new_id(), item_id=message.id, **named))

    tracemalloc.start()
    with (tmp_path / "ada.zip").open("wb") as out:
        await dossier.write(house.db, house.files, shop.contact_id, out)
    exporting = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    await erase(shop)
    erasing = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (tmp_path / "ada.zip").stat().st_size > 80 << 20
    sys.stdout.write(f"\nat most {exporting >> 20} MiB exporting, {erasing >> 20} MiB erasing\n")
    assert exporting < 60 << 20
    assert erasing < 60 << 20
