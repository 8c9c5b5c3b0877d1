"""The figures again, straight from `docs/statistics.md` and the rows of the history, as slowly and plainly as can be.

It shares no code with `domain/reporting`, nor with what decides about promises.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.complaints.complaints import Complaint, ComplaintStep
from domain.desk.messages import Item
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.events import Event
from domain.feedback.requests import SurveyRequest
from domain.joining.moves import Move
from domain.sla.clocks import Clock

WARSAW = ZoneInfo("Europe/Warsaw")
SETS_STATUS = ("ticket_changed", "ticket_assigned", "ticket_snoozed", "ticket_woke")


@dataclass
class Thing:
    kind: str
    ticket: uuid.UUID
    at: datetime
    agent: Any = None
    channel: Any = None
    team: Any = None
    seconds: int | None = None
    office: int | None = None
    kept: bool | None = None
    until: datetime | None = None


def office_seconds(begin: datetime, end: datetime) -> int:
    """Nine to five, Monday to Friday, in Warsaw."""
    total, day = 0.0, begin.astimezone(WARSAW).date()
    while day <= end.astimezone(WARSAW).date():
        if day.weekday() < 5:
            opens, closes = (datetime.combine(day, time(hour), WARSAW).astimezone(UTC) for hour in (9, 17))
            total += max(0.0, (min(end, closes) - max(begin, opens)).total_seconds())
        day += timedelta(days=1)
    return int(total)


async def everything(session: AsyncSession) -> list[Thing]:
    items, events, clocks = defaultdict(list), defaultdict(list), defaultdict(list)
    sides = set(await session.scalars(select(Thread.id).where(Thread.side)))
    item = Item.__table__
    for row in await session.execute(select(item).order_by(item.c.seq)):
        if row.kind != "note" and row.thread_id not in sides:
            items[row.ticket_id].append(row)
    for event in await session.scalars(select(Event).order_by(Event.seq)):
        events[event.ticket_id].append(event)
    for clock in await session.scalars(select(Clock)):
        clocks[clock.ticket_id].append(clock)
    steps: dict[uuid.UUID, list[ComplaintStep]] = defaultdict(list)
    for complaint in await session.scalars(select(Complaint).where(Complaint.merged_into_id.is_(None))):
        its = select(ComplaintStep).where(ComplaintStep.complaint_id == complaint.id)
        ordered = its.order_by(ComplaintStep.at, ComplaintStep.id)
        steps[complaint.ticket_id] += (await session.scalars(ordered)).all()
    tickets = (await session.scalars(select(Ticket))).all()
    undone = {str(id) for id in await session.scalars(select(Move.id).where(Move.undone_at.is_not(None)))}
    things: list[Thing] = []
    for ticket in tickets:
        if ticket.merged_into_id is None and ticket.spam_at is None:
            began = [one.created_at for one in tickets if ticket.id in (one.id, one.merged_into_id)]
            story = _Story(ticket, min(began), items[ticket.id], events[ticket.id], clocks[ticket.id], undone)
            told = list(story.told())
            things += told
            if told:  # by a person, then
                things += story.complained(steps[ticket.id])
    return things


async def ratings(session: AsyncSession) -> list[Thing]:
    """Of what is spam, also where it has become part of something, none counts."""
    tickets = {ticket.id: ticket for ticket in await session.scalars(select(Ticket))}
    found = []
    for one in await session.scalars(select(SurveyRequest)):
        ticket = tickets[tickets[one.ticket_id].merged_into_id or one.ticket_id]
        if ticket.spam_at:
            continue
        whose = (one.agent_id, one.channel_id, one.team_id)
        if one.asked_at:
            found.append(Thing("survey", ticket.id, one.asked_at, *whose, kept=one.answered_at is not None))
        if one.answered_at and one.score is not None:
            limit = 4 if one.kind == "csat" else 9
            given = Thing(one.kind, ticket.id, one.answered_at, *whose, one.score, kept=one.score >= limit)
            found.append(given)
    return found


class _Story:
    def __init__(
        self, ticket: Ticket, opened: datetime, items: Any, events: Any, clocks: Any, undone: set[str]
    ) -> None:
        self.ticket, self.opened, self.items, self.events, self.clocks = ticket, opened, items, events, clocks
        self.undone = undone
        self.status = self._field("new", ticket.status, self._status_changes())
        self.assignee = self._field(None, ticket.assignee_id, self._assignments())
        teams = [
            (event.at, _id(event.data["team"][0]), _id(event.data["team"][1]), event)
            for event in events
            if "team" in event.data
        ]
        self.team = self._field(teams[0][1] if teams else ticket.team_id, ticket.team_id, teams)
        ordered = sorted(items, key=lambda row: (row.at, row.seq))
        self.channel = ordered[0].channel_id if ordered else None
        self.words = sorted(self._words(), key=lambda word: (word[0], word[2].seq))

    def _status_changes(self) -> list[Any]:
        found: list[Any] = []
        for event in self.events:
            if event.kind == "ticket_reopened":
                change = (event.at, "?", "open", event)
            elif event.kind in SETS_STATUS and self._sets_status(event):
                change = (event.at, *event.data["status"], event)
            else:
                continue
            if found and event.kind != "ticket_reopened":
                at, before, after, _ = found[-1]
                soon = event.at - at <= timedelta(minutes=1)
                if _over(after) and not _over(before) and not _over(change[2]) and soon:
                    found.pop()
                    change = (event.at, before, change[2], event)
            if change[1] != change[2]:
                found.append(change)
        return found

    def _sets_status(self, event: Event) -> bool:
        """What a merge or a move had opened counts for nothing once that is taken back."""
        return "status" in event.data and event.data.get("move") not in self.undone

    def _assignments(self) -> list[Any]:
        return [
            (event.at, _id(event.data["before"]), _id(event.data["to"]), event)
            for event in self.events
            if event.kind == "ticket_assigned"
        ]

    def _field(self, first: Any, now: Any, changes: list[Any]) -> list[tuple[datetime, Any, Any]]:
        """(since, value, the event that said so)"""
        moves = [event.at for event in self.events if event.kind in ("ticket_merged", "move_undone")]
        found = [(self.ticket.created_at, first, None)]
        for at, before, after, event in [*changes, (datetime.max.replace(tzinfo=UTC), now, None, None)]:
            since, value, _ = found[-1]
            at = max(at, since)
            if before not in ("?", value):
                found.append((max([m for m in moves if since <= m <= at] or [since]), before, None))
            if event:
                found.append((at, after, event))
        return found

    def _value(self, field: list[tuple[datetime, Any, Any]], at: datetime) -> Any:
        value = field[0][1]
        for since, after, _ in field:
            if since <= at:
                value = after
        return value

    def _words(self) -> Iterator[tuple[datetime, str, Any]]:
        answered = [row.answered_at for row in self.items if row.answered_at]
        for row in self.items:
            if row.kind == "call":
                if row.answered_at:
                    if row.direction == "in":
                        yield row.at, "customer", row
                    yield row.answered_at, "shop", row
                elif row.direction == "in" and row.call_state == "missed" and row.ended_at:
                    reached = any(row.at <= at <= row.ended_at for at in answered)
                    yield (row.at if reached else row.ended_at), "customer", row
            elif not row.automatic and row.delivery not in ("failed", "undone"):
                yield row.at, "customer" if row.direction == "in" else "shop", row

    def told(self) -> Iterator[Thing]:
        customers = [word for word in self.words if word[1] == "customer"]
        mails = [row for row in self.items if row.kind == "message"]
        if not customers and mails and mails[0].direction == "in" and mails[0].automatic:
            return
        yield self._thing("opened", self.opened)
        for at, who, row in self.words:
            if row.kind == "message":
                kind = "message_in" if who == "customer" else "message_out"
                yield self._thing(kind, at, row.agent_id, row.channel_id)
        for row in self.items:
            if row.kind == "call" and (row.answered_at or row.ended_at):
                talk = [(row.answered_at, row.ended_at)] if row.answered_at and row.ended_at else None
                kept = row.answered_at is not None
                yield self._thing(
                    f"call_{row.direction}", row.at, row.agent_id, row.channel_id, spans=talk, kept=kept
                )
        yield from self._replies()
        yield from self._solutions()
        yield from self._open()
        yield from self._promises()

    def _replies(self) -> Iterator[Thing]:
        steps: list[tuple[datetime, int, int, str, Any]] = []
        for at, who, row in self.words:
            steps.append((at, 1, row.seq, who, row))
        for event in self.events:
            if event.kind == "ticket_reopened":
                steps.append((event.at, 0, event.seq, "reopened", None))
            elif event.kind in (*SETS_STATUS, "ticket_merged") and self._sets_status(event):
                over = _over(event.data["status"][1])
                steps.append((event.at, 2, event.seq, "over" if over else "taken up", None))
        waiting = dropped = None
        answered = asked = False
        for at, _, _, what, row in sorted(steps, key=lambda step: step[:3]):
            if what == "customer":
                asked, dropped = True, None
                waiting = waiting or (at, row, "next_reply" if answered else "first_reply")
            elif what == "shop":
                if waiting:
                    since, question, kind = waiting
                    yield self._thing(kind, at, row.agent_id, question.channel_id, spans=[(since, at)])
                answered, waiting, dropped = asked, None, None
            elif what == "over":
                waiting, dropped = None, waiting or dropped
            elif what == "taken up" and dropped:
                waiting, dropped = dropped, None

    def _solutions(self) -> Iterator[Thing]:
        over, solver, begun, first = False, None, self.opened, True
        for at, value, event in self.status:
            if event and _over(value) and not over:
                by = event.actor_id if event.actor_kind == "agent" else None
                solver = by or self._value(self.assignee, at)
                answers = [word for word in self.words if word[1] == "shop" and word[0] <= at]
                one_touch = first and len(answers) == 1
                yield self._thing("solved", at, solver, spans=[(self.opened, at)], kept=one_touch)
                if spans := self._in_hand(begun, at):
                    yield self._thing("in_hand", at, solver, spans=spans)
                begun, first = at, False
            elif event and over and not _over(value):
                yield self._thing("reopened", at, solver)
            over = _over(value)

    def _in_hand(self, begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """Between all moments at which anything changed, whether somebody had it."""
        talks = [
            (row.answered_at, row.ended_at) for row in self.items if row.kind == "call" and row.answered_at
        ]
        moments = {begin, end, *(since for field in (self.status, self.assignee) for since, _, _ in field)}
        moments |= {moment for talk in talks for moment in talk if moment}
        cuts = sorted(moment for moment in moments if begin <= moment <= end)
        found = []
        for since, until in pairwise(cuts):
            mine = self._value(self.status, since) in ("new", "open") and self._value(self.assignee, since)
            if mine or any(talk[1] and talk[0] <= since and until <= talk[1] for talk in talks):
                found.append((since, until))
        return found

    def _open(self) -> Iterator[Thing]:
        """A stretch for each change: they are only asked whether they cover a moment."""
        cuts = sorted({at for field in (self.status, self.assignee, self.team) for at, _, _ in field})
        for since, until in zip(cuts, [*cuts[1:], None], strict=True):
            if not _over(self._value(self.status, since)):
                thing = self._thing("open", since, self._value(self.assignee, since))
                thing.until = until
                yield thing

    def _promises(self) -> Iterator[Thing]:
        said = {at: row for at, who, row in reversed(self.words) if who == "shop"}
        asked = {at: row for at, who, row in reversed(self.words) if who == "customer"}
        for clock in self.clocks:
            question = asked.get(clock.started_at) if clock.metric != "resolution" else None
            channel = question.channel_id if question else self.channel
            kind = f"{clock.metric}_promise"
            if clock.breached_at:
                yield self._thing(
                    kind, clock.due_at, self._value(self.assignee, clock.due_at), channel, kept=False
                )
            elif clock.met_at:
                answer = said.get(clock.met_at) if clock.metric != "resolution" else None
                by = [
                    e.actor_id
                    for at, _, e in self.status
                    if e and at == clock.met_at and e.actor_kind == "agent"
                ]
                agent = (
                    answer.agent_id if answer else next(iter(by), self._value(self.assignee, clock.met_at))
                )
                yield self._thing(kind, clock.met_at, agent, channel, kept=True)

    def complained(self, steps: list[ComplaintStep]) -> Iterator[Thing]:
        """A stretch from each step, and from each change of who has the ticket, to the next: they are only asked whether they
        cover a moment."""
        if not steps:
            return
        yield self._thing("complaint_opened", steps[0].at, self._value(self.assignee, steps[0].at))
        stage: str = steps[0].stage
        for step in steps[1:]:
            if step.stage == "closed" and stage != "closed":
                yield self._thing("complaint_closed", step.at, self._value(self.assignee, step.at))
            stage = step.stage
        moments = {at for field in (self.assignee, self.team) for at, _, _ in field if at > steps[0].at}
        cuts = sorted(moments | {step.at for step in steps})
        for since, until in zip(cuts, [*cuts[1:], None], strict=True):
            stage = [step.stage for step in steps if step.at <= since][-1]
            thing = self._thing(f"complaint_{stage}", since, self._value(self.assignee, since))
            thing.until = until
            if stage != "closed":
                yield thing

    def _thing(
        self,
        kind: str,
        at: datetime,
        agent: Any = None,
        channel: Any = ...,
        *,
        spans: Any = None,
        kept: Any = None,
    ) -> Thing:
        thing = Thing(kind, self.ticket.id, at, agent, self.channel if channel is ... else channel, kept=kept)
        thing.team = self._value(self.team, at)
        if spans:
            thing.seconds = int(sum((until - since).total_seconds() for since, until in spans))
            thing.office = sum(office_seconds(since, until) for since, until in spans)
        return thing


def _over(status: Any) -> bool:
    return status in ("solved", "closed")


def _id(written: str | None) -> uuid.UUID | None:
    return uuid.UUID(written) if written else None


KEYS: dict[str, Callable[[Thing], Any]] = {
    "agent": lambda thing: thing.agent,
    "channel": lambda thing: thing.channel,
    "team": lambda thing: thing.team,
    "day": lambda thing: thing.at.astimezone(WARSAW).date(),
    "hour": lambda thing: thing.at.astimezone(WARSAW).hour,
}


STOOD = {
    "backlog": "open",
    **{
        f"complaints_{name}": f"complaint_{stage}"
        for name, stage in (
            ("received", "received"),
            ("investigating", "investigating"),
            ("waiting", "waiting_external"),
            ("decided", "decided"),
            ("remedied", "remedied"),
        )
    },
}
"""Figures of what stood at an end, by what they count."""


def figures(things: list[Thing], stood: Mapping[str, int | None]) -> dict[str, Any]:
    def tickets(test: Callable[[Thing], bool]) -> int:
        return len({thing.ticket for thing in things if test(thing)})

    def many(test: Callable[[Thing], bool]) -> int:
        return sum(map(test, things))

    promises = [thing for thing in things if thing.kind.endswith("_promise")]
    recommended = [thing for thing in things if thing.kind == "nps"]
    detractors = sum(one.seconds <= 6 for one in recommended if one.seconds is not None)
    found: dict[str, Any] = {
        "opened": tickets(lambda one: one.kind == "opened"),
        "handled": tickets(
            lambda one: (
                one.kind in ("message_out", "solved") or (one.kind.startswith("call_") and bool(one.kept))
            )
        ),
        "solved": tickets(lambda one: one.kind == "solved"),
        "one_touch": tickets(lambda one: one.kind == "solved" and bool(one.kept)),
        "reopened": tickets(lambda one: one.kind == "reopened"),
        "messages_in": many(lambda one: one.kind == "message_in"),
        "messages_out": many(lambda one: one.kind == "message_out"),
        "calls_in": many(lambda one: one.kind == "call_in"),
        "calls_out": many(lambda one: one.kind == "call_out"),
        "calls_missed": many(lambda one: one.kind == "call_in" and not one.kept),
        "promises": len(promises),
        "promises_broken": sum(not one.kept for one in promises),
        "sla_percent": _percent(promises),
        "csat": _percent([one for one in things if one.kind == "csat"]),
        "nps": _of_hundred(sum(bool(one.kept) for one in recommended) - detractors, len(recommended)),
        "survey_answered_percent": _percent([one for one in things if one.kind == "survey"]),
        "complaints_opened": tickets(lambda one: one.kind == "complaint_opened"),
        "complaints_closed": tickets(lambda one: one.kind == "complaint_closed"),
        **stood,
    }
    found["reopened_percent"] = _of_hundred(found["reopened"], found["solved"])
    for metric in ("first_reply", "next_reply", "resolution"):
        mine = [one for one in promises if one.kind == f"{metric}_promise"]
        found[f"{metric}_broken"] = sum(not one.kept for one in mine)
        found[f"{metric}_percent"] = _percent(mine)
    kinds = {
        "first_reply": "first_reply",
        "next_reply": "next_reply",
        "resolution": "solved",
        "handle": "in_hand",
    }
    for name, kind in kinds.items():
        mine = [one for one in things if one.kind == kind]
        for share in (50, 90):
            found[f"{name}_p{share}"] = _share([one.seconds or 0 for one in mine], share)
            found[f"{name}_business_p{share}"] = _share([one.office or 0 for one in mine], share)
    return found


def _percent(things: list[Thing]) -> float | None:
    return _of_hundred(sum(bool(one.kept) for one in things), len(things))


def _of_hundred(part: int, whole: int) -> float | None:
    """To a tenth; a half goes up, away from nought."""
    tenths = (2000 * abs(part) + whole) // (2 * whole) / 10 if whole else None
    return -tenths if tenths and part < 0 else tenths


def _share(seconds: list[int], share: int) -> int | None:
    """Between the two that lie around it, in proportion."""
    if not seconds:
        return None
    ordered, place = sorted(seconds), (len(seconds) - 1) * share
    low, rest = divmod(place, 100)
    value = ordered[low] * 100 + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * rest
    return (value + 50) // 100


def standing_at(
    things: list[Thing], moment: datetime, by: str = "", value: Any = None
) -> dict[str, int | None]:
    return {
        name: len(
            {
                thing.ticket
                for thing in things
                if thing.kind == kind
                and thing.at <= moment
                and (thing.until is None or thing.until > moment)
                and (not by or KEYS[by](thing) == value)
            }
        )
        for name, kind in STOOD.items()
    }


def day_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), WARSAW).astimezone(UTC)
