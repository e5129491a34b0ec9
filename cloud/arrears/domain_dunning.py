"""Dunning notices: levels, numbers, order of delivery, what must have come before (A-04, A-05). Pure; amounts in fen.

There are three letters and a pack of papers for the court. Nothing else: no step touches water, power, heat, gas, doors or lifts
(A-06, Civil Code art. 944).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from protocols.errors import Refused

LEVELS = {"reminder": "缴费提醒", "demand": "催告函", "lawyer": "律师函"}
SHORT = {"reminder": "提醒", "demand": "正式催告", "lawyer": "律师函"}
WAYS = {
    "self": "本人签收", "family": "家人代收", "posted": "张贴（拍照）",
    "refused": "拒收（有见证人）", "mail": "邮寄签收", "notary": "公证送达",
}  # fmt: skip
REASONABLE = timedelta(days=7)
"""A formal demand gives at least this long to pay (合理期限)."""
LONGEST = timedelta(days=90)
MOST = 1_000
"""Notices of one batch."""
PREFIX = "CF"
_NUMBER = re.compile(r"CF(\d{1,9})-(\d{2})(\d{5,9})")


@dataclass(frozen=True, slots=True)
class Before:
    """What went to somebody before: (level, served on or None, pay by) of each notice, oldest first."""

    notices: Sequence[tuple[str, date | None, date]]

    def times(self, level: str) -> int:
        return sum(one == level for one, _, _ in self.notices)


def number_of(project_id: int, year: int, number: int) -> str:
    """'CF11-2600381': the project, the year, the number within both; without a gap."""
    return f"{PREFIX}{project_id}-{year % 100:02d}{number:05d}"


def is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def check_pay_by(level: str, pay_by: date, today: date) -> None:
    """Refused `bad_pay_by`: a reminder asks for tomorrow at the earliest, a demand leaves a reasonable time."""
    least = today + (timedelta(days=1) if level == "reminder" else REASONABLE)
    if not least <= pay_by <= today + LONGEST:
        zh = f"请缴日期要在 {least} 到 {today + LONGEST} 之间"
        raise Refused("bad_pay_by", zh, "a pay-by date leaves a reasonable time", field="pay_by")


def obstacle(level: str, before: Before, today: date) -> str:
    """Why somebody cannot get this letter yet, as a sentence; '' when they can (A-05)."""
    if level == "demand" and not before.times("reminder"):
        return "还没有发过缴费提醒，先发提醒"
    if level == "lawyer":
        served = [pay_by for one, on, pay_by in before.notices if one == "demand" and on is not None]
        if not served:
            return "催告函还没有送达记录，先送达并登记"
        if max(served) >= today:
            return f"催告函给的期限到 {max(served)}，还没有过"
    return ""


def route_key(room: Mapping[str, Any]) -> tuple[Any, ...]:
    """Sorts doors as somebody walks them: building, unit, upper floors last, number."""
    parts = (room.get("building") or "", room.get("unit") or "", room.get("floor") or 0, room.get("code") or "")
    return tuple(natural(str(one)) for one in parts)


def natural(text: str) -> tuple[tuple[int, int | str], ...]:
    """'3-1-502' before '12-1-101'."""
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", text) if part)
