"""What the stories' customers wrote and agents noted, played into a shop through the ways people use, and taken into the index."""

import re
import tomllib
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.arriving.inbound import CallStep
from domain.customers.companies import Company
from domain.customers.contacts import Claim, IdentityKind, add_contact, add_identity
from domain.db import new_id
from domain.desk.messages import Call, Item
from domain.desk.tickets import Ticket
from domain.finding import indexing
from domain.keys import Keys
from domain.ways_in.channels import ChannelKind
from tests.factories import NOON, a_call_step, a_channel, a_mail, receive


@cache
def stories() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "stories.toml").read_text())


@dataclass
class Played:
    """Ids of rows, and to which story each belongs."""

    story_of: dict[uuid.UUID, str] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)


async def play(session: AsyncSession, keys: Keys) -> Played:
    mailbox = await a_channel(session, keys, ChannelKind.EMAIL)
    line = await a_channel(session, keys, ChannelKind.PHONE)
    played, at = Played(), NOON
    for said in stories()["said"]:
        at += timedelta(days=2)
        name, address = re.fullmatch(r"(.+) <(.+)>", said["from"]).groups()  # type: ignore[union-attr]
        about = {"subject": said["subject"], "sender_name": name, "at": at}
        await receive(session, mailbox, a_mail(address, said["text"], **about))
        played.tickets[said["id"]] = await _newest(session, played, said["id"])
    for called in stories()["calls"]:
        at += timedelta(days=2)
        for step in (CallStep.RINGING, CallStep.ENDED):
            await receive(session, line, a_call_step(called["id"], step, called["number"], at=at))
        await _newest(session, played, called["id"])
        call = (await session.scalars(select(Call).where(Call.external_id == called["id"]))).one()
        call.note(called["text"], None, by=SYSTEM, at=at)
    for noted in stories()["notes"]:
        note = played.tickets[noted["on"]].note(noted["text"], by=SYSTEM, at=at)
        played.story_of[note.id] = noted["id"]
    for known in stories()["contacts"]:
        await _known(session, known, played)
    await session.flush()
    await indexed(session)
    return played


async def indexed(session: AsyncSession) -> None:
    """As a shop that was there before the index."""
    await indexing.begin(session)
    while await indexing.fill(session):
        pass


async def _newest(session: AsyncSession, played: Played, story: str) -> Ticket:
    ticket = (await session.scalars(select(Ticket).order_by(Ticket.number.desc()).limit(1))).one()
    played.story_of |= {ticket.id: story, ticket.contact_id: story}
    for id in await session.scalars(select(Item.id).where(Item.ticket_id == ticket.id)):
        played.story_of[id] = story
    return ticket


async def _known(session: AsyncSession, known: dict[str, Any], played: Played) -> None:
    contact = add_contact(session, name=known["name"], locale=None, by=SYSTEM, at=NOON)
    contact.city = known["city"]
    if "company" in known:
        firm = Company(
            id=new_id(), name=known["company"], domains=[], note="", created_at=NOON, updated_at=NOON
        )
        session.add(firm)
        await session.flush()
        contact.company_id = firm.id
    for kind, values in ((IdentityKind.EMAIL, known["emails"]), (IdentityKind.PHONE, known["phones"])):
        for value in values:
            add_identity(session, contact, Claim(kind, value, None), by=SYSTEM, at=NOON)
    played.story_of[contact.id] = known["id"]
