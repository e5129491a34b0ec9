"""The late fee of a stored line on a day: what its policy, its payments and its disputes come to (Q-50 .. Q-56)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from cloud.fees.domain import Line
from cloud.fees.store_settling import Settled
from protocols.money import Fen


def outstanding(line: Line, settled: Sequence[Settled], disputed: Sequence[tuple[date, date | None]], day: date) -> Fen:
    raise NotImplementedError
