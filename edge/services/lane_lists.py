"""The desired documents a lane decides by, parsed once and kept small: 20,000 passes take a few MB (L-06, L-30, L-37)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, get_args

from pydantic import ValidationError

from edge.ports import Documents
from protocols import tariff
from protocols.errors import Refused
from protocols.time import civil, parse_instant
from protocols.uplink.documents import DocumentName
from protocols.wiring import LaneConfig, LanesDocument, PassEntry, TariffsDocument

_Pass = tuple[str, str, str]
"""category, start, last"""

_CATEGORIES = frozenset(get_args(PassEntry.model_fields["category"].annotation))
_RIGHTS = _CATEGORIES - {"blacklist"}
USED: tuple[DocumentName, ...] = ("lanes", "tariffs", "passes", "calendar")


class Lists:
    """`load` replaces what changed; a body that cannot be read leaves the former one in force."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.site = ""
        self.lanes: dict[str, LaneConfig] = {}
        self._passes: dict[str, tuple[_Pass, ...]] = {}
        self._tariffs: list[tuple[str, tariff.TariffRules]] = []
        self.calendar: tariff.Calendar | None = None

    def load(self, names: frozenset[DocumentName] = frozenset(USED)) -> list[tuple[DocumentName, str]]:
        """Read the named documents; returns those that could not be read, with the reason."""
        problems: list[tuple[DocumentName, str]] = []
        for name in USED:
            body = self._documents.current(name) if name in names else None
            if body is None:
                continue
            try:
                self._read(name, body)
            except (ValidationError, Refused, ValueError, KeyError, TypeError) as problem:
                problems.append((name, str(problem).splitlines()[0][:200]))
        return problems

    def _read(self, name: DocumentName, body: bytes) -> None:
        if name == "lanes":
            lanes = LanesDocument.model_validate_json(body)
            self.site, self.lanes = lanes.site, {lane.lane: lane for lane in lanes.lanes}
        elif name == "tariffs":
            read = TariffsDocument.model_validate_json(body)
            self._tariffs = [(key, tariff.parse_rules(rules)) for key, rules in read.tariffs.items()]
        elif name == "passes":
            self._passes = _read_passes(body)
        elif name == "calendar":
            self.calendar = tariff.parse_calendar(json.loads(body))

    def passes(self, plate: str) -> Iterator[PassEntry]:
        """The entries of one plate."""
        for category, start, last in self._passes.get(plate, ()):
            yield PassEntry.model_validate({"plate": plate, "category": category, "start": start, "last": last})

    def pass_days(self, plate: str | None, entered: datetime, left: datetime) -> tuple[tariff.PassDays, ...]:
        """The days of a stay that a pass covers (Q-86), where it does not cover the whole stay."""
        days = []
        for entry in self.passes(plate) if plate is not None else ():
            start, last = parse_instant(entry.start), parse_instant(entry.last)
            if entry.category in _RIGHTS and start <= left and last >= entered:
                first_day = civil(start).date() if start.time() == _MIDNIGHT else civil(start).date() + timedelta(days=1)
                days.append(tariff.PassDays(first_day, civil(last).date()))
        return tuple(days)

    def rules(self, name: str, entered: datetime) -> tariff.TariffRules:
        """The version of a tariff in force when the stay began (K-20). Refused `no_tariff`."""
        return tariff.in_force([rules for key, rules in self._tariffs if name in (key, rules.id)], entered)


_MIDNIGHT = datetime.min.time()


def _read_passes(body: bytes) -> dict[str, tuple[_Pass, ...]]:
    """Entries become small tuples while they are read, so that no large tree is ever in memory."""
    shared: dict[str, str] = {}

    def small(pairs: list[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        if "entries" in found:
            return found
        if found["category"] not in _CATEGORIES:
            raise ValueError(f"unknown category {found['category']}")
        start, last = found["start"], found["last"]
        return str(found["plate"]), (found["category"], shared.setdefault(start, start), shared.setdefault(last, last))

    passes: dict[str, tuple[_Pass, ...]] = {}
    for plate, entry in json.loads(body, object_pairs_hook=small)["entries"]:
        category = shared.setdefault(entry[0], entry[0])
        passes[plate] = (*passes.get(plate, ()), (category, entry[1], entry[2]))
    return passes
