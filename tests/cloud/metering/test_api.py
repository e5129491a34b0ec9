"""Meters over HTTP (1.1, E-01)."""

from __future__ import annotations

import pytest

from cloud.fleet import service as fleet
from cloud.metering import service as metering
from tests.support.metering import bus, number, read, round_of
from tests.support.money import EAST
from tests.support.parking import BOX, NOON

PLAN = {
    "box": BOX,
    "meters": [{"number": number(n), "kind": "electric", "name": f"{n} 号电表"} for n in (1, 2)],
    "buses": [bus(2).model_dump(mode="json")],
}


async def test_a_plan_and_what_was_read(money_db, hub_client):
    async with money_db.tx(EAST) as tx:
        await fleet.register(tx, BOX, 11, "test", NOON)
    await hub_client.log_in("project_manager", project=11)
    assert (await hub_client.put("/api/v1/metering/plans/11", json=PLAN)).json() == {"added": 2, "known": 0}
    assert (await hub_client.put("/api/v1/metering/plans/11", json=PLAN)).json() == {"added": 0, "known": 2}
    async with money_db.tx(EAST) as tx:
        await metering.on_readings(tx, [round_of(read(1, "1234.50"), read(1, "0.10", tariff=1))])
    found = (await hub_client.get("/api/v1/metering/latest", params={"project": 11})).json()
    assert [(row["meter"], row["tariff"], row["value"], row["unit"], row["quality"]) for row in found] == [
        (number(1), None, "1234.50", "kWh", "good"),
        (number(1), 1, "0.10", "kWh", "good"),
    ]


@pytest.mark.parametrize(
    ("role", "project", "put", "get"),
    [("cashier", 11, 403, 200), ("guard", 11, 403, 403), ("project_manager", 12, 404, 404), ("meter_reader", 11, 404, 200)],
)
async def test_who_may(money_db, hub_client, role, project, put, get):
    await hub_client.log_in(role, project=project)
    assert (await hub_client.put("/api/v1/metering/plans/11", json=PLAN)).status_code == put
    assert (await hub_client.get("/api/v1/metering/latest", params={"project": 11})).status_code == get


async def test_a_plan_with_a_strange_meter_is_refused(money_db, hub_client):
    async with money_db.tx(EAST) as tx:
        await fleet.register(tx, BOX, 11, "test", NOON)
    await hub_client.log_in("project_manager", project=11)
    answer = await hub_client.put("/api/v1/metering/plans/11", json=PLAN | {"meters": PLAN["meters"][:1]})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "unknown_meter", "buses")
