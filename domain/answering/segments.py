"""Of how many text messages a text is made: what it costs, said before it is sent.

Letters of the GSM 03.38 alphabet take a septet, those of its extension two; any other letter makes the whole text UCS-2. A
letter is never divided between two segments. Source: 3GPP TS 23.038, TS 23.040.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class SmsEncoding(StrEnum):
    GSM_7 = "gsm_7"
    UCS_2 = "ucs_2"


_PLAIN = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")

ALONE = {SmsEncoding.GSM_7: 160, SmsEncoding.UCS_2: 70}
OF_SEVERAL = {SmsEncoding.GSM_7: 153, SmsEncoding.UCS_2: 67}
"""A header takes the rest."""


@dataclass(frozen=True)
class Segments:
    encoding: SmsEncoding
    count: int
    left: int
    """Units that still go into the last one: septets, or halves of UTF-16."""
    because_of: str = ""
    """The first letter that is none of GSM 03.38."""


def segments_of(text: str) -> Segments:
    foreign = next((letter for letter in text if letter not in _PLAIN and letter not in _EXTENDED), "")
    encoding = SmsEncoding.UCS_2 if foreign else SmsEncoding.GSM_7
    size = _halves if foreign else _septets
    units = sum(map(size, text))
    if units <= ALONE[encoding]:
        return Segments(encoding, 1 if text else 0, ALONE[encoding] - units, foreign)
    count, left = _filled(text, size, OF_SEVERAL[encoding])
    return Segments(encoding, count, left, foreign)


def _filled(text: str, size: Callable[[str], int], room: int) -> tuple[int, int]:
    count, left = 1, room
    for letter in text:
        needs = size(letter)
        if needs > left:
            count, left = count + 1, room
        left -= needs
    return count, left


def _septets(letter: str) -> int:
    return 2 if letter in _EXTENDED else 1


def _halves(letter: str) -> int:
    return 2 if ord(letter) > 0xFFFF else 1
