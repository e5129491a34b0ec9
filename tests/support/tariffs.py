"""Random tariffs, stays and a second, minute-by-minute pricing to hold the engine against."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from protocols.tariff import Calendar, Coupon, PassDays, Stay, TariffRules, parse_rules
from protocols.time import SHANGHAI

DAY = 1440
FIRST_DAY = date(2025, 9, 26)
CALENDAR = Calendar(
    frozenset(date(2025, 10, day) for day in range(1, 9)), frozenset({date(2025, 9, 28), date(2025, 10, 11)}), True
)


def at(text: str) -> datetime:
    """'2025-03-03T08:00' in Shanghai."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def document(table: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "t", "version": 1, "title": "测试", "free_once_per_day": False, "table": table} | more


def rules_of(table: dict[str, Any], **more: Any) -> TariffRules:
    return parse_rules(document(table, **more))


prices = st.integers(0, 12).map(lambda n: n * 50)
caps = st.integers(1, 60).map(lambda n: n * 100)
lengths = st.sampled_from([1, 7, 15, 30, 45, 60, 90, 180, 720, 1440, 2000])


@st.composite
def stepped(draw: st.DrawFn, first: bool = True) -> dict[str, Any]:
    found: dict[str, Any] = {"step_minutes": draw(lengths), "step_fen": draw(prices)}
    if first and draw(st.booleans()):
        found |= {"first_minutes": draw(lengths), "first_fen": draw(prices)}
    return found


@st.composite
def _capped(draw: st.DrawFn, each: bool = True) -> dict[str, Any]:
    kind = draw(st.sampled_from(["none", "24h", "day"]))
    flags = {"first_block_each_window": draw(st.booleans()), "first_block_each_day": draw(st.booleans())} if each else {}
    return flags | {"none": {}, "24h": {"cap_24h_fen": draw(caps)}, "day": {"cap_day_fen": draw(caps)}}[kind]


@st.composite
def _banded(draw: st.DrawFn) -> dict[str, Any]:
    borders = sorted(draw(st.sets(st.integers(0, DAY - 1), min_size=1, max_size=5)))
    mode = draw(st.sampled_from(["split", "start_of_step"]))
    bands = []
    for start, end in zip(borders, borders[1:] + borders[:1], strict=True):
        band: dict[str, Any] = {"from": _hhmm(start), "to": _hhmm(end)}
        if draw(st.integers(0, 3)) == 0:
            band["flat_fen"] = draw(prices)
        else:
            band |= draw(stepped(first=mode == "split"))
            if draw(st.booleans()):
                band["cap_fen"] = draw(caps)
        bands.append(band)
    return {"bands": draw(st.permutations(bands)), "band_mode": mode} | draw(_capped(each=False))


@st.composite
def _days(draw: st.DrawFn) -> dict[str, Any]:
    mode = draw(st.sampled_from(["per_day", "entry_day"]))
    window = mode == "entry_day" and draw(st.booleans())
    table: dict[str, Any] = {"holiday_mode": mode, "first_block_each_window": draw(st.booleans())}
    if window:
        table["cap_24h_fen"] = draw(caps)
    for name in ("workday", "holiday"):
        table[name] = draw(stepped()) | {"first_block_each_day": draw(st.booleans())}
        if not window and draw(st.booleans()):
            table[name]["cap_day_fen"] = draw(caps)
    return table


@st.composite
def _ladder(draw: st.DrawFn) -> dict[str, Any]:
    bounds = [*sorted(draw(st.sets(st.integers(1, DAY - 1), max_size=4))), DAY]
    fens = sorted(draw(st.lists(prices, min_size=len(bounds), max_size=len(bounds))))
    return {"ladder": [{"up_to_minutes": up_to, "fen": fen} for up_to, fen in zip(bounds, fens, strict=True)]}


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """Every shape of price with every kind of cap and free time that `checks` lets through."""
    entry = st.fixed_dictionaries({"per_entry_fen": caps, "per_entry_each_day": st.booleans()})
    steps = st.builds(lambda a, b: a | b, stepped(), _capped())
    table: dict[str, Any] = dict(draw(st.one_of(steps, _banded(), _days(), entry, _ladder())))
    if draw(st.booleans()):
        table |= {"free_minutes": draw(st.sampled_from([1, 15, 30, 120, 1500])), "free_after_pass": draw(st.booleans())}
        table["free_mode"] = draw(st.sampled_from(["from_entry", "deduct"]))
    if draw(st.integers(0, 3)) == 0:
        table["max_stay_fen"] = draw(caps)
    if draw(st.integers(0, 3)) == 0:
        table["round_to"] = {
            "fen": draw(st.sampled_from([50, 100])),
            "direction": draw(st.sampled_from(["up", "down", "half_up"])),
        }
    return table


coupons = st.lists(
    st.one_of(
        st.builds(lambda n: Coupon("minutes", minutes=n), st.sampled_from([10, 60, 300])),
        st.builds(lambda n: Coupon("percent", off=n), st.decimals("0.5", 100, places=1)),
        st.builds(lambda n: Coupon("amount", fen=n), st.integers(1, 3000)),
    ),
    max_size=3,
).map(tuple)

