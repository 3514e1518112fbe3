"""Figures of an inspection as people write them, and the sentences around its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from faltung.analysis.inspect.border import gaps_by_input
from faltung.analysis.locality import AXES
from faltung.analysis.receptive_field import Field
from faltung.geometry import Interval
from faltung.ops.operator import Everything, Shape

if TYPE_CHECKING:
    from faltung.analysis.inspect.inspection import Inspection
    from faltung.analysis.inspect.layer import InspectedLayer

NAMED = 5
"""How many layers of a kind a sentence names."""


def count(number: int | None) -> str:
    """Return a count with all its digits; ``?`` where it is not known.

    >>> count(1050560), count(None)
    ('1,050,560', '?')
    """
    return "?" if number is None else f"{number:,}"


def rounded(number: int | None) -> str:
    """Return a count with three digits.

    >>> rounded(1050560), rounded(112896), rounded(999999), rounded(738), rounded(None)
    ('1.05M', '113k', '1.00M', '738', '?')
    >>> rounded(3 * 10**999)
    '3.00e+999'
    """
    if number is None:
        return "?"
    if number >= 10**15:
        return f"{Decimal(number):.2e}"
    short = float(f"{number:.3g}")
    for unit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if short >= unit:
            digits = 2 - (len(str(int(short / unit))) - 1)
            return f"{short / unit:.{max(digits, 0)}f}{letter}"
    return str(number)


def size_of(number: int | None) -> str:
    """Return bytes as people write them, in powers of ten.

    >>> size_of(553430176), size_of(8), size_of(None)
    ('553 MB', '8 B', '?')
    """
    text = rounded(number)
    if text == "?" or text[-1].isdigit():
        return text if text == "?" else f"{text} B"
    return f"{text[:-1]} {text[-1]}B"


def by(sizes: Sequence[object] | None) -> str:
    """Return sizes as people write them; a question mark where they are not known.

    >>> by((3, 224, 224)), by(()), by(None)
    ('3×224×224', 'number', '?')
    """
    if sizes is None:
        return "?"
    return "×".join(map(str, sizes)) or "number"


def once(texts: Sequence[str]) -> str:
    """Return what all axes have in common once, else axis by axis.

    >>> once(("2", "2")), once(("2", "1"))
    ('2', '2×1')
    """
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)


def output(layer: InspectedLayer) -> str:
    """Return the sizes of a layer's outputs, without a batch of one."""
    texts = [
        by(shape[1:] if shape and shape[0] == 1 and len(shape) > 1 else shape)
        for shape in layer.out_shapes
    ]
    if len(texts) > 1 and len(set(texts)) == 1:
        return f"{len(texts)} of {texts[0]}"
    return ", ".join(texts[:2]) + (f", {len(texts) - 2} more" if len(texts) > 2 else "")


def by_source(texts: Mapping[str, str], inputs: int) -> str:
    """Return what is said of each input, named where there are several."""
    if inputs == 1:
        return "".join(texts.values())
    return "; ".join(f"{name}: {text}" for name, text in texts.items() if text)


def sees(fields: Sequence[Field]) -> str:
    """Return a receptive field in words: its sizes, or ``all``."""
    sizes = ["all" if isinstance(f.size, Everything) else str(f.size) for f in fields]
    return sizes[0] if sizes and set(sizes) == {"all"} else "×".join(sizes)


def seen(layer: InspectedLayer, inputs: int) -> str:
    """Return the sizes of what a layer sees."""
    return by_source({name: sees(axes) for name, axes in layer.fields.items()}, inputs)


def jumps(layer: InspectedLayer, inputs: int) -> str:
    """Return how far apart two neighbours' fields are; nothing where there is one output alone."""
    texts = {n: once([str(f.jump) for f in axes]) for n, axes in layer.fields.items()}
    return by_source({n: "" if text == "0" else text for n, text in texts.items()}, inputs)


def first(layer: InspectedLayer, inputs: int) -> str:
    """Return exactly what position 0 sees, axis by axis."""
    texts = {n: once([interval(i) for i in axes]) for n, axes in layer.intervals.items()}
    return by_source(texts, inputs)


def share(layer: InspectedLayer, inputs: int) -> str:
    """Return the share of an input that a layer sees."""
    texts = {}
    for name, axes in layer.fields.items():
        part = 1.0
        for axis in axes:
            part *= axis.share
        texts[name] = f"{100 * part:.2g} %" if part < 0.1 else f"{100 * part:.1f} %"
    return by_source(texts, inputs)


def interval(span: Interval) -> str:
    """Return an interval as its first and last position.

    >>> interval(Interval(-3, 4))
    '-3 to 3'
    """
    return f"{span.lo} to {span.hi - 1}"


def header(report: Inspection) -> str:
    """Return what was inspected, and for inputs of which sizes."""
    shapes = report.input_shapes.items()
    told = "; ".join(f"input {name}: {by_sizes(shape)}" for name, shape in shapes) or "no input"
    assumed = report.sized.sentence()
    many = len(report.layers)
    return (
        f"{report.name}: {many} operator{'s' if many != 1 else ''}; {told}"
        f"{f' ({assumed})' if assumed else ''}"
    )


