"""DKIM (RFC 6376): the channel's signature over the very bytes that are sent."""

from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from domain.languages import N_
from integrations.keeping import WrongSetting

SMALLEST_KEY = 1024
"""Bits: below, receivers take a signature for none (RFC 8301)."""

SIGNED = (
    "From", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Reply-To", "MIME-Version",
    "Content-Type", "Content-Transfer-Encoding", "Content-Language", "Auto-Submitted",
)  # fmt: skip
ONCE_MORE = ("From", "To", "Subject", "Date", "Reply-To")
"""Signed once more than they are there: nobody can add a second one."""


def check_key(pem: str) -> None:
    """ValueError unless it is a key that we can sign with."""
    _key(pem)


def sign(raw: bytes, *, domain: str, selector: str, key: str, at: datetime) -> bytes:
    """The mail with its signature. The same mail is signed the same again: RSA adds nothing random, `at` is the mail's own."""
    signing = _as_of()(raw, linesep=b"\r\n")
    signing.moment = str(int(at.timestamp())).encode()
    there = {name.lower() for name, _ in signing.headers}
    names = [name.encode().lower() for name in SIGNED if name.encode().lower() in there]
    names += [name.encode().lower() for name in ONCE_MORE]
    header = signing.sign(
        selector.encode(),
        domain.encode(),
        _key(key),
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=names,
    )
    return bytes(header) + raw


@cache
def _as_of() -> Any:
    import dkim  # with all of DNS: only a channel that signs needs it

    class AsOf(dkim.DKIM):  # type: ignore[misc]
        """Signs as of a moment, where dkimpy takes the clock."""

        moment: bytes

        def gen_header(self, fields: list[tuple[bytes, bytes]], *others: Any, **more: Any) -> Any:
            fields = [(name, self.moment if name == b"t" else value) for name, value in fields]
            return super().gen_header(fields, *others, **more)

    return AsOf


@lru_cache(maxsize=64)
def _key(pem: str) -> bytes:
    """As PKCS#1, which dkimpy reads in every version."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise WrongSetting(N_("dkim_key is no private key in PEM without a password")) from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < SMALLEST_KEY:
        raise WrongSetting(N_("dkim_key should be an RSA key of at least {bits} bits"), bits=SMALLEST_KEY)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
