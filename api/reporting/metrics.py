"""Statistics as screens show them: `metrics`, a table of figures with the period before beside it."""

import uuid
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

import strawberry
from strawberry.utils.str_converters import to_camel_case

from api.context import Info, plain
from api.reporting import links
from api.selection import wanted
from domain.actors import Actor, ActorKind
from domain.errors import InvalidInput
from domain.ids import public_id, row_id
from domain.languages import N_, translate
from domain.reporting import labels
from domain.reporting.asking import Asked, Grouping, Key
from domain.reporting.counting import NAMES as FIGURES
from domain.reporting.counting import Line, Values, report
from domain.reporting.periods import Period
from domain.ways_in.channels import ChannelKind

strawberry.enum(
    Grouping,
    name="MetricGroup",
    description="HOUR is the hour of the day, 0 to 23, of all days of the range together.",
)

TOTAL, PREVIOUS, NOBODY = "total", "previous", "none"


@strawberry.input(description="Up to 366 days, `to` no longer in it.")
class MetricRange:
    from_: datetime = strawberry.field(name="from")
    to: datetime
    channels: list[ChannelKind] | None = None
    team_ids: list[strawberry.ID] | None = None
    agent_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Agents may name themselves only."
    )
    zone: str | None = strawberry.field(
        default=None,
        description="In whose days and hours, such as Europe/Warsaw; without it, in those of the one who asks (of a token: UTC).",
    )


@strawberry.type(
    description="Figures of one row. Times are seconds; `Business` ones count only while the shop is open; null: nothing was "
    "measured. `metricTickets` gives the tickets behind each. What each means: docs/statistics.md."
)
class MetricRow:
    key: strawberry.ID = strawberry.field(
        description="The agent's, channel's or team's id (`none`: of nobody); the day, as 2026-03-29; the hour; `total`; `previous`."
    )
    label: str
    opened: int
    handled: int = strawberry.field(description="Tickets that a person answered or solved.")
    solved: int
    one_touch: int = strawberry.field(description="Of the solved ones, by one answer.")
    reopened: int
    reopened_percent: float | None = strawberry.field(description="Of as many as were solved.")
    backlog: int | None = strawberry.field(
        description="Open at the end of the day or the range; null for an hour of the day."
    )
    messages_in: int
    messages_out: int
    calls_in: int
    calls_out: int
    calls_missed: int
    first_reply_p50: int | None
    first_reply_p90: int | None
    first_reply_business_p50: int | None
    first_reply_business_p90: int | None
    next_reply_p50: int | None
    next_reply_p90: int | None
    next_reply_business_p50: int | None
    next_reply_business_p90: int | None
    resolution_p50: int | None
    resolution_p90: int | None
    resolution_business_p50: int | None
    resolution_business_p90: int | None
    handle_p50: int | None
    handle_p90: int | None
    handle_business_p50: int | None
    handle_business_p90: int | None
    promises: int = strawberry.field(description="That were kept, or came due and were not.")
    promises_broken: int
    first_reply_broken: int
    next_reply_broken: int
    resolution_broken: int
    sla_percent: float | None = strawberry.field(description="Of the promises, how many were kept.")
    first_reply_percent: float | None
    next_reply_percent: float | None
    resolution_percent: float | None
    complaints_opened: int = strawberry.field(description="Tickets that became a complaint.")
    complaints_closed: int
    complaints_received: int | None = strawberry.field(
        description="This and the next four: complaints at that stage at the end of the day or the range; null for an hour of the day."
    )
    complaints_investigating: int | None
    complaints_waiting: int | None = strawberry.field(description="For somebody outside.")
    complaints_decided: int | None
    complaints_remedied: int | None
    csat: float | None = strawberry.field(
        description="Of the customers who answered, the percentage that gave 4 or 5 of 5; null of none. `feedback` lists the answers."
    )
    nps: float | None = strawberry.field(
        description="Of those who said whether they recommend the shop, the percentage that gave 9 or 10 of 10, less that of 0 to 6; null of none."
    )
    survey_answered_percent: float | None = strawberry.field(
        description="Of the customers who were asked either in this time, how many answered, however late; null of none."
    )


NAMES = {to_camel_case(name): name for name in FIGURES}


@strawberry.type
class MetricSeries:
    rows: list[MetricRow] = strawberry.field(
        description="Agents, channels and teams by name, all that have something of what is asked; every day, up to 100, or hour in its order."
    )
    total: MetricRow
    previous: MetricRow | None = strawberry.field(description="The total of the same length of time before.")
    asked: strawberry.Private[Asked]

    @strawberry.field(
        description="The table as a file for Excel and the like, good for ten minutes and for who asked; null for a token. "
        "Without `separator`, that of the reader's language."
    )
    def csv_url(self, info: Info, separator: links.CsvSeparator | None = None) -> str | None:
        if info.context.actor.kind != ActorKind.AGENT:
            return None
        return links.link(info.context.house, info.context.actor, self.asked, info.context.locale, separator)


def asked_of(reader: Actor, range: MetricRange, by: Grouping, now: datetime) -> Asked:
    return Asked(
        reader,
        Period(range.from_, range.to, _zone(range.zone or reader.timezone)),
        by,
        now,
        channels=range.channels or (),
        teams=[row_id("Team", id, field="teamIds") for id in range.team_ids or ()],
        agents=[row_id("Agent", id, field="agentIds") for id in range.agent_ids or ()],
    )


def _zone(name: str) -> ZoneInfo:
    if name not in available_timezones():
        raise InvalidInput(N_("This is no time zone, such as Europe/Warsaw."), field=["range", "zone"])
    return ZoneInfo(name)


async def _metrics(info: Info, range: MetricRange, group_by: Grouping) -> MetricSeries:
    selection, locale = wanted(info), info.context.locale
    fields = {name for part in ("rows", TOTAL, PREVIOUS) for name in selection.below(part)}
    names = {NAMES[name] for name in fields if name in NAMES} or {"opened", "handled"}
    async with info.context.reading() as reading:
        asked = asked_of(reading.actor, range, group_by, reading.at)
        found = await report(reading.connection, asked, names)
    return plain(
        MetricSeries,
        {
            "rows": [_row(asked, line, locale) for line in found.rows],
            "total": _shown(TOTAL, translate(locale, labels.TOTAL), found.total),
            "previous": _shown(PREVIOUS, translate(locale, labels.PREVIOUS), found.previous),
            "asked": asked,
        },
    )


def _row(asked: Asked, line: Line, locale: str) -> MetricRow:
    return _shown(key_of(asked, line.key), labels.label_of(asked, line, locale), line.values)


def _shown(key: str, label: str, values: Values) -> MetricRow:
    return plain(MetricRow, {"key": key, "label": label, **values})


@strawberry.type
class MetricQueries:
    metrics: MetricSeries = strawberry.field(
        resolver=_metrics,
        description="Figures of what happened in a range. Agents see what their teams come to, and of agents themselves.",
    )


NAMED = {Grouping.AGENT: "Agent", Grouping.CHANNEL: "Channel", Grouping.TEAM: "Team"}


def key_of(asked: Asked, key: Key) -> str:
    if isinstance(key, uuid.UUID):
        return public_id(NAMED[asked.by], key)
    if key is None:
        return NOBODY
    return asked.days[key][0].isoformat() if asked.by == Grouping.DAY else str(key)
