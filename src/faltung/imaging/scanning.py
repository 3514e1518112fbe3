"""What a patch classifier sees in a scene: whether there is one of each class, and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung import ops
from faltung.errors import GeometryError, message
from faltung.functional import max_pool
from faltung.graph.graph import Graph
from faltung.imaging.detection import Comparison, Detector, detector
from faltung.imaging.peaks import peaks
from faltung.report import AbstractReport, Table

Array = NDArray[Any]
COMPARED = 64
ANYWHERE = (
    "every window gets a class: a classifier that was never shown what is none of them "
    "finds something anywhere"
)


@dataclass(frozen=True)
class Detection:
    """One window that is surely of a class.

    Parameters
    ----------
    name : str
        The class.
    top, left : int
        Its upper left corner.
    probability : float
        The classifier's.
    """

    name: str
    top: int
    left: int
    probability: float


@dataclass(frozen=True)
class Presence:
    """The best window of one class.

    Parameters
    ----------
    name : str
        The class.
    probability : float
        The highest one anywhere.
    top, left : int
        Where that is.
    is_there : bool
        Whether it reaches the threshold.
    """

    name: str
    probability: float
    top: int
    left: int
    is_there: bool


@dataclass(frozen=True, eq=False)
class ScanReport(AbstractReport):
    """A scene through a detector.

    Parameters
    ----------
    classes : tuple of Presence
        For each class whether there is one.
    detections : tuple of Detection
        The best first, of near ones the best alone.
    probabilities : array, (classes, rows, columns)
        Of every window; 0 where a window has one value only.
    detector : Detector
        What ran.
    scene_shape : tuple of int
        (C, H, W).
    threshold : float
        As it was asked for.
    comparison : Comparison or None
        The detector beside the classifier on some windows, where layers pad their patches.
    """

    classes: tuple[Presence, ...]
    detections: tuple[Detection, ...]
    probabilities: Array = field(repr=False)
    detector: Detector = field(repr=False)
    scene_shape: tuple[int, ...]
    threshold: float
    comparison: Comparison | None

    def blocks(self) -> list[Table | str]:
        """Return what ran, whether there is one of each class, and where."""
        rows, columns = self.probabilities.shape[1:]
        height, width = self.detector.patch[1:]
        ran = (
            f"{rows * columns:,} windows of {height}x{width}, {rows} rows of {columns}, "
            f"{self.detector.stride[0]} and {self.detector.stride[1]} pixels apart, in one pass"
        )
        there = Table(
            ("class", "there is one", "probability", "top", "left"),
            [
                (
                    c.name,
                    "yes" if c.is_there else "no",
                    f"{c.probability:.3f}",
                    str(c.top),
                    str(c.left),
                )
                for c in self.classes
            ],
            left=(0, 1),
        )
        found: list[Table | str] = [ran, there]
        if self.detections:
            places = [
                (d.name, f"{d.probability:.3f}", str(d.top), str(d.left)) for d in self.detections
            ]
            found.append(Table(("found", "probability", "top", "left"), places))
        return [*found, *([self._padding()] if self.comparison else []), ANYWHERE]

    def _padding(self) -> str:
        assert self.comparison is not None
        c, names = self.comparison, ", ".join(self.detector.padded[:3])
        return (
            f"the classifier pads its patches ({names}): inside a scene a window sees its "
            f"neighbours there. Of {c.windows} windows compared with the classifier's own word "
            f"{c.windows - c.equal} have other scores (by up to {c.largest:.3g}) and {c.changed} "
            "another class"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the map of probabilities."""
        return {
            "windows": list(self.probabilities.shape[1:]),
            "patch": list(self.detector.patch),
            "stride": list(self.detector.stride),
            "scene_shape": list(self.scene_shape),
            "threshold": self.threshold,
            "classes": [dict(vars(each)) for each in self.classes],
            "detections": [dict(vars(each)) for each in self.detections],
            "padded": list(self.detector.padded),
            "comparison": dict(vars(self.comparison)) if self.comparison else None,
        }


def scan(
    model: Graph | Detector,
    scene: ArrayLike,
    *,
    threshold: float = 0.9,
    separation: float = 0.5,
    most: int = 1000,
) -> ScanReport:
    """Run a patch classifier over a scene and say whether there is one of each class.

    Parameters
    ----------
    model : Graph or Detector
        (N, C, h, w) to (N, classes): scores, or probabilities behind a softmax. One score alone
        becomes a probability by the logistic function.
    scene : array_like, (H, W) or (H, W, C)
        As the classifier takes its patches; of integers of 16 bits the upper 8. Grey scenes are
        repeated over the classifier's channels, coloured ones made grey for a grey classifier.
    threshold : float
        The least probability, above 0 and at most 1.
    separation : float
        Of two windows closer than this share of a patch only the better one counts.
    most : int
        How many detections are returned.

    Returns
    -------
    ScanReport
        A window that holds one value only counts as nothing.

    Raises
    ------
    GraphError
        detector D1 to D6.
    GeometryError
        scan N1: a threshold out of range; N2: a scene that is no image, or of other channels.
    """
    if not 0 < threshold <= 1:
        rule = "threshold must be above 0 and up to 1"
        raise GeometryError(message("scan", rule, {"threshold": threshold}, "", "scan N1"))
    chosen = model if isinstance(model, Detector) else detector(model)
    x = channels_first(scene, chosen.patch[0])
    odds = log_odds(chosen.scores(x), chosen)
    odds[:, _is_blank(x, chosen, odds.shape[1:])] = -np.inf
    comparison = chosen.compare(x, COMPARED) if chosen.padded else None
    return ScanReport(
        classes=tuple(_presence(chosen, i, each, threshold) for i, each in enumerate(odds)),
        detections=_detections(chosen, odds, threshold, separation, most),
        probabilities=_logistic(odds),
        detector=chosen,
        scene_shape=x.shape,
        threshold=threshold,
        comparison=comparison,
    )


