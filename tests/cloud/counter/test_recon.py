"""Tender truth (G-09, C-16): what a cashier says was paid by card, transfer or cheque must stand in somebody else's book too."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from cloud.counter import recon, settlement
from cloud.counter import service as counter
from cloud.counter.domain_recon import Ours, Theirs, compare
from cloud.counter.settlement import SettlementColumns
from protocols.errors import Refused
from tests.cloud.counter.test_banking import account
from tests.cloud.counter.test_lapping import HEAD as BANK_HEAD
from tests.support.cash import balance
from tests.support.counter import at_counter
from tests.support.money import EAST, NOON, bill, line

HEAD = "交易日期,参考号,交易金额,手续费,批次号,终端号"
DAY = NOON.date()


@pytest.fixture
async def office(hub, hub_client):
    """(the counter with a cashier and receipts to come, headquarters' browser, the account)."""
    desk = await at_counter(hub)
    there = await account(hub.db)
    await hub_client.log_in("hq_finance", number="0002")
    return desk, hub_client, there


async def pays(desk, room: int, fen: int, method: str, reference: str, *, at: datetime = NOON, key: str = ""):
    async with desk.db.tx(EAST) as tx:
        lines = await bill(tx, line(room, fen))
    wanted = desk.wanted(room, lines[-1:], fen, counter.Offer(method, fen, reference), key=key or f"pay-{room}-{reference}")
    return await desk.pay(wanted, at)


async def settle(client, there: int, *rows: str, name: str = "pos.csv"):
    content = "\n".join([HEAD, *rows]).encode()
    files = {"file": (name, content)}
    answer = await client.post("/api/v1/counter/recon/settlements", data={"account": str(there)}, files=files)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def bank(hub, client, there: int, *rows: str):
    content = "\n".join([BANK_HEAD, *rows]).encode()
    files = {"file": ("bank.csv", content)}
    answer = await client.post("/api/v1/counter/statements", data={"account": str(there)}, files=files)
    assert answer.status_code == 200, answer.text
    await recon.compare_all(hub.db, hub.clock.now())


async def seen(client, state: str = "all", **more: str):
    answer = await client.get("/api/v1/counter/recon", params={"state": state} | more)
    assert answer.status_code == 200, answer.text
    return {one["subject"]: one for one in answer.json()["lines"]}


async def sums(hub, *refs: tuple[str, str | None]) -> list[int]:
    async with hub.db.tx(EAST) as tx:
        assert (await counter.verify(tx)).ok
        return [await balance(tx, root, ref) for root, ref in refs]


async def test_a_card_payment_is_matched_by_its_reference_and_moves_once(hub, office):
    """The innocent one: terminal -> batch less fee at the file, batch -> account with its sum on the statement; again nothing."""
    desk, finance, there = office
    made = await pays(desk, 101, 30_300, "pos", "883412")
    row = "2026-11-24,00883412,303.00,1.82,B0001,T1"
    done = await settle(finance, there, row)
    assert (done["lines"], done["added"], done["matched"], done["again"]) == (1, 1, 1, False)
    clearing, settled = ("provider_clearing", "pos:883412"), ("provider_clearing", "settle:1")
    assert await sums(hub, clearing, settled, ("provider_fee", None)) == [0, 30_118, 182]
    assert (await settle(finance, there, row))["again"]
    assert (await settle(finance, there, row, "2026-11-25,111,9.00,0,B0002,T1", name="b.csv"))["added"] == 1
    await bank(hub, finance, there, "2026-11-25,301.18,银联清算 B0001,S1,商户清算,")
    await recon.compare_all(hub.db, hub.clock.now())
    assert await sums(hub, settled, ("bank", "account:icbc-0417")) == [0, 30_118]
    found = (await seen(finance))[f"tender:{made.id}:1"]
    assert (found["state"], found["how"], found["fee_fen"], found["theirs_fen"]) == ("match", "reference", 182, 30_300)


async def test_cash_booked_as_a_card_payment_that_never_was_stays_only_ours_and_is_late_on_the_third_working_day(hub, office):
    """Cash pocketed, 'card' typed with an invented reference, or with that of somebody else's true payment."""
    desk, finance, there = office
    true = await pays(desk, 101, 30_300, "pos", "883412")
    invented = await pays(desk, 102, 12_000, "pos", "999999")
    twice = await pays(desk, 103, 30_300, "pos", "883412")
    await settle(finance, there, "2026-11-24,883412,303.00,0,B0001,T1")
    found = await seen(finance)
    assert {one["receipt"]: one["state"] for one in found.values()} == {true.id: "match", invented.id: "ours", twice.id: "ours"}
    assert found[f"tender:{invented.id}:1"]["late_from"] == "2026-11-27"
    assert await seen(finance, "open", late="true") == {}
    hub.clock.time = NOON + timedelta(days=3)
    await finance.log_in("hq_finance", number="0003")
    assert set(await seen(finance, "open", late="true")) == {f"tender:{invented.id}:1", f"tender:{twice.id}:1"}
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all(
            "SELECT subject FROM report_counter_tender_matches WHERE late_from <= %s ORDER BY subject", (date(2026, 11, 27),)
        )
        assert [row["subject"] for row in rows] == [f"tender:{invented.id}:1", f"tender:{twice.id}:1"]


async def test_a_smaller_sum_than_the_terminals_is_told_as_different(hub, office):
    """303.00 on the card, 203.00 booked: the difference would be somebody's."""
    desk, finance, there = office
    made = await pays(desk, 101, 20_300, "pos", "883412")
    await settle(finance, there, "2026-11-24,883412,303.00,0,B0001,T1")
    found = (await seen(finance))[f"tender:{made.id}:1"]
    assert (found["state"], found["ours_fen"], found["theirs_fen"]) == ("differs", 20_300, 30_300)
    assert await sums(hub, ("provider_clearing", "pos:883412")) == [20_300]
    body = {"ours": [f"tender:{made.id}:1"], "outside": "pos:1", "reason": "差额不管了", "key": "match-0001"}
    answer = await finance.post("/api/v1/counter/recon/matches", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "amount_differs")


async def test_a_card_payment_that_nobody_booked_is_only_theirs(hub, office):
    desk, finance, there = office
    await settle(finance, there, "2026-11-24,777,45.00,0.27,B0001,T1")
    found = (await seen(finance, "theirs"))["pos:1"]
    assert (found["theirs_fen"], found["project"], found["late_from"]) == (4_500, None, "2026-11-27")
    assert desk.cashier.number


async def test_a_payment_booked_and_voided_is_settled_only_when_the_acquirer_has_neither(hub, office):
    """Void of a card slip (innocent) and void of a true payment whose money stayed (the cashier's cash back)."""
    desk, finance, there = office
    made = await pays(desk, 101, 30_300, "pos", "883412")
    await desk.void(made.id)
    states = {one["how"] for one in (await seen(finance)).values()}
    assert states == {"void"}
    await settle(finance, there, "2026-11-24,883412,303.00,0,B0001,T1")
    found = sorted((one["state"], one["ours_fen"]) for one in (await seen(finance)).values())
    assert found == [("match", 30_300), ("ours", -30_300)]
    await settle(finance, there, "2026-11-24,883412,-303.00,0,B0001,T1", name="back.csv")
    assert {one["state"] for one in (await seen(finance)).values()} == {"match"}
    assert await sums(hub, ("provider_clearing", "pos:883412"), ("provider_clearing", None)) == [0, 0]


@pytest.mark.parametrize(
    "forged",
    [
        "DELETE FROM tender_matches",
        "UPDATE tender_matches SET amount_fen = amount_fen - 100",
        "DELETE FROM pos_row_uses",
        "UPDATE tender_matches SET outside = 'pos:2'",
    ],
)
async def test_a_match_that_was_changed_behind_the_hub_is_found(hub, office, money_admin, forged):
    """G-16: matches are compared with their entries by every verification."""
    desk, finance, there = office
    await pays(desk, 101, 30_300, "pos", "883412")
    await settle(finance, there, "2026-11-24,883412,303.00,0,B0001,T1", "2026-11-24,77,9.00,0,B0001,T1")
    for table in ("tender_matches", "pos_row_uses"):
        money_admin.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    money_admin.execute(forged)
    async with hub.db.tx(EAST) as tx:
        assert [one.what for one in (await counter.verify(tx)).faults] == ["match"]


async def test_one_card_payment_for_two_receipts_is_matched_together_with_its_fee_to_the_fen(hub, office):
    desk, finance, there = office
    await pays(desk, 101, 10_000, "pos", "883412")
    await pays(desk, 102, 20_000, "pos", "883412")
    await settle(finance, there, "2026-11-24,883412,300.00,1.00,B0001,T1")
    found = await seen(finance)
    assert sorted((one["state"], one["fee_fen"]) for one in found.values()) == [("match", 33), ("match", 67)]
    assert await sums(hub, ("provider_clearing", "pos:883412"), ("provider_clearing", None)) == [0, 29_900]


async def test_a_transfer_is_true_when_the_statement_names_its_number(hub, office):
    """By the bank's serial or in the remark; the sum alone is for headquarters, with a reason, and not for the cashier."""
    desk, finance, there = office
    named = await pays(desk, 101, 30_300, "transfer", "2026112477001")
    plain = await pays(desk, 102, 12_000, "transfer", "尾号0417")
    cheque = await pays(desk, 103, 5_000, "cheque", "30501234")
    await bank(
        hub, finance, there, "2026-11-24,303.00,物业费,2026112477001,转账,业主101",
        "2026-11-24,120.00,业主102,S2,转账,业主102", "2026-11-26,50.00,支票 30501234,S3,支票,",
    )  # fmt: skip
    found = {one["receipt"]: one["state"] for one in (await seen(finance)).values() if one["receipt"]}
    assert found == {named.id: "match", plain.id: "ours", cheque.id: "match"}
    assert await sums(hub, ("bank", "account:icbc-0417"), ("bank", "transfer:2026112477001")) == [35_300, 0]
    subject = f"tender:{plain.id}:1"
    one = (await finance.get(f"/api/v1/counter/recon/{subject}")).json()
    assert one["choices"] == ["bank:2"]
    body = {"ours": [subject], "outside": "bank:2", "reason": "付款人与缴款人一致，已看回单", "key": "match-0001"}
    assert (await finance.post("/api/v1/counter/recon/matches", json=body | {"reason": "看过了"})).status_code == 422
    answer = await finance.post("/api/v1/counter/recon/matches", json=body)
    assert answer.status_code == 200, answer.text
    told = answer.json()["lines"][0]
    assert (told["state"], told["how"], told["match_reason"]) == ("match", "decided", "付款人与缴款人一致，已看回单")
    again = await finance.post("/api/v1/counter/recon/matches", json=body | {"key": "match-0002"})
    assert again.status_code == 404
    assert await sums(hub, ("bank", "account:icbc-0417")) == [47_300]
    async with hub.db.tx(EAST) as tx:
        with pytest.raises(Refused, match="own_receipt"):
            other = await pays_and(tx, desk)
            await recon.decide(tx, [other], "bank:9", "自己说了算的", desk.cashier, at=NOON)


async def pays_and(tx, desk) -> str:
    """A transfer of the cashier's and a line of the same sum, in this transaction."""
    lines = await bill(tx, line(104, 700))
    made = await counter.collect(
        tx, desk.wanted(104, lines, 700, counter.Offer("transfer", 700, "X7"), key="own-00001"), desk.who, NOON
    )
    await tx.execute(
        "INSERT INTO bank_statements (company_id, account_id, name, sha256, at, by_id, by_number, lines, added)"
        " VALUES (1, 1, 'x', repeat('a', 64), now(), 1, 'x', 1, 1)"
    )
    await tx.execute(
        "INSERT INTO bank_lines (id, company_id, statement_id, account_id, day, amount_fen, remark, serial, kind)"
        " OVERRIDING SYSTEM VALUE SELECT 9, 1, max(id), 1, '2026-11-24', 700, '', 'S9', 'transfer' FROM bank_statements"
    )
    return f"tender:{made.id}:1"


async def test_a_line_that_proved_a_transfer_confirms_no_slip_and_the_other_way_round(hub, office):
    """Used once, ever: also not as cash."""
    desk, finance, there = office
    await pays(desk, 101, 30_300, "transfer", "2026112477001")
    await bank(hub, finance, there, "2026-11-24,303.00,物业费,2026112477001,转账,业主101")
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all("SELECT line_id, used_for FROM bank_line_uses", ())
    assert [tuple(row.values()) for row in rows] == [(1, "tenders")]
    assert (await finance.get("/api/v1/counter/statements/lines")).json()["lines"] == []
    assert await sums(hub, ("bank", "account:icbc-0417")) == [30_300]
    assert desk.shift.id


async def test_a_difference_has_an_owner_and_ends_with_a_reason_by_headquarters_alone(hub, office, hub_client):
    desk, finance, there = office
    await settle(finance, there, "2026-11-24,777,45.00,0,B0001,T1")
    case = {"subject": "pos:1", "key": "case-00001"}
    assert (await finance.post("/api/v1/counter/recon/owner", json=case)).json()["owner"] == "0002"
    end = case | {"resolution": "not_ours", "reason": "测试交易，收单机构已说明", "key": "case-00002"}
    ended = (await finance.post("/api/v1/counter/recon/resolutions", json=end)).json()
    assert (ended["resolution"], ended["late_from"]) == ("not_ours", None)
    assert await seen(finance, "open") == {}
    assert (await finance.post("/api/v1/counter/recon/resolutions", json=end | {"key": "case-00003"})).status_code == 422
    async with hub.db.tx(EAST) as tx:
        told = await tx.fetch_all("SELECT action FROM audit_log WHERE object = 'pos:1' ORDER BY id", ())
    assert [row["action"] for row in told] == ["recon.take", "recon.resolve"]
    for role, code in (("hq_auditor", 403), ("cashier", 403), ("project_manager", 403)):
        other = hub_client.another()
        await other.log_in(role, **({} if role.startswith("hq") else {"project": 11}))
        assert (await other.post("/api/v1/counter/recon/owner", json=case)).status_code == code
    assert desk.cashier.number


async def test_a_batch_whose_number_the_bank_does_not_print_is_decided_by_its_exact_sum_with_a_reason(hub, office):
    desk, finance, there = office
    await pays(desk, 101, 30_300, "pos", "883412")
    await settle(finance, there, "2026-11-24,883412,303.00,3.00,B0001,T1")
    await bank(hub, finance, there, "2026-11-25,300.00,商户结算,S1,清算,", "2026-11-25,301.00,商户结算,S2,清算,")
    assert await sums(hub, ("provider_clearing", "settle:1"), ("bank", "account:icbc-0417")) == [30_000, 0]
    body = {"batches": [1], "line": 2, "reason": "当天只有这一批", "key": "batch-0001"}
    wrong = await finance.post("/api/v1/counter/recon/batches", json=body)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "amount_differs")
    assert (await finance.post("/api/v1/counter/recon/batches", json=body | {"line": 1})).status_code == 200
    assert await sums(hub, ("provider_clearing", "settle:1"), ("bank", "account:icbc-0417")) == [0, 30_000]
    again = await finance.post("/api/v1/counter/recon/batches", json=body | {"line": 1, "key": "batch-0002"})
    assert again.status_code == 409


