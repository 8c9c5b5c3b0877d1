"""What docs/assigning.md says to paste, pasted."""

import json
from typing import Any

from sqlalchemy import select

from api.house import House
from domain.agents.staff import Team, TeamMember
from domain.db import new_id
from domain.desk.tickets import Ticket
from domain.ids import public_id, row_id
from domain.ways_in.channels import ChannelKind
from tests.client import Client
from tests.factories import a_channel, a_mail, receive
from tests.papers import shown


async def test_a_team_is_set_up_as_the_page_says(
    house: House, ben: Client, mia: Client, admin: Client
) -> None:
    async with house.db.transaction() as session:
        team = Team(id=new_id(), name="Support")
        session.add(team)
        await session.flush()
        session.add(TeamMember(team_id=team.id, agent_id=row_id("Agent", ben.agent_id)))
        await receive(
            session, await a_channel(session, house.keys, ChannelKind.EMAIL), a_mail("ada@example.org")
        )
        ticket_id = (await session.scalars(select(Ticket.id))).one()
    ids = {
        "TEAM_ID": public_id("Team", team.id),
        "AGENT_ID": ben.agent_id,
        "TICKET_ID": public_id("Ticket", ticket_id),
    }
    answers: dict[str, dict[str, Any]] = {}

    for one in shown("assigning.md"):
        variables = json.dumps(one.variables or {})
        for word, id in ids.items():
            variables = variables.replace(f'"{word}"', f'"{id}"')
        who = admin if one.name == "SetSkills" else mia
        answers[one.name] = await who.ask(one.document, **json.loads(variables))
        for answer in answers[one.name].values():
            assert not isinstance(answer, dict) or answer.get("userErrors", []) == [], (one.name, answer)

    handed_out = answers["HandOut"]["assignmentSave"]["team"]["assignment"]
    assert (handed_out["mode"], handed_out["skills"]) == (
        "ROUND_ROBIN",
        [{"skill": "returns", "tags": ["return", "refund"]}],
    )
    assert answers["SetSkills"]["agentUpdate"]["agent"]["load"] == {"capacity": 12}
    assert answers["Take"]["ticketAssign"]["tickets"][0]["assignee"] == {"name": "Mia"}
    moved = answers["HandOver"]["ticketAssign"]["tickets"][0]
    assert (moved["team"], moved["assignee"]) == ({"name": "Support"}, None)
    assert answers["Board"]["counters"]["open"] == 1
