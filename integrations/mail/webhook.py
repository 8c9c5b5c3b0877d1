"""`/hooks/mail/{channel}`: mails as they came, posted by whoever takes them for the shop.

    POST /hooks/mail/{channel}               message/rfc822
    POST /hooks/mail/{channel}/postmark      JSON with RawEmail
    POST /hooks/mail/{channel}/sendgrid      a form with the field `email`: "POST the raw, full MIME message"
    POST /hooks/mail/{channel}/mailgun/mime  a form with `body-mime`, which Mailgun posts where an address ends with `mime`

The first three show the channel's `webhook_token`, as `Authorization: Bearer` or as the password of basic authentication;
Mailgun signs with its key. What arrives is the same as by SMTP: one parser reads all of it.
"""

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header
from sqlalchemy import func, select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from domain.abreast import one_at_a_time
from domain.arriving.inbound import Arrival, keep
from domain.db import Database
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from integrations.mail.addresses import thread_number
from integrations.mail.mailbox import Mailbox
from integrations.mail.reading.words import one_line
from integrations.signatures import MAILGUN_WINDOW, mailgun_signed, same_secret
from integrations.webhook import basic_password, body_of, channel_of, turn_away, well_formed

LARGEST_MAIL = 25 * 1024 * 1024
LARGEST_BODY = LARGEST_MAIL * 3 // 2
"""Of a mail in a form or in JSON."""
MOST_FIELDS = 200


@dataclass(frozen=True)
class Posted:
    """A mail, and what its carrier knew besides."""

    raw: bytes
    sender: str | None = None
    """None when the carrier does not tell; "" is an empty return path, to which no machine may answer."""
    recipients: tuple[str, ...] = ()
    token: str | None = None
    """That must not come with another mail."""


def routes(db: Database, keys: Keys) -> list[Route]:
    async def known(request: Request) -> tuple[Channel, Mailbox]:
        """The channel, to whoever shows its token; before anything of the body is read."""
        channel = await channel_of(db, ChannelKind.EMAIL, request)
        mailbox = Mailbox.of(channel, keys)
        shown = _shown(request)
        if not any(same_secret(shown, token) for token in mailbox.accepted("webhook_token")):
            await turn_away(db, channel, "the token is not right", {"WWW-Authenticate": 'Basic realm="mail"'})
        return channel, mailbox

    async def raw(request: Request) -> Response:
        channel, mailbox = await known(request)
        if _kind(request) != "message/rfc822":
            raise HTTPException(415, "a mail is posted as message/rfc822")
        return await take(channel, mailbox, Posted(await body_of(request, largest=LARGEST_MAIL)))

    async def postmark(request: Request) -> Response:
        channel, mailbox = await known(request)
        said = well_formed(await body_of(request, largest=LARGEST_BODY))
        mail, recipient = said.get("RawEmail"), said.get("OriginalRecipient")
        if not isinstance(mail, str):
            raise HTTPException(400, "there is no RawEmail: have the raw mail included")
        recipients = (recipient,) if isinstance(recipient, str) else ()
        return await take(channel, mailbox, Posted(mail.encode(), recipients=recipients))

    async def sendgrid(request: Request) -> Response:
        channel, mailbox = await known(request)
        form = await _form(request)
        if "email" not in form:
            raise HTTPException(400, "there is no field email: have the raw mail posted")
        sender, recipients = _envelope(form.get("envelope", b"{}"))
        return await take(channel, mailbox, Posted(form["email"], sender, recipients))

    async def mailgun(request: Request) -> Response:
        channel = await channel_of(db, ChannelKind.EMAIL, request)
        mailbox = Mailbox.of(channel, keys)
        signing = mailbox.accepted("mailgun_key")
        if not signing:  # before all of a stranger's body is read
            raise HTTPException(401, "the signature is not right")
        form = await _form(request)
        said = {name: form.get(name, b"").decode("utf-8", "replace") for name in SAID}
        sender = said["sender"] if "sender" in form else None
        signed = {name: said[name] for name in ("timestamp", "token", "signature")}
        if not any(mailgun_signed(key, **signed) for key in signing):
            await turn_away(db, channel, "the signature is not right")
        if "body-mime" not in form:
            raise HTTPException(400, "there is no body-mime: the address has to end with /mailgun/mime")
        recipients = tuple(one.strip() for one in said["recipient"].split(","))
        return await take(
            channel, mailbox, Posted(form["body-mime"], sender, recipients, token=said["token"])
        )

    async def take(channel: Channel, mailbox: Mailbox, mail: Posted) -> Response:
        if not mail.raw.strip():
            raise HTTPException(400, "there is no mail")
        if len(mail.raw) > LARGEST_MAIL:
            raise HTTPException(413, f"a mail has at most {LARGEST_MAIL} bytes")
        external_id = sha256(mail.raw).hexdigest()
        envelope = {
            "way": "webhook",
            "from": None if mail.sender is None else one_line(mail.sender),
            "thread": thread_number(keys, mailbox.place(), mail.recipients),
        }
        async with db.transaction() as session:
            if mail.token is not None:
                envelope["token"] = sha256(mail.token.encode("utf-8", "replace")).hexdigest()
                # The signature does not cover the mail: with a token that was seen before, another may have been put there.
                await one_at_a_time(session, f"token\n{envelope['token']}")
                other = select(Arrival.id).where(
                    Arrival.channel_id == channel.id,
                    Arrival.received_at
                    > func.now() - func.make_interval(0, 0, 0, 0, 0, 0, 3 * MAILGUN_WINDOW),
                    Arrival.envelope["token"].astext == envelope["token"],
                    Arrival.external_id != external_id,
                )
                if await session.scalar(other.limit(1)):
                    raise HTTPException(401, "this token came with another mail")
            await keep(session, channel, external_id=external_id, raw=mail.raw, envelope=envelope)
        return PlainTextResponse("kept")

    return [
        Route("/hooks/mail/{channel}", raw, methods=["POST"]),
        Route("/hooks/mail/{channel}/postmark", postmark, methods=["POST"]),
        Route("/hooks/mail/{channel}/sendgrid", sendgrid, methods=["POST"]),
        Route("/hooks/mail/{channel}/mailgun", mailgun, methods=["POST"]),
        Route("/hooks/mail/{channel}/mailgun/mime", mailgun, methods=["POST"]),
    ]


