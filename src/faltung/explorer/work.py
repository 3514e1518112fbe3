"""Work that somebody else asked for: in processes of their own, limited in time and memory.

A file that makes a reader loop or crash costs one worker, which is replaced; the page goes on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from faltung.errors import ExplorerError, FaltungError, message

MEMORY: Final = 6 * 2**30
"""Bytes of address space that one worker may use."""
PATIENCE: Final = 30.0
"""Seconds that a question waits for a worker before it is refused."""


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
        for worker in self._all:
            self._free.put(worker)

    def ask(self, name: str, given: Any, seconds: float) -> Any:
        """Return the answer to a question. May be called from many threads.

        Raises
        ------
        ExplorerError
            Everybody is busy; or the work took too long, or too much memory, and was ended.
        """
        try:
            worker = self._free.get(timeout=PATIENCE)
        except queue.Empty:
            rule = "too much is asked at once"
            raise ExplorerError(message("explore", rule, None, "Wait a moment")) from None
        try:
            return worker.ask(name, given, seconds)
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """End all processes."""
        for worker in self._all:
            worker.end()


class _Worker:
    """One process, started anew whenever it had to be ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: multiprocessing.process.BaseProcess | None = None
        self._line: Connection | None = None

    def ask(self, name: str, given: Any, seconds: float) -> Any:
        line = self._started()
        try:
            line.send((name, given))
            if not line.poll(seconds):
                self.end()
                rule = f"it took more than {seconds:g} seconds and was ended"
                raise ExplorerError(message(name, rule, None, "Try something smaller"))
            kind, answer = line.recv()
        except (EOFError, OSError) as error:
            self.end()
            rule = "the process that worked on it ended"
            raise ExplorerError(message(name, rule, None, "Try something smaller")) from error
        if kind == "refused":
            raise ExplorerError(answer)
        return answer

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._line is not None:
            self._line.close()
        self._process = self._line = None

    def _started(self) -> Connection:
        if self._line is not None and self._process is not None and self._process.is_alive():
            return self._line
        self.end()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self.folder), daemon=True)
        self._process.start()
        theirs.close()
        self._line = ours
        return ours


def _serve(line: Connection, folder: Path) -> None:
    """Answer questions until nobody asks any more."""
    import signal

    from faltung.explorer.questions import answer
    from faltung.explorer.uploads import Uploads

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the page's server ends us
    _limit_memory()
    uploads = Uploads(folder)
    while True:
        try:
            name, given = line.recv()
        except (EOFError, OSError):
            return
        line.send(_answered(answer, name, given, uploads))


def _answered(answer: Any, name: str, given: Any, uploads: Any) -> tuple[str, Any]:
    try:
        return "answered", answer(name, given, uploads)
    except FaltungError as error:
        return "refused", str(error)
    except MemoryError:
        return "refused", message(name, "it needs more memory than it may use")
    except Exception as error:  # a defect of ours must not end the page
        values = {"error": f"{type(error).__name__}: {error}"}
        return "refused", message(name, "it failed", values, "Please report it")


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
