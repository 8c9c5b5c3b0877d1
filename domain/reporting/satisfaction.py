"""What customers thought of the help and of the shop, beside the other figures of a report.

An answer counts when it was first given, and whether there was one when it was asked for; for who solved the ticket.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Numeric,
    Select,
    case,
    cast,
    exists,
    func,
    null,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import aliased

from domain.access import may_see
from domain.desk.tickets import Ticket
from domain.feedback.requests import SurveyRequest
from domain.feedback.scales import DETRACTOR, PROMOTER, SATISFIED, SurveyKind
from domain.reporting.asking import Asked

of = SurveyRequest.__table__.c
SCORES = {
    "csat": (SurveyKind.CSAT, case((of.score >= SATISFIED, 100), else_=0)),
    "nps": (SurveyKind.NPS, case((of.score >= PROMOTER, 100), (of.score <= DETRACTOR, -100), else_=0)),
}
"""Of what is asked, and what an answer gives: the figure is the average."""
ANSWERED = "survey_answered_percent"
NAMES = (*SCORES, ANSWERED)

_former, _survivor = aliased(Ticket), aliased(Ticket)
COUNTS = exists().where(
    _former.id == SurveyRequest.ticket_id,
    _survivor.id == func.coalesce(_former.merged_into_id, _former.id),
    _survivor.spam_at.is_(None),
)
"""What is said of spam does not; of what has become part of another ticket, that one says."""


def ratings(asked: Asked, names: Collection[str]) -> Select[Any]:
    """`names` (of `NAMES`) of each row, of all rows together (`whole`), and of the period before (`earlier`)."""
    begin = asked.period.begin
    given = union_all(*_given(asked, names)).subquery("given").c
    rated = (
        select(
            (given.at < begin).label("earlier"),
            case((given.at >= begin, asked.key(given))).label("key"),
            *(given[name] for name in names),
        )
        .where(given.at >= asked.period.before(), given.at < asked.period.end, *asked.narrowed(given))
        .cte("rated", nesting=True)
        .c
    )
    sets = func.grouping_sets(tuple_(rated.earlier, rated.key), tuple_(rated.earlier))
    whole = (func.grouping(rated.key) == 1).label("whole")
    averages = [func.round(cast(func.avg(rated[name]), Numeric), 1).label(name) for name in names]
    return select(rated.earlier, rated.key, whole, *averages).group_by(sets)


def _given(asked: Asked, names: Collection[str]) -> Iterator[Select[Any]]:
    """What was answered, and what was asked."""
    whose = (of.agent_id, of.channel_id, of.team_id)
    seen = (may_see(SurveyRequest, asked.reader), COUNTS)
    worth = {name: case((of.kind == SCORES[name][0], SCORES[name][1])) for name in names if name in SCORES}
    if worth:
        kinds = [SCORES[name][0] for name in worth]
        answers = select(of.answered_at.label("at"), *whose, *_columns(names, worth))
        yield answers.where(of.kind.in_(kinds), *seen)
    if ANSWERED in names:
        came = {ANSWERED: case((of.score.is_not(None), 100), else_=0)}
        yield select(of.asked_at.label("at"), *whose, *_columns(names, came)).where(*seen)


def _columns(names: Collection[str], given: Mapping[str, ColumnElement[Any]]) -> Iterator[ColumnElement[Any]]:
    for name in names:
        yield given.get(name, cast(null(), Integer)).label(name)
