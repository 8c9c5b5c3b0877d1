"""The shop of the demo: Heddle in a folder of its own, the far ends around it, all set up by the command line."""

import asyncio
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from demo.farends import FcmStandIn, GraphStandIn, SmtpSink
from demo.website import Website

ADDRESS = "help@shop.example"
RELAY = "mx.shop.example"
"""The host that takes the shop's mail from the world, checks it, and hands it to Heddle."""

MAIL, CHAT, PAGE, LINE = "help", "chat", "page", "line"
"""The channels' names in the addresses of Heddle's doors."""

HEDDLE = (sys.executable, "-m", "api.cli")
LONGEST_START = 60.0
LONGEST_CALL = 40.0
LONGEST_FAREWELL = 15.0


class CannotOpen(Exception):
    """One sentence, and what the program said."""


@dataclass(frozen=True)
class Secrets:
    """Made up anew for each demo."""

    mia: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    ben: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    chat_identity: str = field(default_factory=lambda: secrets.token_hex(32))
    page_token: str = field(default_factory=lambda: secrets.token_hex(16))
    app_secret: str = field(default_factory=lambda: secrets.token_hex(16))
    verify_token: str = field(default_factory=lambda: secrets.token_hex(8))
    phone: str = field(default_factory=lambda: secrets.token_hex(16))


@dataclass
class Shop:
    port: int
    smtp_port: int
    folder: Path
    secrets: Secrets
    graph: GraphStandIn
    fcm: FcmStandIn
    sink: SmtpSink
    website: Website
    page_id: str = "10200000000001042"
    number: str = "+48 22 123 45 67"
    _server: Process | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def start(self) -> None:
        """`heddle serve`, until it is ready."""
        with self._log.open("wb") as log:
            self._server = await self._run("serve", "--port", str(self.port), stdout=log)
        async with asyncio.timeout(LONGEST_START), httpx.AsyncClient(trust_env=False) as http:
            while True:
                if self._server.returncode is not None:
                    raise CannotOpen(f"`heddle serve` ended with status {self._server.returncode}.")
                with suppress(httpx.HTTPError):
                    if (await http.get(f"{self.url}/readyz")).is_success:
                        return
                await asyncio.sleep(0.05)

    async def set_up(self, promise: int) -> None:
        """People, ways in, and a first reply within so many seconds: what an operator would type."""
        given = self.secrets
        calls = [
            self._add_agent("mia@shop.example", "Mia", "manager", given.mia),
            self._add_agent("ben@shop.example", "Ben", "agent", given.ben),
            self._add_channel("email", MAIL, address=ADDRESS, authserv_id=RELAY, relays="127.0.0.1"),
            self._add_channel("chat", CHAT, identity_key=given.chat_identity, origins=self.website.origin),
            self._add_channel(
                "messenger",
                PAGE,
                page_id=self.page_id,
                page_token=given.page_token,
                app_secret=given.app_secret,
                verify_token=given.verify_token,
            ),
            self._add_channel("phone", LINE, number=self.number, key=given.phone),
            self._heddle(
                "policy", *(f"{kind}={promise}s" for kind in ("email", "chat", "messenger", "phone"))
            ),
        ]
        try:
            async with asyncio.TaskGroup() as together:
                for call in calls:
                    together.create_task(call)
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def close(self) -> None:
        """Ends the server; its embedded PostgreSQL ends with it."""
        if self._server is None or self._server.returncode is not None:
            return
        self._server.terminate()
        try:
            await asyncio.wait_for(self._server.wait(), LONGEST_FAREWELL)
        except TimeoutError:
            self._server.kill()
            await self._server.wait()

    def log_tail(self, lines: int = 15) -> list[str]:
        return self._log.read_text(errors="replace").splitlines()[-lines:] if self._log.exists() else []

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    async def _add_agent(self, email: str, name: str, role: str, password: str) -> None:
        await self._heddle(
            "agent", "add", email, "--name", name, "--role", role, "--password-stdin", stdin=password
        )

    async def _add_channel(self, kind: str, slug: str, **settings: str) -> None:
        pairs = [f"{name}={value}" for name, value in settings.items()]
        await self._heddle("channel", "add", kind, "--name", slug.title(), "--slug", slug, *pairs)

    async def _heddle(self, *arguments: str, stdin: str = "") -> None:
        process = await self._run(*arguments, stdin=PIPE, stdout=PIPE)
        try:
            said, _ = await asyncio.wait_for(process.communicate(f"{stdin}\n".encode()), LONGEST_CALL)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise CannotOpen(f"`heddle {' '.join(arguments[:3])}` failed: {said.decode().strip()}")

    async def _run(self, *arguments: str, stdin: int = DEVNULL, stdout: int | IO[bytes]) -> Process:
        return await asyncio.create_subprocess_exec(
            *HEDDLE,
            *arguments,
            stdin=stdin,
            stdout=stdout,
            stderr=STDOUT,
            cwd=self.folder,  # where no .env of somebody else's lies
            env=self._environment(),
            start_new_session=True,  # Ctrl-C is for the story, which ends them in order
        )

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
        here = "127.0.0.1,localhost"
        return inherited | {
            "NO_PROXY": here,
            "no_proxy": here,
            "HEDDLE_DATA": str(self.folder),
            "HEDDLE_BASE_URL": self.url,
            "HEDDLE_SMTP_IN_PORT": str(self.smtp_port),
            "HEDDLE_SMTP_URL": f"smtp://{self.sink.host}:{self.sink.port}",
            "HEDDLE_GRAPH_URL": self.graph.url,
            "HEDDLE_FCM_URL": self.fcm.url,
            "HEDDLE_FCM_CREDENTIALS": str(self.folder / "firebase.json"),
            "HEDDLE_MEDIA_HOSTS": "127.0.0.1",
            "HEDDLE_UNDO_SECONDS": "0",
        }


@asynccontextmanager
async def shop_at(port: int) -> AsyncIterator[Shop]:
    """The far ends and an empty folder. Afterwards all that was started has ended, and the folder is gone."""
    _try(port)
    given = Secrets()
    with _own_folder() as folder:
        async with (
            GraphStandIn(given.page_token, given.app_secret) as graph,
            FcmStandIn() as fcm,
            SmtpSink() as sink,
            Website(f"http://localhost:{port}", CHAT, given.chat_identity) as website,
        ):
            (folder / "firebase.json").write_text(json.dumps(fcm.credentials))
            shop = Shop(port, _free_port(but=port), folder, given, graph, fcm, sink, website)
            try:
                yield shop
            finally:
                await shop.close()


def _try(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except (OSError, OverflowError) as problem:
        why = os.strerror(problem.errno or 0) if isinstance(problem, OSError) else "There is no such port"
        raise CannotOpen(f"Port {port} cannot be used ({why}): choose another with --port.") from None


def _free_port(*, but: int) -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port if port != but else _free_port(but=but)


@contextmanager
def _own_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="heddle-demo-")).resolve()
    folder.chmod(0o711)  # root's PostgreSQL runs as `nobody`, who has to pass through
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
