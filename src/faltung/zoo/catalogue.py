"""Networks by name: which module draws which, and the layers that all of them have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from faltung.errors import GraphError, message
from faltung.graph.graph import Graph
from faltung.graph.layers import AbstractLayer, Chain, Normalize
from faltung.graph.layers import build as build_graph
from faltung.graph.layers import sketch as sketch_graph
from faltung.zoo.alexnet import alexnet
from faltung.zoo.densenet import densenet121
from faltung.zoo.inception import inception_v3
from faltung.zoo.lenet import lenet, lenet5
from faltung.zoo.mobilenet import mobilenet_v1, mobilenet_v2
from faltung.zoo.resnet import resnet
from faltung.zoo.resnet_published import resnet20, resnet50
from faltung.zoo.small import small
from faltung.zoo.unet import unet
from faltung.zoo.vgg import vgg16
from faltung.zoo.zero_one import zero_one

ImageShape = tuple[int, int, int]
Architecture = Callable[[ImageShape, int], AbstractLayer]


@dataclass(frozen=True)
class Network:
    """How a network is drawn, and the images and classes that it is meant for."""

    architecture: Architecture
    in_shape: ImageShape = (1, 28, 28)
    classes: int = 10


IMAGENET = ((3, 224, 224), 1000)
NETWORKS: Mapping[str, Network] = MappingProxyType(
    {
        "small": Network(small),
        "zero-one": Network(zero_one, (1, 14, 14), 2),
        "lenet": Network(lenet),
        "resnet": Network(resnet),
        "lenet5": Network(lenet5, (1, 32, 32)),
        "alexnet": Network(alexnet, (3, 227, 227), 1000),
        "vgg16": Network(vgg16, *IMAGENET),
        "resnet20": Network(resnet20, (3, 32, 32)),
        "resnet50": Network(resnet50, *IMAGENET),
        "mobilenet-v1": Network(mobilenet_v1, *IMAGENET),
        "mobilenet-v2": Network(mobilenet_v2, *IMAGENET),
        "densenet121": Network(densenet121, *IMAGENET),
        "inception-v3": Network(inception_v3, (3, 299, 299), 1000),
        "unet": Network(unet, (1, 512, 512), 2),
    }
)
NAMES = ("small", "zero-one", "lenet", "resnet")
"""Networks for small images, each trained in seconds to minutes on a CPU."""
PUBLISHED = tuple(name for name in NETWORKS if name not in NAMES)
"""Networks as their papers have them."""


def build(
    name: str,
    in_shape: Sequence[int] | None = None,
    classes: int | None = None,
    *,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
    seed: int = 0,
) -> Graph:
    """Return a named network with fresh weights, for images of one size.

    Parameters
    ----------
    name : str
        One of `NAMES` or `PUBLISHED`.
    in_shape : (int, int, int), optional
        (C, H, W) of an image; by default what the network is meant for.
    classes : int, optional
        How many scores it puts out, at least 1; by default 10, or what its paper has.
    mean, std : float or one float for each channel
        The first layer makes ``(x - mean) / std`` of the pixels, so that the network, and every
        file of it, takes them raw: 0 to 255 as float32.
    seed : int
        Decides the weights.

    Returns
    -------
    Graph
        Input ``x`` (N, C, H, W), one output (N, classes): scores before the softmax; of ``unet``,
        which scores every pixel, (N, classes, H, W). Its metadata has the ``network``'s name.

    Raises
    ------
    GraphError
        An unknown name, or images that the network cannot take [zoo Z1 to Z7].

    Examples
    --------
    >>> graph = build("lenet", (1, 28, 28))
    >>> graph.trainable
    61706
    """
    network, shape = _drawn(name, in_shape, classes, mean, std)
    graph = build_graph(network, shape, seed=seed, metadata={"network": name})
    check_nothing_is_empty(name, graph, shape)
    return graph


def sketch(name: str, in_shape: Sequence[int] | None = None, classes: int | None = None) -> Graph:
    """Return a named network for what needs only its shapes; its weights take no memory.

    Parameters
    ----------
    name, in_shape, classes
        As of `build`.

    Raises
    ------
    GraphError
        As `build`.

    Examples
    --------
    >>> sketch("vgg16").trainable
    138357544
    """
    network, shape = _drawn(name, in_shape, classes, 0.0, 1.0)
    graph = sketch_graph(network, shape, metadata={"network": name})
    check_nothing_is_empty(name, graph, shape)
    return graph


def _drawn(
    name: str,
    in_shape: Sequence[int] | None,
    classes: int | None,
    mean: float | Sequence[float],
    std: float | Sequence[float],
) -> tuple[AbstractLayer, ImageShape]:
    """Return the layers of a network behind its normalisation, and the shape of its images."""
    if name not in NETWORKS:
        cure = f"Use one of {', '.join(NETWORKS)}"
        raise GraphError(message("zoo", "no such network", {"name": repr(name)}, cure, "zoo Z1"))
    network = NETWORKS[name]
    shape = checked_shape(name, network.in_shape if in_shape is None else in_shape)
    count = network.classes if classes is None else classes
    if count < 1:
        rule, values = "classes must be at least 1", {"classes": count}
        raise GraphError(message(f"zoo {name}", rule, values, "", "zoo Z2"))
    first = Normalize(_numbers(mean, "mean", shape), _numbers(std, "std", shape))
    return Chain(first, network.architecture(shape, count)), shape


def checked_shape(name: str, in_shape: Sequence[int]) -> ImageShape:
    """Refuse what is not (C, H, W)."""
    if len(in_shape) != 3 or min(in_shape) < 1:
        rule, values = "in_shape must be (C, H, W)", {"in_shape": tuple(in_shape)}
        raise GraphError(message(f"zoo {name}", rule, values, "", "zoo Z3"))
    channels, height, width = in_shape
    return channels, height, width


def check_nothing_is_empty(name: str, graph: Graph, shape: ImageShape) -> None:
    """Refuse images of which pooling would leave nothing."""
    shapes = graph.shapes()
    for node in graph.nodes:
        if 0 in shapes[node.outputs[0]]:
            rule = f"the images are too small, layer {node.name!r} would have no output"
            values, cure = {"in_shape": shape}, "Use larger images, or another network"
            raise GraphError(message(f"zoo {name}", rule, values, cure, "zoo Z6"))


def _numbers(
    value: float | Sequence[float], name: str, shape: ImageShape
) -> float | tuple[float, ...]:
    """One number, or one for each channel; a divisor of 0 would make every output infinite."""
    numbers = tuple(map(float, value)) if isinstance(value, Sequence) else (float(value),)
    if len(numbers) not in (1, shape[0]):
        rule, values = f"{name} must be one number, or one for each channel", {name: numbers}
        raise GraphError(message("zoo", rule, values, "", "zoo Z4"))
    if name == "std" and not min(numbers) > 0:
        rule = "std must be positive"
        raise GraphError(message("zoo", rule, {"std": numbers}, "Use 1 for flat images", "zoo Z5"))
    return numbers
