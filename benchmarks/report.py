"""The figures as tables that read well in a terminal and as Markdown, and as JSON."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson

from benchmarks.bench import Measured, Table, number
from benchmarks.sizes import Sizes

FILE = Path(__file__).parent / "results.md"

FIGURES = (
    "inbox_vs_floor",
    "ticket_vs_floor",
    "inbox_vs_floor_one_process",
    "ticket_vs_floor_one_process",
    "inbox_vs_usual_strawberry",
    "inbox_vs_fastapi_orm",
    "inbox_per_second",
    "today_per_second",
    "today_cpu_ms",
    "replies_per_second",
    "reply_cpu_ms",
    "reply_database_cpu_ms",
    "webhooks_per_second",
    "messages_per_second",
    "message_cpu_ms",
    "message_cost_growth",
    "subscribers_p99_ms",
    "subscribers_small_p99_ms",
    "subscribers_usual_p99_ms",
    "next_due_ms",
    "start_seconds",
    "idle_mb",
    "busy_mb",
)

DEADLINES = "Deadlines that fall within a minute, half of them in one instant"
MAIL = "Mails to messages on tickets"
PROFILE = "Where the application's own processor time goes"
ASSIGNING = "A day's tickets, handed out while workers are killed"
HELPDESKS = "Other helpdesks, one request at a time"
PLANS = "Statements of the screens and the workers, explained"
APART = (PROFILE, DEADLINES, MAIL, ASSIGNING, HELPDESKS, PLANS)
"""Measured apart, by `./run bench …` or with `--profile`: whoever measures the rest leaves them as they are."""

AIMS = (
    ("inbox page by two processes, requests/s against the floor", "inbox_vs_floor", "≥", 0.5),
    ("ticket page by two processes, requests/s against the floor", "ticket_vs_floor", "≥", 0.45),
    ("inbox page against Strawberry + ORM", "inbox_vs_usual_strawberry", "≥", 12),
    ("inbox page against FastAPI + ORM", "inbox_vs_fastapi_orm", "≥", 3.5),
    ("an answer, CPU ms of the application", "reply_cpu_ms", "≤", 3),
    ("Messenger webhooks/s", "webhooks_per_second", "≥", 1000),
    ("arrivals to messages/s, one worker", "messages_per_second", "≥", 300),
    ("one event to 1,000 subscribers, p99 ms", "subscribers_p99_ms", "≤", 200),
    ("next due clock, p50 ms", "next_due_ms", "≤", 1),
    ("start until `/healthz` answers, s", "start_seconds", "≤", 2),
)


def written(table: Table) -> str:
    lines = [table.columns, *table.rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table.columns))]
    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    head, *rows = (_line(line, widths) for line in lines)
    return "\n".join(
        [f"## {table.title}", "", head, _line(ruler, widths), *rows, *(["", table.note] * bool(table.note))]
    )


def aims(measured: Iterable[Measured]) -> Table:
    found = _figures(measured)
    rows = []
    for words, name, sign, aim in AIMS:
        figure = found.get(name)
        reached = figure is not None and (figure >= aim if sign == "≥" else figure <= aim)
        rows.append(
            [words, f"{sign} {aim:,g}", number(figure, 3 if aim < 1 else 1), "yes" if reached else "no"]
        )
    return Table("What is aimed for", ("", "aim", "measured", "reached"), rows)


def _figures(measured: Iterable[Measured]) -> dict[str, float]:
    return {name: value for one in measured for name, value in one.figures.items()}


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return (
        " | ".join(["| " + first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]) + " |"
    )


def save(sizes: Sizes, postgres: str, measured: Sequence[Measured]) -> None:
    head = (
        f"# How fast Heddle is\n\n"
        f"`./run bench{' --quick' if sizes.name == 'quick' else ''}` on {datetime.now(UTC):%Y-%m-%d}: "
        f"{sizes.contacts:,} contacts, {sizes.tickets:,} tickets, {sizes.messages:,} messages; "
        f"Python {platform.python_version()}, PostgreSQL {postgres}, {os.cpu_count()} processors, "
        f"shared by the servers, the database and the client. Medians of {sizes.rounds} rounds that take turns; "
        f"read the ratios. Each answers with one process, Heddle also with two (`heddle serve --processes 2`). The floor is one SQL statement that builds the JSON, behind a bare ASGI application that "
        f"asks nobody who they are. FastAPI + ORM is the same page as REST: pydantic models over `selectinload`. Strawberry + ORM answers the same query the usual way: "
        f"resolvers, DataLoaders, `GraphQLRouter`."
    )
    _write(
        head,
        [
            written(aims(measured)),
            *(written(one.table) for one in measured),
            *(one for one in _sections()[1] if any(_is_of(title, one) for title in APART)),
        ],
    )


def keep(table: Table) -> None:
    """Of a measurement of its own: it takes the place of the one before."""
    head, sections = _sections()
    _write(head, [*(one for one in sections if not _is_of(table.title, one)), written(table)])


def _write(head: str, sections: Iterable[str]) -> None:
    FILE.write_text("\n\n".join([head, *sections]) + "\n")


def _sections() -> tuple[str, list[str]]:
    head, *sections = FILE.read_text().rstrip("\n").split("\n\n## ")
    return head, [f"## {section}" for section in sections]


def _is_of(title: str, section: str) -> bool:
    return section.startswith(f"## {title}\n")


def machine_line(measured: Iterable[Measured]) -> str:
    found = _figures(measured)
    return orjson.dumps({name: found.get(name) for name in FIGURES}).decode()
