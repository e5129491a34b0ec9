"""What people read for the codes that several slices print or show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TENDERS: dict[str, str] = {
    "cash": "现金",
    "pos": "刷卡",
    "transfer": "转账",
    "cheque": "支票",
    "wechat": "微信",
    "alipay": "支付宝",
    "simulated": "模拟支付",
    "wallet": "预存",
}


@dataclass(frozen=True, slots=True)
class Word:
    """How a state is said and shown (UI.md 6). `text` may hold {n}: '逾期 {n} 天'."""

    text: str
    tone: str
    icon: str


def _words(table: str) -> dict[str, Word]:
    """Lines 'state | 词 | tone | icon'; the icon may be left out."""
    found = {}
    for line in table.strip().splitlines():
        state, text, tone, icon = (part.strip() for part in line.split("|"))
        found[state] = Word(text, tone, icon)
    return found


STATES: Mapping[str, Mapping[str, Word]] = {
    "charge": _words("""
        draft | 草稿 | off | pencil
        open | 未缴 | info | circle
        part | 部分已缴 | wait | circle-half
        paid | 已缴 | ok | circle-check
        cancelled | 已取消 | off | ban
        not_due | 未到期 | off | calendar
        grace | 宽限期内 | wait | clock
        overdue | 逾期 {n} 天 | bad | clock-exclamation
        disputed | 争议处理中 | info | scale
        instalments | 分期中 | info | calendar-repeat
        written_off | 已核销 | off | archive
    """),
    "receipt": _words("""
        valid | 有效 | ok | circle-check
        void | 已作废 | off | ban
        reversal | 红冲 | bad | arrow-back-up
        reprint | 补打 {n} 次 | man | printer
        late_entry | 补录 | man | history
        offline | 离线 | man | cloud-off
        suspense | 待查 | bad | alert-triangle
    """),
    "payment": _words("""
        paying | 支付中 | wait | loader-2
        paid | 已付 | ok | circle-check
        closed | 已关闭 | off | ban
        unknown | 正在核实 | wait | clock
    """),
    "cash": _words("""
        drawer | 抽屉 | ink | cash
        transit | 在途 | wait | truck-delivery
        banked | 到账 | ok | building-bank
        overdue | 逾期未缴存 | bad | alert-triangle
        short | 短款 | bad | alert-triangle
    """),
    "recon": _words("""
        match | 一致 | ok | check
        ours | 只有我们 | wait | arrow-right
        theirs | 只有对方 | wait | arrow-left
        differs | 金额不同 | bad | equal-not
    """),
    "approval": _words("""
        waiting | 待审批 | wait | hourglass
        approved | 已批准 | ok | checks
        returned | 已退回 | bad | arrow-back-up
        expired | 已过期 | off | clock
        withdrawn | 已撤回 | off | ban
    """),
    "alarm": _words("""
        open | 未结 | bad | alert-triangle
        explained | 有正当原因 | ok | circle-check
        confirmed | 属实 | bad | gavel
    """),
    "shift": _words("""
        open | 当班 | info | user-check
        counting | 盘点中 | wait | calculator
        closed | 已交班 | off | lock
        frozen | 已冻结 | bad | snowflake
    """),
    "lane": _words("""
        idle | 空闲 | ok | circle-check
        vehicle | 有车 | info | car
        passing | 通过中 | info | arrow-right
        call | 呼叫 | bad | phone-ringing
        offline | 断网自管 | wait | cloud-off
        fault | 故障 | bad | tool
    """),
    "stay": _words("""
        inside | 在场 | info | parking
        left | 已离场 | off | door-exit
        escaped | 逃费 | bad | run
        review | 待核 | wait | eye
    """),
    "opened": _words("""
        paid | 已付 | ok |
        pass | 月租 | ink |
        free | 免费 | ink |
        manual | 手动抬杆 | man | hand-stop
        fire | 消防 | bad | flame
        none | 无指令抬杆 | bad | hand-stop
    """),
    "plate": _words("corrected | 已改牌 | man | pencil"),
    "message": _words("""
        waiting | 等待发送 | wait | hourglass
        sending | 发送中 | info | loader-2
        sent | 已发 | ok | check
        merged | 合成一条 | off | check
        cancelled | 已取消 | off | ban
        failed | 没发出 | bad | alert-triangle
        unknown | 不知道是否送到 | wait | clock
        unreachable | 没有联系方式 | man | phone
    """),
    "reading": _words("""
        auto | 自动 | ok | router
        hand | 人工 | man | user
        estimated | 估抄 | man | math
        abnormal | 待复核 | bad | alert-triangle
        missing | 未到 | wait | cloud-question
    """),
    "box": _words("""
        online | 在线 | ok | circle-check
        late | 迟到 | wait | clock
        silent | 失联 {n} 分钟 | bad | plug-connected-x
        quarantined | 已隔离 | bad | lock
    """),
    "data": _words("late | 补传 | man | cloud-upload"),
    "job": _words("""
        queued | 排队中 | off | hourglass
        running | 正在做 | info | loader-2
        done | 做完了 | ok | circle-check
        failed | 没做完 | bad | alert-triangle
        stopped | 已停下 | off | ban
    """),
    "version": _words("""
        draft | 草稿 | off | pencil
        waiting | 待审批 | wait | hourglass
        published | 已发布 | ok | circle-check
        replaced | 已被替换 | off | archive
    """),
}
"""thing -> state -> word, tone, icon: UI.md 6 as one table; `status("receipt", "void")` in a template"""
