"""Infobip's results, several in a call: messages that came, and what became of ours."""

from typing import Any

from domain.arriving.afterwards import InboundReport
from domain.arriving.inbound import Arrival, Inbound, Unread
from domain.desk.messages import DeliveryState
from domain.ways_in.channels import Channel
from integrations.sms.reading import message, moment, own_id, sender_of
from integrations.storable import storable

STATES = {
    "DELIVERED": DeliveryState.DELIVERED,
    "UNDELIVERABLE": DeliveryState.FAILED,
    "EXPIRED": DeliveryState.FAILED,
    "REJECTED": DeliveryState.FAILED,
}


def read(channel: Channel, arrival: Arrival, said: dict[str, Any]) -> Inbound | Unread:
    id = storable(said["messageId"])
    if isinstance(said.get("status"), dict):
        return _report(arrival, said, id)
    if not isinstance(said.get("text"), str):
        return Unread("a message without a text")
    return message(
        sender_of(channel, said.get("from") or said["sender"]),
        id=id,
        text=storable(said["text"]),
        at=moment(said.get("receivedAt"), otherwise=arrival.received_at),
    )


AT_THE_NETWORK = "DELIVERED_TO_OPERATOR"
"""Of the group of what is delivered, and not delivered yet."""


def _report(arrival: Arrival, said: dict[str, Any], id: str) -> Inbound | Unread:
    state = STATES.get(storable(said["status"].get("groupName")).upper())
    if state is None or storable(said["status"].get("name")).upper() == AT_THE_NETWORK:
        return Unread(f"on its way: {storable(said['status'].get('name'))[:60]}")
    return InboundReport(
        state=state,
        at=moment(said.get("doneAt"), otherwise=arrival.received_at),
        message_id=own_id(id),
        external_id=id,
        said=reason(said["status"], said.get("error")) if state == DeliveryState.FAILED else "",
    )


def reason(status: dict[str, Any], error: Any = None) -> str:
    """`REJECTED_DESTINATION: …`, of the error where there is one, which says more."""
    wrong = error if isinstance(error, dict) and error.get("id") else status
    words = (storable(wrong.get("name")), storable(wrong.get("description")))
    return ": ".join(filter(None, words))[:300] or "the provider does not say why"
