"""Leases: rent by year, rent-free spans, several shops, deposit in months, drafts until published (F-15, Q-18, Q-29)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from cloud.fees import contracts
from cloud.fees import service as fees
from cloud.fees.catalogue import offered, terms
from protocols.errors import Conflict, NotFound, Refused
from tests.cloud.fees.test_facts import run
from tests.support.money import EAST, NOON

ITEMS = [fees.Item(one, one, "rent", False, True, 10, 10) for one in ("rent", "turnover")]
RENT = {
    "method": "rent", "price": "100", "rent_of": "area", "area_kind": "gross", "step": "0.05", "proration_start": "actual",
    "proration_end": "actual", "on_price_change": "keep", "refund_running": False,
}  # fmt: skip
FROM, TO = date(2026, 1, 1), date(2029, 1, 1)


async def term(tx) -> int:
    await fees.put_items(tx, 1, ITEMS)
    name, rules = terms()["month_advance"]
    return (await fees.add_term(tx, 1, code="month_advance", name=name, document=rules, at=NOON, by="0101")).id


async def lease(tx, **more) -> int:
    new = {"number": "HT-2026-001", "owner_id": 101, "rooms": (101, 102), "from_day": FROM, "to_day": TO, "rent": RENT}
    cut = await term(tx)
    return await contracts.add(tx, 11, contracts.NewContract(**({"term_id": cut} | new | more)), at=NOON, by="0101")


async def test_the_table_rounds_each_shop_each_year(money_db):
    """Q-18: 96.37 m2 x 100 = 9,637.00, x 1.05 = 10,118.85, x 1.05 = 10,624.79; two shops"""
    async with money_db.tx(EAST) as tx:
        found = await contracts.get(tx, await lease(tx, deposit_months=Decimal("3")))
        years, version = await contracts.rent_table(tx, found)
    assert [one.rent_fen for one in years] == [2 * 963_700, 2 * 1_011_885, 2 * 1_062_479]
    assert [(one.first, one.last) for one in years][2] == (date(2028, 1, 1), date(2028, 12, 31))
    assert found["deposit_fen"] == 3 * 2 * 963_700 and found["shops"] == "1-1-101、1-1-102"
    assert version is not None and version.state == "draft"


async def test_rent_is_billed_once_published_with_the_rent_free_months_free(money_db):
    """Q-29: January and half of February free; the lines say what the table says"""
    async with money_db.tx(EAST) as tx:
        made = await lease(tx, rooms=(101,), rent_free=((FROM, date(2026, 2, 15)),))
        assert (await run(tx, date(2026, 3, 1))).lines == 0
        _, version = await contracts.rent_table(tx, await contracts.get(tx, made))
        await fees.publish(tx, version.id, at=NOON, by="0002")
        batch = (await run(tx, date(2026, 3, 1))).batch
        rows = await tx.fetch_all("SELECT amount_fen, payer_id FROM charge_lines WHERE batch = %s ORDER BY period_from", (batch,))
    assert [row["amount_fen"] for row in rows] == [481_850, 963_700] and {row["payer_id"] for row in rows} == {101}


async def test_a_turnover_clause_is_a_second_draft(money_db):
    """F-15: base and percentage, recorded month by month"""
    async with money_db.tx(EAST) as tx:
        made = await lease(
            tx, rooms=(101,), turnover={"method": "turnover", "base_fen": 800_000, "rate": "0.08", "settlement": "month"}
        )
        names = {one.item for one in await fees.assignments(tx, 11) if one.contract_id == made}
    assert names == {"rent", "turnover"}


@pytest.mark.parametrize(
    ("more", "error", "code"),
    [
        ({"to_day": FROM}, Refused, "bad_days"),
        ({"rooms": ()}, Refused, "no_object"),
        ({"rooms": (201,)}, Refused, "no_object"),
        ({"owner_id": 201}, NotFound, "owner_not_found"),
        ({"rent_free": ((date(2025, 1, 1), date(2026, 2, 1)),)}, Refused, "bad_rent_free"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_stored(money_db, more, error, code):
    async with money_db.tx(EAST) as tx:
        with pytest.raises(error) as problem:
            await lease(tx, **more)
        assert problem.value.code == code
        assert not await tx.fetch_all("SELECT 1 FROM fee_contracts", ())


async def test_a_number_is_taken_once_and_a_shop_is_let_once(money_db):
    async with money_db.tx(EAST) as tx:
        await lease(tx)
        with pytest.raises(Conflict, match="number_taken"):
            await lease(tx)
        with pytest.raises(Conflict, match="overlap"):
            await lease(tx, number="HT-2", owner_id=102)


async def test_pages_list_what_ends_soon_and_keep_what_was_typed(hub, hub_client):
    """F-15, UI.md 8"""
    async with hub.db.tx(EAST) as tx:
        cut = await term(tx)
        await lease(tx, rooms=(110,), to_day=date(2027, 1, 10), term_id=cut)
    await hub_client.log_in("project_manager", project=11)
    page = (await hub_client.get("/contracts")).text
    assert "HT-2026-001" in page and "90 天内到期" in page and "还有 47 天" in page
    assert "HT-2026-001" in (await hub_client.get("/contracts?soon=90&q=1-1-110")).text
    form = {
        "project": "11", "number": "HT-2", "party": "业主102", "first": "2027-01-01", "last_day": "2029-12-31",
        "rooms": "1-1-103 1-1-104",
        "price": "120", "rent_of": "area", "area_kind": "gross", "step": "0.05", "proration_start": "actual",
        "proration_end": "actual", "on_price_change": "keep", "refund_running": "no", "term": f"{cut}", "deposit_months": "2",
        "rent_free": "2027-01-01 2027-02-28",
    }  # fmt: skip
    wrong = await hub_client.post("/contracts/new", data=form | {"rooms": "9-9-9", "party": "没有人", "step": ""})
    assert wrong.status_code == 422 and "本项目没有：9-9-9" in wrong.text and "没有这位承租人" in wrong.text
    assert 'value="HT-2"' in wrong.text
    right = await hub_client.post("/contracts/new", data=form)
    assert right.status_code == 303, right.text[:200]
    page = (await hub_client.get(right.headers["location"])).text
    assert "第 3 年" in page and "23,128.80" in page and "去送审" in page and "2027-03-01 开始收" in page
    answer = await hub_client.get(f"/api/v1{right.headers['location']}")
    assert answer.status_code == 200 and answer.json()["years"][0]["rent_fen"] == 2 * 1_156_440
    stranger = hub_client.another()
    await stranger.log_in("project_manager", project=21)
    assert (await stranger.get(right.headers["location"])).status_code == 404


async def test_a_lease_is_written_as_json(hub, hub_client):
    async with hub.db.tx(EAST) as tx:
        cut = await term(tx)
    await hub_client.log_in("project_manager", project=11)
    body = {
        "project": 11, "number": "J-1", "owner": 101, "rooms": [105], "first_day": "2026-01-01", "last_day": "2026-12-31",
        "term": cut, "rent": RENT, "rent_free": [["2026-01-01", "2026-01-31"]], "deposit_months": "1.5",
    }  # fmt: skip
    answer = await hub_client.post("/api/v1/contracts", json=body)
    assert answer.status_code == 200 and answer.json()["deposit_fen"] == 1_445_550
    assert (await hub_client.post("/api/v1/contracts", json=body | {"rent": {"method": "fixed"}})).status_code == 422


def test_every_type_of_project_is_offered_items_and_terms():
    """P-02"""
    for kind in ("residential", "office", "apartment", "mall", "market"):
        found = offered(kind)
        assert found[0].code == "property" and all(one.term in terms() for one in found)
    assert {"turnover", "promotion", "rent"} <= {one.code for one in offered("mall")}
