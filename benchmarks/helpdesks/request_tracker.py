"""Request Tracker 5 from Debian, whose configuration in /etc is left as it is."""

import json
import os
import shutil
from pathlib import Path

from sqlalchemy import make_url

from benchmarks.helpdesks.setting_up import Filled, NotSetUp, said_by
from benchmarks.processes import free_port

NAME = "Request Tracker 5"
PACKAGES = (
    "request-tracker5", "rt5-standalone", "rt5-db-postgresql",
    "dbconfig-no-thanks", "msmtp-mta",  # else it asks for a database and a mail server for the whole machine
)  # fmt: skip
LIST = "/Search/Results.html?Query=id%3E0&Rows={first}&OrderBy=id&Order=DESC"
REST = "/REST/2.0/tickets?query=id%3E0&per_page={first}&orderby=id&order=DESC&fields="
REST += "Subject,Status,Queue,Owner,Priority,Requestor,Created,Told,LastUpdated,TimeLeft&fields[Queue]=Name"
"""All tickets, the newest first, with what its own list shows of them. A ticket's messages it gives by REST2 one by one only."""

SHARED = Path("/usr/share/request-tracker5")
SHOP = Path(__file__).with_name("tracker_shop.pl")
CONFIGURATION = Path(__file__).with_name("tracker_config.pm")
SERVER = (
    "--server", "Starlet", "--env", "deployment", "--max-workers", "1",
    "--keepalive-timeout", "60", "--max-keepalive-reqs", "1000000", "--max-reqs-per-child", "1000000",
    "-e", "enable 'ContentLength'; enable 'BufferedStreaming', force => 1;",
)  # fmt: skip


def set_up(folder: Path, url: str, *, tickets: int, long: int, first: int) -> Filled:
    if not is_installed():
        _install()
    port = free_port()
    environment = _environment(folder, url, port)
    made = ["--action", "init", "--skip-create", "--dba", environment["PGUSER"]]
    said_by(["rt-setup-database-5", *made], environment)
    said = json.loads(said_by(["perl", f"-I{SHARED / 'lib'}", SHOP, str(tickets), str(long)], environment))
    bound = ("--host", "127.0.0.1", "--port", str(port))
    return Filled(
        version=said["version"],
        order=["plackup", *bound, *SERVER, str(SHARED / "libexec/rt-server")],
        environment=environment,
        port=port,
        cookie=f"RT_SID_benchmark.{port}={said['session']}",
        lists={NAME: LIST.format(first=first), f"{NAME} by REST2": REST.format(first=first)},
        tickets={NAME: f"/Ticket/Display.html?id={said['long']}"},
    )


def is_installed() -> bool:
    return (SHARED / "libexec/rt-server").exists() and shutil.which("plackup") is not None


def _install() -> None:
    if os.geteuid() or not shutil.which("apt-get"):
        raise NotSetUp(f"root has to install Debian's packages {', '.join(PACKAGES)}")
    quietly = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    said_by(["apt-get", "update", "--quiet"], quietly)
    said_by(["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *PACKAGES], quietly)


def _environment(folder: Path, url: str, port: int) -> dict[str, str]:
    database = make_url(url)
    server = {
        "PGHOST": database.host or database.query["host"],
        "PGPORT": str(database.port or ""),
        "PGDATABASE": database.database,
        "PGUSER": database.username,
        "PGPASSWORD": database.password,
    }
    nowhere = folder / "etc"
    nowhere.mkdir()
    return {
        **os.environ,
        **{name: str(value) for name, value in server.items()},
        "RT_DBA_PASSWORD": str(database.password),
        "RT_SITE_CONFIG": str(CONFIGURATION),
        "RT_SITE_CONFIG_DIR": str(nowhere),
        "TRACKER_FOLDER": str(folder),
        "TRACKER_PORT": str(port),
    }