async def test_the_page_imports_lists_and_leads_to_the_receipt(hub, office, hub_client):
    desk, finance, there = office
    made = await pays(desk, 101, 30_300, "pos", "999")
    token = finance.headers["x-csrf-token"]
    content = f"{HEAD}\n2026-11-24,777,45.00,0,B0001,T1".encode()
    sent = {"csrf": token, "account": str(there)}
    done = await finance.post("/recon/settlements", data=sent, files={"file": ("a.csv", content)})
    assert done.headers["location"] == "/recon?done=imported&lines=1&added=1&matched=0"
    bad = await finance.post("/recon/settlements", data=sent, files={"file": ("b.csv", b"a,b\n1,2")})
    assert (bad.status_code, "表头要有这几列" in bad.text) == (422, True)
    page = (await finance.get("/recon")).text
    assert made.no in page and "只有对方" in page and "B0001" in page
    assert made.no not in (await finance.get("/recon?state=theirs")).text
    one = (await finance.get(f"/recon/tender:{made.id}:1")).text
    assert f'href="/receipts/{made.id}"' in one and "我来跟" in one
    assert (await finance.post("/recon/pos:1/take", data={"csrf": token})).status_code == 303
    short = await finance.post("/recon/pos:1/resolve", data={"csrf": token, "resolution": "not_ours", "why": "不是"})
    assert (short.status_code, "写明依据" in short.text) == (422, True)
    ended = {"csrf": token, "resolution": "not_ours", "why": "收单机构的测试交易"}
    assert (await finance.post("/recon/pos:1/resolve", data=ended)).status_code == 303
    auditor = hub_client.another()
    await auditor.log_in("hq_auditor")
    assert "导入收单结算文件" not in (await auditor.get("/recon")).text
    assert (await auditor.get("/recon/bank:99")).status_code == 404


