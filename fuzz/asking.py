"""Sends what was made, a few at a time, and says what came of it: to `/graphql`, and every fifth to `/graphql/stream`."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import perf_counter

import httpx

HANDS = 8


@dataclass
class Outcome:
    statuses: Counter[int] = field(default_factory=Counter)
    ours: list[bytes] = field(default_factory=list)
    """Bodies over which we broke: a 5xx, or an error that is not the caller's."""
    slowest: float = 0.0
    """In seconds."""
    slowest_body: bytes = b""


async def ask(address: str, bodies: Iterable[bytes], token: str) -> Outcome:
    """Every second body comes signed in."""
    outcome, waiting = Outcome(), enumerate(bodies)

    async def hand(http: httpx.AsyncClient) -> None:
        for number, body in waiting:
            headers = {"content-type": "application/json"}
            if number % 2:
                headers["authorization"] = f"Bearer {token}"
            path = "/graphql"
            if number % 10 in (4, 7):
                path, headers["accept"] = "/graphql/stream", "text/event-stream"
            begun = perf_counter()
            answer = await http.post(path, content=body, headers=headers)
            took = perf_counter() - begun
            outcome.statuses[answer.status_code] += 1
            if answer.status_code >= 500 or b'"INTERNAL"' in answer.content:
                outcome.ours.append(body)
            if took > outcome.slowest:
                outcome.slowest, outcome.slowest_body = took, body

    async with httpx.AsyncClient(base_url=address, timeout=30) as http, asyncio.TaskGroup() as group:
        for _ in range(HANDS):
            group.create_task(hand(http))
    return outcome
