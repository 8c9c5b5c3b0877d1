"""Every figure that a manager is shown, the tickets behind it, and its place in the file, against plain counting of the same days."""

import csv
import io
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.utils.str_converters import to_camel_case

from api.house import House
from api.reporting.metrics import MetricRow
from api.reporting.sheets import NAMES as COLUMNS
from domain import following
from domain.customers.contacts import Contact
from domain.desk.messages import Direction, Message
from domain.errors import NotFound
from domain.feedback import requests, solving, surveys
from domain.feedback.requests import AnsweredBy, SurveyRequest
from domain.feedback.scales import SurveyKind
from domain.feedback.surveys import Choice
from domain.ids import public_id
from domain.privacy.erasure import ERASURES
from domain.privacy.sealing import Sealer
from domain.reporting.asking import Grouping
from domain.reporting.figures import OF_TICKETS, Figure
from domain.ways_in.channels import ChannelKind
from tests.client import Client
from tests.domain.random_days import Days
from tests.domain.statistics_oracle import STOOD, Thing, everything, figures, ratings
from tests.working_off import worked_off

METRICS = """query($range: MetricRange!, $by: MetricGroup!) { metrics(range: $range, groupBy: $by) {
  rows { ...M } total { ...M } previous { ...M } csvUrl(separator: COMMA) } } fragment M on MetricRow { key label %s }"""
ONE = "%s: metricTickets(range: $range, groupBy: $by, key: $key, figure: %s, first: 100) { edges { count node { id } } }"
AT_ONCE = 14
"""Figures in one document."""
ERASE = "mutation($input: ContactEraseInput!) { contactErase(input: $input) { userErrors { code } } }"


class RatedDays(Days):
    """Customers say what they think of the help, too."""

    async def open(self) -> None:
        await super().open()
        self.deeds = (*self.deeds, (28, self._rate))
        async with self.db.transaction() as session:
            for kind, sample in ((SurveyKind.CSAT, 100), (SurveyKind.NPS, 50)):
                choice = Choice(enabled=True, sample_percent=sample)
                await surveys.save(session, kind, None, choice, at=self.now)
            await following.begin(session, solving.READER, following.FROM_THE_FIRST)

    async def go_on(self, deeds: int) -> None:
        """Until each survey has its answer: which one a ticket's customer is asked, its random number says."""
        await super().go_on(deeds)
        while len(await self._answered()) < len(SurveyKind):
            await super().go_on(10)

    async def _answered(self) -> set[str]:
        async with self.db.transaction() as session:
            return {one.kind for one in await ratings(session)} & set(SurveyKind)

    async def read(self) -> None:
        await super().read()
        while await self._unread(solving.READER):
            async with self.db.transaction() as session:
                await following.read_on(session, solving.READER, solving.heed)

    async def _rate(self, session: AsyncSession) -> None:
        spoken = select(Message.ticket_id).where(
            Message.direction == Direction.IN, Message.automatic.is_not(True)
        )
        asked = select(SurveyRequest.id).where(
            SurveyRequest.score.is_(None), SurveyRequest.ticket_id.in_(spoken)
        )
        ids = (await session.scalars(asked.order_by(SurveyRequest.event_seq))).all()
        held = await requests.held_request(session, self._random.choice(ids)) if ids else None
        if held is None:
            raise NotFound
        request, ticket = held
        if request.asked_at is None:
            request.asked_at = self.now
            return
        score = self._random.choice(
            [1, 2, 3, 4, 5, 5] if request.kind == SurveyKind.CSAT else list(range(11))
        )
        request.answer(ticket, score=score, words=None, by=AnsweredBy.LINK, at=self.now)


