"""What Vonage tells: its SMS API part by part, as a query, a form or JSON; its Messages API whole, as JSON."""

from typing import Any

from domain.answering.uploads import plain_name
from domain.arriving.afterwards import InboundReport
from domain.arriving.inbound import Arrival, Inbound, InboundAttachment, InboundPart, Unread
from domain.desk.messages import DeliveryState
from domain.ways_in.channels import Channel
from integrations.sms.causes import cause
from integrations.sms.reading import message, moment, own_id, sender_of
from integrations.storable import storable

STATES = {
    "delivered": DeliveryState.DELIVERED,
    "read": DeliveryState.READ,
    "failed": DeliveryState.FAILED,
    "rejected": DeliveryState.FAILED,
    "expired": DeliveryState.FAILED,
    "undeliverable": DeliveryState.FAILED,
    "deleted": DeliveryState.FAILED,
}
MOST_PARTS = 255
FILES = ("image", "audio", "video", "file", "vcard")


def read(channel: Channel, arrival: Arrival, said: dict[str, Any]) -> Inbound | Unread:
    if "message_uuid" in said:
        return _of_messages_api(channel, arrival, said)
    id = storable(said["messageId"])
    if "status" in said and "text" not in said:
        return _report(arrival, said, id)
    if storable(said.get("type")) == "binary":
        return Unread("a binary message")
    sender, text = sender_of(channel, said["msisdn"]), storable(said["text"])
    at = moment(said.get("message-timestamp"), otherwise=arrival.received_at)
    total, number = _whole(said.get("concat-total")), _whole(said.get("concat-part"))
    if storable(said.get("concat")).lower() == "true" and 1 < total <= MOST_PARTS and 1 <= number <= total:
        return InboundPart(
            external_id=id,
            claims=sender.claims,
            sender_name=sender.name,
            thread_key=sender.key,
            at=at,
            text=text,
            reference=storable(said.get("concat-ref")),
            total=total,
            number=number,
        )
    return message(sender, id=id, text=text, at=at)


def _whole(written: Any) -> int:
    digits = storable(written)
    return int(digits) if digits.isdecimal() and len(digits) < 4 else 0


def _report(arrival: Arrival, said: dict[str, Any], id: str) -> Inbound | Unread:
    status = storable(said["status"]).lower()
    state = STATES.get(status)
    if state is None:
        return Unread(f"on its way: {status[:40]}")
    code = storable(said.get("err-code"))
    return InboundReport(
        state=state,
        at=moment(said.get("message-timestamp"), otherwise=arrival.received_at),
        message_id=own_id(said.get("client-ref")),
        external_id=id,
        part=id,
        said=cause("vonage", code, status) if state == DeliveryState.FAILED else "",
    )


def _of_messages_api(channel: Channel, arrival: Arrival, said: dict[str, Any]) -> Inbound | Unread:
    id = storable(said["message_uuid"])
    at = moment(said.get("timestamp"), otherwise=arrival.received_at)
    if "status" in said:
        status = storable(said["status"]).lower()
        if (state := STATES.get(status)) is None:
            return Unread(f"on its way: {status[:40]}")
        wrong: dict[str, Any] = said.get("error") or {}
        words = [storable(wrong.get(name)) for name in ("title", "detail")]
        return InboundReport(
            state=state,
            at=at,
            message_id=own_id(said.get("client_ref")),
            external_id=id,
            said=": ".join(filter(None, words))[:300] or status if state == DeliveryState.FAILED else "",
        )
    sender = said["from"].get("number") if isinstance(said["from"], dict) else said["from"]
    kind = storable(said.get("message_type") or "text")
    if kind in FILES:
        file = said[kind]
        name = (
            storable(file.get("name")) or storable(file["url"]).partition("?")[0].rpartition("/")[2] or kind
        )
        attached = InboundAttachment(plain_name(name), "application/octet-stream", url=storable(file["url"]))
        text = storable(file.get("caption") or said.get("text"))
        return message(sender_of(channel, sender), id=id, text=text, at=at, attachments=(attached,))
    if kind != "text":
        return Unread(f"not acted on: {kind[:40]}")
    return message(sender_of(channel, sender), id=id, text=storable(said["text"]), at=at)
