"""Mails read in children: whatever a mail does to its reader, the next one is read."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from integrations.children import Limits
from integrations.mail.reading import parse
from integrations.mail.reading.parse import Unreadable
from integrations.mail.reading.reader import Children

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.eml"))
HELLO = b"From: Ada <ada@example.com>\nSubject: Hello\n\nHello"
# Each of its thousand pages is short enough to be read; all of them take minutes.
SPINNING = (
    b"From: Eve <eve@example.net>\nSubject: Pages\nContent-Type: multipart/mixed; boundary=b\n\n"
    + b"".join(b"--b\nContent-Type: text/html\n\n" + b"<p>x" * 12_000 + b"\n" for _ in range(300))
)
HUGE = b"From: Eve <eve@example.net>\nSubject: Huge\n\n" + b"x" * 150_000_000


@pytest.fixture
def children_of() -> Iterator[Callable[..., Children]]:
    made: list[Children] = []

    def make(most: int = 1, **limits: float) -> Children:
        made.append(Children(most, Limits(**limits)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for children in made:
        children.close()


def idle(children: Children) -> int:
    (child,) = children.idle
    return child.pid


def test_a_child_reads_every_sample_as_we_do(children_of: Callable[..., Children]) -> None:
    children = children_of()

    for path in SAMPLES:
        assert children.read(path.read_bytes()) == parse.read(path.read_bytes())


def test_a_mail_that_takes_too_long_is_shown_raw(children_of: Callable[..., Children]) -> None:
    children = children_of(cpu=600, seconds=3)

    assert children.read(SPINNING).failed == "reading it took longer than 3 seconds"


def test_a_mail_that_takes_too_much_memory_is_shown_raw(children_of: Callable[..., Children]) -> None:
    children = children_of(memory=400_000_000)

    huge = children.read(HUGE)

    assert huge.failed == "reading it took more than 381 MB of memory"
    assert huge.subject == "Huge"
    assert children.read(HELLO).failed is None


def test_a_child_that_hangs_is_replaced(children_of: Callable[..., Children]) -> None:
    children = children_of(seconds=5)
    children.read(HELLO)
    os.kill(idle(children), signal.SIGSTOP)

    hung = children.read(HELLO)

    assert hung.failed == "reading it took longer than 5 seconds"
    assert children.read(HELLO).failed is None


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSEGV])
def test_a_mail_is_not_to_blame_for_a_child_that_somebody_killed(
    children_of: Callable[..., Children], sign: signal.Signals
) -> None:
    children = children_of()
    children.read(HELLO)
    os.kill(idle(children), sign)

    assert children.read(HELLO).failed is None


def test_of_twenty_mails_one_is_poisonous_and_nineteen_are_read(children_of: Callable[..., Children]) -> None:
    children = children_of(most=2, cpu=1, seconds=120)
    mails = [SPINNING if number == 7 else HELLO for number in range(20)]

    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(children.read, mails))

    assert [number for number, mail in enumerate(read) if mail.failed] == [7]
    assert read[7].failed == "reading it took more than 1 seconds of computing"
    assert (read[7].from_ and read[7].from_.address, read[7].subject) == ("eve@example.net", "Pages")
    assert read[7].text.startswith("From: Eve <eve@example.net>\nSubject: Pages")
    assert (len(read[7].text), read[7].attachments) == (20_000, [])
    assert len(children.idle) <= 2


def test_a_child_is_replaced_after_so_many_mails(children_of: Callable[..., Children]) -> None:
    children = children_of(questions=3)
    seen = set()

    for _ in range(4):
        children.read(HELLO)
        seen |= {child.pid for child in children.idle}

    assert len(seen) == 2


def test_too_much_of_a_mail_is_shown_raw(children_of: Callable[..., Children]) -> None:
    raw = (
        b"From: Ada <ada@example.com>\nMessage-ID: <1@example.com>\nSubject: \xc5\x82\nX: " + b"\0a" * 300_000
    )

    read = children_of().read(raw)

    assert read.failed == "more than 262144 bytes of headers"
    assert (read.message_id, read.subject) == ("1@example.com", "ł")
    assert read.text.startswith(
        "From: Ada <ada@example.com>\nMessage-ID: <1@example.com>\nSubject: ł\nX: aaa"
    )
    assert read.folded == read.text


def test_a_sender_is_found_below_what_is_no_header(children_of: Callable[..., Children]) -> None:
    parts = (
        b"Content-Type: multipart/mixed; boundary=b\nnonsense\nFrom: ada@example.com\n\n" + b"--bx\n" * 20_000
    )

    read = parse.read_raw(parts, "too much")

    assert read.from_
    assert read.from_.address == "ada@example.com"


def test_a_mail_of_nobody_that_cannot_be_read_stays_unreadable(children_of: Callable[..., Children]) -> None:
    with pytest.raises(Unreadable, match="262144 bytes of headers"):
        children_of().read(b"Subject: hello\nX: " + b"a" * 300_000)


def test_children_end_with_a_parent_that_was_killed() -> None:
    code = (
        "import time; from integrations.mail.reading.reader import Children; children = Children();"
        f"children.read({HELLO!r}); print(children.idle[0].pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout
    child = int(parent.stdout.readline())

    parent.kill()
    parent.wait()
    parent.stdout.close()

    for _ in range(200):
        if not _is_alive(child):
            return
        time.sleep(0.05)
    pytest.fail("the child outlived its parent")


def _is_alive(pid: int) -> bool:
    """A zombie that nobody takes away is dead."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and ") Z" in status.read_text())


def test_no_secret_of_ours_is_where_mails_are_read(
    children_of: Callable[..., Children], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEDDLE_SECRET_KEY", "a secret")
    children = children_of()
    children.read(HELLO)

    environment = Path(f"/proc/{idle(children)}/environ")

    if environment.exists():
        assert b"HEDDLE_" not in environment.read_bytes()
