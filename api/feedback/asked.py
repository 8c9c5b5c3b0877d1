"""Whether a ticket's customer was asked about the help, and why not."""

import uuid
from collections.abc import Collection
from datetime import datetime

import strawberry
from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from api.context import Reading
from api.paging import of_each
from domain.access import may_see
from domain.db import one_of
from domain.desk.tickets import Ticket
from domain.feedback.requests import SurveyRequest, Unasked
from domain.feedback.scales import SurveyKind
from domain.feedback.wording import UNASKED
from domain.languages import translate

strawberry.enum(Unasked, name="SurveyUnasked")


@strawberry.type(
    description="A survey about a solved ticket, on its way to the customer or not. `feedback` is what came back."
)
class TicketSurvey:
    kind: SurveyKind
    solved_at: datetime = strawberry.field(description="The solving that it is about.")
    asked_at: datetime | None = strawberry.field(
        description="Null with `unasked` null, too: it has not left yet."
    )
    unasked: Unasked | None = strawberry.field(description="Why the customer was not asked.")
    why: str | None = strawberry.field(description="The same as a sentence, in the reader's language.")


async def surveys_of(reading: Reading, ticket_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, TicketSurvey]:
    """Of each ticket the newest, also about what has become part of it."""
    its = aliased(Ticket)  # the door asks the table itself
    at = func.coalesce(its.merged_into_id, its.id)
    requests = (
        select(SurveyRequest.__table__, at.label("stands_at"))
        .join(its, its.id == SurveyRequest.ticket_id)
        .where(
            may_see(SurveyRequest, reading.actor),
            one_of(its.id, ticket_ids) | one_of(its.merged_into_id, ticket_ids),
        )
    )
    newest = of_each(requests, at, SurveyRequest.event_seq.desc(), most=1)
    rows = (await reading.connection.execute(newest)).all()
    return {
        row.stands_at: TicketSurvey(
            kind=row.kind,
            solved_at=row.solved_at,
            asked_at=row.asked_at,
            unasked=row.unasked,
            why=translate(reading.locale, UNASKED[row.unasked]) if row.unasked else None,
        )
        for row in rows
    }
