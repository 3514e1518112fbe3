"""Draw one picture of every kind, in light and dark, and the page that shows them.

    python scripts/make_gallery.py [NAME ...]

Everything is computed here from what ships with the package. `EXHIBITS` is the list: a picture's
name, what stands beside it, and the function that draws it.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import faltung
from faltung import atomic
from faltung import layers as L
from faltung.analysis.dpp import most_different
from faltung.analysis.feature_maps import feature_maps
from faltung.analysis.networks import network_costs
from faltung.constraints import ConvMatrix
from faltung.datasets import Dataset, load_pair, photo
from faltung.experiments import Findings
from faltung.imaging import gabor, kernels
from faltung.imaging.hiding import hide
from faltung.training.evaluation import predict
from faltung.training.loop import TrainingResult, train
from faltung.training.metrics import read_rows
from faltung.training.recipe import Recipe, recipe_for
from faltung.training.start import start_new
from faltung.viz import (
    animation,
    confusion,
    costs,
    curves,
    distance,
    effective_field,
    equivariance,
    field,
    filters,
    findings,
    heat,
    matrices,
    mistakes,
    signals,
    slide,
)
from faltung.viz import feature_maps as maps
from faltung.viz import kernels as kernel_pictures
from faltung.viz import square as squares
from faltung.viz.style import encoded
from faltung.viz.theme import THEMES

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "gallery"
PAGE = ROOT / "docs" / "gallery.md"


@dataclass(eq=False)
class Run:
    """A network trained when it is first looked at, and experiments that are done then."""

    digits: tuple[Dataset, Dataset]
    recipe: Recipe
    seeds: int = 3
    steps: int | None = None

    @classmethod
    def of(cls, *, images: int | None = None, epochs: int | None = None) -> Run:
        """Train the default network; on few images for a short time if that is all one has."""
        short = {} if epochs is None else {"seeds": 1, "steps": 2}
        train_set, test_set = load_pair("sample")
        recipe = recipe_for("small")
        if epochs is not None:
            recipe = Recipe(**{**recipe.to_json(), "epochs": epochs})  # type: ignore[arg-type]
        if images is not None:
            train_set = train_set.subset(np.arange(images))
            test_set = test_set.subset(np.arange(images))
        return cls((train_set, test_set), recipe, **short)

    @cache  # noqa: B019, there are one or two of them
    def findings(self, name: str) -> Findings:
        """What an experiment found."""
        return faltung.experiment(name, seeds=self.seeds, steps=self.steps)

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The rows that training wrote."""
        return self._trained[1]

    @cached_property
    def result(self) -> TrainingResult:
        """What came of it."""
        return self._trained[0]

    @cached_property
    def _trained(self) -> tuple[TrainingResult, list[dict[str, Any]]]:
        with tempfile.TemporaryDirectory() as folder:
            first = start_new("small", self.digits[0])
            result = train(first, *self.digits, recipe=self.recipe, out=folder)
            return result, read_rows(Path(folder) / "metrics.jsonl")

    @property
    def test_set(self) -> Dataset:
        """Digits that it did not see."""
        return self.digits[1]

    @cached_property
    def first_filters(self) -> Any:
        """The weights of the first convolution."""
        node = next(n for n in self.result.graph.nodes if n.operator.onnx_type == "Conv")
        return self.result.graph.params[node.inputs[1]]


Draw = Callable[[Run, str], Figure]


class Exhibit(NamedTuple):
    """A picture, what it shows, how it is had; of a PNG, how many colours it needs."""

    title: str
    text: str
    how: str
    draw: Draw
    suffix: str = "png"
    colours: int = 96


def draw_signal(run: Run, theme: str) -> Figure:
    made = faltung.signal_report()
    outputs = {
        "mean of 3 (a convolution)": signals.Output(made.valid, 1),
        "median of 3 (none)": signals.Output(made.median, 1),
    }
    return signals.draw(made.signal, made.weights / made.divisor, outputs, theme=theme)


