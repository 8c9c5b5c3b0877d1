"""The daily work: a view, a ticket handed over, a macro that answers and solves, and what the customer thought of it."""

import re
from email.message import EmailMessage

import httpx

from demo.narrator import PATIENCE
from demo.scene import Scene
from demo.staff import Json

VIEW = "Wrote by Messenger"
WORDS = "Dzień dobry {{contact.first_name}},\nsprawa numer {{ticket.number}} jest załatwiona.\n{{agent.first_name}}"
BEST = re.compile(r"(https?://\S+/feedback/\S+)\?score=5")


async def mia_saves_a_view(scene: Scene) -> None:
    narrator = scene.narrator
    narrator.tell("Mia saves a view for everybody: `is:open channel:messenger`")
    view = {"name": VIEW, "query": "is:open channel:messenger", "orderBy": "DUE", "shared": True}
    await scene.mia.do("viewSave", "view { id }", **view)
    views = (await scene.ben.ask("{ views { name count } }"))["views"]
    counts = {one["name"]: one["count"] for one in views}
    narrator.check("Ben has it too, with one ticket in it: Zofia's", counts.get(VIEW), equals=1)


async def mia_hands_it_to_ben(scene: Scene) -> None:
    narrator = scene.narrator
    narrator.tell("Mia gives the ticket to Ben")
    people = {one["name"]: one["id"] for one in (await scene.mia.ask("{ agents { id name } }"))["agents"]}
    ticket = {"ticketIds": [scene.ticket_id], "agentId": people["Ben"]}
    await scene.mia.do("ticketAssign", "tickets { id }", **ticket)
    assignee = (await scene.ticket()).shown["assignee"]
    narrator.check("he has it", assignee, equals={"name": "Ben"})


async def ben_uses_a_macro(scene: Scene) -> None:
    narrator = scene.narrator
    narrator.tell("Mia wants customers asked how the help was, and saves a macro; Ben uses it on the ticket")
    await scene.mia.do("surveySave", "survey { id }", kind="CSAT", enabled=True, delayMinutes=0)
    macro: Json = {"name": "All done", "visibility": "EVERYONE", "actions": [{"status": "SOLVED"}]}
    saved = await scene.mia.do("macroSave", "macro { id }", **macro, bodies=[{"locale": "pl", "text": WORDS}])
    seen = (await scene.ben.ask("{ changeCursor }"))["changeCursor"]
    run = {"macroId": saved["macro"]["id"], "ticketIds": [scene.ticket_id], "send": True}
    done = await scene.ben.do("macroRun", "tickets { status }", **run, changeCursor=seen)
    narrator.check("the ticket is solved", done["tickets"], equals=[{"status": "SOLVED"}])
    sent = await narrator.awaits("the answer reaches the mail server", scene.shop.sink.next_mail(PATIENCE))
    filled = f"Dzień dobry Zofia,\nsprawa numer {scene.number} jest załatwiona.\nBen\n"
    narrator.check("its places are filled in", _said(sent.message).startswith(filled), equals=True)


async def zofia_says_what_she_thinks(scene: Scene) -> None:
    narrator = scene.narrator
    asked = await narrator.awaits("she is asked, by mail", scene.shop.sink.next_mail(PATIENCE))
    link = BEST.search(_said(asked.message))
    narrator.check("she is asked, by mail, with a link for each score", link is not None, equals=True)
    narrator.tell("Zofia taps the best")
    async with httpx.AsyncClient(trust_env=False) as http:
        await http.post(link[1] if link else "", data={"score": "5"})
    query = "query($id: ID!) { ticket(id: $id) { feedback { score most } } }"
    feedback = (await scene.ben.ask(query, id=scene.ticket_id))["ticket"]["feedback"]
    narrator.check("the ticket shows 5 of 5", feedback, equals={"score": 5, "most": 5})


def _said(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    return body.get_content().replace("\r\n", "\n") if body else ""
