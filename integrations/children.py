"""Bytes of strangers are read in processes of their own: what spins, eats memory or kills its reader takes nothing along.

A child is the module that is named, run with `serve`. It answers one question after the other, bytes with bytes, and ends
with us, whatever ends us: it sees that nobody writes to it any more. Its limits are the system's: without the `resource`
module (Windows) only `seconds` is kept.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore, Event, Lock, Timer
from typing import IO

_ROOT = str(Path(__file__).parents[1])
_NO_MEMORY = 3


@dataclass(frozen=True)
class Limits:
    """Of one question, but for `questions`."""

    seconds: float = 12.0
    cpu: int = 10
    """Seconds of computing."""
    memory: int = 1024 * 1024 * 1024
    """Bytes of address space."""
    questions: int = 500
    """After so many a child is replaced."""


class Died(Exception):
    """The child, over a question or of something else."""

    def __init__(self, reason: str, *, by_question: bool) -> None:
        super().__init__(reason)
        self.by_question = by_question
        """Sure to happen again. Otherwise something may have killed it that has nothing to do with what it read."""


class Children:
    """May be asked from any thread; `most` at a time."""

    def __init__(self, module: str, most: int = 2, limits: Limits | None = None) -> None:
        self._module, self._limits = module, limits or Limits()
        self.idle: list[Child] = []
        self._lock = Lock()
        self._places = BoundedSemaphore(most)

    def ask(self, *pieces: bytes) -> bytes:
        """Raises Died."""
        with self._places:
            with self._lock:
                child = self.idle.pop() if self.idle else None
            child = child or Child(self._module, self._limits)
            try:
                answer = child.ask(*pieces)
            except BaseException:
                child.end()
                raise
            if child.questions < self._limits.questions:
                with self._lock:
                    self.idle.append(child)
            else:
                child.end()
        return answer

    def close(self) -> None:
        with self._lock:
            idle, self.idle = self.idle, []
        for child in idle:
            child.end()


class Child:
    def __init__(self, module: str, limits: Limits) -> None:
        self._limits = limits
        self.questions = 0
        # No secrets of ours where strangers' bytes are read, and no modules of whatever folder we run in.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(limits.cpu), str(limits.memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, "PYTHONPATH": _ROOT},
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, *pieces: bytes) -> bytes:
        """Raises Died when no answer comes, or none in time."""
        self.questions += 1
        process = self._process
        assert process.stdin
        assert process.stdout
        late = Event()
        clock = Timer(self._limits.seconds, self._give_up, (late,))
        clock.daemon = True
        clock.start()
        try:
            for piece in pieces:
                process.stdin.write(len(piece).to_bytes(8))
                process.stdin.write(piece)
            process.stdin.flush()
            return _taken(process.stdout)
        except (OSError, EOFError):
            process.wait()
            raise self._death(is_late=late.is_set()) from None
        finally:
            clock.cancel()

    def _give_up(self, late: Event) -> None:
        late.set()
        self._process.kill()

    def _death(self, *, is_late: bool) -> Died:
        code = self._process.returncode
        if is_late:
            return Died(f"reading it took longer than {self._limits.seconds:g} seconds", by_question=True)
        if code == _NO_MEMORY:
            megabytes = self._limits.memory // 1024 // 1024
            return Died(f"reading it took more than {megabytes} MB of memory", by_question=True)
        if sys.platform != "win32" and code == -signal.SIGXCPU:
            return Died(
                f"reading it took more than {self._limits.cpu} seconds of computing", by_question=True
            )
        by = f"signal {-code}" if code < 0 else f"exit {code}"
        return Died(f"what read it died ({by})", by_question=False)

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


# The child


def serve(answer: Callable[..., bytes], *, pieces: int) -> None:
    """Of `python -m`, with the limits of computing and of memory."""
    cpu, memory = int(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is our parent's
    _bound(memory)
    ours, answers = os.dup(1), 2
    os.dup2(answers, 1)  # whatever prints spoils no answer
    with suppress(EOFError, BrokenPipeError), os.fdopen(ours, "wb") as out:
        while True:
            try:
                asked = [_taken(sys.stdin.buffer) for _ in range(pieces)]
                _allow(cpu)
                said = answer(*asked)
            except MemoryError:
                os._exit(_NO_MEMORY)
            out.write(len(said).to_bytes(8))
            out.write(said)
            out.flush()
            del asked, said


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
