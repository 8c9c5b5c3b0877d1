"""The events Meta posts to a webhook, as documented; `GraphStandIn.webhook` wraps and signs them.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
"""

import secrets
from datetime import UTC, datetime
from typing import Any

Event = dict[str, Any]


def text_message(psid: str, page_id: str, text: str, *, mid: str = "", at: datetime | None = None) -> Event:
    return from_person(psid, page_id, at) | {"message": {"mid": mid or new_mid(), "text": text}}


def photo_message(psid: str, page_id: str, url: str, *, mid: str = "", at: datetime | None = None) -> Event:
    photo = {"type": "image", "payload": {"url": url}}
    return from_person(psid, page_id, at) | {"message": {"mid": mid or new_mid(), "attachments": [photo]}}


def referral(psid: str, page_id: str, ref: str, *, at: datetime | None = None) -> Event:
    """Someone we know opened m.me/page?ref=…; it has no mid. Someone new comes with a postback instead."""
    return from_person(psid, page_id, at) | {"referral": shortlink(ref)}


def postback(
    psid: str,
    page_id: str,
    payload: str,
    *,
    title: str = "Get Started",
    ref: str = "",
    mid: str = "",
    at: datetime | None = None,
) -> Event:
    """A button pressed; with `ref`, the first one of a person who came by m.me/page?ref=…"""
    pressed: Event = {"mid": mid or new_mid(), "title": title, "payload": payload}
    if ref:
        pressed["referral"] = shortlink(ref)
    return from_person(psid, page_id, at) | {"postback": pressed}


def echo(
    psid: str,
    page_id: str,
    text: str,
    *,
    app_id: int | None = None,
    mid: str = "",
    at: datetime | None = None,
    metadata: str = "",
) -> Event:
    """What the page itself sent: by an app (pass the message_id as `mid`), or in Meta's inbox with no app."""
    message: Event = {"is_echo": True, "mid": mid or new_mid(), "text": text}
    if app_id:
        message["app_id"] = app_id
    if metadata:
        message["metadata"] = metadata
    return {
        "sender": {"id": page_id},
        "recipient": {"id": psid},
        "timestamp": milliseconds(at),
        "message": message,
    }


def reaction(
    psid: str,
    page_id: str,
    mid: str,
    emoji: str = "❤",
    *,
    taken_away: bool = False,
    at: datetime | None = None,
) -> Event:
    action = "unreact" if taken_away else "react"
    given: Event = {"reaction": "love", "emoji": emoji, "action": action, "mid": mid}
    return from_person(psid, page_id, at) | {"reaction": given}


def edit(
    psid: str, page_id: str, mid: str, text: str, *, number: int = 1, at: datetime | None = None
) -> Event:
    return from_person(psid, page_id, at) | {"message_edit": {"mid": mid, "text": text, "num_edit": number}}


def unsent(psid: str, page_id: str, mid: str, *, at: datetime | None = None) -> Event:
    return from_person(psid, page_id, at) | {"message": {"mid": mid, "is_deleted": True}}


def delivery(psid: str, page_id: str, mids: list[str], *, watermark: datetime | None = None) -> Event:
    """Has no timestamp of its own, and in real life not always mids."""
    parties = {"sender": {"id": psid}, "recipient": {"id": page_id}}
    return parties | {"delivery": {"mids": mids, "watermark": milliseconds(watermark)}}


def read(psid: str, page_id: str, *, watermark: datetime | None = None, at: datetime | None = None) -> Event:
    return from_person(psid, page_id, at) | {"read": {"watermark": milliseconds(watermark)}}


def from_person(psid: str, page_id: str, at: datetime | None) -> Event:
    return {"sender": {"id": psid}, "recipient": {"id": page_id}, "timestamp": milliseconds(at)}


def shortlink(ref: str) -> Event:
    return {"ref": ref, "source": "SHORTLINK", "type": "OPEN_THREAD"}


def new_mid() -> str:
    return f"m_{secrets.token_urlsafe(48)}"


def milliseconds(at: datetime | None = None) -> int:
    """None is now."""
    return int((at or datetime.now(UTC)).timestamp() * 1000)
