"""The sentences of an explanation: Chinese text with the exact values, one row each, shown and printed as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from protocols.money import Fen, yuan
from protocols.tariff.pieces import Minute, clock_text, day_text, instant_of, minute_of, span_text
from protocols.tariff.quotes import Row
from protocols.tariff.rules import Band
from protocols.tariff.stay import Prepaid

_SHOWN = 8
"""So many amounts fit on one line of a sum."""


@dataclass(frozen=True, slots=True)
class CapText:
    """A cap, what it caps ('第 2 个 24 小时', '11-24 周二') and its short name ('24 小时封顶', '11-24 封顶')."""

    fen: Fen
    title: str
    name: str


def window_cap(fen: Fen, window: int) -> CapText:
    return CapText(fen, f"第 {window + 1} 个 24 小时", "24 小时封顶")


def day_cap(fen: Fen, at: Minute) -> CapText:
    return CapText(fen, day_text(at), f"{clock_text(at)[:5]} 封顶")


def _capped(fen: Fen, cap: Fen, name: str, how: str) -> tuple[Fen, str]:
    """The capped amount, and the sentence with the clause that says whether the cap bit."""
    if fen > cap:
        return cap, f"{how} = {yuan(fen)}，{name} {yuan(cap)}"
    return fen, f"{how}，{_not_bitten(fen, cap, name)}"


def _not_bitten(fen: Fen, cap: Fen, name: str) -> str:
    reached = "正好是" if fen == cap else "没到"
    return f"{reached}{' ' if name[0].isdigit() else ''}{name} {yuan(cap)}，不封顶"


def _cap_over(kind: Literal["cap", "max"], title: str, fen: Fen, cap: Fen, name: str) -> Row:
    """A cap over several pieces, as a row of its own that takes off what is too much."""
    if fen > cap:
        return Row(kind, title, f"合计 {yuan(fen)}，{name} {yuan(cap)}", cap - fen)
    return Row(kind, title, f"合计 {yuan(fen)}，{_not_bitten(fen, cap, name)}")


def cap_row(cap: CapText, fen: Fen) -> Row:
    return _cap_over("cap", cap.title, fen, cap.fen, cap.name)


def maximum(fen: Fen, cap: Fen) -> Row:
    return _cap_over("max", "单次最高", fen, cap, "单次最高")


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


def piece(title: str, start: Minute, end: Minute, how: str, fen: Fen, cap: CapText | None = None) -> Row:
    """A span of time with its price, and its own cap if it has one."""
    if cap is not None:
        fen, how = _capped(fen, cap.fen, cap.name, how)
    return Row("piece", title, how, fen, span_text(start, end), instant_of(start), instant_of(end))


def steps(minutes: int, first: int, first_fen: Fen, rest: int, step: int, count: int, step_fen: Fen) -> str:
    """'首 60 分钟 5.00，余 65 分钟 ÷ 30 分钟，不足按一段，3 段 × 2.00'."""
    if first and not rest:
        return f"{minutes} 分钟，在首 {first} 分钟内 {yuan(first_fen)}"
    begun = "，不足按一段" if rest % step else ""
    counted = f"{rest} 分钟 ÷ {step} 分钟{begun}，{count} 段 × {yuan(step_fen)}"
    return f"首 {first} 分钟 {yuan(first_fen)}，余 {counted}" if first else counted


def begun_steps(count: int, step: int, step_fen: Fen) -> str:
    return f"在这个时段开始的 {count} 段（每段 {step} 分钟）× {yuan(step_fen)}"


def flat(band: Band, start: Minute, end: Minute) -> Row:
    how = f"{end - start} 分钟，{band.label}一口价"
    return piece(f"{day_text(start)} {band.label}", start, end, how, band.flat_fen or 0)


def occurrence(band: Band, start: Minute, end: Minute, how: str, fen: Fen) -> Row:
    """A piece in one band window, under the band's cap."""
    if band.cap_fen is not None:
        fen, how = _capped(fen, band.cap_fen, f"{band.label}每次封顶", how)
    return piece(f"{day_text(start)} {band.label}", start, end, how, fen)


