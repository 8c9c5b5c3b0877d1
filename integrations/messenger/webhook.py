"""`/hooks/messenger/{channel}`: Meta's verification handshake, and its batches of events."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from domain.db import Database
from domain.keys import Keys
from domain.ways_in.channels import ChannelKind
from integrations.messenger.page import MessengerPage
from integrations.signatures import messenger_signed, same_secret
from integrations.webhook import body_of, channel_of, keep_body, turn_away, well_formed


def routes(db: Database, keys: Keys) -> list[Route]:
    async def verify(request: Request) -> Response:
        page = MessengerPage.of(await channel_of(db, ChannelKind.MESSENGER, request), keys)
        asked = request.query_params
        given = asked.get("hub.verify_token", "")
        known = any(same_secret(given, token) for token in page.accepted("verify_token"))
        if asked.get("hub.mode") != "subscribe" or not known:
            raise HTTPException(403, "the verify token is not this channel's")
        return PlainTextResponse(asked.get("hub.challenge", ""))

    async def receive(request: Request) -> Response:
        channel = await channel_of(db, ChannelKind.MESSENGER, request)
        page = MessengerPage.of(channel, keys)
        body = await body_of(request)
        signature = request.headers.get("x-hub-signature-256")
        if not any(messenger_signed(secret, body, signature) for secret in page.accepted("app_secret")):
            await turn_away(db, channel, "the signature is not right")
        well_formed(body)
        await keep_body(db, channel, body)
        return PlainTextResponse("EVENT_RECEIVED")

    return [
        Route("/hooks/messenger/{channel}", verify, methods=["GET"]),
        Route("/hooks/messenger/{channel}", receive, methods=["POST"]),
    ]
