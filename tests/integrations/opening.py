"""Opens what has arrived, as a worker does, until nothing waits."""

from api.house import House
from domain.arriving.inbound import ARRIVALS
from integrations.mailroom import Mailroom


async def open_all(house: House) -> None:
    mailroom = Mailroom(house.db, house.keys, house.files)
    while True:
        async with house.db.transaction() as session:
            claimed = await ARRIVALS.claim(session, 10)
        if not claimed:
            return
        for arrival, lease in claimed:
            await mailroom.open(arrival, lease)
