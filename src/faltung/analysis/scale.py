"""What large numbers of parameters and of images mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal, localcontext
from typing import Any, Final, NamedTuple

from faltung.analysis.layer_cost import LayerCost, layer_cost
from faltung.analysis.receptive_field import receptive_fields
from faltung.graph.layers import AbstractLayer, Chain, Conv, Dense, Flatten, Relu, sketch
from faltung.ops.operator import Everything
from faltung.report import Table

PER_PARAMETER: Final = (5, 10)
"""How many examples a parameter a rule of thumb wants: at least, at most."""

GREYS: Final = 256
ATOMS: Final = 10**80
"""Atoms in the part of the universe that can be seen, to the nearest power of ten."""

EXACT_BITS: Final = 1 << 20
"""Powers of so few bits are counted as whole numbers, digit by digit."""


class Task(NamedTuple):
    """A data set: its name, its images, its classes, how many examples there are to train on."""

    name: str
    in_shape: tuple[int, int, int]
    classes: int
    examples: int


TASKS: Final = (
    Task("MNIST", (1, 28, 28), 10, 60_000),
    Task("CIFAR-10", (3, 32, 32), 10, 50_000),
    Task("ImageNet", (3, 224, 224), 1000, 1_281_167),
)
"""Sources: LeCun et al. (1998); Krizhevsky (2009); Russakovsky et al. (2015), table 2."""


@dataclass(frozen=True)
class ExamplesWanted:
    """How many examples a rule of thumb wants for a network: 5 to 10 for each parameter.

    It is no law. Convolutional networks break it by orders of magnitude and generalise, because
    what they have learned at one place holds at all others.

    Parameters
    ----------
    network
        What it is for.
    params
        Its parameters.
    examples
        How many examples there are; None where that is not known.
    """

    network: str
    params: int
    examples: int | None = None

    @property
    def wanted(self) -> tuple[int, int]:
        """The least and the greatest number."""
        low, high = PER_PARAMETER
        return low * self.params, high * self.params

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers, and that they are a rule of thumb."""
        return {**asdict(self), "wanted": list(self.wanted), "rule_of_thumb": True}


def examples_wanted(hidden: int = 1000, tasks: Sequence[Task] = TASKS) -> list[ExamplesWanted]:
    """Ask the rule of thumb about a network of two dense layers, for each of several data sets.

    >>> [(each.params, each.wanted[0]) for each in examples_wanted()]
    [(795010, 3975050), (3083010, 15415050), (151530000, 757650000)]
    """
    found = []
    for task in tasks:
        network = Chain(Flatten(), Dense(hidden), Relu(), Dense(task.classes))
        pixels = "×".join(map(str, task.in_shape))
        name = f"{task.name}: {pixels} → {hidden} → {task.classes}"
        params = layer_cost(name, network, task.in_shape).params
        found.append(ExamplesWanted(name, params, task.examples))
    return found


@dataclass(frozen=True)
class ImageCount:
    """How many images of a size there are: ``greys ** pixels``, exactly.

    Parameters
    ----------
    greys
        Values that a pixel may have.
    pixels
        Pixels, channels counted.
    """

    greys: int
    pixels: int

    @property
    def power_of_ten(self) -> int:
        """The largest power of ten that is not above the count."""
        return power_of_ten(self.greys, self.pixels)

    @property
    def atoms_power(self) -> int:
        """The same of the count divided by the number of atoms."""
        return self.power_of_ten - (len(str(ATOMS)) - 1)

    def exact(self) -> int:
        """Return the count as a whole number."""
        return int(self.greys**self.pixels)

    def to_dict(self) -> dict[str, Any]:
        """Return the powers."""
        powers = {"power_of_ten": self.power_of_ten, "atoms_power_of_ten": self.atoms_power}
        return {**asdict(self), **powers}


def power_of_ten(base: int, exponent: int) -> int:
    """Return the largest p with ``10**p <= base**exponent``.

    By whole numbers where they are small. Else from the logarithm with twenty digits more than the
    answer has; closer to a whole number than that, whole numbers decide.

    >>> power_of_ten(256, 784), power_of_ten(10, 3), power_of_ten(2, 3)
    (1888, 3, 0)
    """
    if base.bit_length() * exponent <= EXACT_BITS:
        return _counted(base**exponent)
    with localcontext() as context:
        context.prec = len(str(exponent)) + 40
        power = Decimal(base).log10() * exponent
        floor = int(power)
        rest = power - floor
        if Decimal("1e-20") < rest < 1 - Decimal("1e-20"):
            return floor
    return _counted(base**exponent)


