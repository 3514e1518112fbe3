"""What CONTRIBUTING.md says about adding an operator is done here, and works."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import faltung
from faltung import ops
from faltung.testing.checks import check_operator

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
PACKAGE = Path(faltung.__file__).parent


class Shown(NamedTuple):
    """The one file and the one line that the page shows."""

    module: str
    text: str
    line: str
    operator: str


def block_after(page: str, path: str) -> str:
    """The first block of Python after a path is spoken of."""
    found = re.search(rf"`{path}`.*?^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert found, path
    return found[1]


@pytest.fixture(scope="module")
def shown() -> Shown:
    page = PAGE.read_text(encoding="utf-8")
    section = page[page.index("## Adding an operator") :]
    (path,) = set(re.findall(r"`src/faltung/(ops/(?!__init__)\w+\.py)`", section))
    line = block_after(section, r"src/faltung/ops/__init__\.py").rstrip("\n")
    (alias,) = ast.parse(line).body[0].names  # type: ignore[attr-defined]
    assert alias.asname == alias.name
    text = block_after(section, f"src/faltung/{path}")
    return Shown(Path(path).stem, text, line, alias.name)


def with_operator(shown: Shown, text: str, folder: Path) -> Path:
    """A copy of the package with the file and the line in it; returns what to import from."""
    copy = folder / "copy" / "faltung"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    module = copy / "ops" / f"{shown.module}.py"
    assert not module.exists(), "the example is in the package now: show another one"
    module.write_text(text, encoding="utf-8")
    listing = copy / "ops" / "__init__.py"
    lines = listing.read_text(encoding="utf-8").splitlines()
    lines.insert(lines.index("from faltung.ops.operator import AbstractOperator"), shown.line)
    listing.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return copy.parent


def run_on(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = Path(__file__).with_name("added_operator.py")
    command = [sys.executable, "-W", "error", str(script), *arguments]
    env = {**os.environ, "PYTHONPATH": str(copy)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_the_example_passes_every_check(shown: Shown, tmp_path: Path) -> None:
    copy = with_operator(shown, shown.text, tmp_path)
    done = run_on(copy, "check", shown.operator)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"done with {copy / 'faltung' / '__init__.py'}\n"


def test_the_example_is_used_saved_loaded_and_run_elsewhere(
    shown: Shown, tmp_path: Path, onnxruntime: ModuleType
) -> None:
    copy = with_operator(shown, shown.text, tmp_path)
    done = run_on(copy, "use", shown.operator, str(tmp_path))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("right", "wrong", "check"),
    [
        ("np.where(saved, douts[0],", "np.where(saved, -douts[0],", "gradients"),
        ("above = x > x.dtype", "above = x >= -x.dtype", "values"),
        ('{"alpha": float(self.alpha)}', "{}", "values"),
        ('cls(alpha=node.real("alpha", 1.0))', "cls()", "onnx"),
        ("np.where(above, x, x.dtype.type(0))", "np.where(above, x, 0.0).astype(float)", "shapes"),
    ],
    ids=["sign in backward", "forward", "attribute not written", "not read", "dtype"],
)
def test_the_example_with_a_bug_does_not_pass(
    shown: Shown, tmp_path: Path, right: str, wrong: str, check: str
) -> None:
    assert shown.text.count(right) == 1
    done = run_on(
        with_operator(shown, shown.text.replace(right, wrong), tmp_path), "check", shown.operator
    )
    assert done.returncode == 1
    assert re.search(rf"AssertionError: check_{check}: {shown.operator}\(", done.stderr), (
        done.stderr
    )


def test_an_operator_of_ones_own_needs_no_copy(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put into the list by hand, it passes the same checks from wherever it is defined."""
    module: dict[str, Any] = {"__name__": "somewhere_else"}
    monkeypatch.setitem(sys.modules, "somewhere_else", ModuleType("somewhere_else"))
    exec(compile(shown.text, "somewhere_else.py", "exec"), module)
    operator = module[shown.operator]
    monkeypatch.setitem(ops.OPERATORS, operator.onnx_type, operator)
    check_operator(operator)
