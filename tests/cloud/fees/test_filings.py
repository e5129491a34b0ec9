"""The filing beside a price, the pages a reviewer opens, and what headquarters sees of prices and facts (F-03, F-04, G-04)."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal

import pytest

from cloud.estate import tree
from cloud.fees import filings
from cloud.fees import service as fees
from protocols.errors import Refused
from tests.cloud.fees.test_billing import AREA, run
from tests.cloud.fees.test_facts import FEBRUARY, FIRST, JANUARY, METERED, read
from tests.cloud.fees.test_facts import set_up as meter
from tests.cloud.fees.test_repricing import OCTOBER, asked, billed, boss, draft
from tests.support.approvals import decide
from tests.support.money import EAST, NOON

__all__ = ["billed"]
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF"


@pytest.fixture
def folder(hub, tmp_path):
    hub.settings = hub.settings.model_copy(update={"data": tmp_path})
    return tmp_path


async def changes(hub, **where) -> list[dict]:
    async with hub.db.tx(EAST) as tx:
        found = await tx.fetch_all("SELECT * FROM report_fees_price_changes ORDER BY id", ())
    return [row for row in found if all(row[name] == value for name, value in where.items())]


@pytest.mark.parametrize("content", [b"", b"MZ\x90\x00", b"<html>%PDF-", b"PK\x03\x04", b"GIF89a"])
def test_what_is_no_filing_is_refused(content):
    with pytest.raises(Refused, match="not_a_filing"):
        filings.media_of(content)
    with pytest.raises(Refused, match="file_too_large"):
        filings.media_of(b"%PDF-" + bytes(filings.MOST_BYTES))


async def test_a_filing_is_kept_by_its_hash_and_shown_to_the_reviewer(hub, hub_client, billed, folder):
    """F-03: named, hashed, on the card; another company's is not there; a published version keeps the one it has"""
    version = await draft(hub, billed)
    await hub_client.log_in("project_manager", project=11)
    form = {"version": f"{version}", "standard": f"{billed}", "filed_price": "3.20"}
    bad = await hub_client.post("/fees/filing", data=form, files={"file": ("公示.pdf", b"MZ", "application/pdf")})
    assert bad.status_code == 422 and "PDF、JPEG 或 PNG" in bad.text
    none = await hub_client.post("/fees/filing", data=form)
    assert none.status_code == 422 and "先选备案文件" in none.text
    files = {"file": ("..\\C:\\公示.pdf", PDF, "application/pdf")}
    assert (await hub_client.post("/fees/filing", data=form, files=files)).status_code == 303
    page = (await hub_client.get(f"/fees/standards/{billed}")).text
    assert "公示.pdf" in page and "备案价 3.2 元" in page
    sha256 = hashlib.sha256(PDF).hexdigest()
    assert filings.path_of(folder, sha256).read_bytes() == PDF
    shown = await hub_client.get(f"/fees/versions/{version}/filing")
    assert shown.content == PDF and shown.headers["content-type"] == "application/pdf"
    stranger = hub_client.another()
    await stranger.log_in("project_manager", project=21)
    assert (await stranger.get(f"/fees/versions/{version}/filing")).status_code == 404
    assert (await stranger.post("/fees/filing", data=form, files=files)).status_code == 404
    one = await asked(hub, version)
    assert "备案文件 公示.pdf" in one.after
    other = {"file": ("公示.pdf", PDF + b"x", "application/pdf")}
    assert (await hub_client.post("/fees/filing", data=form, files=other)).status_code == 303
    finance = await boss(hub)
    with pytest.raises(Refused, match="filing_changed"):
        await decide(hub, finance, one)
    assert (await hub_client.post("/fees/filing", data=form, files=files)).status_code == 303
    await decide(hub, finance, one)
    late = await hub_client.post("/fees/filing", data=form, files=files)
    assert late.status_code == 422 and "已发布的版本不能再换" in late.text
    (told,) = await changes(hub, kind="price")
    assert (told["below_filed"], told["filed_price"], told["price"]) == (True, Decimal("3.20"), Decimal("3.00"))