def _counted(value: int) -> int:
    guess = int((value.bit_length() - 1) * 0.30102999566)
    while 10 ** (guess + 1) <= value:
        guess += 1
    while 10**guess > value:
        guess -= 1
    return guess


@dataclass(frozen=True)
class Stack:
    """Several small kernels in a row against a large one that sees as much.

    Parameters
    ----------
    small, large
        What they cost on the same image, without biases.
    channels
        Of the image and of every layer.
    sees
        How many positions along an axis an output of either sees.
    """

    small: LayerCost
    large: LayerCost
    channels: int
    sees: tuple[int, int]

    @property
    def per_square(self) -> tuple[int, int]:
        """Weights divided by the square of the channels."""
        square = self.channels**2
        return self.small.weights // square, self.large.weights // square

    def to_dict(self) -> dict[str, Any]:
        """Return both costs, and what both see."""
        return {
            "channels": self.channels,
            "sees": list(self.sees),
            "per_square_of_channels": list(self.per_square),
            "layers": [self.small.to_dict(), self.large.to_dict()],
        }


def stack(channels: int, count: int = 3, kernel: int = 3) -> Stack:
    """Compare ``count`` kernels in a row with the one that sees as much.

    >>> stack(64).per_square, stack(64).sees
    ((27, 49), (7, 7))
    """
    large = count * (kernel - 1) + 1
    in_shape = (channels, 2 * large, 2 * large)
    layers = {
        f"{count} kernels {kernel}×{kernel}": Chain(
            *(Conv(channels, kernel, padding="same", bias=False) for _ in range(count))
        ),
        f"1 kernel {large}×{large}": Conv(channels, large, padding="same", bias=False),
    }
    costs = [layer_cost(name, layer, in_shape) for name, layer in layers.items()]
    sees = [_sees(layer, in_shape) for layer in layers.values()]
    return Stack(costs[0], costs[1], channels, (sees[0], sees[1]))


def _sees(layer: AbstractLayer, in_shape: tuple[int, ...]) -> int:
    *_, fields = receptive_fields(sketch(layer, in_shape)).values()
    size = fields[0].size
    return in_shape[1] if isinstance(size, Everything) else size


class Reach(NamedTuple):
    """How many layers in a row it takes until one output sees so many positions of an axis.

    ``plain`` layers see ``plain_sees``; with dilations 1, 2, 4 and so on ``doubling`` layers see
    ``doubling_sees``.
    """

    pixels: int
    kernel: int
    plain: int
    plain_sees: int
    doubling: int
    doubling_sees: int


def reach(pixels: int, kernel: int = 3) -> Reach | None:
    """Return how many layers it takes to see so many pixels; None for kernels that never do.

    ``n`` layers see ``1 + n (k-1)``, with doubling dilation ``1 + (2**n - 1) (k-1)``.

    >>> reach(224)
    Reach(pixels=224, kernel=3, plain=112, plain_sees=225, doubling=7, doubling_sees=255)
    """
    if kernel == 1 and pixels > 1:
        return None
    step = max(kernel - 1, 1)
    plain = -(-(pixels - 1) // step)
    doubling = plain.bit_length()
    return Reach(pixels, kernel, plain, 1 + plain * step, doubling, 1 + (2**doubling - 1) * step)


def table_of_examples(rows: Sequence[ExamplesWanted]) -> Table:
    """Return what the rule of thumb says as a table."""
    cells = [
        (
            each.network,
            f"{each.params:,}",
            " to ".join(f"{n:,}" for n in each.wanted),
            "" if each.examples is None else f"{each.examples:,}",
        )
        for each in rows
    ]
    low, high = PER_PARAMETER
    title = f"rule of thumb (no law): {low} to {high} examples a parameter"
    return Table(("network", "parameters", "examples wanted", "there are"), cells, title=title)
