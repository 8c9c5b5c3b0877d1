"""Text messages of ours, to providers in all moods."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import httpx
import pytest
from sqlalchemy import select, update

from api.house import House
from domain.actors import SYSTEM
from domain.answering.delivery_problems import Problem, told
from domain.answering.replies import send
from domain.arriving.inbound import InboundMessage
from domain.arriving.opening import open_ticket
from domain.customers import consents
from domain.customers.consents import ConsentWord, Wish
from domain.customers.contacts import Claim, Contact, Identity, IdentityKind
from domain.desk.messages import OUTBOX, DeliveryState, Message
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.errors import GoesOnElsewhere, RecipientStopped, TooManySegments
from domain.hands import work
from domain.joining.merging import merge_tickets
from domain.languages import translate
from domain.ways_in import channels
from domain.ways_in.channels import Channel, ChannelKind
from domain.work import TryLater
from integrations.courier import Courier
from integrations.settings import IntegrationSettings
from integrations.sms import posting
from tests.factories import NOON, a_channel, an_agent, receive, tickets
from tests.integrations.receiver import nobody_at_the_first
from tests.integrations.sms.provider import Fault, SmsStandIn
from tests.locks import cut_off_who_waits

ADA = "+34600100200"
PROVIDERS = ("twilio", "infobip", "vonage")
SETTINGS: dict[str, dict[str, Any]] = {
    "twilio": {},
    "infobip": {"api_key": "key", "token": "a token"},
    "vonage": {"api_key": "key", "api_secret": "secret", "token": "a token"},
}


def a_text(text: str, number: str = ADA, **others: Any) -> InboundMessage:
    claims = (Claim(IdentityKind.PHONE, number, None, label=number),)
    id = others.pop("id", f"in/{text}")
    return InboundMessage(
        external_id=id, claims=claims, at=others.pop("at", NOON), text=text, thread_key=number, **others
    )


@dataclass
class Shop:
    house: House
    far: SmsStandIn
    courier: Courier
    channel: Channel

    async def answers(self, text: str = "On its way.", **others: Any) -> Message:
        """Ben answers the one ticket."""
        async with self.house.db.transaction() as session:
            ticket, *_ = await tickets(session)
            ticket = await locked(session, others.pop("ticket_id", ticket.id))
            identity = (await session.scalars(select(Identity).where(Identity.value == ADA))).one()
            ben = await an_agent(session, others.pop("name", "Ben"))
            return await send(
                session, self.house.keys, ticket, to=identity, text=text, by=ben.as_actor(), at=NOON,
                last_seen_seq=10**15,
            )  # fmt: skip

    async def carried(self) -> Message:
        """What became of the one that is due."""
        async with self.house.db.transaction() as session:
            await session.execute(update(Message).where(Message.due_at.is_not(None)).values(due_at=NOON))
            ((message, lease),) = await OUTBOX.claim(session, 5)
        try:
            await self.courier.carry(message, lease)
        except TryLater as later:
            async with self.house.db.transaction() as session:
                await lease.retry(session, after=later.after or 1, error=str(later))
        return await self.now(message)

    async def put_aside(self) -> None:
        """Whatever waits, and what is said of the channel."""
        async with self.house.db.transaction() as session:
            await session.execute(update(Message).where(Message.due_at.is_not(None)).values(due_at=None))
            await channels.sends(session, self.channel.id)

    async def now(self, message: Message) -> Message:
        async with self.house.db.transaction() as session:
            return await session.get_one(Message, message.id)

    async def health(self) -> str | None:
        async with self.house.db.transaction() as session:
            return await session.scalar(select(Channel.last_error).where(Channel.id == self.channel.id))


@pytest.fixture
async def far() -> AsyncIterator[SmsStandIn]:
    async with SmsStandIn() as far:
        yield far


async def a_shop(
    house: House, far: SmsStandIn, provider: str, *, private: bool = True, **others: Any
) -> Shop:
    """Ada has written to it by text message."""
    settings = IntegrationSettings(twilio_url=far.url, vonage_url=far.url, webhooks_private=private)
    courier = Courier(house.db, house.keys, house.files, settings, base_url="https://help.shop.example")
    told = {"provider": provider, **SETTINGS[provider], **others}
    if provider == "infobip":
        told = {"base_url": far.url, **told}
    async with house.db.transaction() as session:
        channel = await a_channel(session, house.keys, ChannelKind.SMS, **told)
        await receive(session, channel, a_text("Where is my parcel?"))
    return Shop(house, far, courier, channel)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_answer_goes_to_the_number_it_answers_and_asks_to_be_reported_on(
    house: House, far: SmsStandIn, provider: str
) -> None:
    shop = await a_shop(house, far, provider)
    message = await shop.answers("Zażółć gęślą jaźń")

    done = await shop.carried()

    (sent,) = far.sent
    assert (done.delivery, done.external_id) == (DeliveryState.SENT, sent.id)
    assert (sent.to.removeprefix("+"), sent.text) == (ADA.removeprefix("+"), "Zażółć gęślą jaźń")
    told = str(sent.asked)
    door = "twilio/sms/sms/status?message=" if provider == "twilio" else "sms/sms/a token"
    assert f"https://help.shop.example/hooks/{door}" in told
    assert str(message.id) in told


WAITS, FAILS = DeliveryState.QUEUED, DeliveryState.FAILED
Refusal: TypeAlias = tuple[Fault, str, DeliveryState, str]
PASSING: tuple[Refusal, ...] = (
    ("throttled", "", WAITS, "too many at once"),
    ("server_error", "", WAITS, "HTTP 500"),
)
REFUSALS: dict[str, tuple[Refusal, ...]] = {
    "twilio": (
        ("refuse", "21211", FAILS, "not a number that can be reached"),
        ("refuse", "21614", FAILS, "not a mobile"),
        ("refuse", "99999", FAILS, "99999: Refused"),
        ("refuse", "21606", WAITS, "21606"),
        ("unauthorized", "", WAITS, "20003"),
        *PASSING,
    ),
    "infobip": (
        ("refuse", "REJECTED_DESTINATION", FAILS, "REJECTED_DESTINATION"),
        ("refuse", "REJECTED_NOT_ENOUGH_CREDITS", WAITS, "NOT_ENOUGH_CREDITS"),
        ("unauthorized", "", WAITS, "Invalid login"),
        *PASSING,
    ),
    "vonage": (
        ("refuse", "6", FAILS, "cannot be processed"),
        ("refuse", "7", FAILS, "barred"),
        ("refuse", "1", WAITS, "too many at once"),
        ("refuse", "9", WAITS, "no money"),
        ("refuse", "0 7", FAILS, "Only a part of this"),
        ("unauthorized", "", WAITS, "the key or the secret is wrong"),
        *PASSING,
    ),
}


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_each_refusal_has_its_own_end(house: House, far: SmsStandIn, provider: str) -> None:
    """What is wrong with the message fails it; what is wrong with the account makes the channel ill, and the message waits."""
    shop = await a_shop(house, far, provider)
    ends = []
    for place, (fault, far.code, _, says) in enumerate(REFUSALS[provider]):
        await shop.answers(name=f"Ben {place}")
        far.misbehave(fault)
        done = await shop.carried()
        ends.append(
            (
                done.delivery,
                says in (told(done.particulars, done.last_error, "en") or ""),
                await shop.health() is None,
            )
        )
        await shop.put_aside()

    assert ends == [(state, True, state == FAILS) for *_, state, _ in REFUSALS[provider]]


async def test_nothing_is_sent_within_our_own_network_and_the_answer_waits(
    house: House, far: SmsStandIn
) -> None:
    shop = await a_shop(house, far, "infobip", private=False, base_url=far.url.replace("http", "https"))
    await shop.answers()

    done = await shop.carried()

    assert list(far.sent) == []
    assert (done.delivery, done.last_error) == (WAITS, "127.0.0.1 lies in a private network")
    assert await shop.health() == done.last_error


async def test_a_provider_of_two_addresses_is_asked_at_the_second_where_nobody_is_at_the_first(
    house: House, far: SmsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await a_shop(house, far, "infobip", base_url=far.url.replace("127.0.0.1", "both.example"))
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody_at_the_first)
    await shop.answers()

    done = await shop.carried()

    assert (done.delivery, len(far.sent)) == (DeliveryState.SENT, 1)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_message_of_which_nobody_knows_is_asked_for_and_not_doubled(
    house: House, far: SmsStandIn, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "TIMEOUT", httpx.Timeout(1.0))
    shop = await a_shop(house, far, provider)
    faults: tuple[Fault, ...] = ("after_success", "bad_gateway", "html")
    for place, fault in enumerate(faults):
        await shop.answers(f"{place}", name=f"Ben {place}")
        far.misbehave(fault)

        waiting, done = await shop.carried(), await shop.carried()

        assert (waiting.delivery, "maybe_sent" in (waiting.particulars or {})) == (WAITS, True)
        if provider == "vonage":  # cannot be asked
            assert (done.delivery, (done.particulars or {})["problem"]) == (FAILS, Problem.MAY_HAVE_ARRIVED)
        else:
            assert (done.delivery, done.external_id) == (DeliveryState.SENT, far.sent[-1].id)
    there = ["0"] if provider == "vonage" else ["0", "1", "2"]
    assert [one.text for one in far.sent] == there
    assert far.asked == (0 if provider == "vonage" else 3)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_message_that_left_and_could_not_be_written_down_is_not_doubled(
    house: House, far: SmsStandIn, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.hands.back_off", lambda attempt: 0.01)
    shop = await a_shop(house, far, provider)
    message = await shop.answers()

    async with house.db.transaction() as session:
        await channels.fails_to_send(session, shop.channel.id, error="HTTP 500")
    async with house.db.transaction() as session:
        await session.execute(select(Channel).with_for_update(key_share=True))
        working = asyncio.create_task(work(house.db, OUTBOX, shop.courier.carry, poll=0.02))
        await cut_off_who_waits(house)
    async with asyncio.timeout(30):
        while (message := await shop.now(message)).due_at:
            await asyncio.sleep(0.02)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert len(far.sent) == 1
    assert message.delivery == (FAILS if provider == "vonage" else DeliveryState.SENT)


async def test_twilio_may_have_the_same_words_from_another_message_of_ours(
    house: House, far: SmsStandIn
) -> None:
    shop = await a_shop(house, far, "twilio")
    await shop.answers("OK")
    await shop.carried()
    await shop.answers("OK", name="Bo")
    far.misbehave("bad_gateway")
    await shop.carried()

    done = await shop.carried()

    assert [one.text for one in far.sent] == ["OK", "OK"]
    assert done.external_id == far.sent[1].id


async def test_what_waits_when_its_recipient_says_stop_does_not_go(house: House, far: SmsStandIn) -> None:
    shop = await a_shop(house, far, "twilio")
    await shop.answers()
    async with house.db.transaction() as session:
        await receive(session, shop.channel, a_text("STOP", wish=Wish.STOP, word="stop"))

    done = await shop.carried()

    assert list(far.sent) == []
    assert done.delivery == DeliveryState.FAILED
    assert told(done.particulars, done.last_error, "es") == translate("es", RecipientStopped.sentence)
    with pytest.raises(RecipientStopped):
        await shop.answers("Are you sure?", name="Bo")


async def test_what_twilio_knows_of_who_wants_nothing_is_known_here_too(
    house: House, far: SmsStandIn
) -> None:
    shop = await a_shop(house, far, "twilio")
    await shop.answers()
    far.misbehave("refuse")
    far.code = "21610"

    done = await shop.carried()

    assert done.delivery == DeliveryState.FAILED
    with pytest.raises(RecipientStopped):
        await shop.answers(name="Bo")


async def test_a_message_has_as_many_segments_as_its_channel_allows(house: House, far: SmsStandIn) -> None:
    shop = await a_shop(house, far, "twilio", most_segments=2)

    await shop.answers("a" * 306)
    with pytest.raises(TooManySegments) as refusal:
        await shop.answers("ą" * 135, name="Bo")

    assert refusal.value.values == {"count": 3, "most": 2}


async def test_a_number_has_one_conversation_at_a_time(house: House, far: SmsStandIn) -> None:
    """Ada's answer could belong to either of two."""
    await a_shop(house, far, "twilio")
    async with house.db.transaction() as session:
        (first,) = await tickets(session)
        identity = (await session.scalars(select(Identity))).one()
        ben = await an_agent(session, "Ben")
        contact = await session.get_one(Contact, identity.contact_id)
        other = open_ticket(session, contact, subject="Invoice", by=ben.as_actor(), at=NOON)
        await session.flush()

        with pytest.raises(GoesOnElsewhere) as refusal:
            await send(
                session, house.keys, other, to=identity, text="Hello", by=ben.as_actor(), at=NOON,
                last_seen_seq=10**15,
            )  # fmt: skip

    assert refusal.value.values == {"number": first.number}


