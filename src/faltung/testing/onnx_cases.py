"""ONNX's own backend tests, run against faltung: passed, skipped with a reason, failed.

A case is skipped for what its model is made of, never for what comes out: an operator that is not
ours, a type of value that we do not hold; and where it draws at random, by name.
``python -m faltung.testing.onnx_cases FILE`` writes the table that the documentation keeps.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from faltung.errors import FaltungError
from faltung.graph.onnx_backend import FaltungBackend
from faltung.graph.onnx_constants import CONSTRUCTS
from faltung.graph.onnx_functions import operator_class

KINDS: Final = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")
Result = Literal["passed", "skipped", "failed"]

HELD: Final = frozenset(
    getattr(TensorProto, name)
    for name in (
        *("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "BOOL"),
        *(f"{u}INT{n}" for u in ("", "U") for n in (2, 4, 8, 16, 32, 64)),
    )
)


LEFT_OUT: Final = {
    **dict.fromkeys(
        (
            "test_training_dropout",
            "test_training_dropout_default",
            "test_training_dropout_default_mask",
            "test_training_dropout_mask",
        ),
        "drawn by NumPy's old generator, which ONNX does not ask for",
    ),
}
"""Cases that are skipped by name."""

WIDE: Final = {
    "test_squeezenet": "float32 keeps arguments of its softmax, near 1e10, to 1024",
}
"""Cases that are computed in float64, and why."""


@dataclass(frozen=True)
class Outcome:
    """What became of one case; ``reason`` says why it was skipped, or what is wrong."""

    kind: str
    name: str
    result: Result
    reason: str = ""


def cases(kind: str) -> list[TestCase]:
    """Return ONNX's cases of one kind, sorted by name.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sorted(load_model_tests(kind=kind), key=lambda case: str(case.name))


def model_of(case: TestCase) -> onnx.ModelProto:
    """Return the model of a case, from wherever it lies.

    Parameters
    ----------
    case : TestCase
        What `cases` returned.
    """
    if case.model is not None:
        return case.model
    if case.model_dir is not None:
        return onnx.load(Path(case.model_dir) / "model.onnx")
    return onnx.load(_light(case))


def _light(case: TestCase) -> Path:
    """Return the file of a reference network, which the package brings with it."""
    return Path(onnx.__file__).parent.parent / str(case.url)


def data_of(case: TestCase, model: onnx.ModelProto) -> Iterator[tuple[list[Any], list[Any]]]:
    """Give the inputs of each run of a case, and what should come out.

    Parameters
    ----------
    case : TestCase
        What `cases` returned.
    model : onnx.ModelProto
        Its model.
    """
    if case.data_sets is not None:
        for inputs, outputs in case.data_sets:
            yield [_array(x) for x in inputs], [_array(y) for y in outputs]
    elif case.model_dir is not None:
        for folder in sorted(Path(case.model_dir).glob("test_data_set_*")):
            yield _stored(folder, "input"), _stored(folder, "output")
    else:
        made = {tensor.name for tensor in model.graph.initializer}
        open_inputs = [v for v in model.graph.input if v.name not in made]
        stem = _light(case).with_suffix("")
        outputs = [
            numpy_helper.to_array(
                TensorProto.FromString(Path(f"{stem}_output_{i}.pb").read_bytes())
            )
            for i, _ in enumerate(model.graph.output)
        ]
        yield [Runner.generate_dummy_data(v) for v in open_inputs], outputs


def _array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else value


def _stored(folder: Path, role: str) -> list[Any]:
    count = len(list(folder.glob(f"{role}_*.pb")))
    files = [folder / f"{role}_{i}.pb" for i in range(count)]
    return [numpy_helper.to_array(TensorProto.FromString(f.read_bytes())) for f in files]


