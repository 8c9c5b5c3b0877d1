"""The PostgreSQL server embedded by default, and how it lives. `data/postgres/` holds

cluster/       PostgreSQL's own files; `cluster.new` until they are whole
password       of the superuser `heddle`
log            what initdb, pg_ctl and the server say
socket/        unless its path would be too long or too odd: then /tmp/heddle-…
start.lock     held while somebody starts, adopts or stops the server
holders.lock   shared by all who use the server; who gets it alone is the last
server.lock    inherited by the server and by initdb: held exactly as long as one of their processes lives

As root, the server runs as the owner of `data/postgres`, or as `nobody` where that is root.
"""

import hashlib
import os
import re
import secrets
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from domain.operations import postgres_programs as programs
from domain.operations.postgres_programs import CannotStart

if sys.platform != "win32":
    import fcntl
    import pwd

SOCKET = ".s.PGSQL.5432"
PATIENCE = 60  # seconds, for a server that is on its way up or down
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "log",  # an ERROR is told to its client; here it would keep what people wrote
}
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def embedded(data: Path, *, durable: bool = True) -> Iterator[str]:
    """The address (SQLAlchemy, `postgresql+asyncpg://…`) of the server whose cluster lies in `data / "postgres"`;
    started if it is not running, adopted if it is, stopped when its last holder leaves. Blocks while it starts.

    `durable=False` is for data nobody will miss; a server already running keeps what it was started with.
    """
    if sys.platform == "win32":
        raise CannotStart("There is no embedded PostgreSQL on Windows: set HEDDLE_DATABASE_URL.")
    with _told_plainly(data):
        server = _prepare(data.resolve())
        holders = server.open("holders.lock")
    with holders:
        try:
            with _told_plainly(data), server.starting():
                fcntl.flock(holders, fcntl.LOCK_SH)
                address = server.find_or_start(durable)
            yield address
        finally:
            with server.starting():
                if not _is_held(holders):
                    server.stop()


