"""How cases write numbers, dates and whole fen; each wrong one is Refused with its key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from protocols.errors import Refused
from protocols.money import MAX_FEN, Fen, decimal

Facts = Mapping[str, Any]
_LONGEST = 40


def needed(facts: Facts, key: str) -> Any:
    found = facts.get(key)
    if found is None:
        code = "MISSING_PRICE" if "price" in key or key.endswith("_yuan") else "missing"
        raise Refused(code, f"缺少 {key}", f"{key} is missing", field=key)
    return found


def number(facts: Facts, key: str) -> Decimal:
    """A decimal as text (Q-01); a whole number may be a JSON integer. Refused `bad_decimal` for a float."""
    value = needed(facts, key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise Refused("bad_decimal", f'{key} 要写成文字的小数，例如 "2.35"', "a decimal is text", field=key)
    return decimal(value, field=key)


def number_or(facts: Facts, key: str, otherwise: Decimal | None) -> Decimal | None:
    return otherwise if facts.get(key) is None else number(facts, key)


def whole(facts: Facts, key: str) -> int:
    """A JSON integer of a size that money or counts can have."""
    value = needed(facts, key)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_FEN:
        raise Refused("bad_integer", f"{key} 要填整数", f"{key} is a whole number", field=key)
    return value


def whole_or(facts: Facts, key: str, otherwise: int) -> int:
    return otherwise if facts.get(key) is None else whole(facts, key)


def fen_or_none(facts: Facts, key: str) -> Fen | None:
    return None if facts.get(key) is None else whole(facts, key)


def small(facts: Facts, key: str, otherwise: int | None = None, most: int = 1200) -> int:
    """A count that somebody loops over: 1 to `most`."""
    value = whole(facts, key) if otherwise is None else whole_or(facts, key, otherwise)
    if value < 0:
        raise Refused("NEGATIVE_QUANTITY", f"{key} 不能是负数", f"{key} is negative", field=key)
    if not 1 <= value <= most:
        raise Refused("bad_count", f"{key} 在 1 到 {most} 之间", f"{key} is out of bounds", field=key)
    return value


def fens(facts: Facts, key: str) -> list[Fen]:
    return [whole({key: value}, key) for value in rows(facts, key)]


def rows(facts: Facts, key: str) -> Sequence[Any]:
    value = needed(facts, key)
    if not isinstance(value, list):
        raise Refused("bad_case", f"{key} 是一个列表", f"{key} is a list", field=key)
    return value


def day(facts: Facts, key: str) -> date:
    value = needed(facts, key)
    if not isinstance(value, str):
        raise Refused("bad_date", f"{key} 写成 2026-01-31 这样", "a date is text", field=key)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Refused("bad_date", f"{key} 不是日期", f"{value!r} is not a date", field=key) from None


def day_or_none(facts: Facts, key: str) -> date | None:
    return None if facts.get(key) is None else day(facts, key)


def yes(facts: Facts, key: str) -> bool:
    value = facts.get(key, False)
    if not isinstance(value, bool):
        raise Refused("bad_case", f"{key} 填 true 或 false", f"{key} is true or false", field=key)
    return value


def choice(facts: Facts, key: str, among: Sequence[str]) -> str:
    """A choice that must be named (Q-09)."""
    value = facts.get(key)
    if value is None:
        raise Refused("unnamed_choice", f"要写明 {key}：{'、'.join(among)}", f"{key} must be named", field=key)
    if value not in among:
        raise Refused("unknown_choice", f"{key} 只能是 {'、'.join(among)}", f"{key} is one of {', '.join(among)}", field=key)
    return str(value)