def by_sizes(shape: Shape) -> str:
    """Return a shape as it is given on a command line.

    >>> by_sizes((1, 3, 224, 224))
    '1x3x224x224'
    """
    return "x".join(map(str, shape)) or "a number"


def totals_line(report: Inspection) -> str:
    """Return the totals as a sentence."""
    totals, peak = report.totals, report.peak_memory
    least = "at least " if report.at_least else ""
    where = f", while {peak.node} runs" if peak.node else ""
    return (
        f"In all {least}{totals.params:,} parameters and {totals.state:,} numbers of state "
        f"({size_of(totals.weight_bytes)}), {totals.cost.macs:,} multiply-accumulates, "
        f"{totals.cost.connections:,} connections, {totals.cost.connections_inside:,} of them not "
        f"on padding. All activations take {least}{size_of(totals.activation_bytes)}; the most at "
        f"once {'at least ' if peak.lacking else ''}{size_of(peak.bytes)}{where}."
        f"{examples(report)}"
    )


def examples(report: Inspection) -> str:
    """Return what a rule of thumb says; nothing where nothing is trained."""
    low, high = report.examples_wanted
    if not high:
        return ""
    return (
        f" A rule of thumb (no law) would want {low:,} to {high:,} examples, 5 to 10 a parameter."
    )


def notes(report: Inspection) -> list[str]:
    """Return what else a reader has to know, a sentence or two each."""
    return [
        *report.sized.notes,
        *constants(report),
        *unknown(report),
        *dropped(report),
        *unread(report),
        *local(report),
    ]


def unknown(report: Inspection) -> list[str]:
    """Say which layers are not known, and why."""
    layers = report.unknown
    if not layers:
        return []
    kinds: dict[tuple[str, str], list[str]] = {}
    for layer in layers:
        kinds.setdefault((layer.operator, layer.unknown), []).append(layer.name)
    told = [f"{operator} ({named(names)}): {why}" for (operator, why), names in kinds.items()]
    many = "1 operator is" if len(layers) == 1 else f"{len(layers)} operators are"
    more = f"; and {len(told) - NAMED} more kinds" if len(told) > NAMED else ""
    return [f"Totals are lower bounds, as {many} not known. {'; '.join(told[:NAMED])}{more}."]


def constants(report: Inspection) -> list[str]:
    """Say where weights are counted as state, as a file keeps all of them as constants."""
    kept = sum(layer.state for layer in report.layers if layer.cost and layer.cost.macs)
    if report.totals.params or not kept:
        return []
    return [
        "The file keeps its weights as constants, so that nothing is marked as trained: "
        f"{kept:,} numbers of state are weights of convolutions and dense layers."
    ]


def dropped(report: Inspection) -> list[str]:
    """Say where windows leave out columns: strides that do not divide, or pass the kernel."""
    left, between = [], []
    for layer in report.layers:
        if any(layer.dropped):
            alone = "" if any(layer.skipped) else ", of padding alone"
            left.append(f"{layer.name} ({along(layer.dropped)}{alone})")
        if any(n > m for n, m in zip(layer.skipped, layer.dropped, strict=True)):
            between.append(f"{layer.name} ({along(layer.skipped)})")
    told = []
    if left:
        why = "A stride does not divide the padded input, whose last columns are dropped"
        told.append(f"{why}: {named(left)}.")
    if between:
        told.append(f"Positions of their input that no window reads: {named(between)}.")
    return told


def along(counts: Sequence[int]) -> str:
    """Return counts axis by axis, without those that are 0.

    >>> along((0, 1)), along((2, 2))
    ('1 along W', '2 along H, 2 along W')
    """
    names = AXES.get(len(counts), tuple(map(str, range(len(counts)))))
    return ", ".join(f"{n} along {name}" for n, name in zip(counts, names, strict=True) if n)


def unread(report: Inspection) -> list[str]:
    """Say which columns of the inputs nothing reads."""
    told = []
    for name, axis, runs in gaps_by_input(report.never_read):
        axes = AXES.get(len(report.input_shapes[name]) - 2, ())
        called = axes[axis - 2] if axis - 2 < len(axes) else str(axis)
        size, many = report.input_shapes[name][axis], sum(run.size for run in runs)
        where = named([interval(run) if run.size > 1 else str(run.lo) for run in runs])
        told.append(f"{many} of {size} positions of {name} along {called} ({where})")
    return [f"No output depends on {'; '.join(told)}."] if told else []


def named(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are.

    >>> named(list("abcdefg"))
    'a, b, c, d, e and 2 more'
    """
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def local(report: Inspection) -> list[str]:
    """Say of each input up to where the network is local, and what sees everything."""
    far = "" if report.known.part is report.graph else "As far as the network is known: "
    return [f"{far}{each.blocks()[0]}" for each in report.locality.values()]