async def test_a_closed_tickets_conversation_is_not_taken_up_beside_a_later_one(
    house: House, far: SmsStandIn
) -> None:
    """Ada's answer would go to the later one."""
    shop = await a_shop(house, far, "twilio")
    async with house.db.transaction() as session:
        (closed,) = await tickets(session)
        closed.change(by=SYSTEM, at=NOON, status=TicketStatus.CLOSED)
        await receive(session, shop.channel, a_text("And my other parcel?", at=NOON + timedelta(days=60)))
        _, later = await tickets(session)

    with pytest.raises(GoesOnElsewhere) as refusal:
        await shop.answers(ticket_id=closed.id)
    assert refusal.value.values == {"number": later.number}

    async with house.db.transaction() as session:
        (await session.get_one(Ticket, later.id)).change(by=SYSTEM, at=NOON, status=TicketStatus.CLOSED)
    answered = await shop.answers(ticket_id=closed.id, name="Bo")
    async with house.db.transaction() as session:
        open_ones = await session.scalars(select(Thread.id).where(Thread.ended_at.is_(None)))
        assert open_ones.all() == [answered.thread_id]


async def test_of_two_conversations_of_one_ticket_the_one_that_goes_on_carries_the_answer(
    house: House, far: SmsStandIn
) -> None:
    shop = await a_shop(house, far, "twilio")
    async with house.db.transaction() as session:
        (first,) = await tickets(session)
        first.change(by=SYSTEM, at=NOON, status=TicketStatus.CLOSED)
        await receive(session, shop.channel, a_text("And my other parcel?", at=NOON + timedelta(days=60)))
        _, second = await tickets(session)
        live = await session.scalar(select(Thread).where(Thread.ticket_id == second.id))
        assert live
        live.last_inbound_at = None  # as where the shop began it
        await merge_tickets(session, second, [first], by=SYSTEM, at=NOON)

    answered = await shop.answers(ticket_id=second.id)

    assert answered.thread_id == live.id