def draw_kernels(run: Run, theme: str) -> Figure:
    shown = {
        "Sobel x": kernels.sobel_x(),
        "Gaussian, σ = 0.6": kernels.gaussian(0.6),
        "Laplacian": kernels.laplacian(),
        "Gabor, 45°": gabor.gabor(8.0, 45.0),
        "LoG, σ = 2": kernels.laplacian_of_gaussian(2.0),
        "motion, 30°": kernels.motion(9.0, 30.0),
    }
    return kernel_pictures.draw(shown, across=3, theme=theme)


def slide_step(run: Run, theme: str) -> Figure:
    image = np.array([[0, 0, 1, 1, 0], [0, 2, 2, 0, 0], [1, 3, 0, 0, 1], [0, 2, 2, 0, 0]])
    frames = slide.frames(image, kernels.sobel_x(), padding=1, stride=2, theme=theme)
    return [*frames][4]


def draw_square(run: Run, theme: str) -> Figure:
    return squares.draw(faltung.square((3, 3)), theme=theme)


def draw_matrix(run: Run, theme: str) -> Figure:
    return matrices.draw(ConvMatrix.of((6, 6), (1, 1, 3, 3)), theme=theme)


def draw_strided_matrix(run: Run, theme: str) -> Figure:
    matrix = ConvMatrix.of((6, 6), (1, 1, 3, 3), stride=2)
    return matrices.draw(matrix, kernels.sobel_x()[None, None], theme=theme)


def field_of_three() -> Any:
    return L.build(L.Chain(*[L.Conv(1, 3) for _ in range(3)]), (1, 7, 7))


def draw_field(run: Run, theme: str) -> Figure:
    return [*field.frames(field_of_three(), theme=theme)][1]


def draw_effective(run: Run, theme: str) -> Figure:
    net = faltung.zoo.sketch("resnet20")
    found = faltung.effective_field(net, "relu13", (1, 3, 48, 48), samples=24)
    return effective_field.draw(found, theme=theme)


def draw_equivariance(run: Run, theme: str) -> Figure:
    blocks = [L.Conv(8, 3, padding=1), L.Relu(), L.MaxPool(2)]
    net = L.build(L.Chain(*blocks, *blocks, L.Conv(16, 3, padding=1)), (1, 32, 32))
    return equivariance.draw(faltung.equivariance(net), theme=theme)


def draw_invariance(run: Run, theme: str) -> Figure:
    images = run.test_set.images[:500]
    found = faltung.invariance(run.result.graph, images)
    return equivariance.draw_invariance(found, theme=theme)


def draw_costs(run: Run, theme: str) -> Figure:
    return costs.draw(faltung.cost((3, 224, 224)), theme=theme)


def draw_networks(run: Run, theme: str) -> Figure:
    return costs.draw(network_costs(), theme=theme)


def draw_curves(run: Run, theme: str) -> Figure:
    return curves.draw(run.metrics, theme=theme)


def draw_confusion(run: Run, theme: str) -> Figure:
    score = run.result.test
    assert score is not None
    return confusion.draw(score.confusion(), run.test_set.classes, theme=theme)


def draw_mistakes(run: Run, theme: str) -> Figure:
    score, data = run.result.test, run.test_set
    assert score is not None
    worst = score.worst(10)
    logits = predict(run.result.graph, data.images[worst]).astype(np.float64)
    shares = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    names = data.classes
    shown = [
        mistakes.Mistake(
            data.images[i], names[data.labels[i]], names[score.predictions[i]], float(share)
        )
        for i, share in zip(worst, shares, strict=True)
    ]
    return mistakes.draw(shown, theme=theme)


def draw_filters(run: Run, theme: str) -> Figure:
    return filters.draw(run.first_filters, theme=theme)


def draw_different(run: Run, theme: str) -> Figure:
    chosen = most_different(run.first_filters, 6)
    return filters.draw_chosen(run.first_filters, chosen, theme=theme)


def draw_maps(run: Run, theme: str) -> Figure:
    image = run.test_set.images[3]
    found = feature_maps(run.result.graph, image)
    return maps.draw(image, found, classes=run.test_set.classes, theme=theme)


def draw_find(run: Run, theme: str) -> Figure:
    eye = photo("cat")[88:136, 118:178]
    scene = hide(eye, photo("coffee")).scene
    return heat.draw_find(faltung.find(eye, scene), scene, theme=theme)


