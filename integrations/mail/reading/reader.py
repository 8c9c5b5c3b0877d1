"""Mails are read in processes of their own (`integrations/children.py`).

    mail = read(raw)

It may be called from any thread. A mail that its child did not survive is shown raw; that look, too, a child takes.
"""

import atexit
import pickle

from integrations import children
from integrations.children import Died, Limits
from integrations.mail.reading import parse
from integrations.mail.reading.parse import Mail, Unreadable
from integrations.mail.reading.parts import MOST_HEADER_BYTES

TRIES = 2


class Children(children.Children):
    """Three times the seconds of a mail are less than the lease of an arrival."""

    def __init__(self, most: int = 2, limits: Limits | None = None) -> None:
        super().__init__(__spec__.name, most, limits)

    def read(self, raw: bytes) -> Mail:
        """Raises Unreadable for what cannot even be shown raw."""
        reason = ""
        for _ in range(TRIES):
            try:
                return self._read(raw, "")
            except Died as death:
                reason = str(death)
                if death.by_question:
                    break
        try:
            return self._read(raw[:MOST_HEADER_BYTES], reason)
        except Died:
            raise Unreadable(reason) from None

    def _read(self, raw: bytes, reason: str) -> Mail:
        answer: Mail | Unreadable = pickle.loads(self.ask(reason.encode(), raw))
        if isinstance(answer, Unreadable):
            raise answer
        return answer


CHILDREN = Children()
read = CHILDREN.read
atexit.register(CHILDREN.close)


# The child


def _answer(reason: bytes, raw: bytes) -> bytes:
    return pickle.dumps(_mail(raw, reason.decode()), pickle.HIGHEST_PROTOCOL)


def _mail(raw: bytes, reason: str) -> Mail | Unreadable:
    try:
        if not reason:
            try:
                return parse.read(raw)
            except Unreadable as unreadable:
                reason = unreadable.reason
            except MemoryError:
                raise
            except Exception as failure:
                reason = f"it could not be read ({type(failure).__name__})"
        return parse.read_raw(raw, reason)
    except Unreadable as unreadable:
        return unreadable


if __name__ == "__main__":
    children.serve(_answer, pieces=2)
