"""Nobody answers: the clock runs out, a phone rings, and somebody takes over."""

import json
import re
from datetime import UTC, datetime, timedelta

from demo.arriving import LETTER, QUESTION, SUBJECT
from demo.farends import Push
from demo.scene import Scene
from demo.staff import Json

HEALTH = "query Health($id: ID!) { pushHealth(alertId: $id) { state providerId device { label } } }"
TASKS = "query Tasks($of: ID!) { tasks(filter: { assigneeId: $of, done: false }) { title dueAt } }"


async def mias_phone_rings_in_time(scene: Scene) -> None:
    narrator = scene.narrator
    title = f"Ticket {scene.number}: a call was missed"
    await _push(scene, title, within=15)
    narrator.saw(f"Mia's phone says at once: “{title}”")
    left = max(0.0, (scene.due_at - datetime.now(UTC)).total_seconds())
    narrator.tell(f"{left:.1f} s are left of the promise")
    title = f"Ticket {scene.number}: first reply due in 1 min"
    push = await _push(scene, title, within=left + 5)
    early = (scene.due_at - push.at).total_seconds()
    narrator.check(
        f"Mia's phone rings, {early:.1f} s before the promise would be broken",
        (push.handle, early > 0),
        equals=(scene.mias_phone, True),
    )
    narrator.saw(f"it shows “{title}”")
    narrator.check(
        "and no name, address or word of the customer: anybody can read a lock screen",
        _given_away(scene, push),
        equals=[],
    )


async def _push(scene: Scene, title: str, *, within: float) -> Push:
    """On a slow machine the warning may ring before the missed call does: each is known by what it shows."""
    for push in scene.rung:
        if push.data["title"] == title:
            return push
    while True:
        coming = scene.shop.fcm.next_push(within)
        push = await scene.narrator.awaits(f"Mia's phone rings and shows “{title}”", coming)
        scene.rung.append(push)
        if push.data["title"] == title:
            return push


async def the_clock_runs_out(scene: Scene) -> None:
    narrator = scene.narrator
    left = max(0.0, (scene.due_at - datetime.now(UTC)).total_seconds())
    await narrator.see(
        f"the time is up: one alert fires, for #{scene.number}, a level higher",
        lambda: _firing(scene),
        equals=[(scene.number, 1, scene.due_at.isoformat())],
        within=left + 5,
    )


async def _firing(scene: Scene) -> list[tuple[int, int, str]]:
    """Number, level and moment: an alert bears the deadline itself, however late somebody looks."""
    asked = "{ alerts { id kind level firedAt ticket { number } } }"
    found = (await scene.mia.ask(asked))["alerts"]
    alerts = [alert for alert in found if alert["kind"] != "CALL_MISSED"]
    for alert in alerts:
        scene.alert_id = alert["id"]
    return [(alert["ticket"]["number"], alert["level"], alert["firedAt"]) for alert in alerts]


async def mias_phone_rings_again(scene: Scene) -> None:
    narrator = scene.narrator
    title = f"Ticket {scene.number}: first reply overdue"
    push = await _push(scene, title, within=15)
    late = (push.at - scene.due_at).total_seconds()
    narrator.check(
        f"Mia's phone rings again, {late:.1f} s after the deadline", push.handle, equals=scene.mias_phone
    )
    narrator.saw(f"it shows “{title}”")

    async def ledger() -> list[tuple[str, str, str]]:
        found = (await scene.mia.ask(HEALTH, id=scene.alert_id))["pushHealth"]
        return [(one["device"]["label"], one["state"], one["providerId"]) for one in found]

    await narrator.see(
        "the ledger says so too: ACCEPTED, by Google's own id",
        ledger,
        equals=[("Mia's phone", "ACCEPTED", push.name)],
    )
    shown = {"d": push.data["d"], "r": push.data["r"], "event": "shown"}
    await scene.mia.receipt(shown)
    await narrator.see(
        "the phone says that it showed it, and the ledger knows: SHOWN",
        ledger,
        equals=[("Mia's phone", "SHOWN", push.name)],
    )


def _given_away(scene: Scene, push: Push) -> list[str]:
    """What of the customer's own anybody could read on the phone's way."""
    public = json.dumps([push.data, push.notification, push.android, push.apns], ensure_ascii=False).lower()
    zofia = scene.zofia
    private = {*zofia.name.split(), zofia.email, zofia.phone, zofia.psid}
    private.update(re.findall(r"[^\W\d_]{5,}", f"{SUBJECT} {LETTER} {QUESTION}"))
    return sorted(word for word in private if word.lower() in public)


async def mia_acknowledges(scene: Scene) -> None:
    narrator = scene.narrator
    narrator.tell("Mia acknowledges; her train is in a tunnel, so she taps twice")
    answers: list[Json] = [
        await scene.mia.do("alertAck", "applied alert { state ackedBy { name } }", id=scene.alert_id)
        for _ in range(2)
    ]
    narrator.check("it counts once", [one["applied"] for one in answers], equals=[True, False])
    acked = {"state": "ACKED", "ackedBy": {"name": "Mia"}}
    narrator.check("the alert is hers", answers[-1]["alert"], equals=acked)


async def mia_takes_over(scene: Scene) -> None:
    narrator = scene.narrator
    narrator.tell("She takes the ticket, leaves a note, and gives Ben a task for tomorrow")
    await scene.mia.do("ticketAssign", "tickets { id }", ticketIds=[scene.ticket_id], takeOver=True)
    await scene.mia.do("noteAdd", "note { id }", ticketId=scene.ticket_id, text="I send her a new one.")
    ben = (await scene.ben.ask("{ viewer { agent { id } } }"))["viewer"]["agent"]["id"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0).isoformat()
    task = {"title": "Has the new mug arrived?", "dueAt": tomorrow}
    await scene.mia.do("taskSave", "task { id }", **task, assigneeId=ben, ticketId=scene.ticket_id)
    ticket = await scene.ticket()
    narrator.check(
        "Ben sees that Mia has it, and her note",
        (ticket.shown["assignee"], ticket.shown["status"], ticket.said()[-1]),
        equals=({"name": "Mia"}, "OPEN", "NOTE"),
    )
    narrator.check(
        "and his task, with its time", (await scene.ben.ask(TASKS, of=ben))["tasks"], equals=[task]
    )
