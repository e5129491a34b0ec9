"""抹零: off by default, limited, its own line that balances, undone with its receipt; or kept for him (C-18, UI.md 19.1)."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from io import BytesIO

import pytest
from pypdf import PdfReader

from cloud.access import settings
from cloud.app import approval_handlers
from cloud.counter import refunding, rounding
from cloud.counter import service as counter
from cloud.ledger import service as ledger
from protocols.errors import Conflict, Refused
from tests.cloud.counter.test_pages import fields
from tests.support.approvals import decide
from tests.support.cash import balance, count_shift
from tests.support.counter import at_counter, proved, state, takings
from tests.support.held import top_up
from tests.support.hub import PASSWORD
from tests.support.money import EAST, NOON, bill, line


@pytest.fixture
async def desk(hub):
    return await at_counter(hub)


async def owing(desk, *fen: int) -> list[int]:
    async with desk.db.tx(EAST) as tx:
        return await bill(tx, *(line(101, one, start=NOON.date().replace(month=n, day=1)) for n, one in enumerate(fen, 5)))


async def put(desk, name: str, value: object) -> None:
    async with desk.db.tx(desk.finance.scope) as tx:
        past = await settings.versions(tx, name, None)
        version = past[0]["version"] if past else 0
        await settings.change(tx, desk.finance, name, value, company_id=None, version=version, reason="试行", at=NOON)


async def switched_on(desk, mode: str = "discount", unit: str = "jiao") -> None:
    await put(desk, rounding.HOW, {"mode": mode, "unit": unit})


async def pay(desk, lines: list[int], due: int, off: int, *, cash: int | None = None, key: str = "key-0001", **more: object):
    offer = counter.Offer("cash", due - off if cash is None else cash)
    return await desk.pay(desk.wanted(101, lines, due, offer, key=key, round_fen=off, **more))


async def refused(desk, code: str, lines: list[int], due: int, off: int, **more: object) -> None:
    with pytest.raises(Refused, match=code):
        await pay(desk, lines, due, off, **more)


async def test_nobody_rounds_off_unless_headquarters_says_so(desk):
    lines = await owing(desk, 30_307)
    await refused(desk, "rounding_off", lines, 30_307, 7)
    await switched_on(desk, "wallet")
    await refused(desk, "rounding_off", lines, 30_307, 7)
    assert (await proved(desk.db))["counter"] == 0


async def test_only_the_cents_of_a_whole_cash_payment(desk):
    """Not more, not less, not of a card's payment, not of a part, not under an earlier day."""
    lines = await owing(desk, 30_307)
    await switched_on(desk)
    for off in (6, 8, 17, 99):
        await refused(desk, "amount_changed", lines, 30_307, off)
    await refused(desk, "rounding_off", lines, 30_307, -7)
    await refused(desk, "rounding_off", lines, 30_307, 7, part_fen=20_007)
    await refused(desk, "rounding_off", lines, 30_307, 7, chosen=((lines[0], 20_007),))
    with pytest.raises(Refused, match="rounding_off"):
        card = counter.Offer("pos", 30_300, "A1")
        await desk.pay(desk.wanted(101, lines, 30_307, card, round_fen=7))
    with pytest.raises(Refused, match="rounding_off"):
        async with desk.db.tx(EAST) as tx:
            wanted = desk.wanted(101, lines, 30_307, counter.Offer("cash", 30_300), round_fen=7)
            yesterday = NOON.date() - timedelta(days=1)
            await counter.ask_late_entry(tx, desk.cashier, wanted, yesterday, reason="手写收据", now=NOON)
    assert (await proved(desk.db))["counter"] == 0


