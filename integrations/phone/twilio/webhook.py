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

from domain.arriving.inbound import keep
from domain.db import Database, Json
from domain.keys import Keys
from domain.languages import best_language, translate
from domain.ways_in.channels import Channel, ChannelKind
from integrations.orders import DEADLINE, Orders, spelled
from integrations.phone.line import PhoneLine
from integrations.phone.twilio import speaking
from integrations.phone.twilio.consent import Consent
from integrations.phone.twilio.payloads import Told, rings
from integrations.phone.twilio.ringing import Answer, answer_to
from integrations.phone.twilio.script import Script
from integrations.signatures import twilio_signed
from integrations.twilio import EMPTY_ANSWER
from integrations.webhook import body_of, channel_of, form_of, public_url, turn_away

log = structlog.get_logger()

LARGEST_FORM = 64 * 1024
PROVIDER = "twilio"
_CALL = re.compile(r"CA[0-9a-f]{32}\Z")


@dataclass(frozen=True)
class Asked:
    """One webhook that is really Twilio's."""

    hook: str
    channel: Channel
    line: PhoneLine
    told: Told

    def said(self, name: str) -> str:
        return self.told.form.get(name, "")

    def script(self, language: str = "") -> Script:
        """Once begun, a call keeps its language."""
        spoken = best_language(self.told.query.get("language") or language or self.line.language or "en")
        return Script(self.hook, self.line, spoken, self.told.received_at)


def routes(db: Database, keys: Keys, base_url: str, shop: Orders) -> list[Route]:
    async def decided(asked: Asked) -> Answer:
        return await answer_to(db, asked.channel, asked.line, rings(asked.told))

    async def called(asked: Asked) -> str:
        answer = await decided(asked)
        script = asked.script(answer.language)
        return script.reject() if answer.reject else script.incoming(answer.ring)

    async def chosen(asked: Asked) -> str:
        script, number = asked.script(), asked.said("Digits") or asked.said("SpeechResult")
        words = await _looked_up(shop, number, script)
        return script.after_menu(words, (await decided(asked)).ring)

    async def agreed(asked: Asked) -> str:
        consent = Consent.of(asked.told.query) if asked.said("Digits") == "1" else None
        return asked.script().after_asking(consent, (await decided(asked)).ring)

    async def dialled(asked: Asked) -> str:
        if asked.told.begun_here:
            return asked.script().over(asked.said("DialCallStatus"))
        return EMPTY_ANSWER if asked.said("DialCallStatus") == "completed" else asked.script().unattended()

    async def picked_up(asked: Asked) -> str:
        return asked.script().towards(asked.told.query.get("number", ""), call=asked.told.call_id)

    async def recorded(asked: Asked) -> str:
        return asked.script().thanks()

    async def heard(asked: Asked) -> str:
        return EMPTY_ANSWER

    answers: dict[str, Callable[[Asked], Awaitable[str]]] = {
        "": called,
        "menu": chosen,
        "consent": agreed,
        "dialled": dialled,
        "connect": picked_up,
        "goodbye": recorded,
        "recording": heard,
        "status": heard,
    }

    async def receive(request: Request) -> Response:
        part = request.path_params.get("part", "")
        channel = await channel_of(db, ChannelKind.PHONE, request)
        line = PhoneLine.of(channel, keys)
        if part not in answers or line.provider != PROVIDER:
            raise HTTPException(404, "no such channel")
        body = await body_of(request, largest=LARGEST_FORM)
        form, url = form_of(body), public_url(base_url, request)
        if not any(twilio_signed(token, url, form, request.headers) for token in line.accepted("auth_token")):
            await turn_away(db, channel, "the signature is not right")
        # The signature covers names and values run together: where one ends and the next begins it does not say.
        if form.get("AccountSid") != line.account_sid or not _CALL.match(str(form.get("CallSid", ""))):
            raise HTTPException(401, "no call of this account")
        query = request.scope["query_string"].decode("ascii", "replace")
        await _keep(db, channel, url, form, body, {"by": PROVIDER, "part": part, "query": query})
        hook = f"{base_url}/hooks/twilio/{channel.slug}/voice"
        told = Told.of(body, query, at=datetime.now(UTC), region=line.region)
        return Response(await answers[part](Asked(hook, channel, line, told)), media_type="text/xml")

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
