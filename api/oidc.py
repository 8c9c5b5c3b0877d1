"""Signing in by the shop's own identity provider (OpenID Connect), for browsers: the code flow with PKCE.

What begins is kept in a sealed cookie until the provider sends the browser back: nothing else knows its state, nonce and
verifier. Whoever the provider vouches for by a verified address, and who works here under it, gets a session; nobody is
made by signing in. A second factor is the provider's to ask for.
"""

import hmac
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import structlog
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from cryptography.fernet import InvalidToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from api import auth
from api.house import House
from domain import audit
from domain.actors import Actor, ActorKind
from domain.agents import sign_in, staff
from domain.agents.sign_in import SessionKind
from domain.audit import AuditKind
from domain.certificates import trusted
from domain.db import database_time
from domain.languages import N_, preferred_language, translate

log = structlog.get_logger()

COOKIE = "heddle_oidc"
PATH = "/auth/oidc"
PAGE = re.compile(
    r"/m/(tickets(\?[\w%+.=&-]+)?|(alerts|[at]/[\w=-]+)(\?(do=[a-z]+|before=[\w=-]+))?)", re.ASCII
)
LONGEST = 600
"""Seconds from the beginning to the way back."""
KNOWN_FOR = 3600.0
"""Seconds for which what the provider says of itself, and its keys, are kept."""
LEEWAY = 60
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Those with a public key: with a secret as the key, whoever knows it could sign."""
SCOPE = "openid email profile"


class NotVouchedFor(Exception):
    """The provider's answer proves nothing. Says why, for the log."""


FAILURES = (httpx.HTTPError, JoseError, NotVouchedFor, ValueError, KeyError, TypeError, AttributeError)
"""What a provider may do to us: not answer, or say something else than what is agreed."""


@dataclass(frozen=True)
class Provider:
    issuer: str
    authorize: str
    token: str
    keys: KeySet


