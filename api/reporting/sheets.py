"""A report as a sheet of comma-separated values, as Excel and its like open it: UTF-8 with its mark, in the reader's language.

What somebody named themselves or a team must not be run as a formula: it is opened as text. Numbers stay numbers, with the decimal mark
that goes with the separator.
"""

import csv
import io
from collections.abc import Iterator, Sequence

from domain.languages import N_, translate
from domain.reporting.counting import Values

MARK = "\ufeff"
FORMULAS = ("=", "+", "-", "@", "\t", "\r")

COUNTS = {
    "opened": N_("Opened"),
    "handled": N_("Handled"),
    "solved": N_("Solved"),
    "one_touch": N_("Solved with one answer"),
    "reopened": N_("Reopened"),
    "reopened_percent": N_("Reopened, %"),
    "backlog": N_("Open at the end"),
    "messages_in": N_("Messages received"),
    "messages_out": N_("Messages sent"),
    "calls_in": N_("Calls received"),
    "calls_out": N_("Calls made"),
    "calls_missed": N_("Calls missed"),
}
TIMES = {
    "first_reply": N_("First reply"),
    "next_reply": N_("Next reply"),
    "resolution": N_("Resolution"),
    "handle": N_("Handle time"),
}
SPANS = {
    "p50": N_("{what}, median, seconds"),
    "p90": N_("{what}, 90 % within, seconds"),
    "business_p50": N_("{what}, median, open seconds"),
    "business_p90": N_("{what}, 90 % within, open seconds"),
}
KEPT = {
    "promises": N_("Promises"),
    "promises_broken": N_("Promises broken"),
    "first_reply_broken": N_("Promises of a first reply broken"),
    "next_reply_broken": N_("Promises of a next reply broken"),
    "resolution_broken": N_("Promises of a resolution broken"),
    "sla_percent": N_("Promises kept, %"),
    "first_reply_percent": N_("Promises of a first reply kept, %"),
    "next_reply_percent": N_("Promises of a next reply kept, %"),
    "resolution_percent": N_("Promises of a resolution kept, %"),
}
COMPLAINTS = {
    "complaints_opened": N_("Complaints opened"),
    "complaints_closed": N_("Complaints closed"),
    "complaints_received": N_("Complaints at the end: received"),
    "complaints_investigating": N_("Complaints at the end: being investigated"),
    "complaints_waiting": N_("Complaints at the end: waiting for others"),
    "complaints_decided": N_("Complaints at the end: decided"),
    "complaints_remedied": N_("Complaints at the end: remedied"),
}
SATISFACTION = {
    "csat": N_("Satisfied customers, %"),
    "nps": N_("Net Promoter Score"),
    "survey_answered_percent": N_("Surveys answered, %"),
}
NAMES = (*COUNTS, *(f"{name}_{span}" for name in TIMES for span in SPANS), *KEPT, *COMPLAINTS, *SATISFACTION)
"""The columns, in their order, by the names of the figures."""


def lines(rows: Sequence[tuple[str, Values]], *, locale: str, separator: str, comma: bool) -> Iterator[str]:
    """`rows`: labels and figures. `comma`: as the decimal mark."""
    yield MARK + _line(["", *_heads(locale)], separator)
    for label, values in rows:
        yield _line([as_text(label), *(_written(values.get(name), comma=comma) for name in NAMES)], separator)


def as_text(words: str) -> str:
    return f"'{words}" if words.startswith(FORMULAS) else words


def _heads(locale: str) -> Iterator[str]:
    for head in COUNTS.values():
        yield translate(locale, head)
    for what in TIMES.values():
        for head in SPANS.values():
            yield translate(locale, head, what=translate(locale, what))
    for head in (*KEPT.values(), *COMPLAINTS.values(), *SATISFACTION.values()):
        yield translate(locale, head)


def _written(value: float | None, *, comma: bool) -> str:
    if value is None:
        return ""
    return str(value).replace(".", ",") if comma else str(value)


def _line(cells: Sequence[str], separator: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\r\n").writerow(cells)
    return text.getvalue()
