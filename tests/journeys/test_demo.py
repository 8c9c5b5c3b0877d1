"""The story of `heddle demo`, played as a stranger would start it."""

import socket
import subprocess
import sys


def test_every_step_of_the_demo_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])

    demo = subprocess.run(
        [sys.executable, "-m", "api.cli", "demo", "--once", "--port", port],
        capture_output=True,
        text=True,
        timeout=90,
    )

    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "✓ 4 threads: EMAIL, CHAT, MESSENGER, PHONE" in demo.stdout
