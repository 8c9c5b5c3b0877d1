"""The day is played by the real code on a real database; time is an argument."""

import asyncio
import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.assigning.day import CAPACITY, CHAT, LANGUAGE_WAIT, MINUTE, Case, Day, Person
from benchmarks.assigning.judging import Judge
from domain import events, following
from domain.actors import SYSTEM, Role, customer
from domain.agents import duty, presence, sign_in
from domain.agents.sign_in import Ended, SessionKind, SignIn
from domain.agents.staff import Agent, Team, TeamMember, add_agent
from domain.arriving.opening import open_thread, open_ticket
from domain.assigning import handing_back, handing_out, listening, policies
from domain.assigning.choosing import AssignmentMode
from domain.assigning.policies import AssignmentPolicy, SkillRule, Terms
from domain.customers.contacts import add_contact
from domain.customers.visitors import Visitor
from domain.db import Database, new_id
from domain.desk.messages import Direction, Message
from domain.desk.survivors import locked
from domain.desk.threads import Placement
from domain.desk.tickets import TicketStatus
from domain.events import Event, EventKind
from domain.joining.reasons import JoinCode
from domain.keys import Keys
from domain.sla import policies as promises
from domain.sla import reckoning
from domain.sla.hours import ALWAYS, DAYS, Hours
from domain.sla.targets import Metric, Target
from domain.ways_in.channels import Channel, ChannelKind, add_channel

WORKERS = 2
KILLED = 0.5
"""In so many of the minutes in which there is something to hand out, a worker dies in the midst of it."""
GONE_WITHIN = 5_000
"""Milliseconds, for a connection that is to end."""


