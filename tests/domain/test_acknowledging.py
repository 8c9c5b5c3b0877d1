"""What a shop answers by itself, in every written channel."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.arriving import intake
from domain.arriving.inbound import Arrival, InboundMessage, keep
from domain.customers.contacts import Identity
from domain.desk.messages import DeliveryState, Direction, Message
from domain.desk.tickets import Ticket, TicketStatus
from domain.keys import Keys
from domain.sla.calendars import Calendar
from domain.sla.clocks import Clock
from domain.ways_in.blocking import block_identity
from domain.ways_in.channels import Channel, ChannelKind
from tests.factories import NOON, a_channel, a_chat, a_mail, a_messenger_message, a_promise

SATURDAY = datetime(2026, 3, 7, 12, tzinfo=UTC)
WEEK = {
    "zone": "Europe/Warsaw",
    "weekly": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu")},
}


async def said(session: AsyncSession, keys: Keys, channel: Channel, message: InboundMessage) -> None:
    kept = await keep(session, channel, external_id=message.external_id, raw=b"")
    arrival = await session.get_one(Arrival, kept)
    arrival.received_at = message.at
    await intake.receive(session, channel, arrival, message, keys=keys)


async def answers(session: AsyncSession) -> list[Message]:
    ours = select(Message).where(Message.direction == Direction.OUT, Message.automatic.is_(True))
    return list(await session.scalars(ours.order_by(Message.seq)))


@pytest.mark.parametrize(
    ("kind", "message", "delivery"),
    [
        (ChannelKind.CHAT, a_chat("v1", locale="pl"), DeliveryState.SENT),
        (ChannelKind.MESSENGER, a_messenger_message("p1", locale="pl"), DeliveryState.QUEUED),
    ],
)
async def test_who_opens_a_ticket_gets_its_number_once_from_a_machine_that_says_so(
    session: AsyncSession, keys: Keys, kind: ChannelKind, message: InboundMessage, delivery: DeliveryState
) -> None:
    await a_promise(session)
    channel = await a_channel(session, keys, kind, acknowledge=True)

    await said(session, keys, channel, message)
    await said(session, keys, channel, _again(message))

    (answer,) = await answers(session)
    number = answer.text.partition("Jej numer to ")[2].partition(".")[0]
    assert answer.text.startswith("Wiadomość automatyczna\nOtrzymaliśmy Państwa wiadomość.")
    assert number.isdigit()
    assert (answer.delivery, answer.agent_id, answer.mail) == (delivery, None, None)
    assert [clock.met_at for clock in await session.scalars(select(Clock))] == [None], (
        "nobody has answered yet"
    )


def _again(message: InboundMessage) -> InboundMessage:
    """The same person goes on."""
    return replace(message, external_id=f"{message.external_id}+1", text="Hello?")


@pytest.mark.parametrize(
    ("own", "at", "words"),
    [
        ({}, SATURDAY, "Ahora mismo no hay nadie. Volvemos: lunes, 09:00."),
        (
            {"acknowledgement_closed": {"es": "Cerrado ({number}) hasta {opens}"}},
            SATURDAY,
            "Cerrado ({n}) hasta lunes, 09:00",
        ),
        ({"acknowledgement_closed": {"es": "Cerrado"}}, SATURDAY, "Cerrado\n\n#{n}"),
        (
            {"acknowledgement": {"es": "Gracias, {number}"}},
            SATURDAY,
            "Gracias, {n}\n\nAhora mismo no hay nadie. Volvemos: lunes, 09:00.",
        ),
        ({"acknowledgement_closed": {"es": "Cerrado"}}, NOON, "Le responderemos lo antes posible."),
    ],
    ids=["ours", "own", "own without a number", "own of open hours", "open"],
)
@pytest.mark.parametrize("kind", [ChannelKind.CHAT, ChannelKind.EMAIL])
async def test_while_nobody_is_there_it_says_when_somebody_is(
    session: AsyncSession, keys: Keys, kind: ChannelKind, own: dict[str, object], at: datetime, words: str
) -> None:
    calendar = Calendar(name="Shop", hours=WEEK)
    session.add(calendar)
    await session.flush()
    channel = await a_channel(session, keys, kind, acknowledge=True, language="es", **own)
    channel.calendar_id = calendar.id

    message = a_mail("ada@example.org", at=at) if kind == ChannelKind.EMAIL else a_chat("v1", at=at)
    await said(session, keys, channel, message)

    (answer,) = await answers(session)
    number = str((await session.scalars(select(Ticket.number))).one())
    assert words.replace("{n}", number) in answer.text
    assert ("Mensaje automático" in answer.text) == (kind == ChannelKind.CHAT)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "We are back: Monday, 9 March, 09:00."),
        ("pl", "Wracamy: poniedziałek, 9 marca, 09:00."),
        ("es", "Volvemos: lunes, 9 de marzo, 09:00."),
        ("ca", "Tornem: dilluns, 9 de març, 09:00."),
    ],
)
async def test_a_day_that_may_be_another_weeks_is_told_with_its_date(
    session: AsyncSession, keys: Keys, language: str, words: str
) -> None:
    calendar = Calendar(name="Shop", hours={"zone": "Europe/Warsaw", "weekly": {"mon": [["09:00", "17:00"]]}})
    session.add(calendar)
    await session.flush()
    channel = await a_channel(session, keys, ChannelKind.CHAT, acknowledge=True, language=language)
    channel.calendar_id = calendar.id

    await said(session, keys, channel, a_chat("v1", at=datetime(2026, 3, 2, 20, tzinfo=UTC)))

    (answer,) = await answers(session)
    assert words in answer.text


async def test_nobody_is_answered_more_than_three_times_a_day_and_who_is_blocked_never(
    session: AsyncSession, keys: Keys
) -> None:
    channel = await a_channel(session, keys, ChannelKind.MESSENGER, acknowledge=True)
    for number in range(5):
        at = NOON + timedelta(minutes=number)
        await said(session, keys, channel, a_messenger_message("p1", f"Another order: {number}", at=at))
        for ticket in await session.scalars(select(Ticket)):
            ticket.change(by=SYSTEM, at=at, status=TicketStatus.CLOSED)
        await session.flush()
    identity = (await session.scalars(select(Identity))).one()

    assert len(await answers(session)) == 3
    await block_identity(session, identity, by=SYSTEM, at=NOON)
    await said(session, keys, channel, a_messenger_message("p1", "Hello?", at=NOON + timedelta(days=2)))
    assert len(await answers(session)) == 3


@pytest.mark.parametrize(
    "message",
    [
        a_messenger_message("p1", from_shop=True),
        a_messenger_message("p1", automatic=True),
        a_messenger_message("p1", answerable=False),
        a_messenger_message("p1", at=datetime.now(UTC) - timedelta(days=2)),
    ],
    ids=["an echo", "automatic", "standby", "out of the window"],
)
async def test_no_machine_echo_or_old_message_is_answered(
    session: AsyncSession, keys: Keys, message: InboundMessage
) -> None:
    channel = await a_channel(session, keys, ChannelKind.MESSENGER, acknowledge=True)

    kept = await keep(session, channel, external_id=message.external_id, raw=b"")
    await intake.receive(session, channel, await session.get_one(Arrival, kept), message, keys=keys)

    assert await answers(session) == []
