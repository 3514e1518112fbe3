"""Sets that differ: exact samples of determinantal point processes.

A determinantal point process with a positive semi-definite L draws a set S of items with
probability ``det(L_S) / det(I + L)``: items that L calls similar seldom come together. Of its
marginal kernel ``K = L (I + L)^-1`` it holds that item i is drawn with probability ``K_ii``, and i
and j together with ``K_ii K_jj - K_ij^2``. A k-DPP is the same among the sets of k items.

Source: Kulesza, Taskar, *Determinantal point processes for machine learning* (2012), algorithms 1,
7 and 8.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import prod
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import GraphError, message

Array = NDArray[np.float64]
Items = NDArray[np.int64]
Seed = int | np.random.Generator

DRAWS = 256
"""Sets among which `most_different` keeps the best."""


class Spectrum(NamedTuple):
    """Eigenvalues (n,) and eigenvectors (n, n), as columns, of L."""

    values: Array
    vectors: Array

    @classmethod
    def of(cls, similarity: ArrayLike) -> Self:
        """Return those of L; eigenvalues that are 0 but for rounding are 0.

        Raises
        ------
        GraphError
            dpp K1: L is not square, symmetric, finite and positive semi-definite.
        """
        matrix = np.asarray(similarity, np.float64)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            _refuse({"shape": matrix.shape})
        if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
            _refuse({"symmetric": False})
        values, vectors = np.linalg.eigh(matrix)
        rounding = len(matrix) * np.finfo(np.float64).eps * np.abs(values).max(initial=0.0)
        if values.min(initial=0.0) < -rounding:
            _refuse({"eigenvalue": values.min()})
        return cls(np.where(values > rounding, values, 0.0), vectors)


def _refuse(values: dict[str, object]) -> None:
    rule = "L must be square, symmetric, finite and positive semi-definite"
    raise GraphError(message("dpp", rule, values, "", "dpp K1"))


def marginal_kernel(similarity: ArrayLike) -> Array:
    """Return K, which says with what probability items are drawn, alone and together.

    Parameters
    ----------
    similarity : array_like (n, n)
        L, symmetric and positive semi-definite.

    Examples
    --------
    >>> marginal_kernel(np.eye(2)).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    values, vectors = Spectrum.of(similarity)
    kernel: Array = (vectors * (values / (1 + values))) @ vectors.T
    return kernel


def sample(similarity: ArrayLike, seed: Seed = 0) -> Items:
    """Draw a set from a determinantal point process (algorithm 1).

    Parameters
    ----------
    similarity : array_like (n, n)
        L, symmetric and positive semi-definite.
    seed
        Decides the set; or a generator, for several.

    Returns
    -------
    numpy.ndarray of int64
        The items, ascending.
    """
    values, vectors = Spectrum.of(similarity)
    random = np.random.default_rng(seed)
    kept = random.random(len(values)) < values / (1 + values)
    return _elementary(vectors[:, kept], random)


def sample_k(similarity: ArrayLike, k: int, seed: Seed = 0) -> Items:
    """Draw a set of k items from a k-DPP (algorithm 8).

    Parameters
    ----------
    similarity : array_like (n, n)
        L, symmetric and positive semi-definite.
    k
        How many items.
    seed
        Decides the set; or a generator, for several.

    Returns
    -------
    numpy.ndarray of int64 (k,)
        The items, ascending.

    Raises
    ------
    GraphError
        dpp K2: more items than differ, which are as many as the rank of L.

    Examples
    --------
    >>> alike = [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    >>> {sample_k(alike, 2, seed).tolist()[1] for seed in range(9)}
    {2}
    """
    spectrum = Spectrum.of(similarity)
    rank = int((spectrum.values > 0).sum())
    if not 0 <= k <= rank:
        rule = "k must be at most the number of items that differ"
        raise GraphError(message("dpp", rule, {"k": k, "rank": rank}, "", "dpp K2"))
    return next(_sets_of_k(spectrum, k, np.random.default_rng(seed)))


