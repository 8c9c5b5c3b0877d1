"""The shop's own website, on an origin of its own: a page with the chat on it, and customers who sign in there."""

import secrets
import time
from importlib.resources import files
from typing import Any

import jwt

from demo.farends.server import Answer, HttpFarEnd, Request

KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
FILES = {
    f"/{file.name}": (KINDS[file.name.rpartition(".")[2]], file.read_bytes())
    for file in files("demo").joinpath("chat").iterdir()
    if file.is_file()
}
HEDDLE = b"http://localhost:8000"
"""Where the page believes Heddle to be, as it lies in the folder."""

COOKIE = "potter_customer"
IDENTITY_SECONDS = 300


class Website(HttpFarEnd):
    def __init__(self, heddle: str, channel: str, identity_key: str) -> None:
        self._heddle = heddle
        self._channel = channel
        self._key = identity_key
        self._ada = secrets.token_urlsafe()

    @property
    def origin(self) -> str:
        return self.url.replace("127.0.0.1", "localhost")

    def identity(self, *, sub: str, email: str, name: str) -> str:
        """The shop's word on who is signed in at its website, for five minutes."""
        claims = {
            "sub": sub,
            "email": email,
            "email_verified": True,
            "name": name,
            "aud": self._channel,
            "exp": int(time.time()) + IDENTITY_SECONDS,
        }
        return jwt.encode(claims, self._key, algorithm="HS256")

    def seen(self) -> dict[str, Any]:
        return {"heddle": self._heddle}

    def answer(self, request: Request) -> Answer:
        signed_in = f"{COOKIE}={self._ada}" in request.headers.get("cookie", "")
        match request.method, request.path:
            case "POST", "/sign-in":
                return _go_home(f"{COOKIE}={self._ada}; Path=/; HttpOnly; SameSite=Lax")
            case "POST", "/sign-out":
                return _go_home(f"{COOKIE}=; Path=/; Max-Age=0")
            case "GET", "/identity" if signed_in:
                ada = self.identity(sub="customer-42", email="ada@example.org", name="Ada")
                return Answer({"token": ada}, headers={"Cache-Control": "no-store"})
            case "GET", "/identity":
                return Answer(b"", 204, {"Cache-Control": "no-store"})
            case "GET", path:
                return self._file("/index.html" if path == "/" else path)
        return Answer(b"", 405)

    def _file(self, path: str) -> Answer:
        if path not in FILES:
            return Answer(b"There is no such page.", 404)
        kind, content = FILES[path]
        return Answer(
            content.replace(HEDDLE, self._heddle.encode()),
            headers={
                "Content-Type": kind,
                "Content-Security-Policy": self._policy(),
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-cache",
            },
        )

    def _policy(self) -> str:
        """What a shop's own policy has to let the chat do: reach Heddle, and nothing else."""
        socket = self._heddle.replace("http", "ws", 1)
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; "
            f"connect-src 'self' {self._heddle} {socket}; base-uri 'none'; frame-ancestors 'none'"
        )


def _go_home(cookie: str) -> Answer:
    return Answer(b"", 303, {"Location": "/", "Set-Cookie": cookie})
