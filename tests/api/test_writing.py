"""Answering with copies and files, taking back, writing first, and passing on."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from api.house import House
from demo.farends import SmtpSink
from demo.farends.smtp import SentMail
from domain.answering import uploads
from domain.answering.uploads import Upload
from domain.customers.contacts import Identity, Proof
from domain.db import database_time
from domain.desk.messages import OUTBOX, Attachment, Message
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.ids import public_id
from domain.ways_in.channels import Channel, ChannelKind
from integrations.courier import Courier
from integrations.mail.addresses import recipient
from integrations.mail.sending.connections import Relays
from integrations.settings import IntegrationSettings
from tests.client import Client
from tests.doors import stored_in
from tests.factories import a_channel, a_chat, a_mail, a_promise, a_text_message, receive, tickets
from tests.reading import a_token

MESSAGE = """{ id text delivery undoUntil side recipients { address role refused } attachments { name mime bytes } }"""
SEND = f"""mutation($input: MessageSendInput!) {{ messageSend(input: $input) {{
  message {MESSAGE} ticket {{ status }} userErrors {{ code field }} }} }}"""
UNDO = f"""mutation($input: MessageUndoInput!) {{ messageUndo(input: $input) {{
  message {MESSAGE} text attachmentIds ticket {{ status }} userErrors {{ code field }} }} }}"""
START = f"""mutation($input: ConversationStartInput!) {{ conversationStart(input: $input) {{
  message {MESSAGE} ticket {{ id number subject status assignee {{ name }} team {{ name }} contact {{
    name identities {{ label verified verifiedBy }} }} }} userErrors {{ code field }} }} }}"""
FORWARD = f"""mutation($input: MessageForwardInput!) {{ messageForward(input: $input) {{
  message {MESSAGE} userErrors {{ code field }} }} }}"""
TICKET = """query($id: ID!) { ticket(id: $id) { status preview channels
  threads { side subject identity { label } messageCount }
  clocks { metric state } replyChannels { label }
  timeline(first: 20, kinds: [MESSAGE]) { edges { node { ... on Message { id text side direction senderVerified author } } } }
} }"""

UPDATE = "mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) { userErrors { code } } }"

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


@pytest.fixture
async def mailbox(house: House) -> Channel:
    async with house.db.transaction() as session:
        await a_promise(session)
        channel = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(
            session, channel, a_mail("ada@example.org", sender_name="Ada", external_id="ada-1@example.org")
        )
        return channel


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    async with SmtpSink() as sink:
        yield sink


async def asked(house: House, client: Client) -> dict[str, Any]:
    """What an answer to Ada's mail names."""
    query = "{ tickets(first: 1) { edges { node { id seq replyChannels { id } } } } }"
    (edge,) = (await client.ask(query))["tickets"]["edges"]
    ticket = edge["node"]
    return {
        "ticketId": ticket["id"],
        "identityId": ticket["replyChannels"][0]["id"],
        "text": "On its way.",
        "lastSeenSeq": ticket["seq"],
        "force": True,
    }


async def carried(house: House, sink: SmtpSink) -> SentMail:
    """The next answer, at the mail server."""
    async with Relays() as relays:
        settings = IntegrationSettings(smtp_url=f"smtp://{sink.host}:{sink.port}")
        async with house.db.transaction() as session:
            await session.execute(
                update(Message).where(Message.due_at.is_not(None)).values(due_at=await database_time(session))
            )
        async with house.db.transaction() as session:
            ((message, lease), *_) = await OUTBOX.claim(session, 1)
        await Courier(house.db, house.keys, house.files, settings, relays).carry(message, lease)
    return await sink.next_mail()


async def upload(
    client: Client, content: bytes = PNG, name: str = "photo.png", mime: str = "image/png", **headers: str
) -> httpx.Response:
    given = {"authorization": f"Bearer {client.token}", "content-type": mime, **headers}
    return await client.http.post("/files", params={"name": name}, content=content, headers=given)


