"""A stored standard in words, in one phrase, and back into the fields of its form. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from cloud.fees.calculator.rules import Rules, to_json
from cloud.fees.calculator.values import plain
from cloud.fees.choices import METHODS, Field
from protocols.money import yuan

_PER = {"month": "月", "day": "天", "year": "年"}


def words_of(rules: Rules) -> list[tuple[str, str]]:
    """A standard in words: (what, how), every named choice with its sentence, in the form's order."""
    document = to_json(rules)
    found = [("计费方式", METHODS[document["method"]].name)]
    for one in METHODS[document["method"]].fields:
        value = _stored(document, one.name)
        if value is not None and value != []:
            found.append((one.label.removesuffix("（元）"), _said(one, value)))
    return found


def headline(rules: Rules) -> str:
    """The price in one phrase for a list: '2.35 元/㎡·月', '阶梯 3 档'."""
    document = to_json(rules)
    method, price = document["method"], document.get("price")
    if method == "tiered":
        return "阶梯 " + " / ".join(tier["price"] for tier in document["tiers"]) + " 元"
    if method == "time_of_use":
        return " / ".join(f"{band['name']} {band['price']}" for band in document["bands"]) + " 元"
    if method in ("percentage", "turnover"):
        return f"{METHODS[method].name} {_percent(document['rate'])}"
    if method == "formula":
        return str(document["formula"])
    if price is None:
        return METHODS[method].name
    if method in ("season", "two_part_heat"):
        return f"{price} 元/㎡·季"
    unit = "元/㎡" if method == "area" or document.get("rent_of") == "area" else "元"
    per = _PER.get(document.get("price_per", "month" if method == "rent" else "day" if method == "daily" else ""), "")
    return f"{price} {unit}{'·' if unit.endswith('㎡') and per else '/' if per else ''}{per}"


def _stored(document: Mapping[str, object], name: str) -> object:
    if name in ("stop_deadline", "stop_share"):
        stop = document.get("stop")
        return stop["deadline" if name == "stop_deadline" else "base_share"] if isinstance(stop, dict) else None
    return document.get(name)


def _said(one: Field, value: object) -> str:
    if one.options:
        code = ("yes" if value else "no") if one.kind == "yes_no" else str(value)
        return next(sentence for key, sentence, _ in one.options if key == code)
    if one.kind == "money" and isinstance(value, int):
        return f"{yuan(value)} 元"
    if one.kind == "price":
        return f"{value} 元"
    if one.kind == "tiers" and isinstance(value, list):
        return "；".join(f"{_upto(tier.get('up_to'))} {tier['price']} 元" for tier in value)
    if one.kind == "bands" and isinstance(value, list):
        return "；".join(f"{band['name']} {band['price']} 元" for band in value)
    if one.kind == "offers" and isinstance(value, list):
        return "；".join(f"预缴满 {offer['min_periods']} 期{_off(offer)}" for offer in value)
    return _percent(str(value)) if one.name in ("rate", "step", "base_share", "stop_share") else str(value)


def _off(offer: Mapping[str, object]) -> str:
    percent = offer.get("percent_off")
    return f"减 {percent}%" if percent is not None else f"免最后 {offer['free_last']} 期"


def _upto(bound: object) -> str:
    return "以上" if bound is None else f"到 {bound}（含）"


def _percent(text: str) -> str:
    return f"{plain(Decimal(text) * 100)}%"


def typed(rules: Rules) -> dict[str, str]:
    """What the form shows of a standard that is there: a new version starts from it."""
    document = to_json(rules)
    found: dict[str, str] = {"method": document["method"]}
    for one in METHODS[document["method"]].fields:
        value = _stored(document, one.name)
        if value is None or value == []:
            continue
        if one.kind == "yes_no":
            found[one.name] = "yes" if value else "no"
        elif one.kind == "money" and isinstance(value, int):
            found[one.name] = yuan(value)
        elif one.kind == "tiers" and isinstance(value, list):
            found[one.name] = "\n".join(" ".join(filter(None, (tier.get("up_to"), tier["price"]))) for tier in value)
        elif one.kind == "offers" and isinstance(value, list):
            found[one.name] = "\n".join(f"{offer['min_periods']} {_typed_off(offer)}" for offer in value)
        elif one.kind == "bands" and isinstance(value, list):
            found[one.name] = "\n".join(f"{band['name']} {band['price']}" for band in value)
        else:
            found[one.name] = str(value)
    return found


def _typed_off(offer: Mapping[str, object]) -> str:
    percent = offer.get("percent_off")
    return f"{percent}%" if percent is not None else f"免{offer['free_last']}期"
