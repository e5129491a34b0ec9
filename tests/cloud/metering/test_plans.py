"""Which meters hang where: stored, and published to the box (E-01, L-37)."""

from __future__ import annotations

import pytest

from cloud.metering import service as metering
from protocols.errors import NotFound, Refused
from protocols.wiring import MetersDocument
from tests.support.metering import bus, meter, number, set_up
from tests.support.money import EAST, NORTH
from tests.support.parking import BOX, NOON


async def _put(tx, meters, buses, **more):
    facts = {"project_id": 11, "box": BOX, "user": "1003", "now": NOON} | more
    return await metering.put_plan(tx, meters=meters, buses=buses, **facts)


async def test_a_plan_reaches_the_box(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        row = await tx.fetch_one("SELECT body FROM box_documents WHERE box = %s AND name = 'meters'", (BOX,))
        document = MetersDocument.model_validate_json(bytes(row["body"]))
        assert await _put(tx, [meter(1), meter(2), meter(3)], [bus(3)]) == 0
    assert document.buses == (bus(3),)


async def test_a_meter_the_plan_names_no_more_stays_known(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        assert await _put(tx, [meter(1), meter(4, kind="water", room="1-1-102")], [bus(1)]) == 1
        rows = await tx.fetch_all("SELECT number, kind, room_id, bus FROM meters ORDER BY number")
    assert [(row["number"], row["bus"]) for row in rows] == [
        (number(1), "fq-modbus"), (number(2), None), (number(3), None), (number(4), None),
    ]  # fmt: skip
    assert (rows[3]["kind"], rows[3]["room_id"]) == ("water", 102)


@pytest.mark.parametrize(
    ("meters", "buses", "change", "code"),
    [
        ([meter(1), meter(1)], [], {}, "meter_twice"),
        ([meter(1)], [bus(1), bus(1)], {}, "bus_twice"),
        ([meter(1)], [bus(1), bus(1, "fq-645")], {}, "meter_twice"),
        ([meter(1)], [bus(2)], {}, "unknown_meter"),
        ([meter(1, room="9-9-9")], [bus(1)], {}, "room_not_found"),
        ([meter(1)], [bus(1)], {"box": "nobody-01"}, "box_not_found"),
        ([meter(1)], [bus(1)], {"project_id": 12}, "box_not_found"),
        ([meter(1)], [bus(1)], {"project_id": 21}, "project_not_found"),
    ],
)
async def test_a_plan_that_cannot_work_is_refused(money_db, meters, buses, change, code):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        with pytest.raises(Refused, match=code):
            await _put(tx, meters, buses, **change)


async def test_another_company_has_no_such_project(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound, match="project_not_found"):
            await _put(tx, [meter(1)], [bus(1)])
        with pytest.raises(NotFound, match="project_not_found"):
            await metering.latest(tx, 11)
