"""Mails as nobody should send them, by a seed: the samples of the tests, damaged. And what reading them comes to."""

import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from integrations.children import Limits
from integrations.mail.reading.parse import Mail, Unreadable
from integrations.mail.reading.reader import Children

LONGEST = 3_000_000
SAMPLES = Path(__file__).parent.parent / "tests/integrations/mail/samples"
STRICT = Limits(cpu=1)
"""For an idle machine: a child counts whole seconds, with one it ends before two are over."""
# Reasons that are a mail's; of the others we are the cause.
EXPECTED = ("more than ", "parts nested deeper", "neither a header nor a text")

NASTY = (
    b"\0",
    b"\r",
    b"\n\n",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"=?utf-7?Q?+2AA-?=",
    b"=?utf-8?B?",
    b"=00=0D=0A",
    b"(" * 2_000,
    b'"' * 501,
    b"<" * 2_000,
    b"@" * 999,
    b";" * 5_000,
    b"begin 644 \xc3\xa9.bin\n",
    b"-----BEGIN PGP SIGNED MESSAGE-----\n\n",
    b"Message-ID: <\xc5\x82@example.org>\n",
    b"\x78\x9f\x3e\x22",
    b"<div>" * 3_000,
    b"&#0;&#xD800;",
    b"From: ",
    b"--",
)
CHARSETS = (
    b"utf-8", b"utf-7", b"utf-16", b"utf-32", b"punycode", b"idna", b"iso-2022-jp", b"hz", b"gb18030", b"koi8-r",
    b"iso-8859-2", b"x-unknown", b"base64", b"rot13", b"zlib_codec", b"\xff", b"",
)  # fmt: skip
ENCODINGS = (b"base64", b"quoted-printable", b"8bit", b"7bit", b"x-uuencode", b"binary", b"")
TYPES = (
    b"text/plain; format=flowed; delsp=yes",
    b"text/html",
    b"text/calendar",
    b"application/ms-tnef; name=winmail.dat",
    b"message/rfc822",
    b"message/delivery-status",
    b"multipart/alternative; boundary=b",
    b"multipart/report; report-type=delivery-status; boundary=b",
    b"multipart/digest; boundary=b",
    b"/" * 200,
)
BOMBS = (
    b">" * 50,
    b"<b>",
    b"&amp;",
    b"=?utf-8?Q?a?= ",
    b"a@example.org, ",
    b"x\r\n",
    b"\xc5\x82",
    b"=\r\n",
    b"(",
    b'"\\',
)


def mails(seed: int, count: int) -> Iterator[bytes]:
    """The same seed gives the same mails."""
    samples = [path.read_bytes() for path in sorted(SAMPLES.glob("*.eml"))]
    for number in range(count):
        chance = random.Random(f"{seed}:{number}")
        raw = chance.choice(samples)
        for _ in range(chance.choice((1, 1, 2, 3, 8))):
            raw = chance.choice(DAMAGES)(raw, chance, samples)[:LONGEST]
        yield raw


