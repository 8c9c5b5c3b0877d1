"""What happens in a shop in some weeks, at random, by the verbs that people's doors use."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import following
from domain.actors import Actor, Role
from domain.agents.staff import Agent, Team
from domain.answering import replies, withdrawing
from domain.arriving.inbound import CallStep
from domain.complaints import moving
from domain.complaints.complaints import LEADS, Complaint
from domain.complaints.opening import open_complaint
from domain.complaints.stages import FOLLOWING, Outcome, Stage
from domain.customers.contacts import Identity
from domain.db import Database, new_id
from domain.desk import spam
from domain.desk.messages import DeliveryState, Direction, Message
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.desk.tickets import LIVE, Ticket, TicketStatus
from domain.errors import NotFound, Refused
from domain.events import EventKind, any_pending, record
from domain.joining import merging, splitting, undoing
from domain.joining.moves import Move
from domain.keys import Keys
from domain.reporting import keeping
from domain.sla import deadlines, policies, reckoning
from domain.sla.hours import Hours
from domain.sla.targets import Metric, Target
from domain.ways_in.channels import Channel, ChannelKind
from domain.working import snoozing
from tests.factories import a_call_step, a_channel, a_chat, a_mail, an_agent, receive

BEGIN = datetime(2026, 2, 12, 7, tzinfo=UTC)
PEOPLE = ("ada@example.org", "zofia@example.com", "rosa@example.net")
NUMBERS = ("+48600100200", "+48600100201")
OFFICE = Hours.from_json(
    {
        "zone": "Europe/Warsaw",
        "weekly": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    }
)


class Days:
    """Each deed commits; time goes on by minutes or hours. `pace`: seconds to the next deed, at most."""

    def __init__(self, db: Database, keys: Keys, seed: int, *, pace: int) -> None:
        self.db, self.keys, self.now = db, keys, BEGIN
        self._random, self._pace = random.Random(seed), pace
        self._calls = 0
        self.deeds: tuple[tuple[int, Callable[[AsyncSession], Awaitable[None]]], ...] = (
            (22, self._mail),
            (10, self._chat),
            (3, self._machine),
            (8, self._call),
            (24, self._answer),
            (16, self._assign),
            (10, self._status),
            (4, self._slip),
            (4, self._snooze),
            (4, self._wake),
            (3, self._team),
            (3, self._merge),
            (3, self._split),
            (4, self._undo),
            (2, self._spam),
            (3, self._failed),
            (2, self._withdrawn),
            (2, self._note),
            (3, self._breached),
            (4, self._complain),
            (9, self._advance),
            (1, self._policy),
        )

    async def open(self) -> None:
        async with self.db.transaction() as session:
            self.channels = {
                kind: await a_channel(session, self.keys, kind)
                for kind in (ChannelKind.EMAIL, ChannelKind.CHAT, ChannelKind.PHONE)
            }
            self.teams = [Team(id=new_id(), name=name) for name in ("Support", "Returns")]
            session.add_all(self.teams)
            await session.flush()
            self.channels[ChannelKind.EMAIL].team_id = self.teams[0].id
            self.agents = [await an_agent(session, name, Role.MANAGER) for name in ("Ben", "Bo", "Mia")]
            await self._promise(session, 4 * 3600)
            await following.begin(session, reckoning.READER, following.FROM_THE_FIRST)
            await following.begin(session, keeping.READER, following.FROM_THE_FIRST)

    async def go_on(self, deeds: int) -> None:
        weights = [weight for weight, _ in self.deeds]
        for _ in range(deeds):
            self.now += timedelta(seconds=self._random.randint(1, self._pace))
            (_, deed) = self._random.choices(self.deeds, weights)[0]
            try:
                async with self.db.transaction() as session:
                    await deed(session)
            except Refused:
                continue  # as a person would be refused
            if self._random.random() < 0.3:
                await self.read()

    async def read(self) -> None:
        """Both readers have read what there is."""
        for name, take in (
            (reckoning.READER, following.each(reckoning.mend)),
            (keeping.READER, keeping.take),
        ):
            while await self._unread(name):
                async with self.db.transaction() as session:
                    read = await following.read_all(session, name, take)
                if not read:  # what other tests have begun on this server holds it back
                    await asyncio.sleep(0.01)

    async def _unread(self, name: str) -> bool:
        async with self.db.reading() as connection:
            unread = (await following.unread_since(connection))[name]
            return unread is not None or await any_pending(connection)

    async def _promise(self, session: AsyncSession, seconds: int) -> None:
        targets = [Target(metric, seconds) for metric in Metric]
        await policies.set_default_policy(session, name="Default", hours=OFFICE, targets=targets)

    def _by(self) -> tuple[Agent, Actor]:
        agent = self._random.choice(self.agents)
        return agent, agent.as_actor()

    async def _some(self, session: AsyncSession, *conditions: object) -> Ticket:
        query = select(Ticket).where(Ticket.merged_into_id.is_(None), *conditions)  # type: ignore[arg-type]
        found = (await session.scalars(query.order_by(Ticket.number))).all()
        if not found:
            raise NotFound
        return await locked(session, self._random.choice(found[-12:]).id)

    async def _channel(self, session: AsyncSession, kind: ChannelKind) -> Channel:
        return await session.get_one(Channel, self.channels[kind].id)

    async def _mail(self, session: AsyncSession) -> None:
        subject = f"Order {self._random.randint(1, 9)}"
        said = a_mail(self._random.choice(PEOPLE), "Hello.", subject=subject, at=self.now)
        await receive(session, await self._channel(session, ChannelKind.EMAIL), said)

    async def _chat(self, session: AsyncSession) -> None:
        key = f"visit {self._random.randint(1, 4)}"
        await receive(session, await self._channel(session, ChannelKind.CHAT), a_chat(key, at=self.now))

    async def _machine(self, session: AsyncSession) -> None:
        said = a_mail("robot@example.org", "Away.", subject="Away", automatic=True, at=self.now)
        await receive(session, await self._channel(session, ChannelKind.EMAIL), said)

    async def _call(self, session: AsyncSession) -> None:
        self._calls += 1
        line, id = await self._channel(session, ChannelKind.PHONE), f"call {self._calls}"
        number = self._random.choice(NUMBERS)
        steps = [a_call_step(id, CallStep.RINGING, number, at=self.now)]
        if self._random.random() < 0.7:
            self.now += timedelta(seconds=20)
            agent = self._random.choice(self.agents).email
            steps.append(a_call_step(id, CallStep.ANSWERED, number, at=self.now, agent=agent))
        self.now += timedelta(seconds=self._random.randint(30, 900))
        steps.append(a_call_step(id, CallStep.ENDED, number, at=self.now))
        for step in steps:
            await receive(session, line, step)

    async def _answer(self, session: AsyncSession) -> None:
        ticket = await self._some(session)
        query = (
            select(Identity)
            .join(Thread, Thread.identity_id == Identity.id)
            .join(Channel, Channel.id == Thread.channel_id)
            .where(Thread.ticket_id == ticket.id, Channel.kind != ChannelKind.PHONE)
        )
        to = (await session.scalars(query.order_by(Thread.number.desc()).limit(1))).one_or_none()
        if to is None:
            raise NotFound
        after = self._random.choice([None, None, TicketStatus.PENDING, TicketStatus.SOLVED])
        await replies.send(
            session, self.keys, ticket, to=to, text="Yes.", by=self._by()[1], at=self.now,
            last_seen_seq=0, force=True, after=after,
        )  # fmt: skip

    async def _assign(self, session: AsyncSession) -> None:
        ticket, (agent, by) = await self._some(session), self._by()
        ticket.assign(to=self._random.choice([agent, agent, None]), by=by, at=self.now)
        await reckoning.reckon(session, ticket, by=by, at=self.now)

    async def _status(self, session: AsyncSession) -> None:
        await self._set(session, await self._some(session), self._random.choice(list(TicketStatus)))

    async def _slip(self, session: AsyncSession) -> None:
        ticket = await self._some(session, Ticket.status.in_(LIVE))
        await self._set(session, ticket, TicketStatus.SOLVED)
        self.now += timedelta(seconds=self._random.choice([20, 60, 61, 300]))
        await self._set(session, ticket, TicketStatus.OPEN)

    async def _set(self, session: AsyncSession, ticket: Ticket, status: TicketStatus) -> None:
        by = self._by()[1]
        ticket.change(by=by, at=self.now, status=status)
        await reckoning.reckon(session, ticket, by=by, at=self.now)

    async def _snooze(self, session: AsyncSession) -> None:
        ticket, by = await self._some(session), self._by()[1]
        ticket.snooze(self.now + timedelta(days=self._random.randint(1, 4)), by=by, at=self.now)
        await reckoning.reckon(session, ticket, by=by, at=self.now)

    async def _wake(self, session: AsyncSession) -> None:
        await snoozing.wake_due(session, at=self.now)

    async def _team(self, session: AsyncSession) -> None:
        ticket, by = await self._some(session), self._by()[1]
        before, team = ticket.team_id, self._random.choice([*self.teams, None])
        ticket.team_id = team.id if team else None
        if before != ticket.team_id:
            moved = [str(before) if before else None, str(team.id) if team else None]
            about = {"ticket_id": ticket.id, "data": {"team": moved}}
            record(session, EventKind.TICKET_CHANGED, by=by, at=self.now, **about)
            await reckoning.reckon(session, ticket, by=by, at=self.now)

    async def _merge(self, session: AsyncSession) -> None:
        first = await self._some(session)
        other = await self._some(session, Ticket.id != first.id)
        await merging.merge_tickets(session, first, [other], by=self._by()[1], at=self.now)

    async def _split(self, session: AsyncSession) -> None:
        ticket = await self._some(session)
        found = await session.scalars(select(Thread).where(Thread.ticket_id == ticket.id))
        threads = sorted(found.all(), key=lambda one: one.number)
        if not threads:
            raise NotFound
        thread = self._random.choice(threads)
        await splitting.move(session, thread, None, by=self._by()[1], at=self.now)

    async def _undo(self, session: AsyncSession) -> None:
        moves = (await session.scalars(select(Move).order_by(Move.seq.desc()).limit(5))).all()
        if not moves:
            raise NotFound
        await undoing.undo(session, self._random.choice(moves).id, by=self._by()[1], at=self.now)

    async def _spam(self, session: AsyncSession) -> None:
        ticket, by = await self._some(session), self._by()[1]
        await (spam.unmark if ticket.spam_at else spam.mark)(session, ticket, by=by, at=self.now)

    async def _failed(self, session: AsyncSession) -> None:
        message = await self._sent(session)
        message.due_at = None
        await message.give_up(session, at=self.now)

    async def _withdrawn(self, session: AsyncSession) -> None:
        message = await self._sent(session)
        await withdrawing.withdraw(session, message.id, by=self._by()[1], at=self.now)

    async def _sent(self, session: AsyncSession) -> Message:
        found = await session.scalars(
            select(Message)
            .where(Message.direction == Direction.OUT, Message.delivery == DeliveryState.QUEUED)
            .order_by(Message.seq.desc())
            .limit(5)
        )
        messages = found.all()
        if not messages:
            raise NotFound
        message = self._random.choice(messages)
        await locked(session, message.ticket_id)
        return message

    async def _note(self, session: AsyncSession) -> None:
        (await self._some(session)).note("Well.", by=self._by()[1], at=self.now)

    async def _complain(self, session: AsyncSession) -> None:
        promised = self.now + timedelta(days=20)
        await open_complaint(
            session, await self._some(session), promised_at=promised, by=self._by()[1], at=self.now
        )

    async def _advance(self, session: AsyncSession) -> None:
        found = await session.scalars(select(Complaint).where(LEADS).order_by(Complaint.number))
        complaints = found.all()
        if not complaints:
            raise NotFound
        complaint = self._random.choice(complaints)
        ticket = await locked(session, complaint.ticket_id)
        to = self._random.choice(FOLLOWING[complaint.stage])
        decided = to in (Stage.DECIDED, Stage.CLOSED) and complaint.is_undecided
        outcome = Outcome.WITHDRAWN if to == Stage.CLOSED else Outcome.ACCEPTED
        decision = moving.Decision(outcome) if decided else moving.NOTHING
        await moving.advance(session, complaint, ticket, to, decision, by=self._by()[1], at=self.now)

    async def _breached(self, session: AsyncSession) -> None:
        await deadlines.fire_due(session)

    async def _policy(self, session: AsyncSession) -> None:
        """Another promise, and the clocks of what is open as the recount leaves them."""
        await self._promise(session, self._random.choice([3600, 4 * 3600, 16 * 3600]))
        live = select(Ticket.id).where(Ticket.status.in_(LIVE), Ticket.merged_into_id.is_(None))
        for id in (await session.scalars(live)).all():
            await reckoning.promise_anew(session, await locked(session, id), at=self.now)
