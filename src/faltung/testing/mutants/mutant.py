"""A planted bug: a name, the operator that it is in, and how it is put there and taken out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from faltung.ops.operator import AbstractOperator, Array

Function = Callable[..., Any]
Operator = type[AbstractOperator]


@dataclass(frozen=True)
class Mutant:
    """A bug that an operator does not have.

    Parameters
    ----------
    name : str
        What is wrong.
    aim : str
        The check that should find it, which is run first; the others follow.
    plant : callable
        Returns a context in which the bug is there.
    """

    name: str
    aim: str
    plant: Callable[[], AbstractContextManager[None]]


@contextmanager
def replaced(owner: Any, name: str, change: Callable[[Function], Function]) -> Iterator[None]:
    """Replace a method of a class, or a function of a module, by what ``change`` makes of it."""
    static: Any = inspect.getattr_static(owner, name)
    inner: Any = static.__func__ if isinstance(static, (classmethod, staticmethod)) else static
    inner = inner.fget if isinstance(inner, property) else inner
    made: Any = change(inner)
    for wrapper in (classmethod, property):
        made = wrapper(made) if isinstance(static, wrapper) else made
    inherited = name not in vars(owner)
    setattr(owner, name, made)
    try:
        yield
    finally:
        if inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, static)


def answer(name: str, aim: str, owner: Any, method: str, change: Callable[..., Any]) -> Mutant:
    """Plant ``change(result, *arguments)`` in the place of a method's result."""

    def wrap(function: Function) -> Function:
        def wrong(*arguments: Any, **options: Any) -> Any:
            return change(function(*arguments, **options), *arguments)

        return wrong

    return Mutant(name, aim, lambda: replaced(owner, method, wrap))


def arguments(
    name: str, aim: str, owner: Any, method: str, change: Callable[..., Sequence[Any]]
) -> Mutant:
    """Plant a call with ``change(*arguments)`` in the place of its arguments."""

    def wrap(function: Function) -> Function:
        def wrong(*given: Any, **options: Any) -> Any:
            return function(*change(*given), **options)

        return wrong

    return Mutant(name, aim, lambda: replaced(owner, method, wrap))


def output(
    cls: Operator, name: str, change: Callable[..., Array], aim: str = "check_values"
) -> Mutant:
    """Plant ``change(y, operator, inputs)`` in the place of the first output."""

    def wrong(result: Any, operator: Any, inputs: Sequence[Array]) -> Any:
        outputs, state, saved = result
        return (change(outputs[0], operator, inputs), *outputs[1:]), state, saved

    return answer(f"output: {name}", aim, cls, "forward", wrong)


def gradient(
    cls: Operator,
    i: int,
    name: str,
    change: Callable[..., Any],
    aim: str = "check_gradients",
) -> Mutant:
    """Plant ``change(dx, operator, saved, dout)`` in the place of one gradient, where it exists."""

    def wrong(grads: Any, operator: Any, saved: Any, douts: Sequence[Array]) -> Any:
        if i >= len(grads) or grads[i] is None:
            return grads
        return (*grads[:i], change(grads[i], operator, saved, douts[0]), *grads[i + 1 :])

    return answer(f"gradient {i}: {name}", aim, cls, "backward", wrong)


def both(name: str, aim: str, *mutants: Mutant) -> Mutant:
    """Plant several at once: bugs that agree with each other."""

    @contextmanager
    def plant() -> Iterator[None]:
        if not rest:
            with mutants[0].plant():
                yield
            return
        with mutants[0].plant(), both(name, aim, *rest).plant():
            yield

    rest = mutants[1:]
    return Mutant(name, aim, plant)