def kind_of_day(start: Minute, *, is_holiday: bool) -> str:
    return f"{day_text(start)} {'假日' if is_holiday else '工作日'}"


def entry_day(entry: Minute, *, is_holiday: bool) -> Row:
    return Row("note", "价目", f"按进场那天 {kind_of_day(entry, is_holiday=is_holiday)}，全程用这个价")


def per_entry(start: Minute, end: Minute, days: int, fen: Fen, *, each_day: bool) -> Row:
    how = f"按次，跨 {days} 个自然日，{days} × {yuan(fen)}" if each_day else f"按次，一次进场 {yuan(fen)}"
    return piece(day_text(start), start, end, how, days * fen)


def whole_ladders(start: Minute, end: Minute, whole: int, fen: Fen) -> Row:
    return piece(day_text(start), start, end, f"满 {whole} 个 24 小时 × {yuan(fen)}", whole * fen)


def rung(start: Minute, end: Minute, minutes: int, up_to: int, fen: Fen) -> Row:
    return piece(day_text(start), start, end, f"{minutes} 分钟，在 {up_to} 分钟以内", fen)


def covered(start: Minute, end: Minute) -> Row:
    return Row("pass", "月租有效", "在有效期内，不收费", None, span_text(start, end), instant_of(start), instant_of(end))


def shortened(coupon_minutes: int, end: Minute, minutes: int) -> Row:
    return Row("coupon", "用券", f"{coupon_minutes} 分钟券：按 {clock_text(end)} 出场计算，即 {minutes} 分钟")


def rounding(fen: Fen, rounded: Fen) -> Row:
    if fen == rounded:
        return Row("round", "取整", f"{yuan(fen)} 不用取整")
    return Row("round", "取整", f"{yuan(fen)} 取整为 {yuan(rounded)}", rounded - fen)


def paid_before(paid: Fen, fee: Fen) -> Row:
    """What was paid already is taken off; nothing is paid back."""
    rest = "，多付的不退" if fee < paid else ""
    return Row("prepaid", "已付", f"前面已付 {yuan(paid)}{rest}", -min(paid, fee) or None)


def left_in_time(prepaid: Prepaid, allowed: int) -> Row:
    return Row("prepaid", "提前付款", f"{_paid_at(prepaid)}，{allowed} 分钟内离场，不再收")


def left_late(prepaid: Prepaid, allowed: int) -> Row:
    return Row("prepaid", "提前付款", f"{_paid_at(prepaid)}，过了 {allowed} 分钟才离场，从付款时起按新的一次停车收")


def _paid_at(prepaid: Prepaid) -> str:
    return f"{clock_text(minute_of(prepaid.at))} 已付 {yuan(prepaid.paid_fen)}"


def total(rows: Sequence[Row], fen: Fen) -> Row:
    """'12.00 + 5.00 − 3.00', or how many amounts when they do not fit on a line."""
    amounts = [row.fen for row in rows if row.fen]
    if len(amounts) > _SHOWN:
        return Row("total", "应付", f"以上 {len(amounts)} 项相加", fen)
    signed = "".join(f" {'−' if amount < 0 else '+'} {yuan(abs(amount))}" for amount in amounts)
    return Row("total", "应付", signed.removeprefix(" + ").strip() or "没有要付的", fen)


def joined(away: int, before: int, now: int) -> Row:
    how = f"离开 {away} 分钟又回来，接着上一次算：{before} + {now} = {before + now} 分钟，离开的时间不计，免费时长不再给"
    return Row("note", "再次进场", how)


def rides(start: Minute, end: Minute) -> Row:
    return Row("pass", "占用车位", "用本组的月租车位，不收费", None, span_text(start, end), instant_of(start), instant_of(end))


def inner_taken_out(inside: int, left: int) -> Row:
    return Row("note", "内场", f"在内场的 {inside} 分钟按内场收费，外场只算其余 {left} 分钟，从进场起连着算")
