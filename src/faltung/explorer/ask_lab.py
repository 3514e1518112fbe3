"""What the view Lab asks: what a patch classifier finds in a scene."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.errors import ExplorerError, message
from faltung.explorer.recorded import network, packed
from faltung.explorer.uploads import Uploads
from faltung.graph import Graph, load
from faltung.imaging import detector, scan

LARGEST: Final = 512
"""Pixels of a scene's longer side."""
MOST_MAPS: Final = 10
"""Classes whose map of probabilities is told, those that are likeliest anywhere."""
MOST_PLACES: Final = 200


def detect(given: dict[str, Any], uploads: Uploads) -> dict[str, Any]:
    """Scan a scene: ``pixels`` (base64), ``height``, ``width``, ``channels``, ``threshold``.

    ``model`` is the name of an uploaded file; without it the recorded network of digits looks.
    """
    scene = pixels_of(given)
    threshold = given.get("threshold", 0.9)
    if not isinstance(threshold, (int, float)) or not 0 < threshold <= 1:
        rule = "threshold must be above 0 and up to 1"
        raise ExplorerError(message("lab", rule, {"threshold": repr(threshold)[:40]}))
    name = given.get("model")
    graph = network() if name is None else load(uploads.path(name))
    return scanned(graph, scene, float(threshold))


def scanned(graph: Graph, scene: NDArray[np.uint8], threshold: float) -> dict[str, Any]:
    """Return what `faltung.imaging.scan` reports, and maps of the likeliest classes.

    Parameters
    ----------
    graph
        A patch classifier.
    scene
        (H, W) or (H, W, 3).
    threshold
        Of probability.
    """
    chosen = detector(graph)
    if scene.ndim == 3 and chosen.patch[0] == 1:
        scene = np.rint(scene @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    report = scan(chosen, scene, threshold=threshold, most=MOST_PLACES)
    best = sorted(range(len(report.classes)), key=lambda i: -report.classes[i].probability)
    shown = sorted(best[:MOST_MAPS])
    levels = np.rint(report.probabilities[shown] * 255).astype(np.uint8)
    figures = report.to_dict()
    figures["classes"] = [figures["classes"][i] for i in best[: 4 * MOST_MAPS]]
    names = [report.classes[i].name for i in shown]
    return {**figures, "maps": {"names": names, "levels": packed(levels)}}


def pixels_of(given: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return the picture that a view sent, (H, W) or (H, W, 3)."""
    sizes = [given.get(name) for name in ("height", "width", "channels")]
    fits = all(isinstance(n, int) and not isinstance(n, bool) for n in sizes)
    if not fits or not all(1 <= n <= LARGEST for n in sizes[:2]) or sizes[2] not in (1, 3):  # type: ignore[operator]
        rule = f"a scene must be 1 to {LARGEST} pixels high and wide, of 1 or 3 channels"
        raise ExplorerError(message("lab", rule, {"sizes": repr(sizes)[:60]}))
    try:
        raw = base64.b64decode(str(given.get("pixels")), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ExplorerError(message("lab", "pixels must be base64")) from error
    height, width, channels = (int(n) for n in sizes)  # type: ignore[arg-type]
    if len(raw) != height * width * channels:
        values = {"bytes": len(raw), "sizes": (height, width, channels)}
        raise ExplorerError(message("lab", "pixels must be as many as the sizes say", values))
    scene = np.frombuffer(raw, np.uint8).reshape(height, width, channels)
    return scene[..., 0] if channels == 1 else scene
