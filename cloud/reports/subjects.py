"""What reports can be asked about: a whitelist of views and their fields (R-14). Nothing else reaches the database."""

from __future__ import annotations

from collections.abc import Mapping

from cloud.reports.domain_report import Field, Subject
from cloud.reports.subjects_registers import BOOK_USE, ENDED, PRINTS, RAISES, REFUNDED, USAGE, VOIDS, YES, receipt_url
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
SLIP_STATES = {"banked": "到账", "transit": "在途", "short": "短款"}


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
    link=receipt_url,
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
