"""What a scanner reads at a counter (C-21): a paper's number leads to the lines that stand on it.

`hub.scans` names a prefix ('CF') and who knows its papers; the slice that prints them registers itself in cloud/app.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from cloud.shared.db import Tx


@dataclass(frozen=True, slots=True)
class Scanned:
    """Whose paper it is: a room of a project, and the charge lines on it."""

    project_id: int
    room_id: int | None
    line_ids: tuple[int, ...]


Scan = Callable[[Tx, Sequence[int], str], Awaitable[Scanned | None]]
"""(transaction, projects in which to look, what was read) -> what it is, None for no paper of theirs."""


async def read(scans: Mapping[str, Scan], tx: Tx, projects: Sequence[int], text: str) -> Scanned | None:
    """What a text is, by its prefix; None when it is something else, or nobody's there."""
    plain = text.strip().upper()
    for prefix, scan in scans.items():
        if plain.startswith(prefix):
            return await scan(tx, projects, plain)
    return None
