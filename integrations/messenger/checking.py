"""Does a page work? Graph says whose token it is."""

import asyncio
from typing import Any

import requests

from domain.channels import Channel
from domain.languages import N_
from integrations.findings import Finding, heard, in_time
from integrations.messenger.client import THREADS, client_of
from integrations.messenger.page import MessengerPage
from integrations.outbound import Means


async def check(channel: Channel, means: Means) -> list[Finding]:
    page = MessengerPage.of(channel, means.keys)
    return [await in_time("token", _token(page, means)), await heard(channel, means)]


async def _token(page: MessengerPage, means: Means) -> Finding:
    client = client_of(page, means.settings)
    asked = client.auth_args | {"fields": "id,name"}

    def ask() -> Any:
        return client.session.get(f"{client.graph_url}/me", params=asked).json()

    try:
        said = await asyncio.get_running_loop().run_in_executor(THREADS, ask)
    except requests.RequestException as failure:
        return Finding("token", False, N_("Graph cannot be asked: {said}."), {"said": type(failure).__name__})
    error = said.get("error") if isinstance(said, dict) else {}
    if not isinstance(said, dict) or error is not None:
        code = error.get("code") if isinstance(error, dict) else None
        return Finding(
            "token", False, N_("Graph does not take the page's token: error {code}."), {"code": code}
        )
    if str(said.get("id")) != page.page_id:
        return Finding(
            "token", False, N_("The token is another page's: {name}."), {"name": str(said.get("name"))[:100]}
        )
    return Finding("token", True, N_("The token is that of {name}."), {"name": str(said.get("name"))[:100]})
