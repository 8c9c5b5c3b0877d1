"""How every peer runs: the same loop and server; only the application differs, and Heddle has its own patience with who is slow."""

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from api import loops
from api.logs import log_to_stderr

Orders = dict[str, str]


def run(peer: Callable[[Orders], Coroutine[Any, Any, None]]) -> None:
    """Does what the line on the standard input orders."""
    log_to_stderr()
    orders: Orders = json.loads(sys.stdin.readline())
    loops.run(peer(orders))


async def dismissed() -> None:
    """Waits for the end of the standard input: whoever started us wants us to leave, or is gone."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, daemon=True).start()
    await ended.wait()


def usual_server(application: ASGIApp) -> uvicorn.Server:
    config = uvicorn.Config(
        application,
        http="httptools",
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


async def answer(server: uvicorn.Server, orders: Orders) -> None:
    listening = socket.socket(fileno=int(orders["socket"]))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    leaving = asyncio.create_task(dismissed())
    await asyncio.wait([serving, leaving], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
