"""The sentences of an explanation: Chinese text with the exact values, one row each. Screens, slips and boards show them as is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.money import Fen, yuan
from protocols.tariff.pieces import Minute, clock_text, day_text, instant_of, span_text
from protocols.tariff.quotes import Row
from protocols.tariff.rules import Band

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class CapText:
    """A cap with the words it is explained by: '第 2 个 24 小时' or '11-24'."""

    fen: Fen
    title: str

    def apply(self, fen: Fen) -> tuple[Fen, str]:
        """The capped amount, and the clause that says whether the cap bit."""
        return _capped(fen, self.fen, f"{self.title} 封顶")


def _capped(fen: Fen, cap: Fen, name: str) -> tuple[Fen, str]:
    if fen > cap:
        return cap, f"，{name} {yuan(cap)}"
    if fen == cap:
        return fen, f"，刚好到 {name} {yuan(cap)}"
    return fen, f"，没到 {name} {yuan(cap)}，不封顶"


def window_cap(fen: Fen, window: int) -> CapText:
    return CapText(fen, f"第 {window + 1} 个 24 小时")


def day_cap(fen: Fen, at: Minute) -> CapText:
    return CapText(fen, clock_text(at)[:5])


def title_of(group: str, start: Minute) -> str:
    """What a piece is called: its 24 h window, else its day."""
    return group if group.startswith("第") else day_text(start)


def nothing() -> Row:
    return Row("free", "是否免费", "停车不足 1 分钟，不收费")


def within_free(minutes: int, free: int) -> Row:
    return Row("free", "是否免费", f"停 {minutes} 分钟，没超过 {free} 分钟免费时长，不收费")


def beyond_free(minutes: int, free: int, start: Minute, *, deducted: bool) -> Row:
    if not free:
        return Row("free", "是否免费", f"停 {minutes} 分钟，这一次没有免费时长，全程计费")
    if deducted:
        return Row("free", "是否免费", f"停 {minutes} 分钟，减去 {free} 分钟免费时长，从 {clock_text(start)} 起计费")
    return Row("free", "是否免费", f"停 {minutes} 分钟，超过 {free} 分钟免费时长，从进场起全程计费")


def maximum(fen: Fen, cap: Fen) -> Row:
    capped, clause = _capped(fen, cap, "单次最高")
    return Row("max", "单次最高", f"这一次 {yuan(fen)}{clause}", capped - fen if capped != fen else None)


def piece(title: str, start: Minute, end: Minute, how: str, fen: Fen, cap: CapText | None) -> Row:
    """A span of time with its price, and its own cap if it has one."""
    if cap is not None:
        capped, clause = cap.apply(fen)
        fen, how = capped, how + clause
    return Row("piece", title, how, fen, span_text(start, end), instant_of(start), instant_of(end))


def cap_row(cap: CapText, fen: Fen) -> Row:
    """The cap over several pieces, as a row of its own that takes off what is too much."""
    capped, clause = cap.apply(fen)
    return Row("cap", f"{cap.title} 封顶", f"{cap.title} 合计 {yuan(fen)}{clause}", capped - fen if capped != fen else None)


def steps(minutes: int, first: int, first_fen: Fen, rest: int, step: int, count: int, step_fen: Fen) -> str:
    """'首 60 分钟 5.00，余 65 分钟 ÷ 30 分钟，不足按一段，3 段 × 2.00 = 11.00'."""
    if first and not rest:
        return f"{minutes} 分钟，在首 {first} 分钟内 {yuan(first_fen)}"
    begun = "，不足按一段" if rest % step else ""
    counted = f"{rest} 分钟 ÷ {step} 分钟{begun}，{count} 段 × {yuan(step_fen)}"
    if first:
        return f"首 {first} 分钟 {yuan(first_fen)}，余 {counted} = {yuan(first_fen + count * step_fen)}"
    return f"{counted} = {yuan(count * step_fen)}"


def begun_steps(count: int, step: int, step_fen: Fen) -> str:
    return f"在这个时段开始的 {count} 段（每段 {step} 分钟）× {yuan(step_fen)} = {yuan(count * step_fen)}"


def flat(band: Band, start: Minute, end: Minute) -> Row:
    return piece(f"{day_text(start)} {band.label}", start, end, f"{end - start} 分钟，{band.label}一口价", band.flat_fen or 0, None)


def occurrence(band: Band, start: Minute, end: Minute, how: str, fen: Fen) -> Row:
    """A piece in one band window, under the band's cap."""
    if band.cap_fen is not None:
        fen, clause = _capped(fen, band.cap_fen, f"{band.label}每次封顶")
        how += clause
    return piece(f"{day_text(start)} {band.label}", start, end, how, fen, None)


def kind_of_day(start: Minute, *, is_holiday: bool) -> str:
    return f"{day_text(start)} {'假日' if is_holiday else '工作日'}"


def entry_day(entry: Minute, *, is_holiday: bool) -> Row:
    return Row("note", "价目", f"按进场那天 {kind_of_day(entry, is_holiday=is_holiday)}，全程用这个价")


def per_entry(start: Minute, end: Minute, days: int, fen: Fen, *, each_day: bool) -> Row:
    how = f"按次，跨 {days} 个自然日，{days} × {yuan(fen)}" if each_day else f"按次，一次进场 {yuan(fen)}"
    return piece(day_text(start), start, end, how, days * fen, None)


def whole_ladders(start: Minute, end: Minute, whole: int, fen: Fen) -> Row:
    return piece(day_text(start), start, end, f"满 {whole} 个 24 小时 × {yuan(fen)}", whole * fen, None)


def rung(start: Minute, end: Minute, minutes: int, up_to: int, fen: Fen) -> Row:
    return piece(day_text(start), start, end, f"{minutes} 分钟，在 {up_to} 分钟以内", fen, None)


def covered(start: Minute, end: Minute) -> Row:
    return Row("pass", "月租有效", "在有效期内，不收费", None, span_text(start, end), instant_of(start), instant_of(end))


def rounding(fen: Fen, rounded: Fen) -> Row:
    how = f"{yuan(fen)} 取整为 {yuan(rounded)}" if rounded != fen else f"{yuan(fen)} 已是整数，不变"
    return Row("round", "取整", how, rounded - fen if rounded != fen else None)


def total(rows: Sequence[Row], fen: Fen) -> Row:
    """'12.00 + 5.00 − 3.00', or how many amounts when they do not fit on a line."""
    amounts = [row.fen for row in rows if row.fen]
    if len(amounts) > _SHOWN:
        return Row("total", "应付", f"以上 {len(amounts)} 项相加", fen)
    signed = "".join(f" {'−' if amount < 0 else '+'} {yuan(abs(amount))}" for amount in amounts)
    return Row("total", "应付", signed.removeprefix(" + ").strip() or "没有要付的", fen)