async def test_files_go_along_with_an_answer_once(
    house: House, ben: Client, mailbox: Channel, sink: SmtpSink
) -> None:
    raw = (await upload(ben)).json()
    form = await ben.http.post(
        "/files",
        files={"file": ("../tajne/faktura ą.pdf", b"%PDF-1.7 ...", "text/html")},
        headers={"authorization": f"Bearer {ben.token}"},
    )
    ids = [raw["id"], form.json()["id"]]

    done = await ben.do(SEND, **await asked(house, ben), attachmentIds=ids)
    again = await ben.refused(SEND, **await asked(house, ben), attachmentIds=ids[:1])
    mail = await carried(house, sink)

    assert done["userErrors"] == []
    assert done["message"]["attachments"] == [
        {"name": "photo.png", "mime": "image/png", "bytes": len(PNG)},
        {"name": "faktura ą.pdf", "mime": "application/pdf", "bytes": 12},
    ]
    assert again == ["NOT_FOUND"]
    sent = {part.get_filename(): part.get_payload(decode=True) for part in mail.message.iter_attachments()}
    assert sent == {"photo.png": PNG, "faktura ą.pdf": b"%PDF-1.7 ..."}


async def test_a_picture_goes_without_words_by_mail_and_chat_and_nothing_goes_without_both(
    house: House, ben: Client, mailbox: Channel, sink: SmtpSink
) -> None:
    answer = await asked(house, ben) | {"text": " "}
    by_mail = await ben.do(SEND, **answer, attachmentIds=[(await upload(ben)).json()["id"]])
    mail = await carried(house, sink)
    async with house.db.transaction() as session:
        chat = await a_channel(session, house.keys, ChannelKind.CHAT)
        await receive(session, chat, a_chat("s1"))
    answer = await asked(house, ben) | {"text": ""}
    by_chat = await ben.do(SEND, **answer, attachmentIds=[(await upload(ben)).json()["id"]])
    nothing = await ben.do(SEND, **answer)

    for done in (by_mail, by_chat):
        assert (done["userErrors"], done["message"]["text"]) == ([], "")
        assert [one["name"] for one in done["message"]["attachments"]] == ["photo.png"]
    assert [part.get_payload(decode=True) for part in mail.message.iter_attachments()] == [PNG]
    assert nothing["userErrors"] == [{"code": "INVALID", "field": ["text"]}]


async def test_a_file_is_its_uploaders_own(house: House, ben: Client, eve: Client, mailbox: Channel) -> None:
    id = (await upload(eve)).json()["id"]

    assert await ben.refused(SEND, **await asked(house, ben), attachmentIds=[id]) == ["NOT_FOUND"]
    async with house.db.transaction() as session:
        assert (await session.scalars(select(Upload))).one().bytes == len(PNG)
        assert (await session.scalars(select(Attachment))).all() == []


@pytest.mark.parametrize(
    ("content", "said", "kept"),
    [
        (PNG, "text/html", "image/png"),
        (b"<script>alert(1)</script>", "image/png", "application/octet-stream"),
        (b"<script>alert(1)</script>", "text/html; charset=utf-8", "text/html"),
        (b"words", "message/rfc822", "application/octet-stream"),
        (b"words", "a/b\tc", "application/octet-stream"),
        (b"words", "", "application/octet-stream"),
    ],
)
async def test_a_file_is_what_its_bytes_say(ben: Client, content: bytes, said: str, kept: str) -> None:
    assert (await upload(ben, content, "x.png", said)).json()["mime"] == kept


async def test_a_door_for_files_opens_for_people_of_the_shop_only(
    house: House, anybody: Client, ben: Client
) -> None:
    no_token = await upload(anybody, authorization="")
    wrong = await upload(anybody, authorization="Bearer wrong")
    cookie = {"cookie": f"heddle_session={ben.token}"}
    by_cookie = await ben.http.post("/files", content=PNG, headers=cookie)

    assert (no_token.status_code, wrong.status_code, by_cookie.status_code) == (401, 401, 403)
    async with house.db.transaction() as session:
        assert (await session.scalars(select(Upload))).all() == []


