"""An answer for several recipients, taken back or on its way, to a server in all moods."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.house import House
from demo.farends import SmtpSink, smtp
from domain.agents.staff import Agent
from domain.answering.addressing import recipients
from domain.answering.replies import Extras, send
from domain.answering.withdrawing import withdraw
from domain.customers.contacts import Identity, IdentityKind
from domain.db import database_time
from domain.desk import spam
from domain.desk.messages import OUTBOX, DeliveryState, Message
from domain.desk.tickets import TicketStatus
from domain.errors import AlreadyLeft, InvalidInput, NotAllowed
from domain.events import Event, EventKind
from domain.sla.targets import Metric
from domain.ways_in.channels import Channel, ChannelKind, is_healthy
from domain.work import TryLater
from integrations.courier import Courier
from integrations.mail.sending.connections import Patience, Relays
from integrations.settings import IntegrationSettings
from tests.factories import a_channel, a_mail, a_promise, an_agent, receive, tickets

A_WHILE = timedelta(seconds=10)


@dataclass
class Post:
    house: House
    sink: SmtpSink
    courier: Courier

    async def carried(self) -> Message:
        async with self.house.db.transaction() as session:
            await session.execute(
                update(Message).where(Message.due_at.is_not(None)).values(due_at=await database_time(session))
            )
        async with self.house.db.transaction() as session:
            ((message, lease),) = await OUTBOX.claim(session, 5)
        await self.courier.carry(message, lease)
        return await self.now(message)

    async def now(self, message: Message) -> Message:
        async with self.house.db.transaction() as session:
            return await session.get_one(Message, message.id)


@pytest.fixture
async def post(house: House) -> AsyncIterator[Post]:
    async with SmtpSink() as sink, Relays(Patience(opening=1, answer=1, mail=2)) as relays:
        settings = IntegrationSettings(smtp_url=f"smtp://{sink.host}:{sink.port}")
        yield Post(house, sink, Courier(house.db, house.keys, house.files, settings, relays))


@pytest.fixture
async def ben_row(house: House) -> Agent:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.EMAIL)
        return await an_agent(session, "Ben")


async def answered(
    house: House, ben: Agent, text: str = "On its way.", *, hears: bool = True, **extras: Any
) -> Message:
    """Ben answers Ada's mail, which comes now if it has to."""
    async with house.db.transaction() as session:
        channel = (await session.scalars(select(Channel).where(Channel.slug == "email"))).one()
        if hears:
            await receive(session, channel, a_mail("ada@example.org"))
        return await _answer(session, house, ben, text, **extras)


async def _answer(session: AsyncSession, house: House, ben: Agent, text: str, **extras: Any) -> Message:
    (ticket,) = await tickets(session)
    identity = (await session.scalars(select(Identity).where(Identity.kind == IdentityKind.EMAIL))).one()
    return await send(
        session,
        house.keys,
        ticket,
        to=identity,
        text=text,
        by=ben.as_actor(),
        at=await database_time(session),
        last_seen_seq=10**15,
        after=extras.pop("after", None),
        undo_for=extras.pop("undo_for", timedelta(0)),
        extras=Extras(**extras),
    )


def refused(message: Message) -> dict[str, str | None]:
    return {one.address: one.refused and one.refused.split()[0] for one in recipients(message.mail)}


async def told(house: House, message: Message) -> list[EventKind]:
    async with house.db.transaction() as session:
        kinds = await session.scalars(
            select(Event.kind).where(Event.item_id == message.id).order_by(Event.seq)
        )
        return list(kinds)


async def test_copies_go_out_with_the_answer_and_a_hidden_one_is_in_no_header(
    post: Post, ben_row: Agent
) -> None:
    await answered(
        post.house, ben_row, cc=["Zofia@Example.com"], bcc=["boss@example.net", "zofia@example.com"]
    )

    message = await post.carried()

    mail = await post.sink.next_mail()
    assert mail.recipients == ["ada@example.org", "zofia@example.com", "boss@example.net"]
    assert (mail.message["To"], mail.message["Cc"]) == ("ada@example.org", "zofia@example.com")
    assert b"boss@example.net" not in mail.raw
    assert message.delivery == DeliveryState.SENT


