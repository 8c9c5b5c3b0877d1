"""What docs/desk.md says to paste, pasted."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from api.house import House
from domain.ids import row_id
from domain.working import bulk
from tests.papers import shown
from tests.two_teams import TwoTeams


async def test_a_shop_works_on_tickets_as_the_page_says(house: House, two_teams: TwoTeams) -> None:
    house.settings.undo_seconds = 10
    ids = {
        "TICKET_ID": two_teams.ids["Ticket"],
        "OTHER_TICKET_ID": two_teams.ids["CallTicket"],
        "IDENTITY_ID": two_teams.ids["Identity"],
        "2026-12-24T08:00:00Z": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
    }
    answers: dict[str, Any] = {}

    for one in shown("desk.md"):
        variables = json.dumps(one.variables or {})
        for word, id in ids.items():
            variables = variables.replace(f'"{word}"', f'"{id}"')
        who = two_teams.admin if one.name == "SaveTicketField" else two_teams.ben
        if one.document.startswith("subscription"):
            async with asyncio.timeout(30), who.listening(one.document, **json.loads(variables)) as stream:
                answers[one.name] = await stream.next()
            continue
        if one.name == "ManyChanged":
            await _work_off(house, ids["BULK_ID"])
        answers[one.name] = await who.ask(one.document, **json.loads(variables))
        (said,) = answers[one.name].values()
        assert not said.get("userErrors"), (one.name, said)
        if one.name == "SaveTicketField":
            ids["TICKET_FIELD_ID"] = said["ticketField"]["id"]
        if one.name == "ChangeMany":
            ids["BULK_ID"] = said["bulkChange"]["id"]
        if one.name == "Snooze":
            ids["CHANGE_ID"] = said["changeId"]

    assert answers["Draft"]["ticket"]["draft"]["body"] == "Dear Ada, "
    assert [one["intent"] for one in answers["Viewers"]["ticketPresence"]] == ["TYPING"]
    assert answers["Mention"]["noteAdd"]["note"]["mentions"][0]["name"] == "Mia"
    assert answers["Mentions"]["mentions"]["edges"]
    assert answers["Snooze"]["ticketUpdate"]["tickets"][0]["status"] == "PENDING"
    assert answers["SetTicketField"]["ticketUpdate"]["tickets"][0]["fields"][0]["value"] == "SEUR"
    kinds = {link["kind"] for one in answers["LinkTickets"]["ticketLink"]["tickets"] for link in one["links"]}
    assert kinds == {"RELATED", "BLOCKED_BY", "BLOCKS"}
    assert answers["ManyChanged"]["bulkChange"]["state"] == "DONE"
    assert answers["UndoMany"]["bulkUndo"]["bulkChange"]["state"] == "UNDOING"


async def _work_off(house: House, id: str) -> None:
    more = True
    while more:
        async with house.db.transaction() as session:
            more = await bulk.step(session, row_id("BulkChange", id))
