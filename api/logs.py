"""What the house says of itself: one line an event, words for a terminal and JSON for a machine.

Ids and codes only. A traceback shows no variables: they hold what customers wrote.
"""

import sys

import structlog


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
            *([] if sys.stderr.isatty() else [structlog.processors.format_exc_info]),
            shown,
        ],
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
    )
