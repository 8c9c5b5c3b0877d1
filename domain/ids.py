"""Public ids: opaque, and they know their type, so that an id of one thing never finds another."""

import base64
import binascii
import uuid

from domain.errors import NotFound

_URLSAFE = bytes.maketrans(b"+/", b"-_")


def public_id(typename: str, id: uuid.UUID | int) -> str:
    """As `base64.urlsafe_b64encode`, which copies more; a page makes a hundred."""
    said = binascii.b2a_base64(f"{typename}:{id}".encode(), newline=False)
    return said.translate(_URLSAFE, b"=").decode()


def row_id(typename: str, id: str, *, field: str = "id") -> uuid.UUID:
    """The row's own id; what is no id of this type does not exist."""
    named, value = typed(id) or ("", None)
    if named != typename or value is None:
        raise NotFound(field=[field])
    return value


def typed(id: str) -> tuple[str, uuid.UUID] | None:
    """The type's name and the row's id; none of what is no id of a row."""
    try:
        named, _, value = base64.urlsafe_b64decode(id + "=" * (-len(id) % 4)).decode().partition(":")
        return named, uuid.UUID(value)
    except (binascii.Error, ValueError):
        return None
