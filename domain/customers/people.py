"""Who is this? Proof finds the contact; a claim alone finds only others that claim the same.

| what the sender shows                     | whose contact it is                                           |
|-------------------------------------------|---------------------------------------------------------------|
| a signed m.me link                        | the contact the link was made for                             |
| a marketplace, on behalf of an order      | the contact on whose behalf it wrote of the same order before |
| a proven value somebody has proven before | that contact, unless a mail comes under another person's name |
| a proven address nobody has proven        | the contact known by nothing but this address; else a new one |
| a session or a Messenger person, only     | who held it last, unless another signed person does now       |
| an unproven mail address                  | the contact that claims it and has proven nothing at all      |
| the number of a call or a text message    | the one contact that has it; of several none                  |
"""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import access
from domain.abreast import by_turns
from domain.actors import Actor, customer
from domain.customers.contacts import (
    Claim,
    Contact,
    Identity,
    IdentityKind,
    Proof,
    add_contact,
    add_identity,
    lock_identities,
)
from domain.customers.likeness import identities_like
from domain.customers.mailboxes import Holder, who_writes
from domain.customers.survivors import has_become_another, survivor_of
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.errors import IdentityTaken
from domain.joining.handing_over import hand_over
from domain.joining.reasons import REASON_OF_PROOF, JoinCode
from domain.work import TryLater

Like = dict[Claim, list[tuple[Identity, Contact]]]

# A session and a page's person are handles on a conversation: they follow the person who proves to hold them.
HANDLES = (IdentityKind.CHAT, IdentityKind.MESSENGER)

OPENING = timedelta(minutes=10)
"""A first message may be read before the news of the link that it came by."""


@dataclass(frozen=True)
class Person:
    contact: Contact
    identity: Identity | None
    """The one of the first claim: whom to answer; none of who shows no number."""
    proof: Proof | None
    """What made this person certain, this time."""
    known: bool
    """Was this contact here before?"""
    shares: bool = False
    """Other people write from this proven address too: the name is all that tells them apart."""


async def recognise(
    session: AsyncSession,
    claims: tuple[Claim, ...],
    *,
    name: str,
    locale: str | None,
    linked: uuid.UUID | None,
    at: datetime,
    bought_by: Contact | None = None,
) -> Person:
    """`bought_by`: on whose behalf the same marketplace wrote of the same order before."""
    await lock_identities(session, *claims)
    like: Like = {claim: await identities_like(session, claim) for claim in claims}
    contact, proof, shares = await _whose(session, like, name, linked, bought_by, at)
    known = contact is not None
    if contact is None:
        contact = add_contact(session, name=name, locale=locale, by=customer(uuid.UUID(int=0)), at=at)
        proof = None if shares else claims[0].proof
    await by_turns(session, f"contact\n{contact.id}")
    if known and ((name and not contact.name) or (locale and not contact.locale)):
        await session.refresh(contact, with_for_update={"key_share": True})  # an agent may say so just now
    if not contact.name and name:
        contact.name = name
    if not contact.locale and locale:
        contact.locale = locale
    theirs = [
        await _identity(session, claim, like[claim], contact, proof, name=name, at=at) for claim in claims
    ]
    if shares:
        theirs[0].shared_at = theirs[0].shared_at or at
    await session.flush()  # who becomes one with another holds them before their tickets too
    if known and await has_become_another(session, contact.id):
        raise TryLater("its contact has become another meanwhile", after=0.1)
    return Person(contact, theirs[0], proof, known, shares)


async def nameless(session: AsyncSession, name: str, before: uuid.UUID | None, *, at: datetime) -> Person:
    """Whoever sends under a name in place of a number, which says nothing of who it is and cannot be answered: nobody but
    the contact of the conversation `before`."""
    contact = await survivor_of(session, before) if before else None
    known = contact is not None
    if contact is None:
        contact = add_contact(session, name=name, locale=None, by=customer(uuid.UUID(int=0)), at=at)
    return Person(contact, None, None, known)


