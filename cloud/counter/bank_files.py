"""Files of banks and acquirers: CSV or a spreadsheet, columns by their heads, every bad row named (C-16, C-36)."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from protocols.errors import Refused
from protocols.money import Fen, parse_yuan

LONGEST_BYTES = 5_000_000
MOST_ROWS = 20_000
_DATE = re.compile(r"^(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})")
T = TypeVar("T")


def read(
    content: bytes, wanted: Sequence[str], more: Sequence[str], row_of: Callable[[Sequence[object]], T | None], *, by: str
) -> list[T]:
    """What `row_of` makes of the cells of each row, in the order of `wanted` and `more`; rows that it answers None for are left
    out. A bad row refuses the file, naming the rows. `by`: the span to export instead of too much ('按月').

    Refused `bad_file`, `no_column`, `bad_rows`, `too_large`.
    """
    if len(content) > LONGEST_BYTES:
        raise Refused("too_large", f"文件太大，请{by}导出", "the file is too large", field="file")
    rows = _sheet(content) if content.startswith(b"PK") else _csv(content)
    places = _places(rows, wanted, more)
    found: list[T] = []
    bad: list[str] = []
    for number, row in enumerate(rows, 2):
        if number > MOST_ROWS:
            raise Refused("too_large", f"最多 {MOST_ROWS} 行，请{by}导出", "too many rows", field="file")
        if not any(str(cell or "").strip() for cell in row):
            continue
        try:
            one = row_of([row[place] if place is not None and place < len(row) else None for place in places])
        except Refused as problem:
            bad.append(f"第 {number} 行：{problem.zh}")
            continue
        if one is not None:
            found.append(one)
    if bad:
        zh = "；".join(bad[:5]) + ("…" if len(bad) > 5 else "")
        raise Refused("bad_rows", zh, f"{len(bad)} bad rows", field="file", rows=bad[:50])
    return found


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _csv(content: bytes) -> Iterator[Sequence[object]]:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return iter(list(csv.reader(io.StringIO(text))))
    raise Refused("bad_file", "文件读不出来，请用 CSV 或 xlsx", "neither UTF-8 nor GB 18030", field="file")


def _sheet(content: bytes) -> Iterator[Sequence[object]]:
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as problem:
        raise Refused("bad_file", "文件读不出来，请用 CSV 或 xlsx", f"not a spreadsheet: {problem}", field="file") from problem
    return iter(book.worksheets[0].iter_rows(values_only=True))


def _places(rows: Iterator[Sequence[object]], wanted: Sequence[str], more: Sequence[str]) -> list[int | None]:
    """Where columns stand by their heads, which may come after a few lines about the account. Refused `no_column`."""
    for _, row in zip(range(20), rows, strict=False):
        heads = [str(cell or "").strip() for cell in row]
        if all(one in heads for one in wanted):
            return [heads.index(one) if one and one in heads else None for one in (*wanted, *more)]
    raise Refused("no_column", f"表头要有这几列：{'、'.join(wanted)}", "a column is missing", field="file")


def text_of(cell: object) -> str:
    return " ".join(str(cell or "").split())


def fen_of(cell: object) -> Fen:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return 0
    if isinstance(cell, bool) or not isinstance(cell, str | int | float | Decimal):
        raise Refused("bad_amount", "金额不是数字", "not an amount")
    # A spreadsheet keeps 11260.5 as a double: its shortest text is what the bank wrote.
    text = cell if isinstance(cell, str) else format(Decimal(repr(cell)) if isinstance(cell, float) else Decimal(cell), "f")
    return parse_yuan(text)


def day_of(cell: object) -> date:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    match = _DATE.match(str(cell or "").strip())
    try:
        return date(*(int(part) for part in match.groups())) if match else _no_day()
    except ValueError:
        return _no_day()


def _no_day() -> date:
    raise Refused("bad_date", "日期不对", "not a date")
