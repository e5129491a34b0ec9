"""kill -9 of each part between a box and the hub's table, under 500 events/s: nothing lost, nothing doubled (L-32, B-08)."""

from __future__ import annotations

import os
import random
import shutil

import pytest

from tests.support.kill_rig import Rig, rig
from tests.support.waiting import wait

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("kills")]

TIMES = 20 if os.environ.get("GATEHOUSE_FAULTS") == "full" else 2
SEED = int(os.environ.get("GATEHOUSE_SEED", random.SystemRandom().randrange(10**6)))


def prove(found: Rig) -> None:
    """Accepted by the store, stored at the hub, once each; nothing at the hub that no store accepted... but for the last
    moments of a killed box, whose promise nobody lived to write down."""
    found.drain()
    rows = found.at_hub()
    accepted = found.accepted()
    assert accepted, "no load"
    lost = accepted - set(rows)
    assert not lost, f"lost {len(lost)} of {len(accepted)}, first {min(lost, key=lambda one: one[1])}"
    assert len(rows) == len(set(rows)), "doubled"
    seqs = sorted(seq for _, seq in rows)
    assert seqs == list(range(1, len(seqs) + 1)), "the hub's sequence has gaps"
    assert not found.quarantined()


@pytest.mark.parametrize("name", ["box", "broker", "hub", "database"])
def test_a_killed_part_loses_and_doubles_nothing(name: str) -> None:
    print(f"seed {SEED}")
    with rig() as found:
        found.shoot(name, TIMES, random.Random(f"{SEED}/{name}"))
        prove(found)
        assert found.parts[name].kills == TIMES


def test_an_old_copy_of_a_box_is_quarantined() -> None:
    """The card was copied, the box went on, then the copy is put in: same identity, other events (B-08)."""
    with rig() as found:
        found.parts["box"].stop()
        box, copy = found.folder / "box", found.folder / "copy"
        shutil.copytree(box, copy)
        before = found.stored()
        found.start_box()
        wait(lambda: found.stored() > before + 200, 30, "the original to go on")
        found.parts["box"].stop()
        after = found.at_hub()
        shutil.rmtree(box)
        copy.rename(box)
        found.start_box()
        wait(found.quarantined, 60, "quarantine")
        assert sorted(found.at_hub()) == sorted(after), "the hub took something from the copy"