def test_a_settlement_file_is_read_with_refunds_and_the_same_payment_twice():
    head = HEAD + ",交易类型"
    rows = [
        "2026-11-24,1,3.00,0.01,B1,T1,消费",
        "2026-11-24,1,3.00,0.01,B1,T1,消费",
        "2026-11-24,2,5.00,0.02,B1,T1,退货",
        "合计,,11.00,,,,",
    ]
    found = settlement.read("\n".join([head, *rows]).encode(), SettlementColumns())
    assert [(one.amount_fen, one.fee_fen) for one in found] == [(300, 1), (300, 1), (-500, -2)]
    assert len({one.serial for one in found}) == 3
    for bad, code in (("2026-11-24,1,0.00,0,B1,T1,", "bad_rows"), ("2026-11-24,,3.00,0,B1,T1,", "bad_rows"),
                      ("2026-11-24,1,3.00,3.00,B1,T1,", "bad_rows"), ("", "empty")):  # fmt: skip
        with pytest.raises(Refused, match=code):
            settlement.read("\n".join([head, bad]).encode(), SettlementColumns())


def test_the_same_reference_of_another_year_or_channel_is_another_payment():
    ours = Ours("tender:1:1", 11, "pos", ("883412",), 100, DAY, "pos:883412")
    same = Theirs("pos:1", "pos", "883412", "", 100, DAY)
    assert len(compare([ours], [same]).matches) == 1
    for other in (
        Theirs("pos:1", "pos", "883412", "", 100, DAY + timedelta(days=30)),
        Theirs("bank:1", "bank", "883412", "", 100, DAY),
    ):
        assert compare([ours], [other]) == compare([], [])
