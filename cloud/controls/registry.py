"""Every control by its number in REQUIREMENTS 24: docs/controls.md says how each diversion is done and what stays quiet."""

from __future__ import annotations

from cloud.controls import rules_counter as counter
from cloud.controls.domain import Slot
from cloud.controls.engine import Control

MORNING = Slot(7)
MONDAY = Slot(7, weekday=0)
FIRST = Slot(7, day=1)

CONTROLS: tuple[Control, ...] = (
    Control("G-01", "void_not_replaced", "作废现金收据未重开", "receipt-off", "立即", counter.void_not_replaced,
            limits=("void_minutes",)),
    Control("G-01", "one_terminal", "同一终端申请又审批", "device-desktop", "立即", counter.one_terminal),
    Control("G-02", "number_gap", "收据断号", "receipt-off", "立即", counter.number_gap),
    Control("G-02", "number_twice", "收据号重复使用", "receipt-off", "立即", counter.number_twice),
    Control("G-02", "book_counted", "票据本清点不符", "book-2", "立即", counter.book_counted),
    Control("G-02", "book_not_returned", "票据本没交回", "book-2", "次日 07:00", counter.book_not_returned, MORNING),
    Control("G-02", "reprints", "补打偏多", "printer", "每周一 07:00", counter.reprints, MONDAY, ("reprints", "reprint_percent")),
    Control("G-03", "counter_clock", "窗口时钟不准", "clock", "立即", counter.counter_clock, limits=("clock_seconds",)),
    Control("G-03", "box_jump", "盒子时钟跳变", "clock", "立即", counter.box_jump, limits=("box_jump_seconds",)),
    Control("C-34", "day_not_closed", "没有人做日结", "calendar", "次日 06:00", counter.day_not_closed),
    Control("C-33", "shift_too_long", "班次超过 16 小时", "clock-exclamation", "立即", counter.shift_too_long),
    Control("C-32", "handover_refused", "交接被拒", "snowflake", "立即", counter.handover_refused),
)  # fmt: skip
