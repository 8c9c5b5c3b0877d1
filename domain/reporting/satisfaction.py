"""What customers thought of the help, beside the other figures of a report: the percentage of 4 and 5 of 5.

An answer counts for who solved the ticket, when it was given.
"""

from typing import Any

from sqlalchemy import Numeric, Select, case, cast, exists, func, select, tuple_
from sqlalchemy.orm import aliased

from domain.access import may_see
from domain.desk.tickets import Ticket
from domain.feedback.requests import SurveyRequest
from domain.feedback.scales import SATISFIED, SurveyKind
from domain.reporting.asking import Asked

_former, _survivor = aliased(Ticket), aliased(Ticket)
COUNTS = exists().where(
    _former.id == SurveyRequest.ticket_id,
    _survivor.id == func.coalesce(_former.merged_into_id, _former.id),
    _survivor.spam_at.is_(None),
)
"""What is said of spam does not; of what has become part of another ticket, that one says."""


def ratings(asked: Asked) -> Select[Any]:
    """`csat` of each row, of all rows together (`whole`), and of the period before (`earlier`)."""
    begin, request = asked.period.begin, SurveyRequest.__table__.c
    given = (
        select(
            request.answered_at.label("at"),
            request.agent_id,
            request.channel_id,
            request.team_id,
            request.score,
        )
        .where(request.kind == SurveyKind.CSAT, may_see(SurveyRequest, asked.reader), COUNTS)
        .subquery("given")
        .c
    )
    rated = (
        select(
            (given.at < begin).label("earlier"),
            case((given.at >= begin, asked.key(given))).label("key"),
            case((given.score >= SATISFIED, 100), else_=0).label("satisfied"),
        )
        .where(given.at >= asked.period.before(), given.at < asked.period.end, *asked.narrowed(given))
        .cte("rated", nesting=True)
        .c
    )
    sets = func.grouping_sets(tuple_(rated.earlier, rated.key), tuple_(rated.earlier))
    whole = (func.grouping(rated.key) == 1).label("whole")
    csat = func.round(cast(func.avg(rated.satisfied), Numeric), 1).label("csat")
    return select(rated.earlier, rated.key, whole, csat).group_by(sets)
