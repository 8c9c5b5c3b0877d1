"""Mails are read in processes of their own: one that spins, eats memory or kills its reader takes nothing along.

    mail = read(raw)

It may be called from any thread. A child reads one mail after the other and ends with us, whatever ends us: it sees
that nobody writes to it any more. A mail that its child did not survive is shown raw; that look, too, a child takes.
"""

import atexit
import os
import pickle
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore, Event, Lock, Timer
from typing import IO

from integrations.mail.reading import parse
from integrations.mail.reading.parse import Mail, Unreadable
from integrations.mail.reading.parts import MOST_HEADER_BYTES

_ROOT = str(Path(__file__).parents[3])
_NO_MEMORY = 3
TRIES = 2


@dataclass(frozen=True)
class Limits:
    """Of one mail, but for `mails`. Without the `resource` module (Windows) only `seconds` is kept."""

    seconds: float = 12.0
    """Three times as much is less than the lease of an arrival."""
    cpu: int = 10
    """Seconds of computing."""
    memory: int = 1024 * 1024 * 1024
    """Bytes of address space."""
    mails: int = 500
    """After so many a child is replaced."""


class Died(Exception):
    """The child, over a mail or of something else."""

    def __init__(self, reason: str, *, by_mail: bool) -> None:
        super().__init__(reason)
        self.by_mail = by_mail
        """Sure to happen again. Otherwise something may have killed it that has nothing to do with the mail."""


class Children:
    def __init__(self, most: int = 2, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._idle: list[Child] = []
        self._lock = Lock()
        self._places = BoundedSemaphore(most)

    def read(self, raw: bytes) -> Mail:
        """Raises Unreadable for what cannot even be shown raw."""
        reason = ""
        for _ in range(TRIES):
            try:
                return self._ask(raw, "")
            except Died as death:
                reason = str(death)
                if death.by_mail:
                    break
        try:
            return self._ask(raw[:MOST_HEADER_BYTES], reason)
        except Died:
            raise Unreadable(reason) from None

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def _ask(self, raw: bytes, reason: str) -> Mail:
        with self._places:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            child = child or Child(self._limits)
            try:
                answer = child.ask(raw, reason)
            except BaseException:
                child.end()
                raise
            if child.mails < self._limits.mails:
                with self._lock:
                    self._idle.append(child)
            else:
                child.end()
        if isinstance(answer, Unreadable):
            raise answer
        return answer


class Child:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.mails = 0
        # No secrets of ours where strangers' mails are read, and no modules of whatever folder we run in.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __spec__.name, str(limits.cpu), str(limits.memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, "PYTHONPATH": _ROOT},
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, raw: bytes, reason: str) -> Mail | Unreadable:
        """Raises Died when no answer comes, or none in time."""
        self.mails += 1
        process = self._process
        assert process.stdin
        assert process.stdout
        late = Event()
        clock = Timer(self._limits.seconds, self._give_up, (late,))
        clock.daemon = True
        clock.start()
        try:
            said = reason.encode()
            for piece in (len(said).to_bytes(8), said, len(raw).to_bytes(8), raw):
                process.stdin.write(piece)
            process.stdin.flush()
            answer: Mail | Unreadable = pickle.loads(_taken(process.stdout))
        except (OSError, EOFError):
            process.wait()
            raise self._death(is_late=late.is_set()) from None
        finally:
            clock.cancel()
        return answer

    def _give_up(self, late: Event) -> None:
        late.set()
        self._process.kill()

    def _death(self, *, is_late: bool) -> Died:
        code = self._process.returncode
        if is_late:
            return Died(f"reading it took longer than {self._limits.seconds:g} seconds", by_mail=True)
        if code == _NO_MEMORY:
            megabytes = self._limits.memory // 1024 // 1024
            return Died(f"reading it took more than {megabytes} MB of memory", by_mail=True)
        if sys.platform != "win32" and code == -signal.SIGXCPU:
            return Died(f"reading it took more than {self._limits.cpu} seconds of computing", by_mail=True)
        by = f"signal {-code}" if code < 0 else f"exit {code}"
        return Died(f"what read it died ({by})", by_mail=False)

    def end(self) -> None:
        process = self._process
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()
        process.wait()


def _taken(pipe: IO[bytes]) -> bytes:
    """What was written with its length before it. Raises EOFError when nobody writes any more."""
    length = int.from_bytes(_exactly(pipe, 8))
    return _exactly(pipe, length)


def _exactly(pipe: IO[bytes], length: int) -> bytes:
    read = pipe.read(length)
    if len(read) < length:
        raise EOFError
    return read


CHILDREN = Children()
read = CHILDREN.read
atexit.register(CHILDREN.close)


# The child


def _serve(cpu: int, memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is our parent's
    _bound(memory)
    ours, answers = os.dup(1), 2
    os.dup2(answers, 1)  # whatever prints spoils no answer
    with suppress(EOFError, BrokenPipeError), os.fdopen(ours, "wb") as out:
        while True:
            try:
                reason, raw = _taken(sys.stdin.buffer).decode(), _taken(sys.stdin.buffer)
                _allow(cpu)
                answer = pickle.dumps(_answer(raw, reason), pickle.HIGHEST_PROTOCOL)
            except MemoryError:
                os._exit(_NO_MEMORY)
            out.write(len(answer).to_bytes(8))
            out.write(answer)
            out.flush()
            del raw, answer


def _answer(raw: bytes, reason: str) -> Mail | Unreadable:
    try:
        if not reason:
            try:
                return parse.read(raw)
            except Unreadable as unreadable:
                reason = unreadable.reason
            except MemoryError:
                raise
            except Exception as failure:
                reason = f"it could not be read ({type(failure).__name__})"
        return parse.read_raw(raw, reason)
    except Unreadable as unreadable:
        return unreadable


def _bound(memory: int) -> None:
    try:
        import resource
    except ImportError:
        return
    for limit, size in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # macOS keeps no limit of address space
            resource.setrlimit(limit, (size, size))


def _allow(cpu: int) -> None:
    """So many seconds of computing from now on."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + cpu, hard))


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
