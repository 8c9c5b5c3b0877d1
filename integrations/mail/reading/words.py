"""The words of a header: what is written in other letters (RFC 2047), on one line."""

import binascii
import re

from integrations.mail.reading.letters import Letters, unbase64

# What is inside stops at the next "?=", which ends a word, and at the next "=?", which begins one.
WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?=]*(?:(?:\?(?!=)|=(?!\?[^=]))[^?=]*)*)\?=")


def words(text: str, letters: Letters) -> str:
    """Undoes RFC 2047. Neighbours of one charset are joined before they are decoded: a letter may be split."""
    out: list[str] = []
    charset, last = "", 0
    pieces: list[bytes] = []
    for word in WORD.finditer(text):
        between = text[last : word.start()]
        label = word[1].partition("*")[0].lower()
        if pieces and (label != charset or between.strip()):
            out.append(letters.decode(b"".join(pieces), charset))
            pieces = []
        if between.strip() or last == 0:
            out.append(between)
        payload = word[3].encode()
        pieces.append(unbase64(payload) if word[2] in "bB" else binascii.a2b_qp(payload, header=True))
        charset, last = label, word.end()
    if pieces:
        out.append(letters.decode(b"".join(pieces), charset))
    return "".join(out) + text[last:]


def one_line(text: str) -> str:
    """Without line breaks of any kind, control characters, and marks that turn the direction of a file name."""
    text = re.sub("[\u202a-\u202e\u2066-\u2069]", "", text)
    return " ".join(re.sub("[\0-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())
