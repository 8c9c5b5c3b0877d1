"""A chat frame as an inbound message. Who the visitor is was settled at the socket and stands in the envelope."""

from collections.abc import Iterator
from typing import Any

import orjson

from domain.channels import Channel
from domain.contacts import Claim, IdentityKind, Proof
from domain.inbound import Arrival, Inbound, InboundMessage, Unread
from domain.keys import Keys
from domain.mailboxes import mail_address


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    frame: dict[str, Any] = orjson.loads(arrival.raw)
    visitor = arrival.envelope
    yield InboundMessage(
        external_id=arrival.external_id,
        claims=tuple(claims(channel, visitor)),
        at=arrival.received_at,
        thread_key=visitor["session"],
        sender_name=visitor.get("identity", {}).get("name", ""),
        locale=visitor.get("locale"),
        text=str(frame["text"]).replace("\x00", ""),
    )


def claims(channel: Channel, visitor: dict[str, Any]) -> Iterator[Claim]:
    """The session's first, whom to answer; then what the shop signed."""
    session = visitor["session"]
    yield Claim(
        IdentityKind.CHAT,
        session,
        Proof.CHAT_SESSION,
        scope=channel.slug,
        label=f"{channel.name} {session[:4]}",
    )
    identity = visitor.get("identity") or {}
    if sub := identity.get("sub"):
        yield Claim(IdentityKind.CUSTOMER, sub, Proof.CHAT_SIGNATURE, scope=channel.slug, label=sub)
    if email := identity.get("email"):
        address = mail_address(email)
        if address is None:
            return
        proof = Proof.CHAT_SIGNATURE if identity.get("email_verified") else None
        yield Claim(IdentityKind.EMAIL, address, proof, label=email)
