"""Warning rules (W-01): when, about what, to whom; and what a message says and why (W-05, X-07). Pure; amounts in fen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from protocols.errors import Refused
from protocols.money import MAX_FEN, Fen, yuan

MOMENTS = {"before": "到期前", "on": "到期当天", "after": "到期后每"}
CHANNELS = {"sms": "短信", "wechat": "微信", "app": "手机页面", "call": "打电话名单", "print": "打印名单"}


@dataclass(frozen=True, slots=True)
class Rule:
    """`days` before the due date, or every so many days after it; 0 on the day itself. `item`: only this fee; `tag`: only owners
    with it; `least_fen`: only who owes so much in all."""

    id: int
    project_id: int
    moment: str
    days: int
    item: str | None
    least_fen: Fen
    tag: str | None
    channel: str
    active: bool = True

    @property
    def kind(self) -> str:
        """The kind of its messages."""
        return "arrears.overdue" if self.moment == "after" else "arrears.due"


@dataclass(frozen=True, slots=True)
class Owed:
    """One line a message is about."""

    line_id: int
    item: str
    object: str
    due: date
    fen: Fen


def check_rule(moment: str, days: int, least_fen: Fen, channel: str) -> None:
    """Refused `bad_rule`."""
    if moment not in MOMENTS or channel not in CHANNELS:
        raise Refused("bad_rule", "选什么时候提醒、用什么渠道", "no such moment or channel", field="moment")
    if (moment == "on") != (days == 0) or not 0 <= days <= 365:
        raise Refused("bad_rule", "到期前、到期后要写 1 到 365 天；到期当天不写天数", "days do not fit the moment", field="days")
    if not 1 <= least_fen <= MAX_FEN:
        raise Refused("bad_rule", "金额下限至少 0.01 元", "the floor is at least one fen", field="least")


def said(rule: Rule) -> str:
    """'到期前 3 天，物业费，满 50.00 元，发短信'."""
    parts = [MOMENTS[rule.moment] + (f" {rule.days} 天" if rule.days else "")]
    parts += [rule.item] if rule.item else []
    parts += [f"标签“{rule.tag}”"] if rule.tag else []
    parts += [f"满 {yuan(rule.least_fen)} 元"] if rule.least_fen > 1 else []
    return "，".join([*parts, CHANNELS[rule.channel]])


def text(project: str, phone: str, lines: Sequence[Owed], moment: str) -> str:
    """The message: project, for what, how much, since when; no link, a telephone to check (X-07)."""
    names = list(dict.fromkeys(one.item for one in lines))
    what = "、".join(names[:2]) + (f"等 {len(names)} 项" if len(names) > 2 else "")
    total, places = sum(one.fen for one in lines), list(dict.fromkeys(one.object for one in lines))
    place = places[0] + ("等" if len(places) > 1 else "")
    due = min(one.due for one in lines)
    state = f"应缴日是 {due:%m-%d}，还没有收到" if moment == "after" else f"应缴日 {due:%m-%d}，请按时缴纳"
    check = f"已缴请忽略，核对 {phone}。" if phone else "已缴请忽略，核对请到窗口。"
    return f"【{project}】{place} {what} {yuan(total)} 元，{state}。{check}"


def computed(rule: Rule, lines: Sequence[Owed], day: date) -> list[str]:
    """How it was found, sentence by sentence (W-05)."""
    found = [f"规则：{said(rule)}；按 {day} 算"]
    for one in lines[:20]:
        days = (day - one.due).days
        when = f"还有 {-days} 天到期" if days < 0 else "今天到期" if days == 0 else f"已过 {days} 天"
        found.append(f"{one.item} {one.object} 应缴日 {one.due}，{when}，未缴 {yuan(one.fen)} 元")
    if len(lines) > 20:
        found.append(f"另有 {len(lines) - 20} 笔")
    return [*found, f"合计 {yuan(sum(one.fen for one in lines))} 元"]
