"""The template of opening balances as a workbook (O-20, O-21)."""

from __future__ import annotations

import io

from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from cloud.counter.domain_opening import ALIASES, KINDS, LABELS

_NEEDED = ("kind", "room", "item", "amount")
_TEXTS = ("room", "receipt")
_DAYS = ("period_from", "period_to", "due", "received")
_ROWS = 5000
_HELP = (
    ("类型", "欠费、预存或押金，一行一笔。系统里没有的余额都从这里带进来，一个项目一次。"),
    ("房号", "和业主房产里的房号一样。"),
    ("费用项目", "欠费、押金写费用项目的名称；预存写用途：通用、物业费、水费、电费、采暖费、停车费。"),
    ("金额", "元，都写正数，最多两位小数。"),
    ("期间起、期间止", "欠费所属的期间，止是最后一天；不填按应缴日所在的月。"),
    ("应缴日", "欠费要填。"),
    ("收取日期、原收据号", "押金可以填。同一户同一项目有几笔押金，用原收据号分开。"),
    ("合计", "上传时要输入欠费、预存、押金三个合计，差一分也不导入。"),
)


def template() -> bytes:
    """Headings with a list to choose the kind from, and a second sheet that says what to write where."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "期初余额"
    for column, key in enumerate(ALIASES, start=1):
        letter = get_column_letter(column)
        text = LABELS[key] + ("（预存写用途）" if key == "item" else "") + ("*" if key in _NEEDED else "")
        head = sheet.cell(1, column, text)
        head.font, head.fill = Font(bold=True), PatternFill("solid", fgColor="E4EFF4")
        sheet.column_dimensions[letter].width = max(12, 12 * len(text) // 5)
        form = "@" if key in _TEXTS else "yyyy-mm-dd" if key in _DAYS else "0.00" if key == "amount" else ""
        for row in range(2, 202) if form else ():
            sheet.cell(row, column).number_format = form
    listed = DataValidation(type="list", formula1='"' + ",".join(KINDS.values()) + '"', allow_blank=True)
    listed.error, listed.errorTitle = "请从列表里选", LABELS["kind"]
    sheet.add_data_validation(listed)
    listed.add(f"A2:A{_ROWS}")
    sheet.freeze_panes = "C2"
    told = book.create_sheet("怎么填")
    told.column_dimensions["A"].width, told.column_dimensions["B"].width = 22, 80
    for row, pair in enumerate(_HELP, start=1):
        told.cell(row, 1, pair[0]).font = Font(bold=True)
        told.cell(row, 2, pair[1])
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()
