"""Causes that explain: what a manager reported and a device confirms is the reason of what follows from it (G-21)."""

from __future__ import annotations

from datetime import datetime

from cloud.controls import service, store_site
from cloud.controls.service import Raised
from cloud.shared.db import Tx

EXPLAINED = frozenset({"box_silent", "no_collection", "low_collection"})
"""Rules whose alarms follow from a site without power or link; others do not."""
_WORDS = {"power": "停电", "link": "断网", "fire": "消防联动", "other": "现场事件"}


async def explain(tx: Tx, raised: Raised, now: datetime) -> None:
    """Give the incident its reason when somebody reported one and a device of the site confirms it; a report alone explains
    nothing.
    """
    if raised.rule not in EXPLAINED or raised.finding.project_id is None:
        return
    found = await store_site.confirmed(tx, raised.finding.project_id, raised.finding.at)
    if found is None:
        return
    text = (
        f"{found['by_number']} 报告{_WORDS[found['kind']]}（{found['reason']}），"
        f"盒子 {found['box']} {found['silent_at']:%m-%d %H:%M} 起没有消息，设备证实，自动归并"
    )
    await service.explain_by_device(tx, raised, text, now)
