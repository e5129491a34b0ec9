"""Rules of the counter: voids, decisions at the cashier's own window, numbers, books, reprints, clocks (G-01 .. G-03)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cloud.controls import store_counter as store
from cloud.controls.domain import Evidence, Finding, Step
from cloud.controls.limits import Look
from protocols.money import yuan
from protocols.time import business_date, civil

MONTH = timedelta(days=30)


async def void_not_replaced(look: Look) -> list[Finding]:
    """G-01: a printed cash receipt is taken back and the same room gets none for at least as much within ten minutes."""
    found = []
    for row in await store.cash_voids(look.tx, look.since - timedelta(hours=2), look.now):
        minutes = await look.limit("void_minutes", row["company_id"])
        until = row["at"] + timedelta(minutes=minutes)
        if until > look.now or until <= look.since:
            continue
        again = sum(one["fen"] for one in row["replaced"] if datetime.fromisoformat(one["at"]) <= until)
        if again < row["original_fen"]:
            found.append(await _void(look, row, minutes, until, again))
    return found


async def _void(look: Look, row: Mapping[str, Any], minutes: int, until: datetime, again: int) -> Finding:
    own, average = await store.voids_of(look.tx, row["cashier"], look.now - MONTH)
    paper = f"{row['book']} {row['original_number']:07d}"
    short = f"只重开了 {yuan(again)}" if again else "没有为同一户重开"
    one = row["asked_terminal"] and row["asked_terminal"] == row["decided_terminal"]
    steps = [Step(row["original_at"], f"收现金 {yuan(row['cash_fen'])}，打印收据", f"{row['cashier_name']} · {row['terminal']}")]
    if row["requested_at"] is not None:
        steps.append(Step(row["requested_at"], "申请作废", f"{row['requester_name']} · {row['asked_terminal']}"))
        where = f"同一终端 {row['decided_terminal']}" if one else row["decided_terminal"]
        steps.append(Step(row["at"], "批准作废", f"{row['decided_name']} · {where}", bool(one)))
    steps.append(Step(row["at"], f"红冲收据 {row['void_book']} {row['number']:07d}", row["cashier_name"], True))
    steps.append(Step(until, f"到时{short}，发出告警", "", True))
    evidence = [
        Evidence(
            "原收据",
            f"/receipts/{row['original_id']}",
            f"{paper} · {row['object']} · 已打印 {row['prints']} 次",
            row["original_fen"],
        ),
        Evidence("红冲收据", f"/receipts/{row['receipt_id']}", f"原因：“{row['reason']}”", -row["original_fen"]),
    ]
    if row["approval_id"] is not None:
        evidence.append(Evidence("审批记录", f"/audit?object=approval:{row['approval_id']}", "申请和批准的日志"))
    return Finding(
        f"receipt:{row['original_id']}", row["company_id"], row["project_id"], f"receipt:{row['original_id']}",
        f"作废现金收据后 {minutes} 分钟未重开",
        f"{civil(row['at']):%H:%M:%S} 作废了一张已打印的现金收据 {paper}（{row['object']}），{minutes} 分钟内{short}。",
        until, _people(row["cashier"], row["requester_number"], row["decided_number"]), row["terminal"], row["original_fen"],
        {"voids_30_days": own, "voids_average": round(average, 1), "replaced_fen": again, "object": row["object"]},
        steps, evidence,
    )  # fmt: skip


async def one_terminal(look: Look) -> list[Finding]:
    """G-01: who asked and who approved sat at one terminal."""
    found = []
    for row in await store.decisions(look.tx, look.since):
        void = row["original_id"] is not None
        cause = f"receipt:{row['original_id']}" if void else f"approval:{row['approval_id']}"
        word = "作废" if void else row["kind_name"]
        steps = [
            Step(row["requested_at"], f"申请{word}", f"{row['requester_name']} · {row['asked_terminal']}"),
            Step(row["at"], f"批准{word}", f"{row['by_name']} · 同一终端 {row['terminal']}", True),
        ]
        evidence = [Evidence("审批记录", f"/audit?object=approval:{row['approval_id']}", row["title"], row["amount_fen"])]
        if void:
            evidence.insert(
                0, Evidence("原收据", f"/receipts/{row['original_id']}", f"{row['book']} {row['original_number']:07d}")
            )
        seconds = int((row["at"] - row["requested_at"]).total_seconds())
        found.append(
            Finding(
                cause, row["company_id"], row["project_id"], cause, "申请和审批在同一台终端",
                f"{row['title']}：{row['requester_name']} 在{row['asked_terminal']}申请，{seconds} 秒后 {row['by_name']} "
                "在同一台终端批准。",
                row["at"], _people(row["requester_number"], row["by_number"]), row["terminal"], row["amount_fen"],
                {"seconds": seconds, "kind": row["kind"]}, steps, evidence,
            )
        )  # fmt: skip
    return found


async def number_gap(look: Look) -> list[Finding]:
    """G-02: a receipt whose number does not follow the one before in its book."""
    found = []
    for row in await store.gaps(look.tx, look.since):
        first = row["before"] + 1 if row["before"] is not None else None
        missing = f"{first:07d}" if first is not None else "第一个号"
        last = row["number"] - 1
        paper = f"{row['book']} {row['number']:07d}"
        words = missing if first == last else f"{missing} 至 {last:07d}"
        found.append(
            Finding(
                f"book:{row['book_id']}:{row['number']}", row["company_id"], row["project_id"], f"book:{row['book_id']}",
                "收据断号", f"票据本 {row['book']} 缺 {words}，后面的 {row['number']:07d} 已经用了。", row["at"],
                _people(row["cashier"]), row["terminal"], None, {"missing_from": first, "missing_to": last},
                [Step(row["at"], f"开出 {paper}，前一号不在", f"{row['cashier_name']} · {row['terminal']}", True)],
                [Evidence("断号后的收据", f"/receipts/{row['receipt_id']}", paper, row["total_fen"]),
                 Evidence("票据本", f"/books?at=p{row['project_id']}", row["book"])],
            )
        )  # fmt: skip
    return found


async def number_twice(look: Look) -> list[Finding]:
    """G-02: a box used a number a second time; its money is in suspense."""
    return [
        Finding(
            f"refused:{row['id']}", row["company_id"], row["project_id"], f"box:{row['box']}", "收据号重复使用",
            f"盒子 {row['box']} 又用了一个用过的收据号：{row['zh']}。钱已记入待查。", row["received_at"], (), row["box"],
            row["amount_fen"], {}, [Step(row["received_at"], "重复的收据号到达总部", row["box"], True)],
            [Evidence("盒子被拒的事件", f"/fleet?at=p{row['project_id']}", row["zh"], row["amount_fen"])],
        )
        for row in await store.used_twice(look.tx, look.since)
    ]  # fmt: skip


async def book_counted(look: Look) -> list[Finding]:
    """G-02: a returned book holds other papers than numbers were taken."""
    return [
        Finding(
            f"book:{row['book_id']}:counted", row["company_id"], row["project_id"], f"book:{row['book_id']}", "票据本清点不符",
            f"票据本 {row['code']} 清点用了 {row['counted_used']} 张，系统用了 {row['used']} 个号：“{row['counted_note']}”。",
            row["state_at"], _people((row["returned_by"] or "").split(" ")[0]), row["terminal"] or "", None,
            {"counted": row["counted_used"], "used": row["used"]},
            [Step(row["state_at"], "清点票据本", row["counted_by"] or "", True)],
            [Evidence("票据本", f"/books?at=p{row['project_id']}", row["code"]),
             Evidence("操作日志", f"/audit?object=book:{row['book_id']}")],
        )
        for row in await store.counted_books(look.tx, look.since)
    ]  # fmt: skip


async def book_not_returned(look: Look) -> list[Finding]:
    """G-02: a book that was used up before today is still not returned in the morning."""
    midnight = civil(look.now).replace(hour=0, minute=0, second=0, microsecond=0)
    return [
        Finding(
            f"book:{row['book_id']}:full", row["company_id"], row["project_id"], f"book:{row['book_id']}", "用完的票据本没交回",
            f"票据本 {row['code']}（{row['first_number']:07d} 至 {row['last_number']:07d}）{civil(row['last_at']):%m-%d} 已用完，"
            "到今早还没交回。",
            look.now, (), row["terminal"] or "", None, {}, [Step(row["last_at"], "用完最后一号", row["code"])],
            [Evidence("票据本", f"/books?at=p{row['project_id']}", row["code"])],
        )
        for row in await store.full_books(look.tx, midnight)
    ]  # fmt: skip


async def reprints(look: Look) -> list[Finding]:
    """G-02, weekly: a receipt printed again and again, a cashier who reprints more than others."""
    first = look.now - timedelta(days=7)
    week = f"{business_date(first):%m-%d} 至 {business_date(look.now - timedelta(days=1)):%m-%d}"
    found = []
    for row in await store.reprinted(look.tx, first, look.now):
        if row["n"] - 1 <= await look.limit("reprints", row["company_id"]):
            continue
        found.append(
            Finding(
                f"receipt:{row['receipt_id']}:prints:{business_date(look.now)}", row["company_id"], row["project_id"],
                f"receipt:{row['receipt_id']}", "一张收据多次补打",
                f"收据 {row['book']} {row['number']:07d}（{row['object']}）已补打 {row['n'] - 1} 次。", row["at"],
                _people(*row["people"]), "", row["total_fen"], {"reprints": row["n"] - 1},
                [Step(row["at"], f"补打第 {row['n'] - 1} 次", "、".join(row["people"]), True)],
                [Evidence("收据", f"/receipts/{row['receipt_id']}", f"{row['book']} {row['number']:07d}", row["total_fen"])],
            )
        )  # fmt: skip
    for row in await store.reprint_shares(look.tx, first, look.now):
        percent = await look.limit("reprint_percent", row["company_id"])
        if row["again"] <= 2 or row["again"] * 100 <= row["receipts"] * percent:
            continue
        found.append(
            Finding(
                f"cashier:{row['cashier']}:prints:{business_date(look.now)}", row["company_id"], row["project_id"],
                f"user:{row['cashier']}", "收款人补打偏多",
                f"{row['cashier_name']} {week} 开 {row['receipts']} 张收据，补打 {row['again']} 次，超过 {percent}%。", row["at"],
                _people(row["cashier"]), "", None, {"receipts": row["receipts"], "reprints": row["again"]},
                [Step(row["at"], "最近一次补打", row["cashier_name"])],
                [Evidence("这位收款人的收据", f"/receipts?at=p{row['project_id']}&cashier={row['cashier']}", week)],
            )
        )  # fmt: skip
    return found


async def counter_clock(look: Look) -> list[Finding]:
    """G-03: a counter's clock is off; nothing is dated by it, but somebody may have meant it to be."""
    found = []
    for row in await store.clocks(look.tx, look.since):
        seconds = abs(row["offset_ms"]) // 1000
        if seconds <= await look.limit("clock_seconds", row["company_id"]):
            continue
        word = "快" if row["offset_ms"] > 0 else "慢"
        found.append(
            Finding(
                f"terminal:{row['project_id']}:{row['terminal']}:{business_date(row['at'])}", row["company_id"],
                row["project_id"], f"terminal:{row['terminal']}", "窗口时钟不准",
                f"{row['terminal']} 的电脑时钟{word} {seconds // 60} 分 {seconds % 60} 秒。收据日期只用总部时间，不受影响。",
                row["at"],
                _people(row["person"]), row["terminal"], None, {"offset_ms": row["offset_ms"]},
                [Step(row["at"], f"电脑时钟{word} {seconds} 秒", f"{row['person']} · {row['terminal']}", True)],
                [Evidence("这个窗口的收据", f"/receipts?at=p{row['project_id']}&cashier={row['person']}", row["terminal"])],
            )
        )  # fmt: skip
    return found


