"""Running somebody's code: in a process of its own, with limits, in an empty folder.

It guards against accidents, such as a loop without end, and against code that does what no
exercise asks for. It is no jail: whoever wants to break out of Python can. Check nobody's code but
your own, or code that you have read.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from faltung.errors import ExerciseError, message
from faltung.exercises.catalogue import EXERCISES, exercise
from faltung.exercises.exercise import Task

State = Literal["right", "wrong", "stopped"]
LARGEST: Final = 200_000
"""Bytes of a file."""
MEMORY: Final = 2**29
"""Bytes that the code may take beside what Python and NumPy take."""
MOST_PRINTED: Final = 100_000
"""Characters that it may print."""
STARTING: Final = 60.0
"""Seconds that Python and NumPy may take to start."""
_ENDLESS: Final = "does a loop never end, or does it wait for something?"
_NAMED: Final = re.compile(r"^#\s*faltung exercise:\s*([a-z0-9-]+)", re.MULTILINE)
_FROM_SIGNAL: Final = {
    "SIGXCPU": "it used more than {seconds} seconds of processor time: does a loop never end?",
    "SIGKILL": "it used more than {seconds} seconds of processor time: does a loop never end?",
    "SIGSEGV": "it made Python itself crash: does a function call itself without end?",
}


@dataclass(frozen=True)
class Outcome:
    """What became of somebody's code.

    Parameters
    ----------
    name
        Of the exercise.
    state
        ``"right"``, ``"wrong"``, or ``"stopped"`` where it could not be run to its end.
    text
        What is said of it, in one line.
    printed
        What it printed, its beginning.
    """

    name: str
    state: State
    text: str
    printed: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it."""
        kept = {"name": self.name, "state": self.state, "text": self.text}
        return {**kept, "printed": self.printed}


def check(source: str | bytes, name: str, *, seconds: float | None = None) -> Outcome:
    """Run somebody's code and mark it.

    Parameters
    ----------
    source
        A Python file, as text or as bytes in UTF-8.
    name
        Of an exercise that has code to write.
    seconds
        Of processor time that it may take; by default what the exercise allows. Code that waits
        instead of working may take twice as long.

    Returns
    -------
    Outcome

    Raises
    ------
    ExerciseError
        There is no such exercise, or it has no code to write.

    Examples
    --------
    >>> check("def parameters(): return 1", "parameters").state
    'wrong'
    """
    task = task_of(name)
    given = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if len(given) > LARGEST:
        return Outcome(name, "stopped", f"The file has more than {LARGEST:,} bytes.")
    try:
        text = given.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        said = f"The file is not UTF-8 text: byte {error.start} cannot be read. Save it as UTF-8."
        return Outcome(name, "stopped", said)
    return _run(text, name, float(task.seconds if seconds is None else seconds))


def task_of(name: str) -> Task:
    """Return what code an exercise wants.

    Raises
    ------
    ExerciseError
        There is no such exercise, or it has no code to write.
    """
    task = exercise(name).task
    if task is None:
        rule, coded = "this exercise has no code to write", ", ".join(coding())
        raise ExerciseError(message(name, rule, None, f"Those that have: {coded}"))
    return task


def coding() -> list[str]:
    """Return the names of the exercises with code to write."""
    return [name for name in EXERCISES if exercise(name).task is not None]


def named_in(source: str, stem: str = "") -> str:
    """Return the exercise that a file is for: by its first line, its name, or its functions.

    Raises
    ------
    ExerciseError
        None of them tells.

    Examples
    --------
    >>> named_in("# faltung exercise: edges"), named_in("def conv2d(image, kernel):")
    ('edges', 'conv2d')
    """
    found = _NAMED.search(source)
    if found:
        return found[1]
    names = coding()
    if stem.replace("_", "-") in names:
        return stem.replace("_", "-")
    defined = set(re.findall(r"^def (\w+)", source, re.MULTILINE))
    wanted = [name for name in names if task_of(name).function in defined]
    if len(wanted) != 1:
        rule = "the file does not say for which exercise it is"
        cure = f"Name it after FILE.py, one of {', '.join(names)}"
        raise ExerciseError(message(stem or "exercise", rule, None, cure))
    return wanted[0]


def _run(source: str, name: str, seconds: float) -> Outcome:
    job = {"source": source, "name": name, "seconds": seconds}
    job |= {"memory": MEMORY, "printed": MOST_PRINTED}
    with tempfile.TemporaryDirectory(prefix="faltung-", ignore_cleanup_errors=True) as folder:
        process = _started(Path(folder))
        try:
            told, why = _conversation(process, json.dumps(job).encode(), seconds)
        finally:
            _end(process)
    if told is not None:
        return Outcome(name, told["state"], told["text"], told["printed"])
    return Outcome(name, "stopped", f"Stopped: {why or _ended(process.returncode, seconds)}")


def _started(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-B", "-X", "utf8", "-m", "faltung.exercises.child"]
    kept = {n: os.environ[n] for n in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if n in os.environ}
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "FALTUNG_NUM_THREADS")
    # To compile calls C and writes a file, which the guard refuses: the definitions run.
    definitions = {"FALTUNG_KERNEL": "reference", "FALTUNG_ISA": "none"}
    own = {"HOME": str(folder), "TMPDIR": str(folder), **definitions}
    path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path if entry)
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={**kept, **own, **dict.fromkeys(threads, "1"), "PYTHONPATH": path},
        start_new_session=True,
    )


def _conversation(
    process: subprocess.Popen[bytes], job: bytes, seconds: float
) -> tuple[dict[str, Any] | None, str]:
    """Hand the job over; return what comes back, or why nothing was waited for."""
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    with contextlib.suppress(OSError):
        assert process.stdin is not None
        process.stdin.write(job)
        process.stdin.close()
    try:
        if not lines.get(timeout=STARTING):
            return None, "Python did not start in the process of its own."
        line = lines.get(timeout=2 * seconds + 1)
    except queue.Empty:
        return None, f"it did not end in {2 * seconds + 1:g} seconds: {_ENDLESS}"
    with contextlib.suppress(ValueError):
        return json.loads(line), ""
    return None, ""


def _read(process: subprocess.Popen[bytes], lines: queue.Queue[bytes]) -> None:
    """Hand on two lines of what the process says; an empty one where it has ended."""
    assert process.stdout is not None
    with process.stdout, contextlib.suppress(OSError, ValueError):
        for _ in range(2):
            lines.put(process.stdout.readline(2**20))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it started; one that ends by itself gets a moment to do so."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0.2)
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _ended(code: int, seconds: float) -> str:
    """Say how a process ended that told nothing."""
    if code < 0:
        name = signal.Signals(-code).name
        told = _FROM_SIGNAL.get(name, f"its process was ended by {name}.")
        return told.format(seconds=f"{seconds:g}")
    return f"it ended its own process, with exit code {code}: is there an os._exit?"
