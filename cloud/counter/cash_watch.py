"""What looks at cash by itself each minute: long shifts, days nobody closed, cash that did not reach the bank (C-33 .. C-35),
tenders that the bank or the acquirer knows by now (G-09).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cloud.counter import banking, closing, recon
from cloud.shared.db import Database


async def keep_closing(db: Database, keys: Path, now: Callable[[], datetime]) -> None:
    """Until cancelled. `keys`: the folder with the key that signs closes."""
    await closing.keep_closing(db, keys, now, banking.look_for_overdue, recon.compare_all)