async def test_a_file_that_is_too_large_leaves_nothing(
    house: House, ben: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.desk import uploads as door

    monkeypatch.setattr(door, "LARGEST", 1000)
    monkeypatch.setattr(door, "AROUND", 0)

    large = await upload(ben, b"x" * 1001)
    form = await ben.http.post(
        "/files", files={"file": ("x", b"x" * 2000)}, headers={"authorization": f"Bearer {ben.token}"}
    )
    empty = await upload(ben, b"")
    words = await ben.http.post(
        "/files", files={"file": (None, "words")}, headers={"authorization": f"Bearer {ben.token}"}
    )

    assert [one.status_code for one in (large, form, empty, words)] == [413, 413, 400, 400]
    assert [path for path in stored_in(house).rglob("*") if path.is_file()] == []


async def test_files_wait_for_a_day_and_not_too_many_of_one_person(
    house: House, ben: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_WAITING", 1)
    assert (await upload(ben)).status_code == 201
    assert (await upload(ben)).status_code == 429
    async with house.db.transaction() as session:
        kept = (await session.scalars(select(Upload))).one()
        now = await database_time(session)
        assert await uploads.sweep(session, house.files, at=now) == 0
        assert await uploads.sweep(session, house.files, at=now + timedelta(days=2)) == 1
    assert not await house.files.has(kept.file)


async def test_no_files_and_no_copies_by_a_channel_that_carries_words_only(house: House, ben: Client) -> None:
    async with house.db.transaction() as session:
        number = await a_channel(session, house.keys, ChannelKind.SMS)
        await receive(session, number, a_text_message("+48600100200"))
    id = (await upload(ben)).json()["id"]

    said = await ben.do(SEND, **await asked(house, ben), attachmentIds=[id])
    copied = await ben.do(SEND, **await asked(house, ben), cc=["zofia@example.com"])

    assert said["userErrors"] == [{"code": "CANNOT_REPLY", "field": ["attachmentIds"]}]
    assert copied["userErrors"] == [{"code": "CANNOT_REPLY", "field": ["cc"]}]


async def test_all_files_of_a_message_have_a_limit_together(
    house: House, ben: Client, mailbox: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [(await upload(ben)).json()["id"] for _ in range(2)]
    monkeypatch.setattr(uploads, "LARGEST", 150)

    assert await ben.refused(SEND, **await asked(house, ben), attachmentIds=ids) == ["INVALID"]
    assert await ben.refused(SEND, **await asked(house, ben), attachmentIds=[ids[0]] * 2) == ["NOT_FOUND"]
    assert (await ben.do(SEND, **await asked(house, ben), attachmentIds=ids[:1]))["userErrors"] == []


async def test_an_answer_is_taken_back_with_its_words_and_files(
    house: House, ben: Client, mailbox: Channel, sink: SmtpSink
) -> None:
    object.__setattr__(house.settings, "undo_seconds", 10)
    id = (await upload(ben)).json()["id"]
    sent = await ben.do(SEND, **await asked(house, ben), attachmentIds=[id], after="SOLVED")
    assert sent["message"]["undoUntil"]

    undone = await ben.do(UNDO, id=sent["message"]["id"])
    again = await ben.refused(UNDO, id=sent["message"]["id"])

    assert undone["text"] == "On its way."
    assert undone["attachmentIds"] == [id]
    assert undone["ticket"]["status"] == "NEW"
    assert (undone["message"]["delivery"], undone["message"]["undoUntil"]) == ("UNDONE", None)
    assert again == ["ALREADY_LEFT"]
    shown = await ben.ask(TICKET, id=(await asked(house, ben))["ticketId"])
    assert shown["ticket"]["preview"] == "Where is my parcel?"
    assert [thread["messageCount"] for thread in shown["ticket"]["threads"]] == [1]

    better = await ben.do(SEND, **await asked(house, ben), attachmentIds=[id])
    mail = await carried(house, sink)
    assert [part.get_filename() for part in mail.message.iter_attachments()] == ["photo.png"]
    assert mail.message["In-Reply-To"] == "<ada-1@example.org>"
    assert await ben.refused(UNDO, id=better["message"]["id"]) == ["ALREADY_LEFT"]


async def test_a_ticket_whose_answer_is_taken_back_sleeps_on(
    house: House, ben: Client, mailbox: Channel
) -> None:
    house.settings.undo_seconds = 10
    asks = await asked(house, ben)
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await ben.do(UPDATE, ids=[asks["ticketId"]], pendingUntil=until)
    sent = await ben.do(SEND, **asks, after="SOLVED")

    undone = await ben.do(UNDO, id=sent["message"]["id"])

    assert undone["ticket"]["status"] == "PENDING"
    async with house.db.transaction() as session:
        (ticket,) = await tickets(session)
        assert (ticket.snoozed_until, ticket.solved_at) == (datetime.fromisoformat(until), None)


async def test_a_colleague_cannot_take_an_answer_back_and_a_manager_can(
    house: House, ben: Client, eve: Client, mia: Client, mailbox: Channel
) -> None:
    object.__setattr__(house.settings, "undo_seconds", 10)
    sent = (await ben.do(SEND, **await asked(house, ben)))["message"]

    assert await eve.refused(UNDO, id=sent["id"]) == ["NOT_ALLOWED"]
    assert (await mia.do(UNDO, id=sent["id"]))["text"] == "On its way."


async def test_an_answer_that_was_taken_back_stops_nobody_elses(
    house: House, ben: Client, mia: Client, mailbox: Channel
) -> None:
    object.__setattr__(house.settings, "undo_seconds", 10)
    seen = await asked(house, ben) | {"force": False}
    sent = (await mia.do(SEND, **await asked(house, mia)))["message"]
    assert await ben.refused(SEND, **seen) == ["SOMEBODY_ANSWERED"]
    await mia.do(UNDO, id=sent["id"])

    assert (await ben.do(SEND, **seen))["userErrors"] == []


async def test_what_a_program_wrote_itself_stops_its_next_answer_no_more_than_a_persons_own(
    house: House, ben: Client, admin: Client, anybody: Client, mailbox: Channel
) -> None:
    anybody.token = await a_token(admin)
    seen = await asked(house, ben) | {"force": False}

    assert (await anybody.do(SEND, **seen))["userErrors"] == []
    assert (await anybody.do(SEND, **seen))["userErrors"] == []
    assert await ben.refused(SEND, **seen) == ["SOMEBODY_ANSWERED"]
    await ben.do(SEND, **seen | {"force": True})
    assert await anybody.refused(SEND, **seen) == ["SOMEBODY_ANSWERED"]


@pytest.mark.parametrize(
    ("cc", "proof"), [([], Proof.REPLY_ADDRESS), (["carrier@example.net"], None)], ids=["alone", "a copy"]
)
async def test_the_shop_writes_first_and_the_customers_answer_joins(
    house: House, ben: Client, mailbox: Channel, sink: SmtpSink, cc: list[str], proof: Proof | None
) -> None:
    """Who answers proves to be the customer, unless a copy went to somebody who has the signed address too."""
    done = await ben.do(
        START,
        address="Zofia@Example.com",
        name="Zofia",
        channelId=_public("Channel", mailbox.id),
        subject="Your order 1001",
        text="It will be late.",
        cc=cc,
    )
    mail = await carried(house, sink)

    ticket = done["ticket"]
    assert done["userErrors"] == []
    assert (ticket["subject"], ticket["status"], ticket["assignee"]["name"]) == (
        "Your order 1001",
        "OPEN",
        "Ben",
    )
    assert ticket["contact"] == {
        "name": "Zofia",
        "identities": [{"label": "Zofia@Example.com", "verified": False, "verifiedBy": None}],
    }
    assert mail.recipients == ["zofia@example.com", *cc]
    assert mail.message["Subject"] == f"[#{ticket['number']}] Your order 1001"
    assert mail.message["In-Reply-To"] is None

    async with house.db.transaction() as session:
        back = recipient(house.keys, str(mail.message["Reply-To"]))
        assert back
        said = a_mail("zofia@example.com", "Fine.", verified=False, thread_number=back.thread_number)
        await receive(session, mailbox, said)
        (_, second) = await tickets(session)
        assert [one.text for one in await _messages(session, second)] == ["It will be late.", "Fine."]
        identity = (
            await session.scalars(select(Identity).where(Identity.value == "zofia@example.com"))
        ).one()
        assert identity.verified_by == proof


async def test_who_is_known_is_written_to_as_who_they_are(
    house: House, ben: Client, mailbox: Channel
) -> None:
    channel = _public("Channel", mailbox.id)
    asks = {"channelId": channel, "subject": "Again", "text": "Hello."}
    known = "{ tickets(first: 1) { edges { node { contact { id } } } } }"
    (edge,) = (await ben.ask(known))["tickets"]["edges"]
    contact = edge["node"]["contact"]["id"]

    by_id = await ben.do(START, contactId=contact, **asks)
    by_address = await ben.do(START, address="ADA@example.org", **asks)

    assert by_id["ticket"]["contact"] == by_address["ticket"]["contact"]
    assert by_id["ticket"]["contact"]["name"] == "Ada"
    assert by_id["message"]["recipients"] == [{"address": "ada@example.org", "role": "TO", "refused": None}]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "address"),
        ({"address": "nobody"}, "address"),
        ({"address": "help@shop.example"}, "address"),
        ({"address": "zofia@example.com", "subject": " "}, "subject"),
        ({"address": "zofia@example.com", "text": " "}, "text"),
        ({"address": "zofia@example.com", "cc": ["x"]}, "cc"),
    ],
)
async def test_what_could_not_be_sent_begins_nothing(
    house: House, ben: Client, mailbox: Channel, given: dict[str, Any], field: str
) -> None:
    asks = {"channelId": _public("Channel", mailbox.id), "subject": "New", "text": "Hello."} | given

    done = await ben.do(START, **asks)

    assert done["userErrors"] == [{"code": "INVALID", "field": [field]}]
    async with house.db.transaction() as session:
        assert len(await tickets(session)) == 1


