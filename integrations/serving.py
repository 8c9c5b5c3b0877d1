"""A stored file as a browser gets it: photos are shown, everything else is saved, whatever it says it is."""

from datetime import datetime
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from domain.desk.files import Files

SHOWN = {"image/jpeg", "image/png", "image/gif", "image/webp"}
ANYTHING = "application/octet-stream"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, max-age=600",
}


async def stored(files: Files, key: str, *, name: str, mime: str, at: datetime) -> Response:
    """From where it lies, or sent on to there, where it is always saved: no header of ours goes along."""
    elsewhere = files.download(
        key, type=mime if mime in SHOWN else ANYTHING, disposition=named(name, inline=False), at=at
    )
    if elsewhere:
        return RedirectResponse(elsewhere, 302, headers={**HEADERS, "Cache-Control": "no-store"})
    return served(await files.get(key), name=name, mime=mime)


def served(content: bytes, *, name: str, mime: str, inline: bool = True) -> Response:
    shown = inline and mime in SHOWN
    return Response(
        content,
        media_type=mime if shown else ANYTHING,
        headers=HEADERS | {"Content-Disposition": named(name, inline=shown)},
    )


def named(name: str, *, inline: bool) -> str:
    return f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{quote(name.replace('/', '_'))}"
