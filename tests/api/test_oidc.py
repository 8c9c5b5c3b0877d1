"""Signing in by a real provider, as a browser does it."""

import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from api.house import House
from api.settings import ApiSettings
from tests.client import Client
from tests.doors import answering

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses a part of authlib that will move
    from oidc_provider_mock import run_server_in_thread

VIEWER = {"query": "{ viewer { agent { name } } }"}
AUDIT = "{ audit(kinds: [SIGNED_IN, SIGN_IN_FAILED]) { edges { node { kind agentId data } } } }"


@pytest.fixture
async def provider() -> AsyncIterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with run_server_in_thread(require_nonce=True) as server:
            yield f"http://localhost:{server.server_port}"


@asynccontextmanager
async def a_browser(house: House, provider: str) -> AsyncIterator[httpx.AsyncClient]:
    settings = ApiSettings.model_construct(
        oidc_issuer=provider, oidc_client_id="heddle", oidc_client_secret="a secret of the client"
    )
    theirs = replace(house, settings=settings, base_url="http://heddle.test")
    async with answering(theirs) as door, httpx.AsyncClient(base_url=door, timeout=20) as browser:
        yield browser


async def is_known(provider: str, sub: str, **claims: Any) -> None:
    async with httpx.AsyncClient() as http:
        (await http.put(f"{provider}/users/{sub}", json=claims)).raise_for_status()


async def goes_there(browser: httpx.AsyncClient, sub: str, **asked: str) -> httpx.URL:
    """Where the provider sends the browser back to, once the person has said who they are there."""
    begun = await browser.get("/auth/oidc/start", params=asked)
    assert begun.status_code == 303, begun.text
    async with httpx.AsyncClient() as elsewhere:
        answer = await elsewhere.post(begun.headers["location"], data={"sub": sub})
    return httpx.URL(answer.headers["location"])


async def comes_back(browser: httpx.AsyncClient, back: httpx.URL) -> httpx.Response:
    assert str(back).startswith("http://heddle.test/auth/oidc/callback?")
    return await browser.get(back.raw_path.decode())


async def test_whom_the_provider_vouches_for_has_a_session(
    house: House, ben: Client, admin: Client, provider: str
) -> None:
    await is_known(provider, "ben", email="Ben@shop.example", email_verified=True)

    async with a_browser(house, provider) as browser:
        answer = await comes_back(browser, await goes_there(browser, "ben"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/graphql")
        csrf = {"x-csrf-token": browser.cookies["heddle_csrf"]}
        said = await browser.post("/graphql", json=VIEWER, headers=csrf)
        assert said.json() == {"data": {"viewer": {"agent": {"name": "Ben"}}}}
        assert (await browser.post("/graphql", json=VIEWER)).status_code == 403

    newest = (await admin.ask(AUDIT))["audit"]["edges"][0]["node"]
    assert newest == {"kind": "SIGNED_IN", "agentId": ben.agent_id, "data": {"by": "oidc"}}


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/m/a/QWxlcnQ6MDE?do=take", "/m/a/QWxlcnQ6MDE?do=take"),
        ("/m/alerts", "/m/alerts"),
        ("/m/tickets?q=is%3Aopen+buty&after=dGlja2V0", "/m/tickets?q=is%3Aopen+buty&after=dGlja2V0"),
        ("/m/tickets?q=//elsewhere.example", "/graphql"),
        ("/m/t/VGlja2V0OjAx", "/m/t/VGlja2V0OjAx"),
        ("/m/t/VGlja2V0OjAx?before=dGltZWxpbmU=", "/m/t/VGlja2V0OjAx?before=dGltZWxpbmU="),
        ("/m/t/x?before=//elsewhere.example", "/graphql"),
        ("//elsewhere.example/m/alerts", "/graphql"),
        ("https://elsewhere.example/m/alerts", "/graphql"),
        ("/m/a/x\r\nSet-Cookie: a=b", "/graphql"),
    ],
)
async def test_who_came_from_a_page_of_the_phone_is_led_back_to_it_and_nowhere_else(
    house: House, ben: Client, provider: str, asked: str, led: str
) -> None:
    await is_known(provider, "ben", email="ben@shop.example", email_verified=True)

    async with a_browser(house, provider) as browser:
        answer = await comes_back(browser, await goes_there(browser, "ben", to=asked))

    assert (answer.status_code, answer.headers["location"]) == (303, led)


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "nobody@shop.example", "email_verified": True},
        {"email": "ben@shop.example", "email_verified": False},
        {"email": "ben@shop.example"},
        {"email": "ben@shop.example", "email_verified": "true"},
        {"email_verified": True},
    ],
)
async def test_who_does_not_work_here_or_is_not_vouched_for_has_none(
    house: House, ben: Client, provider: str, claims: dict[str, Any]
) -> None:
    await is_known(provider, "somebody", **claims)

    async with a_browser(house, provider) as browser:
        answer = await comes_back(browser, await goes_there(browser, "somebody"))

        assert answer.status_code == 403
        assert "heddle_session" not in browser.cookies


async def test_a_way_back_is_for_the_browser_that_began_it_and_good_once(
    house: House, ben: Client, provider: str
) -> None:
    await is_known(provider, "ben", email="ben@shop.example", email_verified=True)

    async with a_browser(house, provider) as browser, a_browser(house, provider) as anothers:
        back = await goes_there(browser, "ben")
        await goes_there(anothers, "ben")
        assert (await comes_back(anothers, back)).status_code == 403, "another's state"
        anothers.cookies.clear()
        assert (await comes_back(anothers, back)).status_code == 403, "no cookie"
        forged = back.copy_set_param("iss", "https://elsewhere.example")
        assert (await comes_back(browser, forged)).status_code == 403, "another issuer"

        back = await goes_there(browser, "ben")
        assert (await comes_back(browser, back)).status_code == 303
        assert (await comes_back(browser, back)).status_code == 403, "again"


async def test_the_code_is_bound_to_who_asked_for_it(house: House, ben: Client, provider: str) -> None:
    async with a_browser(house, provider) as browser:
        begun = await browser.get("/auth/oidc/start")

    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == ["http://heddle.test/auth/oidc/callback"]
    assert len(asked["nonce"][0]) > 20
    cookie = begun.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


async def test_a_provider_that_does_not_answer_is_a_sentence(house: House) -> None:
    async with a_browser(house, "http://localhost:1") as browser:
        answer = await browser.get("/auth/oidc/start", headers={"accept-language": "es"})

    assert answer.status_code == 502
    assert "sesión" in answer.text


async def test_without_the_settings_there_is_no_such_door(anybody: Client) -> None:
    assert (await anybody.http.get("/auth/oidc/start")).status_code == 404
