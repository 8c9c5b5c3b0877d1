"""`/auth/password`: where the link of an invitation or of a reset leads. The page asks for a password and calls the API."""

from html import escape
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domain.agents.passwords import SHORTEST
from domain.languages import N_, preferred_language, translate

FOLDER = Path(__file__).parent
PAGE = Template((FOLDER / "page.html").read_text(encoding="utf-8"))
SCRIPT = (FOLDER / "password.js").read_bytes()

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Vary": "Accept-Language",
}


async def page(request: Request) -> Response:
    locale = preferred_language(request.headers.get("accept-language", ""))
    words = {
        "needs_script": translate(locale, N_("This page needs JavaScript.")),
        "title": translate(locale, N_("Choose a password")),
        "label": translate(locale, N_("New password, at least {count} characters"), count=SHORTEST),
        "button": translate(locale, N_("Save the password")),
        "done": translate(locale, N_("The password is saved. You can sign in with it now.")),
        "sign_in": translate(locale, N_("Sign in")),
        "failed": translate(locale, N_("That did not work: are you online?")),
    }
    shown = PAGE.substitute(
        {name: escape(word) for name, word in words.items()}, lang=locale, shortest=SHORTEST
    )
    return Response(shown, media_type="text/html", headers=HEADERS)


async def script(request: Request) -> Response:
    return Response(SCRIPT, media_type="text/javascript", headers=HEADERS)


routes = [Route("/auth/password", page, methods=["GET"]), Route("/auth/password.js", script, methods=["GET"])]
