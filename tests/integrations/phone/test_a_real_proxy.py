"""A SIP proxy tells of real calls: answered, refused by us, missed, a hundred in a row, an answer told again and again."""

import asyncio
from collections import Counter

from sqlalchemy import func, select

from api.house import House
from domain.arriving.inbound import Arrival
from domain.customers.contacts import IdentityKind
from domain.db import new_id
from domain.desk.messages import Call, CallState
from domain.desk.tasks import Task
from domain.ways_in.blocking import BlockedSender
from domain.ways_in.channels import ChannelKind
from tests.factories import NOON, a_channel, an_agent, tickets
from tests.fetching import opening
from tests.kamailio import NOBODY, proxy, with_a_proxy

KEY = "what-the-proxy-shows-in-the-path"
BLOCKED = "48600000486"


async def _settled(house: House) -> Counter[CallState | None]:
    """How the calls stand when all that was told is read, and none goes on."""
    async with asyncio.timeout(240):
        while True:
            async with house.db.transaction() as session:
                waits = await session.scalar(select(Arrival.id).where(Arrival.due_at.is_not(None)).limit(1))
                found = Counter(await session.scalars(select(Call.call_state)))
            if waits is None and not {CallState.RINGING, CallState.ANSWERED} & found.keys():
                return found
            await asyncio.sleep(0.05)


@with_a_proxy
async def test_a_sip_proxy_drives_the_phone_webhook(house: House, door: str) -> None:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.PHONE, key=KEY, short_seconds=0)
        ben_id = (await an_agent(session, "Ben")).id
        session.add(
            BlockedSender(id=new_id(), kind=IdentityKind.PHONE, sender=f"+{BLOCKED}", created_at=NOON)
        )

    async with opening(house), proxy(f"{door}/hooks/phone/phone/{KEY}") as sip:
        # Who ignores the proxy's route acknowledges nothing: the answer is sent again, and told again.
        again_and_again = await sip.call(["48600100200"], talks=2500, follows_routes=False)
        await sip.call([BLOCKED])
        await sip.call([NOBODY])
        hundred = await sip.call([f"48600101{number:03}" for number in range(100)])

        counts = await _settled(house)

    assert (again_and_again, hundred) == (0, 0)
    assert counts == {CallState.ENDED: 101, CallState.MISSED: 1}
    async with house.db.transaction() as session:
        answers = select(func.count()).where(Arrival.raw.contains(b'"answer"'))
        assert await session.scalar(answers) >= 103  # type: ignore[operator]
        assert set(await session.scalars(select(Call.agent_id).where(Call.answered_at.is_not(None)))) == {
            ben_id
        }
        assert len(await tickets(session)) == 102
        numbers = set(await session.scalars(select(Call.number)))
        assert f"+{BLOCKED}" not in numbers
        (task,) = await session.scalars(select(Task))
        missed = (await session.scalars(select(Call).where(Call.call_state == CallState.MISSED))).one()
        assert (missed.number, missed.cause, task.ticket_id) == (f"+{NOBODY}", "408", missed.ticket_id)
