"""One lane's pictures in memory, by the number their reading carries, until an event wants one (DESIGN 2.7, K-37)."""

from __future__ import annotations

from collections.abc import Callable, Collection

from protocols.uplink.events import Snapshot

MOST_BYTES = 40 * 1024
"""Of one lane's pictures together; beyond it the oldest goes."""

Keep = Callable[[bytes], Snapshot]
"""Sends a picture on its way, without waiting for a disk, and says what an event says about it."""


class LanePictures:
    """Forgets what belongs to no vehicle of the lane; a picture that went up is only its hash from then on."""

    def __init__(self, keep: Keep | None) -> None:
        self._keep = keep
        self._held: dict[int, bytes | Snapshot] = {}
        self._numbers = 0

    @property
    def held_bytes(self) -> int:
        return sum(len(found) for found in self._held.values() if isinstance(found, bytes))

    def hold(self, content: bytes | None) -> int | None:
        """The picture's number; None for one that is of no use."""
        if content is None or self._keep is None or len(content) > MOST_BYTES:
            return None
        self._numbers += 1
        self._held[self._numbers] = content
        return self._numbers

    def snapshot(self, number: int | None) -> Snapshot | None:
        """What an event says about this picture, which goes up now if it had not yet."""
        found = self._held.get(number) if number is not None else None
        if number is not None and isinstance(found, bytes) and self._keep is not None:
            found = self._held[number] = self._keep(found)
        return found if isinstance(found, Snapshot) else None

    def forget_others(self, wanted: Collection[int]) -> None:
        """After each turn of the lane: pictures of vehicles that have gone, and the oldest of what is too much."""
        for number in self._held.keys() - wanted:
            del self._held[number]
        while self.held_bytes > MOST_BYTES:
            del self._held[next(number for number, found in self._held.items() if isinstance(found, bytes))]