async def test_a_receipt_and_a_day_have_their_limits(desk):
    """C-18: the day's limit is the project's; what was taken back counts no more."""
    lines = await owing(desk, 10_007, 10_009, 10_008)
    await switched_on(desk)
    await put(desk, rounding.A_RECEIPT, 8)
    await refused(desk, "rounding_limit", [lines[1]], 10_009, 9)
    await put(desk, rounding.A_DAY, 14)
    first = await pay(desk, [lines[0]], 10_007, 7)
    await refused(desk, "rounding_limit", [lines[2]], 10_008, 8, key="key-0002")
    await desk.void(first.id)
    await pay(desk, [lines[2]], 10_008, 8, key="key-0003")
    assert (await proved(desk.db))["counter"] == 3


async def test_two_counters_do_not_pass_the_days_limit_together(desk, hub):
    lines = await owing(desk, 10_007, 10_007)
    await switched_on(desk)
    await put(desk, rounding.A_DAY, 13)
    done = await asyncio.gather(*(pay(desk, [one], 10_007, 7, key=f"key-000{one}") for one in lines), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Receipt", "Refused"], done
    await proved(desk.db)


async def test_its_own_line_balances_and_shows(desk):
    """C-18: on the paper, in the ledger on its own account, on the day's sheet; the lines are paid whole; the key names it."""
    lines = await owing(desk, 30_307)
    await switched_on(desk)
    paid = await pay(desk, lines, 30_307, 7, cash=30_400)
    last = paid.draft.lines[-1]
    assert (paid.draft.total_fen, paid.draft.change_fen) == (30_300, 100)
    assert (last.item, last.item_name, last.amount_fen, last.formula) == (
        "discount:rounding",
        "抹零",
        -7,
        "应收 303.07，少收零头",
    )
    async with desk.db.tx(EAST) as tx:
        assert await balance(tx, "discount") == 7
        assert await balance(tx, "receivable") == 0
        assert await takings(tx) == {"cash": 30_300}
        (row,) = await tx.fetch_all("SELECT status, paid_fen FROM charge_lines WHERE id = %s", (lines[0],))
        assert (row["status"], row["paid_fen"]) == ("paid", 30_307)
        pdf = await counter.print_receipt(tx, paid.id, desk.who, NOON, "https://hub")
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    assert "抹零" in text and "303.07" in text and "−0.07" in text
    assert (await pay(desk, lines, 30_307, 7, cash=30_400)).id == paid.id
    with pytest.raises(Conflict, match="key_used"):
        await pay(desk, lines, 30_307, 0, cash=30_400)
    await proved(desk.db)


async def test_it_is_undone_with_its_receipt(desk):
    """Q-63: voided; moved to another room the same money pays there, less nothing."""
    lines = await owing(desk, 30_307)
    await switched_on(desk)
    async with desk.db.tx(EAST) as tx:
        before = await state(tx)
    paid = await pay(desk, lines, 30_307, 7)
    await desk.void(paid.id)
    async with desk.db.tx(EAST) as tx:
        assert await state(tx) == before
        assert await balance(tx, "discount") == 0
        other = await bill(tx, line(102, 50_000))
    again = await pay(desk, lines, 30_307, 7, key="key-0002")
    async with desk.db.tx(EAST) as tx:
        asked = await counter.ask_move(
            tx, desk.cashier, again.id, 102, reason="收错户", key="move-0001", terminal="窗口 1", now=NOON
        )
    await desk.decide(asked)
    (moved,) = await desk.newest()
    assert ({one.charge_line: one.amount_fen for one in moved.draft.lines}, moved.draft.total_fen) == (
        {other[-1]: 30_300},
        30_300,
    )
    await proved(desk.db)


async def test_a_refund_gives_back_what_was_paid(desk, hub):
    """C-12: after the shift's close, line by line: what was let go of comes off once."""
    hub.approval_handlers = approval_handlers()
    lines = await owing(desk, 20_000, 10_007)
    await switched_on(desk)
    paid = await pay(desk, lines, 30_007, 7)
    await count_shift(desk.db, desk.shift.id, 50_000)
    back = []
    for n in (1, 2):
        wanted = refunding.Wanted(paid.id, (n,), "mistake", "transfer", "业主101", "6222")
        async with desk.db.tx(EAST) as tx:
            asked = await refunding.ask_receipt_refund(
                tx, desk.manager, wanted, reason="收错户", key=f"ask-000{n}", terminal="窗口 1", now=NOON
            )
        back.append(asked.amount_fen)
        await decide(hub, desk.finance, asked)
    assert back == [20_000, 10_000]
    async with desk.db.tx(EAST) as tx:
        assert await balance(tx, "discount") == 0
        assert await balance(tx, "receivable") == 30_007
    await proved(desk.db)


async def test_what_no_coin_gives_back_is_kept_for_the_payer(desk):
    """UI.md 19.1, the other value: the change is what coins can make, the rest a line into the general wallet."""
    lines = await owing(desk, 109_157)
    await switched_on(desk, "wallet")
    paid = await pay(desk, lines, 109_157, 0, cash=110_000)
    last = paid.draft.lines[-1]
    assert (paid.draft.change_fen, last.item, last.amount_fen) == (840, "prepayment:general", 3)
    assert (await pay(desk, lines, 109_157, 0, cash=110_000)).id == paid.id
    await proved(desk.db)


async def test_exact_cash_cards_and_wallets_keep_nothing(desk):
    lines = await owing(desk, 10_007, 10_007, 10_007)
    await switched_on(desk, "wallet")
    async with desk.db.tx(EAST) as tx:
        wallet = await top_up(tx, 5_000)
    exact = await pay(desk, lines[:1], 10_007, 0)
    mixed = await desk.pay(
        desk.wanted(101, lines[1:2], 10_007, counter.Offer("wallet", 5_000, f"wallet:{wallet}"), counter.Offer("cash", 5_010),
                    key="key-0002")
    )  # fmt: skip
    card = await desk.pay(desk.wanted(101, lines[2:], 10_007, counter.Offer("pos", 10_007, "A1"), key="key-0003"))
    assert [one.draft.change_fen for one in (exact, mixed, card)] == [0, 3, 0]
    assert all(len(one.draft.lines) == 1 for one in (exact, mixed, card))
    await proved(desk.db)


def test_what_may_go():
    """Never a whole payment, never more than the limits leave."""
    ten, hundred = rounding.Rounding("discount", 10, 99), rounding.Rounding("discount", 100, 50)
    assert [ten.off(fen) for fen in (30_307, 30_300, 9, 10, 11)] == [7, 0, 0, 0, 1]
    assert [hundred.off(fen) for fen in (30_349, 30_351, 99)] == [49, 0, 0]
    assert rounding.Rounding().off(30_307) == 0


async def test_the_desk_shows_it_and_takes_it(desk, hub_client):
    """Ticked where headquarters switched it on; changed sums come back; unticked, all is due."""
    await owing(desk, 30_307)
    await switched_on(desk)
    answer = await hub_client.post("/api/v1/login", json={"number": "0201", "password": PASSWORD})
    hub_client.headers["x-csrf-token"] = answer.json()["csrf"]
    page = (await hub_client.get("/desk?room=101")).text
    assert "抹零 −0.07" in page and re.search(r'name="round" value="1" checked', page)
    form = fields(page)
    wrong = await hub_client.post("/desk/collect", data=form | {"round": "1", "roundseen": "9", "tendered": "310"})
    assert wrong.status_code == 422 and "抹零的金额变了" in wrong.text
    bare = (await hub_client.post("/desk/sums", data=form | {"tendered": "303"})).text
    assert "还少 0.07" in bare
    sums = (await hub_client.post("/desk/sums", data=form | {"round": "1", "tendered": "303"})).text
    assert "还少" not in sums
    done = await hub_client.post("/desk/collect", data=form | {"round": "1", "tendered": "303"})
    assert done.status_code == 303, done.text
    shown = (await hub_client.get(done.headers["location"])).text
    assert "收好了 303.00 元" in shown
    assert (await hub_client.get("/desk?room=101")).text.count("没有零头") == 1
    async with desk.db.tx(EAST) as tx:
        assert await ledger.balanced(tx)
