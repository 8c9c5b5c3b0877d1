"""Text messages as screens see and send them."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Team
from domain.arriving.inbound import InboundMessage
from domain.customers.consents import Consent, Wish
from domain.customers.contacts import Claim, Contact, IdentityKind
from domain.db import database_time
from domain.desk.tickets import TicketStatus
from domain.ids import public_id
from domain.privacy.erasure import ERASURES, ask
from domain.privacy.sealing import Sealer
from domain.ways_in.channels import Channel, ChannelKind
from tests.client import Client
from tests.factories import NOON, a_channel, a_mail, contacts, receive, tickets

ADA, ZOFIA = "+34600100200", "+48600100200"
TICKET = """query($id: ID!) { ticket(id: $id) { replyChannels { id channel label verified canReply stoppedAt }
  contact { identities { channel canReply stoppedAt callUrl } } } }"""
SEND = """mutation($input: MessageSendInput!) { messageSend(input: $input) {
  message { id delivery channel } userErrors { code field message } } }"""
START = """mutation($input: ConversationStartInput!) { conversationStart(input: $input) {
  message { text delivery channel } ticket { id } userErrors { code field message } } }"""
SEGMENTS = "query($text: String!) { smsSegments(text: $text) { encoding segments charactersLeft reason } }"


def a_text(text: str, number: str = ADA, **others: Any) -> InboundMessage:
    claims = (Claim(IdentityKind.PHONE, number, None, label=number),)
    at = others.pop("at", NOON)
    return InboundMessage(external_id=text, claims=claims, at=at, text=text, thread_key=number, **others)


@pytest.fixture
async def number(house: House) -> Channel:
    """Ada has written to it."""
    async with house.db.transaction() as session:
        channel = await a_channel(session, house.keys, ChannelKind.SMS)
        await receive(session, channel, a_text("Where is my parcel?"))
        return channel


async def stops(house: House, channel: Channel, number: str = ADA) -> None:
    async with house.db.transaction() as session:
        said = {"wish": Wish.STOP, "word": "stop", "at": await database_time(session)}
        await receive(session, channel, a_text(f"STOP {number}", number, **said))


async def test_an_agent_answers_a_text_message_until_its_sender_says_stop(
    house: House, number: Channel, ben: Client
) -> None:
    async with house.db.transaction() as session:
        (ticket,) = await tickets(session)
    id = public_id("Ticket", ticket.id)
    ((to,), before) = (found := (await ben.ask(TICKET, id=id))["ticket"])["replyChannels"], found["contact"]
    answer = {"ticketId": id, "identityId": to["id"], "lastSeenSeq": 10**15}

    sent = await ben.do(SEND, text="On its way.", **answer)
    too_long = await ben.do(SEND, text="ż" * 500, force=True, **answer)
    await stops(house, number)
    after = (await ben.ask(TICKET, id=id))["ticket"]["replyChannels"][0]
    stopped = await ben.refused(SEND, text="Are you there?", force=True, **answer)

    assert (to["channel"], to["label"], to["verified"]) == ("SMS", ADA, False)
    assert (to["canReply"], to["stoppedAt"]) == (True, None)
    assert before["identities"] == [
        {"channel": "SMS", "canReply": True, "stoppedAt": None, "callUrl": f"tel:{ADA}"}
    ]
    assert (sent["message"]["delivery"], sent["message"]["channel"]) == ("QUEUED", "SMS")
    assert [error["code"] for error in too_long["userErrors"]] == ["TOO_MANY_SEGMENTS"]
    assert "8 text messages" in too_long["userErrors"][0]["message"]
    assert (after["canReply"], after["stoppedAt"] is not None) == (False, True)
    assert stopped == ["RECIPIENT_STOPPED"]


async def test_who_says_stop_to_one_of_the_shops_numbers_is_still_answered_by_the_other(
    house: House, number: Channel, ben: Client
) -> None:
    async with house.db.transaction() as session:
        (ticket,) = await tickets(session)
        ticket.change(by=SYSTEM, at=NOON, status=TicketStatus.CLOSED)
        other = await a_channel(session, house.keys, ChannelKind.SMS, slug="other", number="+34600999999")
        await receive(session, other, a_text("My invoice is wrong"))
        parcel, invoice = [public_id("Ticket", one.id) for one in await tickets(session)]

    await stops(house, number)

    shown = {id: (await ben.ask(TICKET, id=id))["ticket"]["replyChannels"] for id in (parcel, invoice)}
    assert [(to["canReply"], to["stoppedAt"] is None) for to in shown[parcel]] == [(False, False)]
    assert [(to["canReply"], to["stoppedAt"] is None) for to in shown[invoice]] == [(True, True)]
    answer = {"text": "It is.", "lastSeenSeq": 10**15, "force": True}
    for id, refused in ((parcel, ["RECIPIENT_STOPPED"]), (invoice, [])):
        sent = await ben.do(SEND, ticketId=id, identityId=shown[id][0]["id"], **answer)
        assert [error["code"] for error in sent["userErrors"]] == refused


async def test_the_shop_writes_first_only_to_who_agreed_and_never_to_who_stopped(
    house: House, number: Channel, ben: Client
) -> None:
    """Zofia has only ever written mails; her number is typed as in Poland."""
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("zofia@example.com"))
    opening = {
        "address": "600 100 200", "name": "Zofia", "channelId": public_id("Channel", number.id),
        "subject": "Your parcel", "text": "It is here.",
    }  # fmt: skip

    unasked = await ben.refused(START, **opening)
    by_mail = await ben.refused(START, **{**opening, "channelId": public_id("Channel", mailbox.id)})
    agreed = await ben.do(START, agreed=True, **opening)
    twice = await ben.refused(START, agreed=True, **opening)
    await stops(house, number, ZOFIA)
    stopped = await ben.refused(START, agreed=True, **opening)

    assert (unasked, by_mail) == (["NOT_AGREED"], ["INVALID"])
    assert agreed["message"] == {"text": "It is here.", "delivery": "QUEUED", "channel": "SMS"}
    assert twice == ["CANNOT_REPLY"]
    assert stopped == ["RECIPIENT_STOPPED"]
    async with house.db.transaction() as session:
        kept = await session.scalar(select(Consent.history).where(Consent.number == ZOFIA))
    assert [(one["wish"], one["by"]) for one in kept or []] == [("start", "agent"), ("stop", "customer")]


async def test_who_does_not_see_the_ticket_on_which_a_number_is_answered_is_not_told_which(
    house: House, number: Channel, mia: Client, eve: Client
) -> None:
    async with house.db.transaction() as session:
        team = Team(name="Vip")
        session.add(team)
        await session.flush()
        (ticket,) = await tickets(session)
        ticket.team_id = team.id
    opening = {
        "address": ADA, "channelId": public_id("Channel", number.id), "subject": "Your parcel", "text": "It is here.", "agreed": True,
    }  # fmt: skip

    seen, unseen = [(await client.do(START, **opening))["userErrors"][0] for client in (mia, eve)]

    assert seen["code"] == "CANNOT_REPLY"
    assert str(ticket.number) in seen["message"]
    assert unseen == {"code": "NOT_YOURS", "field": ["identityId"], "message": unseen["message"]}
    assert not any(letter.isdigit() for letter in unseen["message"])


async def test_whoever_is_erased_is_still_not_written_to(house: House, number: Channel) -> None:
    await stops(house, number)
    async with house.db.transaction() as session:
        await receive(session, number, a_text("Hello", ZOFIA))
        for hours, wish in enumerate((Wish.STOP, Wish.START)):
            at = NOON + timedelta(hours=hours)
            await receive(session, number, a_text(f"{wish}", ZOFIA, wish=wish, word=wish, at=at))
        for contact in await contacts(session):
            now = await database_time(session)
            erasure = await ask(session, contact, by=SYSTEM, at=now)
            await erasure.confirm(session, house.keys, by=SYSTEM, at=now, days=0, takes_two=False)

    async with house.db.transaction() as session:
        claimed = await ERASURES.claim(session, 5)
    for erasure, lease in claimed:
        await Sealer(house.db, house.keys, house.files).erase(erasure, lease)

    async with house.db.transaction() as session:
        left = (await session.scalars(select(Consent).order_by(Consent.number))).all()
        people = (await session.scalars(select(Contact.erased_at))).all()
    assert [one.number for one in left] == [ADA, f"erased/{left[1].id}"]
    assert [bool(one.stopped_at) for one in left] == [True, False]
    assert [(one.history, one.word) for one in left] == [([], ""), ([], "")]
    assert all(people)


async def test_the_composer_asks_what_a_text_costs(ben: Client) -> None:
    plain = (await ben.ask(SEGMENTS, text="On its way €"))["smsSegments"]
    polish = (await ben.ask(SEGMENTS, text="Paczka już jedzie"))["smsSegments"]

    assert plain == {"encoding": "GSM_7", "segments": 1, "charactersLeft": 147, "reason": None}
    assert polish == {"encoding": "UCS_2", "segments": 1, "charactersLeft": 53, "reason": "ż"}
