"""Who is inside, in memory and in the journal's state under 'stay/<id>' (L-30, L-33)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edge.core.stays import StayRecord
from protocols.plate import differing

State = dict[str, bytes | None]


class Stays:
    """Every change returns the state to be committed with it."""

    def __init__(self) -> None:
        self._by_id: dict[str, StayRecord] = {}
        self._by_plate: dict[str, str] = {}

    def load(self, states: Mapping[str, bytes]) -> None:
        for body in states.values():
            self._keep(StayRecord.from_json(body))

    def get(self, stay: str | None) -> StayRecord | None:
        return self._by_id.get(stay) if stay is not None else None

    def inside(self, plate: str | None) -> StayRecord | None:
        """The stay of a plate that is inside."""
        return self._by_id.get(self._by_plate.get(plate, "")) if plate is not None else None

    def alike(self, plate: str, colour: str) -> Iterator[StayRecord]:
        """Those inside whose plate differs in one character and whose colour is the same or unknown (K-31)."""
        for stay in self._by_id.values():
            same = stay.colour == colour or "unknown" in (stay.colour, colour)
            if stay.inside and stay.plate is not None and same and differing(stay.plate, plate) == 1:
                yield stay

    @property
    def count(self) -> int:
        return sum(stay.inside for stay in self._by_id.values())

    def put(self, stay: StayRecord) -> State:
        self._keep(stay)
        return {f"stay/{stay.id}": stay.to_json()}

    def end(self, stay: StayRecord) -> State:
        self._by_id.pop(stay.id, None)
        if stay.plate is not None and self._by_plate.get(stay.plate) == stay.id:
            del self._by_plate[stay.plate]
        return {f"stay/{stay.id}": None}

    def _keep(self, stay: StayRecord) -> None:
        self._by_id[stay.id] = stay
        if stay.inside and stay.plate is not None:
            self._by_plate[stay.plate] = stay.id