async def _whose(
    session: AsyncSession,
    like: Like,
    name: str,
    linked: uuid.UUID | None,
    bought_by: Contact | None,
    at: datetime,
) -> tuple[Contact | None, Proof | None, bool]:
    """The contact, what proves it, and whether the address is one that several share."""
    if (
        linked
        and (contact := await survivor_of(session, linked))
        and await _opened_by_link(session, like, contact, at)
    ):
        return contact, Proof.MESSENGER_LINK, False
    signed = [claim for claim in like if claim.proof and claim.kind not in HANDLES]
    handles = [claim for claim in like if claim.proof and claim.kind in HANDLES]
    for claim in signed:
        holders = _holders(like[claim])
        if claim.kind == IdentityKind.EMAIL and holders:
            contact = who_writes(name, holders)
            shares = contact is None or len(holders) > 1
            return contact, None if shares else claim.proof, shares
        for identity, contact in like[claim]:
            if identity.verified_at:
                return contact, claim.proof, False
    if bought_by:
        return bought_by, Proof.MARKETPLACE, False
    for claim in handles:
        for identity, contact in like[claim]:
            if identity.verified_at and not (signed and await _is_signed(session, contact)):
                return contact, identity.verified_by, False
    for claim in signed:
        for _, contact in like[claim]:
            if await _has_nothing_else(session, contact):
                return contact, claim.proof, False
    if signed or handles:
        return None, None, False
    (claim,) = like
    return await _claiming(session, claim, like[claim]), None, False


def _holders(like: list[tuple[Identity, Contact]]) -> list[Holder[Contact]]:
    """Who has proven to write from an address, with their names: one, or several who share it."""
    names: dict[uuid.UUID, list[str]] = {}
    owners: dict[uuid.UUID, Contact] = {}
    for identity, contact in like:
        if identity.verified_at or identity.shared_at:
            owners[contact.id] = contact
            names.setdefault(contact.id, [contact.name]).append(identity.name)
    return [Holder(contact, tuple(names[id])) for id, contact in owners.items()]


async def _opened_by_link(session: AsyncSession, like: Like, contact: Contact, at: datetime) -> bool:
    """A link opens a conversation, once. Forwarded to somebody who talks to us already, or used by a second person, it
    proves nothing."""
    (claim,) = like
    for identity, owner in like[claim]:
        if owner.id != contact.id and at - identity.created_at > OPENING:
            return False
    others = select(Identity.id).where(
        Identity.contact_id == contact.id,
        Identity.scope == claim.scope,
        Identity.value != claim.value,
        Identity.verified_by == Proof.MESSENGER_LINK,
    )
    return await session.scalar(others.limit(1)) is None


async def _is_signed(session: AsyncSession, contact: Contact) -> bool:
    """Has somebody proven to be this contact by more than a handle? Then another signed person is not."""
    strong = select(Identity.id).where(
        Identity.contact_id == contact.id, Identity.verified_at.is_not(None), Identity.kind.not_in(HANDLES)
    )
    return await session.scalar(strong.limit(1)) is not None


async def _claiming(
    session: AsyncSession, claim: Claim, like: list[tuple[Identity, Contact]]
) -> Contact | None:
    """Whom an unproven value leads to: nobody who has proven anything, but for the one contact of a caller's number."""
    owners = {contact.id: contact for _, contact in like}
    if claim.kind == IdentityKind.PHONE and len(owners) == 1:
        return next(iter(owners.values()))
    unknown = [contact for contact in owners.values() if not await _has_proof(session, contact)]
    if (
        claim.kind == IdentityKind.PHONE
    ):  # several have it: the caller is none of them, but the same as last time
        unknown = [contact for contact in unknown if await _has_nothing_else(session, contact)]
    return unknown[0] if len(unknown) == 1 else None