async def test_a_message_is_passed_on_beside_the_conversation_with_the_customer(
    house: House, ben: Client, mailbox: Channel, sink: SmtpSink
) -> None:
    ticket_id = (await asked(house, ben))["ticketId"]
    (edge,) = (await ben.ask(TICKET, id=ticket_id))["ticket"]["timeline"]["edges"]
    async with house.db.transaction() as session:
        session.add(
            Attachment(
                item_id=(await session.scalars(select(Message.id))).one(),
                name="broken.png",
                mime="image/png",
                bytes=len(PNG),
                file=await house.files.put(PNG),
            )
        )

    done = await ben.do(
        FORWARD, id=edge["node"]["id"], to=["Carrier@Example.net"], text="Where is this parcel?"
    )
    mail = await carried(house, sink)

    assert done["message"]["side"]
    assert mail.recipients == ["carrier@example.net"]
    assert mail.message["Subject"] == "Fwd: My order"
    assert mail.message["References"] is None
    body = mail.message.get_body(("plain",))
    assert body
    assert "Where is this parcel?" in body.get_content()
    assert "Where is my parcel?" in body.get_content()
    assert [part.get_payload(decode=True) for part in mail.message.iter_attachments()] == [PNG]
    shown = (await ben.ask(TICKET, id=ticket_id))["ticket"]
    assert [(one["side"], one["identity"] and one["identity"]["label"]) for one in shown["threads"]] == [
        (False, "ada@example.org"),
        (True, None),
    ]
    assert shown["status"] == "NEW"
    assert [clock["metric"] for clock in shown["clocks"] if clock["state"] != "MET"] == ["FIRST_REPLY"]


