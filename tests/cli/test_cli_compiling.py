"""A person at a terminal is told while kernels are compiled; a program is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faltung.cli import app
from faltung.kernels import objects
from faltung.kernels.isa import host_isa

CODE = "from faltung.cli.app import run; run(['run'])"
SAID = "compiling kernels for this CPU (once)"


@pytest.mark.skipif(host_isa() is None, reason="nothing can be compiled for this CPU")
@pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo-terminals")
def test_a_terminal_is_told_once(tmp_path: Path) -> None:
    environment = {**os.environ, "FALTUNG_CACHE": str(tmp_path)}
    heard = []
    for _ in range(2):
        ours, theirs = os.openpty()
        command = [sys.executable, "-c", CODE]
        options = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": theirs}
        with subprocess.Popen(command, cwd=tmp_path, **options) as process:  # type: ignore[call-overload]
            os.close(theirs)
            text = b""
            while chunk := _read(ours):
                text += chunk
            process.wait(120)
        os.close(ours)
        heard.append(text.decode().count(SAID))
    assert heard == [1, 0]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other side is closed
        return b""


def test_a_program_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("FALTUNG_CACHE", str(tmp_path))
    objects.tell_when_compiling(app._say_that_it_compiles)
    assert objects.kept("name", lambda: b"code") == b"code"
    assert capsys.readouterr() == ("", "")
    told = []
    objects.tell_when_compiling(lambda: told.append(1))
    for name in ("name", "other", "third"):
        objects.kept(name, lambda: b"code")
    assert told == [1]