def filter_similarity(w: ArrayLike) -> Array:
    """Return L for the filters of a layer: the Gaussian kernel of filters scaled to length 1.

    ``L_ij = exp(-|u_i - u_j|^2 / 2)`` with ``u = w / |w|``: 1 for filters that differ by a positive
    factor alone, exp(-1) for orthogonal ones, exp(-2) for opposite ones. A filter of zeros stays
    one.

    Parameters
    ----------
    w : array_like (O, ...)
        Filters.

    Examples
    --------
    >>> filter_similarity([[1, 0], [2, 0], [0, 1], [-1, 0]])[0].round(4).tolist()
    [1.0, 1.0, 0.3679, 0.1353]
    """
    flat = np.asarray(w, np.float64)
    flat = flat.reshape(len(flat), prod(flat.shape[1:]))
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    unit = flat / np.where(length > 0, length, 1.0)
    squares = (unit**2).sum(axis=1)
    distance = np.maximum(squares[:, None] + squares - 2 * unit @ unit.T, 0.0)
    similar: Array = np.exp(-(distance + distance.T) / 4)
    np.fill_diagonal(similar, 1.0)
    return similar


def most_different(w: ArrayLike, k: int, seed: int = 0) -> Items:
    """Return which k filters of a layer differ most: the best of `DRAWS` samples of a k-DPP.

    The best is the most probable, whose ``det(L_S)`` is largest; L is `filter_similarity`.

    Parameters
    ----------
    w : array_like (O, ...)
        Filters.
    k
        How many; fewer come back where fewer differ.
    seed
        Decides the samples.

    Returns
    -------
    numpy.ndarray of int64
        Numbers of filters, ascending.

    Examples
    --------
    >>> most_different([[1, 0], [2, 0], [0, 1], [-1, 0]], 3).tolist()[1:]
    [2, 3]
    """
    similar = filter_similarity(w)
    spectrum = Spectrum.of(similar)
    random = np.random.default_rng(seed)
    count = min(k, int((spectrum.values > 0).sum()))
    drawn = islice(_sets_of_k(spectrum, count, random), DRAWS)
    return max(drawn, key=lambda items: float(np.linalg.slogdet(similar[np.ix_(items, items)])[1]))


def _sets_of_k(spectrum: Spectrum, k: int, random: np.random.Generator) -> Iterator[Items]:
    """Draw sets without end."""
    logs = np.full(len(spectrum.values), -np.inf)
    np.log(spectrum.values, where=spectrum.values > 0, out=logs)
    table = _elementary_symmetric(logs, k)
    while True:
        yield _elementary(spectrum.vectors[:, _eigenvectors(logs, table, random)], random)


def _eigenvectors(logs: Array, table: Array, random: np.random.Generator) -> Items:
    """Choose k eigenvectors, a set with probability proportional to the product of its values."""
    kept: list[int] = []
    for n, chance in zip(range(len(logs), 0, -1), np.log1p(-random.random(len(logs))), strict=True):
        left = table.shape[1] - 1 - len(kept)
        if left and chance < logs[n - 1] + table[n - 1, left - 1] - table[n, left]:
            kept.append(n - 1)
    return np.array(kept, np.int64)


def _elementary_symmetric(logs: Array, k: int) -> Array:
    """Logarithms of the elementary symmetric polynomials, row n of the first n (algorithm 7)."""
    table = np.full((len(logs) + 1, k + 1), -np.inf)
    table[:, 0] = 0.0
    for n, log in enumerate(logs, start=1):
        table[n, 1:] = np.logaddexp(table[n - 1, 1:], log + table[n - 1, :-1])
    return table


def _elementary(vectors: Array, random: np.random.Generator) -> Items:
    """Draw from the projection on orthonormal columns: one item each (algorithm 1, second part)."""
    chosen: list[int] = []
    while vectors.shape[1]:
        weights = (vectors**2).sum(axis=1)
        item = int(random.choice(len(weights), p=weights / weights.sum()))
        chosen.append(item)
        pivot = int(np.abs(vectors[item]).argmax())
        # What is left is orthogonal to the item; its own column is what paid for that.
        vectors = vectors - np.outer(vectors[:, pivot], vectors[item] / vectors[item, pivot])
        vectors = np.linalg.qr(np.delete(vectors, pivot, axis=1))[0]
    return np.sort(np.array(chosen, np.int64))
