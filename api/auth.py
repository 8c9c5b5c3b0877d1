"""Who is asking: by `Authorization: Bearer …`, or by the cookie of a browser's session.

A browser sends its cookie whoever made it send the request. So what comes by cookie also carries the session's CSRF
token, which only our own pages can read (from a second cookie), in `X-CSRF-Token`; a GET changes nothing and does without.
"""

import uuid
from dataclasses import dataclass

from cross_web import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from api.house import House
from domain.actors import Actor
from domain.agents import sign_in, tokens
from domain.agents.sign_in import LONGEST
from domain.chorus import Reads
from domain.db import database_time

CSRF = "csrf"
CSRF_HEADER = "x-csrf-token"


@dataclass(frozen=True)
class Holder:
    """Of a token that is good now."""

    actor: Actor
    session_id: uuid.UUID | None
    is_stale: bool
    """Should it be noted that the token was used?"""


async def holder_of(connection: Reads, token: str) -> Holder | None:
    if token.startswith(tokens.PREFIX):
        if found := (await tokens.programs(connection, [token])).get(token):
            return Holder(found[0], None, found[1])
    elif known := await sign_in.recognise(connection, token):
        return Holder(known.actor, known.session_id, known.is_stale)
    return None


async def note_use(house: House, holder: Holder, address: str | None) -> None:
    async with house.db.transaction() as session:
        now = await database_time(session)
        if holder.session_id:
            await sign_in.seen(session, holder.session_id, address=address, at=now)
        elif holder.actor.id:
            await tokens.used(session, holder.actor.id, at=now)


def bearer(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def cookie(house: House, connection: HTTPConnection) -> str | None:
    return connection.cookies.get(_names(house)[0])


def check_csrf(house: House, connection: HTTPConnection, session_id: uuid.UUID | None) -> None:
    """Of a request that may change something and came by cookie. On a socket the handshake's Origin was checked."""
    if connection.scope["type"] != "http" or connection.scope["method"] == "GET":
        return
    if not house.keys.signed(connection.headers.get(CSRF_HEADER, ""), CSRF, session_id):
        raise HTTPException(403, f"A request by cookie carries its {CSRF_HEADER}.")


def csrf_token(house: House, session_id: uuid.UUID) -> str:
    return house.keys.sign(CSRF, session_id)


def set_cookies(house: House, response: Response, token: str, session_id: uuid.UUID) -> None:
    names = _names(house)
    values = (token, csrf_token(house, session_id))
    for name, value, hidden in zip(names, values, (True, False), strict=True):
        response.set_cookie(
            name,
            value,
            max_age=int(LONGEST.total_seconds()),
            path="/",
            secure=_is_secure(house),
            httponly=hidden,
            samesite="lax",
        )


def delete_cookies(house: House, response: Response) -> None:
    for name in _names(house):
        response.delete_cookie(name, path="/", secure=_is_secure(house), samesite="lax")


def _is_secure(house: House) -> bool:
    return house.base_url.startswith("https://")


def _names(house: House) -> tuple[str, str]:
    """With `__Host-` no other subdomain can set them; browsers take that over HTTPS only."""
    prefix = "__Host-" if _is_secure(house) else ""
    return f"{prefix}heddle_session", f"{prefix}heddle_csrf"
