"""However many workers ask, and whichever is killed over it: each customer is asked once."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from api.house import House
from demo.farends import SmtpSink
from domain.db import Database
from domain.desk.files import Folder
from domain.desk.messages import DeliveryState, Direction, Message
from domain.desk.tickets import Ticket, TicketStatus
from domain.feedback.asking import Asker
from domain.feedback.requests import SurveyRequest
from domain.feedback.scales import SurveyKind
from domain.keys import Keys
from domain.ways_in.channels import ChannelKind
from tests.conftest import another_database
from tests.factories import a_channel, a_mail, receive
from tests.feedback.afterwards import Afterwards

CUSTOMERS = 60
SECRET = "a secret for killed workers that is long enough"


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """One of its own: processes write to it."""
    database = Database(await another_database(database_url, "surveys"))
    yield database
    await database.close()


async def a_worker(db: Database, folder: Path, smtp: str) -> asyncio.subprocess.Process:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
    settings = {"HEDDLE_DATABASE_URL": db.url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(folder)}
    with (folder / "log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("heddle"),
            "worker",
            cwd=folder,
            env=outside | settings | {"HEDDLE_SMTP_URL": smtp},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


async def asked(db: Database) -> int:
    async with db.transaction() as session:
        done = select(func.count()).where(SurveyRequest.asked_at.is_not(None))
        return await session.scalar(done) or 0


async def all_are_sent(db: Database) -> bool:
    async with db.transaction() as session:
        left = select(func.count()).where(Message.delivery == DeliveryState.QUEUED)
        return await asked(db) == CUSTOMERS and not await session.scalar(left)


async def all_solved(house: House, customers: int) -> Afterwards:
    after = await Afterwards.at(house)
    await after.survey(SurveyKind.CSAT, delay_minutes=0)
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        for number in range(customers):
            await receive(session, mailbox, a_mail(f"customer{number}@example.org"))
    for ticket in await after.tickets():
        await after.answers(ticket)
        await after.becomes(ticket, TicketStatus.SOLVED)
    return after


async def falls_due(db: Database, model: type[SurveyRequest | Message]) -> None:
    """What somebody held who is no more, and would wait for its lease."""
    async with db.transaction() as session:
        waiting = update(model).where(model.due_at.is_not(None))
        await session.execute(waiting.values(due_at=func.now()))


async def questions(db: Database) -> list[int]:
    """How many each customer got."""
    async with db.transaction() as session:
        ours = select(Ticket.id, func.count(Message.id)).join(Message, Message.ticket_id == Ticket.id)
        asking = ours.where(Message.direction == Direction.OUT, Message.automatic.is_(True)).group_by(
            Ticket.id
        )
        return [count for _, count in await session.execute(asking)]


async def test_two_who_ask_at_once_of_whom_one_is_cut_short_ask_everybody_once(house: House) -> None:
    after = await all_solved(house, 12)
    await after.hears()
    askers = [Asker(house.db, house.keys, house.base_url) for _ in range(2)]

    async with asyncio.timeout(60):
        first, second = (asyncio.create_task(asker.run()) for asker in askers)
        while await asked(house.db) < 3:
            await asyncio.sleep(0.001)
        first.cancel()
        await asyncio.wait([first])
        await falls_due(house.db, SurveyRequest)
        while await asked(house.db) < 12:
            await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.wait([second])

    assert await questions(house.db) == [1] * 12


@pytest.mark.slow
async def test_two_processes_of_which_one_is_killed_ask_everybody_once(db: Database, tmp_path: Path) -> None:
    await all_solved(House(db, Keys(SECRET), Folder(tmp_path), "http://heddle.test"), CUSTOMERS)

    async with asyncio.timeout(240), SmtpSink() as sink:
        workers = [await a_worker(db, tmp_path, f"smtp://{sink.host}:{sink.port}") for _ in range(2)]
        try:
            while await asked(db) < CUSTOMERS // 6:
                await asyncio.sleep(0.005)
            os.kill(workers[0].pid, signal.SIGKILL)
            killed_at = await asked(db)
            for model in (SurveyRequest, Message):
                await falls_due(db, model)
            while not await all_are_sent(db):
                await asyncio.sleep(0.05)
        finally:
            for worker in workers:
                if worker.returncode is None:
                    worker.terminate()
                await worker.wait()

    assert killed_at < CUSTOMERS
    assert await questions(db) == [1] * CUSTOMERS
    mails = {(mail.recipients[0], mail.message["Message-ID"]) for mail in sink.mails}
    assert set(Counter(to for to, _ in mails).values()) == {2}  # Ben's answer, and the question
