"""What a tariff must satisfy before it is stored (Q-09, Q-75, Q-76, Q-79, N-06). Each refusal names its field and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from protocols.errors import Refused
from protocols.time import parse_instant

if TYPE_CHECKING:
    from protocols.tariff.rules import Band, DayTable, Stepped, Table, TariffRules

_DAY = 1440
_ZH = {
    "missing": "缺少这一项",
    "extra_forbidden": "不认识的字段",
    "int_type": "要填整数",
    "bool_type": "要填是或否",
    "greater_than": "要大于 0；不设上限就不要填这一项",
    "greater_than_equal": "不能是负数",
    "less_than_equal": "数字太大",
    "string_pattern_mismatch": "时刻写成 08:00 这样",
    "literal_error": "只能选列出的值",
}


def refusal(error: ValidationError) -> Refused:
    """The first fault of a document's shape as Refused `bad_tariff`."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or None
    return Refused("bad_tariff", _ZH.get(first["type"], "这一项写得不对"), first["msg"], field=field)


def check_rules(rules: TariffRules) -> None:
    """Raises Refused for the first reading left open, hole, contradiction or falling price."""
    if (rules.table is None) == (rules.class_tables is None):
        raise _refused("one_table", "一张价目表或按车型分表，二者选一", "name either table or class_tables", "table")
    if rules.class_tables is not None and rules.smallest_class not in rules.class_tables:
        zh = "写明哪个车型最小，认不出车型时按它收"
        raise _unnamed("smallest_class", zh, "smallest_class must name one of the class tables")
    if rules.effective_from is not None:
        parse_instant(rules.effective_from, field="effective_from")
    for path, table in rules.tables():
        _check_table(table, path)
    if rules.free_once_per_day is None and any(table.free_minutes for _, table in rules.tables()):
        raise _unnamed("free_once_per_day", "写明免费时长每次进场都给，还是一车一天一次", "free_once_per_day must be named")
    if rules.prepay and rules.prepay.overstay == "restart" and rules.prepay.restart_free is None:
        raise _unnamed("prepay.restart_free", "写明超时重新计费时给不给免费时长", "restart_free must be named")


def _check_table(table: Table, path: str) -> None:
    shape = _shape(table, path)
    if table.free_minutes and table.free_mode is None:
        raise _unnamed(f"{path}.free_mode", "写明超过免费时长后从进场起算，还是减去免费时长", "free_mode must be named")
    if table.free_minutes and table.free_after_pass is None:
        raise _unnamed(f"{path}.free_after_pass", "写明月租到期转临停时给不给免费时长", "free_after_pass must be named")
    if table.round_to and table.max_stay_fen and table.max_stay_fen % table.round_to.fen:
        zh = "单次最高要是取整单位的整数倍"
        raise _refused("cap_not_round", zh, "max_stay_fen must be a multiple of round_to", f"{path}.max_stay_fen")
    if shape != "steps" and (table.has_first or table.first_fen is not None):
        raise _refused("one_shape", "首段只能和按段计费一起写在这里", "the first block belongs to steps", f"{path}.first_minutes")
    _CHECKS[shape](table, path)


def _shape(table: Table, path: str) -> str:
    present = {
        "steps": table.step_minutes is not None or table.step_fen is not None,
        "bands": table.bands is not None,
        "days": table.workday is not None or table.holiday is not None,
        "entry": table.per_entry_fen is not None,
        "ladder": table.ladder is not None,
    }
    named = [shape for shape, there in present.items() if there]
    if len(named) != 1:
        zh = "按段、分时段、分工作日假日、按次、按时长阶梯，选一种写全"
        raise _refused("one_shape", zh, f"exactly one shape of price is needed, found: {', '.join(named) or 'none'}", path)
    return named[0]


def _check_steps(table: Table, path: str) -> None:
    _check_stepped(table, path)
    _check_one_cap(table.cap_24h_fen, table.cap_day_fen, path)
    _check_windows(table, table, path)
    if table.has_first and table.cap_day_fen and table.first_block_each_day is None:
        raise _unnamed(f"{path}.first_block_each_day", "写明首段每天都给，还是只在进场那天", "first_block_each_day must be named")


def _check_windows(table: Table, stepped: Stepped, path: str) -> None:
    if stepped.has_first and table.cap_24h_fen and table.first_block_each_window is None:
        zh = "写明首段每个 24 小时都给，还是只给一次"
        raise _unnamed(f"{path}.first_block_each_window", zh, "first_block_each_window must be named")


def _check_one_cap(cap_24h: int | None, cap_day: int | None, path: str) -> None:
    if cap_24h and cap_day:
        zh = "24 小时封顶和自然日封顶只能选一个，两个一起说不清怎么切"
        raise _refused("two_caps", zh, "cap_24h_fen and cap_day_fen cut the stay in two ways", f"{path}.cap_day_fen")


def _check_stepped(stepped: Stepped, path: str) -> None:
    if stepped.step_minutes is None or stepped.step_fen is None:
        missing = "step_minutes" if stepped.step_minutes is None else "step_fen"
        raise _refused("half_step", "每段的分钟数和价钱都要写", "a step needs minutes and a price", f"{path}.{missing}")
    if (stepped.first_minutes is None) != (stepped.first_fen is None):
        missing = "first_minutes" if stepped.first_minutes is None else "first_fen"
        raise _refused("half_first", "首段的分钟数和价钱都要写", "a first block needs minutes and a price", f"{path}.{missing}")


