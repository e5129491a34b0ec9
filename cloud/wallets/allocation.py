"""Which wallet pays which line (Q-65). Pure; amounts in fen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from protocols.money import Fen

GENERAL = "general"


@dataclass(frozen=True, slots=True)
class Due:
    """An open line as a wallet sees it. `whole`: it is paid in full or not at all."""

    line: int
    purpose: str
    due: date
    fen: Fen
    whole: bool = False


def deduct(lines: Sequence[Due], balances: Mapping[str, Fen]) -> dict[int, dict[str, Fen]]:
    """line -> purpose -> fen taken: by due date then number, the purpose wallet, then the general one (Q-65).

    A line of another purpose never touches a purpose wallet (V-01). Lines that get nothing are left out.
    """
    left = dict(balances)
    taken: dict[int, dict[str, Fen]] = {}
    for line in sorted(lines, key=lambda one: (one.due, one.line)):
        parts = {purpose: 0 for purpose in (line.purpose, GENERAL)}
        missing = line.fen
        for purpose in parts:
            parts[purpose] = min(left.get(purpose, 0), missing)
            missing -= parts[purpose]
        if missing and line.whole or missing == line.fen:
            continue
        for purpose, fen in parts.items():
            left[purpose] = left.get(purpose, 0) - fen
        taken[line.line] = {purpose: fen for purpose, fen in parts.items() if fen}
    return taken
