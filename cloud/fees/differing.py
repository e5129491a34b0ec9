"""What differs from the standard for one object: a factor, an area, a quantity, days without rent (F-08). Pure.

It is bounded: a number above nothing, with a reason; whatever charges an object otherwise than the standard does waits for a
second person (`exceptions`) and is told to headquarters at once (G-04).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from protocols.errors import Refused

MOST: Mapping[str, Decimal] = {"factor": Decimal(10), "area": Decimal(10**6), "quantity": Decimal(10**6)}
"""option -> its largest value; each is above 0"""
_NAMES = {"factor": "系数", "area": "计费面积", "quantity": "数量", "rent_free": "免租期"}
_SPANS = 50


def check_options(options: Mapping[str, Any]) -> None:
    """Refused `bad_option` for what the calculator does not know or could not calculate with."""
    for name, value in options.items():
        if name not in _NAMES:
            raise Refused("bad_option", f"没有这个选项：{name[:40]}", f"unknown option {name[:40]}", field="options")
        good = _spans(value) if name == "rent_free" else value is None or _number(value, MOST[name])
        if not good:
            most = f"，最多 {MOST[name]}，最多 4 位小数" if name in MOST else "，写第一天和最后一天的后一天"
            raise Refused("bad_option", f"{_NAMES[name]}不对：要大于 0{most}", f"bad {name}", field=name)


def exceptional(options: Mapping[str, Any]) -> bool:
    """Whether the object is charged otherwise than by its own facts: all but how many of something it has."""
    return any(options.get(name) not in (None, []) for name in ("factor", "area", "rent_free"))


def words(options: Mapping[str, Any]) -> str:
    """The options as an approver reads them: '系数 0.9，免租期 2026-12-01 至 2026-12-31'."""
    told = []
    for name, value in options.items():
        if value in (None, []):
            continue
        if name == "rent_free":
            spans = [(first, date.fromisoformat(to) - timedelta(days=1)) for first, to in value]
            told.append(f"{_NAMES[name]} " + "、".join(f"{first} 至 {last}" for first, last in spans))
        else:
            told.append(f"{_NAMES[name]} {value}")
    return "，".join(told)


def _number(value: object, most: Decimal) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    try:
        found = Decimal(value)
    except InvalidOperation:
        return False
    if not found.is_finite():
        return False
    exponent = found.as_tuple().exponent
    return 0 < found <= most and isinstance(exponent, int) and exponent >= -4


def _spans(value: object) -> bool:
    """[[first day, the day after the last], ...]."""
    if not isinstance(value, list) or len(value) > _SPANS:
        return False
    for one in value:
        if not isinstance(one, list) or len(one) != 2 or not all(isinstance(day, str) for day in one):
            return False
        try:
            if date.fromisoformat(one[0]) >= date.fromisoformat(one[1]):
                return False
        except ValueError:
            return False
    return True