async def _has_proof(session: AsyncSession, contact: Contact) -> bool:
    proven = select(Identity.id).where(Identity.contact_id == contact.id, Identity.verified_at.is_not(None))
    return await session.scalar(proven.limit(1)) is not None


async def _has_nothing_else(session: AsyncSession, contact: Contact) -> bool:
    count = await session.scalar(
        select(func.count()).select_from(Identity).where(Identity.contact_id == contact.id)
    )
    return count == 1


async def _identity(
    session: AsyncSession,
    claim: Claim,
    like: list[tuple[Identity, Contact]],
    contact: Contact,
    proof: Proof | None,
    *,
    name: str,
    at: datetime,
) -> Identity:
    """The claim's value as an identity of `contact`: found, proven now, taken over, or added."""
    by = customer(contact.id)
    proven_by_another = [pair for pair in like if pair[0].verified_at and pair[1].id != contact.id]
    mine = next((identity for identity, owner in like if owner.id == contact.id), None)
    if proven_by_another and claim.proof and claim.kind in HANDLES and proof:
        ((taken, owner),) = proven_by_another
        if not await _is_signed(session, owner):
            return await hand_over(session, taken, contact, REASON_OF_PROOF[proof], by=by, at=at)
    if (
        proven_by_another
    ):  # two proofs that contradict each other: this one stays a claim, for a person to look at
        claim = replace(claim, proof=None)
    elif proof == Proof.MESSENGER_LINK and claim.kind in HANDLES:
        claim = replace(claim, proof=proof)
    if mine is None:
        return add_identity(session, contact, claim, by=by, at=at, name=name)
    mine.used(at=at)
    mine.name = mine.name or name
    if claim.proof:
        mine.prove(claim.proof, by=by, at=at)
    return mine


async def link(session: AsyncSession, contact: Contact, claim: Claim, *, by: Actor, at: datetime) -> Identity:
    """An agent's word that this value is the contact's. Conversations held under it so far follow.

    What another contact has proven stays there, but for handles: a chat or a Messenger person has no other proof.
    """
    await lock_identities(session, claim)
    claim = replace(claim, proof=Proof.AGENT)
    mine: Identity | None = None
    for identity, owner in await identities_like(session, claim):
        if owner.id == contact.id:
            mine = mine or identity
            continue
        if await _holds_unseen(session, identity, by):
            raise IdentityTaken(field=["value"])
        if claim.kind in HANDLES or (not identity.verified_at and await _has_nothing_else(session, owner)):
            proof = None if mine else Proof.AGENT  # what is proven once is not proven twice
            handed = await hand_over(
                session, identity, contact, JoinCode.LINKED_BY_AGENT, proof=proof, by=by, at=at
            )
            mine = mine or handed
        elif identity.verified_at:
            raise IdentityTaken(field=["value"])
    if mine is None:
        return add_identity(session, contact, claim, by=by, at=at)
    mine.prove(Proof.AGENT, by=by, at=at)
    return mine


async def _holds_unseen(session: AsyncSession, identity: Identity, by: Actor) -> bool:
    """Would conversations move that this agent may not see? Then the word is not theirs to give."""
    unseen = (
        select(Ticket.id)
        .join(Thread, Thread.ticket_id == Ticket.id)
        .where(Thread.identity_id == identity.id, access.may_not_see(Ticket, by))
    )
    return await session.scalar(unseen.limit(1)) is not None


async def is_anothers_session(session: AsyncSession, handle: Claim, signed: list[Claim]) -> bool:
    """Has somebody else signed in with this session than who does now? Then what was said in it is not theirs to read."""
    for identity, owner in await identities_like(session, handle):
        if not identity.verified_at or not await _is_signed(session, owner):
            continue
        theirs = [await identities_like(session, claim) for claim in signed]
        if not any(known.id == owner.id and one.verified_at for pairs in theirs for one, known in pairs):
            return True
    return False
