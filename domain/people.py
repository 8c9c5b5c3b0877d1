"""Who is this? Proof finds the contact; a claim alone finds only others that claim the same.

| what the sender shows                     | whose contact it is                                           |
|-------------------------------------------|---------------------------------------------------------------|
| a signed m.me link                        | the contact the link was made for                             |
| a proven value somebody has proven before | that contact                                                  |
| a proven address nobody has proven        | the contact known by nothing but this address; else a new one |
| an unproven mail address                  | the contact that claims it as unproven; never who proved it   |
| a caller's number                         | the one contact that has it; of several none                  |
"""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor, customer
from domain.contacts import (
    Claim,
    Contact,
    Identity,
    IdentityKind,
    Proof,
    add_contact,
    add_identity,
    identities_like,
    lock_identity,
    survivor_of,
)
from domain.errors import IdentityTaken
from domain.merging import hand_over
from domain.threads import REASON_OF_PROOF, JoinCode

Like = dict[Claim, list[tuple[Identity, Contact]]]

# A session and a page's person are handles on a conversation: they follow the person who proves to hold them.
HANDLES = (IdentityKind.CHAT, IdentityKind.MESSENGER)


@dataclass(frozen=True)
class Person:
    contact: Contact
    identity: Identity
    """The one of the first claim: whom to answer."""
    proof: Proof | None
    """What made this person certain, this time."""
    known: bool
    """Was this contact here before?"""


async def recognise(
    session: AsyncSession,
    claims: tuple[Claim, ...],
    *,
    name: str,
    locale: str | None,
    linked: uuid.UUID | None,
    at: datetime,
) -> Person:
    for claim in sorted(claims, key=lambda claim: claim.key):
        await lock_identity(session, claim)
    like: Like = {claim: await identities_like(session, claim) for claim in claims}
    contact, proof = await _whose(session, like, linked)
    known = contact is not None
    if contact is None:
        contact = add_contact(session, name=name, locale=locale, by=customer(uuid.UUID(int=0)), at=at)
        await session.flush()
        proof = claims[0].proof
    contact.name = contact.name or name
    contact.locale = contact.locale or locale
    theirs = [await _identity(session, claim, like[claim], contact, proof, at=at) for claim in claims]
    await session.flush()
    return Person(contact, theirs[0], proof, known)


async def _whose(
    session: AsyncSession, like: Like, linked: uuid.UUID | None
) -> tuple[Contact | None, Proof | None]:
    if linked and (contact := await survivor_of(session, linked)):
        return contact, Proof.MESSENGER_LINK
    proven = sorted((claim for claim in like if claim.proof), key=lambda claim: claim.kind in HANDLES)
    for claim in proven:
        for identity, contact in like[claim]:
            if identity.verified_at:
                return contact, identity.verified_by if claim.kind in HANDLES else claim.proof
    for claim in proven:
        for _, contact in like[claim]:
            if await _has_nothing_else(session, contact):
                return contact, claim.proof
    if proven:
        return None, None
    (claim,) = like
    claiming = {
        contact.id: contact
        for identity, contact in like[claim]
        if claim.kind == IdentityKind.PHONE or not identity.verified_at
    }
    return (next(iter(claiming.values())) if len(claiming) == 1 else None), None


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
    at: datetime,
) -> Identity:
    """The claim's value as an identity of `contact`: found, proven now, taken over, or added."""
    by = customer(contact.id)
    proven_by_another = False
    for identity, owner in like:
        if owner.id == contact.id:
            identity.last_used_at = at
            if claim.proof:
                identity.prove(claim.proof, by=by, at=at)
            return identity
        proven_by_another = proven_by_another or identity.verified_at is not None
    if proven_by_another and claim.proof and claim.kind in HANDLES and proof:
        taken = next(identity for identity, _ in like if identity.verified_at)
        return await hand_over(session, taken, contact, REASON_OF_PROOF[proof], by=by, at=at)
    if (
        proven_by_another
    ):  # two proofs that contradict each other: this one stays a claim, for a person to look at
        claim = replace(claim, proof=None)
    if proof == Proof.MESSENGER_LINK and claim.kind in HANDLES:
        claim = replace(claim, proof=proof)
    return add_identity(session, contact, claim, by=by, at=at)


async def link(session: AsyncSession, contact: Contact, claim: Claim, *, by: Actor, at: datetime) -> Identity:
    """An agent's word that this value is the contact's. Conversations held under it so far follow.

    What another contact has proven stays there, but for handles: a chat or a Messenger person has no other proof.
    """
    await lock_identity(session, claim)
    claim = replace(claim, proof=Proof.AGENT)
    mine: Identity | None = None
    for identity, owner in await identities_like(session, claim):
        if owner.id == contact.id:
            mine = identity
        elif claim.kind in HANDLES or (not identity.verified_at and await _has_nothing_else(session, owner)):
            mine = await hand_over(session, identity, contact, JoinCode.LINKED_BY_AGENT, by=by, at=at)
        elif identity.verified_at:
            raise IdentityTaken(field=["value"])
    if mine is None:
        return add_identity(session, contact, claim, by=by, at=at)
    mine.prove(Proof.AGENT, by=by, at=at)
    return mine