@dataclass
class Told:
    """What there is to be counted in a range, and how it is grouped."""

    things: list[Thing]
    by: str
    zone: ZoneInfo

    def key(self, thing: Thing) -> str:
        local = thing.at.astimezone(self.zone)
        if self.by in ("DAY", "HOUR"):
            return local.date().isoformat() if self.by == "DAY" else str(local.hour)
        id = {"AGENT": thing.agent, "CHANNEL": thing.channel, "TEAM": thing.team}[self.by]
        return public_id(self.by.capitalize(), id) if id else "none"

    def between(self, begin: datetime, end: datetime) -> list[Thing]:
        """What happened then, and what stood at its end."""
        return [
            one for one in self.things if (_stands(one, end) if one.kind in STANDS else begin <= one.at < end)
        ]

    def row(self, key: str, begin: datetime, end: datetime) -> list[Thing]:
        if self.by in WHOSE:
            return [one for one in self.between(begin, end) if self.key(one) == key]
        happened = [
            one for one in self.between(begin, end) if one.kind not in STANDS and self.key(one) == key
        ]
        if self.by == "HOUR":
            return happened
        midnight = datetime.combine(date.fromisoformat(key) + timedelta(days=1), time(), self.zone)
        over = min(end, midnight.astimezone(UTC))
        return [*happened, *(one for one in self.things if one.kind in STANDS and _stands(one, over))]

    def keys(self, begin: datetime, end: datetime) -> list[str]:
        if self.by == "HOUR":
            return [str(hour) for hour in range(24)]
        if self.by == "DAY":
            first, last = (at.astimezone(self.zone).date() for at in (begin, end - timedelta(microseconds=1)))
            return [(first + timedelta(days=day)).isoformat() for day in range((last - first).days + 1)]
        found = {self.key(one) for one in self.between(begin, end)}
        return sorted(found - {"none"} if self.by == "AGENT" else found)


WHOSE = ("AGENT", "CHANNEL", "TEAM")
STANDS = {kind: name for name, kind in STOOD.items()}


def _stands(one: Thing, moment: datetime) -> bool:
    return one.at <= moment and (one.until is None or one.until > moment)


def shown(things: list[Thing], *, of_an_hour: bool) -> dict[str, Any]:
    """As a row of the API."""
    stood = {name: len({one.ticket for one in things if one.kind == kind}) for name, kind in STOOD.items()}
    found = figures(things, dict.fromkeys(stood) if of_an_hour else stood)
    return {to_camel_case(name): value for name, value in found.items()}


def behind(things: list[Thing], figure: Figure) -> dict[str, int]:
    """How much of it each ticket is."""

    def is_of_it(one: Thing) -> bool:
        match figure:
            case Figure.HANDLED:
                return one.kind in ("message_out", "solved") or (
                    one.kind.startswith("call_") and bool(one.kept)
                )
            case Figure.ONE_TOUCH:
                return one.kind == "solved" and bool(one.kept)
            case Figure.CALLS_MISSED:
                return one.kind == "call_in" and not one.kept
            case Figure.RESOLUTION:
                return one.kind == "solved"
            case Figure.HANDLE:
                return one.kind == "in_hand"
            case Figure.PROMISES:
                return one.kind.endswith("_promise")
            case Figure.PROMISES_BROKEN:
                return one.kind.endswith("_promise") and not one.kept
            case _ if figure.endswith("_broken"):
                return one.kind == figure.replace("_broken", "_promise") and not one.kept
            case _:
                return one.kind == STOOD.get(figure, re.sub("^(call|message|complaint)s_", r"\1_", figure))

    counted = Counter(public_id("Ticket", one.ticket) for one in things if is_of_it(one))
    return dict.fromkeys(counted, 1) if figure in OF_TICKETS else dict(counted)