def draw_data(run: Run, theme: str) -> Figure:
    face = photo("camera")[60:124, 180:244]
    title = "64 × 64 pixels of a photograph"
    return distance.draw_report(faltung.data_report(face), title=title, theme=theme)


def draw_corners(run: Run, theme: str) -> Figure:
    return findings.draw(run.findings("corners"), theme=theme)


def draw_permutation(run: Run, theme: str) -> Figure:
    return findings.draw(run.findings("permutation"), theme=theme)


EXHIBITS: dict[str, Exhibit] = {
    "signal": Exhibit(
        "A signal, a kernel, what comes out",
        "Ten measurements with a glitch. The mean smears it over three samples; the median, which "
        "is no convolution, removes it.",
        "faltung explain signal --out signal.png",
        draw_signal,
        "svg",
    ),
    "kernels": Exhibit(
        "Kernels",
        "Positive numbers blue, negative ones vermilion, zero white; the numbers are printed "
        "where there is room.",
        'faltung.viz.kernels.draw({"Sobel x": faltung.imaging.kernels.sobel_x()})',
        draw_kernels,
    ),
    "slide": Exhibit(
        "The kernel slides",
        "Padding is dashed, the window orange, and the sum spelt out.",
        'faltung explain conv --image "0 0 1 1; 0 2 2 0; 1 3 0 0" --padding 1 '
        '--kernel "-1 0 1; -2 0 2; -1 0 1" --out slide.gif',
        slide_step,
    ),
    "square": Exhibit(
        "The square: dense, shared, local, convolution",
        "Each corner's weight matrix. Tied weights have one colour and one name, zeros are blank.",
        "faltung explain square --size 3x3 --out square.png",
        draw_square,
    ),
    "matrix": Exhibit(
        "A convolution as a matrix",
        "Sparse, tied, doubly block-Toeplitz: nine weights, sixteen outputs.",
        "faltung explain matrix --size 6x6 --kernel 3x3 --out matrix.png",
        draw_matrix,
    ),
    "strided": Exhibit(
        "With stride, some inputs are never used",
        "The same with stride 2 and Sobel's numbers; the inputs that no window reaches are "
        "hatched.",
        "faltung.viz.matrices.draw(ConvMatrix.of((6, 6), (1, 1, 3, 3), stride=2), w)",
        draw_strided_matrix,
    ),
    "field": Exhibit(
        "The receptive field grows",
        "Which positions one output depends on, through all layers.",
        "faltung explain field --out field.gif",
        draw_field,
    ),
    "effective": Exhibit(
        "What it depends on",
        "How strongly, by gradients, within what it sees: an output of ResNet-20.",
        'faltung.viz.effective_field.draw(faltung.effective_field(graph, "relu13"))',
        draw_effective,
    ),
    "equivariance": Exhibit(
        "Where a network stops being equivariant",
        "The error of its maps when the input is shifted: none for a convolution of stride 1, and "
        "behind each pooling only multiples of the total stride are left.",
        "faltung.viz.equivariance.draw(faltung.equivariance(graph))",
        draw_equivariance,
    ),
    "invariance": Exhibit(
        "Predictions under shifts",
        "How many of a trained network's predictions stay the same when the digits move.",
        "faltung.viz.equivariance.draw_invariance(faltung.invariance(graph, images))",
        draw_invariance,
    ),
    "costs": Exhibit(
        "What it costs",
        "Bars on a log scale, because nothing else would fit.",
        "faltung explain cost --input 224x224x3 --out cost.png",
        draw_costs,
    ),
    "networks": Exhibit(
        "What networks cost",
        "Parameters, counted on their graphs.",
        "faltung explain cost --networks --out networks.png",
        draw_networks,
    ),
    "data": Exhibit(
        "Does convolution fit this data?",
        "How alike values are that lie some way apart; in grey, where the same values lie when "
        "they are shuffled.",
        "faltung explain data PHOTO --out data.png",
        draw_data,
    ),
    "corners": Exhibit(
        "The four corners, trained",
        "Lines go through the means of three seeds, bands from the least to the greatest.",
        "faltung experiment corners --out corners.png",
        draw_corners,
    ),
    "permutation": Exhibit(
        "One permutation of the pixels",
        "The dense layer does not notice, convolution does.",
        "faltung experiment permutation --out permutation.png",
        draw_permutation,
    ),
    "curves": Exhibit(
        "Training",
        "Loss and accuracy, of the batches and of the images held out.",
        "faltung train (in report.html)",
        draw_curves,
    ),
    "confusion": Exhibit(
        "Which classes are taken for which",
        "Right ones green, mistakes vermilion, each by its share of the row.",
        "faltung train (in report.html)",
        draw_confusion,
    ),
    "mistakes": Exhibit(
        "The worst mistakes",
        "With how sure the network was.",
        "faltung train (in report.html)",
        draw_mistakes,
    ),
    "filters": Exhibit(
        "Filters",
        "What the first layer learned.",
        "faltung train (in report.html)",
        draw_filters,
    ),
    "different": Exhibit(
        "The most different filters",
        "Chosen by a determinantal point process on a Gaussian similarity of filters scaled to "
        "length 1.",
        "faltung train (in report.html)",
        draw_different,
    ),
    "maps": Exhibit(
        "Feature maps",
        "A digit on its way through the network.",
        "faltung train (in report.html)",
        draw_maps,
    ),
    "find": Exhibit(
        "Where is it?",
        "The eye of a cat, hidden five times in a cup of coffee, paler and in noise, two copies "
        "half outside; four more patches have its pixels in another order. Beside it the "
        "normalised correlation.",
        "faltung find (its example)",
        draw_find,
        colours=160,
    ),
}