async def test_what_is_written_to_somebody_else_answers_no_customer(
    house: House, ben: Client, mailbox: Channel
) -> None:
    asks = await asked(house, ben)
    (edge,) = (await ben.ask(TICKET, id=asks["ticketId"]))["ticket"]["timeline"]["edges"]
    await ben.do(FORWARD, id=edge["node"]["id"], to=["carrier@example.net"], text="Where is it?")
    unanswered = '{ tickets(filter: { query: "is:unread" }) { edges { node { unreadCount } } } }'

    assert (await ben.ask(unanswered))["tickets"]["edges"] == [{"node": {"unreadCount": 1}}]
    await ben.do(SEND, **asks)
    assert (await ben.ask(unanswered))["tickets"]["edges"] == []


async def test_what_comes_back_beside_is_not_the_customers_word(
    house: House, ben: Client, mailbox: Channel, sink: SmtpSink
) -> None:
    asks = await asked(house, ben)
    (edge,) = (await ben.ask(TICKET, id=asks["ticketId"]))["ticket"]["timeline"]["edges"]
    await ben.do(FORWARD, id=edge["node"]["id"], to=["carrier@example.net"], text="Where is it?")
    forwarded = await carried(house, sink)
    await ben.do(SEND, **asks, after="SOLVED")
    await carried(house, sink)
    before = (await ben.ask(TICKET, id=asks["ticketId"]))["ticket"]

    message_id = str(forwarded.message["Message-ID"]).strip("<>")
    back = recipient(house.keys, str(forwarded.message["Reply-To"]))
    assert back
    async with house.db.transaction() as session:
        now = await database_time(session)
        replies = (
            a_mail("depot@example.net", "It is in Lublin.", thread_number=back.thread_number, at=now),
            a_mail("carrier@example.net", "Lost.", references=(message_id,), verified=False, at=now),
        )
        for said in replies:
            await receive(session, mailbox, said)

    after = (await ben.ask(TICKET, id=asks["ticketId"]))["ticket"]
    newest = [edge["node"] for edge in after["timeline"]["edges"]][:2]
    assert {(one["text"], one["side"], one["direction"], one["senderVerified"]) for one in newest} == {
        ("Lost.", True, "IN", False),
        ("It is in Lublin.", True, "IN", False),
    }
    assert after["status"] == before["status"] == "SOLVED"
    assert after["clocks"] == before["clocks"]
    assert after["replyChannels"] == before["replyChannels"] == [{"label": "ada@example.org"}]

    answer = (await ben.do(SEND, **await asked(house, ben)))["message"]
    assert (answer["side"], answer["recipients"][0]["address"]) == (False, "ada@example.org")
    mail = await carried(house, sink)
    assert mail.message["In-Reply-To"] == "<ada-1@example.org>"
    assert "Lublin" not in mail.raw.decode()


