"""Plays a story through the real readers and the real intake, and looks where everything ended."""

import json
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor, Role, customer
from domain.agents.staff import Agent
from domain.answering import replies
from domain.arriving import intake
from domain.arriving.inbound import Arrival, ArrivalState, Unread
from domain.customers import people
from domain.customers.contacts import Claim, Contact, Identity, IdentityKind, add_identity
from domain.customers.survivors import survivor_of
from domain.db import new_id
from domain.desk.messages import Item
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.joining.suggestions import Suggestion
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from integrations.mail.addresses import recipient, reply_address
from integrations.mailroom import READERS
from integrations.messenger import links
from tests.factories import SETTINGS, a_channel, an_agent
from tests.joining.corpus import Happening, Story

Bytes = tuple[Channel, bytes, dict[str, Any], datetime]


@dataclass(frozen=True)
class Place:
    ticket: uuid.UUID
    contact: uuid.UUID


@dataclass(frozen=True)
class Ending:
    places: dict[str, Place]
    suggested: frozenset[tuple[uuid.UUID, uuid.UUID]]
    """The ticket that offers, the ticket it offers."""


async def suggested(session: AsyncSession, ticket_id: uuid.UUID) -> set[uuid.UUID]:
    """The tickets that this one offers to be joined with."""
    offered = select(Suggestion.other_id).where(
        Suggestion.ticket_id == ticket_id, Suggestion.decided_at.is_(None)
    )
    return set(await session.scalars(offered))


async def play(session: AsyncSession, keys: Keys, story: Story) -> Ending:
    stage = Stage(session, keys)
    for happening in story.happenings:
        if happening.way == "agent":
            await stage.agent(happening)
        else:
            await stage.customer(happening)
    places = {event.id: await stage.place(event.id) for event in story.events}
    offers = {
        (ticket, await stage.surviving(other))
        for ticket in {place.ticket for place in places.values()}
        for other in await suggested(session, ticket)
    }
    return Ending(places, frozenset(offers))


