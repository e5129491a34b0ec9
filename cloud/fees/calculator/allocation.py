"""Money spread over what is owed (Q-60): which line gets how much of a payment, principal and late fee apart. Amounts in fen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from protocols.errors import Refused
from protocols.money import Fen

Order = Literal["principal_first", "late_first"]


@dataclass(frozen=True, slots=True)
class Owed:
    """A line as a payment sees it. `number` breaks the last tie; a negative principal is a credit."""

    number: int
    due: date
    priority: int
    principal_fen: Fen
    late_fen: Fen = 0


@dataclass(frozen=True, slots=True)
class Spread:
    """line number -> fen, lines that get nothing left out; `wallet_fen`: the excess, for the general wallet."""

    principal: Mapping[int, Fen]
    late: Mapping[int, Fen]
    wallet_fen: Fen


def order(lines: Sequence[Owed]) -> list[Owed]:
    """Oldest due date first; same date by item priority, then line number."""
    return sorted(lines, key=lambda line: (line.due, line.priority, line.number))


def spread(lines: Sequence[Owed], payment: Fen, *, by: Order, chosen: Sequence[int] = ()) -> Spread:
    """A payment over lines: chosen ones first as named, the others by `order`.

    by  'principal_first': the principal of all, then late fees; 'late_first': each line's late fee, then its principal
    Credits (negative lines) are used up whole and add to the money. Refused `bad_payment`, `unknown_line`, `unnamed_choice`.
    """
    if payment < 0:
        raise Refused("bad_payment", "收款不能是负数", "a payment is not negative", field="payment_fen")
    if by not in ("principal_first", "late_first"):
        raise Refused("unnamed_choice", "写明先冲本金还是先冲违约金", "name the order", field="order")
    ordered = _chosen_first(lines, chosen)
    left = payment - sum(line.principal_fen for line in lines if line.principal_fen < 0)
    principal = {line.number: line.principal_fen for line in lines if line.principal_fen < 0}
    late: dict[int, Fen] = {}
    for line, is_late in _turns(ordered, by):
        owed = line.late_fen if is_late else line.principal_fen
        part = min(left, owed)
        if part > 0:
            (late if is_late else principal)[line.number] = part
            left -= part
    return Spread(principal, late, left)


def _turns(ordered: Sequence[Owed], by: Order) -> list[tuple[Owed, bool]]:
    """Who is served when: (line, whether its late fee)."""
    if by == "late_first":
        return [(line, is_late) for line in ordered for is_late in (True, False)]
    return [(line, False) for line in ordered] + [(line, True) for line in ordered]


def _chosen_first(lines: Sequence[Owed], chosen: Sequence[int]) -> list[Owed]:
    by_number = {line.number: line for line in lines}
    if len(by_number) != len(lines) or len(set(chosen)) != len(chosen):
        raise Refused("repeated", "同一笔写了两遍", "a line is named twice", field="chosen")
    if any(number not in by_number for number in chosen):
        raise Refused("unknown_line", "指定的账单不在其中", "a chosen line is not among the lines", field="chosen")
    return [by_number[number] for number in chosen] + order([line for line in lines if line.number not in set(chosen)])
