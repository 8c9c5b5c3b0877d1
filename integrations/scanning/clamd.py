"""ClamAV's daemon, over its socket: one file a connection, in pieces (`INSTREAM`). Source: `man clamd`."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

CONNECTING = 5.0
LOOKING = 60.0
"""Seconds, from the first byte of a file to the answer: within what the queue gives it."""
LONGEST_ANSWER = 4096

_VERDICT = re.compile(r"stream: (?:(OK)|(.+) FOUND)")


class ScannerDown(Exception):
    """It does not answer, or not as it should."""


class TooLarge(Exception):
    """For its settings: `StreamMaxLength`."""


async def look_through(address: str, parts: AsyncIterator[bytes]) -> str | None:
    """What is in it, as the scanner calls that; none: it is clean."""
    answer = await _asked(address, "zINSTREAM", parts)
    if verdict := _VERDICT.fullmatch(answer):
        return None if verdict[1] else verdict[2][:200]
    if "size limit exceeded" in answer:
        raise TooLarge(answer[:200])
    raise ScannerDown(f"it answers: {answer[:200]!r}")


async def version(address: str) -> str:
    """Of the scanner and of its signatures, and when these were made."""
    return await _asked(address, "zVERSION", None)


async def _asked(address: str, command: str, parts: AsyncIterator[bytes] | None) -> str:
    try:
        async with asyncio.timeout(CONNECTING):
            wire = await _connected(address)
    except (OSError, TimeoutError) as failure:
        raise ScannerDown(f"it does not answer ({failure or 'in time'})") from failure
    with wire:
        try:
            async with asyncio.timeout(LOOKING):
                await _send(wire, command, parts)
                said = await _answer(wire)
        except TimeoutError as failure:
            raise ScannerDown("it does not answer (in time)") from failure
    return said.rstrip(b"\0\n").decode("utf-8", "replace").strip()


async def _connected(address: str) -> socket.socket:
    """Not asyncio's stream: that forgets what was answered when sending fails, and who has heard enough closes."""
    loop, parts = asyncio.get_running_loop(), urlsplit(address)
    place: Any = parts.path
    family = socket.AF_UNIX
    if parts.scheme == "tcp":
        found = await loop.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
        family, _, _, _, place = found[0]
    wire = socket.socket(family, socket.SOCK_STREAM)
    wire.setblocking(False)
    try:
        await loop.sock_connect(wire, place)
    except BaseException:
        wire.close()
        raise
    return wire


async def _send(wire: socket.socket, command: str, parts: AsyncIterator[bytes] | None) -> None:
    """Stops where the other end has heard enough: its answer says why."""
    if not await _hears(wire, command.encode() + b"\0") or parts is None:
        return
    async for part in parts:
        if not await _hears(wire, len(part).to_bytes(4) + part):
            return
    await _hears(wire, (0).to_bytes(4))


async def _hears(wire: socket.socket, said: bytes) -> bool:
    try:
        await asyncio.get_running_loop().sock_sendall(wire, said)
    except ConnectionError:
        return False
    except OSError as failure:
        raise _broken_off(failure) from failure
    return True


async def _answer(wire: socket.socket) -> bytes:
    said = b""
    while b"\0" not in said and len(said) < LONGEST_ANSWER:
        try:
            piece = await asyncio.get_running_loop().sock_recv(wire, LONGEST_ANSWER)
        except OSError as failure:
            raise _broken_off(failure) from failure
        if not piece:
            break
        said += piece
    return said


def _broken_off(failure: OSError) -> ScannerDown:
    return ScannerDown(f"it broke off ({type(failure).__name__})")
