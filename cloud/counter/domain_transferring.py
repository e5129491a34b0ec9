"""What a 过户 does to a room's lines, without a database (O-03, Q-22). Amounts in fen; the day is the first of the new owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from cloud.fees.service import Divided, Line
from protocols.money import Fen, round_fen

BY_THE_DAY = ("recurring", "rent", "parking", "apportioned")
"""Categories that are divided at the day of transfer. What a meter counted is read on that day instead."""

ARREARS = {"stay": "留在旧业主名下", "taken_over": "由新业主承担"}
MONEY = {"transfer": "转给新业主", "refund": "退给旧业主", "stay": "留在旧业主名下"}
AHEAD = {"refund_first": "先把多缴的退给旧业主，再过户", "between": "已缴的不动，买卖双方自己结算"}


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines by what becomes of them.

    stay     still the old owner's
    over     from now on the new owner's, whole
    divided  the period runs across the day: the rest of it is the new owner's
    ahead    paid for days of the new owner; `rest_fen`: how much of it
    """

    stay: tuple[Line, ...]
    over: tuple[Line, ...]
    divided: tuple[Divided, ...]
    ahead: tuple[Divided, ...]

    @property
    def left_fen(self) -> Fen:
        """What the old owner still owes here afterwards."""
        return sum(line.due_fen for line in self.stay) + sum(one.line.due_fen - one.rest_fen for one in self.divided)

    @property
    def over_fen(self) -> Fen:
        return sum(line.due_fen for line in self.over) + sum(one.rest_fen for one in self.divided)

    @property
    def ahead_fen(self) -> Fen:
        return sum(one.rest_fen for one in self.ahead)


def rest_fen(line: Line, day: date) -> Fen:
    """The new owner's part by days; the old one's is rounded (HALF_UP), so that both parts are the line (Q-22)."""
    if line.period_from >= day:
        return line.amount_fen
    if line.period_to <= day:
        return 0
    share = Fraction((day - line.period_from).days, (line.period_to - line.period_from).days)
    return line.amount_fen - round_fen(line.amount_fen * share)


def sort_lines(lines: Sequence[Line], day: date, arrears: str) -> Lines:
    """`arrears`: 'stay' or 'taken_over'. Charges from the day on are the new owner's either way (Q-22)."""
    stay: list[Line] = []
    over: list[Line] = []
    divided: list[Divided] = []
    ahead: list[Divided] = []
    for line in lines:
        rest, settled = rest_fen(line, day), line.paid_fen - line.late_paid_fen + line.discount_fen
        if line.amount_fen > 0 and (not rest or line.item.category not in BY_THE_DAY) and line.period_from < day:
            rest = 0
        if not line.open:
            if rest:
                ahead.append(Divided(line, rest))
        elif line.period_from >= day:
            if settled and line.amount_fen > 0:
                ahead.append(Divided(line, settled))
            else:
                over.append(line)
        elif line.amount_fen > 0 and rest and settled > line.amount_fen - rest:
            ahead.append(Divided(line, settled - (line.amount_fen - rest)))
        elif arrears == "taken_over":
            over.append(line)
        elif line.amount_fen > 0 and rest:
            divided.append(Divided(line, rest))
        else:
            stay.append(line)
    return Lines(tuple(stay), tuple(over), tuple(divided), tuple(ahead))
