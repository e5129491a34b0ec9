"""Power cuts on a disk that forgets what was not synced: no accepted event is lost, the store opens, the chain holds (L-33)."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.errors import Stop
from tests.support import power_disk
from tests.support.survivors import lost, promised

FULL = os.environ.get("GATEHOUSE_FAULTS") == "full"
LIVES, CUTS = (8, 25) if FULL else (2, 10)
EVERY = 60
SEED = os.environ.get("GATEHOUSE_SEED", str(random.SystemRandom().randrange(10**6)))

pytestmark = [pytest.mark.faults, pytest.mark.system]


@contextlib.contextmanager
def _life(folder: Path, origin: Path, *, cuts: int, seed: str, manner: str = "") -> Iterator[Path]:
    """A store at work on such a disk until the power has failed `cuts` times; yields the folder of what survived each time."""
    mount, survivors, accepted = folder / "mount", folder / "cuts", folder / "accepted"
    for path in (mount, survivors):
        path.mkdir(parents=True)
    accepted.write_bytes(promised(origin))
    words = [str(mount), str(origin), str(survivors), str(accepted), str(cuts), str(EVERY), seed]
    disk = subprocess.Popen([sys.executable, "-m", "tests.support.power_disk", *words])
    try:
        _wait(lambda: os.path.ismount(mount), disk, "the disk to be mounted")
        writer = subprocess.Popen([sys.executable, "-m", "tests.support.power_writer", str(mount), str(accepted), manner])
        try:
            _wait(lambda: (survivors / str(cuts)).exists(), writer, "the cuts")
        finally:
            writer.kill()
            writer.wait()
        yield survivors
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(mount)], check=False)
        disk.kill()
        disk.wait()


def _wait(condition: object, process: subprocess.Popen[bytes], what: str) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, f"ended while waiting for {what}"
        assert time.monotonic() < deadline, what
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)


@pytest.fixture(autouse=True)
def _can_mount() -> None:
    why = power_disk.missing()
    if why:
        pytest.skip(why)


def test_no_accepted_event_is_lost_in_any_cut(tmp_path: Path) -> None:
    """L-33. Each life goes on from what survived one of the cuts of the life before."""
    print(f"seed {SEED}")
    origin = tmp_path / "new"
    origin.mkdir()
    cuts = most = 0
    for life in range(LIVES):
        manner = "folding" if life % 2 else ""
        with _life(tmp_path / str(life), origin, cuts=CUTS, seed=f"{SEED}/{life}", manner=manner) as survivors:
            images = sorted(survivors.iterdir(), key=lambda path: int(path.name))
        origin = tmp_path / f"origin-{life}"
        shutil.copytree(images[-1], origin)
        for image in images:
            assert lost(image, promised(image)) == 0, f"seed {SEED}, life {life}, cut {image.name}"
            cuts += 1
        most = int.from_bytes(promised(origin), "big")
    print(f"{cuts} cuts, {most} events accepted, none lost")
    assert cuts == LIVES * CUTS


def test_this_disk_does_lose_what_was_not_synced(tmp_path: Path) -> None:
    """The control: the same store without waiting for the disk loses accepted events here, or cannot be opened at all."""
    origin = tmp_path / "new"
    origin.mkdir()
    with _life(tmp_path / "life", origin, cuts=10, seed=SEED, manner="careless") as survivors:
        images = list(survivors.iterdir())

    def hurt(image: Path) -> bool:
        try:
            return lost(image, promised(image)) > 0
        except (Stop, AssertionError, sqlite3.Error):
            return True

    assert any([hurt(image) for image in images])
