"""Sending through `fbmessenger`'s client: synchronous, so in a thread; with time-outs; its errors raised by name."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import requests
from fbmessenger import MessengerClient
from requests.adapters import HTTPAdapter

from integrations.messenger.page import MessengerPage
from integrations.messenger.payloads import OURS
from integrations.outbound import Handed, Letter, Means, SendFailed, SendRefused
from integrations.settings import IntegrationSettings

TIMEOUT = (3.0, 10.0)
THREADS = ThreadPoolExecutor(8, thread_name_prefix="messenger")

# Graph's codes that pass: throttling, "try again", the page restricted for a while.
PASSING = {1, 2, 4, 17, 32, 341, 613, 80006}


class _Session(requests.Session):
    """Never waits for ever, and keeps the page's token out of addresses, which end up in messages of errors."""

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        options.setdefault("timeout", TIMEOUT)
        query = dict(options.get("params") or {})
        if token := query.pop("access_token", None):
            options["headers"] = {**(options.get("headers") or {}), "Authorization": f"Bearer {token}"}
            options["params"] = query
        return super().request(method, url, **options)


@lru_cache(maxsize=64)
def _client(base: str, version: str, page_token: str, app_secret: str) -> MessengerClient:
    session = _Session()
    session.mount(base, HTTPAdapter(pool_maxsize=8))
    client = MessengerClient(page_token, api_version=version, app_secret=app_secret, session=session)
    client.graph_url = f"{base}/v{version}"  # every method of the library builds its address from this
    return client


def client_of(page: MessengerPage, settings: IntegrationSettings) -> MessengerClient:
    return _client(
        settings.graph_url,
        settings.graph_version,
        page.page_token.get_secret_value(),
        page.app_secret.get_secret_value(),
    )


async def send(letter: Letter, means: Means) -> Handed:
    """With Graph's id of the message."""
    to = letter.to
    if to is None:
        raise SendRefused("nobody to send it to")
    client = client_of(MessengerPage.of(letter.channel, means.keys), means.settings)
    payload = {"text": letter.message.text, "metadata": f"{OURS}{letter.message.id}"}

    def call() -> Any:
        return client.send(payload, to.value, messaging_type="RESPONSE")

    try:
        answer = await asyncio.get_running_loop().run_in_executor(THREADS, call)
    except requests.JSONDecodeError as failure:
        raise SendFailed("the answer was not JSON") from failure
    except requests.RequestException as failure:  # unknown whether it arrived
        raise SendFailed(type(failure).__name__) from failure
    return Handed(_message_id(answer))


def _message_id(answer: Any) -> str:
    if not isinstance(answer, dict):
        raise SendFailed("the answer was no JSON object")
    if error := answer.get("error"):
        code = error.get("code")
        words = f"{code}/{error.get('error_subcode', 0)} {error.get('message', '')} [{error.get('fbtrace_id', '')}]"
        if code in PASSING or error.get("is_transient"):
            raise SendFailed(words[:300])
        raise SendRefused(words[:300])
    if not answer.get("message_id"):
        raise SendFailed("the answer names no message")
    return str(answer["message_id"])
