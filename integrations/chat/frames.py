"""What a frame is, and how one is refused: by a code that stands in `docs/channels/chat.md`."""

import unicodedata
from typing import Any

import orjson

from integrations.storable import storable

Frame = dict[str, Any]

LARGEST_FRAME = 64 * 1024
LONGEST_TEXT = 8000
_REORDERS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

STATUS = {
    "no_session": 401,
    "origin": 403,
    "identify_first": 403,
    "no_channel": 404,
    "no_file": 404,
    "no_survey": 404,
    "id_reused": 409,
    "survey_over": 410,
    "too_large": 413,
    "too_fast": 429,
    "too_many_messages": 429,
    "too_many_files": 429,
    "too_many_bytes": 429,
    "too_many_ratings": 429,
    "too_many_sessions": 429,
    "too_many_streams": 429,
}
"""By code, where a refusal answers a request; 400 for all others."""


class BadFrame(Exception):
    def __init__(self, code: str, message: str, **said: Any) -> None:
        super().__init__(message)
        self.code = code
        self.said = said

    @property
    def status(self) -> int:
        return STATUS.get(self.code, 400)

    def frame(self) -> Frame:
        return {"type": "error", "code": self.code, "message": str(self), **self.said}


def read_frame(text: str | bytes) -> Frame:
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        frame = None
    if not isinstance(frame, dict):
        raise BadFrame("not_json", "a frame is one JSON object")
    return frame


def message_id(frame: Frame) -> str:
    id = frame.get("id")
    if not isinstance(id, str) or not 0 < len(id) <= 64 or not id.isprintable():
        raise BadFrame("bad_id", "a message has an id of its own, at most 64 characters")
    return id


def message_text(frame: Frame, *, may_be_empty: bool) -> str:
    text = frame.get("text", "" if may_be_empty else None)
    if not isinstance(text, str) or not (text.strip() or may_be_empty):
        raise BadFrame("empty", "a message has a text")
    if len(text) > LONGEST_TEXT:
        raise BadFrame("too_long", f"a text has at most {LONGEST_TEXT} characters")
    return text


def whole_number(frame: Frame, name: str, otherwise: int | None = None) -> int:
    value = frame.get(name, otherwise)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise BadFrame("bad_number", f"{name} is a whole number")
    return value


def one_line(value: Any, longest: int) -> str:
    """What was said, as it can be shown in one line, in the order of its letters; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    letters = (letter for letter in value if letter not in _REORDERS)
    shown = (" " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter for letter in letters)
    return " ".join(storable("".join(shown)).split())[:longest]
