"""Webhooks that nobody signed: what an attacker makes of one that was."""

import random
from collections.abc import Iterator, Mapping

Posted = tuple[bytes, dict[str, str]]
"""A body and its headers."""


def forgeries(
    body: bytes, headers: Mapping[str, str], *, signed_by: str, count: int, seed: int
) -> Iterator[Posted]:
    """Another body under the same signature, or the same body under another: `signed_by` names the header."""
    chance = random.Random(seed)
    others = {name: value for name, value in headers.items() if name != signed_by}
    signature = headers[signed_by]
    made: set[tuple[bytes, str | None]] = {(body, signature)}
    while len(made) <= count:
        kinds: list[tuple[bytes, str | None]] = [
            (_changed(body, chance), signature),
            (body, _changed(signature.encode(), chance).decode("latin-1")),
            (body, signature[: chance.randrange(len(signature))]),
            (_changed(body, chance), None),
            (body, "".join(chance.choices("0123456789abcdef=,;v1t", k=chance.randrange(80)))),
        ]
        one = chance.choice(kinds)
        if one in made:
            continue
        made.add(one)
        yield one[0], others if one[1] is None else others | {signed_by: one[1]}


def _changed(given: bytes, chance: random.Random) -> bytes:
    """By one to three bytes, put in, taken out or written over; printable ones, so that it can be sent."""
    changed = bytearray(given)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(changed))
        letter = chance.randrange(33, 127)
        match chance.randrange(3):
            case 0:
                changed.insert(place, letter)
            case 1:
                del changed[place]
            case _:
                changed[place] = letter
    return bytes(changed) if bytes(changed) != given else given + b" "
