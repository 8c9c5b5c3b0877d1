"""Where a message goes: on in the conversation that it answers, or into one that begins, of whichever ticket that belongs to."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import customer
from domain.arriving.answered import goes_on
from domain.arriving.inbound import InboundMessage
from domain.arriving.opening import open_thread, open_ticket
from domain.customers.contacts import Contact, Identity, IdentityKind, Proof, same_value
from domain.customers.mailboxes import is_office, marketplace_of, reads_nothing
from domain.customers.people import Person
from domain.customers.survivors import same_person, survivor_of
from domain.desk.messages import Direction, Message
from domain.desk.survivors import held_with, locked
from domain.desk.threads import Certainty, Thread, place
from domain.desk.tickets import Ticket
from domain.joining.cases import cases_of
from domain.joining.matters import Matter, things_in
from domain.joining.named_numbers import NamedNumber
from domain.joining.numbers import NumberKind
from domain.joining.reasons import REASON_OF_PROOF, JoinCode
from domain.joining.subjects import tags_in
from domain.joining.suggestions import suggest
from domain.shop import Joining
from domain.ways_in.channels import Channel, ChannelKind

LONGEST_SUBJECT = 80
"""Letters of one that is made of a text."""
AT_ONCE = timedelta(hours=1)
"""How soon after our mail a machine answers it."""


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


@dataclass(frozen=True)
class Place:
    thread: Thread
    ticket: Ticket
    """Held."""
    opened: bool = False
    """Did this message open the ticket?"""


async def placed(
    session: AsyncSession,
    channel: Channel,
    said: InboundMessage,
    answered: Thread | None,
    person: Person | None,
    about: Matter,
    rules: Joining,
) -> Place:
    """A closed ticket takes no more, nor an old one what is called otherwise: the same person goes on in a new one, linked."""
    follows: Ticket | None = None
    if answered:
        follows = await held_with(session, answered)
        if await goes_on(session, said, answered, follows, at=said.at):
            return Place(answered, follows)
        if not follows.takes_more(at=said.at):
            await end(session, answered, at=said.at)
    if person is None:
        raise RuntimeError("a message that continues nothing needs a person")
    if said.automatic and (last := await _just_written_to(session, channel, person, at=said.at)):
        return Place(last, await held_with(session, last))
    contact, by = person.contact, customer(person.contact.id)
    about = replace(about, things=about.things - things_in(f"{contact.name} {said.sender_name}"))
    cases = await cases_of(session, contact.id, at=said.at) if person.known else []
    placement = place(
        certainty=_certainty(said, person),
        code=REASON_OF_PROOF[person.proof] if person.proof else JoinCode.CALLER_NUMBER,
        said=about,
        channel=channel.kind,
        at=said.at,
        cases=[case for case in cases if follows is None or case.ticket_id != follows.id],
        windows=rules.windows,
    )
    if placement.ticket_id:
        ticket = await locked(session, placement.ticket_id)
    else:
        ticket = open_ticket(
            session,
            contact,
            subject=said.subject or first_words(said.text),
            by=by,
            at=said.at,
            team_id=channel.team_id,
        )
        await suggest(
            session, ticket, placement, claims=said.claims, numbers=about.numbers,
            text=f"{said.subject}\n{said.text}", references=said.references, tags=tags_in(said.subject),
            follows=follows.id if follows else None, at=said.at,
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
    await session.flush()  # the history tells of it before what is said
    return Place(thread, ticket, opened=placement.ticket_id is None)


async def _just_written_to(
    session: AsyncSession, channel: Channel, person: Person, *, at: datetime
) -> Thread | None:
    """Where an automatic mail belongs that names nothing of ours, as vacation notes of some programs do: they come at once."""
    if channel.kind != ChannelKind.EMAIL or not person.known or not (person.proof and person.identity):
        return None
    return await session.scalar(
        select(Thread)
        .join(Ticket, Ticket.id == Thread.ticket_id)
        .join(Message, Message.thread_id == Thread.id)
        .where(
            Thread.identity_id.in_(same_value(person.identity)),
            same_person(Thread.contact_id, person.contact.id),
            Ticket.spam_at.is_(None),
            Message.direction == Direction.OUT,
            Message.at > at - AT_ONCE,
        )
        .order_by(Message.seq.desc())
        .limit(1)
    )


def _certainty(said: InboundMessage, person: Person) -> Certainty:
    if said.automatic:
        return Certainty.NONE
    if person.proof is None:
        is_number = person.identity is not None and person.identity.kind == IdentityKind.PHONE
        return Certainty.CALLER if is_number and person.known else Certainty.NONE
    if person.proof == Proof.MAIL_AUTHENTICATED:
        if reads_nothing(said.claims[0].value):  # a form's mails are of many people
            return Certainty.NONE
        if is_office(said.claims[0].value):
            return Certainty.OFFICE
    return Certainty.PROVEN


def first_words(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_SUBJECT else line[: LONGEST_SUBJECT - 1].rsplit(" ", 1)[0] + "…"


async def end(session: AsyncSession, thread: Thread, *, at: datetime) -> None:
    thread.ended_at = at
    await session.flush()