async def test_the_reviewers_page_pages_and_totals(hub, hub_client, billed, folder, monkeypatch):
    """F-04"""
    from cloud.fees import pages_filing

    monkeypatch.setattr(pages_filing, "PAGE", 2)
    one = await asked(hub, await draft(hub, billed))
    url = one.payload["page"]
    await hub_client.log_in("hq_finance", project=None)
    card = (await hub_client.get(f"/approvals/{one.id}")).text
    assert url in card and "逐笔看 3 笔应收的差额" in card
    first = (await hub_client.get(url)).text
    assert "1-1-101" in first and "226.47" in first and "289.11" in first and "多 62.64" in first and "1-1-103" not in first
    assert "合计 3 笔" in first and "after=2" in first
    assert "1-1-103" in (await hub_client.get(f"{url}?after=2")).text
    told = (await hub_client.get(f"/api/v1{url}")).json()
    assert told["lines"] == 3 == len(told["rows"]) and told["following"] is None
    assert sum(row["difference_fen"] for row in told["rows"]) == told["more_fen"] == one.amount_fen
    stranger = hub_client.another()
    await stranger.log_in("project_manager", project=21)
    assert (await stranger.get(url)).status_code == 404
    assert (await stranger.get(f"/api/v1{url}")).status_code == 404


async def test_another_multiplier_is_seen_with_what_a_year_comes_to(hub):
    """G-04, G-15: 414.12 yuan were billed in the year; ten times the multiplier is nine times as much more"""
    async with hub.db.tx(EAST) as tx:
        _, (one,) = await meter(tx, METERED, 101)
        await read(tx, one, JANUARY, "120.04", **FIRST)
        batch = await fees.start_run(tx, 11, title="试", through=JANUARY, at=NOON, by="0101")
        await fees.bill_some(tx, batch, 0, at=NOON, by="0101")
        await fees.finish_run(tx, batch, ())
        await fees.publish_run(tx, batch, at=NOON, by="0101")
        await read(tx, one, FEBRUARY, "130", multiplier="10")
    (told,) = await changes(hub, kind="multiplier")
    assert (told["before"], told["after"], told["objects"], told["by"]) == ("倍率 1", "倍率 10", ["1-1-101"], "0301")
    assert told["yearly_fen"] == 9 * 6_914


async def facts(hub) -> list[dict]:
    async with hub.db.tx(EAST) as tx:
        return await tx.fetch_all("SELECT * FROM report_estate_fact_changes ORDER BY id", ())


async def test_an_area_of_a_charged_room_that_shrinks_is_seen_with_its_years_money(hub, hub_client, billed):
    """G-04: 96.37 to 86.37 m2 at 2.35 yuan is 282.00 a year less; by whom and from where the log says"""
    await hub_client.log_in("project_manager", project=11, number="m1")
    async with hub.db.tx(EAST) as tx:
        room = await tree.room_record(tx, 101)
    answer = await hub_client.request("PATCH", "/api/v1/estate/rooms/101", json={"version": room.version, "area": "86.37"})
    assert answer.status_code == 200, answer.text
    (told,) = await facts(hub)
    assert (told["fact"], told["before"], told["after"], told["yearly_fen"]) == ("area", "96.37", "86.37", -28_200)
    assert (told["by"], told["object"], told["audit_id"] is not None) == ("m1", "1-1-101", True)


async def test_a_change_past_the_program_is_seen_too_and_nobody_stands_there(hub, billed, money_admin):
    """G-04, G-16: an UPDATE by a superuser; and what charges nothing stays quiet"""
    money_admin.execute("UPDATE rooms SET area = area - 10 WHERE id IN (101, 109)")
    (told,) = await facts(hub)
    assert (told["object"], told["by"], told["audit_id"]) == ("1-1-101", "", None)


async def test_a_later_start_of_charging_is_seen(hub, billed, money_admin):
    """G-04: 365 days of a room at most"""
    money_admin.execute("UPDATE rooms SET charge_from = '2026-01-01' WHERE id = 101")
    money_admin.execute("UPDATE rooms SET charge_from = '2026-01-11' WHERE id = 101")
    first, second = await facts(hub)
    assert (first["fact"], first["yearly_fen"]) == ("charge_from", None)
    assert (second["before"], second["yearly_fen"]) == ("2026-01-01", -round(10 * 271_763.4 / 365))


async def test_a_name_or_a_note_of_a_room_says_nothing(hub, billed, money_admin):
    """The innocent look-alike (24)"""
    money_admin.execute("UPDATE rooms SET note = '看过房' WHERE id = 101")
    assert await facts(hub) == []
    assert AREA["method"] == "area" and date(2026, 12, 1) > OCTOBER and await run(hub.db)
