"""What stands in a message: its words, its files, and what it shares, which becomes words."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from domain.answering.uploads import plain_name
from domain.arriving.inbound import InboundAttachment
from domain.languages import N_, translate
from integrations.storable import storable

MIMES = {"image": "image/jpeg", "audio": "audio/mpeg", "video": "video/mp4", "sticker": "image/png"}
"""Until it is fetched, and its own host says more."""

FILES = {*MIMES, "file", "reel", "ig_reel"}
"""Kinds of attachments whose address leads to bytes. Any other address is a page, and is not fetched."""

NOT_SHOWN = N_("(Messenger does not hand this message over: open it in the page's inbox.)")


def words(message: dict[str, Any], *, locale: str) -> str:
    text = storable(message.get("text") or "")
    lines = [text] if text else []
    for attached in message.get("attachments") or []:
        if attached.get("type") not in FILES or not (attached.get("payload") or {}).get("url"):
            lines += [line for line in _shared(attached) if line not in text]
    if message.get("is_unsupported"):
        lines.append(translate(locale, NOT_SHOWN))
    return "\n".join(dict.fromkeys(lines))


def _shared(attached: dict[str, Any]) -> Iterator[str]:
    """A place, a link, a product, a template: its words and addresses, and at least what it is called."""
    payload = attached.get("payload") or {}
    found = [storable(attached.get("title")), storable(payload.get("title")), storable(payload.get("text"))]
    place = payload.get("coordinates") or {}
    if "lat" in place and "long" in place:
        found.append(f"{float(place['lat'])}, {float(place['long'])}")
    for one in [*(payload.get("elements") or []), *((payload.get("product") or {}).get("elements") or [])]:
        found += [storable(one.get("title")), storable(one.get("subtitle"))]
    found += [storable(attached.get("url")), storable(payload.get("url"))]
    said = [line for line in found if line]
    yield from said or [f"[{storable(attached.get('type')) or 'attachment'}]"]


def files(message: dict[str, Any]) -> Iterator[InboundAttachment]:
    for position, attached in enumerate(message.get("attachments") or [], start=1):
        kind, payload = str(attached.get("type")), attached.get("payload") or {}
        url = payload.get("url")
        if kind not in FILES or not url:
            continue
        sticker = payload.get("sticker_id")
        if sticker:
            kind = "sticker"
        name = unquote(urlsplit(str(url)).path.rpartition("/")[2])
        if sticker or not name:
            suffix = "." + name.rpartition(".")[2] if "." in name else ""
            name = f"{kind}-{sticker or position}{suffix}"
        yield InboundAttachment(
            name=plain_name(storable(name)),
            mime=MIMES.get(kind, "application/octet-stream"),
            url=storable(url),
        )
