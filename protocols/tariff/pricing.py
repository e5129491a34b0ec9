"""A table and a span of minutes -> an amount and its rows. Integer arithmetic only; each shape of price is one function.

Every amount is a sum over spans laid left to right, each part growing with its own minutes and capped from above, so that a
later exit never costs less (N-06); `checks` refuses the one shape that could fall, a falling ladder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from protocols.errors import Refused
from protocols.money import Fen
from protocols.tariff import explain
from protocols.tariff.pieces import BandClock, Minute, cut_every, day_of, day_text
from protocols.tariff.quotes import Row
from protocols.tariff.rules import MINUTES_A_DAY, Band, DayTable, Stepped, Table
from protocols.tariff.stay import Calendar


@dataclass(slots=True)
class Part:
    """An amount under construction with the rows that add up to it."""

    fen: Fen = 0
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        self.fen += row.fen or 0

    def join(self, other: Part) -> None:
        self.rows.extend(other.rows)
        self.fen += other.fen


@dataclass(frozen=True, slots=True)
class Span:
    """The billed span `[start, end)` and the entry from which windows and entry days count."""

    entry: Minute
    start: Minute
    end: Minute


def bill(table: Table, calendar: Calendar | None, entry: Minute, minutes: int, *, free: bool) -> Part:
    """The fee of one stay of `minutes` from `entry` before coupons: free time (Q-71), the table's shape, the maximum (Q-78)."""
    part = Part()
    if minutes == 0:
        part.add(explain.nothing())
        return part
    free_minutes = table.free_minutes if free else 0
    if minutes <= free_minutes:
        part.add(explain.within_free(minutes, free_minutes))
        return part
    start = entry + free_minutes if table.free_mode == "deduct" else entry
    if table.free_minutes:
        part.add(explain.beyond_free(minutes, free_minutes, start, deducted=start > entry))
    part.join(_shaped(table, calendar, Span(entry, start, entry + minutes)))
    if table.max_stay_fen is not None:
        part.add(explain.maximum(part.fen, table.max_stay_fen))
    return part


def _shaped(table: Table, calendar: Calendar | None, span: Span) -> Part:
    if table.bands is not None:
        return _bands(table, span)
    if table.ladder is not None:
        return _ladder(table, span)
    if table.per_entry_fen is not None:
        return _per_entry(table.per_entry_fen, bool(table.per_entry_each_day), span)
    if table.workday is not None and table.holiday is not None:
        return _day_tables(table, table.workday, table.holiday, calendar, span)
    return _steps(table, table, table.cap_day_fen, table.first_block_each_day, span)


@dataclass(frozen=True, slots=True)
class _Group:
    """A span that is computed on its own and capped: a 24 h window, a calendar day, or the whole stay."""

    start: Minute
    end: Minute
    opening: bool
    cap: explain.CapText | None

    @property
    def title(self) -> str:
        return day_text(self.start) if self.cap is None else self.cap.title


