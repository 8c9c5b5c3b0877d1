"""`fbmessenger`'s client at Meta's Graph API: synchronous, so in threads; with time-outs; what goes wrong raised by name."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import requests
import urllib3
from fbmessenger import MessengerClient
from requests.adapters import HTTPAdapter

from integrations.messenger.page import MessengerPage
from integrations.messenger.refusals import Unclear, Unreached, check
from integrations.settings import IntegrationSettings

TIMEOUT = (3.0, 10.0)
UPLOAD_TIMEOUT = (3.0, 30.0)
THREADS = ThreadPoolExecutor(8, thread_name_prefix="messenger")


class _Session(requests.Session):
    """Never waits for ever, keeps the page's token out of addresses, which end up in messages of errors, and lets nothing
    pass that Graph calls an error: the library would take it for an answer."""

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        options["timeout"] = options.get("timeout") or TIMEOUT
        query = dict(options.get("params") or {})
        if token := query.pop("access_token", None):
            options["headers"] = {**(options.get("headers") or {}), "Authorization": f"Bearer {token}"}
            options["params"] = query
        response = super().request(method, url, **options)
        check(response)
        return response


@lru_cache(maxsize=64)
def _client(base: str, version: str, page_token: str, app_secret: str) -> MessengerClient:
    session = _Session()
    session.mount(base, HTTPAdapter(pool_maxsize=8))
    client = MessengerClient(page_token, api_version=version, app_secret=app_secret, session=session)
    client.graph_url = f"{base}/v{version}"  # every method of the library builds its address from this
    return client


@dataclass(frozen=True)
class Graph:
    """With one page's token."""

    client: MessengerClient

    @classmethod
    def at(cls, settings: IntegrationSettings, *, page_token: str, app_secret: str) -> "Graph":
        return cls(_client(settings.graph_url, settings.graph_version, page_token, app_secret))

    @classmethod
    def of(cls, page: MessengerPage, settings: IntegrationSettings) -> "Graph":
        token, secret = page.page_token.get_secret_value(), page.app_secret.get_secret_value()
        return cls.at(settings, page_token=token, app_secret=secret)

    async def do(self, ask: Callable[[MessengerClient], Any]) -> dict[str, Any]:
        """A call of the library's, in a thread. Raises GraphError, Unreached or Unclear."""
        return await asyncio.get_running_loop().run_in_executor(THREADS, self._do, ask)

    async def get(self, path: str, **asked: str) -> dict[str, Any]:
        def ask(client: MessengerClient) -> Any:
            return client.session.get(f"{client.graph_url}/{path}", params=client.auth_args | asked).json()

        return await self.do(ask)

    async def post(self, path: str, **told: Any) -> dict[str, Any]:
        """`params`, `data`, `files`… as `requests` has them."""
        params = told.pop("params", {})

        def ask(client: MessengerClient) -> Any:
            url = f"{client.graph_url}/{path}"
            return client.session.post(url, params=client.auth_args | params, **told).json()

        return await self.do(ask)

    def _do(self, ask: Callable[[MessengerClient], Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = ask(self.client)
        except requests.ConnectTimeout as failure:
            raise Unreached("no connection in time") from failure
        except requests.ConnectionError as failure:
            if _never_began(failure):
                raise Unreached("no connection") from failure
            raise Unclear(type(failure).__name__) from failure
        except requests.RequestException as failure:
            raise Unclear(type(failure).__name__) from failure
        return answer


def _never_began(failure: requests.ConnectionError) -> bool:
    told = failure.args[0] if failure.args else None
    return isinstance(getattr(told, "reason", None), urllib3.exceptions.NewConnectionError)
