"""The facts of `faltung doctor` as lines to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from faltung.cli.machine import VARIABLES
from faltung.cli.screen import Screen

COLUMN = 16


def show(screen: Screen, facts: Mapping[str, Any]) -> None:
    """Write the facts, or the JSON object in their place."""
    if screen.is_json:
        screen.result("", facts)
        return
    for title, lines in sections(facts).items():
        screen.say(title, "bold")
        for name, value in lines:
            screen.say(f"  {name:<{COLUMN}} {value}".rstrip())


def sections(facts: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Titles, and (name, value) below each."""
    return {
        "Versions": list(versions(facts)),
        "Machine": list(machine(facts)),
        "Extras": list(extras(facts["extras"])),
        "Folders": list(folders(facts)),
        "Variables": list(variables(facts["variables"])),
    }


def versions(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Packages and their versions."""
    for name, version in facts["versions"].items():
        yield name, version or f"missing: python -m pip install {name}"
    yield "BLAS", f"{facts['blas']} ({facts['blas_core']})"


def machine(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Processor and memory."""
    yield "CPU", facts["cpu"]
    yield "instruction set", f"{facts['architecture']}, {facts['instruction_set']}".rstrip(", ")
    yield "cores", f"{facts['cores']}, {facts['usable_cores']} for this process"
    yield "threads", f"{facts['kernels']['threads']} in kernels, {facts['threads']} in BLAS"
    yield from _kernels(facts["kernels"])
    if facts["memory_bytes"]:
        yield "memory", f"{facts['memory_bytes'] / 2**30:.1f} GiB"
    yield "system", facts["system"]


def _kernels(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "kernels", found["compiled_for"] or "NumPy alone: nothing is compiled"
    yield "threading layer", found["threading_layer"]
    yield "working memory", f"{found['working_memory_bytes'] / 2**20:.1f} MiB kept by kernels"
    count = found["tuned_layers"]
    yield "tuned", f"{count} layers" if count else "nothing; see faltung tune"


def extras(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each extra, and how to get what is missing."""
    for extra, state in found.items():
        packages = state["packages"]
        have = [f"{name} {version}" for name, version in packages.items() if version]
        lack = [name for name, version in packages.items() if not version]
        yield extra, ", ".join(have) if have else "not installed"
        if lack:
            yield "", f"missing: {', '.join(lack)}; {state['install']}"
    if not found:
        yield "unknown", "faltung is not installed as a package"


def folders(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Where things lie."""
    cache = facts["cache"]
    yield "Python", facts["python"]
    yield "data cache", f"{cache['path']} ({', '.join(cache['data_sets']) or 'nothing in it'})"


def variables(found: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is set, what is not, and what nobody reads."""
    for name, meaning in VARIABLES.items():
        yield name, f"{found[name]!r}" if name in found else f"not set ({meaning})"
    for name in found:
        if name not in VARIABLES:
            yield name, f"{found[name]!r} (no variable of faltung's)"
