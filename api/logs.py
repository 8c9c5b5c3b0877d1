"""What the house says of itself: one line an event, words for a terminal and JSON for a machine.

Ids and codes only. A traceback shows no variables, nor the row that broke a rule of the database: they hold what customers wrote.
"""

import logging
import re
import sys
from asyncio import CancelledError
from collections.abc import MutableMapping
from typing import Any

import structlog

_ROW = re.compile(
    r"\n[ |]*DETAIL:  .*?(?=\n[ |]*(?:HINT:|\[SQL|\+-)|\n[ |]*\n[ |]*(?:The above|During handling)|\Z)",
    re.DOTALL,
)
"""In a group of exceptions lines stand behind `|`."""
POOL = "sqlalchemy.pool.impl.AsyncAdaptedQueuePool"


def log_to_stderr() -> None:
    shown: structlog.typing.Processor
    if sys.stderr.isatty():
        shown = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    else:
        shown = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_rows,
            shown,
        ],
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
    )
    logging.getLogger(POOL).addFilter(_went_wrong)


def _without_rows(_: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if "exception" in event:
        event["exception"] = _ROW.sub("", event["exception"])
    return event


def _went_wrong(record: logging.LogRecord) -> bool:
    """Who is cancelled while a connection is closed behind it: the driver breaks it off then, and nothing is left."""
    return not (record.exc_info and isinstance(record.exc_info[1], CancelledError))
