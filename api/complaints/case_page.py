"""A complaint's file as a page for A4. All that anybody wrote is escaped by htpy; the style is its own."""

import uuid
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import htpy as h
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency
from markupsafe import Markup

from api.desk import system_events
from domain.answering import addressing
from domain.complaints import decision_dates
from domain.complaints.case_file import CaseFile
from domain.complaints.stages import NAMES, Outcome, Remedy
from domain.desk.history import Written
from domain.desk.messages import DeliveryState, Direction, ItemKind
from domain.languages import N_, translate
from domain.sla.targets import Metric
from domain.sla.templates import SUGGESTED
from notifications.wording import CHANNELS

STYLE = (Path(__file__).parent / "case.css").read_text(encoding="utf-8")

OUTCOMES = {
    Outcome.ACCEPTED: N_("accepted"),
    Outcome.PARTLY: N_("accepted in part"),
    Outcome.REJECTED: N_("rejected"),
    Outcome.DEEMED_ACCEPTED: N_("counts as accepted: not answered in time"),
    Outcome.WITHDRAWN: N_("withdrawn by the customer"),
}
REMEDIES = {
    Remedy.REFUND: N_("refund"),
    Remedy.REPAIR: N_("repair"),
    Remedy.REPLACEMENT: N_("replacement"),
    Remedy.DISCOUNT: N_("discount"),
}
METRICS = {
    Metric.FIRST_REPLY: N_("First reply"),
    Metric.NEXT_REPLY: N_("Next reply"),
    Metric.RESOLUTION: N_("Decision"),
}
WAYS = {
    Direction.IN: N_("from the customer"),
    Direction.OUT: N_("to the customer"),
    Direction.INTERNAL: N_("note, only for the shop"),
}
ASIDE = {Direction.IN: N_("from somebody else"), Direction.OUT: N_("to somebody else")}
"""Of a side conversation."""


def page(case: CaseFile, digests: dict[str, str], *, locale: str, zone: ZoneInfo | None, at: datetime) -> str:
    """`digests`: SHA-256 of stored files, by their keys."""
    return str(_Page(case, digests, locale, zone, at).written())


