"""What docs/contacts.md says to paste, pasted."""

import json
from typing import Any

from tests.client import Client
from tests.papers import shown


async def test_a_contact_is_written_down_as_the_page_says(admin: Client) -> None:
    ids: dict[str, str] = {}
    answers: dict[str, Any] = {}

    for one in shown("contacts.md"):
        variables = json.dumps(one.variables or {})
        for word, id in ids.items():
            variables = variables.replace(word, id)
        (answer,) = (await admin.ask(one.document, **json.loads(variables))).values()
        answers[one.name] = answer
        assert answer.get("userErrors", []) == [], (one.name, answer)
        if one.name == "SaveContact":
            ids["CONTACT_ID"] = answer["contact"]["id"]
        if one.name == "SaveField":
            ids["FIELD_ID"] = answer["contactField"]["id"]

    assert [one["value"] for one in answers["SaveFieldValue"]["contact"]["fields"]] == ["L"]
    assert [edge["node"]["name"] for edge in answers["Companies"]["edges"]] == ["Analytical Engines"]
    assert len(answers["AddContactNote"]["contact"]["notes"]) == 1
    assert answers["History"]["timeline"]["edges"] == []
