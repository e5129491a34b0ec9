"""The counter's form as a browser sends it, read into what was typed; nothing here judges it."""

from __future__ import annotations

from starlette.datastructures import FormData

from cloud.counter.desk_money import Typed
from cloud.wallets.service import PURPOSES
from protocols.errors import NotFound

_DEPOSIT = ("deposit_item", "deposit_amount", "deposit_object", "deposit_purpose", "deposit_condition")


def typed_of(form: FormData) -> Typed:
    """What stands in the form, each field cut to what it may hold."""
    parts = {name[5:]: text(form, name)[:20] for name in form if name.startswith("part_") and is_id(name[5:])}
    item, amount, object_, purpose, condition = (text(form, name)[:120] for name in _DEPOSIT)
    return Typed(
        ticked=frozenset(int(value) for value in form.getlist("line") if isinstance(value, str) and is_id(value)),
        way=text(form, "way") or "cash",
        tendered=text(form, "tendered")[:20],
        reference=text(form, "reference")[:80],
        other=text(form, "other") or "pos",
        other_amount=text(form, "other_amount")[:20],
        key=text(form, "key"),
        keep=text(form, "keep") == "1",
        payer=text(form, "payer")[:60],
        ahead=tuple((one, min(periods, 60)) for one, periods in sorted(seen_of(form, "ahead_").items()) if periods > 0),
        part=text(form, "part")[:20],
        parts=tuple((int(line), told) for line, told in sorted(parts.items()) if told.strip()),
        ups=tuple((one, text(form, f"up_{one}")[:20]) for one in PURPOSES if text(form, f"up_{one}").strip()),
        up_owner=text(form, "up_owner") == "1",
        round=text(form, "round") == "1",
        deposit=(item[:40], amount[:20], object_[:40], purpose[:40], condition),
    )


def seen_of(form: FormData, before: str = "seen_") -> dict[int, int]:
    """Line -> what the screen said is due, in fen; likewise of other fields with a number in their name."""
    found = {}
    for name, value in form.items():
        if name.startswith(before) and is_id(name[len(before) :]) and isinstance(value, str) and is_id(value.removeprefix("-")):
            found[int(name[len(before) :])] = int(value)
    return found


def is_id(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= 18


def text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def number(form: FormData, name: str) -> int:
    """NotFound where there is none: the page was not ours."""
    value = text(form, name)
    if not is_id(value) or len(value) > 9:
        raise NotFound("not_found", "没有这个项目或房间", f"{name} is not a number", field=name)
    return int(value)
