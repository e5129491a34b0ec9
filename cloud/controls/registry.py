"""Every control by its number in REQUIREMENTS 24: docs/controls.md says how each diversion is done and what stays quiet."""

from __future__ import annotations

from cloud.controls import rules_cash as cash
from cloud.controls import rules_counter as counter
from cloud.controls import rules_money as money
from cloud.controls import rules_people as people
from cloud.controls import rules_prices as prices
from cloud.controls.domain import Slot
from cloud.controls.engine import Control

MORNING = Slot(7)
MONDAY = Slot(7, weekday=0)
FIRST = Slot(7, day=1)

CONTROLS: tuple[Control, ...] = (
    Control("G-01", "void_not_replaced", "作废现金收据未重开", "receipt-off", "立即", counter.void_not_replaced,
            limits=("void_minutes",)),
    Control("G-01", "one_terminal", "同一终端申请又审批", "device-tv", "立即", counter.one_terminal),
    Control("G-01", "knows_password", "审批人掌握申请人的密码", "user-cog", "立即", people.knows_password),
    Control("G-02", "number_gap", "收据断号", "receipt-off", "立即", counter.number_gap),
    Control("G-02", "number_twice", "收据号重复使用", "receipt-off", "立即", counter.number_twice),
    Control("G-02", "book_counted", "票据本清点不符", "book-2", "立即", counter.book_counted),
    Control("G-02", "book_not_returned", "票据本没交回", "book-2", "次日 07:00", counter.book_not_returned, MORNING),
    Control("G-02", "reprints", "补打偏多", "printer", "每周一 07:00", counter.reprints, MONDAY, ("reprints", "reprint_percent")),
    Control("G-03", "counter_clock", "窗口时钟不准", "clock", "立即", counter.counter_clock, limits=("clock_seconds",)),
    Control("G-03", "box_jump", "盒子时钟跳变", "clock", "立即", counter.box_jump, limits=("box_jump_seconds",)),
    Control("G-04", "price_low", "收费价格异常", "tag", "立即", prices.price_low, limits=("few_rooms",)),
    Control("G-04", "fact_changed", "已计费房间改了计费依据", "home-off", "立即", prices.fact_changed),
    Control("G-04", "area_total", "面积合计与登记不符", "building", "每天 07:00", prices.area_total, MORNING, ("area_percent",)),
    Control("G-05", "waivers_of_owner", "同一业主减免偏多", "percentage", "每周一 07:00", money.waivers_of_owner, MONDAY,
            ("waiver_owner_fen",)),
    Control("G-05", "waivers_of_approver", "同一审批人减免偏多", "percentage", "每周一 07:00", money.waivers_of_approver, MONDAY,
            ("waiver_approver_fen",)),
    Control("G-05", "waivers_of_phone", "减免集中在同一电话", "percentage", "每周一 07:00", money.waivers_of_phone, MONDAY,
            ("waiver_phone_fen",)),
    Control("G-05", "near_limit", "连续接近审批限额", "percentage", "每周一 07:00", money.near_limit, MONDAY,
            ("near_limit_count", "near_limit_percent")),
    Control("G-06", "refund_payee", "退款收款人不是缴款人", "arrow-back-up", "立即", money.refund_payee),
    Control("G-06", "refund_staff", "退款给了本公司的人", "arrow-back-up", "立即", money.refund_staff),
    Control("G-06", "refund_account", "一个账号收多户退款", "arrow-back-up", "立即", money.refund_account),
    Control("G-06", "refund_route", "没有原路退款", "arrow-back-up", "立即", money.refund_route),
    Control("G-06", "refund_dormant", "久不动的预存被退", "wallet", "立即", money.refund_dormant, limits=("dormant_months",)),
    Control("G-07", "deposit_deducted", "扣押金缺依据", "pig-money", "立即", money.deposit_deducted),
    Control("G-07", "deposits_old", "押金久未退还", "pig-money", "每月 1 日 07:00", money.deposits_old, FIRST,
            ("deposit_years",)),
    Control("G-08", "overdue", "现金逾期未缴存", "building-bank", "次一工作日 17:00", cash.overdue, Slot(17)),
    Control("G-08", "arrived_short", "缴款短少", "building-bank", "导入流水时", cash.arrived_short),
    Control("G-08", "slip_waits", "缴款单对不上银行流水", "building-bank", "第 3 个工作日 17:00", cash.slip_waits, Slot(17),
            ("slip_days",)),
    Control("G-09", "tender_unmatched", "转账支票刷卡没有对上", "equal-not", "第 3 个工作日 07:00", prices.tender_unmatched,
            MORNING, ("tender_days",)),
    Control("G-10", "owner_says", "业主说付了款没有显示", "message", "立即", people.owner_says),
    Control("G-16", "chain_broken", "台账或日志校验不一致", "alert-triangle", "校验时", people.chain_broken),
    Control("G-16", "rolled_back", "台账被回退", "alert-triangle", "立即", people.rolled_back),
    Control("G-16", "box_cloned", "盒子被隔离", "lock", "立即", people.box_cloned),
    Control("G-16", "box_reset", "盒子重置或见证不符", "router", "立即", people.box_reset),
    Control("G-17", "two_terminals", "一人在两处登录", "users", "立即", people.two_terminals),
    Control("G-17", "disabled_log_in", "停用后还在登录", "user", "立即", people.disabled_log_in),
    Control("G-17", "exported", "大量导出联系人", "download", "立即", people.exported, limits=("export_rows", "export_times")),
    Control("W-06", "no_collection", "今天还没有收款", "cash", "18:00", cash.no_collection, Slot(18)),
    Control("W-06", "low_collection", "收款明显偏低", "cash", "20:00", cash.low_collection, Slot(20),
            ("low_percent", "low_floor_fen")),
    Control("W-06", "box_silent", "盒子失联", "plug-connected-x", "10 分钟后立即", cash.box_silent, limits=("silent_minutes",)),
    Control("W-06", "waivers_of_project", "项目减免偏多", "percentage", "每天 07:00", money.waivers_of_project, MORNING,
            ("waiver_week_percent", "waiver_week_fen")),
    Control("C-34", "day_not_closed", "没有人做日结", "calendar", "次日 06:00", counter.day_not_closed),
    Control("C-33", "shift_too_long", "班次超过 16 小时", "clock-exclamation", "立即", counter.shift_too_long),
    Control("C-32", "handover_refused", "交接被拒", "snowflake", "立即", counter.handover_refused),
)  # fmt: skip