def _flipped(raw: bytes, chance: random.Random, samples: list[bytes]) -> bytes:
    changed = bytearray(raw or b"\n")
    for _ in range(chance.choice((1, 5, 50))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _torn(raw: bytes, chance: random.Random, samples: list[bytes]) -> bytes:
    return raw[: chance.randrange(len(raw) + 1)]


def _without_a_piece(raw: bytes, chance: random.Random, samples: list[bytes]) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return raw[:at] + raw[at + chance.choice((1, 10, 500)) :]


def _spliced(raw: bytes, chance: random.Random, samples: list[bytes]) -> bytes:
    other = chance.choice(samples)
    return raw[: chance.randrange(len(raw) + 1)] + other[chance.randrange(len(other)) :]


def _headers_twice(raw: bytes, chance: random.Random, samples: list[bytes]) -> bytes:
    head, gap, rest = raw.partition(b"\n\n")
    lines = head.split(b"\n")
    chosen = chance.choice(lines)[:1_000]
    for _ in range(chance.choice((1, 3, 2_000))):
        lines.insert(chance.randrange(len(lines) + 1), chosen)
    return b"\n".join(lines) + gap + rest


def _boundaries_broken(raw: bytes, chance: random.Random, samples: list[bytes]) -> bytes:
    lines = raw.split(b"\n")
    for at, line in enumerate(lines):
        if line.startswith(b"--") and chance.random() < 0.5:
            lines[at] = chance.choice(
                (b"", line[:-1], line + b"--", line + b" ", line * 2, b"-" + line, line + b"\n" + line)
            )
    return b"\n".join(lines)


def _lied(raw: bytes, chance: random.Random, samples: list[bytes]) -> bytes:
    raw = re.sub(rb'charset="?[\w.-]+', lambda _: b"charset=" + chance.choice(CHARSETS), raw)
    raw = re.sub(rb"=\?[\w-]+\?", lambda _: b"=?" + chance.choice(CHARSETS) + b"?", raw)
    if chance.random() < 0.5:
        raw = re.sub(rb"Encoding:[^\n]*", lambda _: b"Encoding: " + chance.choice(ENCODINGS), raw)
    if chance.random() < 0.3:
        raw = re.sub(rb"Content-Type:[^\n]*", lambda _: b"Content-Type: " + chance.choice(TYPES), raw)
    return raw


def _nested(raw: bytes, chance: random.Random, samples: list[bytes]) -> bytes:
    depth = chance.choice((5, 49, 60, 500))
    kind = chance.choice((b"mixed", b"alternative", b"digest", b"related", b"report"))
    opened = b"".join(
        b"Content-Type: multipart/" + kind + b"; boundary=b%d\n\n--b%d\n" % (level, level)
        for level in range(depth)
    )
    return b"From: Eve <eve@example.net>\n" + opened + raw


def _repeated(raw: bytes, chance: random.Random, samples: list[bytes]) -> bytes:
    at = chance.randrange(len(raw) + 1)
    piece = chance.choice((raw[at : at + chance.choice((1, 20, 400))], chance.choice(BOMBS))) or b"\n"
    return raw[:at] + piece * (chance.choice((1_000, 30_000, 300_000, 1_500_000)) // len(piece)) + raw[at:]


def _spiked(raw: bytes, chance: random.Random, samples: list[bytes]) -> bytes:
    for _ in range(chance.choice((1, 4))):
        at = chance.randrange(len(raw) + 1)
        raw = raw[:at] + chance.choice(NASTY) + raw[at:]
    return raw


def _of_other_lines(raw: bytes, chance: random.Random, samples: list[bytes]) -> bytes:
    return raw.replace(b"\n", chance.choice((b"\r", b"\r\n", b"\n\r", b"\r\r\n")))


DAMAGES: tuple[Callable[[bytes, random.Random, list[bytes]], bytes], ...] = (
    _flipped, _torn, _without_a_piece, _spliced, _headers_twice, _boundaries_broken, _lied, _nested, _repeated, _spiked,
    _of_other_lines,
)  # fmt: skip


@dataclass
class Readings:
    outcomes: Counter[str] = field(default_factory=Counter)
    ours: list[tuple[int, str]] = field(default_factory=list)
    """The number of a mail over which we broke, and how."""
    slowest: float = 0.0
    """In seconds, waiting included."""
    took: float = 0.0


def read_all(seed: int, count: int, limits: Limits) -> Readings:
    """Each mail as the mailroom reads it, by as many children as there are processors."""
    hands = os.cpu_count() or 1
    children = Children(most=hands, limits=limits)
    readings, begun = Readings(), perf_counter()
    numbered = enumerate(mails(seed, count))

    def one(raw: bytes) -> tuple[str, str, float]:
        started = perf_counter()
        try:
            mail = children.read(raw)
            outcome, problem = str("raw" if mail.failed else mail.automatic), _problem(mail)
        except Unreadable as unreadable:
            outcome, problem = "unreadable", _unexpected(unreadable.reason)
        return outcome, problem, perf_counter() - started

    try:
        with ThreadPoolExecutor(hands) as pool:
            while batch := [numbered_mail for _, numbered_mail in zip(range(200), numbered, strict=False)]:
                for (number, _), (outcome, problem, took) in zip(
                    batch, pool.map(one, [raw for _, raw in batch]), strict=True
                ):
                    readings.outcomes[outcome] += 1
                    readings.slowest = max(readings.slowest, took)
                    if problem:
                        readings.ours.append((number, problem))
    finally:
        children.close()
    readings.took = perf_counter() - begun
    return readings


def _unexpected(reason: str | None) -> str:
    return "" if reason is None or reason.startswith(EXPECTED) else reason


def _problem(mail: Mail) -> str:
    if reason := _unexpected(mail.failed):
        return reason
    for text in _strings(mail):
        if "\0" in text:
            return "a NUL"
        try:
            text.encode()
        except UnicodeEncodeError:
            return "a surrogate"
    return ""


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _strings([*value, *value.values()])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
    elif is_dataclass(value):
        for one in fields(value):
            yield from _strings(getattr(value, one.name))
