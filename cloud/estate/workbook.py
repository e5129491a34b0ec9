"""The template of an import (O-20)."""

from __future__ import annotations

import io

from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from cloud.estate.domain_import import ALIASES, LABELS, SAMPLE, WORDS

_HEAD = PatternFill("solid", fgColor="E4EFF4")
_NEEDED = ("code", "owner_name")
_AS_TEXT = ("code", "number", "owner_number", "owner_phone", "owner_phone2", "owner_identity", "owner_credit_code",
            "owner_emergency_phone", "owner_tax_no", "plates")  # fmt: skip
_TEMPLATE_ROWS = 5000


def template() -> bytes:
    """The template of an import: headings, a row to overwrite, lists to choose from; numbers with leading zeros stay text."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "房产和业主"
    for column, key in enumerate(ALIASES, start=1):
        letter = get_column_letter(column)
        head = sheet.cell(1, column, LABELS[key] + ("*" if key in _NEEDED else ""))
        head.font, head.fill = Font(bold=True), _HEAD
        sheet.column_dimensions[letter].width = max(10, 2.4 * len(LABELS[key]))
        if key in _AS_TEXT:
            for row in range(2, 202):
                sheet.cell(row, column).number_format = "@"
        if key in SAMPLE:
            value = SAMPLE[key]
            sheet.cell(2, column, float(value) if key in ("area", "inside_area") else value)
        if key in WORDS:
            listed = DataValidation(type="list", formula1='"' + ",".join(WORDS[key]) + '"', allow_blank=True)
            listed.error, listed.errorTitle = "请从列表里选", LABELS[key]
            sheet.add_data_validation(listed)
            listed.add(f"{letter}2:{letter}{_TEMPLATE_ROWS}")
    sheet.freeze_panes = "B2"
    return _bytes(book)


def _bytes(book: Workbook) -> bytes:
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()
