"""A real clamd as an ordinary process on loopback, which knows one signature of ours: that of the EICAR test file."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CLAMD = shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PATIENCE = 20

with_clamd = pytest.mark.skipif(
    CLAMD is None and not os.environ.get("CI"),  # there it is installed
    reason="no clamd here: apt-get install clamav-daemon has one",
)

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""In two pieces: a scanner that looks through this folder would take it away."""

CONFIGURATION = """\
Foreground yes
DatabaseDirectory {folder}
TCPAddr 127.0.0.1
TCPSocket {port}
StreamMaxLength 1M
LogFile {folder}/clamd.log
"""


@contextmanager
def clamd(folder: Path) -> Iterator[str]:
    """Its address, as `HEDDLE_SCAN_URL` has it."""
    assert CLAMD
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.chmod(0o755)
    (folder / "own.ndb").write_text(f"Eicar-Test:0:*:{EICAR.hex()}\n")
    (folder / "clamd.conf").write_text(CONFIGURATION.format(folder=folder, port=port))
    process = subprocess.Popen(
        [CLAMD, "-c", str(folder / "clamd.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _await(port, process, folder)
        yield f"tcp://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _await(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    for _ in range(PATIENCE * 20):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    log = folder / "clamd.log"
    raise RuntimeError(f"clamd does not start: {log.read_text() if log.exists() else 'no log'}")
