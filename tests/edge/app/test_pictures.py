"""Thumbnails on their way up: off the lanes' path, after the events, bounded; a full disk costs only them (DESIGN 2.7, L-32)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edge.services.fetching import HubFiles
from edge.services.pictures import MAX_BYTES, MOST_IN_HAND, Pictures
from protocols.errors import Refused
from tests.support.edge import until
from tests.support.files import Files, serving_files


@pytest.fixture
def hub() -> Iterator[Files]:
    with serving_files() as files:
        yield files


def jpeg(n: int) -> bytes:
    return b"\xff\xd8\xff picture %d" % n


@contextlib.asynccontextmanager
async def running(pictures: Pictures) -> AsyncIterator[None]:
    task = asyncio.create_task(pictures.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_they_go_up_oldest_first_and_only_so_many_wait(tmp_path: Path, hub: Files) -> None:
    """The hub's refusal drops one, its absence none; beyond the bound the oldest goes."""
    pictures = Pictures(tmp_path / "pictures", HubFiles(hub.url, None), most=3, jitter=lambda: 0.0)
    hub.trouble = 503
    async with running(pictures):
        with pytest.raises(Refused, match="too_large"):
            pictures.add(b"x" * (MAX_BYTES + 1))
        snapshots = [pictures.add(jpeg(n)) for n in range(5)]
        await until(lambda: pictures.counts["dropped"] == 2 and len(pictures.waiting()) == 3)
        hub.trouble = None
        await until(lambda: not pictures.waiting())
        assert list(hub.put) == [f"/box/pictures/{snapshot.sha256}" for snapshot in snapshots[2:]]
        hub.trouble = 422
        pictures.add(b"\x89PNG not really")
        await until(lambda: pictures.counts["refused"])
        assert not pictures.waiting()


async def test_taking_one_touches_no_disk_and_only_a_few_wait_for_it(tmp_path: Path, hub: Files) -> None:
    """DESIGN 2.1: an event needs hash and size only; a disk that does not keep up costs pictures, and memory has a bound."""
    folder = tmp_path / "pictures"
    pictures = Pictures(folder, HubFiles(hub.url, None))
    snapshots = [pictures.add(jpeg(n)) for n in range(MOST_IN_HAND + 2)]
    assert not list(folder.iterdir()) and pictures.counts == {"dropped": 2}
    assert snapshots[-1].sha256 == hashlib.sha256(jpeg(MOST_IN_HAND + 1)).hexdigest(), "its event names it all the same"
    async with running(pictures):
        await until(lambda: len(hub.put) == MOST_IN_HAND)


async def test_events_go_first(tmp_path: Path, hub: Files) -> None:
    """L-32: after an outage pictures wait until the events are through, and stop when events wait again."""
    turn = False
    pictures = Pictures(tmp_path / "pictures", HubFiles(hub.url, None), may_send=lambda: turn)
    async with running(pictures):
        for n in range(3):
            pictures.add(jpeg(n))
        await until(lambda: len(pictures.waiting()) == 3)
        assert not hub.put
        turn = True
        await until(lambda: len(hub.put) == 3)
        turn = False
        pictures.add(jpeg(3))
        await until(lambda: len(pictures.waiting()) == 1)
        assert len(hub.put) == 3


async def test_a_full_disk_drops_the_picture(tmp_path: Path, hub: Files) -> None:
    folder = tmp_path / "pictures"
    pictures = Pictures(folder, HubFiles(hub.url, None))
    (folder / f"{hashlib.sha256(jpeg(1)).hexdigest()}.part").symlink_to("/dev/full")
    async with running(pictures):
        pictures.add(jpeg(1))
        pictures.add(jpeg(2))
        await until(lambda: len(hub.put) == 1)
    assert pictures.counts == {"dropped": 1, "sent": 1} and not list(folder.iterdir())


async def test_what_a_power_cut_left_in_pieces_is_no_picture(tmp_path: Path, hub: Files) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / f"{'a' * 64}.part").write_bytes(jpeg(1))
    (folder / hashlib.sha256(jpeg(2)).hexdigest()).write_bytes(b"")
    pictures = Pictures(folder, HubFiles(hub.url, None))
    async with running(pictures):
        await until(lambda: pictures.counts["spoilt"])
    assert not hub.put and not list(folder.iterdir())


async def test_what_is_in_hand_at_the_end_goes_up_after_the_next_start(tmp_path: Path, hub: Files) -> None:
    pictures = Pictures(tmp_path / "pictures", HubFiles(hub.url, None), may_send=lambda: False)
    async with running(pictures):
        pictures.add(jpeg(1))
        await asyncio.sleep(0)
    assert len(pictures.waiting()) == 1
    again = Pictures(tmp_path / "pictures", HubFiles(hub.url, None))
    async with running(again):
        await until(lambda: len(hub.put) == 1)


async def test_pictures_make_room_for_events(tmp_path: Path, hub: Files) -> None:
    """L-32: pruned before events."""
    pictures = Pictures(tmp_path / "pictures", HubFiles(hub.url, None), may_send=lambda: False)
    async with running(pictures):
        pictures.add(jpeg(1))
        await until(lambda: pictures.waiting())
        assert pictures.make_room() and not pictures.waiting() and not pictures.make_room()
