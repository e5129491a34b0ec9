"""The store when its process is killed and when the disk is full or broken (L-32, L-33)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.storage.store import Store
from protocols.errors import Retry
from tests.support.edge import BOX, StepClock, note, running_store
from tests.support.survivors import lost, promised

SEED = os.environ.get("GATEHOUSE_SEED", str(random.SystemRandom().randrange(10**6)))
KILLS = 40 if os.environ.get("GATEHOUSE_FAULTS") == "full" else 6

pytestmark = pytest.mark.faults


def test_kill_9_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    """L-33: every event whose append had returned is there, and each start goes on with the same chain."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    store, accepted = tmp_path / "store", tmp_path / "accepted"
    store.mkdir()
    accepted.write_bytes(bytes(8))
    for _ in range(KILLS):
        before = int.from_bytes(promised(tmp_path), "big")
        goal = before + chance.randrange(1, 600)
        process = subprocess.Popen([sys.executable, "-m", "tests.support.power_writer", str(store), str(accepted)])
        deadline = time.monotonic() + 30
        while int.from_bytes(promised(tmp_path), "big") < goal:
            assert process.poll() is None and time.monotonic() < deadline
            os.sched_yield()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert lost(store, promised(tmp_path)) == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """4 MB that are really full when they are full."""
    mount = tmp_path / "small"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mount)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"may not mount a tmpfs here: {done.stderr.decode().strip()}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    return filler


@pytest.mark.system
async def test_a_full_disk_takes_events_from_the_reserve_and_then_says_so(small_disk: Path) -> None:
    """L-33: pictures go first, then the reserve; when nothing is left each call is told, nothing of it stored, and it heals."""
    store = Store.open(small_disk / "box", BOX, StepClock(), reserve_bytes=1024 * 1024)
    assert store.reserve_held
    picture = small_disk / "picture"
    picture.write_bytes(b"x" * 200_000)

    def pictures_go() -> bool:
        gone = picture.exists()
        picture.unlink(missing_ok=True)
        return gone

    store.room_makers.append(pictures_go)
    filler = fill(small_disk)
    stored: list[int] = []
    with pytest.raises(Retry, match="store_unavailable") as told:
        for n in range(100_000):
            stored += await store.append_many([note(n), note(n)], {"last": str(n).encode()})
            if picture.exists():
                assert store.reserve_held, "pictures go before the reserve"
    assert told.value.facts["full"] is True
    assert not picture.exists() and not store.reserve_held and len(stored) > 500
    assert stored == list(range(1, len(stored) + 1))
    assert store.state("last") == str(len(stored) // 2 - 1).encode(), "nothing of the failed call"
    assert store.writer_health.failing

    filler.unlink()
    assert await store.append(note()) == len(stored) + 1, "no gap"
    assert store.writer_health.failing is None
    await store.close()
    async with running_store(small_disk / "box") as again:
        assert again.status("money").seq == len(stored) + 1


@pytest.mark.system
async def test_the_reserve_comes_back_when_there_is_room(small_disk: Path) -> None:
    store = Store.open(small_disk / "box", BOX, StepClock(), reserve_bytes=1024 * 1024)
    filler = fill(small_disk)
    for n in range(200):
        await store.append(note(n))
    assert not store.reserve_held
    await store.housekeep()
    assert not store.reserve_held
    filler.unlink()
    await store.housekeep()
    assert store.reserve_held
    await store.close()


async def test_a_disk_that_refuses_writes_is_told_and_survived(tmp_path: Path) -> None:
    """An I/O error that no room can heal (here: a limit on file size): every waiting call is told, later ones are stored."""
    async with running_store(tmp_path) as store:
        await store.append(note())
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, limits[1]))
        try:
            answers = await asyncio.gather(*(store.append(note(n)) for n in range(20)), return_exceptions=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, before)
        assert all(isinstance(answer, Retry) for answer in answers)
        assert store.writer_health.failures == 20 and store.status("money").seq == 1
        assert await store.append(note()) == 2
