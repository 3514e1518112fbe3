"""Work that somebody else asked for: in processes of their own, limited in time and memory.

A file that makes a reader loop or crash costs one worker, which is replaced; the page goes on.
What a worker sends back is text: nothing of it is unpacked here that could run.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import queue
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from faltung.errors import ExplorerError, FaltungError, message
from faltung.explorer.questions import Question, parsed
from faltung.explorer.uploads import Uploads

MEMORY: Final = 6 * 2**30
"""Bytes of address space that one worker may use."""
PATIENCE: Final = 30.0
"""Seconds that a question waits for a worker before it is refused."""
STARTING: Final = 30.0
"""Seconds that a process may take to start."""
LARGEST_ANSWER: Final = 64 * 2**20
"""Bytes of an answer."""
_GRACE: Final = 5.0
"""Seconds after which a worker ends by itself, where nobody is left to end it."""
_ANSWERED, _REFUSED = b"+", b"-"


class BusyError(ExplorerError):
    """Everybody is at work."""


class Workers:
    """A few processes that answer questions, one at a time each.

    Parameters
    ----------
    folder
        Where the uploaded files are.
    count
        How many processes; each starts when it is first needed.
    """

    def __init__(self, folder: Path, count: int = 2) -> None:
        self._free: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._all = [_Worker(folder) for _ in range(count)]
        for worker in reversed(self._all):
            self._free.put(worker)

    def ask(self, name: str, question: Question, body: bytes) -> bytes:
        """Return the answer to a question, as JSON. May be called from many threads.

        Raises
        ------
        BusyError
            No process became free in time.
        ExplorerError
            The work was refused; or it took too long, or too much memory, and was ended.
        """
        try:
            worker = self._free.get(timeout=PATIENCE)
        except queue.Empty:
            rule = "too much is asked at once"
            raise BusyError(message("explore", rule, None, "Wait a moment")) from None
        try:
            return worker.ask(name, question, body)
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """End all processes, and with them all work; nothing is answered any more."""
        for worker in self._all:
            worker.close()


class _Worker:
    """One process, started anew whenever it had to be ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: multiprocessing.process.BaseProcess | None = None
        self._line: Connection | None = None
        self._is_closed = False
        self._changing = threading.Lock()

    def ask(self, name: str, question: Question, body: bytes) -> bytes:
        try:
            line = self._started()
            line.send((name, question, body))
            if not line.poll(question.seconds):
                self._end()
                rule = f"it took more than {question.seconds:g} seconds and was ended"
                raise ExplorerError(message(name, rule, None, "Try something smaller"))
            told = line.recv_bytes(LARGEST_ANSWER)
        except (EOFError, OSError) as error:
            self._end()
            rule = "the process that worked on it ended"
            raise ExplorerError(message(name, rule, None, "Try something smaller")) from error
        if told[:1] != _ANSWERED:
            raise ExplorerError(told[1:].decode())
        return told[1:]

    def close(self) -> None:
        """End the process for good. Whoever waits for it in another thread sees it end."""
        with self._changing:
            self._is_closed = True
            if self._process is not None:
                _kill(self._process)

    def _end(self) -> None:
        with self._changing:
            if self._process is not None:
                _kill(self._process)
            if self._line is not None:
                self._line.close()
            self._process = self._line = None

    def _started(self) -> Connection:
        if self._line is not None and self._process is not None and self._process.is_alive():
            return self._line
        self._end()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        with self._changing, _without_interrupts():
            if self._is_closed:
                raise EOFError
            self._process = context.Process(target=_serve, args=(theirs, self.folder), daemon=True)
            self._line = ours
            self._process.start()
        theirs.close()
        if not ours.poll(STARTING):
            raise EOFError
        ours.recv_bytes(1)
        return ours


def _kill(process: multiprocessing.process.BaseProcess) -> None:
    """End a process and what it started, which is of its session."""
    if process.is_alive() and process.pid is not None and hasattr(os, "killpg"):
        with contextlib.suppress(OSError):  # it has no session yet
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start a process that Ctrl-C does not reach: the page ends it, without a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# In the worker ------------------------------------------------------------------------------------


def _serve(line: Connection, folder: Path) -> None:
    """Answer questions until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the page's server ends us
    if hasattr(os, "setsid"):
        os.setsid()
    _limit_memory()
    _stay_in(folder / "work")
    uploads = Uploads(folder)
    with contextlib.suppress(EOFError, OSError):
        line.send_bytes(b"!")
        while True:
            name, question, body = line.recv()
            with _alarm(question.seconds + _GRACE):
                told = _answered(name, question, body, uploads)
            line.send_bytes(told)


def _answered(name: str, question: Question, body: bytes, uploads: Uploads) -> bytes:
    try:
        answer = question.answer(parsed(name, body), uploads)
        text = json.dumps(answer, allow_nan=False, separators=(",", ":"))
        return _ANSWERED + text.encode()
    except FaltungError as error:
        return _REFUSED + str(error).encode(errors="replace")
    except MemoryError:
        return _REFUSED + message(name, "it needs more memory than it may use").encode()
    except Exception as error:  # a defect of ours must not end the page
        _show(error)
        values = {"error": type(error).__name__}  # its text may tell of this machine
        return _REFUSED + message(name, "it failed", values, "Please report it").encode()


def _show(error: Exception) -> None:
    if os.environ.get("FALTUNG_DEBUG", "") not in ("", "0"):
        sys.excepthook(type(error), error, error.__traceback__)


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """End this process if it works on long after somebody should have ended it."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)  # nobody handles it: it ends the process
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _stay_in(folder: Path) -> None:
    """Whatever is written without a folder's name, and every cache, goes into this one."""
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    tempfile.tempdir = str(folder)
    names: Any = ("TMPDIR", "TEMP", "TMP", "FALTUNG_CACHE", "XDG_CACHE_HOME")
    os.environ.update(dict.fromkeys(names, str(folder)))
