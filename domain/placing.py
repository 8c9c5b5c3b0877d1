"""Which conversation a message goes on with, and which ticket a conversation that begins belongs to."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import customer
from domain.cases import NamedNumber, cases_of
from domain.channels import Channel
from domain.contacts import Contact, Identity, IdentityKind, Proof, survivor_of
from domain.inbound import InboundMessage
from domain.mailboxes import is_office, marketplace_of
from domain.matters import Matter, things_in
from domain.messages import Item, Message
from domain.numbers import NumberKind
from domain.people import Person
from domain.reasons import REASON_OF_PROOF, JoinCode
from domain.shop import Joining
from domain.sides import is_the_customer, side_answered
from domain.suggestions import suggest
from domain.threads import Certainty, Thread, place
from domain.tickets import Ticket, held_with, locked, open_thread, open_ticket


async def thread_answered(session: AsyncSession, channel: Channel, said: InboundMessage) -> Thread | None:
    """The conversation this continues, where something proves it.

    A signed reply address proves it by itself. A Message-ID we know does so only for somebody who takes part.
    """
    if said.thread_key:
        return await session.scalar(
            select(Thread).where(
                Thread.channel_id == channel.id, Thread.key == said.thread_key, Thread.ended_at.is_(None)
            )
        )
    if said.thread_number:
        found = await session.scalar(select(Thread).where(Thread.number == said.thread_number))
        return None if found and await is_the_customer(session, found, said) else found
    if not said.references or not said.claims:
        return None
    nearest = {external_id: place for place, external_id in reversed([*enumerate(said.references)])}
    known = await session.execute(
        select(Item.external_id, Thread)
        .join(Thread, Thread.id == Item.thread_id)
        .join(Identity, Identity.id == Thread.identity_id)
        .where(
            Item.external_id.in_(said.references),
            Identity.kind == said.claims[0].kind,
            Identity.scope == said.claims[0].scope,
            Identity.value == said.claims[0].value,
        )
    )
    nearest_first = sorted(known, key=lambda row: nearest[str(row[0])])
    return nearest_first[0][1] if nearest_first else await side_answered(session, said)


async def buyer(session: AsyncSession, said: InboundMessage, about: Matter, rules: Joining) -> Contact | None:
    """On whose behalf this marketplace has written of this order before: its address is another for each order or mail."""
    if not said.claims or said.claims[0].proof != Proof.MAIL_AUTHENTICATED:
        return None
    domain = marketplace_of(said.claims[0].value, rules.marketplaces)
    orders = {number.value for number in about.numbers_of(NumberKind.ORDER)}
    if domain is None or not orders:
        return None
    buyers = await session.scalars(
        select(Thread.contact_id)
        .join(Identity, Identity.id == Thread.identity_id)
        .join(Message, Message.thread_id == Thread.id)
        .join(NamedNumber, NamedNumber.item_id == Message.id)
        .where(
            NamedNumber.value.in_(orders),
            NamedNumber.kind == NumberKind.ORDER,
            Message.sender_verified.is_(True),
            Identity.kind == IdentityKind.EMAIL,
            Identity.value.endswith(f"@{domain}", autoescape=True),
        )
        .distinct()
    )
    found = buyers.all()
    return await survivor_of(session, found[0]) if len(found) == 1 else None


async def placed(
    session: AsyncSession,
    channel: Channel,
    said: InboundMessage,
    answered: Thread | None,
    person: Person | None,
    about: Matter,
    rules: Joining,
) -> tuple[Thread, Ticket]:
    """The thread and its ticket, held. A closed ticket takes no more: the same conversation goes on in a new one."""
    if answered:
        ticket = await held_with(session, answered)
        if ticket.takes_more(at=said.at):
            return answered, ticket
        await end(session, answered, at=said.at)
    if person is None:
        raise RuntimeError("a message that continues nothing needs a person")
    contact, by = person.contact, customer(person.contact.id)
    about = replace(about, things=about.things - things_in(f"{contact.name} {said.sender_name}"))
    placement = place(
        certainty=_certainty(said, person),
        code=REASON_OF_PROOF[person.proof] if person.proof else JoinCode.OPENED_TICKET,
        said=about,
        channel=channel.kind,
        at=said.at,
        cases=await cases_of(session, contact.id, at=said.at) if person.known else [],
        windows=rules.windows,
    )
    if placement.ticket_id:
        ticket = await locked(session, placement.ticket_id)
    else:
        ticket = open_ticket(
            session,
            contact,
            subject=said.subject or _first_words(said.text),
            by=by,
            at=said.at,
            team_id=channel.team_id,
        )
        await session.flush()
        await suggest(
            session, ticket, placement, claims=said.claims, numbers=about.numbers,
            text=f"{said.subject}\n{said.text}", references=said.references, at=said.at,
        )  # fmt: skip
    thread = open_thread(
        session,
        ticket,
        placement,
        channel_id=channel.id,
        key=said.thread_key,
        identity=person.identity,
        proof=person.proof,
        subject=said.subject,
        by=by,
        at=said.at,
    )
    await session.flush()
    return thread, ticket


def _certainty(said: InboundMessage, person: Person) -> Certainty:
    if person.proof is None or said.automatic:
        return Certainty.NONE
    if person.proof == Proof.MAIL_AUTHENTICATED and is_office(said.claims[0].value):
        return Certainty.OFFICE
    return Certainty.PROVEN


def _first_words(text: str, length: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rsplit(" ", 1)[0] + "…"


async def end(session: AsyncSession, thread: Thread, *, at: datetime) -> None:
    thread.ended_at = at
    await session.flush()
