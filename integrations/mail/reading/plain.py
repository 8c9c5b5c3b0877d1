"""Plain text as its writer meant it: lines joined that a program broke, and files taken out."""

import binascii
import re
from collections.abc import Iterator
from itertools import groupby

MOST_FILES = 100

_BEGIN = re.compile(r"begin [0-7]{3,4} (\S[^\n]{0,200})")


def unflowed(text: str, *, delsp: bool) -> str:
    """Joins the lines of format=flowed (RFC 3676): a line that ends in a space goes on in the next, if as deeply quoted."""
    lines = [_quoted(line) for line in text.split("\n")]
    out = []
    for depth, group in groupby(lines, key=lambda line: line[0]):
        mark = ">" * depth + " " if depth else ""
        pieces: list[str] = []
        for _, line in group:
            if line == "-- ":  # what follows is a signature
                out += _joined(mark, pieces)
                out.append(mark + line)
                pieces = []
            elif line.endswith(" "):
                pieces.append(line[:-1] if delsp else line)
            else:
                out += [mark + "".join([*pieces, line])]
                pieces = []
        out += _joined(mark, pieces)
    return "\n".join(out)


def _quoted(line: str) -> tuple[int, str]:
    bare = line.lstrip(">")
    return len(line) - len(bare), bare.removeprefix(" ")


def _joined(mark: str, pieces: list[str]) -> list[str]:
    return [mark + "".join(pieces).rstrip(" ")] if pieces else []


def without_files(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Files that were written into a text by uuencode (`begin 644 name` … `end`), and the text without them."""
    if "begin " not in text:
        return text, []
    left: list[str] = []
    files: list[tuple[str, bytes]] = []
    lines = text.split("\n")
    position = 0
    while position < len(lines):
        begun = _BEGIN.fullmatch(lines[position].rstrip("\r"))
        ended = _end_of_file(lines, position + 1) if begun and len(files) < MOST_FILES else None
        if begun and ended:
            files.append((begun[1].strip(), b"".join(_decoded(lines[position + 1 : ended]))))
            position = ended + 1
        else:
            left.append(lines[position])
            position += 1
    return "\n".join(left), files


def _end_of_file(lines: list[str], position: int) -> int | None:
    """The line `end`, if all before it are of a file, and there is one."""
    first = position
    while position < len(lines) and lines[position].strip() != "end":
        if not _is_of_file(lines[position].rstrip("\r")):
            return None
        position += 1
    return position if first < position < len(lines) else None


def _is_of_file(line: str) -> bool:
    if not line or line in ("`", " "):
        return True
    bytes_told = (ord(line[0]) - 32) & 63
    letters_needed = (bytes_told * 8 + 5) // 6
    return " " <= line[0] <= "`" and letters_needed <= len(line) - 1 + 3 and len(line) <= 90


def _decoded(lines: list[str]) -> Iterator[bytes]:
    for line in lines:
        written = line.rstrip("\r").encode("ascii", "replace")
        if not written:
            continue
        try:
            yield binascii.a2b_uu(written)
        except binascii.Error:
            needed = (((written[0] - 32) & 63) * 4 + 5) // 3  # some programs write what is left of a triple
            try:
                yield binascii.a2b_uu(written[:needed])
            except binascii.Error:
                continue