async def test_who_only_knows_an_id_of_a_side_conversation_gets_no_part_in_it(
    house: House, ben: Client, mailbox: Channel, sink: SmtpSink
) -> None:
    asks = await asked(house, ben)
    (edge,) = (await ben.ask(TICKET, id=asks["ticketId"]))["ticket"]["timeline"]["edges"]
    await ben.do(FORWARD, id=edge["node"]["id"], to=["carrier@example.net"], text="Where is it?")
    forwarded = await carried(house, sink)
    message_id = str(forwarded.message["Message-ID"]).strip("<>")

    async with house.db.transaction() as session:
        await receive(session, mailbox, a_mail("eve@example.net", "Me too", references=(message_id,)))
        side = (await session.scalars(select(Thread).where(Thread.side))).one()
        assert [one.text for one in await _in(session, side)] == ["Where is it?"]


async def test_a_customer_who_got_hold_of_a_side_conversations_address_speaks_for_themselves(
    house: House, ben: Client, mailbox: Channel, sink: SmtpSink
) -> None:
    asks = await asked(house, ben)
    (edge,) = (await ben.ask(TICKET, id=asks["ticketId"]))["ticket"]["timeline"]["edges"]
    await ben.do(FORWARD, id=edge["node"]["id"], to=["carrier@example.net"], text="Where is it?")
    forwarded = await carried(house, sink)
    back = recipient(house.keys, str(forwarded.message["Reply-To"]))
    assert back

    async with house.db.transaction() as session:
        await receive(session, mailbox, a_mail("ada@example.org", "Hello?", thread_number=back.thread_number))
        side = (await session.scalars(select(Thread).where(Thread.side))).one()
        (ticket,) = await tickets(session)
        assert [one.text for one in await _in(session, side)] == ["Where is it?"]
        assert "Hello?" in [one.text for one in await _messages(session, ticket)]


