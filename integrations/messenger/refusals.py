"""What Graph's errors mean, by code and subcode.

https://developers.facebook.com/docs/messenger-platform/error-codes
"""

from typing import Any

import orjson
import requests

from domain.answering.delivery_problems import Problem
from domain.retry_after import seconds_of
from integrations.outbound import ChannelRefused, SendFailed, SendRefused
from integrations.storable import storable

PROBLEMS: dict[int | tuple[int, int], Problem] = {
    (10, 2018278): Problem.WINDOW_CLOSED,
    (10, 2018065): Problem.WINDOW_CLOSED,
    (10, 2018108): Problem.WINDOW_CLOSED,
    (10, 2018300): Problem.HELD_ELSEWHERE,
    (10, 1893063): Problem.RESTRICTED,
    (100, 33): Problem.RECIPIENT_GONE,
    (100, 2018001): Problem.RECIPIENT_GONE,
    (100, 2018047): Problem.FILE_REFUSED,
    (100, 2018109): Problem.FILE_REFUSED,
    (200, 1545041): Problem.UNREACHABLE,
    1: Problem.DOWN,
    2: Problem.DOWN,
    4: Problem.BUSY,
    10: Problem.PERMISSION,
    17: Problem.BUSY,
    32: Problem.BUSY,
    102: Problem.SIGN_IN_NEEDED,
    190: Problem.SIGN_IN_NEEDED,
    200: Problem.PERMISSION,
    230: Problem.PERMISSION,
    341: Problem.BUSY,
    368: Problem.RESTRICTED,
    551: Problem.UNREACHABLE,
    613: Problem.BUSY,
    1200: Problem.DOWN,
    80006: Problem.BUSY,
}

PAUSES = {Problem.RESTRICTED: 900.0, Problem.SIGN_IN_NEEDED: 300.0}
"""Seconds until it is worth another try, where Graph says nothing of it."""

UNEXPECTED = 2
"""Graph's code for an error of its own, and for a person who has blocked the page: after some tries it is the latter."""
TRIES = 5

LONGEST = 300
LONGEST_PAUSE = 3600.0


class GraphError(Exception):
    """Graph says no."""

    def __init__(self, problem: Problem, code: int, words: str, *, after: float | None = None) -> None:
        super().__init__(words)
        self.problem, self.code, self.words, self.after = problem, code, words, after

    def for_sending(self, failures: int) -> SendRefused | SendFailed:
        """`failures`: how often this message was tried in vain before."""
        match self.problem:
            case Problem.SIGN_IN_NEEDED:
                return ChannelRefused(self.words, after=self.after, problem=self.problem)
            case Problem.DOWN if self.code == UNEXPECTED and failures >= TRIES:
                return SendRefused(self.words, problem=Problem.UNREACHABLE)
            case Problem.BUSY | Problem.DOWN | Problem.RESTRICTED:
                return SendFailed(self.words, after=self.after, problem=self.problem)
            case _:
                return SendRefused(self.words, problem=self.problem)


class Unreached(Exception):
    """No connection came about: nothing was asked."""


class Unclear(Exception):
    """What was asked may have been done: the answer did not come, or cannot be read."""


def check(response: requests.Response) -> None:
    """Raises what is wrong; the body of what passes is a JSON object."""
    try:
        body = response.json()
    except requests.JSONDecodeError:
        body = None
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        raise _named(error, response)
    if response.status_code == requests.codes.too_many_requests:
        raise GraphError(Problem.BUSY, 0, "HTTP 429", after=_pause(response))
    if not isinstance(body, dict):
        raise Unclear(f"HTTP {response.status_code}, and no JSON object")
    if response.status_code >= 500:
        raise Unclear(f"HTTP {response.status_code}")
    if response.status_code >= 400:
        raise GraphError(Problem.REFUSED, 0, f"HTTP {response.status_code}")


def _named(error: dict[str, Any], response: requests.Response) -> GraphError:
    code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
    problem = PROBLEMS.get((code, subcode)) or PROBLEMS.get(code)
    if problem is None:
        passes = error.get("is_transient") is True or response.status_code >= 500
        problem = Problem.DOWN if passes else Problem.REFUSED
    words = f"{code}/{subcode} {error.get('message', '')} [{error.get('fbtrace_id', '')}]"
    return GraphError(problem, code, storable(words[:LONGEST]), after=_pause(response) or PAUSES.get(problem))


def _number(given: Any) -> int:
    return given if isinstance(given, int) else 0


def _pause(response: requests.Response) -> float | None:
    """Seconds: of `Retry-After`, or until Meta's own account of our calls lets us in again."""
    if (seconds := seconds_of(response.headers.get("Retry-After"))) is not None:
        return min(seconds, LONGEST_PAUSE)
    try:
        usage = orjson.loads(response.headers.get("X-Business-Use-Case-Usage", "{}"))
        minutes = [one["estimated_time_to_regain_access"] for uses in usage.values() for one in uses]
        longest = max(float(one) for one in minutes)
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
        return None
    return min(longest * 60, LONGEST_PAUSE) or None
