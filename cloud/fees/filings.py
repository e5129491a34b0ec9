"""The price filing (备案文件) of a version: a PDF or picture by its hash, and the price that stands in it (F-03, G-04)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from cloud.access.service import Principal, audit
from cloud.estate import service as estate
from cloud.fees import store_standards
from cloud.fees.domain_standards import Version
from cloud.fees.standards import get_version
from cloud.shared import by_hash
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused

MOST_BYTES = 10 * 1024 * 1024
_KINDS = ((b"%PDF-", "application/pdf"), (b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


def media_of(content: bytes) -> str:
    """Refused `file_too_large`, `not_a_filing`."""
    if len(content) > MOST_BYTES:
        zh = f"备案文件最多 {MOST_BYTES >> 20} MB，请扫描成小一点的 PDF"
        raise Refused("file_too_large", zh, "the filing is too large", field="file")
    found = next((media for magic, media in _KINDS if content.startswith(magic)), None)
    if found is None:
        raise Refused("not_a_filing", "备案文件要是 PDF、JPEG 或 PNG", "neither PDF nor a picture", field="file")
    return found


def path_of(folder: Path, sha256: str) -> Path:
    """Where a filing lies under GATEHOUSE_DATA."""
    return by_hash.path_of(folder, "filings", sha256)


async def attach(
    tx: Tx,
    who: Principal,
    folder: Path,
    version_id: int,
    *,
    name: str,
    content: bytes,
    price: Decimal | None,
    at: datetime,
) -> Version:
    """Put the filing beside a draft; another takes its place until the version is published. The file first, so that a row
    never points at nothing.

    NotFound `version_not_found`; Conflict `not_draft`; Refused by `media_of`, `no_name`.
    """
    name = Path(name.replace("\\", "/")).name.strip()[:120]
    if not name or not name.isprintable():
        raise Refused("no_name", "文件名不对，改个名字再传", "the file has no name", field="file")
    media = media_of(content)
    version = await get_version(tx, version_id, lock=True)
    if version.state == "published":
        raise Conflict("not_draft", "已发布的版本不能再换备案文件，建新版本", "it is published", field="version")
    sha256 = await by_hash.keep(folder, "filings", content)
    await store_standards.attach_filing(tx, version_id, sha256, name, media, price)
    company_id = (await estate.get_project(tx, version.project_id)).company_id
    facts = {"name": name, "sha256": sha256, "filed_price": None if price is None else f"{price:f}"}
    await audit(
        tx, who, "fees.filing", f"version:{version_id}", {"sha256": version.filing}, facts, "", at=at, company_id=company_id,
        project_id=version.project_id,
    )  # fmt: skip
    return await get_version(tx, version_id)


async def find(tx: Tx, folder: Path, version_id: int) -> tuple[Path, str, str]:
    """(file, media type, name). NotFound `version_not_found`, `no_filing`."""
    version = await get_version(tx, version_id)
    found = await store_standards.filing(tx, version_id)
    if found is None or version.filing is None or not path_of(folder, version.filing).exists():
        raise NotFound("no_filing", "这个版本没有备案文件", "the version has no filing", field="version")
    return path_of(folder, version.filing), found["filing_media"], found["filing_name"]
