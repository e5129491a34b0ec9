"""From a block's registers to values; one bad register does not hide its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from edge.core.meter_types import Value
from protocols.codecs.modbus import Block, Register
from protocols.errors import Refused


def values_of(block: Block, words: Sequence[int]) -> list[Value]:
    """What could be read. Refused with the first problem only when no register made sense."""
    found: list[Value] = []
    first: Refused | None = None
    for register in block.registers:
        try:
            text = register.value(block.words_of(register, words))
        except Refused as refused:
            first = first or refused
            continue
        found.append(_value(register, text))
    if first is not None and not found:
        raise first
    return found


def _value(register: Register, text: str) -> Value:
    name = register.quantity if register.phase is None else f"{register.quantity}_{register.phase.lower()}"
    wrap = None if register.wrap is None else Decimal(register.wrap)
    return Value(name, register.unit, Decimal(text), register.tariff, wrap)
