"""Popular statements that are loose, beside the exact ones, with one line on why they differ.

What is said stands here as text. Every exact figure is computed: from graphs, from kernels, from
the definitions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from faltung import datasets, zoo
from faltung.analysis.costs import cost
from faltung.analysis.layer_cost import Local, convolution, dense, layer_cost
from faltung.analysis.loose_fields import exact_field, loose_field, stage_ends
from faltung.definitions import expand
from faltung.functional import conv
from faltung.graph.layers import Chain, Conv, MaxPool, sketch
from faltung.report import AbstractReport

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Loose:
    """One loose statement.

    Parameters
    ----------
    name
        A short name.
    said
        What is often said.
    exact
        What is so, its figures filled in.
    why
        Why the two differ.
    figures
        The computed figures by name.
    """

    name: str
    said: str
    exact: str
    why: str
    figures: Figures

    def __str__(self) -> str:
        return f"{self.name}\n  said:  {self.said}\n  exact: {self.exact}\n  why:   {self.why}"


@dataclass(frozen=True)
class LooseStatements(AbstractReport):
    """All of them.

    Parameters
    ----------
    statements
        In the order of the argument that leads from dense layers to convolutions.
    """

    statements: tuple[Loose, ...]

    def blocks(self) -> list[str]:
        """Return one paragraph for each."""
        return [str(each) for each in self.statements]

    def markdown(self) -> str:
        """Return a section for each."""
        return "\n".join(
            f"## {each.name[0].upper()}{each.name[1:]}\n\n"
            f"- *Said:* {each.said}\n- *Exact:* {each.exact}\n- *Why:* {each.why}\n"
            for each in self.statements
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the texts, and the figures by name."""
        return {
            each.name: {
                "said": each.said,
                "exact": each.exact,
                "why": each.why,
                "figures": dict(each.figures),
            }
            for each in self.statements
        }


def loose_statements() -> LooseStatements:
    """Put popular statements about convolutional networks beside the exact ones.

    Returns
    -------
    LooseStatements
        A report: text when printed, HTML in notebooks, ``to_dict()`` for JSON.

    Examples
    --------
    >>> found = {each.name: each.figures for each in loose_statements().statements}
    >>> found["a dense layer on HD"]
    {'params': 6220801000, 'said_too_many': 1000000}
    >>> found["the field by the layer's own stride"]["vgg16"]
    212
    """
    return LooseStatements(tuple(make() for make in STATEMENTS))


def _hd() -> Loose:
    said, params = 6_221_801_000, cost((3, 1080, 1920)).dense.params
    inputs = cost((3, 1080, 1920)).dense.inputs
    return Loose(
        "a dense layer on HD",
        f"1920×1080×3 → 1000 takes {said:,} parameters.",
        f"It takes {params:,}.",
        f"{inputs:,} inputs times 1000, and 1000 biases: {said - params:,} fewer.",
        {"params": params, "said_too_many": said - params},
    )


def _shared(size: int = 1000) -> tuple[int, int]:
    """Weights of the dense layer that keeps an image's size, and with translation invariance."""
    neuron = layer_cost("neuron", dense(1, bias=False), (1, size, size))
    shared = Conv(1, 2 * size - 1, padding=size - 1, bias=False)
    whole = neuron.times(size * size, "dense")
    return whole.weights, layer_cost("shared", shared, (1, size, size)).weights


def _million() -> Loose:
    _, shared = _shared()
    return Loose(
        "weights left by translation invariance",
        "On 1000×1000 at most 1 million weights are left.",
        f"{shared:,} are left: (2·1000-1)².",
        "There is one weight for each offset, and offsets run from -999 to 999 on each axis.",
        {"shared": shared},
    )


def _fewer() -> Loose:
    whole, shared = _shared()
    return Loose(
        "what translation invariance saves",
        "That is 1 million fewer.",
        f"It is {whole - shared:,} fewer, {round(whole / shared):,} times fewer.",
        "1 million is neither the difference nor the ratio.",
        {"dense": whole, "difference": whole - shared, "ratio": whole / shared},
    )


def _fields() -> Loose:
    graphs = {
        "vgg16": zoo.sketch("vgg16"),
        "alexnet": zoo.sketch("alexnet"),
        "7×7 s2, pool 3 s2": sketch(Chain(Conv(1, 7, stride=2), MaxPool(3, 2)), (1, 64, 64)),
    }
    exact = {name: exact_field(graph) for name, graph in graphs.items()}
    loose = {name: loose_field(graph) for name, graph in graphs.items()}
    listed = ", ".join(f"{name} {exact[name]} (not {loose[name]})" for name in graphs)
    return Loose(
        "the field by the layer's own stride",
        "A layer lets the receptive field grow by (k-1)·stride.",
        f"It grows by (k-1)·dilation·(product of the earlier strides): {listed}.",
        "A layer's own stride spreads the outputs of that layer, which only later layers feel.",
        {**exact, **{f"{name}, loose": size for name, size in loose.items()}},
    )


