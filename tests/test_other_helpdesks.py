"""The helpdesks that the benchmark measures beside Heddle show what they were given; otherwise their figures would say nothing."""

import json
import re

import pytest

from benchmarks.__main__ import folder
from benchmarks.client import ask
from benchmarks.helpdesks import request_tracker
from benchmarks.helpdesks.setting_up import SAID, standing
from domain.db import Database
from domain.operations.postgres import embedded


@pytest.mark.slow
@pytest.mark.skipif(not request_tracker.is_installed(), reason="Debian's request-tracker5 is not installed")
async def test_request_tracker_shows_the_tickets_and_messages_it_was_given() -> None:
    with folder() as data, embedded(data, durable=False) as url:
        db = Database(url)
        async with standing(request_tracker, db, data, tickets=150, long=12, first=50) as shown:
            page, rest = [(await ask(one.child.port, one.request)).decode() for one in shown.lists]
            ticket = await ask(shown.tickets[0].child.port, shown.tickets[0].request)
        await db.close()

    newest = [f"Order {place}" for place in range(149, 99, -1)]
    assert list(dict.fromkeys(re.findall(r"Order \d+", page))) == newest
    listed = json.loads(rest)
    assert [one["Subject"] for one in listed["items"]] == newest
    assert len({one["Requestor"][0]["id"] for one in listed["items"]}) == 50
    assert listed["total"] == 150
    assert ticket.count(SAID) == 12 * 3
