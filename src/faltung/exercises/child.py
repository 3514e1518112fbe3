"""The process in which somebody's code runs: ``python -m faltung.exercises.child``.

It reads a job from standard input and writes two lines to what was its standard output: one when
it is ready, one with what became of the code. Limits come before the code, the guard with them.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes  # noqa: F401, its own import calls C, which the guard refuses
import io
import json
import os
import sys
import time
from typing import Any, Final, NoReturn

from faltung.exercises.exercise import Task
from faltung.exercises.marking import FILE, WrongError, raised
from faltung.exercises.running import MOST_PRINTED, task_of

REFUSED: Final = {
    "socket.": "it opens a socket",
    "urllib.": "it asks for something on the network",
    "http.": "it asks for something on the network",
    "ftplib.": "it asks for something on the network",
    "smtplib.": "it asks for something on the network",
    "webbrowser.": "it opens a browser",
    "subprocess.": "it starts another program",
    "os.system": "it starts another program",
    "os.exec": "it starts another program",
    "os.spawn": "it starts another program",
    "os.posix_spawn": "it starts another program",
    "os.startfile": "it starts another program",
    "pty.": "it starts another program",
    "os.fork": "it forks its process",
    "os.remove": "it removes a file",
    "os.rmdir": "it removes a folder",
    "os.rename": "it renames a file",
    "os.mkdir": "it makes a folder",
    "os.link": "it links a file",
    "os.symlink": "it links a file",
    "os.truncate": "it writes into a file",
    "os.chmod": "it changes a file",
    "os.chown": "it changes a file",
    "os.utime": "it changes a file",
    "shutil.": "it copies or removes files",
    "tempfile.": "it makes a file",
    "os.kill": "it sends a signal",
    "signal.": "it sends a signal",
    "resource.": "it changes its limits",
    "ctypes.": "it calls C through ctypes",
}
"""What no exercise needs, by how Python's audit event begins."""
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
MOST_KEPT: Final = 4_000
"""Characters of what was printed that are told."""


class _Printed(io.TextIOBase):
    """Stands in for standard output and keeps the beginning of it."""

    def __init__(self, line: _Line) -> None:
        self.kept, self._length, self._line = "", 0, line

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._length += len(text)
        self.kept += text[: MOST_KEPT - len(self.kept)]
        if self._length > MOST_PRINTED:
            self._line.stop(f"it prints more than {MOST_PRINTED:,} characters.")
        return len(text)


class _Line:
    """The way back to whoever started us."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        with open(os.devnull, "r+b") as nothing:  # noqa: PTH123
            for number in (1, 2):
                os.dup2(nothing.fileno(), number)
        self.printed = _Printed(self)

    def ready(self) -> None:
        os.write(self._out, b"ready\n")

    def tell(self, state: str, text: str) -> None:
        told = {"state": state, "text": " ".join(text.split()), "printed": self.printed.kept}
        rest = json.dumps(told).encode() + b"\n"
        while rest:
            rest = rest[os.write(self._out, rest) :]

    def stop(self, why: str) -> NoReturn:
        """Tell why the code goes no further, and end; nothing of it can go on after that."""
        self.tell("stopped", f"Stopped: {why}")
        os._exit(0)


def main() -> None:
    """Do one job."""
    job = json.loads(sys.stdin.buffer.read())
    line = _Line()
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(), line.printed, line.printed
    task = task_of(job["name"])
    task.marker.cases()  # whatever it imports is there before the guard
    _limit(job["seconds"], job["memory"])
    _guard(line)
    line.ready()
    try:
        state, text = _marked(job["source"], task)
    except MemoryError:
        line.stop(f"it needs more than {job['memory'] // 2**20} MB of memory: what grows there?")
    except EOFError:
        line.stop("it waits for somebody to type something. What it needs are its arguments.")
    except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        line.stop(f"it ends the program{raised(error)}.")
    except BaseException as error:
        line.stop(f"it fails{raised(error)}.")
    line.tell(state, text)
    os._exit(0)  # whatever the code left to be done at the end is left undone


def _marked(source: str, task: Task) -> tuple[str, str]:
    try:
        code = compile(source, FILE, "exec", dont_inherit=True)
    except SyntaxError as error:
        where = f" in line {error.lineno}" if error.lineno else ""
        return "stopped", f"It is not Python{where}: {error.msg}."
    except (ValueError, RecursionError, OverflowError) as error:
        return "stopped", f"It is not Python: {error}."
    space: dict[str, Any] = {"__name__": "exercise", "__builtins__": builtins}
    try:
        exec(code, space)
    except (MemoryError, SystemExit, KeyboardInterrupt, EOFError):
        raise
    except Exception as error:
        return "stopped", f"Before {task.function} is called it fails{raised(error)}."
    function = space.get(task.function)
    if not callable(function):
        is_there = "is no function" if task.function in space else "is not there"
        return "stopped", f"The function {task.function} {is_there}: how is it spelt?"
    try:
        return "right", task.marker.mark(function, task.function)
    except WrongError as wrong:
        return "wrong", f"Not yet: {wrong}"


def _limit(seconds: float, memory: int) -> None:
    with contextlib.suppress(ImportError):
        import resource  # not on Windows

        used = int(time.process_time()) + 1
        most = used + max(1, round(seconds))
        limits = {
            resource.RLIMIT_CPU: (most, most + 1),
            resource.RLIMIT_AS: (_taken() + memory,) * 2,
            resource.RLIMIT_FSIZE: (0, 0),
            resource.RLIMIT_NOFILE: (64, 64),
            resource.RLIMIT_NPROC: (0, 0),
            resource.RLIMIT_CORE: (0, 0),
        }
        for what, limit in limits.items():
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(what, limit)


def _taken() -> int:
    """Bytes of address space that this process has by now."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 2**31


def _guard(line: _Line) -> None:
    """Stop the code at the first thing that no exercise needs."""

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            _, mode, flags = given
            if any(sign in (mode or "") for sign in "wax+") or (flags or 0) & _WRITING:
                line.stop(f"it opens a file to write: {str(given[0])[:80]}")
            return
        for start, why in REFUSED.items():
            if event.startswith(start):
                line.stop(f"{why} ({event}).")

    sys.addaudithook(hook)


if __name__ == "__main__":
    main()
