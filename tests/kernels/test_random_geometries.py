"""Every kernel on random geometries: within its bound, no stray byte, on every instruction set."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from faltung import reference
from faltung.geometry.window import ConvWindow
from faltung.kernels.compiled import kernel
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.registry import ROWS, Row
from faltung.kernels.simd import POINTER, Code, Pointer
from faltung.testing.random_kernels import __main__ as command
from faltung.testing.random_kernels import oracle, variants
from faltung.testing.random_kernels.broken import MISTAKES
from faltung.testing.random_kernels.check import ARGUMENTS, expected
from faltung.testing.random_kernels.drawn import ERA, MANY, Case, drawn
from faltung.testing.random_kernels.hunt import Chunk, Found, chunks, hunt, rows, share

HERE = [isa.name for isa in ISAS if has(isa)]
ELSEWHERE = {"lrn"}
"""Operations whose rows have random tests of their own."""


SEEDS = 60
"""Cases in which a mistake must show."""


def assert_right(found: Found, least: int) -> None:
    """Nothing is wrong, and every row had cases."""
    assert not found.wrong, "\n".join(found.wrong[:20])
    assert [key for key, count in found.checked.items() if not count] == []
    assert sum(found.checked.values()) >= least


def test_every_operation_is_drawn() -> None:
    assert {row.operation for row in ROWS} - ELSEWHERE == set(ARGUMENTS)


@pytest.mark.skipif(not HERE, reason="nothing can be compiled here")
def test_a_sample() -> None:
    """On the widest instruction set; a finding says how to make it again."""
    assert_right(hunt(chunks(HERE[0], 3000)), 3000)


@pytest.mark.parametrize("isa", HERE[1:])
def test_a_sample_on_other_instruction_sets(isa: str) -> None:
    assert_right(hunt(chunks(isa, 600)), 600)


@pytest.mark.skipif(not HERE, reason="nothing can be compiled here")
def test_a_sample_of_prepared_convolutions() -> None:
    """Each called again and again, with a row imposed."""
    names = [row.name for row in rows() if row.operation in ("conv", "conv_dx")]
    found = hunt([Chunk(HERE[0], name, 0, 24, "prepared") for name in names])
    assert_right(found, 20 * len(names))


@pytest.mark.skipif(not HERE, reason="nothing can be compiled here")
def test_a_sample_has_the_same_bits_again() -> None:
    """Any number of threads, repeated runs, any split of the batch."""
    work = [Chunk(HERE[0], row.name, 0, 4, "bits") for row in rows()]
    assert_right(hunt(work), 3 * len(rows()))


@pytest.mark.long
@pytest.mark.parametrize("isa", HERE)
def test_200_000_geometries(isa: str) -> None:
    """Against float64, guards around everything; other choices on each instruction set."""
    assert_right(hunt(chunks(isa, 200_000, seed=(1 + HERE.index(isa)) * ERA)), 200_000)


@pytest.mark.long
@pytest.mark.parametrize("isa", HERE)
def test_many_prepared_convolutions(isa: str) -> None:
    """Called again and again, with a row imposed."""
    names = [row.name for row in rows() if row.operation in ("conv", "conv_dx")]
    work = [share(isa, name, 20_000, 500, "prepared") for name in names]
    assert_right(hunt(work), 500 * len(names))


@pytest.mark.long
@pytest.mark.skipif(not HERE, reason="nothing can be compiled here")
def test_many_have_the_same_bits_again() -> None:
    """Threads, repeated runs and splits again, on larger shapes."""
    work = [share(HERE[0], row.name, 2000, 40, "bits") for row in rows()]
    assert_right(hunt(work, processes=1), 40 * len(rows()))


def defined(case: Case, numbers: dict[str, Any]) -> Any:
    """What the definitions say, for an operation without epilogue."""
    row, window = case.row, case.window
    slide: dict[str, Any] = {"stride": window.stride, "pads": window.pads}
    slide["dilation"] = window.dilation
    arrays = [numbers[name] for name in ARGUMENTS[row.operation]]
    function = getattr(reference, row.operation)
    if isinstance(window, ConvWindow):
        shape = {"conv_dx": [window.x_shape], "conv_dw": [window.w_shape]}.get(row.operation, [])
        return function(*arrays, *shape, **slide, groups=window.groups)
    slide["out_space"] = window.out_space
    if row.operation.startswith("avg"):
        slide["count_include_pad"] = "include pad" in case.extras
    shape = [window.x_shape] if row.operation == "avg_pool_dx" else []
    return function(*arrays, *shape, window.kernel, **slide)


@pytest.mark.parametrize("operation", ARGUMENTS)
def test_oracle_agrees_with_the_definitions(operation: str) -> None:
    """Convolution, pooling and their gradients, to a few roundings of float64."""
    row, count = next(row for row in rows() if row.operation == operation), 0
    for seed in range(60):
        case = drawn(row, seed)
        if case is None or np.prod(case.window.out_shape) > 3000:
            continue
        numbers = case.numbers()
        plain = Case(row, seed, case.window, case.dtype, case.is_whole, case.extras[:0])
        kept = case if operation.startswith("avg") else plain
        numbers.pop("residual", None)
        np.testing.assert_allclose(
            expected(kept, numbers), defined(kept, numbers), atol=1e-11, err_msg=str(case)
        )
        count += 1
    assert count >= 20


def test_the_largest_number_of_a_block() -> None:
    """By hand: a kernel of 3 with stride 2 is one of 4, so 2 outputs read 6 inputs."""
    window = ConvWindow.of((1, 1, 12), (1, 1, 3), stride=2, padding=1)
    x = np.arange(12.0).reshape(1, 1, 12)
    assert oracle.largest_read(window.axes, x, 2).tolist() == [[4, 4, 8, 8, 11, 11]]
    window = ConvWindow.of((1, 1, 7), (1, 1, 3), padding=1)
    dout = np.arange(7.0).reshape(1, 1, 7)
    found = oracle.largest_read_by_dx(window.axes, dout, 4)
    assert found.tolist() == [[4, 4, 4, 4, 6, 6, 6]]


COMBINED = ("conv_dw_depthwise_any_nchw",)
"""Rows whose last step is NumPy's: no guarded memory holds what they return."""