async def test_a_side_conversation_goes_on(
    house: House, ben: Client, mailbox: Channel, sink: SmtpSink
) -> None:
    asks = await asked(house, ben)
    (edge,) = (await ben.ask(TICKET, id=asks["ticketId"]))["ticket"]["timeline"]["edges"]
    await ben.do(FORWARD, id=edge["node"]["id"], to=["carrier@example.net"], text="Where is it?")
    first = await carried(house, sink)
    message_id = str(first.message["Message-ID"]).strip("<>")
    async with house.db.transaction() as session:
        said = a_mail(
            "carrier@example.net",
            "In Lublin.",
            references=(message_id,),
            external_id="c-1@example.net",
            at=await database_time(session),
        )
        await receive(session, mailbox, said)
    newest = (await ben.ask(TICKET, id=asks["ticketId"]))["ticket"]["timeline"]["edges"][0]["node"]

    done = await ben.do(FORWARD, id=newest["id"], text="Please hurry.")
    mail = await carried(house, sink)

    assert done["userErrors"] == []
    assert mail.recipients == ["carrier@example.net"]
    assert mail.message["In-Reply-To"] == "<c-1@example.net>"
    assert "> In Lublin." in (mail.message.get_body(("plain",)) or mail.message).get_content()
    async with house.db.transaction() as session:
        assert len((await session.scalars(select(Thread).where(Thread.side))).all()) == 1


async def test_who_a_mail_was_taken_back_from_takes_no_part_in_a_side_conversation(
    house: House, ben: Client, mailbox: Channel, sink: SmtpSink
) -> None:
    house.settings.undo_seconds = 10
    asks = await asked(house, ben)
    (edge,) = (await ben.ask(TICKET, id=asks["ticketId"]))["ticket"]["timeline"]["edges"]
    first = await ben.do(FORWARD, id=edge["node"]["id"], to=["carrier@example.net"], text="Where is it?")
    id = first["message"]["id"]
    wrong = await ben.do(FORWARD, id=id, to=["wrong@example.net"], text="Their number is 600 100 200.")
    await ben.do(UNDO, id=wrong["message"]["id"])

    again = await ben.do(FORWARD, id=id, text="Please hurry.")

    assert [one["address"] for one in again["message"]["recipients"]] == ["carrier@example.net"]


async def test_nothing_is_passed_on_to_the_customer_or_to_ourselves(
    house: House, ben: Client, mailbox: Channel
) -> None:
    asks = await asked(house, ben)
    (edge,) = (await ben.ask(TICKET, id=asks["ticketId"]))["ticket"]["timeline"]["edges"]

    for to in (["ada@example.org"], ["help@shop.example"], []):
        assert await ben.refused(FORWARD, id=edge["node"]["id"], to=to, text="Look.") == ["INVALID"]
    async with house.db.transaction() as session:
        assert len((await session.scalars(select(Thread))).all()) == 1


async def _messages(session: Any, ticket: Ticket) -> list[Message]:
    found = await session.scalars(select(Message).where(Message.ticket_id == ticket.id).order_by(Message.seq))
    return list(found)


async def _in(session: Any, thread: Thread) -> list[Message]:
    found = await session.scalars(select(Message).where(Message.thread_id == thread.id).order_by(Message.seq))
    return list(found)


def _public(name: str, id: Any) -> str:
    return public_id(name, id)
