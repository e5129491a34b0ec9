"""A term's form -> the term that is stored, and back into words (T-01 .. T-05, Q-50 .. Q-56, UI.md 8). Pure.

Every choice that can be read two ways is a full sentence with an example; none is answered beforehand (Q-09).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from cloud.fees.calculator.term import AfterBilling, NthDay, Term, parse_term
from cloud.fees.calculator.values import plain
from cloud.fees.choices import Field, Option
from cloud.fees.rules_form import asked
from cloud.shared.forms import Form
from protocols.errors import Refused

_MONTHS: tuple[Option, ...] = (
    ("1", "每个月一期", "1 月一张账单，2 月一张账单"),
    ("2", "两个月一期", "1、2 月合一张账单"),
    ("3", "一季度一期", "1 至 3 月合一张账单"),
    ("6", "半年一期", "1 至 6 月合一张账单"),
    ("12", "一年一期", "1 至 12 月合一张账单"),
    ("n", "别的月数", "每 4 个月一期"),
    ("day", "按天数", "每 30 天一期，不看月份"),
    ("season", "每个采暖季一期", "起止日写在收费标准里"),
    ("once", "只收一次", "装修垃圾清运、办卡"),
)
_BY_MONTH = "1|2|3|6|12|n"
WHEN: tuple[Field, ...] = (
    Field("cycle", "多长时间一期", "choice", options=_MONTHS),
    Field("every", "几个月（几天）一期", "whole", help="月数最多 24", when=("cycle", "n|day")),
    Field(
        "alignment",
        "一期从哪天起",
        "choice",
        options=(
            ("natural", "自然月：从 1 日到月底", "1 月 20 日入住，头一期收到 1 月 31 日"),
            ("anniversary", "对月：从起收那天对到下个月同一天", "1 月 20 日入住，头一期收到 2 月 19 日"),
        ),
        when=("cycle", _BY_MONTH),
    ),
    Field(
        "billed",
        "先收还是后收",
        "choice",
        options=(
            ("advance", "预收：一期开始就出账", "一季度的账单 1 月 1 日出"),
            ("arrears", "后收：一期结束才出账", "一季度的账单 4 月 1 日出"),
        ),
    ),
    Field("offset_days", "提前或推后几天出账", "number", need=False, help="提前写负数，例如 -10 是提前 10 天；不填就是当天"),
    Field(
        "due_rule",
        "哪天以前要缴",
        "choice",
        options=(
            ("nth_day", "一期里的第几天", "第 15 天：一季度的账单 1 月 15 日到期"),
            ("after_billing", "出账以后几天", "出账后 30 天：1 月 1 日出账，1 月 31 日到期"),
            ("fixed_date", "每年固定一天", "每年 10 月 31 日"),
        ),
    ),
    Field("due_day", "第几天", "number", help="1 是一期的头一天", when=("due_rule", "nth_day")),
    Field("due_days", "几天", "number", when=("due_rule", "after_billing")),
    Field("due_on", "哪一天", "month_day", help="月-日，例如 10-31", when=("due_rule", "fixed_date")),
)
LATE: tuple[Field, ...] = (
    Field(
        "late",
        "逾期收不收违约金",
        "choice",
        options=(
            ("no", "不收", "晚缴多久都只欠本金"),
            ("yes", "收：按天数、按没缴的本金算", "欠 1,000 元，每天万分之五，一天 0.50 元"),
        ),
    ),
    Field("daily", "每天万分之几", "number", help="万分之五写 5。只按没缴的本金算，违约金上不再算违约金", when=("late", "yes")),
    Field("grace_days", "宽限几天", "number", help="没有宽限写 0；宽限期内缴清，一分违约金没有", when=("late", "yes")),
    Field(
        "grace_mode",
        "过了宽限期，从哪天起算",
        "choice",
        options=(
            ("after_grace", "从宽限期满的第二天起算", "15 日到期，宽限 10 天，26 日缴：算 1 天"),
            ("from_due", "从到期日的第二天起算，宽限的日子也算", "15 日到期，宽限 10 天，26 日缴：算 11 天"),
        ),
        when=("late", "yes"),
    ),
    Field(
        "capped",
        "违约金封不封顶",
        "choice",
        options=(
            ("no", "不封顶", "欠几年就一直算下去"),
            ("yes", "封顶：最多是本金的百分之几", "100%：1,000 元的账单，违约金最多 1,000 元"),
        ),
        when=("late", "yes"),
    ),
    Field("cap", "最多是本金的百分之几", "number", help="100% 写 100；按这一笔原来的本金", when=("capped", "yes")),
)


def read_term(form: Form) -> Term | None:
    """The term as typed; None with errors at their fields."""
    document: dict[str, Any] = {"roll_to_workday": False}
    cycle = _choice(form, WHEN[0])
    document["cycle"] = "month" if cycle in _BY_MONTH.split("|") else cycle
    if cycle in ("n", "day"):
        document["every"] = form.number("every", need=True, least=1, most=366 if cycle == "day" else 24)
    elif cycle in _BY_MONTH.split("|") and cycle:
        document["every"] = int(cycle)
    if document["cycle"] == "month":
        document["alignment"] = _choice(form, WHEN[2])
        if document["alignment"] == "anniversary":
            document["anchor"] = "assignment"
    document["billed"] = _choice(form, WHEN[3])
    document["offset_days"] = form.number("offset_days", least=-366, most=366) or 0
    document["due"] = _due(form)
    late = _late(form)
    if late is not None:
        document["late"] = late
    if not form.ok:
        return None
    try:
        return parse_term(document)
    except Refused as problem:
        form.wrong(_place(problem.field), problem.zh)
        return None


def _choice(form: Form, one: Field) -> str:
    found = form.text(one.name)
    if found not in [code for code, _, _ in one.options]:
        form.wrong(one.name, "请选一个：这条规则有两种读法，要写明")
        return ""
    return found


def _due(form: Form) -> dict[str, Any]:
    rule = _choice(form, next(one for one in WHEN if one.name == "due_rule"))
    if rule == "nth_day":
        return {"rule": rule, "day": form.number("due_day", need=True, least=1, most=366)}
    if rule == "after_billing":
        return {"rule": rule, "days": form.number("due_days", need=True, most=3650)}
    on = form.text("due_on", need=rule == "fixed_date", longest=5, what="日期")
    if on and not re.fullmatch(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", on, re.ASCII):
        form.wrong("due_on", "写成 月-日，例如 10-31")
    return {"rule": rule, "on": on}


def _late(form: Form) -> dict[str, Any] | None:
    """Rates are typed as people say them: so many ten-thousandths a day, so many percent of the principal."""
    fields = {one.name: one for one in LATE}
    if _choice(form, fields["late"]) != "yes":
        return None
    daily = form.decimal("daily", places=4, need=True, least=0, most=1000)
    if daily == 0:
        form.wrong("daily", "要大于 0；不收违约金就选不收")
    grace = form.number("grace_days", need=True, most=3650)
    document = {"grace_days": grace, "grace_mode": _choice(form, fields["grace_mode"])}
    if daily is not None:
        document["daily_rate"] = plain(daily / Decimal(10_000))
    if _choice(form, fields["capped"]) == "yes":
        cap = form.decimal("cap", places=2, need=True, most=10_000)
        if cap is not None and cap <= 0:
            form.wrong("cap", "封顶要大于 0；不封顶就选不封顶")
        elif cap is not None:
            document["cap_rate"] = plain(cap / Decimal(100))
    return document


def _place(path: str | None) -> str:
    """'due.nth_day.day' or 'late.cap_rate' -> the form's field."""
    last = (path or "").split(".")[-1]
    known = {"day": "due_day", "days": "due_days", "on": "due_on", "due": "due_rule", "daily_rate": "daily", "cap_rate": "cap"}
    return known.get(last, last)