@dataclass
class Stage:
    session: AsyncSession
    keys: Keys
    channels: dict[tuple[ChannelKind, str], Channel] = field(default_factory=dict)
    arrivals: dict[str, uuid.UUID] = field(default_factory=dict)
    message_ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Of each event: that of its mail, and those of our answers to it."""
    staff: dict[str, Agent] = field(default_factory=dict)

    async def customer(self, event: Happening) -> None:
        match event.way:
            case "mail":
                steps = [await self.mail(event)]
            case "chat":
                steps = [await self.chat(event)]
            case "messenger":
                steps = [await self.messenger(event)]
            case _:
                steps = await self.call(event)
        for channel, raw, envelope, at in steps:
            await self.arrive(event.id, channel, raw, envelope, at)

    async def arrive(
        self, event_id: str, channel: Channel, raw: bytes, envelope: dict[str, Any], at: datetime
    ) -> None:
        """As the mailroom does, each in a session that has seen nothing."""
        arrival = Arrival(
            id=new_id(),
            channel_id=channel.id,
            external_id=str(uuid.uuid4()),
            raw=raw,
            envelope=envelope,
            received_at=at,
            state=ArrivalState.WAITING,
        )
        self.session.add(arrival)
        await self.session.flush()
        self.arrivals.setdefault(event_id, arrival.id)
        for part in READERS[channel.kind](channel, self.keys, arrival):
            assert not isinstance(part, Unread), part
            await intake.receive(self.session, channel, arrival, part)
        await self.forget()

    async def mail(self, event: Happening) -> Bytes:
        said = event.said
        channel = await self.channel(ChannelKind.EMAIL)
        address = str(channel.address)
        thread_number = None
        if answered := said.get("token"):
            address = reply_address(self.keys, address, (await self.thread(answered)).number)
            meant = recipient(self.keys, address)
            thread_number = meant.thread_number if meant else None
        domain = said["from"].rpartition("@")[2]
        verdict = "pass" if said.get("verified", True) else "fail"
        own_id = f"{event.id}.{uuid.uuid4().hex}@{domain}"
        mail = EmailMessage()
        mail["Authentication-Results"] = f"mx.shop.example; dmarc={verdict} header.from={domain}"
        mail["From"] = formataddr((said.get("name", ""), said["from"]))
        mail["To"] = address
        mail["Subject"] = said.get("subject", "")
        mail["Date"] = format_datetime(event.at)
        mail["Message-ID"] = f"<{own_id}>"
        if known := self.message_ids.get(said.get("answers", ""), []):
            mail["In-Reply-To"] = f"<{known[-1]}>"
            mail["References"] = " ".join(f"<{one}>" for one in known)
        if said.get("automatic"):
            mail["Auto-Submitted"] = "auto-replied"
        mail.set_content(said["text"])
        self.message_ids[event.id] = [*known, own_id]
        envelope = {"peer": "127.0.0.1", "from": said["from"], "thread": thread_number}
        return channel, mail.as_bytes(), envelope, event.at

    async def chat(self, event: Happening) -> Bytes:
        said = event.said
        identity = {"sub": said.get("customer"), "email": said.get("email"), "name": said.get("name")}
        identity = {name: value for name, value in identity.items() if value}
        envelope = {"session": said["session"]}
        if identity:
            envelope["identity"] = identity | {"email_verified": said.get("signed", False)}
        frame = {"type": "message", "text": said["text"]}
        return await self.channel(ChannelKind.CHAT), json.dumps(frame).encode(), envelope, event.at

    async def messenger(self, event: Happening) -> Bytes:
        said = event.said
        page = said.get("page", "9001")
        channel = await self.channel(ChannelKind.MESSENGER, page)
        message: dict[str, Any] = {"mid": f"m_{uuid.uuid4().hex}", "text": said["text"]}
        if linked := said.get("linked"):
            contact = await self.session.get_one(Contact, (await self.place(linked)).contact)
            address = links.link(self.keys, channel, contact, at=event.at)
            message["referral"] = {"ref": parse_qs(urlsplit(address).query)["ref"][0], "source": "SHORTLINK"}
        milliseconds = int(event.at.timestamp() * 1000)
        happened = {
            "sender": {"id": said["person"]},
            "recipient": {"id": page},
            "timestamp": milliseconds,
            "message": message,
        }
        batch = {"object": "page", "entry": [{"id": page, "time": milliseconds, "messaging": [happened]}]}
        return channel, json.dumps(batch).encode(), {}, event.at

    async def call(self, event: Happening) -> list[Bytes]:
        said = event.said
        channel = await self.channel(ChannelKind.PHONE)
        number = "anonymous" if said.get("withheld") else said["number"]
        step = {"call_id": said.get("id", event.id), "direction": "in", "from": number, "to": channel.address}
        answered = said.get("answered", True)
        told = (
            [("newCall", 0), ("answer", 8), ("hangup", 190)] if answered else [("newCall", 0), ("hangup", 25)]
        )
        return [
            (channel, json.dumps(step | {"event": name}).encode(), {}, event.at + timedelta(seconds=seconds))
            for name, seconds in told
        ]

    async def agent(self, deed: Happening) -> None:
        said, at = deed.said, deed.at
        ben, by = await self.actor("Ben"), (await self.actor("Mia", Role.MANAGER)).as_actor()
        ticket = await locked(self.session, (await self.place(said["on"])).ticket)
        match said["does"]:
            case "reply":
                await self.reply(said, ticket, ben.as_actor(), at)
            case "solve":
                ticket.change(by=by, at=at, status=TicketStatus.SOLVED)
            case "close":
                ticket.change(by=by, at=at, status=TicketStatus.CLOSED)
            case "assign":
                ticket.assign(to=ben, by=by, at=at)
            case "link":
                await people.link(self.session, await self.contact(ticket), _claim(said), by=by, at=at)
            case "file":  # the shop's own list gives the contact this value; nobody has proven it
                add_identity(
                    self.session,
                    await self.contact(ticket),
                    _claim(said),
                    by=customer(ticket.contact_id),
                    at=at,
                )
            case other:
                raise AssertionError(f"no agent does {other}")
        await self.forget()

    async def reply(self, said: dict[str, Any], ticket: Ticket, by: Actor, at: datetime) -> None:
        thread = await self.thread(said["on"])
        to = await self.session.get_one(Identity, thread.identity_id)
        answer = await replies.send(
            self.session,
            self.keys,
            ticket,
            to=to,
            text=said["text"],
            by=by,
            at=at,
            last_seen_seq=0,
            force=True,
        )
        if answer.external_id:
            self.message_ids[said["on"]].append(answer.external_id)

    async def channel(self, kind: ChannelKind, page: str = "") -> Channel:
        if (kind, page) not in self.channels:
            others = {"page_id": page, "slug": f"{kind.value}-{page}"} if page else {}
            self.channels[kind, page] = await a_channel(self.session, self.keys, kind, **others)
        return self.channels[kind, page]

    async def actor(self, name: str, role: Role = Role.AGENT) -> Agent:
        if name not in self.staff:
            self.staff[name] = await an_agent(self.session, name, role)
        return self.staff[name]

    async def contact(self, ticket: Ticket) -> Contact:
        contact = await survivor_of(self.session, ticket.contact_id)
        assert contact is not None
        return contact

    async def thread(self, event_id: str) -> Thread:
        return (
            await self.session.scalars(
                select(Thread)
                .join(Item, Item.thread_id == Thread.id)
                .where(Item.arrival_id == self.arrivals[event_id])
            )
        ).one()

    async def place(self, event_id: str) -> Place:
        """The ticket and the contact that survive, of what this event wrote."""
        item = await self.session.scalar(
            select(Item.ticket_id).where(Item.arrival_id == self.arrivals[event_id])
        )
        assert item is not None, f"nothing came of {event_id}"
        ticket = await self.surviving(item)
        contact_id = await self.session.scalar(select(Ticket.contact_id).where(Ticket.id == ticket))
        merged = select(Contact.canonical_id).where(Contact.id == contact_id)
        contact = await self.session.scalar(merged) or contact_id
        assert contact is not None
        return Place(ticket, contact)

    async def surviving(self, ticket_id: uuid.UUID) -> uuid.UUID:
        into = await self.session.scalar(select(Ticket.merged_into_id).where(Ticket.id == ticket_id))
        return await self.surviving(into) if into else ticket_id

    async def forget(self) -> None:
        await self.session.flush()
        self.session.expunge_all()


def _claim(said: dict[str, Any]) -> Claim:
    """`phone`, `email`, `messenger` (a person), `chat` (a session) or `customer`."""
    scopes = {"messenger": SETTINGS[ChannelKind.MESSENGER]["page_id"], "chat": "chat", "customer": "chat"}
    (kind,) = [kind for kind in IdentityKind if kind.value in said]
    value = said[kind.value]
    return Claim(kind, value, None, scope=scopes.get(kind.value, ""), label=value)
