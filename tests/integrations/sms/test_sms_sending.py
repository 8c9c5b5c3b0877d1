"""Text messages of ours, to providers in all moods."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from api.house import House
from domain import consents
from domain.channels import Channel, ChannelKind
from domain.consents import ConsentWord, Wish
from domain.contacts import Claim, Contact, Identity, IdentityKind
from domain.errors import GoesOnElsewhere, RecipientStopped, TooManySegments
from domain.inbound import InboundMessage
from domain.messages import OUTBOX, DeliveryState, Message
from domain.opening import open_ticket
from domain.replies import send
from domain.tickets import locked
from domain.work import TryLater
from integrations.courier import Courier
from integrations.settings import IntegrationSettings
from integrations.sms import posting
from tests.factories import NOON, a_channel, an_agent, receive, tickets
from tests.integrations.sms.provider import Fault, SmsStandIn

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
            (ticket,) = await tickets(session)
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


async def a_shop(house: House, far: SmsStandIn, provider: str, **others: Any) -> Shop:
    """Ada has written to it by text message."""
    settings = IntegrationSettings(twilio_url=far.url, vonage_url=far.url)
    courier = Courier(house.db, house.keys, house.files, settings, base_url="https://help.shop.example")
    told = {"provider": provider, **SETTINGS[provider], **others}
    if provider == "infobip":
        told["base_url"] = far.url
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


@pytest.mark.parametrize(
    ("provider", "fault", "code", "state", "says"),
    [
        ("twilio", "refuse", "21211", DeliveryState.FAILED, "not a number that can be reached"),
        ("twilio", "refuse", "21614", DeliveryState.FAILED, "not a mobile"),
        ("twilio", "refuse", "99999", DeliveryState.FAILED, "99999: Refused"),
        ("twilio", "refuse", "21606", DeliveryState.QUEUED, "21606"),
        ("infobip", "refuse", "REJECTED_DESTINATION", DeliveryState.FAILED, "REJECTED_DESTINATION"),
        ("infobip", "refuse", "REJECTED_NOT_ENOUGH_CREDITS", DeliveryState.QUEUED, "NOT_ENOUGH_CREDITS"),
        ("vonage", "refuse", "6", DeliveryState.FAILED, "cannot be processed"),
        ("vonage", "refuse", "7", DeliveryState.FAILED, "barred"),
        ("vonage", "refuse", "1", DeliveryState.QUEUED, "too many at once"),
        ("vonage", "refuse", "9", DeliveryState.QUEUED, "no money"),
        ("vonage", "refuse", "0 7", DeliveryState.FAILED, "Only 1 of 2 parts"),
        *((provider, "throttled", "", DeliveryState.QUEUED, "too many at once") for provider in PROVIDERS),
        *((provider, "server_error", "", DeliveryState.QUEUED, "HTTP 500") for provider in PROVIDERS),
        ("twilio", "unauthorized", "", DeliveryState.QUEUED, "20003"),
        ("infobip", "unauthorized", "", DeliveryState.QUEUED, "Invalid login"),
        ("vonage", "unauthorized", "", DeliveryState.QUEUED, "the key or the secret is wrong"),
    ],
)
async def test_each_refusal_has_its_own_end(
    house: House, far: SmsStandIn, provider: str, fault: Fault, code: str, state: DeliveryState, says: str
) -> None:
    """What is wrong with the message fails it; what is wrong with the account makes the channel ill, and the message waits."""
    shop = await a_shop(house, far, provider)
    await shop.answers()
    far.misbehave(fault)
    far.code = code

    done = await shop.carried()

    assert done.delivery == state
    assert says in (done.last_error or "")
    ill = await shop.health()
    assert (ill is None) == (state == DeliveryState.FAILED)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", ["after_success", "bad_gateway", "html"])
async def test_a_message_of_which_nobody_knows_is_asked_for_and_not_doubled(
    house: House, far: SmsStandIn, provider: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "TIMEOUT", httpx.Timeout(0.3))
    shop = await a_shop(house, far, provider)
    await shop.answers()
    far.misbehave(fault)

    waiting, done = await shop.carried(), await shop.carried()

    assert waiting.delivery == DeliveryState.QUEUED
    assert (waiting.last_error or "").startswith("It may have arrived")
    if provider == "vonage":  # cannot be asked
        assert done.delivery == DeliveryState.FAILED
        assert "may have arrived" in (done.last_error or "")
        assert len(far.sent) == (fault == "after_success")
    else:
        (sent,) = far.sent
        assert (done.delivery, done.external_id) == (DeliveryState.SENT, sent.id)
        assert far.asked == 1


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
    assert (done.delivery, done.last_error) == (DeliveryState.FAILED, RecipientStopped.sentence)
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
