"""A complaint goes on: to another stage, to another owner, to its next step."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.complaints.complaints import Complaint, ComplaintStep
from domain.complaints.decision_dates import counts_as_accepted, due_at, hours_for, legal_date
from domain.complaints.opening import check_promise
from domain.complaints.refusals import CountsAsAccepted
from domain.complaints.stages import UNDECIDED, Outcome, Remedy, Stage
from domain.complaints.stalling import watch
from domain.desk.tickets import Ticket, TicketStatus
from domain.errors import InvalidInput
from domain.events import EventKind
from domain.languages import N_
from domain.planning import applying
from domain.sla import reckoning
from domain.sla.promises import Deed


@dataclass(frozen=True)
class Decision:
    outcome: Outcome | None = None
    remedy: Remedy | None = None
    amount: Decimal | None = None
    currency: str | None = None
    words: str = ""
    told_at: datetime | None = None
    """When the customer was told, if not now: by a letter, say."""


NOTHING = Decision()


async def advance(
    session: AsyncSession,
    complaint: Complaint,
    ticket: Ticket,
    to: Stage,
    decision: Decision = NOTHING,
    *,
    note: str = "",
    by: Actor,
    at: datetime,
) -> None:
    """The ticket is held."""
    if to == Stage.DECIDED and complaint.stage in UNDECIDED:
        await _decide(session, complaint, ticket, decision, at=at)
    elif to == Stage.CLOSED and complaint.stage in UNDECIDED:
        complaint.outcome = decision.outcome
    elif decision != NOTHING:
        raise InvalidInput(N_("What was decided is said when it is decided."), field=["outcome"])
    complaint.may_go(to, locale=by.locale)
    if to == Stage.INVESTIGATING and complaint.closed_at and complaint.decided_at is None:
        await _complained_again(session, ticket, complaint.closed_at)
    words = "\n\n".join(said for said in (decision.words, note) if said.strip())
    answered = complaint.decided_at is not None and await _was_closed(session, complaint)
    complaint.go(to, words, answered=answered, by=by, at=at)
    if complaint.is_undecided and not ticket.is_live():
        ticket.change(by=by, at=at, status=TicketStatus.OPEN)
    ticket.undecided = complaint.is_undecided
    ticket.updated_at = at
    await reckoning.reckon(session, ticket, by=by, at=at)
    await watch(session, complaint, by=by, at=at)


async def _complained_again(session: AsyncSession, ticket: Ticket, withdrawn_at: datetime) -> None:
    """What was withdrawn binds nobody, with all that was part of it: the law's days run from the first word after it. Without one,
    nobody has complained anew, and a click wins no time."""
    history = await reckoning.history_of(session, ticket)
    words = [fact.at for fact in history.facts if fact.deed == Deed.CUSTOMER_SPOKE and fact.at > withdrawn_at]
    if words:
        its = (Ticket.id == ticket.id) | (Ticket.merged_into_id == ticket.id)
        since = update(Ticket).where(its, Ticket.legal_since.is_not(None))
        await session.execute(since.values(legal_since=min(words)))


async def _was_closed(session: AsyncSession, complaint: Complaint) -> bool:
    """With a decision, to which the customer objected."""
    closed = select(ComplaintStep.id).where(
        ComplaintStep.complaint_id == complaint.id,
        ComplaintStep.stage == Stage.CLOSED,
        ComplaintStep.outcome.is_not(None),
        ComplaintStep.outcome != Outcome.WITHDRAWN,
    )
    return await session.scalar(closed.limit(1)) is not None


async def _decide(
    session: AsyncSession, complaint: Complaint, ticket: Ticket, decision: Decision, *, at: datetime
) -> None:
    told_at, outcome = decision.told_at or at, decision.outcome
    legal, answered_at = await legal_date(session, ticket.id), complaint.decided_at or told_at
    since = legal.since if legal else ticket.legal_since or complaint.opened_at
    if told_at > at or (told_at < since and decision.told_at):
        raise InvalidInput(
            N_("The customer was told after they complained, and not in the future."), field=["decidedAt"]
        )
    if counts_as_accepted(complaint, legal.due_at if legal else None, decided_at=answered_at, at=at):
        if outcome not in (None, Outcome.ACCEPTED, Outcome.DEEMED_ACCEPTED):
            raise CountsAsAccepted(field=["outcome"])
        outcome = Outcome.DEEMED_ACCEPTED
    elif outcome == Outcome.DEEMED_ACCEPTED:
        raise InvalidInput(N_("Only a law decides this, when nobody answers in time."), field=["outcome"])
    complaint.outcome, complaint.decision = outcome, decision.words.strip()
    complaint.award(decision.remedy, decision.amount, decision.currency)
    complaint.decided_at = answered_at


class Left(Enum):
    """What is left out stays."""

    OUT = "out"


async def change(
    session: AsyncSession,
    complaint: Complaint,
    ticket: Ticket,
    *,
    owner_id: uuid.UUID | Left | None = Left.OUT,
    next_step: str | None = None,
    next_step_at: datetime | Left | None = Left.OUT,
    promised_at: datetime | Left | None = Left.OUT,
    note: str = "",
    by: Actor,
    at: datetime,
) -> None:
    """The ticket is held. What moves it is the next step: another owner alone has done nothing yet."""
    if owner_id is not Left.OUT:
        complaint.owner_id = owner_id
    if promised_at is not Left.OUT:
        legal = await legal_date(session, ticket.id)
        law = legal.due_at if legal else None
        check_promise(law, promised_at, at=at)
        before, complaint.promised_at = complaint.promised_at, promised_at
        await applying.follow(
            session,
            complaint,
            before=due_at(law, before),
            decision=due_at(law, promised_at),
            hours=await hours_for(session, legal),
            by=by,
            at=at,
        )
    if next_step is not None:
        complaint.next_step, complaint.moved_at = next_step.strip(), at
        complaint.next_step_at = None
    if next_step_at is not Left.OUT:
        complaint.next_step_at, complaint.moved_at = next_step_at, at
    if complaint.next_step_at and not complaint.next_step:
        raise InvalidInput(N_("Say what the next step is."), field=["nextStep"])
    ticket.updated_at = at
    complaint.tell(EventKind.COMPLAINT_CHANGED, note, by=by, at=at)
    await watch(session, complaint, by=by, at=at)
