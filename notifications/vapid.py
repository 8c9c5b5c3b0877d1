"""The key pair by which push services know this Heddle (RFC 8292).

A browser's subscription holds for this one pair, so it stays as long as the database.
"""

import base64
from dataclasses import dataclass

from cryptography.fernet import InvalidToken
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy.ext.asyncio import AsyncSession

from domain.keys import Keys
from domain.operations.installation import keep_vapid, sealed_vapid
from domain.settings import WrongSetting
from notifications.settings import NotificationSettings

CURVE = ec.SECP256R1()


@dataclass(frozen=True)
class VapidKey:
    private: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> str:
        """What a browser's `applicationServerKey` takes: the uncompressed point as base64url."""
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return base64.urlsafe_b64encode(point).decode().rstrip("=")


async def vapid_key(session: AsyncSession, keys: Keys) -> VapidKey:
    """Made when first asked for; of several who make one at once, all get the first."""
    sealed = await sealed_vapid(session) or await keep_vapid(session, _new(keys))
    try:
        kept = keys.decrypt(sealed)
    except InvalidToken:
        raise WrongSetting(
            "HEDDLE_SECRET_KEY is wrong: it does not open the key of Web Push in this database; "
            "add the one that key was made with, behind a comma."
        ) from None
    return VapidKey(ec.derive_private_key(int(kept["private"], 16), CURVE))


def _new(keys: Keys) -> bytes:
    return keys.encrypt({"private": f"{ec.generate_private_key(CURVE).private_numbers().private_value:x}"})


def vapid_subject(settings: NotificationSettings, *, base_url: str, mail_from: str) -> str:
    """Where push services reach the operator."""
    return settings.vapid_subject or (base_url if base_url.startswith("https://") else f"mailto:{mail_from}")
