"""django-helpdesk from PyPI, in an environment of its own that is thrown away."""

import json
import os
import shutil
import sys
from pathlib import Path

from benchmarks.helpdesks.setting_up import Filled, NotSetUp, said_by
from benchmarks.processes import ROOT, free_port

NAME = "django-helpdesk"
VERSION = "2.6.1"
PACKAGES = (f"{NAME}=={VERSION}", "django-bootstrap4-form", "packaging", "psycopg[binary]", "gunicorn")
LIST = "/datatables_ticket_list/e30=?draw=1&start=0&length={first}&order[0][column]=0&order[0][dir]=desc&search[value]=&columns[0][data]=id"
"""What its own list asks: all tickets, the newest first. `e30=` is an empty query."""
SHOP = Path(__file__).with_name("django_shop.py")
SERVER = ("--worker-class", "gthread", "--log-level", "error", "--no-control-socket")


def set_up(folder: Path, url: str, *, tickets: int, long: int, first: int) -> Filled:
    python = _environment(folder)
    environment = os.environ | {"DATABASE_URL": url}
    said = json.loads(said_by([python, SHOP, str(tickets), str(long)], environment).splitlines()[-1])
    port = free_port()
    bound = ("--chdir", str(SHOP.parent), "--bind", f"127.0.0.1:{port}")
    return Filled(
        version=VERSION,
        order=[str(python.with_name("gunicorn")), *bound, *SERVER, f"{SHOP.stem}:application"],
        environment=environment,
        port=port,
        cookie=f"sessionid={said['session']}",
        lists={NAME: LIST.format(first=first)},
        tickets={NAME: f"/tickets/{said['long']}/"},
    )


def _environment(folder: Path) -> Path:
    """Its Python."""
    uv = shutil.which("uv") or shutil.which("uv", path=ROOT / ".tools/bin")
    if uv is None:
        raise NotSetUp("there is no uv to install it with")
    python = folder / "environment/bin/python"
    said_by([uv, "venv", "--quiet", "--python", sys.executable, str(folder / "environment")])
    said_by([uv, "pip", "install", "--quiet", "--python", str(python), *PACKAGES])
    return python
