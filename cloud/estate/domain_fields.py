"""What people type into a form or a spreadsheet, read field by field. Every problem is one sentence that names the way out.

A field is read the same way wherever it comes from; `Reader.problems` holds field -> sentence, so that a form shows all of them
at once and an import names each cell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

LONGEST = 500
"""Characters of a cell that any field could take; more is never looked at."""

_EXCEL_EPOCH = date(1899, 12, 30)
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]0{1,2}:00(?::00(?:\.0+)?)?)?")
_PHONE = re.compile(r"1[3-9]\d{9}|0\d{2,3}-?\d{7,8}(?:-\d{1,6})?|[48]00-?\d{3}-?\d{4}|\+\d{7,15}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


@dataclass
class Reader:
    """Reads the texts of one form or row. `labels`: field -> what people call it."""

    texts: Mapping[str, str]
    labels: Mapping[str, str]
    problems: dict[str, str] = field(default_factory=dict)

    def raw(self, name: str) -> str:
        return unicodedata.normalize("NFKC", self.texts.get(name, "")[: LONGEST + 1]).strip()

    def fail(self, name: str, sentence: str) -> None:
        self.problems.setdefault(name, sentence)

    def text(self, name: str, most: int, *, needed: bool = False) -> str:
        """One line of at most `most` characters."""
        found = self.raw(name)
        if needed and not found:
            self.fail(name, f"{self.labels[name]}没有填")
        elif len(found) > most:
            seen = "太长" if len(found) > LONGEST else f"有 {len(found)} 个字"
            self.fail(name, f"{self.labels[name]}最多 {most} 个字，现在{seen}")
            return ""
        elif _CONTROL.search(found):
            self.fail(name, f"{self.labels[name]}里有换行或看不见的字符，请删掉")
        return found

    def decimal(self, name: str, places: int, low: Decimal, high: Decimal, unit: str = "") -> Decimal | None:
        """A number with at most `places` decimals; None when nothing stands there."""
        found = self.raw(name).replace(",", "")
        if not found:
            return None
        label = self.labels[name]
        try:
            value = Decimal(found) if len(found) <= 20 else None
        except InvalidOperation:
            value = None
        if value is None or not value.is_finite():
            number = re.search(r"\d+(?:\.\d+)?", found)
            way = f"改成 {number[0]}" if number else "只写数字"
            self.fail(name, f"{label}写的是“{shown(found)}”。{way}")
            return None
        # Excel keeps 96.37 as 96.3700000000001: what lies within a millionth of a unit was meant exactly.
        rounded = round(value, places)
        if abs(value - rounded) > Decimal("1e-6"):
            exponent = value.normalize().as_tuple().exponent
            self.fail(name, f"{label}最多 {places} 位小数，现在是 {-int(exponent)} 位")
        elif not low <= rounded <= high:
            self.fail(name, f"{label}要在 {low} 到 {high} {unit}之间，现在是 {shown(found)}".replace(" 之间", "之间"))
        return rounded

    def whole(self, name: str, low: int, high: int) -> int | None:
        value = self.decimal(name, 0, Decimal(low), Decimal(high))
        return None if value is None else int(value)

    def day(self, name: str) -> date | None:
        """2024-01-05, 2024/1/5, 2024.1.5, 2024年1月5日, 20240105, or Excel's number of a day (O-20)."""
        found = self.raw(name)
        if not found:
            return None
        value = read_day(found)
        if value is None:
            self.fail(name, f"{self.labels[name]}写的是“{shown(found)}”，不是日期。写成 2024-01-05")
        return value

    def choice(self, name: str, words: Mapping[str, str], default: str) -> str:
        """A code of `words` by its code or its word."""
        found = self.raw(name)
        if not found:
            return default
        for code, word in words.items():
            if found in (code, word):
                return code
        several = "、".join(word for word in words.values() if word)
        self.fail(name, f"{self.labels[name]}写的是“{shown(found)}”。要写其中一个：{several}")
        return default

    def phone(self, name: str) -> str:
        """A mobile or a landline, digits and hyphens only."""
        found = re.sub(r"[\s()]", "", self.raw(name))
        if found.endswith(".0") and found[:-2].isdigit():
            found = found[:-2]
        if found and not _PHONE.fullmatch(found):
            digits = sum(one.isdigit() for one in found)
            self.fail(
                name, f"{self.labels[name]}写的是“{shown(found)}”，不像电话（{digits} 位数字）。手机是 11 位，座机写 021-12345678"
            )
        return found

    def several(self, name: str, most: int) -> tuple[str, ...]:
        """Parts between commas, semicolons or spaces."""
        found = tuple(dict.fromkeys(part for part in re.split(r"[,，;；、\s]+", self.raw(name)) if part))
        if len(found) > most:
            self.fail(name, f"{self.labels[name]}最多 {most} 个")
        return found[:most]


def read_day(text: str) -> date | None:
    """None for what is no date between 1900 and 2200."""
    match = _DATE.fullmatch(text) or re.fullmatch(r"((?:19|20|21)\d\d)(\d\d)(\d\d)", text)
    try:
        if match:
            found = date(*(int(part) for part in match.groups()))
        elif re.fullmatch(r"\d{4,6}(?:\.0+)?", text):
            found = _EXCEL_EPOCH + timedelta(days=int(text.split(".")[0]))
        else:
            return None
    except ValueError:
        return None
    return found if 1900 <= found.year <= 2200 else None


def shown(text: str, most: int = 30) -> str:
    """As much of a value as a sentence can quote, on one line."""
    plain = _CONTROL.sub(" ", text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def cell_text(value: object) -> str:
    """A spreadsheet's cell as the text a person sees: 13812345678.0 is 13812345678, a date is its day."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.time() == datetime.min.time() else f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    text = str(value)[: LONGEST + 1]
    return _CONTROL.sub(" ", text).strip() if len(text) <= LONGEST else text


def first_of(problems: Mapping[str, str], order: Sequence[str]) -> str | None:
    """The first field of a form that has a problem."""
    return next((name for name in order if name in problems), next(iter(problems), None))
