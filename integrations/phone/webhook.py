"""`/hooks/phone/{channel}`: the steps of calls, told by a PBX in generic CTI JSON.

Signed in `X-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`; a PBX that cannot sign puts the key into
the path instead.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.channels import ChannelKind
from domain.db import Database
from domain.keys import Keys
from integrations.phone.line import PhoneLine
from integrations.signatures import phone_signed, same_secret
from integrations.webhook import body_of, channel_of, keep_body, turn_away, well_formed


def routes(db: Database, keys: Keys) -> list[Route]:
    async def receive(request: Request) -> Response:
        channel = await channel_of(db, ChannelKind.PHONE, request)
        body = await body_of(request)
        token, signature = request.path_params.get("token"), request.headers.get("x-signature")
        known = any(
            same_secret(token, key) if token else phone_signed(key, body, signature)
            for key in PhoneLine.of(channel, keys).accepted("key")
        )
        if not known:
            await turn_away(db, channel, "the signature or the token is not right")
        well_formed(body)
        await keep_body(db, channel, body)
        return JSONResponse({})

    return [
        Route("/hooks/phone/{channel}", receive, methods=["POST"]),
        Route("/hooks/phone/{channel}/{token}", receive, methods=["POST"]),
    ]