class Oidc:
    def __init__(self, house: House, issuer: str, client_id: str, client_secret: str) -> None:
        self._house = house
        self._issuer = issuer.rstrip("/")
        self._client = (client_id, client_secret)
        self._redirect = f"{house.base_url}{PATH}/callback"
        self._provider: Provider | None = None
        self._known_at = 0.0

    async def start(self, request: Request) -> Response:
        """`to`: the page of an alert, of a ticket, or of all alerts, to which it leads back."""
        begun = {"state": secrets.token_urlsafe(32), "nonce": secrets.token_urlsafe(32), "at": time.time()}
        asked_for = request.query_params.get("to", "")
        begun["to"] = asked_for if PAGE.fullmatch(asked_for) else "/graphql"
        verifier = begun["verifier"] = secrets.token_urlsafe(48)
        asked = {
            "response_type": "code",
            "client_id": self._client[0],
            "redirect_uri": self._redirect,
            "scope": SCOPE,
            "state": begun["state"],
            "nonce": begun["nonce"],
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        try:
            provider = await self._known()
        except FAILURES as failure:
            log.error("oidc_provider_unknown", error=f"{type(failure).__name__}: {failure}"[:200])
            return self._refused(request, 502)
        response = RedirectResponse(f"{provider.authorize}?{urlencode(asked)}", status_code=303)
        response.set_cookie(
            COOKIE,
            self._house.keys.encrypt(begun).decode(),
            max_age=LONGEST,
            path=PATH,
            secure=self._house.base_url.startswith("https://"),
            httponly=True,
            samesite="lax",
        )
        return response

    async def callback(self, request: Request) -> Response:
        try:
            begun = self._begun(request)
            email, to = await self._vouched_for(request, begun), begun["to"]
        except FAILURES as failure:
            log.warning("oidc_refused", error=f"{type(failure).__name__}: {failure}"[:200])
            return self._refused(request, 403)
        response = await self._sign_in(request, email, to)
        response.delete_cookie(COOKIE, path=PATH)
        return response

    async def _vouched_for(self, request: Request, begun: dict[str, Any]) -> str:
        given = request.query_params
        if not hmac.compare_digest(given.get("state", "").encode(), begun["state"].encode()):
            raise NotVouchedFor("another state")
        if "code" not in given:
            raise NotVouchedFor(f"the provider said {given.get('error', 'nothing')!r:.60}")
        provider = await self._known()
        if given.get("iss", provider.issuer) != provider.issuer:
            raise NotVouchedFor("another issuer")
        form = {
            "grant_type": "authorization_code",
            "code": given["code"],
            "redirect_uri": self._redirect,
            "code_verifier": begun["verifier"],
        }
        async with httpx.AsyncClient(timeout=10, verify=trusted()) as http:
            answer = await http.post(provider.token, data=form, auth=self._client)
        answer.raise_for_status()
        said = answer.json()
        proof = (said["id_token"], said.get("access_token"), begun["nonce"])
        try:
            claims = self._verified(provider, *proof)
        except JoseError:  # its keys may be new
            self._provider = None
            claims = self._verified(await self._known(), *proof)
        if claims.get("email_verified") is not True or not isinstance(claims.get("email"), str):
            raise NotVouchedFor("no verified address")
        return str(claims["email"])

    def _begun(self, request: Request) -> dict[str, Any]:
        try:
            begun = self._house.keys.decrypt(request.cookies.get(COOKIE, "").encode())
        except InvalidToken:
            raise NotVouchedFor("this browser did not begin it") from None
        if time.time() - begun["at"] > LONGEST:
            raise NotVouchedFor("it took too long")
        return begun

    def _verified(
        self, provider: Provider, id_token: str, access_token: str | None, nonce: str
    ) -> dict[str, Any]:
        token = jwt.decode(id_token, provider.keys, algorithms=ALGORITHMS)
        client_id = self._client[0]
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": client_id},
            },
            {"nonce": nonce, "client_id": client_id, "access_token": access_token},
        )
        claims.validate(leeway=LEEWAY)
        return dict(claims)

    async def _sign_in(self, request: Request, email: str, to: str) -> Response:
        address = request.client.host if request.client else None
        async with self._house.db.transaction() as session:
            now = await database_time(session)
            agent = await staff.account(session, email)
            if agent is None:
                nobody, failed = Actor(ActorKind.CUSTOMER), AuditKind.SIGN_IN_FAILED
                audit.note(session, failed, by=nobody, at=now, address=address, data={"code": "OIDC_UNKNOWN"})
            else:
                row, tokens = sign_in.begin(
                    session, agent.id, SessionKind.WEB, device_label=None, address=address, at=now
                )
                by, data = agent.as_actor(), {"by": "oidc"}
                audit.note(
                    session, AuditKind.SIGNED_IN, by=by, at=now, address=address, agent_id=agent.id, data=data
                )
        if agent is None:
            return self._refused(request, 403)
        response = RedirectResponse(to, status_code=303)
        auth.set_cookies(self._house, response, tokens.access, row.id)
        return response

    async def _known(self) -> Provider:
        if self._provider is None or time.monotonic() - self._known_at > KNOWN_FOR:
            async with httpx.AsyncClient(timeout=10, verify=trusted()) as http:
                found = await http.get(f"{self._issuer}/.well-known/openid-configuration")
                said = found.raise_for_status().json()
                if said["issuer"].rstrip("/") != self._issuer:
                    raise NotVouchedFor(f"{self._issuer} says that it is {said['issuer']!r:.100}")
                keys = (await http.get(said["jwks_uri"])).raise_for_status().json()
            self._provider = Provider(
                said["issuer"],
                said["authorization_endpoint"],
                said["token_endpoint"],
                KeySet.import_key_set(keys),
            )
            self._known_at = time.monotonic()
        return self._provider

    def _refused(self, request: Request, status: int) -> Response:
        locale = preferred_language(request.headers.get("accept-language", ""))
        sentence = N_("You could not be signed in. Is this the address under which you work here?")
        return PlainTextResponse(translate(locale, sentence), status, {"Cache-Control": "no-store"})


def routes(house: House, issuer: str, client_id: str, client_secret: str) -> list[BaseRoute]:
    oidc = Oidc(house, issuer, client_id, client_secret)
    return [
        Route(f"{PATH}/start", oidc.start, methods=["GET"]),
        Route(f"{PATH}/callback", oidc.callback, methods=["GET"]),
    ]
