"""Questions on uses: borders, sound, text, and where a convolution does not belong."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from faltung.analysis.layer_cost import convolution, dense, layer_cost
from faltung.datasets import photo
from faltung.exercises.exercise import Exercise
from faltung.exercises.fields import receptive_field
from faltung.functional import conv
from faltung.graph.layers import Conv
from faltung.report import Table

GROUP: Final = "Uses"


def bordered(size: int, kernel: int, layers: int, depths: tuple[int, ...]) -> dict[str, Any]:
    """Count what borders take away, and what they make up."""
    same = layer_cost("same", convolution(1, kernel), (1, size, size))
    ones = np.ones((1, 1, size, size))
    w = np.ones((1, 1, kernel, kernel))
    y = conv(ones, w, padding="same")
    rows = []
    for depth in depths:
        seen = receptive_field([(kernel, 1, 1)] * depth)
        inside = max(0, size - seen + 1)
        rows.append([str(depth), f"{inside}×{inside}", f"{1 - inside**2 / size**2:.1%}"])
    return {
        "image": f"{size}×{size}",
        "k": f"{kernel}×{kernel}",
        "left": size - (receptive_field([(kernel, 1, 1)] * layers) - 1),
        "connections": same.cost.connections,
        "inside": same.cost.connections_inside,
        "middle": float(y[0, 0, size // 2, size // 2]),
        "corner": float(y[0, 0, 0, 0]),
        "table": Table(["layers", "outputs that see no padding", "the others"], rows),
    }


BOUNDARY: Final = Exercise(
    name="boundary",
    title="The image's boundary",
    group=GROUP,
    question=(
        "What should a {k} kernel do at the boundary of an image? What does each choice cost?"
    ),
    hints=(
        "A pixel in the corner has fewer neighbours than one in the middle.",
        "What happens after {layers} layers, if each leaves the border out?",
    ),
    answer=(
        "Leave it out ('valid'): every output is a real one, but after {layers} layers {image} has "
        "become {left}×{left}, and what is at the border counts less often.",
        "Make something up ('same'): with zeros the size stays, and {connections:,} connections "
        "become {inside:,} that meet a pixel. On an image of ones under a kernel of ones the "
        "middle gives {middle:g} and the corner {corner:g}: an edge that is not there, and by "
        "which a network can tell where it is. Reflection, repetition or a circle make up "
        "other things; a circle alone keeps equivariance exact.",
        "And it spreads with depth:",
        "{table}",
    ),
    given={"size": 32, "kernel": 3, "layers": 10, "depths": (1, 2, 5, 10, 15)},
    compute=bordered,
)


def spoken(rate: int, window_ms: int, hop_ms: int, maps: int) -> dict[str, Any]:
    """Size a layer for a second of sound."""
    kernel, stride = rate * window_ms // 1000, rate * hop_ms // 1000
    layer = layer_cost("audio", Conv(maps, kernel, stride=stride), (1, rate))
    frames = (rate - kernel) // stride + 1
    outputs = maps * frames
    return {
        "kernel": kernel,
        "stride": stride,
        "frames": frames,
        "outputs": outputs,
        "params": layer.params,
        "dense": layer_cost("dense", dense(outputs), (1, rate)).params,
        "weights": "V[a, c, d]",
        "dilated": receptive_field([(2, 1, 2**n) for n in range(10)]),
        "layers": 10,
    }


AUDIO: Final = Exercise(
    name="audio",
    title="A layer for audio",
    group=GROUP,
    question=(
        "Derive a convolutional layer for sound: which indices does it have, what do the two "
        "principles say, what is the size of everything for one second at {rate:,} samples?"
    ),
    hints=(
        "There is one axis, time. Are there channels?",
        "A kernel of {window_ms} ms every {hop_ms} ms: how many samples are that?",
    ),
    answer=(
        "h[t, d] = Σ {weights} x[t+a, c], over offsets a and channels c (one of them, or two in "
        "stereo). Translation invariance: a word is the same word a second later. Locality: what "
        "belongs to one sound is near in time.",
        "A kernel of {kernel} samples every {stride} samples, {maps} of them: {frames} frames of "
        "{maps} values from a second, with {params:,} parameters. A dense layer to as many outputs "
        "has {dense:,}.",
        "Far samples matter in sound too, such as a rhythm: {layers} layers of two taps with "
        "doubling dilation see {dilated:,} samples. On a spectrogram the image has a second axis, "
        "frequency, and there invariance is a doubtful idea: a melody an octave higher is a "
        "melody, but a low hum is no whistle.",
    ),
    given={"rate": 16_000, "window_ms": 25, "hop_ms": 10, "maps": 64},
    compute=spoken,
)


def worded(sentences: tuple[str, str], far: str, width: int) -> dict[str, Any]:
    """Compare two sentences through convolutions over words, with a global maximum."""
    words = sorted({word for sentence in sentences for word in sentence.split()})
    rng = np.random.default_rng(4)
    codes = {word: rng.integers(-9, 10, 6) for word in words}
    texts = [np.stack([codes[w] for w in s.split()]).T[None] for s in sentences]
    differ = {}
    for size in (1, width):
        w = rng.integers(-9, 10, (16, 6, size))
        answers = [conv(x.astype(float), w.astype(float)).max(axis=2) for x in texts]
        differ[size] = int((answers[0] != answers[1]).sum())
    tokens = far.split()
    subject, verb = tokens.index("keys"), tokens.index("are")
    apart = verb - subject + 1
    layers = next(n for n in range(1, 99) if receptive_field([(3, 1, 1)] * n) >= apart)
    return {
        "one": sentences[0],
        "other": sentences[1],
        "single": differ[1],
        "pairs": differ[width],
        "maps": 16,
        "apart": apart,
        "layers": layers,
        "three": 3,
    }


TEXT: Final = Exercise(
    name="text",
    title="What goes wrong on text",
    group=GROUP,
    question=(
        "Words in a row are a signal too. What goes wrong when a convolution runs over text, and "
        "what goes right?"
    ),
    hints=(
        "Is word number {width} near to word number 1? As a number, or as a word?",
        "“{one}” and “{other}”: which windows can tell them apart?",
    ),
    answer=(
        "The numbers of words mean nothing: they are names, and first have to become vectors. Over "
        "these a convolution finds phrases, the same wherever they stand: that goes right.",
        "Order within a window is all that it knows. With windows of one word and a global maximum "
        "“{one}” and “{other}” differ in {single} of {maps} features; with windows of {width} in "
        "{pairs}.",
        "Locality is the trouble: in “{far}” the verb agrees with a noun {apart} words away, both "
        "counted, and any clause may come between. With windows of {three} that takes {layers} "
        "layers here, and no number of layers always. What looks at all words at once, weighing "
        "them by what they are, is attention.",
    ),
    given={
        "sentences": ("dog bites man", "man bites dog"),
        "far": "the keys to the old cabinet are lost",
        "width": 2,
    },
    compute=worded,
)


def scattered(name: str, size: int) -> dict[str, Any]:
    """Correlate neighbours in a photograph, in the same pixels shuffled, and in a table."""
    image = photo(name)[:size, :size].astype(float).mean(axis=-1)
    shuffled = np.random.default_rng(5).permutation(image.ravel()).reshape(image.shape)
    return {"photo_near": _near(image), "shuffled_near": _near(shuffled)}


def _near(x: Any) -> float:
    """How far neighbours in a row correlate."""
    return float(np.corrcoef(x[:, :-1].ravel(), x[:, 1:].ravel())[0, 1])


WHEN_NOT: Final = Exercise(
    name="when-not",
    title="When not to convolve",
    group=GROUP,
    question="For which data are the two principles wrong, so that a convolution does not belong?",
    hints=(
        "Would it matter if the columns of a table changed places?",
        "Take a photograph and shuffle its pixels, always in the same way. Who notices?",
    ),
    answer=(
        "Where neighbours have nothing in common: columns of a table (age beside income beside "
        "postcode), sets, graphs without a grid. Where the place means something: aligned faces, "
        "board games. Where far things decide: long texts, parity, counting. Where the image is "
        "tiny, and a dense layer cheap.",
        "Measure it: in the photograph of a {name} neighbouring pixels correlate by "
        "{photo_near:.2f}, in the same pixels shuffled by {shuffled_near:.2f}. A dense layer is "
        "as good on either; a convolution loses what it lives on. (faltung explain data measures "
        "yours, beside chance.)",
    ),
    given={"name": "cat", "size": 200},
    compute=scattered,
)
