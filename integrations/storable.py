"""Words from outside, as the database takes them."""

from typing import Any


def storable(said: Any) -> str:
    """Without NUL and halves of letters; "" of nothing."""
    return "" if said is None else str(said).replace("\x00", "").encode("utf-8", "ignore").decode()
