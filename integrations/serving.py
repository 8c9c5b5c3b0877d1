"""A stored file as a browser gets it: photos are shown, everything else is saved, whatever it says it is."""

from urllib.parse import quote

from starlette.responses import Response

SHOWN = {"image/jpeg", "image/png", "image/gif", "image/webp"}

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, max-age=600",
}


def served(content: bytes, *, name: str, mime: str) -> Response:
    shown = mime in SHOWN
    return Response(
        content,
        media_type=mime if shown else "application/octet-stream",
        headers=HEADERS | {"Content-Disposition": named(name, inline=shown)},
    )


def named(name: str, *, inline: bool) -> str:
    return f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{quote(name.replace('/', '_'))}"
