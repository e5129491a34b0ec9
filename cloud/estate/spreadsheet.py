"""A spreadsheet as rows of text, within bounds: what is too large, or no spreadsheet, or unpacks into too much is refused (O-20).

Runs in a thread: it computes for seconds. Nothing in the file is carried out: formulas come as the values Excel stored with them.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from cloud.estate.domain_fields import cell_text
from protocols.errors import Refused

MOST_BYTES = 5 * 1024 * 1024
MOST_UNPACKED = 80 * 1024 * 1024
MOST_ROWS = 20_000
MOST_COLUMNS = 60
_MOST_PARTS = 500
_LOOK_FOR_HEADINGS = 10
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')


@dataclass(frozen=True, slots=True)
class Sheet:
    """Headings and the rows below them that are not empty: (number in Excel, texts). `merged`: row -> its merged range."""

    headings: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    merged: dict[int, str]


def read_sheet(data: bytes, known: Iterable[str]) -> Sheet:
    """The first sheet of an .xlsx. `known`: headings that mark the row of headings, as `plain_heading` writes them.

    Refused `file_too_large`, `bad_file`, `too_many_rows`, `no_headings`.
    """
    if len(data) > MOST_BYTES:
        raise Refused("file_too_large", f"文件超过 {MOST_BYTES >> 20} MB，请分成几个", "the file is too large", field="file")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _bounded(archive)
            return _read(archive, data, frozenset(known))
    except (
        zipfile.BadZipFile,
        InvalidFileException,
        KeyError,
        ParseError,
        ValueError,
        OSError,
        IndexError,
        TypeError,
    ) as problem:
        raise Refused(
            "bad_file",
            "打不开这个文件。请用 Excel 另存为 .xlsx 再试（.xls 和 .csv 不行）",
            f"no .xlsx: {problem!r}",
            field="file",
        ) from problem


def _bounded(archive: zipfile.ZipFile) -> None:
    """Sizes as declared: reading stops there, whatever the file really holds."""
    parts = archive.infolist()
    if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
        raise Refused("file_too_large", "文件解开以后太大，不像正常的表格", "it unpacks into too much", field="file")


def _read(archive: zipfile.ZipFile, data: bytes, known: frozenset[str]) -> Sheet:
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    try:
        sheet: Any = book.worksheets[0]
        rows = _rows(sheet)
        headings: tuple[str, ...] = ()
        for number, cells in rows:
            if sum(plain_heading(one) in known for one in cells) >= 2:
                headings = cells
                break
            if number >= _LOOK_FOR_HEADINGS:
                break
        if not headings:
            raise Refused(
                "no_headings", "没找到表头。前 10 行里要有一行写着房号、业主姓名这样的列名", "no headings", field="file"
            )
        found: list[tuple[int, tuple[str, ...]]] = []
        for number, cells in rows:
            if len(found) == MOST_ROWS:
                raise Refused("too_many_rows", f"一次最多 {MOST_ROWS} 行，请分成几个文件", "too many rows", field="file")
            found.append((number, cells))
        return Sheet(headings, tuple(found), _merged(archive, sheet._worksheet_path))
    finally:
        book.close()


def _rows(sheet: Any) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Rows that hold anything, with their numbers."""
    sheet.reset_dimensions()
    for number, row in enumerate(sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS), start=1):
        cells = tuple(cell_text(value) for value in row)
        if any(cells):
            yield number, cells


def _merged(archive: zipfile.ZipFile, path: str) -> dict[int, str]:
    """Rows that lie in merged cells: all but the first cell of a merged range are empty, which nobody meant."""
    found: dict[int, str] = {}
    rest = b""
    with archive.open(path.lstrip("/")) as part:
        while chunk := part.read(1 << 16):
            rest += chunk
            for match in _MERGED.finditer(rest):
                left, top, right, bottom = (one.decode() for one in match.groups())
                for row in range(int(top), min(int(bottom), int(top) + MOST_ROWS) + 1):
                    found.setdefault(row, f"{left}{top}:{right}{bottom}")
            rest = rest[-200:]
    return found


def plain_heading(text: str) -> str:
    """'建筑面积（㎡）*' -> '建筑面积'."""
    return re.sub(r"[(（\[【].*?[)）\]】]|[\s*＊:：/_-]", "", text).lower()
