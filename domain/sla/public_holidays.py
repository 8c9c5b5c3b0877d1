"""Public holidays, by country and region: PL, ES, ES-CT, …"""

import re
from datetime import date
from functools import cache

from domain.languages import N_
from domain.sla.nonsense import Nonsense

UNKNOWN = N_("no holidays are known for {code}; write PL, or ES-CT for Catalonia")


def check(code: str) -> None:
    """Raises Nonsense for what is no country or region that is known."""
    if not re.fullmatch("[A-Z]{2}(-[A-Z0-9]{1,3})?", code):
        raise Nonsense(UNKNOWN, code=repr(code))
    days(code, 2026)


@cache
def days(code: str, year: int) -> frozenset[date]:
    import holidays  # every calendar there is: only shops that keep some need it

    country, _, region = code.partition("-")
    try:
        return frozenset(holidays.country_holidays(country, subdiv=region or None, years=year))
    except NotImplementedError:
        raise Nonsense(UNKNOWN, code=repr(code)) from None