def _groups(cap_24h: Fen | None, cap_day: Fen | None, span: Span) -> Iterator[_Group]:
    """Cut by the cap that is set (Q-73, Q-74); `opening`: the group holds the entry, not merely the first billed minute."""
    if cap_24h is not None:
        for start, end, window in cut_every(span.start, span.end, span.entry, MINUTES_A_DAY):
            yield _Group(start, end, window == 0, explain.window_cap(cap_24h, window))
    elif cap_day is not None:
        for start, end, day in cut_every(span.start, span.end, 0, MINUTES_A_DAY):
            yield _Group(start, end, day == span.entry // MINUTES_A_DAY, explain.day_cap(cap_day, start))
    else:
        yield _Group(span.start, span.end, True, None)


def _steps(table: Table, stepped: Stepped, cap_day: Fen | None, each_day: bool | None, span: Span) -> Part:
    """Q-72 under one kind of cap. `each_day` and the table's window field say whether the first block comes again."""
    part = Part()
    again = table.first_block_each_window if table.cap_24h_fen is not None else each_day
    for group in _groups(table.cap_24h_fen, cap_day, span):
        fen, how = _stepped(stepped, group.end - group.start, with_first=group.opening or bool(again))
        part.add(explain.piece(group.title, group.start, group.end, how, fen, group.cap))
    return part


def _day_tables(table: Table, workday: DayTable, holiday: DayTable, calendar: Calendar | None, span: Span) -> Part:
    """Q-76: each calendar day by its own table, or the whole stay by the table of the entry day."""
    if calendar is None:
        raise Refused("no_calendar", "这个收费规则要有节假日表才能算", "day tables need a holiday calendar", field="calendar")
    if table.holiday_mode == "entry_day":
        day = holiday if calendar.is_holiday(day_of(span.entry)) else workday
        part = Part()
        part.add(explain.entry_day(span.entry, is_holiday=day is holiday))
        part.join(_steps(table, day, day.cap_day_fen, day.first_block_each_day, span))
        return part
    part = Part()
    for start, end, ordinal in cut_every(span.start, span.end, 0, MINUTES_A_DAY):
        is_holiday = calendar.is_holiday(day_of(start))
        day = holiday if is_holiday else workday
        opening = ordinal == span.entry // MINUTES_A_DAY
        fen, how = _stepped(day, end - start, with_first=opening or bool(day.first_block_each_day))
        cap = None if day.cap_day_fen is None else explain.day_cap(day.cap_day_fen, start)
        part.add(explain.piece(explain.kind_of_day(start, is_holiday=is_holiday), start, end, how, fen, cap))
    return part


def _stepped(stepped: Stepped, minutes: int, *, with_first: bool) -> tuple[Fen, str]:
    """The fee of minutes > 0: the first block whole, then begun steps, each in full."""
    step_minutes, step_fen = stepped.step_minutes or 1, stepped.step_fen or 0
    first_minutes, first_fen = (stepped.first_minutes or 0, stepped.first_fen or 0) if with_first else (0, 0)
    rest = max(0, minutes - first_minutes)
    steps = -(-rest // step_minutes)
    return first_fen + steps * step_fen, explain.steps(minutes, first_minutes, first_fen, rest, step_minutes, steps, step_fen)


def _bands(table: Table, span: Span) -> Part:
    """Q-75 inside each group; a group's border ends an occurrence."""
    clock = BandClock(table.bands or ())
    part = Part()
    for group in _groups(table.cap_24h_fen, table.cap_day_fen, span):
        inner = Part()
        for row in _split(clock, group) if table.band_mode == "split" else _start_of_step(clock, group):
            inner.add(row)
        if group.cap is not None:
            inner.add(explain.cap_row(group.cap, inner.fen))
        part.join(inner)
    return part


def _split(clock: BandClock, group: _Group) -> Iterator[Row]:
    """Pieces between band borders, steps rounded up inside each."""
    for start, end, band in clock.cut(group.start, group.end):
        if band.flat_fen is not None:
            yield explain.flat(band, start, end)
        else:
            fen, how = _stepped(band, end - start, with_first=True)
            yield explain.occurrence(band, start, end, how, fen)


def _start_of_step(clock: BandClock, group: _Group) -> Iterator[Row]:
    """Steps laid end to end, each at the price of the band where it begins; a flat band ends with its window."""
    at = group.start
    while at < group.end:
        band, border = clock.at(at)
        if band.flat_fen is not None:
            yield explain.flat(band, at, min(border, group.end))
            at = border
            continue
        after = _after_steps(band, at, min(border, group.end))
        count, price = (after - at) // (band.step_minutes or 1), band.step_fen or 0
        how = explain.begun_steps(count, band.step_minutes or 1, price)
        yield explain.occurrence(band, at, min(after, group.end), how, count * price)
        at = after


def _after_steps(band: Band, at: Minute, until: Minute) -> Minute:
    """Where the last of the steps that begin before `until` ends."""
    step = band.step_minutes or 1
    return at - (at - until) // step * step


def _per_entry(fen: Fen, each_day: bool, span: Span) -> Part:
    """Q-79: one fee, or one for each calendar day begun."""
    days = (span.end - 1) // MINUTES_A_DAY - span.start // MINUTES_A_DAY + 1 if each_day else 1
    part = Part()
    part.add(explain.per_entry(span.start, span.end, days, fen, each_day=each_day))
    return part


def _ladder(table: Table, span: Span) -> Part:
    """Q-79: the rung that the billed minutes reach; each further 1,440 minutes starts again and adds."""
    rungs = table.ladder or ()
    whole, rest = divmod(span.end - span.start - 1, MINUTES_A_DAY)
    part = Part()
    border = span.start + whole * MINUTES_A_DAY
    if whole:
        part.add(explain.whole_ladders(span.start, border, whole, rungs[-1].fen))
    rung = next(rung for rung in rungs if rest + 1 <= rung.up_to_minutes)
    part.add(explain.rung(border, span.end, rest + 1, rung.up_to_minutes, rung.fen))
    return part
