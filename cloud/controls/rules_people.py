"""Rules about who is logged in where, exports, and whether the books are still the ones that were written (G-16, G-17, G-01)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cloud.controls import store_people_rules as store
from cloud.controls.domain import Evidence, Finding, Step
from cloud.controls.limits import Look
from protocols.time import business_date, civil

_DAY = timedelta(days=1)
_REASONS = {"reset": "盒子重新开始编号（重装或恢复）", "witness_conflict": "盒子记着的账链头和总部不同"}


async def two_terminals(look: Look) -> list[Finding]:
    """G-17: whoever takes money is logged in at two places at once."""
    return [
        Finding(
            f"user:{row['user_id']}:{row['second_started'].isoformat()}", row["company_id"], row["project_id"],
            f"user:{row['number']}",
            "一人在两处登录", f"{row['name']} 在 {row['first_address']} 还在用，{civil(row['second_started']):%H:%M:%S} 又在 "
            f"{row['second_address']} 登录。", row["second_started"], (row["number"],), row["second_address"], None,
            {"first": row["first_address"], "second": row["second_address"]},
            [Step(row["second_started"], f"在 {row['second_address']} 登录", row["name"], True),
             Step(row["first_seen"], f"在 {row['first_address']} 还在操作", row["name"], True)],
            [Evidence("这个人的操作日志", f"/audit?person={row['number']}", row["name"])],
        )
        for row in await store.double_sessions(look.tx, look.now)
    ]  # fmt: skip


async def disabled_log_in(look: Look) -> list[Finding]:
    """G-17: somebody tries the number of a person who was disabled."""
    return [
        Finding(
            f"user:{row['user_id']}:disabled:{business_date(row['at'])}", row["company_id"], row["project_id"],
            f"user:{row['number']}",
            "停用后还在登录",
            f"{row['name']}（{row['number']}）已停用，{civil(row['at']):%H:%M} 又有人用这个工号登录。没有让进。",
            row["at"], (row["number"],), "", None, {"failures": row["failures"]},
            [*([Step(row["disabled_at"], "停用")] if row["disabled_at"] else []),
             Step(row["at"], "用停用的工号登录", "", True)],
            [Evidence("这个工号的操作日志", f"/audit?person={row['number']}", row["name"])],
        )
        for row in await store.disabled_tries(look.tx, look.since)
        if row["disabled_at"] is None or row["at"] > row["disabled_at"]
    ]  # fmt: skip


async def exported(look: Look) -> list[Finding]:
    """G-17: many contacts, or many times a day, leave as a file."""
    found = []
    days: dict[tuple[str, object], list[Mapping[str, Any]]] = {}
    for row in await store.exports(look.tx, look.since - _DAY):
        same = days.setdefault((row["number"], business_date(row["at"])), [])
        same.append(row)
        company = row["company_id"] if row["company_id"] is not None else row["home_company"]
        most, times = await look.limit("export_rows", company), await look.limit("export_times", company)
        if row["at"] <= look.since or row["rows"] <= most and len(same) <= times:
            continue
        many = row["rows"] > most
        why = (
            f"{row['name']} 导出 {row['rows']:,} 行联系人，超过 {most} 行。"
            if many
            else f"{row['name']} 今天第 {len(same)} 次导出联系人，超过 {times} 次。"
        )
        cause = f"export:{row['id']}" if many else f"exports:{row['number']}:{business_date(row['at'])}"
        found.append(
            Finding(
                cause, company, row["home_project"], f"user:{row['number']}", "大量导出联系人", why, row["at"], (row["number"],),
                "",
                None, {"rows": row["rows"], "times": len(same)},
                [Step(one["at"], f"导出 {one['rows']:,} 行", one["name"] or "", one is row) for one in same],
                [Evidence("导出日志", f"/audit?person={row['number']}&action=export", f"{row['rows']:,} 行")],
            )
        )  # fmt: skip
    return found


async def knows_password(look: Look) -> list[Finding]:
    """G-01, Y-02: who approved made the requester's account or chose their password: they could have asked themselves."""
    return [
        Finding(
            row["subject"] if row["subject"].startswith("receipt:") else f"approval:{row['approval_id']}",
            row["company_id"], row["project_id"], row["subject"], "审批人掌握申请人的密码",
            f"{row['title']}：审批人 {row['decided_name'] or row['number']} 开过或重设过"
            f"申请人 {row['requester_name']} 的账号密码。",
            row["at"], tuple(dict.fromkeys((row["requester_number"], row["number"]))), "", row["amount_fen"], {},
            [Step(row["requested_at"], "申请", row["requester_name"]), Step(row["at"], "批准", row["number"], True)],
            [Evidence("审批记录", f"/audit?object=approval:{row['approval_id']}", row["title"], row["amount_fen"]),
             Evidence("申请人账号", f"/audit?person={row['number']}&action=user.", row["requester_name"])],
        )
        for row in await store.known_passwords(look.tx, look.since)
    ]  # fmt: skip


