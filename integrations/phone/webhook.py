"""`/hooks/phone/{channel}`: the steps of calls, told by a PBX in generic CTI: JSON, or a form.

Signed in `X-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`; a PBX that cannot sign puts the key into
the path instead. The answer to `newCall` may say what becomes of the call (`deciding.py`).
"""

from datetime import UTC, datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.db import Database
from domain.keys import Keys
from domain.ways_in.channels import ChannelKind
from integrations.phone import payloads
from integrations.phone.deciding import Decision, Dial, Reject, decided
from integrations.phone.line import PhoneLine
from integrations.signatures import phone_signed, same_secret
from integrations.webhook import body_of, channel_of, keep_body, turn_away


def routes(db: Database, keys: Keys) -> list[Route]:
    async def receive(request: Request) -> Response:
        channel = await channel_of(db, ChannelKind.PHONE, request)
        line = PhoneLine.of(channel, keys)
        body = await body_of(request)
        token, signature = request.path_params.get("token"), request.headers.get("x-signature")
        known = line.provider == "generic" and any(
            same_secret(token, key) if token else phone_signed(key, body, signature)
            for key in line.accepted("key")
        )
        if not known:
            await turn_away(db, channel, "the signature or the token is not right")
        try:
            event = payloads.event_of(body)
        except ValueError:
            raise HTTPException(400, "the body is neither a JSON object nor a form") from None
        await keep_body(db, channel, body)
        step = payloads.step_of(channel, event, at=datetime.now(UTC))
        return JSONResponse(_answer(await decided(db, channel, line, step) if step else None))

    return [
        Route("/hooks/phone/{channel}", receive, methods=["POST"]),
        Route("/hooks/phone/{channel}/{token}", receive, methods=["POST"]),
    ]


def _answer(decision: Decision) -> dict[str, str]:
    match decision:
        case Reject(reason):
            return {"action": "reject", "reason": reason}
        case Dial(number, caller_id):
            return {"action": "dial", "number": number, **({"caller_id": caller_id} if caller_id else {})}
        case None:
            return {}
