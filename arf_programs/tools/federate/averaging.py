"""The methods that `arf federate` compares: they average the adapters of several sites. Pure functions of arrays.

A LoRA adapter changes a weight by the product BA. The mean of products is not the product of means:
`mean(B_i A_i) != mean(B_i) mean(A_i)`. So the products are averaged here, and the average, whose rank may be as high as
the sum of the ranks, is brought back to rank r by the singular values (Eckart and Young 1936: no other matrix of rank r
is nearer).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights = dict[str, Array]
"""The weights of an adapter by name, as PEFT saves them: A has the shape (r, inputs), B (outputs, r)."""

_A, _B = ".lora_A.", ".lora_B."


@dataclass(frozen=True)
class Method:
    """How sites are averaged, and what pulls each of them while it trains.

    Attributes:
        products: average the products BA, brought back to rank r; else A and B, each by itself.
        pull: nothing; the average that the round starts from; or the linear projection of the averages' way.
    """

    products: bool
    pull: Literal["none", "start", "projection"] = "none"


METHODS: Final = {
    "fedavg": Method(products=False),  # McMahan et al. 2016, arXiv 1602.05629
    "fedprox": Method(products=False, pull="start"),  # Li et al. 2018, arXiv 1812.06127
    "products": Method(products=True),
    # The simplest form of the idea of FedPTR (Chen et al. 2023, arXiv 2312.14380), and not that method.
    "projected": Method(products=True, pull="projection"),
}


def combine_products(adapters: Sequence[Mapping[str, Array]], shares: Sequence[float]) -> Weights:
    """Return the adapter of rank r whose products BA are nearest to the sum of those of `adapters` times `shares`.

    Both factors get the root of each singular value. What is no factor (a magnitude of DoRA) is summed as it is.
    """
    combined: Weights = {}
    for name in adapters[0]:
        if _A in name:
            other = name.replace(_A, _B)
            pairs = [(adapter[other], adapter[name]) for adapter in adapters]
            combined[other], combined[name] = _combine(pairs, shares)
        elif _B not in name:
            combined[name] = _sum([adapter[name] for adapter in adapters], shares)
    return {name: combined[name] for name in adapters[0]}


def _combine(pairs: Sequence[tuple[Array, Array]], shares: Sequence[float]) -> tuple[Array, Array]:
    """Return B and A of the sum. The products themselves, as large as the weights of the base, are never built."""
    rank = pairs[0][1].shape[0]
    left = np.concatenate([share * np.asarray(b, np.float64) for share, (b, _) in zip(shares, pairs, strict=True)], 1)
    right = np.concatenate([np.asarray(a, np.float64) for _, a in pairs], 0)
    q_left, r_left = np.linalg.qr(left)
    q_right, r_right = np.linalg.qr(right.T)
    u, values, v = np.linalg.svd(r_left @ r_right.T)
    roots = np.zeros(rank)
    kept = min(rank, len(values))
    roots[:kept] = np.sqrt(values[:kept])
    b, a = np.zeros((left.shape[0], rank)), np.zeros((rank, right.shape[1]))
    b[:, :kept], a[:kept] = q_left @ u[:, :kept], (q_right @ v[:kept].T).T
    return (b * roots).astype(np.float32), (roots[:, None] * a).astype(np.float32)


def _sum(arrays: Sequence[Array], shares: Sequence[float]) -> Array:
    total = sum(share * np.asarray(array, np.float64) for share, array in zip(shares, arrays, strict=True))
    return np.asarray(total, np.float32)


def project(now: Mapping[str, Array], before: Mapping[str, Array] | None) -> Weights:
    """Return where the average would be after one more step like its last: the products `2 now - before`.

    Without `before`, the last step began at the base, whose products are 0. Many factors have the same product, and the
    pull is on factors, so those nearest to the factors of `now` are taken.
    """
    ahead = combine_products([now], [2.0]) if before is None else combine_products([now, before], [2.0, -1.0])
    return _turned(ahead, now)


def _turned(adapter: Weights, like: Mapping[str, Array]) -> Weights:
    """Turn the factors of an adapter, B to BR and A to R'A with R orthogonal, to be nearest to those of `like`.

    The products stay the same. This is the orthogonal Procrustes problem (Schoenemann 1966).
    """
    turned = dict(adapter)
    for name, a in adapter.items():
        if _A in name:
            other = name.replace(_A, _B)
            u, _, v = np.linalg.svd(adapter[other].T @ like[other] + a @ like[name].T)
            turned[other], turned[name] = adapter[other] @ (u @ v), (u @ v).T @ a
    return turned