async def chain_broken(look: Look) -> list[Finding]:
    """G-16: a nightly or asked-for verification found a break; in the ledger, the audit log or a box's events."""
    found = [
        Finding(
            f"audit:{row['chain']}:{row['fault']}", row["company_id"], row["project_id"], f"chain:{row['chain']}",
            "操作日志被改动",
            f"日志链 {row['chain']} {row['fault']}。", row["checked_at"], (), "", None, {},
            [Step(row["checked_at"], "校验发现", row["checked_by"], True)],
            [Evidence("操作日志", "/audit", row["chain"])],
        )
        for row in await store.broken_audit(look.tx)
    ]  # fmt: skip
    for proof in await store.proofs(look.tx, look.since):
        for fault in proof["faults"][:20]:
            where = str(fault["where"])
            project = int(where.split(" ")[1]) if where.startswith("project ") else None
            found.append(
                Finding(
                    f"ledger:{where}:{fault['seq']}:{fault['what']}", None, None, where, "台账校验不一致",
                    f"{where} 第 {fault['seq']} 条：{fault['what']}。请立即停用并查清，不要补记。", proof["at"], (), "", None,
                    {"project": project, "detail": str(fault["detail"])[:300]}, [Step(proof["at"], "全量校验发现", "系统", True)],
                    [Evidence("操作日志", "/audit", where)],
                )
            )  # fmt: skip
    return found


async def rolled_back(look: Look) -> list[Finding]:
    """G-16, at once: a chain lost entries, or another stands where its head was: the hub was restored or rewritten."""
    found = [
        Finding(
            f"head:{row['project_id']}:{row['kept_seq']}", row["company_id"], row["project_id"], f"project:{row['project_id']}",
            "台账被回退",
            f"台账在 {civil(row['at']):%m-%d %H:%M} 到过第 {row['kept_seq']} 笔，现在是 {row['seq'] or 0} 笔"
            f"{'，原来的最后一笔不是同一笔' if row['differs'] else ''}。数据库被恢复或改写过。",
            look.now, (), "", None, {"kept": row["kept_seq"], "now": row["seq"]},
            [Step(row["at"], f"第 {row['kept_seq']} 笔", "系统")],
            [Evidence("操作日志", "/audit", f"项目 {row['project_id']}")],
        )
        for row in await store.moved_back(look.tx)
    ]  # fmt: skip
    await store.keep_heads(look.tx, look.now)
    return found


async def box_cloned(look: Look) -> list[Finding]:
    """G-16: two boxes with one identity, or an old image: the box is in quarantine, nothing of it is taken."""
    return [
        Finding(
            f"box:{row['box']}:{row['quarantined_at'].isoformat()}", row["company_id"], row["project_id"], f"box:{row['box']}",
            "盒子被隔离",
            f"盒子 {row['box']} 的数据和总部已有的对不上（{row['quarantine_reason']}），已隔离，不再接收。",
            row["quarantined_at"], (), row["box"],
            None, {"reason": row["quarantine_reason"]}, [Step(row["quarantined_at"], "隔离", row["box"], True)],
            [Evidence("盒子", f"/fleet?at=p{row['project_id']}", row["box"])],
        )
        for row in await store.quarantined(look.tx)
    ]  # fmt: skip


async def box_reset(look: Look) -> list[Finding]:
    """G-16: a box begins anew, or its witness of the books differs."""
    return [
        Finding(
            f"note:{row['id']}", row["company_id"], row["project_id"], f"box:{row['box']}", "盒子重置或见证不符",
            f"盒子 {row['box']}：{_REASONS[row['what']]}。", row["at"], (), row["box"], None, {"what": row["what"]},
            [Step(row["at"], _REASONS[row["what"]], row["box"], True)],
            [Evidence("盒子", f"/fleet?at=p{row['project_id']}", row["box"])],
        )
        for row in await store.box_notes(look.tx, look.since)
    ]  # fmt: skip


async def owner_says(look: Look) -> list[Finding]:
    """G-10: an owner says to headquarters that money was paid which does not show; the project hears nothing of it."""
    return [
        Finding(
            f"report:{row['id']}", None, None, f"report:{row['id']}", "业主说付了款没有显示",
            f"{row['project'] or '没写项目'} {row['room']}：“{row['text']}”，收据 {row['receipt'] or '没有'}。",
            row["at"], (), "", row["amount_fen"], {"phone": row["phone"]},
            [Step(row["at"], "业主直接报给总部", row["phone"], True)],
            [Evidence("按房号找收款", f"/receipts?q={row['room']}", f"{row['project']} {row['room']}", row["amount_fen"]),
             Evidence("操作日志", f"/audit?q={row['room']}", "这一户的操作")],
        )
        for row in await store.owner_reports(look.tx, look.since)
    ]  # fmt: skip