def why_skipped(model: onnx.ModelProto) -> str:
    """Return what a model is made of that we do not have; "" where we have it all.

    Parameters
    ----------
    model : onnx.ModelProto
    """
    for value in (*model.graph.input, *model.graph.output):
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            return f"values: {str(kind).removesuffix('_type')}"
        element = value.type.tensor_type.elem_type
        if element not in HELD:
            return f"element type: {TensorProto.DataType.Name(element)}"
    for node in model.graph.node:
        standard = node.domain in ("", "ai.onnx")
        made = standard and node.op_type in CONSTRUCTS
        if not made and operator_class(node.domain, node.op_type) is None:
            return f"operator: {node.domain + '.' if not standard else ''}{node.op_type}"
    return ""


def outcome(case: TestCase) -> Outcome:
    """Run one case.

    Parameters
    ----------
    case : TestCase
        What `cases` returned.
    """
    kind, name = str(case.kind), str(case.name)
    model = model_of(case)
    reason = LEFT_OUT.get(name) or why_skipped(model)
    if reason:
        return Outcome(kind, name, "skipped", reason)
    try:
        dtype = "float64" if name in WIDE else None
        prepared = FaltungBackend.prepare(model, dtype=dtype)
        for inputs, wanted in data_of(case, model):
            got = prepared.run(inputs)
            with np.errstate(all="ignore"):
                Runner.assert_similar_outputs(wanted, got, case.rtol, case.atol)
    except (FaltungError, AssertionError) as error:
        return Outcome(kind, name, "failed", _one_line(error))
    except Exception as error:  # a bug of ours is a row as well, beside all others
        return Outcome(kind, name, "failed", f"{type(error).__name__}: {_one_line(error)}")
    return Outcome(kind, name, "passed")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def table(outcomes: Iterable[Outcome]) -> str:
    """Return outcomes as Markdown: counts by kind, every failure, skipped cases by reason.

    Parameters
    ----------
    outcomes : iterable of Outcome
    """
    found = list(outcomes)
    lines = ["| kind | passed | skipped | failed |", "| --- | ---: | ---: | ---: |"]
    for kind in KINDS:
        lines.append(_row(kind, [o for o in found if o.kind == kind]))
    lines.append(_row("all", found))
    failed = [f"- {o.kind} `{o.name}`: {o.reason}" for o in found if o.result == "failed"]
    lines += ["", "## Failed", "", *(failed or ["None."])]
    reasons = Counter(o.reason for o in found if o.result == "skipped")
    lines += ["", "## Skipped", "", "| reason | cases |", "| --- | ---: |"]
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    lines += [f"| {reason} | {count} |" for reason, count in ordered]
    return "\n".join(lines)


def _row(title: str, found: list[Outcome]) -> str:
    counts = Counter(o.result for o in found)
    return f"| {title} | {counts['passed']} | {counts['skipped']} | {counts['failed']} |"


def document(outcomes: Iterable[Outcome]) -> str:
    """Return the page of the documentation that keeps the table.

    Parameters
    ----------
    outcomes : iterable of Outcome
    """
    wide = "; ".join(f"`{name}` ({why})" for name, why in WIDE.items())
    return (
        "# ONNX's backend tests\n\n"
        f"`make test-onnx` runs the backend tests of onnx {onnx.__version__} against faltung, and "
        "writes this page.\nA case is skipped for what its model is made of: an operator that "
        "faltung does not have, or a type of\nvalue that it does not hold; and where it draws at "
        "random. float16\nand bfloat16 are computed in float32, integers of 2 or 4 bits held in 8."
        "\n\n"
        f"Computed in float64: {wide}.\n\n{table(outcomes)}\n"
    )


def main(arguments: list[str]) -> int:
    """Run every case, print the table, write it to a file where one is named.

    Parameters
    ----------
    arguments : list of str
        The file, or nothing.

    Returns
    -------
    int
        1 where a case failed.
    """
    found = [outcome(case) for kind in KINDS for case in cases(kind)]
    print(table(found))
    for path in arguments:
        Path(path).write_text(document(found), encoding="utf-8")
    return int(any(o.result == "failed" for o in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