def _layers_see() -> Loose:
    *ends, last = stage_ends(zoo.sketch("vgg16"))
    return Loose(
        "what layers see",
        "Layers see 3 to 5, then 20, 50, 100 pixels.",
        f"In VGG-16 the ends of the stages see {', '.join(map(str, ends))}; {last} after all.",
        "The field follows from kernels and strides; no two networks share it.",
        {**{f"stage {i}": end for i, end in enumerate(ends, 1)}, "last": last},
    )


def _savings() -> Loose:
    report = cost()
    ratio = report.ratios["weights"]
    return Loose(
        "what locality and sharing save",
        "On 224×224×3, almost 100,000 times.",
        f"{report.dense.weights:,} / {report.convolution.weights:,} = {ratio:,.0f} times.",
        "1000 dense neurons against 64 filters of 3×3×3.",
        {"ratio": ratio},
    )


def _generalisation() -> Loose:
    shape = (1, 3, 3)
    neuron = layer_cost("neuron", dense(1, bias=False), shape)
    entries = neuron.times(neuron.inputs, "dense").weights
    nonzero = layer_cost("local", Local(1, 3, bias=False), shape).weights
    values = layer_cost("conv", convolution(1, 3, bias=False), shape).weights
    return Loose(
        "generalisation",
        "Convolution generalises the dense layer.",
        f"It is the special case: on 3×3 its matrix of {entries} entries has {entries - nonzero} "
        f"zeros, and the other {nonzero} share {values} values.",
        "Every convolution is a dense layer; hardly any dense layer is a convolution.",
        {"entries": entries, "nonzero": nonzero, "values": values},
    )


def _independent() -> Loose:
    rng = np.random.default_rng(0)
    x, w, order = rng.integers(-9, 10, 64), rng.integers(-9, 10, (5, 64)), rng.permutation(64)
    apart = int(abs(w[:, order] @ x[order] - w @ x).max())
    return Loose(
        "pixels as independent",
        "A dense layer treats pixels as independent.",
        "It is blind to how they are arranged: pixels shuffled, and its weights with them, give "
        f"outputs that differ by {apart}.",
        "Independence is a matter of the data. The layer does combine all pixels.",
        {"difference": apart},
    )


def _far_pixels() -> Loose:
    images = datasets.load("sample").images[:, 0].astype(np.float64)
    noise = np.random.RandomState(42).randn(100, 100)
    near, far = (
        float(np.corrcoef(images[..., :-d].ravel(), images[..., d:].ravel())[0, 1]) for d in (1, 7)
    )
    none = float(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1])
    return Loose(
        "far pixels",
        "Far pixels have almost no correlation.",
        f"It depends on the images: in the digits that ship along {near:.2f} is left between "
        f"neighbours and {far:.2f} seven pixels apart; in noise {none:.2f} between neighbours.",
        "Scenes with a sky or a wall keep much of it over a hundred pixels: measure your own.",
        {"neighbours": near, "seven_apart": far, "noise": none},
    )


def _dimensional() -> Loose:
    report = cost()
    ratio = report.ratios["values"]
    return Loose(
        "lower-dimensional feature maps",
        "Feature maps are lower-dimensional than the image.",
        f"3 → 64 channels of the same size are {ratio:.1f} times as many values.",
        "Only strides and pooling take positions away; channels add values.",
        {"ratio": ratio},
    )


def _asymmetric() -> Loose:
    plain, flipped = expand().value, expand(mode="convolve").value
    return Loose(
        "asymmetric relations",
        "A convolution cannot express asymmetric relations.",
        f"It can: Sobel's kernel gives {plain} on a patch, and {flipped} when it is turned round.",
        "A kernel may be as asymmetric as it likes. What it cannot do is vary with the place.",
        {"kernel": plain, "turned": flipped},
    )


def _invariance() -> Loose:
    rng = np.random.default_rng(0)
    x, w = rng.integers(-9, 10, (1, 1, 8, 8)), rng.integers(-9, 10, (1, 1, 3, 3))

    def layer(image: Any) -> Any:
        return conv(image, w, padding="same", padding_mode="circular")

    y, moved = layer(x), layer(np.roll(x, 1, axis=-1))
    same, follow = int((moved == y).sum()), int((moved == np.roll(y, 1, axis=-1)).sum())
    return Loose(
        "invariance",
        "Convolution is invariant to shifts.",
        f"It is equivariant: when the image moves by one column, {follow} of {y.size} outputs move "
        f"with it, and {same} stay what they were.",
        "Invariance comes only with global pooling; pooling alone gives a little of it.",
        {"outputs": y.size, "follow": follow, "stay": same},
    )


STATEMENTS: tuple[Callable[[], Loose], ...] = (
    _hd,
    _million,
    _fewer,
    _savings,
    _fields,
    _layers_see,
    _far_pixels,
    _generalisation,
    _independent,
    _dimensional,
    _asymmetric,
    _invariance,
)
