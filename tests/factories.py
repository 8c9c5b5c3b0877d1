"""What tests are made of: a shop with its channels, and what its customers send.

Ada and Zofia write; Ben and Bo answer; Mia manages; Eve must not see.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Role
from domain.agents.staff import Agent, Team, TeamMember, add_agent
from domain.arriving import intake
from domain.arriving.inbound import Arrival, ArrivalState, CallStep, Inbound, InboundCall, InboundMessage
from domain.customers.contacts import Claim, Contact, IdentityKind, Proof
from domain.db import new_id
from domain.desk.messages import Message
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.keys import Keys
from domain.sla import policies
from domain.sla.hours import ALWAYS
from domain.sla.targets import Metric, Target
from domain.ways_in.channels import Channel, ChannelKind, add_channel
from integrations.channel_settings import read_settings

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

SETTINGS: dict[ChannelKind, dict[str, Any]] = {
    ChannelKind.EMAIL: {
        "address": "help@shop.example",
        "authserv_id": "mx.shop.example",
        "relays": ["127.0.0.1"],
    },
    ChannelKind.CHAT: {"identity_key": "the shop signs its visitors with this key"},
    ChannelKind.MESSENGER: {
        "page_id": "9001",
        "page_token": "page-token",
        "app_secret": "app-secret",
        "verify_token": "verify-token",
    },
    ChannelKind.PHONE: {"number": "+48221234567", "region": "PL", "key": "a key of the PBX"},
    ChannelKind.SMS: {
        "provider": "twilio",
        "number": "+48732100200",
        "region": "PL",
        "account_sid": "AC" + "0" * 32,
        "auth_token": "Twilio signs with this",
    },
}


async def a_channel(session: AsyncSession, keys: Keys, kind: ChannelKind, **others: Any) -> Channel:
    slug = others.pop("slug", kind.value)
    settings = read_settings(kind, SETTINGS[kind] | others)
    channel = await add_channel(
        session,
        keys,
        kind=kind,
        slug=slug,
        name=slug.capitalize(),
        address=settings.place(),
        config=settings.config(),
        secrets=settings.secrets(),
        at=NOON,
    )
    await session.flush()
    return channel


async def set_channel(session: AsyncSession, slug: str, **settings: Any) -> None:
    """Other settings than it was made with."""
    channel = (await session.scalars(select(Channel).where(Channel.slug == slug))).one()
    channel.config = read_settings(
        channel.kind, {**SETTINGS[channel.kind], **channel.config, **settings}
    ).config()


async def an_agent(
    session: AsyncSession,
    name: str,
    role: Role = Role.AGENT,
    *,
    password_hash: str | None = None,
    team: Team | None = None,
) -> Agent:
    agent = await add_agent(
        session,
        email=f"{name.lower()}@shop.example",
        name=name,
        role=role,
        password_hash=password_hash,
        at=NOON,
    )
    if team:
        session.add(TeamMember(team_id=team.id, agent_id=agent.id))
    await session.flush()
    return agent


async def a_promise(session: AsyncSession, seconds: int = 3600, **others: Any) -> None:
    targets = [Target(Metric.FIRST_REPLY, seconds, **others)]
    await policies.set_default_policy(session, name="Default", hours=ALWAYS, targets=targets)


async def receive(session: AsyncSession, channel: Channel, inbound: Inbound) -> None:
    arrival = Arrival(
        id=new_id(),
        channel_id=channel.id,
        external_id=str(uuid.uuid4()),
        raw=b"",
        envelope={},
        received_at=inbound.at,
        state=ArrivalState.WAITING,
    )
    session.add(arrival)
    await session.flush()
    await intake.receive(session, channel, arrival, inbound)
    await session.flush()


def a_mail(
    address: str, text: str = "Where is my parcel?", *, verified: bool = True, **others: Any
) -> InboundMessage:
    claim = Claim(IdentityKind.EMAIL, address, Proof.MAIL_AUTHENTICATED if verified else None, label=address)
    return _message((claim,), text, subject=others.pop("subject", "My order"), **others)


def a_chat(
    session: str, text: str = "Hello?", *, email: str | None = None, signed: bool = True, **others: Any
) -> InboundMessage:
    claims = [Claim(IdentityKind.CHAT, session, Proof.CHAT_SESSION, scope="chat", label=f"Chat {session}")]
    if email:
        claims.append(Claim(IdentityKind.EMAIL, email, Proof.CHAT_SIGNATURE if signed else None, label=email))
    return _message(tuple(claims), text, thread_key=session, **others)


def a_messenger_message(person: str, text: str = "Hi", **others: Any) -> InboundMessage:
    claim = Claim(
        IdentityKind.MESSENGER, person, Proof.MESSENGER_PAGE, scope="9001", label=f"Messenger {person}"
    )
    return _message((claim,), text, thread_key=person, **others)


def a_text_message(number: str, text: str = "Hi", **others: Any) -> InboundMessage:
    return _message(
        (Claim(IdentityKind.PHONE, number, None, label=number),), text, thread_key=number, **others
    )


def a_call_step(call_id: str, step: CallStep, number: str = "+48600100200", **others: Any) -> InboundCall:
    claim = Claim(IdentityKind.PHONE, number, None) if number else None
    return InboundCall(
        call_id=call_id, step=step, at=others.pop("at", NOON), claim=claim, number=number, **others
    )


def _message(claims: tuple[Claim, ...], text: str, **others: Any) -> InboundMessage:
    return InboundMessage(
        external_id=others.pop("external_id", f"{uuid.uuid4()}@example.org"),
        claims=claims,
        text=text,
        at=others.pop("at", NOON),
        **others,
    )


async def tickets(session: AsyncSession) -> list[Ticket]:
    """Those that survive, in the order in which they were opened."""
    found = await session.scalars(
        select(Ticket).where(Ticket.merged_into_id.is_(None)).order_by(Ticket.number)
    )
    return list(found)


async def contacts(session: AsyncSession) -> list[Contact]:
    found = await session.scalars(
        select(Contact).where(Contact.canonical_id.is_(None)).order_by(Contact.created_at)
    )
    return list(found)


async def threads(session: AsyncSession, ticket: Ticket) -> list[Thread]:
    found = await session.scalars(select(Thread).where(Thread.ticket_id == ticket.id).order_by(Thread.number))
    return list(found)


async def messages(session: AsyncSession, ticket: Ticket) -> list[Message]:
    found = await session.scalars(select(Message).where(Message.ticket_id == ticket.id).order_by(Message.seq))
    return list(found)
