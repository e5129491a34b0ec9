"""What busier days of a company leave behind, so that every route of the walk has something of its own to show."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO

from PIL import Image

from cloud.access import service as access
from cloud.access.service import Principal
from cloud.app import approval_handlers, job_runners
from cloud.arrears import service as arrears
from cloud.controls import service as controls
from cloud.controls.domain import Finding
from cloud.counter import banking, closing, handover, opening, photos, shifts, store_banking
from cloud.counter import service as counter
from cloud.fees import contracts, filings
from cloud.fees import service as fees
from cloud.fleet.pictures import Place as BoxPlace
from cloud.fleet.pictures import keep as keep_picture
from cloud.ledger import service as ledger
from cloud.notices import service as notices
from cloud.shared import jobs
from cloud.shared.db import Scope, Tx
from cloud.shared.hub import Hub
from cloud.wallets import service as wallets
from tests.support.approvals import decide, person
from tests.support.cash import notes
from tests.support.held import DEPOSIT
from tests.support.hub import CLOSE_KEY, NOON
from tests.support.month_world import AREA, TERM

YESTERDAY = NOON - timedelta(days=1)
RENT = {
    "method": "rent", "price": "100", "rent_of": "area", "area_kind": "gross", "step": "0.05", "proration_start": "actual",
    "proration_end": "actual", "on_price_change": "keep", "refund_running": False,
}  # fmt: skip


@dataclass(frozen=True)
class Where:
    """A company, one project and room of it; its box."""

    company: int
    project: int
    room: int
    box: str

    @property
    def scope(self) -> Scope:
        return Scope(frozenset({self.company}))


async def busy_days(hub: Hub, where: Where) -> None:
    hub.approval_handlers, hub.job_runners = approval_handlers(), job_runners()
    name = f"w{where.company}"
    place = {"company": where.company, "project": where.project}
    cashier = await person(hub, f"{name}-cash", "cashier", **place)
    manager = await person(hub, f"{name}-lead", "project_manager", **place)
    finance = await person(hub, f"{name}-hq", "hq_finance")
    await cash(hub, where, cashier, manager)
    await refund(hub, where, manager, finance, cashier)
    await charges(hub, where, manager)
    await messages(hub, where, manager)
    async with hub.db.tx(where.scope) as tx:
        box, content = BoxPlace(where.box, where.company, where.project), jpeg(where)
        await keep_picture(tx, hub.settings.data, box, hashlib.sha256(content).hexdigest(), content, NOON)


def jpeg(where: Where) -> bytes:
    """A small picture that no other company has."""
    held = BytesIO()
    Image.new("RGB", (64, 48), (where.company * 40, 90, 120)).save(held, "JPEG")
    return held.getvalue()


async def cash(hub: Hub, where: Where, cashier: Principal, manager: Principal) -> None:
    """Yesterday: a top-up and a deposit, the count, the hand-over, the close, today the slip with its photo."""
    who = counter.Person(cashier.user_id or 0, cashier.number, cashier.name)
    async with hub.db.tx(where.scope) as tx:
        await fees.put_items(tx, where.company, [DEPOSIT])
        account = await store_banking.add_account(tx, where.company, f"icbc-{where.company}", "示例银行", "0417", "基本户")
        assert account is not None
        shift = await counter.open_shift(
            tx, project_id=where.project, person=who, terminal="窗口 7", float_fen=20_000, at=YESTERDAY, float_reason="备用金"
        )
        request = counter.CollectRequest(
            where.project, where.room, (), (counter.Offer("cash", 60_000),), 0, f"busy-{where.company:04d}", shift.id, "窗口 7",
            top_ups=(counter.TopUp("general", 10_000),), deposits=(counter.DepositTaken("renovation", 50_000, "装修"),),
        )  # fmt: skip
        await counter.collect(tx, request, who, YESTERDAY)
        count = await shifts.count_shift(tx, shift.id, notes(80_000), cashier, key=f"busy-count-{where.company}", at=YESTERDAY)
        offered = await handover.offer(tx, count.id, 20_000, cashier, at=YESTERDAY)
        assert offered.handover_id is not None
        await handover.confirm(tx, offered.handover_id, 60_000, 20_000, manager, at=YESTERDAY)
        day = YESTERDAY.date()
        await closing.close(tx, where.project, day, cashier, CLOSE_KEY, key=f"busy-close-{where.company}", at=NOON)
        slip = await banking.make_slip(tx, where.project, [day], account, manager, key=f"busy-slip-{where.company}", at=NOON)
        await photos.keep(tx, hub.settings.data, slip, jpeg(where), manager, at=NOON)


async def refund(hub: Hub, where: Where, manager: Principal, finance: Principal, cashier: Principal) -> None:
    """A part of the deposit goes back in cash."""
    async with hub.db.tx(where.scope) as tx:
        (deposit,) = await wallets.deposits_of_room(tx, where.project, where.room)
        new = wallets.NewRefund(f"deposit:{deposit.id}", 5_000, "cash", f"业主{where.room}", "", "验收合格")
        asked = await wallets.ask_refund(tx, manager, new, key=f"busy-back-{where.company}", terminal="", now=NOON)
    await decide(hub, finance, asked)
    async with hub.db.tx(where.scope) as tx:
        row = await tx.fetch_one("SELECT id FROM refunds WHERE approval_id = %s", (asked.id,))
        assert row is not None
        account, ref = ledger.Account.CASH_DRAWER, "shift:1"
        await wallets.pay_out(tx, cashier, row["id"], account=account, ref=ref, reference=f"TK{row['id']:06d}", now=NOON)


async def charges(hub: Hub, where: Where, manager: Principal) -> None:
    """A standard with its filing, charged from September on; a run of drafts; a price that is changed back in time; a lease."""
    async with hub.db.tx(where.scope) as tx:
        term = await fees.add_term(tx, where.company, code="busy", name="按月", document=TERM, at=NOON, by="test")
        made = await fees.add_standard(tx, where.project, item="property", code="busy", name="住宅物业费", at=NOON, by="test")
        first = await version(tx, made, term.id, date(2020, 1, 1), AREA)
        await filings.attach(
            tx, manager, hub.settings.data, first, name="备案.pdf", content=b"%PDF-1.4 " + where.box.encode(), price=None, at=NOON
        )
        await fees.publish(tx, first, at=NOON, by="0002")
        new = fees.NewAssignment(made, where.room + 1, f"1-1-{where.room + 1}", date(2026, 9, 1))
        await fees.assign(tx, made, [new], at=NOON, by="test")
        batch = await fees.start_run(tx, where.project, title="9 月", through=date(2026, 9, 30), at=NOON, by="test")
        await fees.bill_some(tx, batch, 0, at=NOON, by="test")
        await fees.finish_run(tx, batch, ())
        await fees.publish_run(tx, batch, at=NOON, by="test")
        dearer = await version(tx, made, term.id, date(2026, 9, 1), AREA | {"price": "3.00"})
        await fees.ask_publish(tx, manager, dearer, key=f"busy-price-{where.company}", terminal="", now=NOON)
        rent = [fees.Item(one, one, "rent", False, True, 10, 10) for one in ("rent", "turnover")]
        await fees.put_items(tx, where.company, rent)
        lease = contracts.NewContract(
            f"HT-{where.company}", where.room, (where.room + 2,), date(2026, 1, 1), date(2029, 1, 1), term.id, RENT
        )
        await contracts.add(tx, where.project, lease, at=NOON, by="test")


async def version(tx: Tx, standard: int, term: int, since: date, rules: object) -> int:
    found = await fees.draft_version(
        tx,
        standard,
        effective_from=since,
        document=rules,
        term_id=term,
        reason="定价",
        at=NOON,
        by="test",  # type: ignore[arg-type]
    )
    return found.id


async def messages(hub: Hub, where: Where, manager: Principal) -> None:
    """A message that waits, a dunning notice, an incident of headquarters, opening balances that were read."""
    async with hub.db.tx(where.scope) as tx:
        row = {"kind": "wallet", "room": f"1-1-{where.room}", "item": "general", "amount": "1.00"}
        await opening.read_rows(tx, where.project, [row], {"wallet": 100}, key=f"busy-{where.company}", by="test", at=NOON)
        await notices.queue(
            tx, company_id=where.company, project_id=where.project, kind="walked",
            to=notices.To("业主", "13800000000", where.room), text="【物业】测试", channel="sms", subject=f"owner:{where.room}",
            money=False, not_before=NOON, key="walked",
        )  # fmt: skip
        lines = [one.id for one in await fees.open_lines(tx, where.project, where.room + 1, NOON.date())]
        order = arrears.Order(where.project, "reminder", NOON.date() + timedelta(days=14), lines, {})
        job = await arrears.start(
            tx, manager, order, company_id=where.company, title="催费单", key=f"busy-{where.company}", now=NOON
        )
    await jobs._run(hub, job)
    finding = Finding("walked", where.company, where.project, "line:1", "走查", "走查用的一件", NOON)
    async with hub.db.tx(await access.everything(hub.db)) as tx:
        await controls.raise_alarm(tx, "G-05", "walked", finding, NOON)
