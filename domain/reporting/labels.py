"""What a row of a report is called, in its reader's language."""

from datetime import time

from babel.dates import format_date

from domain.languages import N_, best_language, translate
from domain.reporting.asking import Asked, Grouping
from domain.reporting.counting import Line

TOTAL = N_("Total")
PREVIOUS = N_("The period before")
UNNAMED = {Grouping.CHANNEL: N_("No channel"), Grouping.TEAM: N_("No team")}


def label_of(asked: Asked, line: Line, locale: str) -> str:
    if isinstance(line.key, int):
        if asked.by == Grouping.HOUR:
            return f"{time(line.key):%H:%M}"
        return str(format_date(asked.days[line.key][0], "medium", locale=best_language(locale)))
    return line.name or ("" if line.key else translate(locale, UNNAMED[asked.by]))
