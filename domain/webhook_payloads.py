"""What a webhook is told of an event: ids and codes, by which the rest is asked for."""

from datetime import datetime

from domain.db import Json
from domain.desk.messages import ItemKind
from domain.events import Event, EventKind
from domain.ids import public_id


def body(kind: str, at: datetime, data: Json) -> Json:
    return {"type": kind, "timestamp": at.isoformat(), "data": data}


def payload_of(event: Event, item: ItemKind | None) -> Json:
    ids = {
        "ticketId": ("Ticket", event.ticket_id),
        "contactId": ("Contact", event.contact_id),
        "threadId": ("Thread", event.thread_id),
        "itemId": ((item or ItemKind.MESSAGE).capitalize(), event.item_id),
        "taskId": ("Task", event.task_id),
        "alertId": ("Alert", event.alert_id),
        "companyId": ("Company", event.data.get("company")),
        "agentId": ("Agent", event.data.get("agent")),
        "channelId": ("Channel", event.data.get("channel")),
        "feedbackId": ("Feedback", event.data.get("request")),
        "actorId": ("Token" if event.actor_kind == "token" else "Agent", event.actor_id),
    }
    data: Json = {name: public_id(type, id) for name, (type, id) in ids.items() if id}
    if event.actor_kind not in ("agent", "token"):
        data.pop("actorId", None)
    if event.kind in (EventKind.CONTACT_CHANGED, EventKind.COMPANY_CHANGED, EventKind.CHANNEL_CHANGED):
        data["changed"] = event.data["changed"]  # names of fields
    if event.kind == EventKind.FEEDBACK_GIVEN:
        data |= {"survey": event.data["kind"], "score": event.data["score"], "most": event.data["most"]}
    return body(event.kind, event.at, {"seq": event.seq, "actorKind": event.actor_kind, **data})
