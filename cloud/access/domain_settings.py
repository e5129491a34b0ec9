"""What the value of a setting may be, how a person reads it and sees it in a form (Y-14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocols.errors import Refused
from protocols.money import yuan

LONGEST = 120
"""Characters of a text, alone or in a document."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a document; `choices` code -> word, None for free text."""

    name: str
    title: str
    choices: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A setting that exists. `kind`: number, money (fen), text, flag, document (of `fields`); `usual` where nobody set another.

    high_risk  only headquarters changes it, for whatever company
    """

    name: str
    title: str
    kind: str
    high_risk: bool
    usual: Any
    help: str
    fields: Sequence[Field] | None

    def check(self, value: object) -> None:
        """Refused `bad_value`."""
        right = {
            "number": lambda: _whole(value),
            "money": lambda: _whole(value) and int(str(value)) >= 0,
            "text": lambda: isinstance(value, str) and len(value) <= LONGEST,
            "flag": lambda: isinstance(value, bool),
            "document": lambda: self._document(value),
        }[self.kind]()
        if not right:
            raise Refused("bad_value", f"{self.title}填的内容不对", f"{self.name} is a {self.kind}", field="value")

    def _document(self, value: object) -> bool:
        if self.fields is None:
            return isinstance(value, dict | list)
        if not isinstance(value, dict) or value.keys() - {one.name for one in self.fields}:
            return False
        given = ((one, value.get(one.name, "")) for one in self.fields)
        return all(
            isinstance(text, str) and len(text) <= LONGEST and (one.choices is None or text in one.choices or not text)
            for one, text in given
        )

    def said(self, value: Any) -> str:
        """As a person reads it: '¥2,000.00', '启用', '纸张 A5 横向，抬头 收据'."""
        if self.kind == "money":
            return f"¥{yuan(value)}"
        if self.kind == "flag":
            return "启用" if value else "不启用"
        if self.kind != "document":
            return str(value) or "（空）"
        pairs = [(one, str(value.get(one.name) or "")) for one in self.fields or ()]
        words = [f"{one.title} {(one.choices or {}).get(text, text)}" for one, text in pairs if text]
        return "，".join(words) or "（空）"

    def shown(self, value: Any) -> dict[str, object]:
        """What the fields of its form show at first."""
        if self.kind == "document":
            return {one.name: value.get(one.name, "") for one in self.fields or ()}
        return {"value": yuan(value).replace(",", "") if self.kind == "money" else value}


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
