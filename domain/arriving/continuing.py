"""Who goes on with which conversation: whom it is with, somebody else who takes part in it, or a person for whom one begins."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import customer
from domain.answering.addressing import recipients
from domain.arriving.answered import goes_on, thread_answered
from domain.arriving.inbound import InboundMessage
from domain.arriving.participants import is_accepted
from domain.arriving.placing import buyer, end
from domain.customers.contacts import Claim, Contact, Identity, IdentityKind, Proof
from domain.customers.likeness import identities_like
from domain.customers.mailboxes import mail_address
from domain.customers.people import Person, nameless, recognise
from domain.customers.survivors import survivor_of
from domain.db import one_of
from domain.desk.messages import DeliveryState, Direction, Message
from domain.desk.survivors import locked, refreshed
from domain.desk.threads import Thread
from domain.joining.matters import Matter
from domain.shop import Joining
from domain.ways_in.channels import Channel


async def who_continues_what(
    session: AsyncSession,
    channel: Channel,
    said: InboundMessage,
    about: Matter,
    rules: Joining,
    *,
    at: datetime,
) -> tuple[Person | None, Thread | None]:
    """The person, none for somebody else who takes part; and the conversation that goes on, if one does."""
    answered = await thread_answered(session, channel, said)
    if not said.claims:
        before = answered.contact_id if answered else None
        return await nameless(session, said.sender_name, before, at=at), answered
    if answered and (person := await _participant(session, said, answered, at=at)):
        return person, answered
    if answered and (person := await _same_number(session, said, answered, at=at)):
        return person, answered
    if answered and await _takes_others(session, said, answered):
        return None, answered
    person = await recognise(
        session,
        said.claims,
        name=said.sender_name,
        locale=said.locale,
        linked=said.linked_contact,
        at=at,
        bought_by=await buyer(session, said, about, rules),
    )
    answered = await thread_answered(session, channel, said)  # another worker may have begun it meanwhile
    if answered and not await _is_of(session, answered, person):
        if answered.key:  # somebody else holds the session now: another conversation
            await end(session, answered, at=said.at)
        answered = None
    return person, answered


async def _participant(
    session: AsyncSession, said: InboundMessage, answered: Thread, *, at: datetime
) -> Person | None:
    """Who answers a mail from the very address we wrote to, or from another that is proven to be the same contact's.

    With the token that only our mail had, the very address is proof by itself; not in what a machine answers, for then nobody
    there has said that it was they who asked, nor once a mail of ours went to others as well, who have the token too.
    """
    first = said.claims[0]
    if said.thread_key or answered.identity_id is None:
        return None
    addressee = await session.get_one(Identity, answered.identity_id)
    contact = await survivor_of(session, addressee.contact_id)
    if contact is None:
        return None
    if addressee.key != first.key:
        return await _by_another_address(session, first, answered, contact, at=at)
    proof = first.proof
    if proof is None and said.thread_number and not said.from_ourselves:
        proof = None if await _others_have_it(session, answered, addressee) else Proof.REPLY_ADDRESS
    known = any(identity.verified_at for identity, _ in await identities_like(session, first))
    if proof and not known and not said.automatic:
        addressee.prove(proof, by=customer(contact.id), at=at)
    addressee.used(at=at)
    return Person(contact, addressee, proof, known=True)


async def _others_have_it(session: AsyncSession, thread: Thread, addressee: Identity) -> bool:
    """Also by a mail that went out before the conversation was split."""
    parts = {thread.id}
    while (
        later := set(await session.scalars(select(Thread.id).where(one_of(Thread.split_from_id, parts))))
        - parts
    ):
        parts |= later
    sent = select(Message.mail).where(
        one_of(Message.thread_id, parts),
        Message.direction == Direction.OUT,
        Message.mail.is_not(None),
        Message.delivery.is_distinct_from(DeliveryState.UNDONE),
    )
    mails = await session.scalars(sent)
    return any(mail_address(one.address) != addressee.value for mail in mails for one in recipients(mail))


async def _same_number(
    session: AsyncSession, said: InboundMessage, answered: Thread, *, at: datetime
) -> Person | None:
    """A conversation with a number goes on, whoever else is known by that number meanwhile."""
    if said.claims[0].kind != IdentityKind.PHONE or answered.identity_id is None:
        return None
    identity = await session.get_one(Identity, answered.identity_id)
    contact = await survivor_of(session, answered.contact_id)
    ticket = await locked(session, answered.ticket_id)
    if contact is None or identity.key != said.claims[0].key:
        return None
    if not await goes_on(session, said, answered, ticket, at=said.at):
        return None
    identity.used(at=at)
    return Person(contact, identity, None, known=True)


async def _by_another_address(
    session: AsyncSession, claim: Claim, answered: Thread, contact: Contact, *, at: datetime
) -> Person | None:
    if claim.proof is None or answered.joined_proof is None:
        return None
    for identity, owner in await identities_like(session, claim):
        if owner.id == contact.id and identity.verified_at and not identity.shared_at:
            identity.used(at=at)
            return Person(contact, identity, claim.proof, known=True)
    return None


async def _takes_others(session: AsyncSession, said: InboundMessage, answered: Thread) -> bool:
    """Anybody who writes to a signed reply address takes part, unconfirmed, and so does whom an agent accepted; not where the
    customer would begin anew."""
    may = said.thread_number is not None or answered.side
    if not may and said.thread_key is None:
        may = bool(await session.scalar(select(is_accepted(answered.id, said.claims[0].value))))
    return may and await goes_on(
        session, said, answered, await locked(session, answered.ticket_id), at=said.at
    )


async def _is_of(session: AsyncSession, thread: Thread, person: Person) -> bool:
    """Is the conversation this person's, as it is now? It may have followed the person a moment ago."""
    await refreshed(session, thread)
    contact = await survivor_of(session, thread.contact_id)
    return contact is not None and contact.id == person.contact.id
