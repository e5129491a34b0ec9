"""The daily close: never twice, nothing after it, all counter shifts closed before (C-34); months (C-38)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from cloud import proof
from cloud.counter import closing, handover, papers_cash
from cloud.counter import service as counter
from cloud.ledger import service as ledger
from protocols.errors import Conflict, NotFound, Refused
from protocols.time import SHANGHAI
from tests.cloud.counter.test_lane_cash import payment, take
from tests.support.cash import alarm, count_shift, person, takes
from tests.support.hub import CLOSE_KEY, close_key_pem
from tests.support.money import BOTH, EAST, NOON, NORTH, bill, line, request, shift

DAY = NOON.date()
EVENING = NOON + timedelta(hours=8)


async def close(db, *, key: str = "close-0001", day: date = DAY, at: datetime = EVENING, who: int = 2) -> closing.Close:
    async with db.tx(EAST) as tx:
        return await closing.close(tx, 11, day, person(who), CLOSE_KEY, key=key, at=at)


async def test_the_sheet_holds_what_the_day_came_to(money_db, money_admin):
    """C-34: tender by item, receipts from-to, drawers with cash and person, boxes not heard from, whose head it is."""
    money_admin.box("fengqiao-01", 1, 11)
    money_admin.execute("UPDATE boxes SET claimed_at = now() WHERE id = 'fengqiao-01'")
    async with money_db.tx(EAST) as tx:
        lines = await bill(tx, line(101, 22_500), line(101, 7_800, item="water"))
        opened = await shift(tx)
        mixed = (counter.Offer("pos", 10_000, "P1"), counter.Offer("cash", 20_300))
        await counter.collect(tx, request(opened, 101, lines, 30_300, offers=mixed), _who(), NOON)
        await take(tx, payment(7))
    await count_shift(money_db, opened.id, 40_300)
    done = await close(money_db)
    sheet = json.loads(done.sheet)
    assert [(row["item"], row["tender"], row["fen"]) for row in sheet["items"]] == [
        ("parking", "cash", 900),
        ("property", "cash", 12_500),
        ("property", "pos", 10_000),
        ("water", "cash", 7_800),
    ]
    assert (sheet["takings_fen"], sheet["cash_fen"]) == (31_200, 21_200)
    assert [(one["book"], one["first"], one["last"], one["gaps"]) for one in sheet["books"]] == [
        ("FQ-B", 1, 1, []),
        ("fq-01", 7, 7, []),
    ]
    assert [(row["holder"], row["cash_fen"]) for row in sheet["drawers"]] == [("0201", 20_300), ("3001", 900)]
    assert [(row["box"], row["last_seen"]) for row in sheet["boxes"]] == [("fengqiao-01", None)]
    assert [(row["holder"], row["variance_fen"]) for row in sheet["counts"]] == [("0201", 0)]
    assert (done.no, done.seq > 0) == ("RJ-261124", True)


async def test_a_number_that_nobody_has_seen_is_a_gap(money_db):
    """C-07, G-02: a box reported 7 and 9."""
    async with money_db.tx(EAST) as tx:
        await take(tx, payment(7))
        await take(tx, payment(9))
    sheet = json.loads((await close(money_db)).sheet)
    assert sheet["books"][0]["gaps"] == [8]


async def test_two_closes_at_once_close_once(money_db):
    opened = await takes(money_db, 30_300)
    await count_shift(money_db, opened.id, 50_300)
    done = await asyncio.gather(*(close(money_db, key=f"close-{n:04d}") for n in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Close", "Conflict", "Conflict", "Conflict"]
    again = await asyncio.gather(*(close(money_db, key=one.request_key) for one in done if isinstance(one, closing.Close)))
    assert [one.id for one in again] == [one.id for one in done if isinstance(one, closing.Close)]


async def test_an_open_shift_stands_in_the_way_and_is_named(money_db):
    opened = await takes(money_db, 30_300)
    with pytest.raises(Refused, match="shifts_open") as caught:
        await close(money_db)
    assert "窗口 1 收费员1" in caught.value.zh
    assert caught.value.facts["shifts"] == [opened.id]


async def test_a_payment_that_races_the_close_is_in_the_sheet_or_refused(money_db):
    """C-34: nothing is added later. The shift is opened again on purpose, so that only the day stops it."""
    async with money_db.tx(EAST) as tx:
        lines = await bill(tx, *(line(101 + n, 1_000) for n in range(10)))
        opened = await shift(tx)

    async def pay(n: int) -> object:
        async with money_db.tx(EAST) as tx:
            return await counter.collect(tx, request(opened, 101 + n, [lines[n]], 1_000, key=f"key-{n:04d}"), _who(), NOON)

    async def system() -> closing.Close:
        await asyncio.sleep(0.004)
        async with money_db.tx(EAST) as tx:
            return await closing.close(tx, 11, DAY, person(2), CLOSE_KEY, key="close-0001", at=EVENING, system=True)

    done = await asyncio.gather(*(pay(n) for n in range(5)), system(), *(pay(n) for n in range(5, 10)), return_exceptions=True)
    taken = sum(isinstance(one, counter.Receipt) for one in done)
    assert {one.code for one in done if isinstance(one, Refused)} <= {"day_closed"}
    closed = next(one for one in done if isinstance(one, closing.Close))
    assert json.loads(closed.sheet)["takings_fen"] == 1_000 * taken


async def test_a_day_to_come_and_a_clock_that_is_behind(money_db):
    """C-34, Y-20"""
    with pytest.raises(Refused, match="future_day"):
        await close(money_db, day=DAY + timedelta(days=1))
    await close(money_db)
    with pytest.raises(Conflict, match="day_closed"):
        await close(money_db, key="close-0002", day=DAY - timedelta(days=1), at=EVENING - timedelta(days=1))
    with pytest.raises(Refused, match="day_closed"):
        await takes(money_db, 500, at=NOON - timedelta(days=1))


async def test_late_lane_cash_is_in_the_next_days_sheet_with_the_day_it_relates_to(money_db):
    """C-34"""
    await close(money_db)
    async with money_db.tx(EAST) as tx:
        await take(tx, payment(1))
    sheet = json.loads(
        (await close(money_db, key="close-0002", day=DAY + timedelta(days=1), at=EVENING + timedelta(days=1))).sheet
    )
    assert [(row["relating_to"], row["fen"]) for row in sheet["late"]] == [("2026-11-24", 900)]


async def test_at_six_the_system_closes_what_nobody_closed_and_alarms(money_db, listening):
    """C-34: a shift may still be open, its drawer is on the sheet; before six nothing happens; the second run finds nothing."""
    async with money_db.tx(EAST) as tx:
        lines = await bill(tx, line(103, 700))
    opened = await takes(money_db, 30_300, at=EVENING + timedelta(hours=3))
    six = datetime(2026, 11, 25, 6, 0, tzinfo=SHANGHAI)
    assert await closing.close_what_is_open(money_db, six - timedelta(seconds=1), CLOSE_KEY) == 0
    async with listening() as heard:
        assert await closing.close_what_is_open(money_db, six, CLOSE_KEY) == 1
        _, told = await alarm(heard)
    assert (told["kind"], told["subject"]) == ("day_not_closed", "day:2026-11-24")
    assert await closing.close_what_is_open(money_db, six, CLOSE_KEY) == 0
    async with money_db.tx(EAST) as tx:
        found = (await closing.store_closing.closes(tx, [11], 5))[0]
        wanted = request(opened, 103, lines, 700, key="night-0001")
        assert (await counter.collect(tx, wanted, _who(), six)).draft.business_date == DAY + timedelta(days=1)
    assert (found.by_system, found.closed_by) == (True, "system")
    assert [row["cash_fen"] for row in json.loads(found.sheet)["drawers"]] == [30_300]


async def test_two_workers_at_six_close_once(money_db):
    opened = await takes(money_db, 30_300)
    await count_shift(money_db, opened.id, 50_300)
    six = datetime(2026, 11, 25, 6, 0, tzinfo=SHANGHAI)
    assert sum(await asyncio.gather(*(closing.close_what_is_open(money_db, six, CLOSE_KEY) for _ in range(3)))) == 1


async def test_a_close_is_never_changed(money_db):
    import psycopg

    done = await close(money_db)
    for statement in ("UPDATE day_closes SET sheet = '{}'", "DELETE FROM day_closes"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with money_db.tx(EAST) as tx:
                await tx.execute(statement)
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound, match="close_not_found"):
            await closing.close_of(tx, done.id)
        with pytest.raises(NotFound, match="project_not_found"):
            await closing.close(tx, 11, DAY, person(2), CLOSE_KEY, key="close-0009", at=EVENING)


async def test_a_month_is_closed_after_its_days_and_once(money_db):
    """C-38"""
    late = datetime(2026, 12, 1, 9, 0, tzinfo=SHANGHAI)
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Refused, match="days_open"):
            await closing.close_month(tx, 11, DAY, person(2), at=late)
    await close(money_db, day=date(2026, 11, 30), at=late)
    async with money_db.tx(EAST) as tx:
        assert (await closing.close_month(tx, 11, DAY, person(2), at=late)).day == date(2026, 11, 30)
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Conflict, match="month_closed"):
            await closing.close_month(tx, 11, DAY, person(2), at=late)


async def test_closing_over_http_with_its_paper(hub, hub_client):
    await hub_client.log_in("cashier", project=11)
    opened = await takes(hub.db, 30_300)
    body = {"project": 11, "day": "2026-11-24", "key": "close-0001"}
    refused = await hub_client.post("/api/v1/counter/closes", json=body)
    assert (refused.status_code, refused.json()["shifts"]) == (422, [opened.id])
    await count_shift(hub.db, opened.id, 50_300)
    done = await hub_client.post("/api/v1/counter/closes", json=body)
    assert done.json()["sheet"]["cash_fen"] == 30_300
    assert (await hub_client.post("/api/v1/counter/closes", json=body)).json()["id"] == done.json()["id"]
    listed = (await hub_client.get("/api/v1/counter/closes?project=11")).json()
    assert (listed["closed_through"], len(listed["closes"]), listed["blockers"]) == ("2026-11-24", 1, [])
    paper = await hub_client.get(f"/api/v1/counter/closes/{done.json()['id']}.pdf")
    assert paper.content.startswith(b"%PDF")


async def test_what_was_handed_over_stands_on_the_shift_slip(hub, hub_client):
    await hub_client.log_in("cashier", project=11)
    opened = await takes(hub.db, 30_300)
    count = await count_shift(hub.db, opened.id, 50_300)
    async with hub.db.tx(BOTH) as tx:
        await handover.offer(tx, count.id, 20_000, person(1), at=NOON)
    paper = await hub_client.get(f"/api/v1/counter/counts/{count.id}.pdf")
    assert paper.content.startswith(b"%PDF")


def _who() -> counter.Person:
    return counter.Person(1, "0201", "收费员1")


async def test_the_sheet_does_not_tell_a_cashier_what_an_open_drawer_holds(hub, hub_client):
    """C-31 with C-34: the system closes at six while a night shift is open; headquarters sees its cash, the counter does not."""
    await takes(hub.db, 30_300)
    async with hub.db.tx(EAST) as tx:
        done = await closing.close(tx, 11, DAY, person(2), CLOSE_KEY, key="close-0001", at=EVENING, system=True)
    await hub_client.log_in("cashier", project=11)
    finance = hub_client.another()
    await finance.log_in("hq_finance")
    seen = [(await one.get(f"/api/v1/counter/closes/{done.id}")).json()["sheet"]["drawers"][0] for one in (hub_client, finance)]
    assert [row["cash_fen"] for row in seen] == [None, 30_300]
    assert (await hub_client.get(f"/api/v1/counter/closes/{done.id}.pdf")).content.startswith(b"%PDF")


async def test_a_close_is_signed_and_finds_what_was_changed_behind_it(money_db, money_admin):
    """C-34, G-16: its text is a witness file; a close that was moved, or a chain forged after it, is found by it and named."""
    await takes(money_db, 30_300)
    async with money_db.tx(EAST) as tx:
        done = await closing.close(tx, 11, DAY, person(2), CLOSE_KEY, key="close-0001", at=EVENING, system=True)
    assert done.signed is not None
    assert ledger.check_signature(CLOSE_KEY.public_key(), done.signed)
    assert f"closing day 11 {DAY}\n" in done.signed
    assert done.digest in done.signed
    witness = ledger.parse_witness("RJ-261124.txt", done.signed, CLOSE_KEY.public_key())
    async with money_db.tx(BOTH) as tx:
        assert (await counter.verify(tx, [witness])).ok
    money_admin.tamper(f"UPDATE ledger_periods SET day = day - 1 WHERE project_id = 11 AND day = '{DAY}'")
    async with money_db.tx(BOTH) as tx:
        faults = (await counter.verify(tx, [witness])).faults
    assert [(one.what, one.seq) for one in faults if one.what == "closing"][0] == ("closing", done.seq)
    money_admin.tamper(f"UPDATE ledger_periods SET day = day + 1 WHERE project_id = 11 AND seq = {done.seq}")
    forged = done.signed.replace(done.hash, "00" * 32)
    unsigned = ledger.parse_witness("forged", forged, CLOSE_KEY.public_key())
    assert unsigned.unsigned == (f"day 11 {DAY}",)


async def test_a_chain_forged_after_a_signed_close_is_found_by_it(money_db, money_admin, tmp_path):
    """G-16: who controls the whole database writes the last entry anew, with all hashes, sums and the close; the file knows."""
    await takes(money_db, 30_300)
    async with money_db.tx(EAST) as tx:
        done = await closing.close(tx, 11, DAY, person(2), CLOSE_KEY, key="close-0001", at=EVENING, system=True)
    path = tmp_path / "close.txt"
    path.write_text((done.signed or "") + "\n")
    (tmp_path / "close.key").write_bytes(close_key_pem())
    witnesses = proof.read_witnesses([path], tmp_path)
    assert (await proof.verify(money_db, witnesses))["ok"]
    forged = "decode(repeat('ab', 32), 'hex')"
    money_admin.tamper(
        f"UPDATE ledger_entries SET hash = {forged} WHERE project_id = 11 AND seq = {done.seq};"
        f"UPDATE ledger_heads SET hash = {forged} WHERE project_id = 11;"
        f"UPDATE ledger_periods SET hash = {forged} WHERE project_id = 11; UPDATE day_closes SET hash = {forged}"
    )
    faults = (await proof.verify(money_db, witnesses))["faults"]
    assert (f"close.txt: entry {done.seq} is another one" in " ".join(one["detail"] for one in faults)) is True
    own = ledger.close_key(tmp_path).public_key()
    found = await proof.verify(money_db, close_key=own)
    assert any(one["what"] == "witness" and one["detail"].startswith("signed closes") for one in found["faults"])


async def test_a_hub_without_its_close_key_closes_nothing_and_says_why(hub, hub_client, listening, tmp_path):
    """C-34: on the page a sentence, over JSON a Stop, by night an alarm once; the day stays open."""
    hub.settings = hub.settings.model_copy(update={"keys": tmp_path})
    await hub_client.log_in("cashier", project=11)
    opened = await takes(hub.db, 30_300)
    await count_shift(hub.db, opened.id, 50_300)
    body = {"project": 11, "day": str(DAY), "key": "close-0001"}
    answer = await hub_client.post("/api/v1/counter/closes", json=body)
    assert (answer.status_code, answer.json()["code"]) == (500, "no_keys")
    page = await hub_client.get("/shifts?at=p11")
    csrf = page.text.split('name="csrf" value="')[1].split('"')[0]
    shown = await hub_client.post(
        "/shifts/close?at=p11", data={"csrf": csrf, "project": 11, "day": str(DAY), "key": "close-00002"}
    )
    assert shown.status_code == 422
    assert "缺少密钥文件 close.key" in shown.text
    six = datetime(2026, 11, 25, 6, 0, tzinfo=SHANGHAI)
    async with listening() as heard:
        assert await closing.close_what_is_open(hub.db, six, None) == 0
        assert (await alarm(heard))[1]["kind"] == "day_not_closed"
    async with hub.db.tx(EAST) as tx:
        assert await ledger.closed_through(tx, 11) is None


async def test_the_signed_text_is_downloaded_and_printed(hub, hub_client):
    await hub_client.log_in("cashier", project=11)
    done = [
        (await hub_client.post("/api/v1/counter/closes", json={"project": 11, "day": day, "key": f"close-{day}"})).json()
        for day in ("2026-11-23", "2026-11-24")
    ]
    assert done[0]["signed"] is None, "who takes the money does not see it"
    finance = hub_client.another()
    await finance.log_in("hq_finance")
    told = (await finance.get(f"/api/v1/counter/closes/{done[0]['id']}")).json()
    one = await finance.get(f"/api/v1/counter/closes/{done[0]['id']}/witness.txt")
    assert one.text == told["signed"] + "\n"
    both = await finance.get("/api/v1/counter/closes/witness.txt?project=11")
    assert "attachment" in both.headers["content-disposition"]
    witness = ledger.parse_witness("closes", both.text, CLOSE_KEY.public_key())
    assert [str(each.day) for each in witness.closed] == ["2026-11-23", "2026-11-24"]
    other = hub_client.another()
    await other.log_in("cashier", project=21)
    assert (await other.get("/api/v1/counter/closes/witness.txt?project=11")).status_code == 403


async def test_the_sheet_lists_what_was_taken_back_and_given_up(money_db):
    """UI.md 12: voids with their original, waivers and refunds; the paper has a line for each."""
    opened = await takes(money_db, 30_300)
    postings = [ledger.Posting("waiver:property", 500, "line:1"), ledger.Posting("receivable", -500, "line:1")]
    owed = [ledger.Posting("revenue:property", 700, "line:1"), ledger.Posting("refund_payable", -700, "refund:1")]
    async with money_db.tx(EAST) as tx:
        for kind, source, found in (("waiver", "approval:7", postings), ("refund_due", "refund:8", owed)):
            facts = {"by": "0201"}
            await ledger.post(tx, ledger.Request(11, kind, source, NOON, NOON, DAY, found, facts))
        done = await closing.close(tx, 11, DAY, person(2), CLOSE_KEY, key="close-0001", at=EVENING, system=True)
        receipt = await tx.fetch_one("SELECT id FROM receipts WHERE shift_id = %s", (opened.id,))
    sheet = json.loads(done.sheet)
    assert [(row["act"], row["source"], row["by"], row["fen"]) for row in sheet["given"]] == [
        ("waiver", "approval:7", "0201", 500),
        ("refund_due", "refund:8", "0201", 700),
    ]
    assert (receipt is not None, sheet["voids"]) == (True, [])
    paper = papers_cash.close_sheet(done, "华东公司", "枫桥雅苑", EVENING)
    assert len(paper) > len(papers_cash.close_sheet(_without(done), "华东公司", "枫桥雅苑", EVENING))


def _without(done: closing.Close) -> closing.Close:
    """A close from before sheets listed it."""
    sheet = {name: value for name, value in json.loads(done.sheet).items() if name not in ("voids", "given")}
    return replace(done, sheet=json.dumps(sheet))