def log_odds(scores: Array, chosen: Detector) -> Array:
    """``log p / (1 - p)`` of every class and window: unlike p it has no ceiling to run into.

    >>> _odds_of_scores(np.array([[[100.0]], [[0.0]]])).ravel().tolist()
    [100.0, -100.0]
    """
    ends = {type(node.operator) for node in chosen.graph.nodes[-2:-1]}
    scores = scores.astype(np.float64)
    if ops.Softmax in ends or (ops.Sigmoid in ends and len(scores) == 1):
        shares = np.clip(scores, 1e-12, 1 - 1e-12)
        odds: Array = np.log(shares) - np.log1p(-shares)
        return odds
    return scores if len(scores) == 1 else _odds_of_scores(scores)


def _odds_of_scores(scores: Array) -> Array:
    """A score less the logarithm of the sum of the others' exponentials."""
    winner = scores.argmax(axis=0, keepdims=True)
    total = np.logaddexp.reduce(scores, axis=0)
    others = scores.copy()
    np.put_along_axis(others, winner, -np.inf, axis=0)
    rest = np.logaddexp.reduce(others, axis=0)
    # What does not win has at most half of the total, so that the difference loses nothing.
    shares = np.minimum(np.exp(scores - total), 0.5)
    odds: Array = scores - (total + np.log1p(-shares))
    best = np.take_along_axis(scores, winner, axis=0) - rest
    np.put_along_axis(odds, winner, best, axis=0)
    return odds


def _logistic(odds: Array) -> Array:
    return np.exp(-np.logaddexp(0, -odds))


def channels_first(scene: ArrayLike, channels: int) -> Array:
    """(C, H, W) as float32, with the channels that the classifier takes."""
    pixels = np.asarray(scene)
    if pixels.ndim not in (2, 3) or pixels.dtype.kind not in "biuf":
        rule = "the scene must be (H, W) or (H, W, C), of real numbers"
        got = {"shape": pixels.shape, "dtype": pixels.dtype}
        raise GeometryError(message("scan", rule, got, "", "scan N2"))
    pixels = np.atleast_3d(pixels).astype(np.float32) / (257 if pixels.dtype == np.uint16 else 1)
    if pixels.shape[2] == 3 and channels == 1:
        # ITU-R BT.601, as Pillow makes greys.
        pixels = (pixels @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    if pixels.shape[2] not in (1, channels):
        rule = "the scene must have the classifier's channels, or one"
        got = {"scene": pixels.shape[2], "classifier": channels}
        raise GeometryError(message("scan", rule, got, "", "scan N2"))
    spread = np.broadcast_to(pixels, (*pixels.shape[:2], channels))
    return np.ascontiguousarray(spread.transpose(2, 0, 1), dtype=np.float32)


def _is_blank(x: Array, chosen: Detector, size: tuple[int, ...]) -> Array:
    """Which windows hold one value only in each channel."""
    top = max_pool(x[None], chosen.patch[1:], stride=chosen.stride)
    bottom = -max_pool(-x[None], chosen.patch[1:], stride=chosen.stride)
    blank: Array = (top == bottom).all(axis=(0, 1))
    return blank[: size[0], : size[1]]


def _presence(chosen: Detector, index: int, odds: Array, threshold: float) -> Presence:
    row, column = (int(i) for i in np.unravel_index(int(odds.argmax()), odds.shape))
    probability = float(_logistic(odds[row, column]))
    top, left = row * chosen.stride[0], column * chosen.stride[1]
    return Presence(chosen.classes[index], probability, top, left, probability >= threshold)


def _detections(
    chosen: Detector, odds: Array, threshold: float, separation: float, most: int
) -> tuple[Detection, ...]:
    """Summits of the winning class's odds."""
    winner, height = odds.argmax(axis=0), odds.max(axis=0)
    apart = [separation * k / s for k, s in zip(chosen.patch[1:], chosen.stride, strict=True)]
    least = np.log(threshold) - np.log1p(-threshold) if threshold < 1 else 700.0
    places = peaks(height, threshold=least, separation=(apart[0], apart[1]), most=most)
    return tuple(
        Detection(
            chosen.classes[int(winner[p.row, p.column])],
            p.row * chosen.stride[0],
            p.column * chosen.stride[1],
            float(_logistic(np.array(p.height))),
        )
        for p in places
    )