def typed_term(term: Term) -> dict[str, str]:
    """What the form shows of a term that is there: another one starts from it."""
    cycle = {"month": f"{term.every}"}.get(term.cycle, term.cycle)
    found = {"cycle": cycle if cycle in _BY_MONTH.split("|") or term.cycle != "month" else "n", "billed": term.billed}
    if found["cycle"] in ("n", "day"):
        found["every"] = f"{term.every}"
    if term.alignment:
        found["alignment"] = term.alignment
    if term.offset_days:
        found["offset_days"] = f"{term.offset_days}"
    found["due_rule"] = term.due.rule
    if isinstance(term.due, NthDay):
        found["due_day"] = f"{term.due.day}"
    elif isinstance(term.due, AfterBilling):
        found["due_days"] = f"{term.due.days}"
    else:
        found["due_on"] = term.due.on
    found["late"] = "no" if term.late is None else "yes"
    if term.late is not None:
        found |= {
            "daily": plain(term.late.daily_rate * 10_000), "grace_days": f"{term.late.grace_days}",
            "grace_mode": term.late.grace_mode, "capped": "no" if term.late.cap_rate is None else "yes",
        }  # fmt: skip
        if term.late.cap_rate is not None:
            found["cap"] = plain(term.late.cap_rate * 100)
    return found


def words_of_term(term: Term) -> list[tuple[str, str]]:
    """A term in words: (what, how)."""
    values = typed_term(term)
    found = []
    for one in (*WHEN, *LATE):
        value = values.get(one.name)
        if value is None or not asked(one, Form(values)):
            continue
        said = next((sentence for code, sentence, _ in one.options if code == value), value)
        found.append((one.label, said))
    return found


def late_words(term: Term) -> str:
    """The late fee in one phrase: '每天万分之 5，宽限 15 天后起算，最多为本金的 100%'."""
    late = term.late
    if late is None:
        return "不收违约金"
    start = "后起算" if late.grace_mode == "after_grace" else "，过后从到期日起算"
    grace = f"，宽限 {late.grace_days} 天{start}" if late.grace_days else ""
    cap = "不封顶" if late.cap_rate is None else f"最多为本金的 {plain(late.cap_rate * Decimal(100))}%"
    return f"每天万分之 {plain(late.daily_rate * Decimal(10_000))}{grace}，{cap}"
