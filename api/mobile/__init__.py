"""`/m/`: the pages for a phone's browser: one alert, one ticket, all of both, and the worker that shows pushes.

The pages are the same for everybody. What they show, their scripts ask `/graphql` for, with the browser's session.
"""

import json
from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.explorer import Asset
from api.house import House
from api.mobile.words import WORDS
from domain.ids import typed
from domain.languages import LANGUAGES, preferred_language, translate

LANGUAGE_COOKIE = "heddle_language"
"""Kept by a page for who has signed in there: until then it speaks the browser's language."""
FOLDER = Path(__file__).parent
TYPES = {".js": "text/javascript", ".css": "text/css", ".webmanifest": "application/manifest+json"}
PAGE, NO_SUCH = (
    Template((FOLDER / name).read_text(encoding="utf-8")) for name in ("page.html", "no_such.html")
)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}

assets = {
    path.name: Asset(TYPES[path.suffix], path.read_bytes())
    for path in FOLDER.iterdir()
    if path.suffix in TYPES
}


def routes(house: House) -> list[Route]:
    no_provider = "hidden" if house.settings.oidc_issuer is None else ""

    def one(kind: str) -> Callable[[Request], Awaitable[Response]]:
        async def page(request: Request) -> Response:
            named = typed(request.path_params["id"])
            if named and named[0] == kind.capitalize():
                return _page(request, PAGE, kind, no_provider=no_provider)
            return _page(request, NO_SUCH, kind, status=404)

        return page

    def all_of(kind: str) -> Callable[[Request], Awaitable[Response]]:
        async def page(request: Request) -> Response:
            return _page(request, PAGE, kind, no_provider=no_provider)

        return page

    return [
        Route("/m/a/{id}", one("alert"), methods=["GET"]),
        Route("/m/t/{id}", one("ticket"), methods=["GET"]),
        Route("/m/alerts", all_of("alerts"), methods=["GET"]),
        Route("/m/tickets", all_of("tickets"), methods=["GET"]),
        Route("/m/{file}", _asset, methods=["GET"]),
    ]


def _page(request: Request, page: Template, name: str, *, status: int = 200, **filled: str) -> Response:
    kept = request.cookies.get(LANGUAGE_COOKIE)
    locale = kept if kept in LANGUAGES else preferred_language(request.headers.get("accept-language", ""))
    words = {key: translate(locale, sentence) for key, sentence in WORDS.items()}
    shown = page.substitute(
        {key: escape(word) for key, word in words.items()},
        lang=locale,
        name=name,
        no_such=escape(words.get(f"no_such_{name}", "")),
        **filled,
        words=json.dumps(words, ensure_ascii=False).replace("<", "\\u003c"),
    )
    headers = {**HEADERS, "Vary": "Accept-Language, Cookie"}
    return Response(shown, status_code=status, media_type="text/html", headers=headers)


async def _asset(request: Request) -> Response:
    """The worker lies here too: its folder is its scope."""
    found = assets.get(request.path_params["file"])
    if found is None:
        return _unknown()
    headers = {**HEADERS, "ETag": f'"{found.version}"'}
    if found.version in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


def _unknown() -> Response:
    return Response("Not found", status_code=404, media_type="text/plain")
