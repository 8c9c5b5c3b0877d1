"""A chat frame as an inbound message. Who the visitor is was settled at the door and stands in the envelope."""

from collections.abc import Iterator
from typing import Any

import orjson

from domain.arriving.inbound import Arrival, Inbound, InboundAttachment, InboundMessage, Unread
from domain.customers.contacts import Claim, IdentityKind, Proof, phone_number
from domain.customers.mailboxes import mail_address
from domain.customers.names import unless_an_address
from domain.db import Json
from domain.keys import Keys
from domain.ways_in.channels import Channel
from integrations.chat.forms import Form, read_form
from integrations.storable import storable


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    visitor = arrival.envelope
    if visitor.get("trap"):
        yield Unread("a robot: it filled in the field that no person sees")
        return
    form = (
        read_form(arrival.raw, visitor["form"]) if "form" in visitor else Form(orjson.loads(arrival.raw), ())
    )
    yield InboundMessage(
        external_id=arrival.external_id,
        claims=tuple(claims(channel, visitor)),
        at=arrival.received_at,
        thread_key=visitor["session"],
        sender_name=visitor.get("identity", {}).get("name") or unless_an_address(_answered(visitor, "name")),
        locale=visitor.get("locale"),
        text=storable(form.frame.get("text")),
        attachments=tuple(InboundAttachment(file.name, file.mime, file.content) for file in form.files),
        particulars=_particulars(visitor),
    )


def claims(channel: Channel, visitor: dict[str, Any]) -> Iterator[Claim]:
    """The session's first, whom to answer; then what the shop signed, and what was only answered."""
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
    named: set[str | None] = {None}
    if email := identity.get("email"):
        address = mail_address(email)
        if address is not None:
            proof = Proof.CHAT_SIGNATURE if identity.get("email_verified") else None
            yield Claim(IdentityKind.EMAIL, address, proof, label=email)
            named.add(address)
    if (address := mail_address(_answered(visitor, "email"))) not in named and address:
        yield Claim(IdentityKind.EMAIL, address, None, label=address)
    if number := phone_number(_answered(visitor, "phone"), region=channel.config.get("region")):
        yield Claim(IdentityKind.PHONE, number, None, label=number)


def _answered(visitor: dict[str, Any], type: str) -> str:
    return next((one["value"] for one in visitor.get("answers", ()) if one["type"] == type), "")


def _particulars(visitor: dict[str, Any]) -> Json | None:
    """`page`: `url, title, referrer`; `answers`: a list of `name, label, type, value`."""
    return {name: visitor[name] for name in ("page", "answers") if visitor.get(name)} or None
