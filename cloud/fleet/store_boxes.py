"""SQL of boxes: registration, claim codes, sessions, commands, pictures, and what the console lists."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.fleet.handling import Place
from cloud.shared.db import Database, Tx


@dataclass(frozen=True, slots=True)
class Code:
    """A claim code as the hub keeps it."""

    place: Place
    secret: bytes
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Holder:
    """A box and the one certificate (serial number, hex) that speaks for it."""

    place: Place
    serial: str | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest session beat of a box."""

    place: Place
    at: datetime
    nonce: str
    boot: str
    clock: str
    broker: str
    health: Mapping[str, Any]


async def project_company(tx: Tx, project_id: int) -> int | None:
    row = await tx.fetch_one("select company_id from projects where id = %s", (project_id,))
    return row["company_id"] if row else None


async def box(tx: Tx, box: str) -> dict[str, Any] | None:
    """A box in scope."""
    return await tx.fetch_one("select * from boxes where id = %s", (box,))


async def taken(tx: Tx, box: str) -> bool:
    """Whether any company has a box of this name."""
    row = await tx.fetch_one("select fleet_taken(%s) as taken", (box,))
    return bool(row and row["taken"])


async def add_box(tx: Tx, place: Place, by: str, now: datetime) -> None:
    facts = (place.box, place.company_id, place.project_id)
    await tx.execute(
        "insert into boxes (id, company_id, project_id, registered_at, registered_by) values (%s, %s, %s, %s, %s)",
        (*facts, now, by),
    )
    await tx.execute(
        "insert into box_streams (box, company_id, project_id, stream) values (%s, %s, %s, 'money'), (%s, %s, %s, 'series')",
        (*facts, *facts),
    )
    await tx.execute("insert into box_manifests (box, company_id, project_id) values (%s, %s, %s)", facts)


async def add_code(tx: Tx, lookup: str, code: Code) -> None:
    place = code.place
    await tx.execute(
        "insert into box_codes (lookup, box, company_id, project_id, secret, expires_at) values (%s, %s, %s, %s, %s, %s)",
        (lookup, place.box, place.company_id, place.project_id, code.secret, code.expires_at),
    )


async def code(db: Database, lookup: str) -> Code | None:
    """A claim code, before any scope is known."""
    row = await db.call("select * from fleet_code(%s)", (lookup,))
    if row is None:
        return None
    place = Place(row["box"], row["company_id"], row["project_id"])
    return Code(place, bytes(row["secret"]), row["expires_at"], row["used_at"])


async def use_codes(tx: Tx, box: str, lookup: str, now: datetime) -> bool:
    """Use a code up, and with it every other open code of the box; False when it was used before."""
    used = await tx.execute("update box_codes set used_at = %s where lookup = %s and used_at is null", (now, lookup))
    await tx.execute("update box_codes set used_at = %s where box = %s and used_at is null", (now, box))
    return used == 1


async def set_certificate(tx: Tx, box: str, serial: str, until: datetime, now: datetime) -> None:
    await tx.execute(
        "update boxes set claimed_at = %s, serial = %s, certificate_until = %s where id = %s", (now, serial, until, box)
    )


async def holder(db: Database, box: str) -> Holder | None:
    """Certificate name -> box, before any scope is known."""
    row = await db.call("select * from fleet_box(%s)", (box,))
    if row is None:
        return None
    return Holder(Place(box, row["company_id"], row["project_id"]), row["serial"], row["certificate_until"])


async def put_sessions(tx: Tx, seen: Sequence[Seen]) -> None:
    """Keep the newest beats, in one statement; an older one never replaces a newer one."""
    await tx.execute(
        "insert into box_sessions as known (box, company_id, project_id, last_seen, nonce, boot, clock, broker, health)"
        " select box, company_id, project_id, last_seen, nonce, boot, clock, broker, health::jsonb"
        " from unnest(%s::text[], %s::int[], %s::int[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[],"
        " %s::text[])"
        " as beat (box, company_id, project_id, last_seen, nonce, boot, clock, broker, health) order by box"
        " on conflict (box) do update set last_seen = excluded.last_seen, nonce = excluded.nonce, boot = excluded.boot,"
        " clock = excluded.clock, broker = excluded.broker, health = excluded.health where known.last_seen < excluded.last_seen",
        (
            [one.place.box for one in seen],
            [one.place.company_id for one in seen],
            [one.place.project_id for one in seen],
            [one.at for one in seen],
            [one.nonce for one in seen],
            [one.boot for one in seen],
            [one.clock for one in seen],
            [one.broker for one in seen],
            [json.dumps(one.health, ensure_ascii=False) for one in seen],
        ),
    )


async def session(tx: Tx, place: Place) -> Seen | None:
    row = await tx.fetch_one("select * from box_sessions where box = %s", (place.box,))
    if row is None:
        return None
    return Seen(place, row["last_seen"], row["nonce"], row["boot"], row["clock"], row["broker"], row["health"])


