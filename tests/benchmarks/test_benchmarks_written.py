"""What is made of results: means and bars, lines on a terminal, the document and its sections."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("benchmarks", reason="the benchmarks come with the repository alone")
from benchmarks import __main__ as command
from benchmarks import machine, report, results, suites


def ratios(middle: float) -> dict[str, float]:
    return {"seconds": middle, "ratio": middle, "low": middle - 0.25, "high": middle + 0.25}


def row(name: str, listed: bool, ratio: float) -> dict[str, Any]:
    """A line where PyTorch takes this many times as long as faltung, and ncnn twice that."""
    return {
        "name": name,
        "listed": listed,
        "shape": "1→1 8, 3",
        "macs": 10**9,
        "bytes": 10**6,
        "seconds": 1.0,
        "errors": {"ours": 1e-7, "pytorch": 2e-7},
        "cannot": {"openvino": "knows no batches"},
        "peers": {"pytorch": ratios(ratio), "ncnn": ratios(2 * ratio)},
    }


def run(*rows: dict[str, Any], commit: str = "abc") -> dict[str, Any]:
    return {
        "machine": {"cpu": "A CPU", "isa": "avx512", "threads": 2, "system": "Linux"},
        "roofline": {"flops": 5e11, "bandwidths": {"1048576": 1e11, "1073741824": 2e10}},
        "versions": {"ours": "0.1", "pytorch": "2.13"},
        "rounds": "3 to 9",
        "block": 0.3,
        "commit": commit,
        "day": "2026-01-02",
        "rows": list(rows),
    }


def section(text: str, title: str) -> str:
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def test_bars_are_read_from_the_published_list_alone() -> None:
    suite = suites.SUITES["prepared"]
    rows = [row("a", True, 1.0), row("b", True, 4.0), row("c", False, 0.1)]
    assert list(report.bars(suite, rows)) == [
        ("geometric mean at least 1.4", True),
        ("none below 0.9", True),
    ]
    rows[0] = row("a", True, 0.8)
    assert [met for _, met in report.bars(suite, rows)] == [True, False]


def test_a_section_names_its_figures_its_bars_and_where_they_are_from(tmp_path: Path) -> None:
    rows = [row("a", True, 1.0), row("b", True, 4.0), row("c", False, 0.5)]
    results.save("prepared", run(*rows), tmp_path / "b.md")
    text = (tmp_path / "b.md").read_text(encoding="utf-8")
    found = section(text, "Prepared convolutions")
    assert "| a | 1→1 8, 3 | 1000 | 2 | 0 % | **1.00** (0.75–1.25) | 1.00 | 2.00 |" in found
    assert found.index("Not on the published list") < found.index("**0.50**")
    for said in (
        "- Published list: geometric mean 2.00, least 1.00 (a, against PyTorch), 0 of 2 below 1.",
        "- Other shapes: geometric mean 0.50, least 0.50 (c, against PyTorch), 1 of 1 below 1.",
        "- Geometric mean at least 1.4: met.",
        "- None below 0.9: met.",
        "- OpenVINO knows no batches: all.",
        "- Largest error over largest value: 1e-07; of all 2e-07 (PyTorch on c).",
        "- 2026-01-02, commit abc, 3 to 9 rounds of 0.3 s; A CPU, avx512, 2 threads; "
        "500 GFLOP/s in float32, 20 GB/s copied; Linux; faltung 0.1, PyTorch 2.13.",
    ):
        assert said in found.splitlines()


def test_the_document_begins_with_all_suites_at_a_glance(tmp_path: Path) -> None:
    """In the order of the suites, not of the runs; each links to its section."""
    start = {"name": "a first call", "value": 0.5, "high": 0.6, "bar": 0.4}
    results.save("start", run(start), tmp_path / "b.md")
    results.save("gradients", run(row("a", True, 0.5)), tmp_path / "b.md")
    results.save("tiny", run(row("a", True, 2.0)), tmp_path / "b.md")
    text = (tmp_path / "b.md").read_text(encoding="utf-8")
    lines = [line for line in section(text, "At a glance").splitlines() if line.startswith("| [")]
    assert lines == [
        "| [Tiny inputs](#tiny-inputs) | 1 | 2.00 | 2.00 | 1 of 1 missed |",
        "| [Training's convolutions](#trainings-convolutions) | 1 | 0.50 (2) | 0.50 (0.9) "
        "| 2 of 2 missed |",
        "| [Start](#start) | 1 |  |  | 1 of 1 missed |",
    ]
    assert "| a first call | 0.5 | 0.6 | under 0.4, missed |" in section(text, "Start")
    titles = re.findall("^## (.*)", text, flags=re.MULTILINE)
    assert titles[:3] == ["At a glance", "How it is measured", "How to repeat it"]
    assert titles[3:] == ["Tiny inputs", "Training's convolutions", "Start"]


def test_a_run_replaces_the_section_of_its_suite_alone(tmp_path: Path) -> None:
    path = tmp_path / "b.md"
    results.save("prepared", run(row("a", True, 1.0), commit="old"), path)
    results.save("plain", run(row("a", True, 1.0), commit="old"), path)
    results.save("plain", run(row("b", True, 3.0), commit="new"), path)
    text = path.read_text(encoding="utf-8")
    assert "commit old" in section(text, "Prepared convolutions")
    plain = section(text, "Plain calls")
    assert "commit new" in plain
    assert "| b |" in plain
    assert "| a |" not in plain


def test_figures_are_kept_a_line_each_with_few_digits(tmp_path: Path) -> None:
    one = row("a", True, 1 / 3)
    results.save("plain", run(one), tmp_path / "b.md")
    text = (tmp_path / "b.json").read_text(encoding="utf-8")
    assert results.kept(tmp_path / "b.md") == json.loads(text)
    assert json.loads(text)["plain"]["rows"][0]["peers"]["pytorch"]["ratio"] == 0.3333
    assert sum('"name": "a"' in line for line in text.splitlines()) == 1
    assert results.kept(tmp_path / "none.md") == {}


def test_a_run_of_ours_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the command line to the document, in processes of their own."""
    suite = suites.SUITES["tiny"]
    assert isinstance(suite, suites.Suite)
    few = [task for task in suite.tasks() if task.name in ("one", "sobel")]
    monkeypatch.setitem(command.SUITES, "tiny", replace(suite, tasks=lambda: few))
    path = tmp_path / "b.md"
    more = ["--rounds", "1", "--most", "1", "--block", "0.001", "--threads", "1"]
    command.main(["tiny", "--peers", "", *more, "--write", str(path)])
    said = capsys.readouterr().out
    assert machine.cpu_model() in said
    assert machine.commit() in said
    assert "| sobel | 1→1 5x5, 3x3 |" in path.read_text(encoding="utf-8")
    assert [row["name"] for row in results.kept(path)["tiny"]["rows"]] == ["one", "sobel"]


@pytest.mark.parametrize("more", [["vgg*"], ["--listed"]])
def test_a_part_of_a_suite_is_not_written(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main(["plain", *more, "--write", str(tmp_path / "b.md")])
    assert "a document has whole suites" in capsys.readouterr().err


@pytest.mark.parametrize("suite", suites.SUITES)
def test_the_software_of_every_peer_has_a_name(suite: str) -> None:
    """Of those too that are in the list with their variants alone."""
    for peer in getattr(suites.SUITES[suite], "peers", ()):
        assert suites.software(peer.split(":")[0])
