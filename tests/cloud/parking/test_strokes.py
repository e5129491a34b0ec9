"""Every rise of an arm is counted; what nobody commanded, and what is missing, is an alarm (L-11, 0.2)."""

from __future__ import annotations

import pytest

from cloud.parking import service as parking
from cloud.parking.domain import missing_strokes
from protocols.errors import Refused
from tests.support.money import BOTH, EAST
from tests.support.parking import FAR_BOX, OTHER_EPOCH, alarms, event, lane, noted, set_up, stroke


@pytest.mark.parametrize(
    ("seen", "last", "left_out", "twice"),
    [
        ([1, 2, 3], None, [], []),
        ([2, 3], None, [1], []),
        ([5], 2, [3, 4], []),
        ([3, 3], 2, [], [3]),
        ([2], 2, [], [2]),
        ([1, 4], None, [2, 3], []),
        ([], 7, [], []),
    ],
)
def test_numbers_left_out_and_given_twice(seen, last, left_out, twice):
    assert missing_strokes({n: seen.count(n) for n in seen}, last) == (left_out, twice)


async def test_explained_strokes_are_counted_and_quiet(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        tx.told.clear()
        kinds = ["paid", "pass", "free", "entry", "command", "manual", "fire", "fault"]
        await parking.on_stroke(tx, [event(stroke(n, reason)) for n, reason in enumerate(kinds, 1)])
        assert alarms(tx.told) == []
        found = await parking.counts(tx)
    assert (found["strokes"], found["strokes_unexplained"], found["stroke_gaps"]) == (8, 0, 0)
    assert found["lanes"]["fq-n-out"] == {"strokes": 8, "max_n": 8, "in": 0, "out": 0}


async def test_a_stroke_without_a_command_is_alarmed(money_db):
    """The guard with the key in his pocket."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_stroke(tx, [event(stroke(1)), event(stroke(2, "none"))])
        assert [(one["what"], one["n"]) for one in alarms(tx.told)] == [("unexplained_stroke", 2)]
        assert (await parking.counts(tx))["strokes_unexplained"] == 1


async def test_a_number_left_out_is_alarmed_once(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_stroke(tx, [event(stroke(1)), event(stroke(4))])
        await parking.on_stroke(tx, [event(stroke(5))])
        found = [(one["what"], one["first"], one["last"], one["missing"]) for one in alarms(tx.told)]
        assert found == [("stroke_gap", 2, 3, 2)]
        assert (await parking.counts(tx))["stroke_gaps"] == 2


async def test_a_number_given_twice_is_alarmed_and_kept(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_stroke(tx, [event(stroke(1))])
        await parking.on_stroke(tx, [event(stroke(1, "manual", by="3001"))])
        assert [one["what"] for one in alarms(tx.told)] == ["stroke_repeated"]
        assert (await parking.counts(tx))["strokes"] == 2


async def test_a_box_with_a_new_store_counts_from_one(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_stroke(tx, [event(stroke(1)), event(stroke(2))])
        await parking.on_stroke(tx, [event(stroke(1), epoch=OTHER_EPOCH)])
        assert alarms(tx.told) == []
        found = await parking.counts(tx)
    assert (found["strokes"], found["stroke_gaps"], found["lanes"]["fq-n-out"]["max_n"]) == (3, 0, 3)


async def test_the_same_strokes_again_change_nothing(money_db):
    strokes = [event(stroke(1)), event(stroke(2, "none"))]
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_stroke(tx, strokes)
        tx.told.clear()
        await parking.on_stroke(tx, strokes)
        assert tx.told == []
        assert (await parking.counts(tx))["strokes"] == 2


async def test_who_and_what_for_is_kept(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_stroke(tx, [event(stroke(1, "manual", by="3001", detail="救护车", reference="GH1", stay="s1"))])
        rows = await tx.fetch_all("SELECT by, detail, reference, stay, lane_name FROM report_strokes")
    assert rows == [{"by": "3001", "detail": "救护车", "reference": "GH1", "stay": "s1", "lane_name": "北门出口"}]


async def test_another_projects_lane_is_refused(money_db):
    async with money_db.tx(BOTH) as tx:
        await set_up(tx)
        await set_up(tx, project_id=21, box=FAR_BOX, lanes=[lane("xy-n-in", "in")])
    async with money_db.tx(EAST) as tx:
        for one, handler in ((stroke(1, lane="xy-n-in"), parking.on_stroke), (noted("call", lane="xy-n-in"), parking.on_note)):
            with pytest.raises(Refused, match="foreign_lane"):
                await handler(tx, [event(one)])


async def test_lanes_as_they_stand(money_db):
    """What the live page reads: last passage and stroke, today's strokes, what the lane waits for."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await tx.execute("SELECT set_config('app.today', '2026-11-24', true)")
        await parking.on_stroke(tx, [event(stroke(1)), event(stroke(2, "none")), event(stroke(3), minutes=-24 * 60)])
        await parking.on_note(tx, [event(noted("stuck_open", None, lane="fq-n-out"), minutes=1)])
        rows = {row["lane"]: row for row in await parking.lanes(tx, 11)}
        assert list(rows) == ["fq-n-in", "fq-n-out", "fq-s-in", "fq-s-out"]
        out = rows["fq-n-out"]
        assert (out["name"], out["strokes_today"], out["unexplained_today"], out["state"]) == ("北门出口", 2, 1, "stuck_open")
        assert (rows["fq-n-in"]["strokes_today"], rows["fq-n-in"]["state"]) == (0, "ok")
        await parking.on_stroke(tx, [event(stroke(4, "manual"), minutes=2)])
        assert {row["lane"]: row for row in await parking.lanes(tx, 11)}["fq-n-out"]["state"] == "ok"


async def test_notes_are_kept_once(money_db):
    note = event(noted("tailgate", plate="京A12345", detail="跟车"))
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        await parking.on_note(tx, [note])
        await parking.on_note(tx, [note])
        rows = await tx.fetch_all("SELECT what, plate, detail FROM parking_notes")
    assert rows == [{"what": "tailgate", "plate": "京A12345", "detail": "跟车"}]
