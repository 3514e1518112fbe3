"""Whatever is asked, and with whatever: an answer as plain data, or one refusal in words."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from faltung.errors import ExplorerError, FaltungError
from faltung.explorer.questions import DEEPEST, QUESTIONS, answer, parsed, question_of
from faltung.explorer.uploads import Uploads
from faltung.explorer.views import VIEWS

VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 3, 28, 2**31, 10**30, -0.5, 0.5, 1e308, float("inf")),
    *("", "x", "../../etc/passwd", "\0", "é" * 1000, "0", "same", "AAAA", "A" * 5000, "1 2\n3 4"),
    *([], [[]], [1, 2], [0, 0, 0], [None], ["x", {}], [[1e308] * 3] * 3, [[0] * 2] * 2, [[[]]]),
    *({}, {"a": 1}, {"zoo": "x"}, {"name": 3, "label": []}, [{"kind": "conv"}], {"": {"": []}}),
)
STARTS = {"network.train"}
"""With what is right, these start a process that outlives the question."""


def names_given(module: str) -> list[str]:
    """The names by which a module takes what it is given: every short text that it has."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    texts = {node.value for node in nodes if isinstance(node.value, str)}
    return sorted(text for text in texts if text.isidentifier() and len(text) < 20)


@pytest.mark.parametrize("name", QUESTIONS)
def test_nothing_but_refusals(name: str) -> None:
    """Nonsense under the right names, three hundred times or for two seconds: nothing else."""
    module = question_of(name).function.partition(":")[0]
    names, rng = names_given(module), random.Random(name)
    with Uploads() as uploads:
        file = uploads.add("x.bin", [b"no model, no picture"])
        end = time.monotonic() + 2
        for number in range(300):
            if number > 3 and time.monotonic() > end:
                break
            chosen = rng.sample(names, min(len(names), rng.randint(0, 12)))
            given = {each: rng.choice([*VALUES, file]) for each in chosen}
            if name in STARTS:
                given.pop("network", None)
            with contextlib.suppress(FaltungError):
                json.dumps(answer(name, given, uploads), allow_nan=False)


def test_each_question_has_its_view_and_function() -> None:
    for name, question in QUESTIONS.items():
        view, _, what = name.partition(".")
        assert view in VIEWS, name
        assert what.isidentifier()
        module, _, function = question.function.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
        assert 0 < question.seconds <= 120


def test_questions_that_are_none(tmp_path: Path) -> None:
    with Uploads() as uploads:
        with pytest.raises(ExplorerError, match="there is no such question, got name='nothing'"):
            answer("nothing", {}, uploads)
        name = next(iter(QUESTIONS))
        with pytest.raises(ExplorerError, match="what a view asks with must be a mapping, got typ"):
            answer(name, [], uploads)


def test_as_deep_as_may_be() -> None:
    deep = b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1)
    assert parsed("x", b'{"a": %s}' % deep)["a"]
    with pytest.raises(ExplorerError, match="a question must not be nested deeper than 64"):
        parsed("x", b'{"a": [%s]}' % deep)
