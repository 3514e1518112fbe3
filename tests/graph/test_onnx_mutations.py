"""Malformed models: a result or one clear line, and a driver that finds whatever else comes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto

import faltung
from faltung.testing.onnx_mutations import PLANTED, Stage, Tally, case_of, examined
from faltung.testing.onnx_mutations.__main__ import main
from faltung.testing.onnx_mutations.bases import bases
from faltung.testing.onnx_mutations.examine import examine
from faltung.testing.onnx_mutations.folder import SECRET, prepare, put
from faltung.testing.onnx_mutations.structural import MUTATIONS


def test_ten_files_are_read_and_run(tmp_path: Path) -> None:
    path = prepare(tmp_path)
    assert len({base.name for base in bases()}) == 10
    for base in bases():
        put(path, base.data, base)
        outcome = examine(path)
        assert outcome.verdict == "result", (base.name, outcome)
        assert outcome.reached == ~Stage.NONE, base.name


def test_a_case_is_the_same_whenever_it_is_made() -> None:
    first = [case_of(3, i) for i in range(40)]
    assert first == [case_of(3, i) for i in range(40)]
    assert first != [case_of(4, i) for i in range(40)]
    assert {case.structural for case in first} == {True, False}


def test_every_mutation_happens_and_changes_files() -> None:
    cases = [case_of(0, i) for i in range(3000)]
    done = {name for case in cases if case.structural for name in case.what.split()}
    assert done == {mutation.__name__ for mutation in MUTATIONS}
    assert sum(case.data != case.base.data for case in cases) > 0.95 * len(cases)


def mutants(count: int, seed: int, planted: str = "", workers: int = 2) -> Tally:
    tally = Tally(seed)
    for answer in examined(range(count), seed=seed, workers=workers, planted=planted):
        tally.add(answer)
    return tally


def check_shares(tally: Tally, count: int) -> None:
    print("\n".join(tally.lines()))
    assert [tally.told(answer) for answer in tally.failures] == []
    assert tally.total == count
    assert tally.reached(Stage.PARSED, structural=True) > 0.5 * count
    assert tally.reached(Stage.SHAPES) > 0.5 * count
    assert tally.reached(Stage.RUN) > 0.1 * count


def test_mutants_end_in_a_result_or_one_clear_line() -> None:
    check_shares(mutants(1000, seed=7), 1000)


@pytest.mark.long
def test_many_mutants_end_in_a_result_or_one_clear_line() -> None:
    check_shares(mutants(10_000, seed=11), 10_000)


@pytest.mark.parametrize("bug", [name for name in PLANTED if name != "hang"])
def test_planted_bugs_are_found(bug: str) -> None:
    tally = mutants(45, seed=0, planted=bug, workers=1)
    assert tally.total == 45
    assert {answer.outcome.verdict for answer in tally.failures} == {PLANTED[bug][1]}
    worst = tally.failures[0]
    assert f"--seed 0 --case {worst.index}" in tally.told(worst)[1]


def test_a_planted_hang_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faltung.testing.onnx_mutations.driver.LONGEST", 1.5)
    odd = next(a.index for a in mutants(45, 0, "key_error", 1).failures)
    found = list(examined(range(odd, odd + 2), planted="hang", workers=1))
    assert [a.index for a in found] == [odd, odd + 1]
    assert found[0].outcome.verdict == "hang"


@pytest.mark.parametrize("stored", ["float16", "float32"])
def test_values_from_outside_the_folder_are_seen(tmp_path: Path, stored: str) -> None:
    path = prepare(tmp_path)
    base = next(base for base in bases() if base.name == "half")
    secret = np.frombuffer(SECRET, stored).astype(np.float32)

    def reads_outside(path: Path, **options: int) -> faltung.Graph:
        graph = faltung.load(path)
        name = next(iter(graph.params))
        stolen = secret[: graph.params[name].size].reshape(graph.params[name].shape)
        return graph.replace(params={**graph.params, name: stolen})

    put(path, base.data, base)
    assert examine(path, reads_outside).verdict == "leak"


def test_one_case_can_be_repeated_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--case", "15", "--keep", str(tmp_path / "kept")]) == 0
    said = capsys.readouterr().out
    assert "corners" in said
    assert (tmp_path / "kept" / "model.onnx").read_bytes() == case_of(0, 15).data


def test_what_exporters_write_keeps_its_arithmetic_out_of_the_graph(tmp_path: Path) -> None:
    base = next(base for base in bases() if base.name == "exported")
    assert len(ModelProto.FromString(base.data).graph.node) == 18
    (tmp_path / "m.onnx").write_bytes(base.data)
    graph = faltung.load(tmp_path / "m.onnx", open_size=1)
    kinds = [node.operator.subject for node in graph.nodes]
    assert kinds == ["Conv", "Reshape", "Transpose", "Slice", "ReduceMean", "MatMul"]
