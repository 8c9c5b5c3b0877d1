"""The shop's own website, as a browser that has no Heddle yet meets it."""

import re
from collections.abc import AsyncIterator
from importlib.resources import files

import httpx
import jwt
import pytest

from demo.website import Website

KEY = "the shop signs its visitors with this key"
HEDDLE = "http://localhost:8499"


@pytest.fixture
async def visitor() -> AsyncIterator[httpx.AsyncClient]:
    async with (
        Website(HEDDLE, "chat", KEY) as website,
        httpx.AsyncClient(base_url=website.url, trust_env=False) as visitor,
    ):
        yield visitor


async def test_the_page_runs_its_own_files_and_reaches_nobody_but_its_shop_and_heddle(
    visitor: httpx.AsyncClient,
) -> None:
    page = await visitor.get("/")

    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert f"connect-src 'self' {HEDDLE} ws://localhost:8499;" in policy
    assert "unsafe" not in policy
    assert f'data-heddle="{HEDDLE}"' in page.text
    assert not re.search(r"<style| style=| on\w+=|<script(?![^>]* src=)", page.text)
    named = re.findall(r'(?:src|href)="(/[^"]*)"', page.text) + [
        name
        for script in files("demo").joinpath("chat").iterdir()
        for name in re.findall(r'from "([^"]*)"', script.read_text())
    ]
    assert [name for name in named if (await visitor.get(name)).status_code != 200] == []
    assert (await visitor.get("/website.py")).status_code == 404


async def test_the_shop_signs_who_is_signed_in_and_nobody_else(visitor: httpx.AsyncClient) -> None:
    before = await visitor.get("/identity")
    await visitor.post("/sign-in")
    signed = await visitor.get("/identity")
    await visitor.post("/sign-out")
    after = await visitor.get("/identity")

    claims = jwt.decode(signed.json()["token"], KEY, algorithms=["HS256"], audience="chat")
    assert (claims["name"], claims["email"], claims["email_verified"]) == ("Ada", "ada@example.org", True)
    assert (before.status_code, after.status_code) == (204, 204)


def test_the_page_says_the_same_in_each_of_its_languages() -> None:
    source = files("demo").joinpath("chat", "words.js").read_text()
    words = {
        language: dict(re.findall(r'^  (\w+): "(.*)",$', block, re.MULTILINE))
        for language, block in re.findall(r"^const (\w\w) = \{\n(.*?)^\};", source, re.MULTILINE | re.DOTALL)
    }

    assert set(words) == {"en", "pl", "es", "ca"}
    placeholders = {
        language: {name: sorted(re.findall(r"\{\w+\}", said)) for name, said in known.items()}
        for language, known in words.items()
    }
    assert all(known == placeholders["en"] for known in placeholders.values())