async def test_words_about_consent_hold_by_their_own_time(house: House, far: SmsStandIn) -> None:
    shop = await a_shop(house, far, "twilio")
    stop = ConsentWord(Wish.STOP, "baja", "1", NOON)
    start = ConsentWord(Wish.START, "alta", "2", NOON + timedelta(hours=1))
    earlier = ConsentWord(Wish.STOP, "stop", "0", NOON - timedelta(hours=1))

    found: list[datetime | None] = []
    async with house.db.transaction() as session:
        for word in (stop, start, stop, earlier, start):
            await consents.heed(session, shop.channel.id, ADA, word)
            found.append(await consents.stopped_at(session, shop.channel.id, ADA))
        row = (await session.scalars(select(consents.Consent))).one()

    assert found == [NOON, None, None, None, None]
    assert [one["word"] for one in row.history] == ["stop", "baja", "alta"]
    assert row.started_at == start.at


async def test_a_yes_that_is_read_before_the_no_it_answers_is_the_last_word(
    house: House, far: SmsStandIn
) -> None:
    shop = await a_shop(house, far, "twilio")
    start = a_text("START", wish=Wish.START, word="start", at=NOON + timedelta(minutes=5))
    stop = a_text("STOP", wish=Wish.STOP, word="stop", at=NOON)
    async with house.db.transaction() as session:
        await receive(session, shop.channel, start)
        await receive(session, shop.channel, stop)

    await shop.answers()

    assert (await shop.carried()).delivery == DeliveryState.SENT
