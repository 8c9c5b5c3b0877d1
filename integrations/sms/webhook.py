"""Where providers tell of text messages.

Twilio: `/hooks/twilio/{channel}/sms` and `…/sms/status`, signed over the public address. Infobip and Vonage:
`/hooks/sms/{channel}/{token}`, or `/hooks/sms/{channel}` with the token as the password, or, from Vonage, a signature.
"""

import re
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from domain.arriving.inbound import Unreadable
from domain.db import Database, Json
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from integrations.signatures import same_secret, twilio_signed
from integrations.sms.number import SmsNumber
from integrations.sms.reading import fields_of
from integrations.sms.vonage.signing import bears_token, signed
from integrations.twilio import EMPTY_ANSWER
from integrations.webhook import (
    basic_password,
    body_of,
    channel_of,
    form_of,
    keep_body,
    public_url,
    turn_away,
)

NOT_RIGHT = "the signature or the token is not right"
_MESSAGE = re.compile(r"[A-Z]{2}[0-9a-f]{32}\Z")


def routes(db: Database, keys: Keys, base_url: str) -> list[Route]:
    async def number_at(request: Request, *providers: str) -> tuple[Channel, SmsNumber]:
        channel = await channel_of(db, ChannelKind.SMS, request)
        number = SmsNumber.of(channel, keys)
        if number.provider not in providers:
            raise HTTPException(404, "no such channel")
        return channel, number

    async def twilio(request: Request) -> Response:
        channel, number = await number_at(request, "twilio")
        body = await body_of(request)
        form, url = form_of(body), public_url(base_url, request)
        tokens = number.accepted("auth_token")
        if not any(twilio_signed(token, url, form, request.headers) for token in tokens):
            await turn_away(db, channel, NOT_RIGHT)
        if not _is_report(request) and not _is_of_account(number, form):
            raise HTTPException(401, "no message of this account")
        ours = request.query_params.get("message")
        envelope: Json = {"message": ours} if ours else {}
        await keep_body(db, channel, body, envelope)
        return Response(EMPTY_ANSWER, media_type="application/xml")

    async def others(request: Request) -> Response:
        channel, number = await number_at(request, "infobip", "vonage")
        body, fields = await _said(request)
        signs = number.signature_secret.get_secret_value()
        known = _is_vonage(request, number, body, fields) if signs else _shows_token(request, number)
        if not known:
            await turn_away(db, channel, NOT_RIGHT)
        if fields:  # an address is tried out with nothing at all
            await keep_body(db, channel, body)
        return PlainTextResponse("OK")

    return [
        Route("/hooks/twilio/{channel}/sms", twilio, methods=["POST"]),
        Route("/hooks/twilio/{channel}/sms/status", twilio, methods=["POST"]),
        Route("/hooks/sms/{channel}", others, methods=["GET", "POST"]),
        Route("/hooks/sms/{channel}/{token}", others, methods=["GET", "POST"]),
    ]


def _is_report(request: Request) -> bool:
    return request.url.path.endswith("/status")


def _is_of_account(number: SmsNumber, form: FormData) -> bool:
    """The signature covers names and values run together: where one ends and the next begins it does not say, and cut elsewhere
    a message that was overheard would be another one."""
    return form.get("AccountSid") == number.account_sid and bool(
        _MESSAGE.match(str(form.get("MessageSid", "")))
    )


async def _said(request: Request) -> tuple[bytes, dict[str, Any]]:
    """What is kept, and its fields: as they are read of it later."""
    said: bytes = (
        request.scope["query_string"] if request.method in ("GET", "HEAD") else await body_of(request)
    )
    try:
        return said, fields_of(said) if said else {}
    except Unreadable as problem:
        raise HTTPException(400, f"the body is {problem}") from None


def _is_vonage(request: Request, number: SmsNumber, body: bytes, fields: dict[str, Any]) -> bool:
    secrets, method = number.accepted("signature_secret"), number.signature_method
    if bearer := request.headers.get("authorization", ""):
        return request.method == "POST" and any(bears_token(secret, body, bearer) for secret in secrets)
    return any(signed(secret, method, fields) for secret in secrets)


def _shows_token(request: Request, number: SmsNumber) -> bool:
    """In the path, or as the password."""
    given = request.path_params.get("token") or basic_password(request)
    return any(same_secret(given, token) for token in number.accepted("token"))
