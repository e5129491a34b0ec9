"""Opening balances of a project (O-21): read a file, compare its totals with what a person typed, ask, and once approved post.

All or nothing: one wrong row, or a total that differs by a fen, and nothing is opened. A row is opened once in a project, so that
the same file again changes nothing and a longer one adds only what is new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time

from cloud.access.service import Approval, Principal, ask
from cloud.counter import store_opening as store
from cloud.counter.domain_opening import ALIASES, FORMULA, KINDS, Opening, Plan, World, columns_of, letters_of, make_plan
from cloud.counter.store_opening import Run
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import service as wallets
from protocols.errors import Conflict, NotFound, Refused
from protocols.money import Fen, yuan
from protocols.time import SHANGHAI, business_date

OPENING = "opening.balance"
_PAGE = 500
"""Postings of one entry."""


def sheet_of(data: bytes) -> estate.Sheet:
    """The first sheet of an .xlsx; takes seconds for a large one: in a thread. Refused what `estate.read_sheet` refuses."""
    return estate.read_sheet(data, [name for names in ALIASES.values() for name in names])


async def read_file(
    tx: Tx, project_id: int, name: str, sheet: estate.Sheet, controls: Mapping[str, Fen], *, key: str, by: str, at: datetime
) -> Run:
    """Keep a spreadsheet to be looked at; nothing is opened yet. Refused `missing_columns`, `empty`, `merged`."""
    columns = columns_of(sheet.headings, {one: estate.plain_heading(one) for one in sheet.headings})
    if sheet.merged:
        where = next(iter(sheet.merged.values()))
        raise Refused("merged", f"{where} 是合并单元格。请在 Excel 里取消合并，每行都填上", "merged cells", field="file")
    rows = [
        (number, {field: cells[column] for field, column in columns.items() if column < len(cells)})
        for number, cells in sheet.rows
    ]
    letters = letters_of(columns)
    return await _keep(tx, project_id, name, [f"{field}={letters[field]}" for field in columns], rows, controls, key, by, at)


async def read_rows(
    tx: Tx, project_id: int, rows: Sequence[Mapping[str, str]], controls: Mapping[str, Fen], *, key: str, by: str, at: datetime
) -> Run:
    """The same from JSON: field -> text, numbered from 1. Refused `empty`."""
    numbered = [(number, dict(texts)) for number, texts in enumerate(rows, 1)]
    return await _keep(tx, project_id, "API", [], numbered, controls, key, by, at)


async def _keep(
    tx: Tx,
    project_id: int,
    name: str,
    headings: Sequence[str],
    rows: Sequence[tuple[int, Mapping[str, str]]],
    controls: Mapping[str, Fen],
    key: str,
    by: str,
    at: datetime,
) -> Run:
    await estate.get_project(tx, project_id)
    if not rows:
        raise Refused("empty", "表里没有数据", "there are no rows", field="file")
    facts = {"file_name": name[:200], "headings": headings, "rows": rows, "controls": controls, "key": key}
    return await get_run(tx, await store.add(tx, project_id, facts, by, at))


async def get_run(tx: Tx, run_id: int) -> Run:
    """NotFound `opening_not_found`, also outside the scope."""
    return await _run(tx, run_id)


async def runs(tx: Tx, projects: Sequence[int]) -> list[Run]:
    """The latest, newest first."""
    return await store.runs(tx, projects)


async def look(tx: Tx, run_id: int) -> tuple[Run, Plan]:
    """The dry run: what would be opened as the books stand now, and what is wrong with which cell."""
    run = await _run(tx, run_id)
    return run, await _plan(tx, run)


async def drop(tx: Tx, run_id: int) -> None:
    """Not this file. Conflict `opening_over`."""
    run = await _run(tx, run_id, lock=True)
    _at_hand(run)
    await store.set_state(tx, run_id, "dropped")


async def ask_opening(
    tx: Tx, principal: Principal, run_id: int, *, reason: str, key: str, terminal: str, now: datetime
) -> Approval:
    """Ask headquarters to open what is new in a file (kind `opening.balance`).

    Refused `bad_rows`, `totals_differ`, `nothing_new`, those of `ask`; Conflict `opening_over`.
    """
    run = await _run(tx, run_id, lock=True)
    _at_hand(run)
    plan = await _plan(tx, run)
    _sound(run, plan)
    sums = plan.fresh_sums
    told = "，".join(
        f"{KINDS[kind]} {sum(one.kind == kind for one in plan.fresh)} 笔 {yuan(fen)} 元" for kind, fen in sums.items() if fen
    )
    project = await estate.get_project(tx, run.project_id)
    asked = await ask(
        tx,
        principal,
        kind=OPENING,
        project_id=run.project_id,
        subject=f"opening:{run.project_id}",
        title=f"{project.name} 期初余额：{told}",
        amount_fen=sum(sums.values()),
        payload={"run": run.id, "sums": sums},
        before=f"已导入期初 {plan.same} 笔",
        after=f"再导入 {len(plan.fresh)} 笔：{told}",
        reason=reason,
        key=key,
        terminal=terminal,
        now=now,
    )
    await store.set_state(tx, run.id, "asked", approval_id=asked.id)
    return asked


async def opening_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """The approvals' handler: lines, wallets and deposits with their entries against `opening`, all of the file or nothing.

    Refused `bad_rows`, `totals_differ`, `changed_since` when the books are not what they were when it was asked for.
    """
    run_id = approval.payload["run"]
    assert isinstance(run_id, int), "written by ask_opening"
    run = await _run(tx, run_id, lock=True)
    _at_hand(run)
    await store.lock_project(tx, run.project_id)
    plan = await _plan(tx, run)
    _sound(run, plan)
    if plan.fresh_sums != approval.payload["sums"]:
        raise Refused("changed_since", "申请以后账上有变化，请重新试读再申请", "the books changed since", field="approval")
    project = await estate.get_project(tx, run.project_id)
    await _post(tx, project, run, plan.fresh, approval, now)
    await store.add_items(tx, run.project_id, run.id, plan.fresh)
    result = {kind: sum(one.kind == kind for one in plan.fresh) for kind in KINDS} | {"same": plan.same}
    await store.set_state(tx, run.id, "posted", result=result)


async def _post(tx: Tx, project: estate.Project, run: Run, found: Sequence[Opening], approval: Approval, now: datetime) -> None:
    rooms = await estate.rooms_of(tx, project.id)
    by = approval.requester_number
    held = [one for one in found if one.kind != "arrears"]
    entries = []
    for start in range(0, len(held), _PAGE):
        source = f"opening:{run.id}:{start // _PAGE + 1}"
        postings = [await _held(tx, project.id, rooms[one.room], one, source, now, by) for one in held[start : start + _PAGE]]
        against = ledger.Posting(ledger.Account.OPENING, -sum(one.amount_fen for one in postings), f"opening:{run.id}")
        entries.append((source, [*postings, against]))
    lines = await _lines(tx, rooms, [one for one in found if one.kind == "arrears"])
    if lines:
        # Posting locks the project's chain, so it comes last.
        made = await fees.add_lines(
            tx, company_id=project.company_id, project_id=project.id, lines=lines, at=now, by=by, against=ledger.Account.OPENING
        )
        if made != len(lines):
            raise Refused("changed_since", "有几笔欠费在申请以后出过账，请重新试读", "lines were billed meanwhile")
    body = {"run": run.id, "approval": approval.id, "by": by}
    for source, postings in entries:
        await ledger.post(tx, ledger.Request(project.id, "opening", source, now, now, business_date(now), postings, body))


async def _held(tx: Tx, project_id: int, room: estate.Room, one: Opening, source: str, now: datetime, by: str) -> ledger.Posting:
    if one.kind == "wallet":
        wallet = await wallets.wallet(tx, project_id, room_id=room.id, purpose=one.item)
        return await wallets.credit(tx, wallet.id, one.amount_fen, kind="adjust", source=source, at=now, by=by)
    new = wallets.NewDeposit(
        one.item, one.object, one.amount_fen, FORMULA, room_id=room.id, payer_id=room.payer_id, condition=one.note
    )
    at = now if one.received is None else datetime.combine(one.received, time(12), SHANGHAI)
    return (await wallets.take(tx, project_id, new, source=source, at=at, by=by))[1]


async def _lines(tx: Tx, rooms: Mapping[str, estate.Room], found: Sequence[Opening]) -> list[fees.NewLine]:
    """Whoever paid the item when it fell due owes it; else who pays for the room now."""
    payers = {}
    for day in {one.due for one in found}:
        ids = [rooms[one.room].id for one in found if one.due == day]
        payers[day] = await estate.payers_of(tx, ids, day)
    return [
        fees.NewLine(
            item=one.item,
            room_id=rooms[one.room].id,
            object=one.object,
            payer_id=payers[one.due][rooms[one.room].id].of(one.item) or rooms[one.room].payer_id,
            period_from=one.period_from,
            period_to=one.period_to,
            formula=FORMULA,
            amount_fen=one.amount_fen,
            due_date=one.due,
        )
        for one in found
    ]


async def _plan(tx: Tx, run: Run) -> Plan:
    project = await estate.get_project(tx, run.project_id)
    rooms = await estate.rooms_of(tx, run.project_id)
    named = sorted({texts.get("room", "").strip() for _, texts in run.rows})
    world = World(
        frozenset(rooms),
        await store.items(tx, project.company_id),
        await store.opened(tx, run.project_id),
        frozenset(await store.billed(tx, run.project_id, named)),
    )
    cells = dict(one.split("=", 1) for one in run.headings)
    return make_plan(run.rows, cells, world)


def _sound(run: Run, plan: Plan) -> None:
    if plan.problems:
        first = plan.problems[0]
        zh = f"有 {len(plan.problems)} 处要改，例如 {first.cell}：{first.reason}。一笔也没有导入"
        raise Refused("bad_rows", zh, f"{len(plan.problems)} cells are wrong", field="rows")
    for kind, fen in plan.differences(run.controls).items():
        zh = (
            f"{KINDS[kind]}合计：文件里是 {yuan(plan.sums[kind])} 元，您填的是 {yuan(run.controls.get(kind, 0))} 元，"
            f"相差 {yuan(abs(fen))} 元。一笔也没有导入"
        )
        raise Refused("totals_differ", zh, f"{kind}: the file has {plan.sums[kind]} fen", field=kind, difference_fen=fen)
    if not plan.fresh:
        raise Refused("nothing_new", "这些期初都已经导入过，没有新的", "everything in it was opened before", field="rows")


def _at_hand(run: Run) -> None:
    if run.state in ("posted", "dropped"):
        raise Conflict("opening_over", "这个文件已经处理完", f"opening {run.id} is {run.state}", field="opening")


async def _run(tx: Tx, run_id: int, *, lock: bool = False) -> Run:
    found = await store.run(tx, run_id, lock=lock) if 0 < run_id < 2**62 else None
    if found is None:
        raise NotFound("opening_not_found", "没有这次期初导入", f"no opening {run_id}", field="opening")
    return found
