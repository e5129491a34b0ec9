"""DL/T 645 on a line, serial or behind a transparent gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from edge.core.meter_types import DltAsk, Value
from edge.drivers.bus_line import Line
from protocols.codecs.dlt645 import Answer, Conversation, Frame, StreamDecoder, request_frame
from protocols.errors import Refused

PREAMBLE = 4
ENERGY_WRAP = Decimal(1_000_000)
"""XXXXXX.XX, the form of all energy registers of both editions."""


class Dlt645Line:
    """Asks one meter after the other. Frames name meter and item, so answers to other questions are dropped where they arrive."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.foreign = 0
        self.garbled = 0

    async def read(self, ask: DltAsk) -> Sequence[Value]:
        """Refused with a codec's kind, Retry `meter_silent` or `bus_away`."""
        return values_of(await self._said(ask))

    async def frozen(self, address: str, back: int) -> tuple[str | None, Sequence[Value]]:
        """The daily freeze `back` midnights ago: its time, and its forward energies. Refused and Retry as `read`."""
        when = await self._said(DltAsk("2007", address, f"050600{back:02X}"))
        if when["value"] is None:
            return None, ()
        return str(when["value"]), values_of(await self._said(DltAsk("2007", address, f"050601{back:02X}")))

    async def _said(self, ask: DltAsk) -> Mapping[str, Any]:
        """The whole answer; a long one is asked for part by part."""
        fields = {"protocol": ask.edition, "request": "read_data", "address": ask.address, "di": ask.di}
        talk = Conversation(request_frame(fields))
        stream = StreamDecoder()
        try:
            while True:
                question = talk.request
                found = await self._line.exchange(
                    question.encode(PREAMBLE), lambda data: self._accept(talk, stream, data), ask.address
                )
                if isinstance(found, Answer):
                    return found.said
        finally:
            self.garbled += stream.rejected

    def _accept(self, talk: Conversation, stream: StreamDecoder, data: bytes) -> Answer | Frame | None:
        """The answer, or the frame after which the follow-up must be sent, or None to go on waiting."""
        for frame in stream.feed(data):
            try:
                answer = talk.receive(frame)
            except Refused as refused:
                if refused.code not in ("echo", "wrong_address", "wrong_function", "wrong_di", "bad_sequence"):
                    raise
                self.foreign += refused.code != "echo"
                continue
            return frame if answer is None else answer
        return None


def values_of(said: Mapping[str, Any]) -> list[Value]:
    """The quantities of an answer; what the meter does not have is left out."""
    entries = said.get("items", [said])
    return [_value(entry) for entry in entries if entry.get("value") is not None and "quantity" in entry]


def _value(entry: Mapping[str, Any]) -> Value:
    name = str(entry["quantity"])
    if "phase" in entry:
        name = f"{name}_{str(entry['phase']).lower()}"
    if "settlement" in entry:
        name = f"{name}_settled_{entry['settlement']}"
    wrap = ENERGY_WRAP if "energy" in name and not name.startswith("prepaid") else None
    return Value(name, str(entry["unit"]), Decimal(entry["value"]), entry.get("tariff"), wrap)
