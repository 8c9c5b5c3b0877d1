"""Tags are the same however somebody types them: in capitals, with blanks around, an accent written as a letter of its own."""

import unicodedata
from collections.abc import Iterable

LONGEST = 100
"""Letters of one that is put on a ticket."""


def kept(tags: Iterable[str]) -> list[str]:
    """As they are kept and compared, each once; one without a letter is kept empty."""
    return list(dict.fromkeys(unicodedata.normalize("NFC", tag.strip()).casefold() for tag in tags))