def can_be_made(how: str, row: Row) -> bool:
    """NumPy's memory is its own, and a kernel for stride 1 has no strides to swap."""
    if how == "strides swapped":
        cases = (drawn(row, seed) for seed in range(SEEDS))
        return any(len(set(case.window.stride)) > 1 for case in cases if case is not None)
    return "byte" not in how or (row.is_compiled and row.name not in COMBINED)


@pytest.mark.skipif(not HERE, reason="nothing can be compiled here")
@pytest.mark.parametrize("how", MISTAKES)
def test_a_mistake_is_caught(how: str) -> None:
    """The control: every mistake, in every row; one that ends the process is known by its case."""
    tried = [row for row in rows() if can_be_made(how, row)]
    work = [Chunk(HERE[0], row.name, 0, SEEDS, how=how) for row in tried]
    found = hunt(work)
    missed = [row.name for row in tried if not any(row.name in said for said in found.wrong)]
    assert not missed
    if how == "a read past the end":
        assert all("the process ended, code -" in said for said in found.wrong)


def test_a_case_is_the_same_again() -> None:
    row = rows()[0]
    assert str(drawn(row, 17)) == str(drawn(row, 17))
    assert len({str(drawn(row, seed)) for seed in range(50)}) == 50


def test_other_seeds_have_other_choices() -> None:
    """Of form, channels, dtype and epilogue; of few, so that kernels are shared."""
    row = next(row for row in rows() if row.is_compiled)
    pools = []
    for start in (MANY, ERA, 2 * ERA):
        cases = (drawn(row, seed) for seed in range(start, start + MANY))
        pools.append({(case.dtype, case.extras, case.window.kernel) for case in cases if case})
    assert all(a - b for a, b in permutations(pools, 2))


@kernel(x=POINTER)
def nothing(code: Code, x: Pointer, *, turn: int) -> None:
    """Do nothing, in a variant for each turn."""


@pytest.mark.skipif(not HERE, reason="nothing can be compiled here")
def test_few_variants_are_compiled_for_many_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case that needs one more is passed over; later ones may have more."""
    monkeypatch.setattr(variants, "AT_ONCE", 1)
    monkeypatch.setattr(variants, "EACH", 2)
    known, passed = variants.Variants(), []
    for checked, turn in ((0, 1), (0, 1), (1, 2), (1, 1), (2, 2)):
        with suppress(variants.TooMany), known.limited(checked):
            nothing.address(turn=turn)
            passed.append((checked, turn))
    assert passed == [(0, 1), (0, 1), (1, 1), (2, 2)]
    assert nothing.address(turn=3)


@pytest.mark.skipif(not HERE, reason="nothing can be compiled here")
def test_so_many_cases_and_no_more() -> None:
    """Whatever was passed over, and where a process ended in between."""
    name = "conv_direct_any_nchw"
    work = replace(chunks(HERE[0], 30, names=[name])[0], how="a read past the end")
    died = hunt([work], processes=1)
    assert died.checked[HERE[0], name] == 1
    assert hunt(chunks(HERE[0], 30, names=[name])).checked[HERE[0], name] == 30


def test_the_command_says_what_it_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    isa = HERE[:1] and ["--isa", HERE[0]]
    row = ["--row", "conv_im2col_any_nchw"]
    assert command.main([*isa, *row, "--cases", "20"]) == 0
    assert "20 cases, 0 wrong" in capsys.readouterr().out
    assert command.main([*isa, *row, "--cases", "20", "--broken", "flipped"]) == 1
    said = capsys.readouterr().out
    line = next(line for line in said.splitlines() if "are wrong, the first at" in line)
    assert "--row conv_im2col_any_nchw --seed" in line
    seed = line.split("--seed ")[1].split()[0]
    assert command.main([*isa, *row, "--seed", seed]) == 0
