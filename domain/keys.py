"""What is signed and what is encrypted, with keys derived from HEDDLE_SECRET_KEY.

Several keys may be given, separated by commas: the first signs and encrypts, every one verifies and decrypts.
To rotate, put the new key first and run `heddle reseal`; drop the old one when what it signed has expired.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, MultiFernet

from domain.settings import DomainSettings, WrongSetting


class Keys:
    def __init__(self, secret: str) -> None:
        self._secrets = [part.strip().encode() for part in secret.split(",") if part.strip()]
        if not self._secrets or min(map(len, self._secrets)) < 32:
            raise WrongSetting("HEDDLE_SECRET_KEY is wrong: each key needs at least 32 characters.")
        self._fernet = MultiFernet(
            [Fernet(base64.urlsafe_b64encode(_derive(key, "encrypt"))) for key in self._secrets]
        )

    def sign(self, purpose: str, *words: object) -> str:
        """128 bits as 26 lower-case letters and digits: mail servers may change the case of an address."""
        return _signature(self._secrets[0], purpose, words)

    def signed(self, signature: str, purpose: str, *words: object) -> bool:
        given = signature.lower().encode()
        return any(
            hmac.compare_digest(_signature(key, purpose, words).encode(), given) for key in self._secrets
        )

    def encrypt(self, value: dict[str, Any]) -> bytes:
        return self._fernet.encrypt(json.dumps(value).encode())

    def renewed(self, sealed: bytes) -> bytes:
        """The same, encrypted with the first key."""
        return self._fernet.rotate(sealed)

    def decrypt(self, sealed: bytes) -> dict[str, Any]:
        return dict(json.loads(self._fernet.decrypt(sealed)))


def _derive(secret: bytes, purpose: str) -> bytes:
    return hmac.digest(secret, f"heddle/{purpose}".encode(), "sha256")


def _signature(secret: bytes, purpose: str, words: tuple[object, ...]) -> str:
    digest = hmac.digest(
        _derive(secret, purpose), json.dumps([str(word) for word in words]).encode(), "sha256"
    )
    return base64.b32encode(digest[:16]).decode().rstrip("=").lower()


def open_keys(settings: DomainSettings) -> Keys:
    """The keys of the settings; made on first start in the data folder when the database is embedded."""
    if settings.secret_key:
        return Keys(settings.secret_key)
    if settings.database_url:
        raise WrongSetting(
            "HEDDLE_SECRET_KEY is missing: with HEDDLE_DATABASE_URL set, every process needs the same key."
        )
    file = settings.data / "secret_key"
    kept = _kept(file)
    if not kept:
        raise WrongSetting(f"{file} is empty: put the secret key there that was used here before.")
    return Keys(kept)


def _kept(file: Path) -> str:
    if not file.exists():
        _make(file)
    return file.read_text().strip()


def _make(file: Path) -> None:
    """Whole or not at all: the disk may be full, and a worker may start at the same moment."""
    unborn = file.with_name(f"secret_key.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(unborn, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(48))
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):  # the other one was first
            os.link(unborn, file)
    except OSError as failure:
        raise WrongSetting(f"The secret key cannot be kept in {file}: {failure.strerror}.") from None
    finally:
        unborn.unlink(missing_ok=True)


def new_token(prefix: str = "") -> str:
    return prefix + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
