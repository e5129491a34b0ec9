"""What a standard must satisfy before it is stored (Q-09). Each refusal names its field and the way out, in Chinese."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal

from pydantic import ValidationError

from protocols.errors import Refused
from protocols.money import Fen

_ZH = {
    "missing": "缺少这一项：有两种读法的规则必须写明",
    "extra_forbidden": "这种计费方式没有这一项",
    "union_tag_not_found": "写明计费方式",
    "union_tag_invalid": "不认识的计费方式",
    "int_type": "要填整数",
    "bool_type": "要填是或否",
    "greater_than": "要大于 0；不设上限或最低收费就不要填这一项",
    "greater_than_equal": "数字太小",
    "less_than_equal": "数字太大",
    "literal_error": "只能选列出的值",
    "value_error": "写得不对：小数写成文字，例如 \"2.35\"；日期写成 11-15",
    "too_short": "至少要有一行",
    "date_from_datetime_parsing": "日期写成 2026-01-31 这样",
}  # fmt: skip


def refusal(error: ValidationError) -> Refused:
    """The first fault of a document's shape as Refused `bad_rules`."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"][1:] or first["loc"]) or None
    return Refused("bad_rules", _ZH.get(first["type"], "这一项写得不对"), first["msg"], field=field)


def unnamed(field: str, zh: str, en: str | None = None) -> Refused:
    """A choice that must be named and is not."""
    return Refused("unnamed_choice", zh, en or f"{field} must be named", field=field)


def unneeded(field: str, zh: str) -> Refused:
    """A value that means nothing here: somebody thinks it does."""
    return Refused("unneeded_choice", zh, f"{field} means nothing here", field=field)


def bounds(low: Fen | None, high: Fen | None, per: str | None) -> None:
    if (low is not None or high is not None) and per is None:
        raise unnamed("bounds_per", "写明最低、最高收费按一笔还是按月算")
    if low is None and high is None and per is not None:
        raise unneeded("bounds_per", "没有最低、最高收费，就不用写按笔还是按月")
    if low is not None and high is not None and low > high:
        raise Refused("min_above_max", "最低收费比最高收费还高", "minimum above maximum", field="min_fen")


def offers(found: Sequence[tuple[int, Decimal | None, int | None]], termination: str | None) -> None:
    for periods, percent, free in found:
        if (percent is None) == (free is None):
            raise Refused("bad_offer", "优惠写折扣比例或免几期，二者选一", "percent_off or free_last", field="offers")
        if free is not None and free > periods:
            raise Refused("bad_offer", "免的期数不能多于预缴期数", "more free than paid ahead", field="offers")
    distinct([str(periods) for periods, _, _ in found], "offers")
    if found and termination is None:
        raise unnamed("termination", "有预缴优惠就要写明提前退租怎么退：按原价重算，还是保留折扣")
    if not found and termination is not None:
        raise unneeded("termination", "没有预缴优惠，就不用写提前退租怎么退")


def year_basis(per: str, basis: str | None) -> None:
    if per == "year" and basis is None:
        raise unnamed("year_basis", "按年的单价要写明不足一年按天数还是按月数")
    if per != "year" and basis is not None:
        raise unneeded("year_basis", "只有按年的单价才写不足一年怎么算")


def ladder(tops: Sequence[Decimal | None]) -> None:
    if any(top is None for top in tops[:-1]) or tops[-1] is not None:
        raise Refused("open_ladder", "只有最后一档不写上限，而且必须不写", "only the last tier is open", field="tiers")
    known = [top for top in tops if top is not None]
    if any(after <= before for before, after in zip(known, known[1:], strict=False)):
        raise Refused("falling_ladder", "阶梯上限要一档比一档高", "tier bounds must rise", field="tiers")


def tier_year(period: str, start: str | None) -> None:
    if period == "year" and start is None:
        raise unnamed("tier_year_from", "按年的阶梯要写明从哪一天起算，例如 01-01")
    if period == "month" and start is not None:
        raise unneeded("tier_year_from", "按月的阶梯没有年度起点")


def headcount(standard: int | None, extra: Decimal | None) -> None:
    if (standard is None) != (extra is None):
        field = "standard_headcount" if standard is None else "extra_per_person"
        raise unnamed(field, "标准人数和每多一人增加的量要一起写")


def distinct(values: Collection[str], field: str) -> None:
    if len(set(values)) != len(values):
        raise Refused("repeated", "同一项写了两遍", f"{field} repeat themselves", field=field)


def area_kind(needed: bool, kind: str | None) -> None:
    if needed and kind is None:
        raise unnamed("area_kind", "写明用哪种面积：建筑、套内还是使用")
    if not needed and kind is not None:
        raise unneeded("area_kind", "这里用不到面积")


def apportioned(total: str, price: Decimal | None, weight: str, kind: str | None) -> None:
    if total == "master_less_subs" and price is None:
        raise unnamed("price", "总表减分表要写单价")
    if total == "amount" and price is not None:
        raise unneeded("price", "按金额分摊不用单价")
    area_kind(weight in ("area", "floor_area", "occupied_area"), kind)


def season(first: str, last: str) -> None:
    if first == last:
        raise Refused("bad_season", "采暖季的首日和末日不能是同一天", "first and last day are the same", field="season_last")


def formula_needs(names: Collection[str], price: Decimal | None, kind: str | None) -> None:
    if "price" in names and price is None:
        raise unnamed("price", "公式里用了单价，要写单价")
    if "price" not in names and price is not None:
        raise unneeded("price", "公式里没有用到单价")
    area_kind("area" in names, kind)


def deposit(of: str, price: Decimal | None, months: Decimal | None) -> None:
    if (price is None) != (of != "amount") or (months is None) != (of != "months_of_rent"):
        raise Refused("bad_deposit", "押金写金额，或写几个月租金", "an amount, or months of rent", field="deposit_of")


def term_cycle(cycle: str, every: int | None, alignment: str | None, anchored: bool) -> None:
    if cycle in ("month", "day") and every is None:
        raise unnamed("every", "写明几个月（几天）一期")
    if cycle not in ("month", "day") and every is not None:
        raise unneeded("every", "一次性和采暖季没有期数")
    if cycle == "month" and every is not None and every > 24:
        raise Refused("bad_cycle", "周期是 1 到 24 个月", "1 to 24 months", field="every")
    if cycle == "month" and alignment is None:
        raise unnamed("alignment", "写明按自然月还是对月")
    if cycle != "month" and alignment is not None:
        raise unneeded("alignment", "只有按月的周期才分自然月、对月")
    if (alignment == "anniversary") != anchored:
        raise unnamed("anchor", "对月要写明从哪天起算，自然月不写")


def term_due(billed: str, rule: str) -> None:
    if billed == "arrears" and rule == "nth_day":
        raise Refused("bad_due", "后收的账单在期末才出，到期日写成出账后几天", "arrears fall due after billing", field="due")