SAID = ("timestamp", "token", "signature", "recipient", "sender")


def _shown(request: Request) -> str:
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    return shown.strip() if scheme.lower() == "bearer" else basic_password(request)


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _form(request: Request) -> dict[str, bytes]:
    """Its fields as bytes: a mail may be written in any letters."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    body = await body_of(request, largest=LARGEST_BODY)
    try:
        if kind == b"application/x-www-form-urlencoded":
            return await asyncio.to_thread(_pairs, body)
        if kind == b"multipart/form-data":
            return await asyncio.to_thread(_parts, body, options.get(b"boundary", b""))
    except (ValueError, FormParserError):
        raise HTTPException(400, "the body is not a form") from None
    raise HTTPException(415, "the body is no form")


def _pairs(body: bytes) -> dict[str, bytes]:
    pairs = parse_qsl(
        body.decode("latin-1"), encoding="latin-1", keep_blank_values=True, max_num_fields=MOST_FIELDS
    )
    return {name: value.encode("latin-1") for name, value in pairs}


def _parts(body: bytes, boundary: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def field(one: Field) -> None:
        found[(one.field_name or b"").decode("utf-8", "replace")] = one.value or b""

    def file(one: File) -> None:
        one.file_object.seek(0)
        found[(one.field_name or b"").decode("utf-8", "replace")] = one.file_object.read()

    config: Any = {"MAX_FIELDS": MOST_FIELDS, "MAX_MEMORY_FILE_SIZE": 2 * LARGEST_BODY}
    parser = FormParser("multipart/form-data", field, file, boundary=boundary, config=config)
    parser.write(body)
    parser.finalize()
    return found


def _envelope(written: bytes) -> tuple[str | None, tuple[str, ...]]:
    try:
        said = orjson.loads(written)
        sender, to = said.get("from"), said.get("to")
    except (orjson.JSONDecodeError, AttributeError):
        raise HTTPException(400, "the envelope is not a JSON object") from None
    recipients = tuple(one for one in to if isinstance(one, str)) if isinstance(to, list) else ()
    return sender if isinstance(sender, str) else None, recipients