@dataclass
class Play:
    db: Database
    day: Day
    chance: random.Random
    judge: Judge = field(init=False)
    kills: int = 0
    team_id: uuid.UUID = field(default_factory=new_id)
    seen: int = 0
    """The newest event that the judge has read."""

    async def run(self) -> Judge:
        await self._open()
        self.judge = Judge(self.day)
        coming, at = list(self.day.cases), self.day.begins
        while at < self.day.ends:
            async with self.db.transaction() as session:
                while coming and coming[0].comes_at <= at:
                    await self._arrives(session, coming.pop(0), at)
            await self._people_move(at)
            await self._solve(at)
            await self._heddle_works(at)
            await self._judge(at)
            self.judge.look(at)
            at += MINUTE
        return self.judge

    async def _open(self) -> None:
        keys = Keys("a secret for a simulated day that is long enough")
        async with self.db.transaction() as session:
            now = self.day.begins
            session.add(Team(id=self.team_id, name="Support"))
            for kind in (ChannelKind.EMAIL, ChannelKind.CHAT):
                await add_channel(
                    session, keys, kind=kind, slug=kind, name=kind, address=None, config={}, secrets={}, at=now
                )  # fmt: skip
            await session.flush()
            for person in self.day.people:
                await self._hire(session, person, now)
            targets = [
                Target(Metric.FIRST_REPLY, 3600),
                Target(Metric.FIRST_REPLY, 300, channel=ChannelKind.CHAT),
            ]
            await promises.set_default_policy(session, name="Default", hours=ALWAYS, targets=targets)
            terms = Terms(
                mode=AssignmentMode.ROUND_ROBIN,
                by_language=True,
                language_wait=LANGUAGE_WAIT,
                capacity=CAPACITY,
                weights={kind: CHAT if kind == ChannelKind.CHAT else 1 for kind in ChannelKind},
                skills=(SkillRule("returns", tags=("returns",)),),
                off_shift_after=timedelta(0),
                unreachable_after=timedelta(minutes=15),
            )
            await policies.save(session, await session.get_one(Team, self.team_id), terms)
            await following.begin(session, listening.READER)

    async def _hire(self, session: AsyncSession, person: Person, now: datetime) -> None:
        agent = await add_agent(
            session,
            email=f"{person.name.replace(' ', '')}@shop.example",
            name=person.name,
            role=Role.AGENT,
            password_hash=None,
            at=now,
        )
        agent.languages, agent.skills = sorted(person.languages), sorted(person.skills)
        person.id = agent.id
        session.add(TeamMember(team_id=self.team_id, agent_id=agent.id))
        shift = [f"{person.begins:02}:00", f"{person.ends:02}:00"]
        week = {DAYS[now.weekday()]: [shift]}
        rota = await duty.rota_of(session, agent.id)
        rota.set_hours(
            Hours.from_json({"zone": "UTC", "weekly": week, "closed": [], "holidays": []}), by=SYSTEM, at=now
        )

    async def _arrives(self, session: AsyncSession, case: Case, at: datetime) -> None:
        kind = ChannelKind.CHAT if case.chats_until else ChannelKind.EMAIL
        channel = (await session.scalars(select(Channel).where(Channel.kind == kind))).one()
        contact = add_contact(session, name="Ada", locale=case.language, by=SYSTEM, at=at)
        await session.flush()
        by = customer(contact.id)
        ticket = open_ticket(session, contact, subject="", by=by, at=at, team_id=self.team_id)
        await session.flush()
        case.id, key = ticket.id, str(ticket.id)
        thread = open_thread(
            session, ticket, Placement(None, JoinCode.OPENED_TICKET), channel_id=channel.id, key=key,
            identity=None, subject="", by=by, at=at,
        )  # fmt: skip
        thread.last_inbound_at = at
        await session.flush()
        said = Message(
            id=new_id(), ticket_id=ticket.id, contact_id=contact.id, thread_id=thread.id, channel_id=channel.id,
            direction=Direction.IN, at=at, text="Where is my parcel?",
        )  # fmt: skip
        session.add(said)
        if case.chats_until:
            session.add(Visitor(id=new_id(), channel_id=channel.id, key=key, here_until=case.chats_until))
        if case.skill:
            ticket.change(by=SYSTEM, at=at, add_tags=[case.skill])
        await reckoning.reckon(session, ticket, at=at)
        self.judge.opened(case)

    async def _people_move(self, at: datetime) -> None:
        """Who comes opens a screen; who goes closes it, and says so unless the shift is over."""
        async with self.db.transaction() as session:
            alive = SignIn.ended_at.is_(None)
            await session.execute(update(SignIn).where(alive).values(seen_at=at))
            open_screens = set(await session.scalars(select(SignIn.agent_id).where(alive)))
            for person in self.day.people:
                there, was_there = person.is_there(at), person.id in open_screens
                if there == was_there:
                    continue
                agent = await session.get_one(Agent, person.id, with_for_update={"key_share": True})
                if person.leaves_at and at >= person.leaves_at:
                    agent.change(by=SYSTEM, at=at, left=True)
                elif person.begins <= at.hour < person.ends:
                    await presence.set_away(session, agent, not there, until=None, by=SYSTEM, at=at)
                if there:
                    sign_in.begin(session, agent.id, SessionKind.WEB, device_label=None, address=None, at=at)
                else:
                    await sign_in.end_all(session, agent.id, Ended.SIGNED_OUT, at=at)

    async def _solve(self, at: datetime) -> None:
        """Each works through what they have, the oldest first."""
        done: list[tuple[Case, Person]] = []
        for person in self.day.people:
            theirs = [
                self.judge.cases[id] for id, holder in self.judge.holders.items() if holder == person.id
            ]
            minute = 1.0 if person.is_there(at) else 0.0
            for case in sorted(theirs, key=lambda one: one.comes_at):
                worked = min(minute, case.minutes)
                case.minutes, minute = case.minutes - worked, minute - worked
                if case.minutes > 0:
                    break
                done.append((case, person))
        async with self.db.transaction() as session:
            for case, person in done:
                ticket = await locked(session, case.id)
                agent = await session.get_one(Agent, person.id)
                ticket.change(by=agent.as_actor(), at=at, status=TicketStatus.SOLVED)
                await reckoning.reckon(session, ticket, at=at)
        for case, _ in done:
            self.judge.solved(case)

    async def _heddle_works(self, at: datetime) -> None:
        """Until no queue is due: as the wheel does, whose workers are rung."""
        async with self.db.transaction() as session:
            await presence.call_the_roll(session, at=at)
        dies = bool(self.judge.waiting) and self.chance.random() < KILLED
        await self._follow()
        while await self._is_due(at):
            await asyncio.gather(*(self._worker(at, dies=dies and not number) for number in range(WORKERS)))
            dies = False
            await self._follow()

    async def _is_due(self, at: datetime) -> bool:
        due = select(AssignmentPolicy.team_id).where(AssignmentPolicy.due_at <= at)
        async with self.db.reading() as connection:
            return await connection.scalar(due) is not None

    async def _follow(self) -> int:
        """What has happened is read to its end: a transaction elsewhere in the cluster may hold it back."""
        read = 0
        while True:
            async with self.db.transaction() as session:
                pending = await events.any_pending(session)
                now = await following.read_on(session, listening.READER, listening.listen)
            read += now
            if not now and not pending:
                return read
            await asyncio.sleep(0 if now else events.HELD_BACK)

    async def _worker(self, at: datetime, *, dies: bool) -> None:
        killer: asyncio.Task[None] | None = None
        try:
            done = 1
            while done:
                async with self.db.transaction() as session:
                    if dies and killer is None:
                        pid = await session.scalar(select(func.pg_backend_pid()))
                        killer = asyncio.create_task(self._kill(pid))
                    freed = await handing_back.from_who_left(session, at=at)
                    done = await handing_out.look(session, at=at) or freed
                    if killer:
                        await killer  # at the latest before what it did is kept
        except DBAPIError:
            self.kills += 1
        finally:
            if killer:
                await killer

    async def _kill(self, pid: int | None) -> None:
        """The server drops the connection, as it does when the process at its other end dies; and it is gone, before others go on."""
        async with self.db.engine.connect() as connection:
            await asyncio.sleep(self.chance.uniform(0, 0.01))
            await connection.execute(select(func.pg_terminate_backend(pid, GONE_WITHIN)))
        await asyncio.sleep(0.01)  # until this end has heard of it

    async def _judge(self, at: datetime) -> None:
        async with self.db.reading() as connection:
            told = await connection.execute(
                select(Event.seq, Event.at, Event.ticket_id, Event.data)
                .where(Event.kind == EventKind.TICKET_ASSIGNED, Event.seq > self.seen)
                .order_by(Event.seq)
            )
            for row in told:
                before, to = [uuid.UUID(id) if id else None for id in (row.data["before"], row.data["to"])]
                self.judge.assigned(row.ticket_id, before, to, row.at)
                self.seen = row.seq
