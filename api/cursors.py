"""A place in the change feed, as clients hold it."""

import base64

from api.house import House
from api.scalars import Cursor
from domain.errors import InvalidInput
from domain.events import Place
from domain.languages import N_

ELSEWHERE: Place = (0, -1)
"""A place in another epoch's feed."""


def cursor(house: House, place: Place) -> Cursor:
    said = f"{house.epoch}.{place[0]}.{place[1]}"
    return Cursor(base64.urlsafe_b64encode(said.encode()).decode().rstrip("="))


def place(house: House, cursor: str) -> Place:
    try:
        epoch, xid, seq = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(".")
        if 0 <= int(xid) < 2**63 and 0 <= int(seq) < 2**63:
            return (int(xid), int(seq)) if epoch == house.epoch else ELSEWHERE
    except ValueError:
        pass
    raise InvalidInput(N_("This cursor is not one of ours."), field=["since"])
