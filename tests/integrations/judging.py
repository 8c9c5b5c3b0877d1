"""Whether a reader makes of a sample what `expected.json` beside it says.

There, a file has a list of parts, in order: `ignored`, `failed`, the name of a kind, or an object with a kind and the
facts that matter. `acted` is any kind but a message. `{"any": […]}` leaves open what the provider's documents do,
`{"unordered": […]}` the order, `{"must": […], "may": ["failed"]}` whether the bad one among good ones is shown;
`{"calls": {…}}` says how each call went, whichever event told it: a step with `?` may be missing.
"""

import dataclasses
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from itertools import permutations
from typing import Any

from domain.arriving.inbound import CallStep, Inbound, InboundCall, InboundMessage, Unread

LONGEST_ID = 1000
"""Letters: an index of the database takes no longer ones."""

Part = Inbound | Unread


def as_expected(expected: Any, parts: list[Part]) -> bool:
    if isinstance(expected, list):
        return _in_order(expected, parts)
    if "any" in expected:
        return any(as_expected(one, parts) for one in expected["any"])
    if "unordered" in expected:
        return any(_in_order(order, parts) for order in permutations(expected["unordered"]))
    if "must" in expected:
        return _in_order(expected["must"], [part for part in parts if kind_of(part) not in expected["may"]])
    if "count" in expected:
        return all(
            [kind_of(part) for part in parts].count(kind) == n for kind, n in expected["count"].items()
        )
    return _as_calls(expected, parts)


def kind_of(part: Part) -> str:
    if isinstance(part, Unread):
        return "failed" if part.failed else "ignored"
    if isinstance(part, InboundCall):
        return f"call:{part.step.value}"
    if getattr(part, "state", "failed") != "failed":
        return "receipt"  # of one message, from a provider that tells of each
    return type(part).__name__.removeprefix("Inbound").lower()


def _in_order(expected: Any, parts: list[Part]) -> bool:
    if not expected:
        return not parts
    first, rest = expected[0], expected[1:]
    for one in first["any"] if isinstance(first, dict) and "any" in first else [first]:
        if one == "ignored":
            if _in_order(rest, parts):
                return True
        elif parts and not _otherwise(one, parts[0]) and _in_order(rest, parts[1:]):
            return True
    return False


def _otherwise(expected: Any, part: Part) -> list[str]:
    """The facts in which a part is not as expected."""
    if isinstance(expected, str):
        expected = {"kind": expected}
    kind = expected["kind"]
    acted = not isinstance(part, InboundMessage | Unread)
    if not (acted if kind == "acted" else kind == kind_of(part)):
        return ["kind"]
    return [name for name, value in expected.items() if name != "kind" and not _is(part, name, value)]


def _is(part: Any, fact: str, value: Any) -> Any:
    match fact:
        case "id":
            return getattr(part, "external_id", None) == value or getattr(part, "call_id", None) == value
        case "id_has":
            return value in part.external_id
        case "shows":
            return bool(part.text or part.attachments or part.particulars) == value
        case "length":
            return len(part.text) == value
        case "person":
            return part.claims[0].value == value
        case "thread":
            return part.thread_key == value
        case "shop":
            return part.from_shop == value
        case "linked":
            return (part.linked_contact is not None) == value
        case "at" | "until":
            return getattr(part, fact) == datetime.fromisoformat(value)
        case "has":
            return all(any(wanted in said for said in _words(part)) for wanted in value)
        case "urls":
            return set(value) <= {attached.url for attached in part.attachments}
        case "ids":
            named = part.external_ids if hasattr(part, "external_ids") else (part.external_id,)
            return list(named) == value
        case "read" if hasattr(part, "state"):
            return (part.state == "read") == value
        case "number":
            return (part.claim.value if part.claim else "") == value
        case "ringing":
            return list(part.ringing) == value
        case _:
            return getattr(part, fact) == value


def _as_calls(expected: Any, parts: list[Part]) -> bool:
    calls: dict[str, list[InboundCall]] = {}
    for part in parts:
        if not isinstance(part, InboundCall):
            return False
        calls.setdefault(part.call_id, []).append(part)
    if not expected.get("others") and set(calls) - set(expected["calls"]):
        return False
    return all(_went(call, calls.get(call_id, [])) for call_id, call in expected["calls"].items())


def _went(expected: Any, told: list[InboundCall]) -> bool:
    # One telephone of several that rang may end before another answers.
    of_all = [part for part in told if part.step != CallStep.ENDED or not part.leg]
    steps = list(dict.fromkeys(part.step.value for part in of_all))
    for step in expected["steps"]:
        if steps and steps[0] == step.rstrip("?"):
            del steps[0]
        elif not step.endswith("?"):
            return False
    numbers = {part.claim.value for part in told if part.claim}
    answered = [part.agent or "" for part in told if part.step == CallStep.ANSWERED]
    return (
        not steps
        and numbers == ({expected["number"]} - {""} if "number" in expected else numbers)
        and any(part.outgoing for part in told) == expected.get("outgoing", any(p.outgoing for p in told))
        and ("agent" not in expected or any(expected["agent"] in agent for agent in answered))
    )


def _words(thing: Any) -> Iterator[str]:
    if isinstance(thing, Enum):
        yield str(thing.value)
    elif isinstance(thing, str):
        yield thing
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield from (*_words(key), *_words(value))
    elif isinstance(thing, list | tuple):
        for one in thing:
            yield from _words(one)
    elif dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            yield from _words(getattr(thing, field.name))


def unstorable(part: Part) -> str | None:
    """Why the database would not take it."""
    for said in _words(part):
        if "\x00" in said:
            return "NUL"
        if any("\ud800" <= letter <= "\udfff" for letter in said):
            return "half a letter"
    for name in ("external_id", "call_id"):
        if name in (stated := vars(part)) and not 0 < len(stated[name]) <= LONGEST_ID:
            return f"{name} of {len(stated[name])} letters"
    if (at := vars(part).get("at")) is not None and at.tzinfo is None:
        return "a time without a zone"
    return None