entries = st.builds(
    lambda day, minute, second: (
        datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=SHANGHAI)
        + timedelta(days=day, minutes=minute, seconds=second)
    ),
    st.integers(0, 7),
    st.integers(0, DAY - 1),
    st.integers(0, 59),
)
passes = st.lists(
    st.builds(
        lambda a, n: PassDays(FIRST_DAY + timedelta(days=a), FIRST_DAY + timedelta(days=a + n)),
        st.integers(0, 9),
        st.integers(0, 2),
    ),
    max_size=2,
).map(tuple)


def stay_of(entry: datetime, minutes: int, **more: Any) -> Stay:
    return Stay(entry, entry + timedelta(minutes=minutes, seconds=1), **more)


def _hhmm(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


# ---- the second pricing: walks every minute, knows nothing of the engine ----


def slow_fee(table: dict[str, Any], entry: datetime, minutes: int) -> int:
    """The fee of a stay before coupons and rounding, minute by minute."""
    free = table.get("free_minutes", 0)
    if minutes <= free:
        return 0
    first = entry.replace(second=0, microsecond=0)
    skip = free if table.get("free_mode") == "deduct" else 0
    walk = [(index, first + timedelta(minutes=index)) for index in range(skip, minutes)]
    fee = _slow_shape(table, first, walk)
    return min(fee, table.get("max_stay_fen", fee))


def _slow_shape(table: dict[str, Any], entry: datetime, walk: list[tuple[int, datetime]]) -> int:
    if "ladder" in table:
        whole, rest = divmod(len(walk), DAY)
        last = table["ladder"][-1]["fen"]
        return whole * last + (min(rung["fen"] for rung in table["ladder"] if rest <= rung["up_to_minutes"]) if rest else 0)
    if "per_entry_fen" in table:
        days = {when.date() for _, when in walk}
        return table["per_entry_fen"] * (len(days) if table["per_entry_each_day"] else 1)
    if "workday" in table:
        if table["holiday_mode"] == "entry_day":
            chosen = table["holiday"] if CALENDAR.is_holiday(entry.date()) else table["workday"]
            caps_of = {key: table[key] for key in ("cap_24h_fen", "first_block_each_window") if key in table}
            return _slow_shape(chosen | caps_of, entry, walk)
        fee = 0
        for day in sorted({when.date() for _, when in walk}):
            chosen = table["holiday"] if CALENDAR.is_holiday(day) else table["workday"]
            count = sum(when.date() == day for _, when in walk)
            first = day == entry.date() or chosen["first_block_each_day"]
            fee += min(_slow_steps(chosen, count, first), chosen.get("cap_day_fen", 10**9))
        return fee
    groups: dict[object, list[datetime]] = {}
    for index, when in walk:
        key: object = index // DAY if "cap_24h_fen" in table else when.date() if "cap_day_fen" in table else 0
        groups.setdefault(key, []).append(when)
    fee = 0
    for key, whens in groups.items():
        opening = key in (0, entry.date())
        again = table.get("first_block_each_window" if "cap_24h_fen" in table else "first_block_each_day", False)
        one = _slow_bands(table, whens) if "bands" in table else _slow_steps(table, len(whens), opening or again)
        fee += min(one, table.get("cap_24h_fen", table.get("cap_day_fen", one)))
    return fee


def _slow_steps(stepped_table: dict[str, Any], minutes: int, with_first: bool) -> int:
    fee, paid_until = 0, 0
    for minute in range(minutes):
        if minute < paid_until:
            continue
        if minute == 0 and with_first and "first_minutes" in stepped_table:
            fee, paid_until = stepped_table["first_fen"], stepped_table["first_minutes"]
        else:
            fee, paid_until = fee + stepped_table["step_fen"], minute + stepped_table["step_minutes"]
    return fee


def _slow_bands(table: dict[str, Any], whens: list[datetime]) -> int:
    occurrences: list[tuple[dict[str, Any], list[datetime]]] = []
    for when in whens:
        clock = when.strftime("%H:%M")
        band = next(band for band in table["bands"] if _holds(band, clock))
        if not occurrences or band is not occurrences[-1][0] or clock == band["from"]:
            occurrences.append((band, []))
        occurrences[-1][1].append(when)
    fee, busy_until = 0, whens[0]
    for band, piece in occurrences:
        one = 0
        if table["band_mode"] == "split":
            one = band["flat_fen"] if "flat_fen" in band else _slow_steps(band, len(piece), True)
        else:
            for when in piece:
                if when < busy_until:
                    continue
                if "flat_fen" in band:
                    one, busy_until = band["flat_fen"], piece[-1] + timedelta(minutes=1)
                else:
                    one, busy_until = one + band["step_fen"], when + timedelta(minutes=band["step_minutes"])
        fee += min(one, band.get("cap_fen", one))
    return fee


def _holds(band: dict[str, Any], clock: str) -> bool:
    start, end = band["from"], band["to"]
    return start <= clock < end if start < end else clock >= start or clock < end
