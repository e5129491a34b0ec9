"""Which registers to read together: few questions, no hole wider than the meter bears."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocols.codecs.modbus.registers import READ, Register, Table

MAX_WORDS = 125
MAX_BITS = 2_000
MAX_GAP = 8
"""A hole of so many unused registers costs less than another question, on a line as on TCP."""


@dataclass(frozen=True, slots=True)
class Block:
    """One question: `count` registers of a table from `address`, and the quantities that lie in it."""

    table: Table
    address: int
    count: int
    registers: tuple[Register, ...]

    @property
    def function(self) -> int:
        return READ[self.table]

    def values(self, words: Sequence[int]) -> list[tuple[Register, str]]:
        """Every quantity with its value. Refused as `Register.value`."""
        return [(register, register.value(self.words_of(register, words))) for register in self.registers]

    def words_of(self, register: Register, words: Sequence[int]) -> Sequence[int]:
        start = register.address - self.address
        return words[start : start + register.words]


def blocks(registers: Iterable[Register], *, max_gap: int = MAX_GAP, max_words: int = MAX_WORDS) -> tuple[Block, ...]:
    """The questions that read all registers once; a register is never cut between two of them."""
    found: list[Block] = []
    for register in sorted(registers, key=lambda one: (one.table, one.address, one.words)):
        end = register.address + register.words
        last = found[-1] if found else None
        if last is not None and last.table == register.table:
            reach = max(end, last.address + last.count) - last.address
            near = register.address <= last.address + last.count + max_gap
            if near and reach <= (MAX_BITS if register.is_bit else max_words):
                found[-1] = Block(last.table, last.address, reach, (*last.registers, register))
                continue
        found.append(Block(register.table, register.address, register.words, (register,)))
    return tuple(found)
