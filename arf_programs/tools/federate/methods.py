"""The methods that `arf federate` compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


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
