"""A standard's form -> the document that is stored. What is open is named at its field; nothing is chosen silently (Q-09)."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from cloud.fees.calculator.rules import Rules, parse_rules
from cloud.fees.calculator.values import plain
from cloud.fees.choices import METHODS, Field
from cloud.shared.forms import Form
from protocols.errors import Refused

_UNNAMED = "请选一个：这条规则有两种读法，要写明"


def asked(one: Field, form: Form) -> bool:
    """Whether a field is asked for by what stands in the others."""
    if one.when is None:
        return True
    names, wanted = one.when
    values = [form.values.get(name, "").strip() for name in names.split("|")]
    return any(values) if wanted == "*" else any(value in wanted.split("|") for value in values)


def read_rules(form: Form) -> Rules | None:
    """The rules as typed; None with errors at their fields."""
    method = METHODS.get(form.values.get("method", ""))
    if method is None:
        form.wrong("method", "先选计费方式")
        return None
    document: dict[str, Any] = {"method": method.code}
    for one in method.fields:
        if asked(one, form):
            value = _read(form, one)
            if value is not None:
                document[one.name] = value
    _stop(form, document)
    if not form.ok:
        return None
    try:
        return parse_rules(document)
    except Refused as problem:
        form.wrong(_field(problem.field, document), problem.zh)
        return None


def _stop(form: Form, document: dict[str, Any]) -> None:
    """The two fields of a stop of heating as the one value they are stored in."""
    deadline, share = document.pop("stop_deadline", None), document.pop("stop_share", None)
    if (deadline is None) != (share is None):
        form.wrong("stop_share" if share is None else "stop_deadline", "停暖的截止日和收费比例要一起写")
    elif deadline is not None:
        document["stop"] = {"deadline": deadline, "base_share": share}


def _field(path: str | None, document: dict[str, Any]) -> str:
    """'area.price' or 'tiers.0.price' -> the form's field."""
    parts = [part for part in (path or "").split(".") if part != document["method"]]
    return parts[0] if parts else ""


def _read(form: Form, one: Field) -> object:
    if one.kind in ("choice", "yes_no"):
        return _chosen(form, one)
    if one.kind == "money":
        return form.money(one.name, need=one.need, least=0)
    if one.kind == "whole":
        return form.number(one.name, need=one.need, least=1, most=50)
    if one.kind in ("price", "share", "number"):
        value = form.decimal(one.name, need=one.need, places=6, least=-1 if one.name == "step" else 0)
        return None if value is None else plain(value)
    if one.kind in ("tiers", "bands"):
        return _rows(form, one)
    if one.kind == "offers":
        return _offers(form, one)
    text = form.text(one.name, need=one.need, longest=500)
    if one.kind == "month_day" and text and not re.fullmatch(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", text, re.ASCII):
        form.wrong(one.name, "写成 月-日，例如 11-15")
    return text or None


def _chosen(form: Form, one: Field) -> object:
    found = form.text(one.name)
    if not found:
        if one.need:
            form.wrong(one.name, _UNNAMED)
        return None
    if found not in [code for code, _, _ in one.options]:
        form.wrong(one.name, "只能选列出的")
        return None
    return found == "yes" if one.kind == "yes_no" else found


def _rows(form: Form, one: Field) -> list[dict[str, str]] | None:
    """Lines of '180 2.80' with an open last one ('3.50'), or of '峰 1.05'."""
    found: list[dict[str, str]] = []
    lines = [
        line.split() for line in form.text(one.name, need=one.need, longest=1000).replace("，", " ").splitlines() if line.strip()
    ]
    for index, parts in enumerate(lines):
        last = one.kind == "tiers" and index == len(lines) - 1 and len(parts) == 1
        if len(parts) != (1 if last else 2) or not _is_number(parts[-1]):
            form.wrong(one.name, f"第 {index + 1} 行没看懂：“{' '.join(parts)[:20]}”")
            return None
        if one.kind == "bands":
            found.append({"name": parts[0], "price": parts[1]})
        else:
            found.append({"price": parts[-1]} | ({} if last else {"up_to": parts[0]}))
    return found or None


_OFFER = re.compile(r"(\d{1,3})\s*期?\s+(?:减\s*)?(?:(\d{1,3}(?:\.\d{1,4})?)\s*[%％]|免\s*(\d{1,3})\s*期?)", re.ASCII)


def _offers(form: Form, one: Field) -> list[dict[str, Any]] | None:
    """Lines of '12 5%' (of the total) or '12 免1期' (the last ones)."""
    found: list[dict[str, Any]] = []
    lines = [line.strip() for line in form.text(one.name, longest=1000).splitlines() if line.strip()]
    for index, line in enumerate(lines, 1):
        match = _OFFER.fullmatch(line)
        if match is None:
            form.wrong(one.name, f"第 {index} 行没看懂：“{line[:20]}”，写成 12 5% 或 12 免1期")
            return None
        kind = {"percent_off": match[2]} if match[2] else {"free_last": int(match[3])}
        found.append({"min_periods": int(match[1]), **kind})
    return found or None


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
