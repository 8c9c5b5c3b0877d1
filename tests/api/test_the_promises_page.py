"""What docs/promises.md says to paste, pasted."""

import json
from typing import Any

from tests.client import Client
from tests.papers import shown


async def test_a_shop_is_set_up_as_the_page_says(mia: Client) -> None:
    ids = {"AGENT_ID": mia.agent_id}
    answers: dict[str, Any] = {}

    for one in shown("promises.md"):
        variables = json.dumps(one.variables or {})
        for word, id in ids.items():
            variables = variables.replace(f'"{word}"', f'"{id}"')
        (answer,) = (await mia.ask(one.document, **json.loads(variables))).values()
        answers[one.name] = answer
        assert not isinstance(answer, dict) or answer.get("userErrors", []) == [], (one.name, answer)
        if one.name == "SaveCalendar":
            ids["CALENDAR_ID"] = answer["calendar"]["id"]
        if one.name == "SaveSpanishCalendar":
            ids["SPANISH_CALENDAR_ID"] = answer["calendar"]["id"]
        if one.name == "SaveDefaultPolicy":
            ids["POLICY_ID"] = answer["policy"]["id"]

    polish = answers["SavePolishComplaints"]["policy"]
    assert polish["conditions"] == {"tags": ["reklamacja"]}
    assert answers["SaveSpanishCalendar"]["calendar"]["hours"]["holidays"] == ["ES"]
    assert answers["SaveSpanishComplaints"]["policy"]["calendar"] == {"name": "Oficina"}
    assert [target["days"] for target in polish["targets"] if target["days"]] == [14]
    assert [step["afterSeconds"] for step in answers["SaveLadder"]["policy"]["ladder"]["steps"]] == [
        0,
        0,
        180,
        600,
    ]
    assert answers["SetDuty"]["rota"]["isOnShift"]
    tried = await mia.ask("{ policies { name } }")
    assert [policy["name"] for policy in tried["policies"]] == [
        "Reklamacje",
        "Reclamaciones",
        "Chat",
        "Everybody",
    ]