class _Page:
    def __init__(
        self, case: CaseFile, digests: dict[str, str], locale: str, zone: ZoneInfo | None, at: datetime
    ) -> None:
        self._case, self._digests, self._locale, self._at = case, digests, locale, at
        self._zone = zone or ZoneInfo("UTC")

    def written(self) -> h.Element:
        title = self._say(N_("Complaint {number}"), number=self._case.complaint.number)
        made = self._say(
            N_("Made on {when}. Times are those of {zone}."), when=self._when(self._at), zone=self._zone.key
        )
        return h.html(lang=self._locale)[
            h.head[
                h.meta(charset="utf-8"),
                h.meta(name="viewport", content="width=device-width, initial-scale=1"),
                h.title[title],
                h.style[Markup(STYLE)],
            ],
            h.body[
                h.h1[title],
                h.p(".words")[self._case.complaint.subject],
                h.p(".made")[made],
                h.section[h.h2[self._say(N_("The case"))], h.table(".facts")[self._facts()]],
                self._decision(),
                self._history(),
                self._deadlines(),
                h.section[h.h2[self._say(N_("What was said and done"))], list(self._timeline())],
            ],
        ]

    def _facts(self) -> Iterator[h.Element]:
        row, locale = self._case.complaint, self._locale
        outcome = decision_dates.outcome_of(row, row.legal_due_at, at=self._at)
        due_at = decision_dates.due_at(row.legal_due_at, row.promised_at)
        law = SUGGESTED[row.template] if row.template else None
        for name, value in (
            (N_("Customer"), self._case.customer),
            (N_("Known by"), self._known_by()),
            (N_("Ticket"), str(row.ticket_number)),
            (N_("Came by"), translate(locale, CHANNELS[row.channel]) if row.channel else None),
            (N_("Complained on"), self._when(row.legal_since or row.opened_at)),
            (N_("Law"), translate(locale, law.name) if law else None),
            (N_("To be decided by"), self._until(due_at) if due_at else None),
            (N_("Stage"), translate(locale, NAMES[row.stage])),
            (N_("Outcome"), translate(locale, OUTCOMES[outcome]) if outcome else None),
            (N_("Customer told on"), self._when(row.decided_at) if row.decided_at else None),
            (N_("Remedy"), translate(locale, REMEDIES[row.remedy]) if row.remedy else None),
            (N_("Amount"), self._amount()),
            (N_("Responsible"), self._case.agents.get(row.owner_id)),
        ):
            if value:
                yield h.tr[h.th[self._say(name)], h.td(".words")[value]]

    def _known_by(self) -> str:
        proven = self._say(N_("proven"))
        said = [f"{one.label} ({proven})" if one.verified_at else one.label for one in self._case.identities]
        return "\n".join(said)

    def _amount(self) -> str | None:
        row = self._case.complaint
        if row.amount is None:
            return None
        return str(format_currency(row.amount, row.currency, locale=self._locale))

    def _decision(self) -> h.Element | None:
        words = self._case.complaint.decision
        return h.section[h.h2[self._say(N_("The decision"))], h.p(".words")[words]] if words else None

    def _history(self) -> h.Element:
        heads = (N_("When"), N_("Stage"), N_("Who"), N_("Note"))
        return h.section[
            h.h2[self._say(N_("How it went on"))],
            h.table(".rows")[
                h.thead[h.tr[(h.th[self._say(head)] for head in heads)]],
                h.tbody[
                    (
                        h.tr[
                            h.td(".when")[self._when(step.at)],
                            h.td[self._stage(step)],
                            h.td[self._case.agents.get(step.by_id, "Heddle")],
                            h.td(".words")[step.note],
                        ]
                        for step in self._told()
                    )
                ],
            ],
        ]

    def _told(self) -> Iterator[Any]:
        """Without the moments in which only the shop's next step was set."""
        stages: dict[uuid.UUID, Any] = {}
        for step in self._case.steps:
            if step.note or stages.get(step.complaint_id) != step.stage:
                yield step
            stages[step.complaint_id] = step.stage

    def _stage(self, step: Any) -> str:
        stage = translate(self._locale, NAMES[step.stage])
        return f"{stage}: {translate(self._locale, OUTCOMES[step.outcome])}" if step.outcome else stage

    def _deadlines(self) -> h.Element | None:
        if not self._case.clocks:
            return None
        heads = (N_("Promise"), N_("From"), N_("By"), N_("Kept"))
        return h.section[
            h.h2[self._say(N_("Promised times"))],
            h.table(".rows")[
                h.thead[h.tr[(h.th[self._say(head)] for head in heads)]],
                h.tbody[(self._deadline(clock) for clock in self._case.clocks)],
            ],
        ]

    def _deadline(self, clock: Any) -> h.Element:
        promise = self._say(METRICS[clock.metric])
        if clock.is_legal:
            promise = self._say(N_("{promise}, by law"), promise=promise)
        kept, late = self._say(N_("not yet")), clock.due_at <= self._at
        if clock.met_at:
            late = clock.met_at > clock.due_at
            kept = self._when(clock.met_at)
        if late:
            kept = self._say(N_("{when}: too late"), when=kept)
        return h.tr[
            h.td[promise],
            h.td(".when")[self._when(clock.started_at)],
            h.td(".when")[self._until(clock.due_at)],
            h.td(".when.late" if late else ".when")[kept],
        ]

    def _timeline(self) -> Iterator[h.Element]:
        for row in self._case.timeline:
            if not isinstance(row, Written):
                told = system_events.sentence(row, self._case.agents, self._locale)
                yield h.article(".event")[f"{self._when(row.at)}  ·  {told}"]
            elif row.kind == ItemKind.CALL:
                yield self._article(row, self._say(N_("Call")), row.number or "", row.text)
            else:
                by = translate(self._locale, CHANNELS[row.channel]) if row.channel else ""
                yield self._article(row, by, self._addresses(row), row.text)

    def _article(self, row: Any, by: str, address: str, text: str) -> h.Element:
        direction = self._say((ASIDE if row.side else WAYS)[row.direction])
        lost = self._say(N_("did not arrive")) if row.delivery == DeliveryState.FAILED else ""
        said = [part for part in (by, direction, address, lost) if part]
        return h.article(f".{row.direction}")[
            h.header[h.b[self._who(row)], "  ·  ", self._when(row.at), "  ·  ", ", ".join(said)],
            h.div(".words")[text],
            self._files(row),
        ]

    def _who(self, row: Any) -> str:
        return row.agent_name or row.author or (self._say(N_("Automatic message")) if row.automatic else "")

    def _addresses(self, row: Any) -> str:
        """The customer's side of it, and of a mail all to whom it went."""
        sent_to = [] if row.direction == Direction.IN else addressing.recipients(row.mail)
        return ", ".join(one.address for one in sent_to) or self._case.writers.get(row.thread_id, "")

    def _files(self, row: Any) -> h.Element | None:
        listed = [
            h.li[
                f"{one.name} ({one.mime}, {one.bytes} B) ",
                h.span(".digest")[f"SHA-256 {self._digests.get(one.file, '—')}"],
            ]
            for one in self._case.attachments.get(row.id, ())
        ]
        if original := self._case.originals.get(row.id):
            listed.append(
                h.li[self._say(N_("Original as it came")), " ", h.span(".digest")[f"SHA-256 {original}"]]
            )
        return h.ul(".files")[listed] if listed else None

    def _when(self, moment: datetime) -> str:
        local = moment.astimezone(self._zone)
        return str(format_datetime(local, "d MMM y, HH:mm", tzinfo=self._zone, locale=self._locale))

    def _until(self, due_at: datetime) -> str:
        """What is due at the end of a day, is due on that day."""
        local = due_at.astimezone(self._zone)
        if local.time() != time.min:
            return self._when(due_at)
        return str(format_date(local.date() - timedelta(days=1), "d MMM y", locale=self._locale))

    def _say(self, sentence: str, **values: object) -> str:
        return translate(self._locale, sentence, **values)
