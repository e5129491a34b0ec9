"""The documents a lane decides by: large lists stay small, unreadable ones change nothing (L-06, L-30, L-37, Q-86)."""

from __future__ import annotations

import json
import tracemalloc
from datetime import datetime
from typing import Any

import pytest

from edge.services.lane_lists import Lists
from protocols.errors import Refused
from protocols.time import SHANGHAI
from protocols.wiring import PassEntry, PassesDocument
from tests.support.lanes import TARIFF, Papers, lane_config, papers


def entry(plate: str, category: str = "monthly", start: str = "2026-11-01", last: str = "2026-11-30") -> dict[str, str]:
    return {"plate": plate, "category": category, "start": f"{start}T00:00:00+08:00", "last": f"{last}T23:59:59+08:00"}


def lists_of(found: Papers) -> Lists:
    lists = Lists(found)
    assert lists.load() == []
    return lists


def test_a_plate_may_have_several_entries() -> None:
    lists = lists_of(papers((), [entry("京A11111"), entry("京A22222"), entry("京A11111", "blacklist")]))
    assert [found.category for found in lists.passes("京A11111")] == ["monthly", "blacklist"]
    assert list(lists.passes("京A33333")) == []


@pytest.mark.parametrize("form", ["hub", "indented", "empty"])
def test_every_way_to_write_the_list_is_read(form: str) -> None:
    entries = [] if form == "empty" else [entry("京A11111"), entry("沪B22222")]
    document = PassesDocument(entries=tuple(PassEntry(**found) for found in entries))  # type: ignore[arg-type]
    found = papers(())
    body = document.model_dump_json(indent=2 if form == "indented" else None).encode()
    found.put("passes", body)
    lists = lists_of(found)
    assert all(len(list(lists.passes(plate))) == len(entries) // 2 for plate in ("京A11111", "沪B22222"))


def test_twenty_thousand_passes_take_a_few_megabytes() -> None:
    """L-06, section 9: 60 MB are all there is."""
    found = papers((), [entry(f"京A{number:05d}") for number in range(20_000)])
    lists = Lists(found)
    tracemalloc.start()
    lists.load()
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert list(lists.passes("京A19999")) and kept < 5_000_000 and most < 12_000_000


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("passes", b"{"),
        ("passes", b'{"entries": [{"plate": "x"}]}'),
        ("passes", b'{"entries": [1, 2'),
        ("passes", b'{"entries": []'),
        ("passes", json.dumps({"entries": [entry("京A11111", "king")]}).encode()),
        ("passes", b"\xff\xfe"),
        ("lanes", b'{"site": "x"}'),
        ("tariffs", json.dumps({"tariffs": {"casual": {"id": "casual"}}}).encode()),
        ("calendar", b'{"holidays": ["tomorrow"]}'),
    ],
)
def test_what_cannot_be_read_leaves_the_former_in_force(name: Any, body: bytes) -> None:
    """L-37."""
    found = papers((lane_config("n-in"),), [entry("京A11111")])
    lists = lists_of(found)
    found.put(name, body)
    problems = lists.load(frozenset({name}))
    assert [problem[0] for problem in problems] == [name] and problems[0][1]
    assert list(lists.passes("京A11111")) and "n-in" in lists.lanes
    assert lists.rules("casual", datetime(2026, 11, 23, tzinfo=SHANGHAI)).version == 1


def test_the_version_in_force_at_the_entry_prices_the_stay() -> None:
    """K-20: every version an open stay may need is there."""
    later = TARIFF | {"version": 2, "effective_from": "2026-12-01T00:00:00+08:00"}
    found = papers(())
    found.put("tariffs", {"tariffs": {"casual@1": TARIFF, "casual": later}})
    lists = lists_of(found)
    assert lists.rules("casual", datetime(2026, 11, 30, 23, 59, tzinfo=SHANGHAI)).version == 1
    assert lists.rules("casual", datetime(2026, 12, 1, tzinfo=SHANGHAI)).version == 2
    with pytest.raises(Refused):
        lists.rules("lorries", datetime(2026, 12, 1, tzinfo=SHANGHAI))


def test_the_days_a_pass_covers() -> None:
    """Q-86: a pass that ends inside the stay covers whole days; a black-list entry covers none."""
    lists = lists_of(papers((), [entry("京A11111", last="2026-11-10"), entry("京A22222", "blacklist")]))
    entered, left = datetime(2026, 11, 9, 8, tzinfo=SHANGHAI), datetime(2026, 11, 12, 8, tzinfo=SHANGHAI)
    (days,) = lists.pass_days("京A11111", entered, left)
    assert (days.first_day.isoformat(), days.last_day.isoformat()) == ("2026-11-01", "2026-11-10")
    assert lists.pass_days("京A22222", entered, left) == () == lists.pass_days(None, entered, left)