ANIMATIONS: dict[str, Callable[[], list[Path]]] = {
    "slide": lambda: animation.save(
        slide.frames(
            np.array([[0, 0, 1, 1], [0, 2, 2, 0], [1, 3, 0, 0]]), kernels.sobel_x(), padding=1
        ),
        FOLDER / "slide.gif",
    ),
    "field": lambda: animation.save(
        field.frames(field_of_three()), FOLDER / "field.gif", seconds=1.5
    ),
}


def written(drawn: Figure, path: Path, colours: int) -> int:
    """Write a picture, a PNG with a palette; how many bytes it has."""
    data = encoded(drawn, path.suffix[1:])
    if path.suffix == ".png":
        buffer = io.BytesIO()
        flat = Image.open(io.BytesIO(data)).convert("RGB")
        flat.quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        data = buffer.getvalue()
    atomic.write_bytes(path, data)
    return len(data)


def page() -> str:
    """The page, each picture in the theme of its reader."""
    parts = [
        "# Gallery",
        "One example of every kind of picture, drawn by `make gallery` from what ships with the "
        "package. All of them come as `.png`, `.svg` or `.pdf`, light or dark, and every text "
        "can still be read at half the size.",
        "One visual language: input blue, kernel orange, output green; positive and negative "
        "values blue and vermilion with white at zero; tied weights share a colour; padding is "
        "dashed, what is never used is hatched.",
    ]
    for name, exhibit in EXHIBITS.items():
        parts += [f"## {exhibit.title}", exhibit.text, f"`{exhibit.how}`", shown(name, exhibit)]
        if name in ANIMATIONS:
            parts.append(f"![{exhibit.title}, animated](gallery/{name}.gif)")
    return "\n\n".join(parts) + "\n"


def shown(name: str, exhibit: Exhibit) -> str:
    """Both pictures."""
    light, dark = (f"gallery/{name}-{theme}.{exhibit.suffix}" for theme in THEMES)
    source = f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
    return f'<picture>{source}<img src="{light}" alt="{exhibit.title}"></picture>'


def main(names: list[str]) -> None:
    """Draw what is asked for, or everything."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    run = Run.of()
    for name, exhibit in EXHIBITS.items():
        for theme in THEMES:
            if not names or name in names:
                path = FOLDER / f"{name}-{theme}.{exhibit.suffix}"
                size = written(exhibit.draw(run, theme), path, exhibit.colours)
                print(f"{path.relative_to(ROOT)}: {size:,} bytes")
        if name in ANIMATIONS and (not names or name in names):
            for path in ANIMATIONS[name]():
                print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
    PAGE.write_text(page(), encoding="utf-8")
    total = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{total:,} bytes in all")


if __name__ == "__main__":
    main(sys.argv[1:])