async def newly_silent(tx: Tx, before: datetime, now: datetime) -> list[Place]:
    """Note the boxes last heard before `before`, once a silence; those just noted. Nothing when another worker is at it."""
    row = await tx.fetch_one("select pg_try_advisory_xact_lock(7410002) as mine")
    if row is None or not row["mine"]:
        return []
    rows = await tx.fetch_all(
        "insert into box_notes (box, company_id, project_id, at, what, detail)"
        " select s.box, s.company_id, s.project_id, %s, 'silent', jsonb_build_object('last_seen', s.last_seen)"
        " from box_sessions s where s.last_seen < %s"
        " and not exists (select from box_notes n where n.box = s.box and n.what = 'silent' and n.at > s.last_seen)"
        " returning box, company_id, project_id",
        (now, before),
    )
    return [Place(row["box"], row["company_id"], row["project_id"]) for row in rows]


async def add_command(
    tx: Tx, place: Place, command: str, name: str, args: Mapping[str, object], by: str, nonce: str, now: datetime
) -> None:
    await tx.execute(
        "insert into box_commands (id, box, company_id, project_id, name, args, by, nonce, sent_at)"
        " values (%s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s)",
        (command, place.box, place.company_id, place.project_id, name, json.dumps(args, ensure_ascii=False), by, nonce, now),
    )


async def command_done(tx: Tx, box: str, command: str, outcome: str, detail: str | None, at: datetime) -> bool:
    """Keep a command's first outcome; False when the hub never sent this command to this box."""
    await tx.execute(
        "update box_commands set outcome = %s, detail = %s, done_at = %s"
        " where id = %s and box = %s and (outcome is null or outcome = 'unsent')",
        (outcome, detail, at, command, box),
    )
    return await tx.fetch_one("select 1 as known from box_commands where id = %s and box = %s", (command, box)) is not None


async def command_unsent(tx: Tx, command: str, detail: str) -> None:
    await tx.execute(
        "update box_commands set outcome = 'unsent', detail = %s where id = %s and outcome is null", (detail, command)
    )


async def add_picture(tx: Tx, place: Place, sha256: str, size: int, media: str, now: datetime) -> bool:
    """Whether this box had not sent it before."""
    row = await tx.fetch_one(
        "insert into box_pictures (sha256, box, company_id, project_id, size, media, at) values (%s, %s, %s, %s, %s, %s, %s)"
        " on conflict do nothing returning sha256",
        (sha256, place.box, place.company_id, place.project_id, size, media, now),
    )
    return row is not None


async def look_at_picture(tx: Tx, sha256: str, user_id: int | None, now: datetime) -> str | None:
    """The media type of a picture that some box in scope sent; who looked is written down."""
    row = await tx.fetch_one(
        """
        with found as (select sha256, box, company_id, project_id, media from box_pictures where sha256 = %s limit 1),
             viewed as (insert into box_picture_views (sha256, box, company_id, project_id, user_id, at)
                        select sha256, box, company_id, project_id, %s, %s from found)
        select media from found
        """,
        (sha256, user_id, now),
    )
    return row["media"] if row else None


async def boxes(tx: Tx, box: str | None = None) -> list[dict[str, Any]]:
    """Boxes in scope with their state; or the one."""
    return await tx.fetch_all(
        "select r.*, p.name as project_name, m.n as manifest, m.applied_generation, m.applied_n, m.applied_at,"
        " (select coalesce(sum(b.count), 0)::bigint from box_bad_messages b where b.box = r.box) as bad_messages"
        " from report_boxes r join projects p on p.id = r.project_id join box_manifests m on m.box = r.box"
        " where %s::text is null or r.box = %s order by r.box",
        (box, box),
    )


async def streams(tx: Tx, box: str | None = None) -> list[dict[str, Any]]:
    """Where the streams stand: one row a stream that has its first event."""
    return await tx.fetch_all(
        "select s.box, s.stream, s.epoch, e.seq, encode(e.hash, 'hex') as hash, e.last_at from box_streams s"
        " join box_epochs e on (e.box, e.stream, e.epoch) = (s.box, s.stream, s.epoch) where %s::text is null or s.box = %s",
        (box, box),
    )


async def stray_messages(tx: Tx) -> int:
    """Messages under names that nobody registered."""
    row = await tx.fetch_one("select coalesce(sum(count), 0)::bigint as n from box_bad_messages where box = '?'")
    return row["n"] if row else 0


async def notes(tx: Tx, box: str, limit: int) -> list[dict[str, Any]]:
    return await tx.fetch_all("select at, what, detail from box_notes where box = %s order by id desc limit %s", (box, limit))


async def bad_messages(tx: Tx, box: str) -> list[dict[str, Any]]:
    return await tx.fetch_all("select code, count, first_at, last_at from box_bad_messages where box = %s order by code", (box,))


async def commands(tx: Tx, box: str, limit: int) -> list[dict[str, Any]]:
    return await tx.fetch_all(
        "select id, name, args, by, sent_at, outcome, detail, done_at from box_commands where box = %s"
        " order by sent_at desc limit %s",
        (box, limit),
    )
