"""A box's life at the hub: registered, claimed with a one-time code, quarantined and released (B-01 .. B-03, B-08)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cloud.fleet import keys, store_boxes
from cloud.fleet import store as streams
from cloud.fleet.handling import Place, scope_of
from cloud.fleet.store_boxes import Code, Holder
from cloud.shared.db import Database, Tx
from protocols import claim
from protocols.errors import Conflict, NotAllowed, NotFound, Refused
from protocols.uplink.topics import check_box

RESERVED = frozenset({"hub", "broker"})
"""Common names of the hub's own certificates: to the broker's ACL a box of such a name would be the hub."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a claimed box is told besides its certificate: the keys' folder, broker addresses, the hub's address."""

    keys: Path
    brokers: tuple[str, ...]
    hub_url: str


async def register(tx: Tx, box: str, project_id: int, by: str, now: datetime) -> str:
    """A box of a project and a claim code for it, good once and for 15 minutes. Again: a new code, e.g. to replace a dead box.

    Refused `bad_box_id`; NotFound `project_not_found`; Conflict `box_taken` when the name stands for a box elsewhere.
    """
    check_box(box)
    if box in RESERVED:
        raise Refused("bad_box_id", f"编号 {box} 是保留的，换一个", f"{box} is reserved", field="box")
    company_id = await store_boxes.project_company(tx, project_id)
    if company_id is None:
        raise NotFound("project_not_found", "没有这个项目", f"no project {project_id}", field="project")
    place = Place(box, company_id, project_id)
    known = await store_boxes.box(tx, box)
    if known is None and await store_boxes.taken(tx, box) or known is not None and known["project_id"] != project_id:
        raise Conflict("box_taken", "这个盒子编号已经用在别的项目", f"box {box} belongs to another project", field="box")
    if known is None:
        await store_boxes.add_box(tx, place, by, now)
    code = claim.new_code(secrets.token_bytes(claim.CODE_LENGTH))
    kept = Code(place, claim.secret(code), now + timedelta(seconds=claim.GOOD_FOR_S), None)
    await store_boxes.add_code(tx, claim.lookup(code), kept)
    await streams.note(tx, place, "code_issued", {"by": by}, now)
    return code


async def claimed(db: Database, message: claim.ClaimRequest, opening: Opening, now: datetime) -> dict[str, Any]:
    """A box proves that it knows a code and gets its certificate; the former certificate no longer speaks for it.

    Refused `bad_claim_code`, `claim_used`, `claim_expired`, `bad_claim_proof`, `bad_csr`.
    """
    code = await store_boxes.code(db, message.lookup)
    if code is None:
        raise Refused("bad_claim_code", "开通码不对", "no such claim code", field="code")
    claim.check_request(message, code.secret)
    if code.used_at is not None:
        raise Refused("claim_used", "开通码已经用过，请总部重新生成", "the claim code was used", field="code")
    if now >= code.expires_at:
        raise Refused("claim_expired", "开通码已过期，请总部重新生成", "the claim code has expired", field="code")
    place = code.place
    issued = keys.issue(opening.keys, place.box, message.csr, now)
    async with db.tx(scope_of(place)) as tx:
        if not await store_boxes.use_codes(tx, place.box, message.lookup, now):
            raise Refused("claim_used", "开通码已经用过，请总部重新生成", "the claim code was used", field="code")
        await store_boxes.set_certificate(tx, place.box, issued.serial, issued.until, now)
        await streams.note(tx, place, "claimed", {"serial": issued.serial}, now)
        await tx.notify("box", {"box": place.box, "project_id": place.project_id})
    grant = claim.ClaimGrant(
        box=place.box,
        certificate=issued.pem,
        ca=keys.authority_pem(opening.keys),
        document_keys=[keys.public_hex(keys.document_key(opening.keys))],
        brokers=list(opening.brokers),
        hub_url=opening.hub_url,
    )
    return claim.answer(grant, code.secret)


async def holder(db: Database, box: str, serial: str) -> Holder:
    """The box for which this certificate speaks. NotAllowed `certificate_replaced` for an unknown box or a former certificate."""
    found = await store_boxes.holder(db, box)
    if found is None or found.serial is None or int(found.serial, 16) != int(serial, 16):
        raise NotAllowed("certificate_replaced", "这张证书已经不算数", "this certificate no longer speaks for the box")
    return found


async def release(tx: Tx, box: str, by: str, reason: str, now: datetime) -> None:
    """Take a box out of quarantine after somebody has looked. NotFound `box_not_found`; Conflict `not_quarantined`."""
    known = await store_boxes.box(tx, box)
    if known is None:
        raise NotFound("box_not_found", "没有这台盒子", f"no box {box}", field="box")
    if known["quarantined_at"] is None:
        raise Conflict("not_quarantined", "这台盒子没有被隔离", f"box {box} is not quarantined")
    await streams.quarantine(tx, box, None, now)
    await streams.note(tx, Place(box, known["company_id"], known["project_id"]), "released", {"by": by, "reason": reason}, now)
    await tx.notify("box", {"box": box, "project_id": known["project_id"]})
