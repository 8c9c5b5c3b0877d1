"""Which tickets were rated how, as a condition for a query of tickets."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import SQLCoreOperations

from domain.desk.tickets import Ticket
from domain.feedback.requests import SurveyRequest
from domain.feedback.scales import SurveyKind


def rated(
    kind: SurveyKind, compare: Callable[[SQLCoreOperations[int | None]], ColumnElement[bool]]
) -> ColumnElement[bool]:
    """Of `csat:<3`: `rated(SurveyKind.CSAT, lambda score: score < 3)`. A ticket has the answers about all that became part of it;
    one of them is enough."""
    merged = aliased(Ticket)
    parts = select(merged.id).where(merged.merged_into_id == Ticket.id).correlate(Ticket)
    about = or_(SurveyRequest.ticket_id == Ticket.id, SurveyRequest.ticket_id.in_(parts))
    return exists().where(
        about, SurveyRequest.kind == kind, SurveyRequest.score.is_not(None), compare(SurveyRequest.score)
    )