@contextmanager
def _told_plainly(data: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotStart(f"PostgreSQL cannot work in {data}: {error}.") from error


def _prepare(data: Path) -> "_Server":
    home = data / "postgres"
    data.mkdir(mode=0o711, parents=True, exist_ok=True)
    home.mkdir(mode=0o700, exist_ok=True)
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        uid, gid = home.stat().st_uid, home.stat().st_gid
        if uid == 0:
            _, _, uid, gid, *_ = pwd.getpwnam("nobody")
            os.chown(home, 0, gid)
            home.chmod(0o710)
    server = _Server(home, uid, gid)
    if closed := programs.closed(home, server.uid, server.gid):
        raise CannotStart(
            f"PostgreSQL does not run as root, and the user it runs as cannot enter {closed}: "
            f"choose another folder with HEDDLE_DATA, or open this one with chmod o+x."
        )
    return server


def _is_held(lock: IO[bytes]) -> bool:
    """By somebody else; if not, it is ours now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


@dataclass(frozen=True)
class _Server:
    home: Path
    uid: int
    gid: int

    def open(self, name: str) -> IO[bytes]:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        descriptor = os.open(self.home / name, flags, mode=0o600)
        os.fchown(descriptor, self.uid, self.gid)
        return os.fdopen(descriptor, "a+b")

    @contextmanager
    def starting(self) -> Iterator[None]:
        with self.open("start.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def find_or_start(self, durable: bool) -> str:
        deadline = time.monotonic() + PATIENCE
        with self.open("server.lock") as alive:
            while (folder := self.answers_in()) is None:
                if not _is_held(alive):
                    self._start(alive, durable)
                elif time.monotonic() > deadline:
                    raise CannotStart(f"The PostgreSQL that runs in {self.cluster} does not answer.")
                time.sleep(0.01)
        password = (self.home / "password").read_text()
        return f"postgresql+asyncpg://heddle:{password}@/heddle?host={quote(folder)}"

    def answers_in(self) -> str | None:
        """The socket's folder. A copied cluster brings a `postmaster.pid` that speaks of the original."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
            _pid, cluster, _since, _port, folder, _host, _memory, status = lines
            if status.strip() != "ready" or not self.cluster.samefile(cluster):
                return None
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(f"{folder}/{SOCKET}")
        except (OSError, ValueError):
            return None
        return folder

    def stop(self) -> None:
        deadline = time.monotonic() + PATIENCE
        with self.open("server.lock") as alive:
            told = 0.0
            while _is_held(alive) and time.monotonic() < deadline:
                if time.monotonic() - told > 1:  # one that is only coming up does not hear the first time
                    told = time.monotonic()
                    with suppress(CannotStart):
                        self._run("pg_ctl", "stop", "-s", "-W", "-m", "fast")
                time.sleep(0.01)
        with suppress(OSError):
            self._socket_folder().rmdir()

    def _start(self, alive: IO[bytes], durable: bool) -> None:
        if not self.cluster.exists():
            self._make(alive, durable)
        folder = self._socket_folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (self.uid, os.geteuid()):
            raise CannotStart(f"{folder}, meant for PostgreSQL's socket, is somebody else's: remove it.")
        folder.chmod(0o700)
        os.chown(folder, self.uid, self.gid)
        # After a crash of the machine the process ids in these may be anybody's; as server.lock is ours, no server's.
        for stale in (self.cluster / "postmaster.pid", folder / f"{SOCKET}.lock"):
            stale.unlink(missing_ok=True)

        settings = SETTINGS | {"unix_socket_directories": str(folder)} | ({} if durable else CARELESS)
        options = shlex.join(f"--{name}={value}" for name, value in settings.items())
        # Ten minutes are for recovery after a crash: pg_ctl returns as soon as the server answers or fails.
        self._run("pg_ctl", "start", "-s", "-w", "-t", "600", "-o", options, pass_fds=[alive.fileno()])

    def _make(self, alive: IO[bytes], durable: bool) -> None:
        unborn = self.home / "cluster.new"
        shutil.rmtree(unborn, ignore_errors=True)
        unborn.mkdir(mode=0o700)
        os.chown(unborn, self.uid, self.gid)
        with self.open("password") as password:
            password.truncate(0)
            password.write(secrets.token_urlsafe(32).encode())
            password.flush()
            os.fsync(password.fileno())
        order = ["--username=heddle", "--auth=scram-sha-256", f"--pwfile={self.home / 'password'}"]
        order += ["--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions"]
        if (
            programs.version(self.binaries) >= 17
        ):  # plain C knows no letters beyond ASCII: lower('Ł') would be 'Ł'
            order += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        order += [] if durable else ["--no-sync"]
        heirs = {"pass_fds": [alive.fileno()]}  # should we be killed, the next waits for them to end
        self._run("initdb", "-D", unborn, *order, **heirs)
        alone = ("--single", "-D", unborn, "-c", "exit_on_error=on", "-c", "log_checkpoints=off")
        self._run("postgres", *alone, "postgres", input=b"create database heddle\n", **heirs)

        unborn.rename(self.cluster)
        home = os.open(self.home, os.O_RDONLY)
        os.fsync(home)  # the new name reaches the disk before the first row
        os.close(home)

    def _run(self, program: str, *arguments: str | Path, **options: Any) -> None:
        if os.geteuid() == 0:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        with self.open("log") as log:  # no pipes: the server would keep them open
            before = log.seek(0, os.SEEK_END)
            done = subprocess.run(
                [self.binaries / program, *arguments],
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "PGDATA": str(self.cluster)},
                umask=0o077,
                start_new_session=True,  # Ctrl-C in the terminal is ours, not the server's
                **options,
            )
            if done.returncode != 0:
                log.seek(before)
                last = " | ".join(log.read().decode(errors="replace").splitlines()[-5:])
                raise CannotStart(f"PostgreSQL's {program} failed; {self.home / 'log'} ends: {last}")

    @property
    def cluster(self) -> Path:
        return self.home / "cluster"

    def _socket_folder(self) -> Path:
        folder = self.home / "socket"
        # A comma or colon would split the address.
        if len(f"{folder}/{SOCKET}") < 100 and re.fullmatch(r"[\w./-]+", str(folder), re.ASCII):
            return folder
        return Path("/tmp", f"heddle-{hashlib.sha256(bytes(self.home)).hexdigest()[:16]}")

    @cached_property
    def binaries(self) -> Path:
        return programs.find(self.home, self.uid, self.gid)
