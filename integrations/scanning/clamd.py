"""ClamAV's daemon, over its socket: one file a connection, in pieces (`INSTREAM`). Source: `man clamd`."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

CONNECTING = 5.0
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
            reader, writer = await _connected(address)
    except (OSError, TimeoutError) as failure:
        raise ScannerDown(f"it does not answer ({failure or 'in time'})") from failure
    try:
        writer.write(command.encode() + b"\0")
        if parts is not None:
            await _send(writer, parts)
        await writer.drain()
        said = await reader.readuntil(b"\0")
    except asyncio.IncompleteReadError as failure:
        said = failure.partial
    except (ConnectionError, asyncio.LimitOverrunError) as failure:
        raise ScannerDown(f"it broke off ({type(failure).__name__})") from failure
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return said.rstrip(b"\0\n").decode("utf-8", "replace").strip()


async def _connected(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(address)
    if parts.scheme == "unix":
        return await asyncio.open_unix_connection(parts.path, limit=LONGEST_ANSWER)
    return await asyncio.open_connection(parts.hostname, parts.port, limit=LONGEST_ANSWER)


async def _send(writer: asyncio.StreamWriter, parts: AsyncIterator[bytes]) -> None:
    """Stops where the other end has heard enough: its answer says why."""
    with suppress(ConnectionError):
        async for part in parts:
            writer.write(len(part).to_bytes(4) + part)
            await writer.drain()
        writer.write((0).to_bytes(4))
        await writer.drain()
