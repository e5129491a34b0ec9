"""What reports can be asked about: a whitelist of views and their fields (R-14). Nothing else reaches the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud.reports.domain_report import Field, Subject
from cloud.shared.words import TENDERS

KINDS = {"counter": "窗口", "lane_cash": "岗亭", "order": "线上", "suspense": "待查"}
STATUS = {"valid": "有效", "reversal": "红冲", "replacement": "换开", "late_entry": "补录", "suspense": "待查"}
ACTS = {
    "opened": "期初导入",
    "billed": "出账",
    "adjusted": "调整",
    "cancelled": "取消",
    "discount": "优惠",
    "waiver": "减免",
    "bad_debt": "核销",
    "collected": "收款",
    "deducted": "预存抵扣",
    "offset": "押金抵扣",
    "refunded": "退款恢复",
    "moved": "过户",
    "other": "其他",
}
CATEGORIES = {
    "recurring": "周期性",
    "metered": "仪表",
    "apportioned": "公摊",
    "one_off": "临时",
    "deposit": "押金",
    "prepayment": "预收",
    "agency": "代收代付",
    "parking": "停车",
    "late_fee": "违约金",
    "rent": "租金",
}
PURPOSES = {
    "general": "通用",
    "property": "物业费",
    "water": "水费",
    "electricity": "电费",
    "heating": "采暖费",
    "parking": "停车费",
}
WALLET_ACTS = {
    "top_up": "充值",
    "deduct": "抵扣",
    "refund": "退款",
    "transfer": "转账",
    "adjust": "期初或调整",
    "reversal": "冲回",
}
DEPOSIT_ACTS = {"receive": "收取", "deduct": "扣款", "offset": "抵费", "refund": "退还", "reversal": "冲回"}
YES = {"True": "是", "False": "否"}
SLIP_STATES = {"banked": "到账", "transit": "在途", "short": "短款"}
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


def _receipt(row: Mapping[str, Any]) -> str:
    return f"/receipts/{row['receipt_id']}" if row.get("receipt_id") else ""


RECEIPTS = Subject(
    "receipts",
    "收款明细",
    "report_counter_parts",
    "business_date",
    "业务日期",
    "笔",
    (
        Field("no", "收据", group="归属"),
        Field("object", "房号或对象", group="归属"),
        Field("payer", "缴款人", group="归属"),
        Field("cashier_name", "收款人", group="归属"),
        Field("cashier", "工号", group="归属"),
        Field("terminal", "窗口", group="归属"),
        Field("at", "时间", "time", "时间"),
        Field("period_from", "所属期起", "date", "时间"),
        Field("period_to", "所属期止", "date", "时间"),
        Field("relating_to", "关联日期", "date", "时间"),
        Field("item", "费用代码"),
        Field("item_name", "收费项目"),
        Field("tender", "收款方式", words=TENDERS),
        Field("kind", "来源", words=KINDS),
        Field("status", "状态", words=STATUS),
        Field("book", "票据本"),
        Field("received_fen", "实收金额", "money", "数值"),
        Field("amount_fen", "金额（含预存抵扣）", "money", "数值"),
        Field("late_fee_fen", "其中违约金", "money", "数值"),
        Field("discount_fen", "优惠金额", "money", "数值"),
        Field("receipt_id", "张数", "number", "数值", count=True),
    ),
    ("entry_id", "line", "part"),
    link=_receipt,
)
MOVES = Subject(
    "moves",
    "应收变动",
    "report_fees_moves",
    "business_date",
    "业务日期",
    "笔",
    (
        Field("object", "房号或对象", group="归属"),
        Field("line_id", "账单号", "number", "归属"),
        Field("period_from", "所属期起", "date", "时间"),
        Field("period_to", "所属期止", "date", "时间"),
        Field("due_date", "应缴日", "date", "时间"),
        Field("relating_to", "关联日期", "date", "时间"),
        Field("item", "费用代码"),
        Field("item_name", "收费项目"),
        Field("category", "类别", words=CATEGORIES),
        Field("held_for_others", "代收", words=YES),
        Field("act", "变动", words=ACTS),
        Field("source", "来源", "text"),
        Field("principal_fen", "本金", "money", "数值"),
        Field("late_fee_fen", "违约金", "money", "数值"),
    ),
    ("entry_id", "line_id", "part"),
)
WALLETS = Subject(
    "wallets",
    "预存变动",
    "report_wallets_moves",
    "business_date",
    "业务日期",
    "笔",
    (
        Field("room", "房号", group="归属"),
        Field("owner", "业主", group="归属"),
        Field("wallet_id", "账户", "number", "归属"),
        Field("by", "经办", group="归属"),
        Field("at", "时间", "time", "时间"),
        Field("purpose", "用途", words=PURPOSES),
        Field("kind", "变动", words=WALLET_ACTS),
        Field("amount_fen", "金额", "money", "数值"),
    ),
    ("entry_id", "movement_id"),
)
DEPOSITS = Subject(
    "deposits",
    "押金变动",
    "report_wallets_deposits",
    "business_date",
    "业务日期",
    "笔",
    (
        Field("object", "房号或对象", group="归属"),
        Field("owner", "缴款人", group="归属"),
        Field("deposit_id", "押金单", "number", "归属"),
        Field("by", "经办", group="归属"),
        Field("received_on", "收取日", "date", "时间"),
        Field("at", "时间", "time", "时间"),
        Field("item", "费用代码"),
        Field("item_name", "押金项目"),
        Field("kind", "变动", words=DEPOSIT_ACTS),
        Field("amount_fen", "金额", "money", "数值"),
    ),
    ("entry_id", "movement_id"),
)
COUNTS = Subject(
    "counts",
    "交班盘点",
    "report_counter_counts",
    "business_date",
    "盘点日期",
    "次",
    (
        Field("holder_name", "收款人", group="归属"),
        Field("holder", "工号", group="归属"),
        Field("place", "窗口", group="归属"),
        Field("receiver_name", "接收人", group="归属"),
        Field("at", "时间", "time", "时间"),
        Field("reason", "差异原因"),
        Field("drawer_fen", "应有现金", "money", "数值"),
        Field("float_fen", "备用金", "money", "数值"),
        Field("counted_fen", "盘点现金", "money", "数值"),
        Field("variance_fen", "差异", "money", "数值"),
        Field("over_fen", "长款", "money", "数值"),
        Field("short_fen", "短款", "money", "数值"),
        Field("handed_fen", "上交现金", "money", "数值"),
        Field("count_id", "盘点次数", "number", "数值", count=True),
    ),
    ("count_id",),
    bound=False,
)
CLOSES = Subject(
    "closes",
    "日结",
    "report_counter_closes",
    "business_date",
    "业务日期",
    "天",
    (
        Field("closed_name", "日结人", group="归属"),
        Field("closed_at", "日结时间", "time", "时间"),
        Field("by_system", "系统日结", words=YES),
        Field("seq", "台账序号", "number"),
        Field("head", "链头"),
        Field("takings_fen", "实收", "money", "数值"),
        Field("cash_fen", "现金", "money", "数值"),
        Field("over_short_fen", "长短款", "money", "数值"),
        Field("suspense_fen", "待查", "money", "数值"),
        Field("close_id", "天数", "number", "数值", count=True),
    ),
    ("close_id",),
    bound=False,
    link=lambda row: f"/closes/{row['close_id']}.pdf",
)
SLIPS = Subject(
    "slips",
    "缴款",
    "report_counter_slips",
    "business_date",
    "制单日期",
    "张",
    (
        Field("depositor_name", "缴款人", group="归属"),
        Field("account", "银行账户", group="归属"),
        Field("first_day", "收款起", "date", "时间"),
        Field("last_day", "收款止", "date", "时间"),
        Field("made_at", "制单时间", "time", "时间"),
        Field("deadline", "到账期限", "time", "时间"),
        Field("arrived_at", "到账确认", "time", "时间"),
        Field("bank_receipt", "银行回单"),
        Field("state", "状态", words=SLIP_STATES),
        Field("amount_fen", "缴款金额", "money", "数值"),
        Field("arrived_fen", "到账金额", "money", "数值"),
        Field("slip_id", "张数", "number", "数值", count=True),
    ),
    ("slip_id",),
    bound=False,
)
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
    link=_receipt,
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
    link=_receipt,
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

SUBJECTS: Mapping[str, Subject] = {
    one.key: one
    for one in (
        RECEIPTS,
        MOVES,
        WALLETS,
        DEPOSITS,
        COUNTS,
        CLOSES,
        SLIPS,
        VOIDS,
        PRINTS,
        REFUNDED,
        ENDED,
        RAISES,
        USAGE,
        BOOK_USE,
    )
}
