"""After a policy changed, the clocks of open tickets are reckoned anew, step by step."""

import asyncio
from datetime import timedelta

from sqlalchemy import func, insert, select

from domain.actors import SYSTEM
from domain.db import Database, new_id
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import EventKind, record
from domain.keys import Keys
from domain.sla import policies, recounts
from domain.sla.clocks import Clock
from domain.sla.hours import ALWAYS
from domain.sla.recounts import STEP, Recount
from domain.sla.targets import Metric, Target
from domain.ways_in.channels import ChannelKind
from tests.factories import NOON, a_channel, a_mail, receive, tickets


async def recounted(db: Database) -> Recount:
    """Asks for one, and waits for its end."""
    async with db.transaction() as session:
        asked = (await recounts.recount(session, at=NOON)).id
    task = asyncio.create_task(recounts.run(db))
    try:
        async with asyncio.timeout(20):
            while True:
                async with db.transaction() as session:
                    found = await session.get_one(Recount, asked)
                if found.finished_at:
                    return found
                await asyncio.sleep(0.05)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def a_resolution(db: Database) -> None:
    async with db.transaction() as session:
        targets = [Target(Metric.RESOLUTION, 3600)]
        await policies.set_default_policy(session, name="Default", hours=ALWAYS, targets=targets)


async def test_every_step_has_a_lease_of_its_own(clean: Database, keys: Keys) -> None:
    async with clean.transaction() as session:
        mailbox = await a_channel(session, keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org"))
        contact_id = (await tickets(session))[0].contact_id
        row = {
            "contact_id": contact_id, "subject": "", "status": TicketStatus.NEW, "tags": [],
            "created_at": NOON, "updated_at": NOON,
        }  # fmt: skip
        await session.execute(insert(Ticket), [row | {"id": new_id()} for _ in range(2 * STEP)])
    await a_resolution(clean)

    done = await recounted(clean)

    assert (done.tickets, done.moved, done.attempts, done.failures) == (2 * STEP + 1, 2 * STEP + 1, 3, 0)


async def test_a_ticket_that_cannot_be_reckoned_is_noted_and_the_others_are_reckoned(
    clean: Database, keys: Keys
) -> None:
    """What a version after this one wrote into the history of the second of three."""
    async with clean.transaction() as session:
        mailbox = await a_channel(session, keys, ChannelKind.EMAIL)
        for name in ("ada", "zofia", "eve"):
            await receive(session, mailbox, a_mail(f"{name}@example.org"))
        _, odd, _ = await tickets(session)
        about = {"ticket_id": odd.id, "data": {"status": ["new", "unheard of"]}}
        record(session, EventKind.TICKET_CHANGED, by=SYSTEM, at=NOON + timedelta(hours=1), **about)
    await a_resolution(clean)

    done = await recounted(clean)

    assert (done.tickets, done.moved) == (3, 2)
    assert str(odd.id) in (done.last_error or "")
    async with clean.transaction() as session:
        reckoned = await session.scalar(select(func.count()).select_from(Clock))
    assert reckoned == 2
