"""Make what the README shows anew: run what it says and put in what was printed.

A comment ``<!-- output: train -->`` or ``<!-- output: ten-lines -->`` stands before each block.
The sections of ``docs/loose-statements.md`` are written from the computed figures, and
``docs/play/index.html`` is the explorer as it can be saved (``make_docs.py play`` makes it alone).
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(command: list[str], errors: int | None = None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True, check=True
        )
    return done.stdout


def train() -> str:
    """The training run, from its last epoch on, called as a user calls it."""
    shown = run([sys.executable, "-m", "faltung", "train"], subprocess.STDOUT)
    lines = [line.rstrip() for line in shown.splitlines()]
    last = max(i for i, line in enumerate(lines) if line.startswith("epoch"))
    text = "\n".join(lines[last:]).strip()
    return re.sub(r"^  \S.*?(faltung|-m faltung) ", "  faltung ", text, flags=re.MULTILINE)


def ten_lines() -> str:
    """What the example prints."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"## Ten lines\n\n```python\n(.*?)```", readme, flags=re.DOTALL)
    return run([sys.executable, "-c", code]).strip()


MAKERS = {"train": train, "ten-lines": ten_lines}


def main() -> None:
    path = ROOT / "README.md"
    readme = path.read_text(encoding="utf-8")
    for name, make in MAKERS.items():
        block = re.compile(rf"(<!-- output: {name} -->\n```text\n).*?(```)", flags=re.DOTALL)
        output = make()
        readme, count = block.subn(lambda m, o=output: f"{m[1]}{o}\n{m[2]}", readme)
        if count != 1:
            raise SystemExit(f"README.md: there must be one block for {name}, got {count}.")
    path.write_text(readme, encoding="utf-8")
    write_loose()
    write_play()


def write_loose() -> None:
    """Everything below the introduction."""
    import faltung

    path = ROOT / "docs" / "loose-statements.md"
    introduction, _, _ = path.read_text(encoding="utf-8").partition("## ")
    path.write_text(introduction + faltung.loose_statements().markdown(), encoding="utf-8")


def write_play() -> None:
    """The explorer, to open without installing anything."""
    from faltung.explorer.page import write_page

    folder = ROOT / "docs" / "play"
    folder.mkdir(exist_ok=True)
    write_page(folder / "index.html")


if __name__ == "__main__":
    write_play() if sys.argv[1:] == ["play"] else main()
