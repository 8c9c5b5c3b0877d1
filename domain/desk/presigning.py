"""A link to something in S3 that is true for a while: signature version 4 in the query, nothing of the body signed.

obstore signs, too, but neither what the answer is to be called nor how long what is sent may be. Source:
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit


@dataclass(frozen=True)
class Credentials:
    key_id: str
    secret: str
    region: str


def presigned(
    method: str,
    url: str,
    credentials: Credentials,
    *,
    at: datetime,
    lives: timedelta,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> str:
    """`url` without a query. `headers`, by small names: whoever uses the link has to send the same."""
    parts = urlsplit(url)
    moment = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{credentials.region}/s3/aws4_request"
    signed = {**(headers or {}), "host": parts.netloc}
    said = {
        **(query or {}),
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{credentials.key_id}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(int(lives.total_seconds())),
        "X-Amz-SignedHeaders": ";".join(sorted(signed)),
    }
    path = quote(parts.path or "/", safe="/~")
    written = "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in sorted(said.items()))
    told = "".join(f"{name}:{signed[name].strip()}\n" for name in sorted(signed))
    request = "\n".join((method, path, written, told, said["X-Amz-SignedHeaders"], "UNSIGNED-PAYLOAD"))
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{credentials.secret}".encode()
    for step in (moment[:8], credentials.region, "s3", "aws4_request"):
        key = _mac(key, step)
    signature = _mac(key, "\n".join(("AWS4-HMAC-SHA256", moment, scope, digest))).hex()
    return f"{parts.scheme}://{parts.netloc}{path}?{written}&X-Amz-Signature={signature}"


def _escaped(text: str) -> str:
    return quote(text, safe="~")


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
