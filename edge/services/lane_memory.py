"""A lane's memory as JSON in the journal's state under 'lane/<lane>', with the moment it was written."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from edge.core.lane_types import Grant, Memory, Reading, Verdict, Visit
from edge.core.stays import Moment
from protocols.time import iso, parse_instant

RECENT_MS = 60_000
"""So long a vehicle before the arm is taken for the one that was there before the box went down."""

_KEPT = ("kind", "category", "stay", "entered_at", "left_at", "fee_fen", "due_fen", "tariff", "why")


def encode(memory: Memory) -> dict[str, Any]:
    """Without the moment, so that two can be compared."""
    return {
        "n": memory.n,
        "down": memory.down,
        "falling": memory.falling,
        "fire": memory.fire,
        "opening": asdict(memory.opening) if memory.opening is not None else None,
        "phase": memory.phase,
        "visit": _visit_document(memory.visit) if memory.visit is not None else None,
    }


def written(document: dict[str, Any], now: Moment) -> bytes:
    moment = {"at": iso(now.wall.at), "boot": now.boot, "mono_ms": now.mono_ms}
    return json.dumps(document | {"moment": moment}, ensure_ascii=False, separators=(",", ":")).encode()


def read(body: bytes | None, now: Moment) -> tuple[Memory, bool]:
    """The memory and whether it is recent; an empty one where nothing was written."""
    if body is None:
        return Memory(), False
    document = json.loads(body)
    moment, visit, opening = document["moment"], document["visit"], document["opening"]
    memory = Memory(
        n=document["n"],
        down=document["down"],
        falling=document["falling"],
        fire=document["fire"],
        opening=Grant(**opening) if opening is not None else None,
        phase=document["phase"],
        visit=_read_visit(visit, now) if visit is not None else None,
    )
    if moment["boot"] == now.boot:
        return memory, 0 <= now.mono_ms - moment["mono_ms"] <= RECENT_MS
    away = now.wall.at - parse_instant(moment["at"])
    return memory, timedelta(0) <= away <= timedelta(milliseconds=RECENT_MS)


def _visit_document(visit: Visit) -> dict[str, Any]:
    verdict = visit.verdict
    return {
        "id": visit.id,
        "reading": {"plate": visit.reading.plate, "colour": visit.reading.colour, "confidence": visit.reading.confidence},
        "plate_read": visit.plate_read,
        "corrected_by": visit.corrected_by,
        "verdict": {name: getattr(verdict, name) for name in _KEPT} if verdict is not None else None,
        "grant": asdict(visit.grant) if visit.grant is not None else None,
        "granted": visit.granted or visit.grant is not None,
    }


def _read_visit(document: dict[str, Any], now: Moment) -> Visit:
    verdict, grant = document["verdict"], document["grant"]
    return Visit(
        id=document["id"],
        since_ms=now.mono_ms,
        reading=Reading(**document["reading"]),
        plate_read=document["plate_read"],
        corrected_by=document.get("corrected_by"),
        verdict=Verdict(**verdict) if verdict is not None else None,
        grant=Grant(**grant) if grant is not None else None,
        granted=document["granted"],
        present=True,
    )
