"""What hangs on a simulated line: units that hear every byte and now and then answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sim.meters.register import Fault, Meter


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes to send after a delay; no bytes: nothing is sent, but the question took its time on the line."""

    data: bytes
    delay_s: float = 0.0
    asked: int = 0


class Units(Protocol):
    """The meters of one line. One instance a connection: it keeps the bytes of an unfinished question."""

    def hear(self, data: bytes) -> list[Reply]: ...


def delayed(meter: Meter, answer: bytes, asked: int) -> Reply:
    """The answer with the meter's commanded fault: late, or with a broken byte before the last."""
    delay = meter.late_s if meter.take(Fault.LATE) else 0.0
    if meter.take(Fault.GARBLED):
        answer = answer[:-2] + bytes([answer[-2] ^ 0x55]) + answer[-1:]
    return Reply(answer, delay, asked)
