"""`/hooks/twilio/{channel}/voice`: what Twilio tells of calls, and asks what to do with them.

Signed over the address as Twilio knows it (HEDDLE_BASE_URL, whatever proxy stands before us) and the form. Everything is kept
before it is answered, and every answer is TwiML.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domain.channels import Channel, ChannelKind
from domain.contacts import phone_number
from domain.db import Database, Json
from domain.inbound import keep
from domain.keys import Keys
from domain.languages import translate
from integrations.orders import DEADLINE, Orders, spelled
from integrations.phone.line import PhoneLine
from integrations.phone.twilio import speaking
from integrations.phone.twilio.consent import Consent
from integrations.phone.twilio.deciding import Decision, decision_on
from integrations.phone.twilio.payloads import WITHHELD
from integrations.phone.twilio.script import NOTHING, Script
from integrations.signatures import twilio_signed
from integrations.webhook import body_of, channel_of, form_of, public_url

log = structlog.get_logger()

LARGEST_FORM = 64 * 1024
PROVIDER = "twilio"
_CALL = re.compile(r"CA[0-9a-f]{32}\Z")


@dataclass(frozen=True)
class Asked:
    """One webhook that is really Twilio's."""

    channel: Channel
    line: PhoneLine
    form: FormData
    query: dict[str, str]
    script: Script

    def said(self, name: str) -> str:
        return str(self.form.get(name, ""))


def routes(db: Database, keys: Keys, base_url: str, shop: Orders) -> list[Route]:
    async def decided(asked: Asked) -> Decision:
        caller = asked.said("From")
        known = None if caller in WITHHELD else phone_number(caller, region=asked.line.region)
        return await decision_on(db, asked.channel, asked.line, known)

    async def called(asked: Asked) -> str:
        decision = await decided(asked)
        return asked.script.reject() if decision.reject else asked.script.incoming(decision.ring)

    async def chosen(asked: Asked) -> str:
        number = asked.said("Digits") or asked.said("SpeechResult")
        answer = await _looked_up(shop, number, asked.script)
        return asked.script.after_menu(answer, (await decided(asked)).ring)

    async def agreed(asked: Asked) -> str:
        consent = Consent.of(asked.query) if asked.said("Digits") == "1" else None
        return asked.script.after_asking(consent, (await decided(asked)).ring)

    async def dialled(asked: Asked) -> str:
        if "call" in asked.query:
            return asked.script.over(asked.said("DialCallStatus"))
        if asked.said("DialCallStatus") == "completed":
            return NOTHING
        return asked.script.unattended()

    async def picked_up(asked: Asked) -> str:
        return asked.script.towards(asked.query.get("number", ""), call=asked.query.get("call", ""))

    async def recorded(asked: Asked) -> str:
        return asked.script.thanks()

    async def told(asked: Asked) -> str:
        return NOTHING

    answers: dict[str, Callable[[Asked], Awaitable[str]]] = {
        "": called,
        "menu": chosen,
        "consent": agreed,
        "dialled": dialled,
        "connect": picked_up,
        "goodbye": recorded,
        "recording": told,
        "status": told,
    }

    async def receive(request: Request) -> Response:
        part = request.path_params.get("part", "")
        answer = answers.get(part)
        channel = await channel_of(db, ChannelKind.PHONE, request)
        line = PhoneLine.of(channel, keys)
        if answer is None or line.provider != PROVIDER:
            raise HTTPException(404, "no such channel")
        body = await body_of(request, largest=LARGEST_FORM)
        form = form_of(body)
        url = public_url(base_url, request)
        if not twilio_signed(line.auth_token.get_secret_value(), url, form, request.headers):
            raise HTTPException(401, "the signature is not right")
        # The signature covers names and values run together: where one ends and the next begins it does not say.
        if form.get("AccountSid") != line.account_sid or not _CALL.match(str(form.get("CallSid", ""))):
            raise HTTPException(401, "no call of this account")
        query = request.scope["query_string"].decode("ascii", "replace")
        await _keep(db, channel, url, form, body, {"by": PROVIDER, "part": part, "query": query})
        hook = f"{base_url.rstrip('/')}/hooks/twilio/{channel.slug}/voice"
        script = Script(hook, line, line.language or "en", datetime.now(UTC))
        asked = Asked(channel, line, form, dict(request.query_params), script)
        return Response(await answer(asked), media_type="text/xml")

    return [
        Route("/hooks/twilio/{channel}/voice", receive, methods=["POST"]),
        Route("/hooks/twilio/{channel}/voice/{part}", receive, methods=["POST"]),
    ]


async def _keep(
    db: Database, channel: Channel, url: str, form: FormData, body: bytes, envelope: Json
) -> None:
    """Once, however its form is spelled: whoever has it may say it again, and nothing comes of it."""
    signed = url + "".join(sorted({f"{name}{value}" for name, value in form.multi_items()}))
    id = hashlib.sha256(signed.encode()).hexdigest()
    async with db.transaction() as session:
        await keep(session, channel, external_id=id, raw=body, envelope=envelope)


async def _looked_up(shop: Orders, number: str, script: Script) -> str:
    """What is said of an order; of one that is not known, or not in time, as little as of one that is not there."""
    try:
        async with asyncio.timeout(DEADLINE):
            status = await shop.order_status(spelled(number))
    except Exception as failure:
        log.warning("order_not_looked_up", error=type(failure).__name__)
        status = None
    if status is None:
        return translate(script.language, speaking.NO_ORDER)
    return speaking.how_far(status, script.language)