@pytest.mark.parametrize(
    ("seed", "deeds"), [(1, 150), *(pytest.param(seed, 600, marks=pytest.mark.slow) for seed in range(2, 4))]
)
async def test_every_figure_is_what_plain_counting_finds_and_opens_its_tickets_and_stands_in_the_file(
    house: House, admin: Client, seed: int, deeds: int
) -> None:
    days, chance = RatedDays(house.db, house.keys, seed, pace=2 * 50 * 86_400 // deeds), random.Random(seed)
    await days.open()
    await days.go_on(deeds)
    await days.read()
    await _one_is_erased(house, admin)
    await days.read()

    async with house.db.transaction() as session:
        things = [*await everything(session), *await ratings(session)]
    assert {*SurveyKind, "survey"} <= {one.kind for one in things}
    for by in Grouping:
        for narrowed, its in _narrowings(days, things):
            zone = ZoneInfo(chance.choice(["Europe/Madrid", "Europe/Warsaw", "Atlantic/Canary"]))
            first = datetime(2026, 3, chance.choice([2, 9, 16, 28]), tzinfo=zone)
            begin = first.astimezone(UTC) + timedelta(hours=chance.choice([0, 0, 7]))
            end = (first + timedelta(days=chance.choice([1, 7, 14]))).astimezone(UTC)
            asked = {"from": begin.isoformat(), "to": end.isoformat(), "zone": zone.key, **narrowed}
            await _is_right(admin, Told(its, by.name, zone), begin, end, asked, chance)


async def _one_is_erased(house: House, admin: Client) -> None:
    """Who may be: whoever waits for a decision may not."""
    async with house.db.transaction() as session:
        ids = list(await session.scalars(select(Contact.id).order_by(Contact.id)))
    for id in ids:
        if not (await admin.do(ERASE, contactId=public_id("Contact", id), confirm=True))["userErrors"]:
            return await worked_off(house, ERASURES, Sealer(house.db, house.keys, house.files).erase)
    raise AssertionError("nobody may be erased")


def _narrowings(days: Days, things: list[Thing]) -> Iterator[tuple[dict[str, Any], list[Thing]]]:
    mailbox, team, ben = days.channels[ChannelKind.EMAIL].id, days.teams[1].id, days.agents[0].id
    yield {}, things
    yield {"channels": ["EMAIL"]}, [one for one in things if one.channel == mailbox]
    yield {"teamIds": [public_id("Team", team)]}, [one for one in things if one.team == team]
    yield {"agentIds": [public_id("Agent", ben)]}, [one for one in things if one.agent == ben]


async def _is_right(
    client: Client, told: Told, begin: datetime, end: datetime, range: dict[str, Any], chance: random.Random
) -> None:
    fields = [field.name for field in MetricRow.__strawberry_definition__.fields]  # type: ignore[attr-defined]
    names = [to_camel_case(name) for name in fields if name not in ("key", "label")]
    found = (await client.ask(METRICS % " ".join(names), range=range, by=told.by))["metrics"]
    rows = {row["key"]: row for row in [*found["rows"], found["total"], found["previous"]]}
    long = _wall(end, told.zone) - _wall(begin, told.zone)
    before = (_wall(begin, told.zone) - long).replace(tzinfo=told.zone)
    expected = {key: told.row(key, begin, end) for key in told.keys(begin, end)}
    expected |= {"total": told.between(begin, end), "previous": told.between(before.astimezone(UTC), begin)}

    assert sorted(rows) == sorted(expected), range
    for key, things in expected.items():
        of_an_hour = told.by == "HOUR" and key.isdecimal()
        values = {name: rows[key][name] for name in names}
        assert values == shown(things, of_an_hour=of_an_hour), (told.by, range, key)
    await _stands_in_the_file(client, found["csvUrl"], list(rows.values()))
    for key in {"total", "previous", *chance.sample(sorted(expected), min(4, len(expected)))}:
        for place in (0, AT_ONCE):
            some = list(Figure)[place : place + AT_ONCE]
            document = "query($range: MetricRange!, $by: MetricGroup!, $key: ID!) { %s }"
            asked = document % " ".join(ONE % (figure.name, figure.name) for figure in some)
            lists = await client.ask(asked, range=range, by=told.by, key=key)
            for figure in some:
                edges = lists[figure.name]["edges"]
                listed = {edge["node"]["id"]: edge["count"] for edge in edges}
                hour = told.by == "HOUR" and key.isdecimal() and figure.value in STOOD
                assert listed == ({} if hour else behind(expected[key], figure)), (
                    told.by,
                    range,
                    key,
                    figure,
                )
                assert len(listed) == len(edges)


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


async def _stands_in_the_file(client: Client, url: str, rows: list[dict[str, Any]]) -> None:
    """In the order of the screen, with all that the screen may show."""
    parts = urlsplit(url)
    fetched = await client.http.get(f"{parts.path}?{parts.query}")
    head, *lines = csv.reader(io.StringIO(fetched.content.decode("utf-8-sig")))
    columns = [to_camel_case(name) for name in COLUMNS]
    assert len(head) == len(columns) + 1
    assert {"key", "label", *columns} == set(rows[0])
    written = [
        [row["label"], *("" if row[name] is None else str(row[name]) for name in columns)] for row in rows
    ]
    assert lines == written
