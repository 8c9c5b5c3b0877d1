"""Twilio's forms: a message that came, with its pictures, and what became of one of ours."""

import mimetypes
from typing import Any

from domain.arriving.afterwards import InboundReport
from domain.arriving.inbound import Arrival, Inbound, InboundAttachment, Unread
from domain.desk.messages import DeliveryState
from domain.ways_in.channels import Channel
from integrations.sms.causes import cause
from integrations.sms.reading import message, own_id, sender_of
from integrations.storable import storable

STATES = {
    "sent": DeliveryState.SENT,
    "delivered": DeliveryState.DELIVERED,
    "read": DeliveryState.READ,
    "undelivered": DeliveryState.FAILED,
    "failed": DeliveryState.FAILED,
    "canceled": DeliveryState.FAILED,
}
STOPPED = "21610"
MOST_MEDIA = 10


def read(channel: Channel, arrival: Arrival, said: dict[str, Any]) -> Inbound | Unread:
    sid = storable(said.get("MessageSid") or said.get("SmsMessageSid") or said["SmsSid"])
    status = storable(said.get("MessageStatus") or said.get("SmsStatus")).lower()
    if "MessageStatus" in said or status not in ("", "received", "receiving"):
        return _report(arrival, said, sid, status)
    opted = storable(said.get("OptOutType")).upper()
    return message(
        sender_of(channel, said["From"]),
        id=sid,
        text=storable(said.get("Body")),
        at=arrival.received_at,
        attachments=tuple(_media(said)),
        stops=opted == "STOP",
        starts=opted == "START",
    )


def _report(arrival: Arrival, said: dict[str, Any], sid: str, status: str) -> Inbound | Unread:
    state = STATES.get(status)
    if state is None:
        return Unread(f"on its way: {status[:40]}")
    code = storable(said.get("ErrorCode"))
    failed = state == DeliveryState.FAILED
    return InboundReport(
        state=state,
        at=arrival.received_at,
        message_id=own_id(arrival.envelope.get("message")),
        external_id=sid,
        said=cause("twilio", code, storable(said.get("ErrorMessage"))) if failed else "",
        stopped=failed and code == STOPPED,
    )


def _media(said: dict[str, Any]) -> list[InboundAttachment]:
    count = storable(said.get("NumMedia"))
    found = []
    for place in range(min(int(count) if count.isdecimal() else 0, MOST_MEDIA)):
        url = storable(said.get(f"MediaUrl{place}"))
        mime = storable(said.get(f"MediaContentType{place}")) or "application/octet-stream"
        if url:
            name = f"media-{place + 1}{mimetypes.guess_extension(mime) or ''}"
            found.append(InboundAttachment(name=name, mime=mime, url=url))
    return found
