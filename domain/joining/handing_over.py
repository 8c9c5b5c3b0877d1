"""An identity turns out to be somebody else's: one move in the journal, that can be undone."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import access, shop
from domain.actors import Actor, ActorKind
from domain.customers.contacts import Contact, Identity, Proof
from domain.customers.survivors import same_person
from domain.desk.survivors import locked
from domain.desk.threads import Certainty, Thread, place
from domain.desk.tickets import Ticket
from domain.joining.cases import case_of, cases_of
from domain.joining.merging import become, dissolve, move_thread, new_ticket, settle
from domain.joining.moves import Journal, MoveKind, hold
from domain.joining.reasons import JoinCode
from domain.privacy.erasure import is_under_way
from domain.sla import reckoning
from domain.ways_in.channels import ChannelKind


async def hand_over(
    session: AsyncSession,
    identity: Identity,
    to: Contact,
    code: JoinCode,
    *,
    proof: Proof | None = None,
    by: Actor,
    at: datetime,
) -> Identity:
    """The identity turns out to be `to`'s: its conversations follow, and join that contact's open ticket of the same matter. A `proof`
    says so of `to`, and goes when that is undone.

    A ticket all of whose threads were this identity's goes along whole. The contact left without any identity becomes `to`, unless
    it is being erased.
    """
    await hold(session)
    before = await session.get_one(Contact, identity.contact_id)
    if to.id in (before.id, before.canonical_id):
        return identity
    journal = await Journal.begin(session, MoveKind.HAND_OVER, to.id, by=by, at=at)
    threads = list(await session.scalars(select(Thread).where(Thread.identity_id == identity.id)))
    journal.set(identity, always=True, contact_id=to.id)
    if proof:
        unproven = {"verified_at": identity.verified_at, "verified_by": identity.verified_by}
        identity.prove(proof, by=by, at=at)
        for field, before_it in unproven.items():
            journal.note(identity, field, before_it, anyway=True)
    for ticket_id in dict.fromkeys(thread.ticket_id for thread in threads):
        moving = [thread for thread in threads if thread.ticket_id == ticket_id]
        ticket = await locked(session, ticket_id)
        shared = await session.scalar(
            select(Thread.id)
            .where(Thread.ticket_id == ticket.id, Thread.id.not_in([thread.id for thread in moving]))
            .limit(1)
        )
        home = await _home(session, ticket, to, code, by=by, at=at) if ticket.is_live() else None
        if home is None and shared and ticket.is_live():
            home = await new_ticket(journal, ticket, to, subject=moving[0].subject)
        elif home is None and shared:
            continue  # an old matter of several: it stays where it was settled
        elif home is None:
            journal.set(ticket, always=True, contact_id=to.id)
            await journal.all(Thread, Thread.ticket_id == ticket.id, always=True, contact_id=to.id)
            await settle(session, ticket_ids=[ticket.id])
            continue
        for thread in moving:
            journal.set(thread, always=True, contact_id=to.id)
            await move_thread(journal, thread, home, code, identity=identity)
        if not shared and home.id != ticket.id:
            await dissolve(journal, ticket, home)
        await settle(session, ticket_ids=[home.id])
        for changed in (ticket, home):
            await reckoning.reckon(session, changed, by=by, at=at)
    await session.flush()
    left = await session.scalar(select(Identity.id).where(Identity.contact_id == before.id).limit(1))
    if left is None and not await is_under_way(session, [before.id]):
        await become(journal, before, to)  # nobody can ever write to it again
    return identity


async def _home(
    session: AsyncSession, ticket: Ticket, to: Contact, code: JoinCode, *, by: Actor, at: datetime
) -> Ticket | None:
    """The open ticket of `to` that is about the same, by the rule for conversations that begin. Nobody's word brings anything into
    a ticket that they do not see."""
    moving = await case_of(session, ticket)
    cases = [case for case in await cases_of(session, to.id, at=at) if case.ticket_id != ticket.id]
    if by.kind in (ActorKind.AGENT, ActorKind.TOKEN):
        theirs = select(Ticket.id).where(same_person(Ticket.contact_id, to.id), access.may_see(Ticket, by))
        seen = set(await session.scalars(theirs))
        cases = [case for case in cases if case.ticket_id in seen]
    placement = place(
        certainty=Certainty.PROVEN,
        code=code,
        said=moving.matter,
        channel=next(iter(moving.channels), ChannelKind.EMAIL),
        at=moving.last_word_at,
        cases=cases,
        windows=(await shop.joining(session)).windows,
    )
    return await locked(session, placement.ticket_id) if placement.ticket_id else None
