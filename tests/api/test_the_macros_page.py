"""What docs/macros.md and docs/files.md say to paste, pasted."""

import json
from typing import Any

from sqlalchemy import select

from api.house import House
from domain.desk.tickets import Ticket
from domain.ids import public_id
from domain.ways_in.channels import ChannelKind
from tests.client import Client
from tests.factories import a_channel, a_mail, receive
from tests.papers import shown


async def pasted(client: Client, page: str, name: str, **ids: str) -> dict[str, Any]:
    (one,) = (one for one in shown(page) if one.name == name)
    variables = json.dumps(one.variables or {})
    for word, id in ids.items():
        variables = variables.replace(word, id)
    (answer,) = (await client.ask(one.document, **json.loads(variables))).values()
    assert answer.get("userErrors", []) == [], (name, answer)
    return dict(answer)


async def test_a_macro_is_written_and_used_as_the_page_says(house: House, mia: Client) -> None:
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", sender_name="Ada Nowak"))
        ticket_id = public_id("Ticket", (await session.scalars(select(Ticket.id))).one())

    macro = (await pasted(mia, "macros.md", "SaveMacro"))["macro"]
    ids = {"MACRO_ID": macro["id"], "TICKET_ID": ticket_id}
    preview = await pasted(mia, "macros.md", "PreviewMacro", **ids)
    ran = await pasted(mia, "macros.md", "RunMacro", **ids)

    assert preview["text"] == "Dear Ada,\nyour order is on its way.\nMia, Email"
    assert [(one["status"], one["tags"]) for one in ran["tickets"]] == [("SOLVED", ["shipped"])]
    assert ran["replies"][0]["words"]["text"] == preview["text"]


async def test_a_file_goes_up_as_the_page_says(house: House, mia: Client) -> None:
    upload = (await pasted(mia, "files.md", "StartUpload"))["upload"]
    headers = {one["name"]: one["value"] for one in upload["headers"]}
    content = b"\x89PNG\r\n\x1a\n" + b"0" * 100
    laid = await mia.http.put(upload["url"].removeprefix(house.base_url), content=content, headers=headers)

    done = await pasted(mia, "files.md", "FinishUpload", ATTACHMENT_ID=upload["attachmentId"])

    assert laid.status_code == 204
    assert done["file"] == {
        "id": upload["attachmentId"],
        "name": "mug.png",
        "mime": "image/png",
        "bytes": 108,
    }
