"""Desired documents over HTTP(S): signed, newer, whole; the hub away, lying, refusing (L-37, DESIGN 2.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.services.documents import DocumentsService
from edge.services.fetching import HubFiles
from protocols.errors import NotFound, Refused, Retry
from protocols.uplink.documents import Manifest, reference, sign_manifest
from protocols.uplink.signing import key_id
from tests.support.edge import BOX, running_store, until
from tests.support.files import Files, serving_files

WHEN = "2026-11-24T00:00:00+08:00"
KEY = Ed25519PrivateKey.generate()
KEYS = {key_id(KEY.public_key()): KEY.public_key()}


@pytest.fixture
def hub() -> Iterator[Files]:
    with serving_files() as files:
        yield files


def manifest(n: int, *bodies: tuple[str, bytes], generation: int = 1, box: str = BOX, key: Ed25519PrivateKey = KEY) -> bytes:
    refs = tuple(reference(name, body, WHEN) for name, body in bodies)  # type: ignore[arg-type]
    return sign_manifest(Manifest(box=box, generation=generation, n=n, documents=refs), key)


async def test_it_switches_when_all_bodies_are_there(tmp_path: Path, hub: Files) -> None:
    """L-37: whole, told by callback with what changed; what is held already is not fetched again."""
    async with running_store(tmp_path) as store:
        service = DocumentsService(BOX, store, HubFiles(hub.url, None), KEYS, lambda: 0.0)
        changes: list[frozenset[str]] = []
        service.on_change(lambda names: changes.append(frozenset(names)))
        running = asyncio.create_task(service.run())
        hub.hold(b"{lanes}")
        service.offer(manifest(1, ("lanes", b"{lanes}"), ("passes", b"{passes}")))
        await until(lambda: service.trouble == "not_at_hub")
        assert service.current("lanes") is None and changes == [], "half a manifest is none"
        hub.hold(b"{passes}")
        await until(lambda: changes)
        assert changes == [{"lanes", "passes"}] and service.current("passes") == b"{passes}"
        hub.asked.clear()
        newer = hub.hold(b"{passes 2}")
        service.offer(manifest(2, ("lanes", b"{lanes}"), ("passes", b"{passes 2}")))
        await until(lambda: len(changes) == 2)
        assert changes[1] == {"passes"} and hub.asked == [f"/box/documents/{newer}"]
        assert store.status("money").seq == 2, "each switch is reported"
        running.cancel()


async def test_what_is_not_signed_newer_or_ours_changes_nothing(tmp_path: Path, hub: Files) -> None:
    """L-37: refused and counted; a higher generation is newer, whatever its n."""
    async with running_store(tmp_path) as store:
        service = DocumentsService(BOX, store, HubFiles(hub.url, None), KEYS, lambda: 0.0)
        running = asyncio.create_task(service.run())
        service.offer(manifest(5))
        await until(lambda: store.manifest == (1, 5))
        service.offer(manifest(5))
        service.offer(manifest(4))
        service.offer(manifest(6, box="box-02"))
        service.offer(manifest(6, key=Ed25519PrivateKey.generate()))
        service.offer(b"rubbish")
        assert service.refused == {"not_newer": 2, "wrong_box": 1, "bad_signature": 2}
        service.offer(manifest(1, generation=2))
        await until(lambda: store.manifest == (2, 1))
        running.cancel()


async def test_a_body_that_is_not_the_one_named_is_not_taken(tmp_path: Path, hub: Files) -> None:
    async with running_store(tmp_path) as store:
        service = DocumentsService(BOX, store, HubFiles(hub.url, None), KEYS, lambda: 0.0)
        running = asyncio.create_task(service.run())
        sha256 = hub.hold(b"{lanes}")
        hub.bodies[f"/box/documents/{sha256}"] = b"{other}"
        service.offer(manifest(1, ("lanes", b"{lanes}")))
        await until(lambda: service.refused["wrong_body"])
        assert service.current("lanes") is None
        hub.hold(b"{newer}")
        service.offer(manifest(2, ("lanes", b"{newer}")))
        await until(lambda: service.current("lanes") == b"{newer}")
        running.cancel()


def test_the_hub_s_answers_are_told_apart(hub: Files) -> None:
    files = HubFiles(hub.url, None)
    with pytest.raises(NotFound):
        files.get("/box/documents/x", 10)
    for status, kind in ((503, Retry), (429, Retry), (401, Refused)):
        hub.trouble = status
        with pytest.raises(kind):
            files.get("/box/documents/x", 10)
    with pytest.raises(Refused, match="too_large"):
        files.get("/box/documents/x", 1 << 40)
    with pytest.raises(Retry):
        HubFiles("http://127.0.0.1:9", None).get("/", 1)
    with pytest.raises(Refused):
        HubFiles("ftp://hub", None)
