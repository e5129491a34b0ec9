"""Subjects of registers, parking and meters: the second half of the whitelist in `subjects.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud.reports.domain_report import Field, Subject

YES = {"True": "是", "False": "否"}
REFUNDS = {"wallet": "预存", "deposit": "押金", "receipt": "收款"}
REFUND_STATES = {"approved": "待付", "paid": "已付"}
WAYS = {"cash": "现金", "transfer": "转账", "original": "原路"}
STAYS = {"inside": "在场", "left": "已离场", "escaped": "逃费", "lost_exit": "未见出场"}
CARS = {"casual": "临停", "pass": "月租", "free": "免费", "vip": "贵宾", "escaped": "逃费", "blocked": "黑名单"}
STROKES = {
    "paid": "已付",
    "pass": "月租",
    "free": "免费",
    "manual": "手动抬杆",
    "fire": "消防",
    "none": "无指令抬杆",
    "command": "远程",
    "fault": "故障",
}
METERS = {"electric": "电表", "water": "水表", "hot_water": "热水表", "gas": "燃气表", "heat": "热量表", "other": "其他"}
BOOKS = {"counter": "窗口", "online": "线上", "lane": "岗亭", "paper": "手工票"}
BOOK_STATES = {"open": "在用", "returned": "已交回", "counted": "已核销"}


def receipt_url(row: Mapping[str, Any]) -> str:
    return f"/receipts/{row['receipt_id']}" if row.get("receipt_id") else ""


VOIDS = Subject(
    "voids",
    "作废红冲",
    "report_counter_voids",
    "business_date",
    "业务日期",
    "张",
    (
        Field("no", "红冲收据", group="归属"),
        Field("original_no", "原收据", group="归属"),
        Field("object", "房号或对象", group="归属"),
        Field("cashier_name", "经办", group="归属"),
        Field("terminal", "窗口", group="归属"),
        Field("approved_by", "批准人", group="归属"),
        Field("at", "时间", "time", "时间"),
        Field("relating_to", "原业务日期", "date", "时间"),
        Field("reason", "原因"),
        Field("replaced", "换开", words=YES),
        Field("prints_before", "作废前打印", "number"),
        Field("amount_fen", "金额", "money", "数值"),
        Field("receipt_id", "张数", "number", "数值", count=True),
    ),
    ("entry_id",),
    link=receipt_url,
)
PRINTS = Subject(
    "prints",
    "补打",
    "report_counter_prints",
    "business_date",
    "补打日期",
    "次",
    (
        Field("no", "收据", group="归属"),
        Field("object", "房号或对象", group="归属"),
        Field("by_name", "补打人", group="归属"),
        Field("at", "补打时间", "time", "时间"),
        Field("receipt_at", "收款时间", "time", "时间"),
        Field("n", "第几次打印", "number"),
        Field("amount_fen", "收据金额", "money", "数值"),
        Field("print_id", "次数", "number", "数值", count=True),
    ),
    ("print_id",),
    bound=False,
    link=receipt_url,
)
REFUNDED = Subject(
    "refunds",
    "退款",
    "report_wallets_refunds",
    "business_date",
    "批准日期",
    "笔",
    (
        Field("what", "退自", group="归属", words=REFUNDS),
        Field("payer_name", "原缴款人", group="归属"),
        Field("payee_name", "收款人", group="归属"),
        Field("same_name", "同名", words=YES),
        Field("paid_by_name", "付款经办", group="归属"),
        Field("approved_at", "批准时间", "time", "时间"),
        Field("paid_at", "付款时间", "time", "时间"),
        Field("way", "退款方式", words=WAYS),
        Field("state", "状态", words=REFUND_STATES),
        Field("reason", "原因"),
        Field("amount_fen", "金额", "money", "数值"),
        Field("refund_id", "笔数", "number", "数值", count=True),
    ),
    ("refund_id",),
)
ENDED = Subject(
    "stays",
    "停车",
    "report_parking_ended",
    "business_date",
    "离场日期",
    "辆次",
    (
        Field("plate", "车牌", group="归属"),
        Field("lane", "出口车道", group="归属"),
        Field("entered_at", "入场", "time", "时间"),
        Field("left_at", "离场", "time", "时间"),
        Field("hour", "时段", "number", "时间"),
        Field("category", "车辆类别", words=CARS),
        Field("vehicle_class", "车型"),
        Field("state", "状态", words=STAYS),
        Field("expected_fen", "应收", "money", "数值"),
        Field("cash_fen", "岗亭现金", "money", "数值"),
        Field("online_fen", "线上", "money", "数值"),
        Field("paid_fen", "实收", "money", "数值"),
        Field("forgone_fen", "未收", "money", "数值"),
        Field("stay", "辆次", "number", "数值", count=True),
    ),
    ("stay",),
    bound=False,
)
RAISES = Subject(
    "strokes",
    "抬杆",
    "report_parking_strokes",
    "business_date",
    "抬杆日期",
    "次",
    (
        Field("lane", "车道", group="归属"),
        Field("by", "谁", group="归属"),
        Field("at", "时间", "time", "时间"),
        Field("hour", "时段", "number", "时间"),
        Field("reason", "原因", words=STROKES),
        Field("reference", "凭据"),
        Field("n", "次数", "number", "数值", count=True),
    ),
    ("lane", "n"),
    bound=False,
)
USAGE = Subject(
    "readings",
    "抄表用量",
    "report_metering_usage",
    "business_date",
    "抄表月份",
    "块",
    (
        Field("meter", "表号", group="归属"),
        Field("name", "位置", group="归属"),
        Field("last_at", "最后读数时间", "time", "时间"),
        Field("kind", "表类", words=METERS),
        Field("quantity", "计量"),
        Field("tariff", "费率段", "number"),
        Field("unit", "单位"),
        Field("before_value", "期初读数", "quantity"),
        Field("last_value", "期末读数", "quantity"),
        Field("usage", "用量", "quantity", "数值"),
        Field("readings", "读数个数", "number", "数值"),
        Field("odd", "待复核", "number", "数值"),
    ),
    ("meter", "quantity", "tariff"),
    bound=False,
)
BOOK_USE = Subject(
    "books",
    "票据使用",
    "report_counter_books",
    "registered_on",
    "登记日期",
    "本",
    (
        Field("code", "票据本", group="归属"),
        Field("terminal", "窗口", group="归属"),
        Field("registered_by", "登记人", group="归属"),
        Field("kind", "种类", words=BOOKS),
        Field("state", "状态", words=BOOK_STATES),
        Field("first_number", "起号", "number"),
        Field("last_number", "止号", "number"),
        Field("taken", "用到", "number"),
        Field("counted_note", "核销说明"),
        Field("used", "已用", "number", "数值"),
        Field("reversed", "其中红冲", "number", "数值"),
        Field("missing", "缺号", "number", "数值"),
    ),
    ("book_id",),
    bound=False,
)
