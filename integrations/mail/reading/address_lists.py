"""Addresses as headers hold them, with names, comments, groups and quotes; read in time that grows with the length and no faster."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from integrations.mail.reading.letters import Letters
from integrations.mail.reading.words import WORD, one_line, words

MOST_ADDRESSES = 1_000
# RFC 5321: 64 + 1 + 255. Longer ones break the index they are looked up in.
LONGEST_ADDRESS = 320
LONGEST_NAME = 200

QUOTED = r'[^"\\]*(?:\\.[^"\\]*)*'
_TOKEN = re.compile(
    rf'"(?P<quoted>{QUOTED})"?|<(?P<angle>[^<>]*)>?|(?P<mark>[(),;:])|(?P<plain>[^"<>(),;:=]+|.)', re.DOTALL
)
_IN_COMMENT = re.compile(r"[^()\\]+|\\.?|[()]", re.DOTALL)
_OUTSIDE = re.compile(rf'"{QUOTED}"|[^"(]+|.', re.DOTALL)
_BARE = re.compile(r'(?<![^\s<>"(),;:])[^\s<>"(),;:@]+@[^\s<>"(),;:@]+(?![^\s<>"(),;:])')
_ATOM = r'[^\s@,;:()<>\[\]\\"]+'
_PLAIN = re.compile(rf"{_ATOM}@{_ATOM}")
_QUOTED_LOCAL = re.compile(rf'"{QUOTED}"@{_ATOM}', re.DOTALL)


@dataclass(frozen=True)
class Address:
    name: str
    address: str
    """As written, with the domain in lower case."""


def is_plain(address: str) -> bool:
    """One address and nothing else, its local part not in quotes: nobody reads two addresses, or another, in it."""
    return _PLAIN.fullmatch(address) is not None and _fits(address)


def unquoted(text: str) -> str:
    """Without comments, and a `"` for each quoted string: nothing that others may have chosen. "" if one never ends."""
    out: list[str] = []
    position = 0
    while token := _OUTSIDE.match(text, position):
        position = token.end()
        match token[0]:
            case "(":
                _, position, closed = _comment(text, position)
                if not closed:
                    return ""
                out.append(" ")
            case '"':
                return ""
            case quoted if quoted.startswith('"'):
                out.append('"')
            case plain:
                out.append(plain)
    return "".join(out)


def addresses_in(text: str, letters: Letters) -> Iterator[Address]:
    name: list[str] = []
    bare: list[str] = []
    comment, angle, position = "", "", 0
    while token := WORD.match(text, position) or _TOKEN.match(text, position):
        start, position = token.span()
        kind = token.lastgroup or "word"
        match kind, token[0]:
            case "mark", "(":
                comment, position, _ = _comment(text, position)
            case "mark", ":":  # what stands before is the name of a group, or "mailto"
                name, bare = [], []
            case "mark", "," | ";":
                yield from _address(name, bare, comment, angle, letters)
                name, bare, comment, angle = [], [], "", ""
            case "angle", _:
                angle = angle or token["angle"]
            case "quoted", quoted if len(quoted) > 1 and quoted.endswith('"'):
                name.append(unescaped(token["quoted"]))
                bare.append('"')
            case "quoted", _:  # never closed: no quotes from here on
                text, position = text[:start] + text[start:].replace('"', " "), start
            case _:
                name.append(token[0])
                bare.append(token[0])
    yield from _address(name, bare, comment, angle, letters)


def _comment(text: str, position: int) -> tuple[str, int, bool]:
    """What stands in a comment that has been opened, where it ends, and whether it is closed."""
    start, depth = position, 1
    while depth and (token := _IN_COMMENT.match(text, position)):
        position = token.end()
        depth += (token[0] == "(") - (token[0] == ")")
    return text[start:position].removesuffix(")"), position, depth == 0


def _address(
    name: list[str], bare: list[str], comment: str, angle: str, letters: Letters
) -> Iterator[Address]:
    written = "".join(name)
    address = re.sub(r"^@[^:@<>]{1,255}(?:,@[^:@<>]{1,255}){0,9}:", "", angle.strip()).removeprefix("mailto:")
    if "@" not in address:
        # Not in brackets: the first thing that looks like an address, but never one that stands in quotes or in a
        # comment. `"ada@example.com"@evil.test` is not Ada.
        found = _BARE.search("".join(bare))
        if not found:
            return
        address = found[0].strip("'")
        written = written.replace(found[0], " ", 1)
    if is_plain(address) or (_QUOTED_LOCAL.fullmatch(address) and _fits(address)):
        local, _, domain = address.rpartition("@")
        label = one_line(words(written.strip() or comment, letters))
        label = re.sub(r"""^(["'])(.*)\1$""", r"\2", label)[:LONGEST_NAME].strip(" <>")
        yield Address("" if label == address else label, f"{local}@{domain.lower()}")


def _fits(address: str) -> bool:
    return len(address) <= LONGEST_ADDRESS and address.isprintable()


def unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)
