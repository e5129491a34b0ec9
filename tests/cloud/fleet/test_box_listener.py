"""The boxes' HTTPS listener over real TLS: claiming, documents, thumbnails (B-01, B-02, L-37, DESIGN 2.5, 2.7)."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import tomllib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from cloud.fleet import service as fleet
from cloud.fleet.box_api import BoxListener
from cloud.fleet.pictures import path_of
from cloud.shared.db import Scope
from cloud.shared.hub import Hub
from edge import settings as edge_settings
from edge.services.fetching import HubFiles
from edge.services.pictures import Pictures
from protocols.errors import NotFound, Refused
from provisioning import ca, claim
from tests.support.edge import until
from tests.support.fleet import register
from tests.support.hub import StepClock

OpenBox = Callable[..., Awaitable[Path]]
Client = Callable[[Path | None], httpx.AsyncClient]
EAST = Scope(frozenset({1}))
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4


async def put_document(hub: Hub, box: str, body: bytes) -> str:
    async with hub.db.tx(EAST) as tx:
        await fleet.put_document(tx, box, "lanes", body, hub.clock.now())
    return hashlib.sha256(body).hexdigest()


async def test_a_box_claims_its_certificate_and_settings(hub: Hub, listener: BoxListener, open_box: OpenBox, keys: Path) -> None:
    folder = await open_box("north-01")
    settings = tomllib.loads((folder / "box.toml").read_text())
    assert settings["box"]["id"] == "north-01"
    assert settings["hub"]["url"] == listener.url
    assert settings["broker"]["addresses"] == ["mqtts://127.0.0.1:8883"]
    assert [len(key) for key in settings["hub"]["document_keys"]] == [64]
    certificate = x509.load_pem_x509_certificate((folder / "box.crt").read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate((keys / "ca.crt").read_bytes()))
    assert certificate.subject.rfc4514_string() == "CN=north-01"
    assert certificate.not_valid_after_utc > hub.clock.now() + timedelta(days=365)


async def test_a_code_is_good_once(hub: Hub, listener: BoxListener, tmp_path: Path) -> None:
    code = await register(hub.db, "north-01", at=hub.clock.now())
    await asyncio.to_thread(claim.run, listener.url, code, tmp_path / "first")
    with pytest.raises(Refused, match="claim_used"):
        await asyncio.to_thread(claim.run, listener.url, code, tmp_path / "second")
    assert not (tmp_path / "second").exists()


async def test_two_boxes_with_one_code_at_once_and_one_gets_it(hub: Hub, listener: BoxListener, tmp_path: Path) -> None:
    code = await register(hub.db, "north-01", at=hub.clock.now())
    runs = [asyncio.to_thread(claim.run, listener.url, code, tmp_path / name) for name in ("a", "b", "c")]
    outcomes = await asyncio.gather(*runs, return_exceptions=True)
    assert sorted(isinstance(one, claim.claim.ClaimGrant) for one in outcomes) == [False, False, True]


async def test_wrong_and_expired_codes_are_refused(hub: Hub, listener: BoxListener, clock: StepClock, tmp_path: Path) -> None:
    code = await register(hub.db, "north-01", at=hub.clock.now())
    with pytest.raises(Refused, match="bad_claim_code"):
        await asyncio.to_thread(claim.run, listener.url, "AAAA-AAAA-AAAA-AAAA", tmp_path / "x")
    clock.time += timedelta(minutes=15)
    with pytest.raises(Refused, match="claim_expired"):
        await asyncio.to_thread(claim.run, listener.url, code, tmp_path / "x")


async def test_a_claim_that_was_changed_on_its_way_is_refused(hub: Hub, client: Client) -> None:
    code = await register(hub.db, "north-01", at=hub.clock.now())
    body = claim.claim.request(code, "a certificate request")
    async with client(None) as stranger:
        stranger.headers["content-type"] = "application/json"
        answer = await stranger.post("/box/claim", content=body.replace(b"a certificate", b"b certificate"))
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_claim_proof")
        answer = await stranger.post("/box/claim", content=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_csr")
        answer = await stranger.post("/box/claim", content=b"hello")
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize("name", ["hub", "broker"])
async def test_no_box_may_be_named_like_the_hub(hub: Hub, name: str) -> None:
    """The broker's ACL would take its certificate for the hub's."""
    with pytest.raises(Refused, match="bad_box_id"):
        await register(hub.db, name)


async def test_without_a_certificate_there_is_only_the_claim(hub: Hub, open_box: OpenBox, client: Client) -> None:
    await open_box("north-01")
    sha256 = await put_document(hub, "north-01", b"{}")
    async with client(None) as stranger:
        answer = await stranger.get(f"/box/documents/{sha256}")
        assert (answer.status_code, answer.json()["code"]) == (401, "no_certificate")
        assert (await stranger.put(f"/box/pictures/{sha256}", content=JPEG)).status_code == 401


async def test_a_certificate_of_a_foreign_ca_does_not_connect(
    listener: BoxListener, client: Client, tmp_path: Path, clock: StepClock
) -> None:
    ca.create(tmp_path / "foreign", ["127.0.0.1"], clock.now())
    (tmp_path / "foreign" / "hub.crt").rename(tmp_path / "foreign" / "box.crt")
    (tmp_path / "foreign" / "hub.key").rename(tmp_path / "foreign" / "box.key")
    with pytest.raises((httpx.TransportError, ssl.SSLError)):
        async with client(tmp_path / "foreign") as stranger:
            await stranger.get("/box/documents/" + "0" * 64)


async def test_each_box_fetches_only_what_its_own_manifest_names(hub: Hub, open_box: OpenBox, client: Client) -> None:
    """L-37: content for another site is not even readable."""
    north, south = await open_box("north-01"), await open_box("south-01", 12)
    for_north, for_south = await put_document(hub, "north-01", b'{"n": 1}'), await put_document(hub, "south-01", b'{"s": 1}')
    async with client(north) as box:
        answer = await box.get(f"/box/documents/{for_north}")
        assert (answer.status_code, answer.content) == (200, b'{"n": 1}')
        answer = await box.get(f"/box/documents/{for_south}")
        assert (answer.status_code, answer.json()["code"]) == (404, "no_document")
    async with client(south) as box:
        assert (await box.get(f"/box/documents/{for_south}")).status_code == 200
        assert (await box.get(f"/box/documents/{for_north}")).status_code == 404


async def test_a_replaced_box_is_locked_out_at_once(
    hub: Hub, listener: BoxListener, open_box: OpenBox, client: Client, tmp_path: Path
) -> None:
    """B-02: the new certificate replaces the old one."""
    old = await open_box("north-01")
    sha256 = await put_document(hub, "north-01", b"{}")
    code = await register(hub.db, "north-01", at=hub.clock.now())
    await asyncio.to_thread(claim.run, listener.url, code, tmp_path / "new")
    async with client(old) as box:
        answer = await box.get(f"/box/documents/{sha256}")
        assert (answer.status_code, answer.json()["code"]) == (403, "certificate_replaced")
    async with client(tmp_path / "new") as box:
        assert (await box.get(f"/box/documents/{sha256}")).status_code == 200


async def test_the_hubs_own_certificate_is_no_box(client: Client, keys: Path, tmp_path: Path) -> None:
    for name in ("crt", "key"):
        (tmp_path / f"box.{name}").write_bytes((keys / f"hub.{name}").read_bytes())
    async with client(tmp_path) as box:
        assert (await box.get("/box/documents/" + "0" * 64)).status_code == 403


async def test_a_thumbnail_is_kept_by_its_hash(hub: Hub, open_box: OpenBox, client: Client) -> None:
    """DESIGN 2.7"""
    folder, sha256 = await open_box("north-01"), hashlib.sha256(JPEG).hexdigest()
    async with client(folder) as box:
        for _ in range(2):
            assert (await box.put(f"/box/pictures/{sha256}", content=JPEG)).status_code == 201
    assert path_of(hub.settings.data, sha256).read_bytes() == JPEG
    async with hub.db.tx(EAST) as tx:
        found = await fleet.find_picture(tx, hub.settings.data, sha256, user_id=7, at=hub.clock.now())
    assert found == (path_of(hub.settings.data, sha256), "image/jpeg")
    async with hub.db.tx(Scope(frozenset({2}))) as tx:
        with pytest.raises(NotFound, match="no_picture"):
            await fleet.find_picture(tx, hub.settings.data, sha256, user_id=7, at=hub.clock.now())


async def test_a_box_brings_its_thumbnails_up_after_an_outage(
    hub: Hub, listener: BoxListener, open_box: OpenBox, tmp_path: Path
) -> None:
    """DESIGN 2.7: the box's own queue over the real listener; nothing while the events still wait, then everything once."""
    folder, through = await open_box("north-01"), False
    settings = edge_settings.load(folder / "box.toml")
    files = HubFiles(settings.hub.url, edge_settings.tls(settings.hub))
    pictures = Pictures(tmp_path / "pictures", files, may_send=lambda: through)
    running = asyncio.create_task(pictures.run())
    sent = [pictures.add(JPEG + bytes([n])) for n in (1, 2, 2)]
    await until(lambda: len(pictures.waiting()) == 2)
    through = True
    await until(lambda: not pictures.waiting())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert pictures.counts["refused"] == 0
    for n, one in zip((1, 2), sent, strict=False):
        assert path_of(hub.settings.data, one.sha256).read_bytes() == JPEG + bytes([n])


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (JPEG, "0" * 64, "wrong_body"),
        (JPEG, "..%2f..%2fx", "bad_hash"),
        (b"<html>" + bytes(100), None, "not_a_picture"),
        (b"", None, "not_a_picture"),
        (JPEG + bytes(40 * 1024), None, "picture_too_large"),
    ],
)
async def test_what_is_no_thumbnail_is_refused(
    hub: Hub, open_box: OpenBox, client: Client, content: bytes, name: str | None, code: str
) -> None:
    folder = await open_box("north-01")
    async with client(folder) as box:
        answer = await box.put(f"/box/pictures/{name or hashlib.sha256(content).hexdigest()}", content=content)
    assert answer.status_code in (404, 422)
    assert answer.status_code == 404 or answer.json()["code"] == code
    assert not list((hub.settings.data).rglob("*"))