def _check_bands(table: Table, path: str) -> None:
    bands = table.bands or ()
    if table.band_mode is None:
        raise _unnamed(f"{path}.band_mode", "写明在时段交界处切开，还是按每段开始的时刻定价", "band_mode must be named")
    _check_one_cap(table.cap_24h_fen, table.cap_day_fen, path)
    for index, band in enumerate(bands):
        _check_band(band, f"{path}.bands.{index}", table.band_mode)
    ordered = sorted(bands, key=lambda band: band.start_minute)
    neighbours = zip(ordered, ordered[1:] + ordered[:1], strict=True)
    borders_meet = all(band.end_minute == after.start_minute for band, after in neighbours)
    covered = sum((band.end_minute - band.start_minute - 1) % _DAY + 1 for band in bands)
    if not borders_meet or covered != _DAY:
        raise _refused("bands_do_not_tile", "各时段要首尾相接，正好排满一天", "bands must cover the day once", f"{path}.bands")


def _check_band(band: Band, path: str, mode: str) -> None:
    if band.flat_fen is not None:
        if band.has_first or band.first_fen is not None or band.step_minutes or band.step_fen is not None or band.cap_fen:
            zh = "一口价时段不能再写首段、每段或封顶"
            raise _refused("flat_and_steps", zh, "a flat band has no steps, first block or cap", f"{path}.flat_fen")
        return
    _check_stepped(band, path)
    if band.has_first and mode == "start_of_step":
        zh = "按每段开始的时刻定价时，时段里不能有首段"
        raise _refused("first_with_start_of_step", zh, "a band's first block needs band_mode split", f"{path}.first_minutes")


def _check_days(table: Table, path: str) -> None:
    if table.workday is None or table.holiday is None:
        missing = "workday" if table.workday is None else "holiday"
        raise _refused("half_days", "工作日和假日的价目都要写", "both day tables are needed", f"{path}.{missing}")
    if table.holiday_mode is None:
        raise _unnamed(f"{path}.holiday_mode", "写明按每一天各自的价，还是全按进场那天", "holiday_mode must be named")
    if table.cap_24h_fen and table.holiday_mode == "per_day":
        zh = "按天切换价目时不能用 24 小时封顶，用每天封顶"
        raise _refused("cap_24h_per_day", zh, "cap_24h_fen cannot go with per_day tables", f"{path}.cap_24h_fen")
    if table.cap_day_fen:
        zh = "每天封顶写在工作日和假日各自的价目里"
        raise _refused("cap_day_on_table", zh, "day caps stand on the day tables", f"{path}.cap_day_fen")
    for name, day in (("workday", table.workday), ("holiday", table.holiday)):
        _check_day(table, day, path, f"{path}.{name}")


def _check_day(table: Table, day: DayTable, path: str, day_path: str) -> None:
    _check_stepped(day, day_path)
    _check_one_cap(table.cap_24h_fen, day.cap_day_fen, day_path)
    _check_windows(table, day, path)
    cut_daily = table.holiday_mode == "per_day" or day.cap_day_fen
    if day.has_first and cut_daily and day.first_block_each_day is None:
        zh = "写明首段每天都给，还是只在进场那天"
        raise _unnamed(f"{day_path}.first_block_each_day", zh, "first_block_each_day must be named")


def _check_entry(table: Table, path: str) -> None:
    if table.per_entry_each_day is None:
        zh = "写明按次是一次进场收一次，还是每个自然日收一次"
        raise _unnamed(f"{path}.per_entry_each_day", zh, "per_entry_each_day must be named")
    _check_uncapped(table, path)


def _check_ladder(table: Table, path: str) -> None:
    rungs = table.ladder or ()
    _check_uncapped(table, path)
    for index in range(1, len(rungs)):
        before, rung, where = rungs[index - 1], rungs[index], f"{path}.ladder.{index}"
        if rung.up_to_minutes <= before.up_to_minutes:
            raise _refused("ladder_order", "阶梯的时长要一级比一级长", "rungs must rise in time", f"{where}.up_to_minutes")
        if rung.fen < before.fen:
            raise _refused("falling_ladder", "停得久不能更便宜", "a longer stay must not cost less (N-06)", f"{where}.fen")
    if rungs[-1].up_to_minutes != _DAY:
        where = f"{path}.ladder.{len(rungs) - 1}.up_to_minutes"
        raise _refused("ladder_short", "阶梯的最后一级要到 1440 分钟（24 小时）", "the last rung must reach 1,440 minutes", where)


def _check_uncapped(table: Table, path: str) -> None:
    for name in ("cap_24h_fen", "cap_day_fen"):
        if getattr(table, name) is not None:
            zh = "按次和阶梯价不设时段封顶，要封顶用单次最高"
            raise _refused("cap_without_steps", zh, "per entry and ladder prices take max_stay_fen only", f"{path}.{name}")


_CHECKS = {"steps": _check_steps, "bands": _check_bands, "days": _check_days, "entry": _check_entry, "ladder": _check_ladder}


def _unnamed(field: str, zh: str, en: str) -> Refused:
    return Refused("unnamed_choice", zh, en, field=field)


def _refused(code: str, zh: str, en: str, field: str) -> Refused:
    return Refused(code, zh, en, field=field)
