"""Opens what has arrived, as a worker does, until nothing waits."""

from api.house import House
from domain.arriving.inbound import ARRIVALS
from integrations.mailroom import Mailroom
from tests.working_off import worked_off


async def open_all(house: House) -> None:
    await worked_off(house, ARRIVALS, Mailroom(house.db, house.keys, house.files).open)
