"""Where an address leads, decided once: a name is looked up, and what it means is both checked and connected to.

Nobody makes us knock on doors of our own network, however the address is written: numbers are taken apart by the same
resolver that would connect.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from domain.addresses import is_public
from integrations.outbound import SendRefused

PORTS = {"https": 443, "http": 80}
CONNECTING = 4.0
"""Seconds that one address has, where there are others."""


@dataclass(frozen=True)
class Target:
    """An address to connect to, in place of the name, and the name to ask for there."""

    url: httpx.URL
    host: str
    """With the port, as a request's `Host` says it."""
    name: str
    """Whose certificate it has to be."""

    def asked(self, headers: Mapping[str, str]) -> dict[str, Any]:
        """What a request there is made of, as httpx has it."""
        return {
            "url": self.url,
            "headers": {**headers, "host": self.host},
            "extensions": {"sni_hostname": self.name},
        }


def check_url(url: str, *, private: bool) -> httpx.URL:
    """Whether it can be an endpoint at all. `private`: http and addresses of our own network are allowed."""
    try:
        parsed = httpx.URL(url)
        host, port = parsed.raw_host.decode("ascii"), parsed.port
    except (httpx.InvalidURL, ValueError, UnicodeError):
        raise SendRefused("this is not a web address") from None
    if parsed.scheme not in (("https", "http") if private else ("https",)):
        raise SendRefused("the address should begin with https://")
    if not host or parsed.userinfo or port == 0:
        raise SendRefused("the address should be https://host/path, without user or password")
    return parsed.copy_with(fragment=None)


async def target_of(url: str, *, private: bool) -> Target:
    """Of the addresses of its name the first that takes a connection, or the last."""
    *others, last = await targets_of(url, private=private)
    for target in others:
        if await _somebody_is_at(target):
            return target
    return last


async def _somebody_is_at(target: Target) -> bool:
    port = target.url.port or PORTS[target.url.scheme]
    try:
        async with asyncio.timeout(CONNECTING):
            _, there = await asyncio.open_connection(target.url.host, port)
    except OSError:
        return False
    there.close()
    return True


async def targets_of(url: str, *, private: bool) -> list[Target]:
    """All addresses of its name, that to try first before the others."""
    parsed = check_url(url, private=private)
    name, port = parsed.raw_host.decode("ascii"), parsed.port or PORTS[parsed.scheme]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as failure:
        raise ConnectionError(f"{name} is not known: {failure}") from failure
    addresses = [ipaddress.ip_address(str(address[0]).partition("%")[0]) for *_, address in found]
    if not private and not all(is_public(address) for address in addresses):
        raise SendRefused(f"{name} lies in a private network")
    host = parsed.netloc.decode("ascii")
    return [Target(parsed.copy_with(host=str(address)), host, name) for address in addresses]
