"""JSON objects as providers send them."""

import json
from typing import Any

import orjson


def object_of(raw: bytes) -> dict[str, Any]:
    """Half of an emoji, where somebody cut it in two, is no reason to lose the rest: it becomes a question mark.

    Raises ValueError for what is no JSON object.
    """
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            said = orjson.loads(json.dumps(json.loads(raw), ensure_ascii=False).encode("utf-8", "replace"))
        except RecursionError:
            raise ValueError("nested too deep") from None
    if not isinstance(said, dict):
        raise ValueError("the body is not a JSON object")
    return said
