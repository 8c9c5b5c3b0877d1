"""The explorer: GraphiQL behind a sign-in form, every byte of it from this folder.

`page` answers `GET /graphql` in a browser; `routes` serve what the page names, under `/explorer/`. The samples come from
docs/operations.
LICENSES.txt says which of the files are GraphiQL and React, and what was changed in them.
"""

import gzip
import json
import re
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.explorer.samples import samples

FOLDER = Path(__file__).parent
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}


@dataclass(frozen=True)
class Asset:
    media_type: str
    content: bytes

    @cached_property
    def version(self) -> str:
        return sha256(self.content).hexdigest()[:16]

    @cached_property
    def zipped(self) -> bytes:
        return gzip.compress(self.content, mtime=0)


@cache
def assets() -> dict[str, Asset]:
    """By name; read when somebody first opens the explorer."""
    found = {
        path.name: Asset(TYPES[path.suffix], path.read_bytes())
        for path in FOLDER.iterdir()
        if path.suffix in TYPES
    }
    said = json.dumps([asdict(one) for one in samples()]).encode()
    return found | {"samples.json": Asset("application/json", said)}


def with_versions(html: str) -> str:
    """`/explorer/a.js` becomes `/explorer/a.js?v=<hash>`, so that it may be cached for good."""
    return re.sub(r"/explorer/([\w.-]+)", lambda found: f"{found[0]}?v={assets()[found[1]].version}", html)


@cache
def index() -> str:
    return with_versions((FOLDER / "index.html").read_text(encoding="utf-8"))


async def page(request: Request) -> Response:
    return Response(
        index(),
        media_type="text/html",
        headers={
            "Content-Security-Policy": content_security_policy(request.headers.get("host", "")),
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "DENY",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-cache",
            "Vary": "Accept, Host",
        },
    )


def content_security_policy(host: str) -> str:
    # 'self' covers the socket in today's browsers; Safari before 15.4 wants its address by name.
    # The hash is the one <style> element GraphiQL makes: react-remove-scroll's, while a dialog or menu is open.
    sockets = f" ws://{host} wss://{host}" if re.fullmatch(r"[\w.:\[\]-]+", host, re.ASCII) else ""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self' 'sha256-nzTgYzXYDNe6BAHiiI7NNlfK8n/auuOAhh2t92YvuXo='",
            "img-src 'self' data:",
            f"connect-src 'self'{sockets}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


async def serve(request: Request) -> Response:
    asset = assets().get(request.path_params["file"])
    if asset is None:
        return Response("Not found", status_code=404, media_type="text/plain")
    named = request.query_params.get("v") == asset.version
    headers = {
        "ETag": f'W/"{asset.version}"',
        "Cache-Control": "public, max-age=31536000, immutable" if named else "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    if asset.version in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.zipped, media_type=asset.media_type, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)


routes = [Route("/explorer/{file}", serve)]
