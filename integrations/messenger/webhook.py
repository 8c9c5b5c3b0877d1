"""`/hooks/messenger/{channel}`: Meta's verification handshake, and its batches of events."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from domain.db import Database
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from integrations.intray import Intray, IsSigned, Unsigned
from integrations.messenger.page import MessengerPage
from integrations.signatures import messenger_signed, same_secret
from integrations.webhook import body_of, channel_of, turn_away


def routes(db: Database, keys: Keys) -> list[Route]:
    def checks(channel: Channel) -> IsSigned:
        secrets = MessengerPage.of(channel, keys).accepted("app_secret")
        return lambda body, signature: any(messenger_signed(secret, body, signature) for secret in secrets)

    intray = Intray(db, ChannelKind.MESSENGER, checks)

    async def verify(request: Request) -> Response:
        page = MessengerPage.of(await channel_of(db, ChannelKind.MESSENGER, request), keys)
        asked = request.query_params
        given = asked.get("hub.verify_token", "")
        known = any(same_secret(given, token) for token in page.accepted("verify_token"))
        if asked.get("hub.mode") != "subscribe" or not known:
            raise HTTPException(403, "the verify token is not this channel's")
        return PlainTextResponse(asked.get("hub.challenge", ""))

    async def receive(request: Request) -> Response:
        body = await body_of(request)
        try:
            await intray.keep(
                request.path_params["channel"], body, request.headers.get("x-hub-signature-256")
            )
        except Unsigned as unsigned:
            await turn_away(db, unsigned.channel, "the signature is not right")
        return PlainTextResponse("EVENT_RECEIVED")

    return [
        Route("/hooks/messenger/{channel}", verify, methods=["GET"]),
        Route("/hooks/messenger/{channel}", receive, methods=["POST"]),
    ]