async def box_jump(look: Look) -> list[Finding]:
    """G-03: a box's clock was moved by more than a minute."""
    found = []
    for row in await store.jumps(look.tx, look.since):
        try:
            body = json.loads(row["raw"])
            body = body.get("body", body)
            jump = int(body["jump_ms"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if abs(jump) // 1000 <= await look.limit("box_jump_seconds", row["company_id"]):
            continue
        word = "拨快" if jump > 0 else "拨慢"
        found.append(
            Finding(
                f"box:{row['box']}:{row['epoch']}:{row['seq']}", row["company_id"], row["project_id"], f"box:{row['box']}",
                "盒子时钟跳变", f"盒子 {row['box']} 的时钟被{word} {abs(jump) // 1000} 秒。停车时长不受影响（另有单调时钟）。",
                row["received_at"], (), row["box"], None, {"jump_ms": jump},
                [Step(row["received_at"], f"时钟{word} {abs(jump) // 1000} 秒", row["box"], True)],
                [Evidence("盒子", f"/fleet?at=p{row['project_id']}", row["box"])],
            )
        )  # fmt: skip
    return found


async def day_not_closed(look: Look) -> list[Finding]:
    """C-34: at six in the morning the system closed a day that somebody should have closed."""
    return [
        Finding(
            f"{row['project_id']}:{row['subject']}", row["company_id"], row["project_id"], row["subject"], "没有人做日结",
            f"{row['subject'].removeprefix('day:')} 没有人日结，次日 06:00 由系统关闭。", row["at"], (), "", None, {},
            [Step(row["at"], "系统关闭日结", "系统", True)],
            [Evidence("日结", f"/shifts?at=p{row['project_id']}", row["subject"].removeprefix("day:"))],
        )
        for row in await store.cash_alarms(look.tx, look.since)
        if row["kind"] == "day_not_closed"
    ]  # fmt: skip


async def shift_too_long(look: Look) -> list[Finding]:
    """C-33: a shift of more than sixteen hours was ended by the system."""
    return [_shift(row, "班次超过 16 小时", "开班超过 16 小时，系统停收", row["closed_at"])
            for row in await store.long_shifts(look.tx, look.since) if row["too_long"]]  # fmt: skip


async def handover_refused(look: Look) -> list[Finding]:
    """C-32: whoever should have taken over a drawer's cash did not; the drawer is frozen."""
    return [_shift(row, "交接被拒，抽屉冻结", "接班人不接这笔现金，抽屉已冻结", row["frozen_at"])
            for row in await store.long_shifts(look.tx, look.since) if row["refused"]]  # fmt: skip


def _shift(row: Mapping[str, Any], title: str, why: str, at: datetime) -> Finding:
    return Finding(
        f"shift:{row['shift_id']}", row["company_id"], row["project_id"], f"shift:{row['shift_id']}", title,
        f"{row['cashier_name']}（{row['terminal']}，{civil(row['opened_at']):%m-%d %H:%M} 开班）：{why}。", at,
        _people(row["cashier"]), row["terminal"], None, {},
        [Step(row["opened_at"], "开班", f"{row['cashier_name']} · {row['terminal']}"), Step(at, why, "", True)],
        [Evidence("班次", f"/shifts?at=p{row['project_id']}", f"{row['cashier_name']} · {row['terminal']}"),
         Evidence("操作日志", f"/audit?object=shift:{row['shift_id']}")],
    )  # fmt: skip


def _people(*numbers: str | None) -> tuple[str, ...]:
    """Each once, nobody twice; the system is nobody."""
    return tuple(dict.fromkeys(one for one in numbers if one and one != "system"))
