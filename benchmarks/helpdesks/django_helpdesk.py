"""django-helpdesk from PyPI, in an environment of its own that is thrown away."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import FAREWELL, ROOT, Child, Processor, free_port

PACKAGES = ("django-helpdesk==2.6.1", "django-bootstrap4-form", "packaging", "psycopg[binary]", "gunicorn")
LIST = "/datatables_ticket_list/e30=?draw=1&start=0&length={first}&order[0][column]=0&order[0][dir]=desc&search[value]=&columns[0][data]=id"
"""What its own list asks: all tickets, the newest first. `e30=` is an empty query."""


class NotSetUp(Exception):
    """Says why."""


@dataclass(frozen=True)
class Installed:
    child: Child
    cookie: str
    long_ticket: str


@contextmanager
def installed(folder: Path, url: str, *, tickets: int, long: int) -> Iterator[Installed]:
    python = _environment(folder / "django")
    orders = os.environ | {"DATABASE_URL": url}
    shop = Path(__file__).with_name("django_shop.py")
    filled = _run([str(python), str(shop), str(tickets), str(long)], orders)
    said = json.loads(filled.splitlines()[-1])
    port = free_port()
    order = ["--chdir", str(shop.parent), "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
    process = subprocess.Popen(
        [
            str(python.with_name("gunicorn")),
            *order,
            "--log-level",
            "error",
            "--no-control-socket",
            "django_shop:application",
        ],
        env=orders,
    )
    try:
        yield Installed(
            Child("django-helpdesk", port, Processor(process.pid, family=True)), said["cookie"], said["long"]
        )
    finally:
        process.terminate()
        try:
            process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(folder: Path) -> Path:
    """Its Python."""
    uv = shutil.which("uv") or shutil.which("uv", path=ROOT / ".tools/bin")
    if uv is None:
        raise NotSetUp("there is no uv to install it with")
    python = folder / "bin/python"
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], os.environ)
    _run([uv, "pip", "install", "--quiet", "--python", str(python), *PACKAGES], os.environ)
    return python


def _run(order: list[str], environment: "os._Environ[str] | dict[str, str]") -> str:
    done = subprocess.run(order, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotSetUp(done.stderr.strip()[-300:])
    return done.stdout
