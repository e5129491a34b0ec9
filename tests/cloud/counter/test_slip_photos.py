"""Photos of bank receipts (C-35, G-08): small, without the phone's data, one slip each."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from cloud.counter import photos
from protocols.errors import Refused
from tests.cloud.counter.test_banking import account, close, handed, slip
from tests.cloud.counter.test_pages_cash import browser
from tests.support.money import EAST


def photo(seed: int = 1, side: tuple[int, int] = (900, 600), kind: str = "JPEG", *, exif: bool = True) -> bytes:
    """Noise, the hardest to make small, with a place and a maker in its EXIF."""
    picture = Image.frombytes("RGB", side, random.Random(seed).randbytes(side[0] * side[1] * 3))
    out, told = io.BytesIO(), Image.Exif()
    told[0x010F], told[0x0112] = "SecretPhone", 6
    picture.save(out, kind, **({"exif": told} if exif else {}))
    return out.getvalue()


def test_a_photo_is_made_small_upright_and_says_nothing_of_the_phone():
    content = photo(side=(4000, 3000))
    small = photos.shrink(content)
    with Image.open(io.BytesIO(small)) as found:
        assert (found.format, dict(found.getexif())) == ("JPEG", {})
        assert found.height > found.width, "turned as the phone said"
    assert len(small) <= 200_000 and b"SecretPhone" in content and b"SecretPhone" not in small
    with Image.open(io.BytesIO(photos.shrink(photo(kind="PNG", exif=False)))) as found:
        assert found.format == "JPEG"


def test_what_is_no_photo_is_refused():
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    half = photo()[:4000]
    for content in (b"", b"%PDF-1.7", b"\xff\xd8\xff\xe0" + b"x" * 100, b"<svg xmlns='http://www.w3.org/2000/svg'/>", half):
        with pytest.raises(Refused, match="not_a_picture"):
            photos.shrink(content)
    for content in (b"x" * 10_000_001, bomb.getvalue()):
        with pytest.raises(Refused, match="picture_too_large|not_a_picture"):
            photos.shrink(content)


@pytest.fixture
async def slips(hub, hub_client, tmp_path):
    """Two cashiers with a slip each and their browsers."""
    hub.settings = hub.settings.model_copy(update={"data": tmp_path})
    one, form, first = await browser(hub_client, "cashier", project=11)
    two, other, second = await browser(hub_client, "cashier", project=11, number="c2")
    there = await account(hub.db)
    await handed(hub.db, user=71, to=first)
    await handed(hub.db, user=74, to=second, room=102)
    await close(hub.db)
    made = [await slip(hub.db, there, who=first), await slip(hub.db, there, who=second, key="slip-00002")]
    return made, (one, form), (two, other)


async def test_a_photo_is_shown_one_click_away_and_who_looks_is_logged(hub, hub_client, slips):
    (mine, _), (cashier, form), _ = slips
    sent = form | {"bank_receipt": "HD-77", "bank_day": "2026-11-24"}
    done = await cashier.post(f"/deposit-slips/{mine.id}/evidence", data=sent, files={"photo": ("a.jpg", photo())})
    assert done.status_code == 303, done.text
    finance, _, _ = await browser(hub_client, "hq_finance")
    page = (await finance.get(f"/deposit-slips/{mine.id}")).text
    where = page.split('href="/api/v1/counter/slips/')[2].split('"')[0]
    shown = await finance.get(f"/api/v1/counter/slips/{where}")
    assert (shown.status_code, shown.headers["content-type"], len(shown.content) <= 200_000) == (200, "image/jpeg", True)
    async with hub.db.tx(EAST) as tx:
        told = await tx.fetch_all("SELECT object FROM audit_log WHERE action = 'slip.photo'", ())
    assert [row["object"] for row in told] == [f"slip:{mine.id}"]
    far, _, _ = await browser(hub_client, "project_manager", project=21)
    assert (await far.get(f"/api/v1/counter/slips/{where}")).status_code == 404
    assert (await finance.get(f"/api/v1/counter/slips/{mine.id}/photos/{'0' * 64}")).status_code == 404


async def test_a_photo_that_was_used_before_is_refused_also_for_somebody_elses_slip(hub, slips):
    """One receipt of the bank shown for two slips; the same upload twice for the same slip is one photo."""
    (mine, theirs), (one, _), (two, form) = slips
    for _ in range(2):
        done = await one.post(f"/api/v1/counter/slips/{mine.id}/photos", files={"file": ("a.jpg", photo())})
        assert done.status_code == 200, done.text
    again = await two.post(f"/api/v1/counter/slips/{theirs.id}/photos", files={"file": ("b.jpg", photo())})
    assert (again.status_code, again.json()["code"]) == (422, "photo_used")
    sent = form | {"bank_receipt": "HD-78", "bank_day": "2026-11-24"}
    page = await two.post(f"/deposit-slips/{theirs.id}/evidence", data=sent, files={"photo": ("b.jpg", photo())})
    assert (page.status_code, "一张回单照片只能用一次" in page.text) == (422, True)
    body = {"photo": done.json()["photo"], "key": "evidence-01"}
    borrowed = await two.post(f"/api/v1/counter/slips/{theirs.id}/evidence", json=body)
    assert (borrowed.status_code, borrowed.json()["code"]) == (422, "bad_photo")
    stranger = await two.post(f"/api/v1/counter/slips/{mine.id}/photos", files={"file": ("c.jpg", photo(2))})
    assert (stranger.status_code, stranger.json()["code"]) == (422, "not_depositor")
    own = await two.post(f"/api/v1/counter/slips/{theirs.id}/photos", files={"file": ("c.jpg", photo(2))})
    assert own.status_code == 200, own.text
