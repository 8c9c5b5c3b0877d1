"""What docs/complaints.md and docs/tasks.md say to paste, pasted."""

import json
from datetime import UTC, datetime
from typing import Any

from api.house import House
from domain.sla.templates import Template
from domain.ways_in.channels import ChannelKind
from tests.client import Client
from tests.complaining import under_the_law
from tests.factories import a_channel, a_mail, receive
from tests.papers import shown


async def _pasted(admin: Client, page: str, ids: dict[str, str]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for one in shown(page):
        variables = json.dumps(one.variables or {})
        for word, id in ids.items():
            variables = variables.replace(word, id)
        answer = await admin.ask(one.document, **json.loads(variables))
        answers[one.name] = next(iter(answer.values()))
        if isinstance(answers[one.name], dict):
            assert answers[one.name].get("userErrors", []) == [], (one.name, answer)
        if one.name == "OpenComplaint":
            ids["COMPLAINT_ID"] = answers[one.name]["complaint"]["id"]
        if one.name == "SaveTemplate":
            ids["TEMPLATE_ID"] = answers[one.name]["template"]["id"]
    return answers


async def test_a_complaint_and_its_tasks_go_as_the_pages_say(house: House, admin: Client) -> None:
    async with house.db.transaction() as session:
        await under_the_law(session, Template.COMPLAINT_PL)
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", at=datetime.now(UTC)))
    (edge,) = (await admin.ask("{ tickets { edges { node { id } } } }"))["tickets"]["edges"]
    ids = {"TICKET_ID": edge["node"]["id"], "AGENT_ID": admin.agent_id}

    worked = await _pasted(admin, "tasks.md", dict(ids))
    complained = await _pasted(admin, "complaints.md", dict(ids))

    assert [task["title"] for task in worked["ApplyTemplate"]["tasks"]] == [
        "Take the parcel in",
        "Pay the money back",
    ]
    assert worked["SaveWeekly"]["task"]["repeat"]["weekdays"] == ["mon", "thu"]
    assert len(complained["OpenComplaint"]["complaint"]["ticket"]["tasks"]) == 6
    assert complained["Advance"]["complaint"]["outcome"] == "ACCEPTED"
    assert complained["CaseFile"]["complaint"]["file"].startswith("http")
