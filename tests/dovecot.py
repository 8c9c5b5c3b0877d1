"""A real Dovecot as an ordinary process, with nothing of the system's touched: IMAP and LMTP on loopback."""

import asyncio
import grp
import itertools
import os
import pwd
import shutil
import signal
import smtplib
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from imapclient import IMAPClient

DOVECOT = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
DOVECONF = shutil.which("doveconf")
PASSWORD = "a password of the box"
PATIENCE = 10

with_dovecot = pytest.mark.skipif(
    (DOVECOT is None or DOVECONF is None) and not os.environ.get("CI"),  # there it is installed
    reason="no Dovecot here: apt-get install dovecot-imapd dovecot-lmtpd has one",
)

CONFIGURATION = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {me}
default_internal_group = {group}
default_login_user = {nobody}
first_valid_uid = 0
stats_writer_socket_path =
mail_location = maildir:{root}/mail/%n
mail_fsync = never
mailbox_idle_check_interval = 1 secs
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%n {root}/passwd
}}
userdb {{
  driver = static
  args = uid={owner} gid={owner_group} home={root}/mail/%n allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service auth {{
  user = {me}
}}
service auth-worker {{
  user = {me}
}}
"""


class Dovecot:
    """With a box for whatever name its users have; `passwords` says who may sign in."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: asyncio.subprocess.Process | None = None
        self._numbers = itertools.count(1)
        self.port, self._lmtp = _free_ports(2)
        me = pwd.getpwuid(os.getuid())
        # Dovecot delivers nothing as root, and its login process must not be root.
        self._owner = pwd.getpwnam("nobody") if me.pw_uid == 0 else me
        for folder in ("run", "state", "mail"):
            (root / folder).mkdir(mode=0o755)
        os.chown(root / "mail", self._owner.pw_uid, self._owner.pw_gid)
        self._file = root / "dovecot.conf"
        self._file.write_text(
            CONFIGURATION.format(
                root=root,
                me=me.pw_name,
                group=_group(me.pw_gid),
                nobody=self._owner.pw_name,
                owner=self._owner.pw_uid,
                owner_group=self._owner.pw_gid,
                imap=self.port,
                lmtp=self._lmtp,
            )
        )
        self.let_in("help")

    @property
    def url(self) -> str:
        return f"imap://127.0.0.1:{self.port}"

    def ask_for_tokens(self, introspection: str) -> None:
        """Before it starts: whoever signs in shows a token (XOAUTH2), about which it asks there."""
        asking = self._root / "oauth2"
        asking.write_text(
            f"introspection_mode = get\nintrospection_url = {introspection}?token=\n"
            "username_attribute = user\nactive_attribute = active\nactive_value = true\n"
        )
        passdb = f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2\n  args = {asking}\n}}\n"
        self._file.write_text(f"{self._file.read_text()}auth_mechanisms = xoauth2\n{passdb}")

    def let_in(self, *users: str, password: str = PASSWORD) -> None:
        (self._root / "passwd").write_text("".join(f"{user}:{{PLAIN}}{password}::::::\n" for user in users))

    async def start(self) -> None:
        assert DOVECOT
        assert DOVECONF
        self._process = await asyncio.create_subprocess_exec(
            *(DOVECONF, "-f", "service=master", "-c", str(self._file), "-m", "master", "-e"),
            *(DOVECOT, "-F", "-c", str(self._file)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        async with asyncio.timeout(PATIENCE):
            while not await asyncio.to_thread(self._answers):
                assert self._process.returncode is None, (self._root / "dovecot.log").read_text()
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """All of it at once, as when the power fails: those who serve a client outlive the master otherwise."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    def deliver(self, raw: bytes, *, to: str = "help") -> None:
        """As a mail server does."""
        with smtplib.LMTP("127.0.0.1", self._lmtp) as lmtp:
            lmtp.sendmail("ada@example.org", [f"{to}@shop.example"], raw)

    def put(self, *mails: bytes, to: str = "help", days_ago: float = 0) -> None:
        """Straight into the box, which is quicker; without headers of delivery."""
        box = self._root / "mail" / to
        for folder in (box, box / "cur", box / "new", box / "tmp"):
            folder.mkdir(mode=0o755, exist_ok=True)
            os.chown(folder, self._owner.pw_uid, self._owner.pw_gid)
        for raw in mails:
            name = f"{next(self._numbers):09}.test"
            (box / "tmp" / name).write_bytes(raw)
            os.chown(box / "tmp" / name, self._owner.pw_uid, self._owner.pw_gid)
            came_at = time.time() - days_ago * 86400
            os.utime(box / "tmp" / name, (came_at, came_at))
            (box / "tmp" / name).rename(box / "new" / name)

    def forget_numbers(self, *, to: str = "help") -> None:
        """Of a server that does not run: then all mails have other UIDs under another UIDVALIDITY."""
        box = self._root / "mail" / to
        for file in (*box.glob("dovecot.index*"), *box.glob("dovecot-uid*")):
            file.unlink()

    def flags(self, *, to: str = "help") -> list[tuple[bytes, ...]]:
        with IMAPClient("127.0.0.1", self.port, ssl=False) as client:
            client.login(to, PASSWORD)
            client.select_folder("INBOX", readonly=True)
            uids = client.search()
            return [client.get_flags([uid])[uid] for uid in uids]

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
            line.settimeout(1)
            return line.recv(4) == b"* OK"
        return False


@asynccontextmanager
async def dovecot(introspection: str | None = None) -> AsyncIterator[Dovecot]:
    folder = Path(tempfile.mkdtemp(prefix="heddle-dovecot-"))
    folder.chmod(0o755)
    server = Dovecot(folder)
    if introspection:
        server.ask_for_tokens(introspection)
    try:
        await server.start()
        yield server
    finally:
        await server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _group(number: int) -> str:
    return grp.getgrgid(number).gr_name


def _free_ports(many: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(many)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
