"""The store's log is folded beside the commits, not within one (L-06)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.storage.folding import PAGES, PAGES_A_COMMIT, Folding
from edge.storage.schema import FILE, connect_folder
from tests.support.edge import note, running_store, until


async def test_the_log_is_folded_though_no_commit_does_it(tmp_path: Path) -> None:
    async with running_store(tmp_path) as store:
        store._files.writing.execute("pragma wal_autocheckpoint = 0")
        before = (tmp_path / FILE).stat().st_size
        for turn in range(PAGES // PAGES_A_COMMIT + 1):
            await asyncio.gather(*(store.append(note(10 * turn + n)) for n in range(10)))
        await until(lambda: (tmp_path / FILE).stat().st_size > before, what="the file grows")
        assert store.status("money").seq == 10 * (PAGES // PAGES_A_COMMIT + 1)


@pytest.mark.parametrize("text", [None, b"no database at all, but long enough to look at" * 100])
def test_a_folding_that_cannot_work_hurts_nobody(tmp_path: Path, text: bytes | None) -> None:
    folder = tmp_path if text else tmp_path / "none"
    if text:
        (tmp_path / FILE).write_bytes(text)
    folding = Folding(lambda: connect_folder(folder))
    for _ in range(2 * PAGES // PAGES_A_COMMIT):
        folding.wrote(1)
    folding.close()