async def test_a_bounce_comes_back_to_the_conversation(post: Post, ben_row: Agent) -> None:
    await answered(post.house, ben_row)

    await post.carried()

    mail = await post.sink.next_mail()
    assert mail.envelope_from == mail.message["Reply-To"]
    assert mail.envelope_from.startswith("help+t")


@pytest.mark.parametrize(
    ("cc", "field"),
    [
        (["nobody"], "cc"),
        (["a@example.org\r\nBcc: eve@example.net"], "cc"),
        (["józef@example.org"], "cc"),
        (["HELP@shop.example"], "cc"),
        (["help+t1.abc@shop.example"], "cc"),
        ([f"{number}@example.org" for number in range(21)], "cc"),
    ],
)
async def test_what_is_no_address_or_is_our_own_is_refused(
    post: Post, ben_row: Agent, cc: Sequence[str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await answered(post.house, ben_row, cc=cc)

    assert refusal.value.field == [field]


async def test_a_refused_copy_is_told_and_the_answer_is_sent(post: Post, ben_row: Agent) -> None:
    await answered(post.house, ben_row, cc=["zofia@example.com"])
    post.sink.refusals["zofia@example.com"] = "550 5.1.1 no such person"

    message = await post.carried()

    assert message.delivery == DeliveryState.SENT
    assert refused(message) == {"ada@example.org": None, "zofia@example.com": "550"}
    assert message.due_at is None
    assert (await told(post.house, message))[-2:] == [EventKind.MESSAGE_SENT, EventKind.MESSAGE_REFUSED]


async def test_an_answer_that_the_customer_refused_has_failed_although_a_copy_arrived(
    post: Post, ben_row: Agent
) -> None:
    await answered(post.house, ben_row, cc=["zofia@example.com"])
    post.sink.refusals["ada@example.org"] = "550 5.1.1 no such person"

    message = await post.carried()

    assert message.delivery == DeliveryState.FAILED
    assert (message.last_error or "").startswith("550 5.1.1")
    assert refused(message) == {"ada@example.org": "550", "zofia@example.com": None}
    assert post.sink.mails[0].recipients == ["zofia@example.com"]


async def test_only_who_was_put_off_is_tried_again(post: Post, ben_row: Agent) -> None:
    await answered(post.house, ben_row, cc=["zofia@example.com", "boss@example.net"])
    post.sink.refusals["zofia@example.com"] = "450 4.2.0 greylisted"
    with pytest.raises(TryLater):
        await post.carried()
    second = await answered(post.house, ben_row, "And another.", hears=False)
    del post.sink.refusals["zofia@example.com"]

    async with post.house.db.transaction() as session:
        claimed = [message for message, _ in await OUTBOX.claim(session, 5)]

    assert [mail.recipients for mail in post.sink.mails] == [["ada@example.org", "boss@example.net"]]
    assert second.id in [message.id for message in claimed], "a copy holds up no other answer"
    async with post.house.db.transaction() as session:
        first = (
            await session.scalars(
                select(Message).where(Message.text == "On its way.", Message.id != second.id)
            )
        ).one()
        assert first.delivery == DeliveryState.SENT
        second_row = await session.get_one(Message, second.id)
        second_row.due_at = None
    await post.carried()
    assert [mail.recipients for mail in post.sink.mails][1:] == [["zofia@example.com"]]
    assert len({mail.raw for mail in post.sink.mails}) == 1
    assert (await told(post.house, first)).count(EventKind.MESSAGE_SENT) == 1


async def test_a_customer_who_was_put_off_gets_it_later_and_the_copy_not_twice(
    post: Post, ben_row: Agent
) -> None:
    queued = await answered(post.house, ben_row, cc=["zofia@example.com"])
    post.sink.refusals["ada@example.org"] = "452 4.2.2 full"
    with pytest.raises(TryLater):
        await post.carried()
    assert (await post.now(queued)).delivery == DeliveryState.QUEUED
    post.sink.refusals.clear()

    message = await post.carried()

    assert [mail.recipients for mail in post.sink.mails] == [["zofia@example.com"], ["ada@example.org"]]
    assert message.delivery == DeliveryState.SENT


async def test_a_copy_that_never_arrives_does_not_make_the_answer_fail(post: Post, ben_row: Agent) -> None:
    queued = await answered(post.house, ben_row, cc=["zofia@example.com"])
    post.sink.refusals["zofia@example.com"] = "450 4.2.0 greylisted"
    with pytest.raises(TryLater):
        await post.carried()
    async with post.house.db.transaction() as session:
        row = await session.get_one(Message, queued.id)
        row.due_at, row.last_error = None, "450 4.2.0 greylisted"
        await row.give_up(session, at=row.at)

    message = await post.now(queued)

    assert message.delivery == DeliveryState.SENT
    assert refused(message) == {"ada@example.org": None, "zofia@example.com": "450"}


async def test_of_an_answer_to_spam_no_copy_goes_out_any_more(post: Post, ben_row: Agent) -> None:
    queued = await answered(post.house, ben_row, cc=["zofia@example.com"])
    post.sink.refusals["zofia@example.com"] = "450 4.2.0 greylisted"
    with pytest.raises(TryLater):
        await post.carried()

    async with post.house.db.transaction() as session:
        (ticket,) = await tickets(session)
        await spam.mark(session, ticket, by=ben_row.as_actor(), at=await database_time(session))

    message = await post.now(queued)
    assert (message.delivery, message.due_at) == (DeliveryState.SENT, None)
    assert refused(message) == {"ada@example.org": None, "zofia@example.com": "It"}
    assert (await told(post.house, message))[-2:] == [EventKind.MESSAGE_SENT, EventKind.MESSAGE_REFUSED]


async def test_what_may_have_arrived_is_sent_again_to_the_byte(post: Post, ben_row: Agent) -> None:
    await answered(post.house, ben_row)
    post.sink.misbehave("reset_after_dot")
    with pytest.raises(TryLater):
        await post.carried()

    await post.carried()

    first, second = post.sink.mails
    assert first.raw == second.raw


@pytest.mark.parametrize(
    "mood", ["silent", "drip", "hang_at_data", "hang", "closing", "busy", "full", "greylist"]
)
async def test_a_passing_mood_of_the_server_loses_no_answer(
    post: Post, ben_row: Agent, mood: smtp.Fault
) -> None:
    await answered(post.house, ben_row)
    post.sink.misbehave(mood)
    with pytest.raises(TryLater):
        await post.carried()

    message = await post.carried()

    assert message.delivery == DeliveryState.SENT


async def test_a_channel_says_what_is_wrong_until_an_answer_leaves(post: Post, ben_row: Agent) -> None:
    async def health() -> tuple[bool, str | None]:
        async with post.house.db.transaction() as session:
            one = (await session.scalars(select(Channel).where(Channel.slug == "email"))).one()
            return is_healthy(disabled_at=one.disabled_at, last_error=one.last_error), one.last_error

    await answered(post.house, ben_row)
    post.sink.misbehave("closing")
    with pytest.raises(TryLater):
        await post.carried()
    ill, error = await health()
    assert not ill
    assert (error or "").startswith("421")

    await post.carried()

    assert await health() == (True, None)


async def test_other_mailboxes_go_on_while_one_server_hangs(post: Post, ben_row: Agent) -> None:
    async with SmtpSink() as other:
        other.misbehave("hang", times=20)
        async with post.house.db.transaction() as session:
            slow = await a_channel(
                session,
                post.house.keys,
                ChannelKind.EMAIL,
                slug="slow",
                address="slow@shop.example",
                smtp_url=f"smtp://{other.host}:{other.port}",
            )
            channel = (await session.scalars(select(Channel).where(Channel.slug == "email"))).one()
            for number in range(20):
                through = slow if number < 12 else channel
                await receive(session, through, a_mail(f"writer{number}@example.org", f"Question {number}"))
            identities = {one.contact_id: one for one in await session.scalars(select(Identity))}
            for ticket in await tickets(session):
                identity = identities[ticket.contact_id]
                await send(
                    session,
                    post.house.keys,
                    ticket,
                    to=identity,
                    text=f"Answer to {identity.value}",
                    by=ben_row.as_actor(),
                    at=ticket.created_at,
                    last_seen_seq=10**15,
                )

        running = asyncio.create_task(post.courier.run())
        got = [await post.sink.next_mail(timeout=20) for _ in range(8)]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert {mail.recipients[0] for mail in got} == {f"writer{number}@example.org" for number in range(12, 20)}


async def test_an_answer_that_is_taken_back_never_leaves_and_the_ticket_is_as_it_was(
    post: Post, ben_row: Agent
) -> None:
    async with post.house.db.transaction() as session:
        await a_promise(session)
    queued = await answered(post.house, ben_row, undo_for=A_WHILE, after=TicketStatus.SOLVED)

    async with post.house.db.transaction() as session:
        done = await withdraw(session, queued.id, by=ben_row.as_actor(), at=await database_time(session))

    assert (done.message.text, done.ticket.status) == ("On its way.", TicketStatus.NEW)
    assert done.ticket.solved_at is None
    assert (await post.now(queued)).delivery == DeliveryState.UNDONE
    async with post.house.db.transaction() as session:
        assert await OUTBOX.claim(session, 5) == []
    assert (await told(post.house, queued))[-1] == EventKind.MESSAGE_UNDONE
    assert await running_clocks(post.house) == [Metric.FIRST_REPLY]


async def running_clocks(house: House) -> list[Metric]:
    from domain.sla.clocks import RUNNING, Clock

    async with house.db.transaction() as session:
        return list(await session.scalars(select(Clock.metric).where(RUNNING)))


async def test_what_has_left_is_not_taken_back(post: Post, ben_row: Agent) -> None:
    queued = await answered(post.house, ben_row, undo_for=A_WHILE)
    await post.carried()

    async with post.house.db.transaction() as session:
        with pytest.raises(AlreadyLeft):
            await withdraw(session, queued.id, by=ben_row.as_actor(), at=queued.at)


async def test_an_answer_is_taken_back_or_carried_and_never_both(post: Post, ben_row: Agent) -> None:
    """The courier claims it at the very moment at which Ben takes it back."""
    await answered(post.house, ben_row)

    async def takes_back(id: Any, at: datetime) -> bool:
        try:
            async with post.house.db.transaction() as session:
                await withdraw(session, id, by=ben_row.as_actor(), at=at)
        except AlreadyLeft:
            return False
        return True

    async def claims() -> bool:
        async with post.house.db.transaction() as session:
            claimed = await OUTBOX.claim(session, 1)
            for message, _ in claimed:
                message.due_at = None
            return bool(claimed)

    (first, *_) = [await answered(post.house, ben_row, "Once more.", hears=False)]
    async with post.house.db.transaction() as session:
        await session.execute(update(Message).where(Message.id != first.id).values(due_at=None))
    for _ in range(10):
        async with post.house.db.transaction() as session:
            again = await session.get_one(Message, first.id)
            again.delivery, again.attempts = DeliveryState.QUEUED, 0
            again.due_at = await database_time(session)

        undone, carried = await asyncio.gather(takes_back(first.id, first.at), claims())

        assert undone != carried


async def test_only_who_wrote_it_or_manages_takes_it_back(post: Post, ben_row: Agent) -> None:
    queued = await answered(post.house, ben_row, undo_for=A_WHILE)
    async with post.house.db.transaction() as session:
        bo = await an_agent(session, "Bo")

        with pytest.raises(NotAllowed):
            await withdraw(session, queued.id, by=bo.as_actor(), at=queued.at)
