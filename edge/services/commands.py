"""Commands from the hub: let in by the gate, run at most once, and what became of each is an event (B-07)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.ports import Clock, CommandHandler, Journal
from protocols.errors import Refused, Retry
from protocols.uplink.commands import Command, CommandGate
from protocols.uplink.events import CommandDone

log = structlog.get_logger(__name__)

TURNED_AWAY_PER_MINUTE = 10
"""Bound of events about commands that were not let in: whoever floods a box must not fill its store."""

REPORT_TRIES = 30
RETRY_S = 1.0

_OUTCOMES = {"expired": "expired", "replayed": "replayed"}


class Commands:
    """`receive` returns when the command has run and its outcome is stored."""

    def __init__(
        self, box: str, journal: Journal, clock: Clock, keys: Mapping[str, Ed25519PublicKey], run: CommandHandler
    ) -> None:
        self._journal, self._clock, self._run = journal, clock, run
        self._gate = CommandGate(box, keys)
        self._minute = -1
        self._told = 0
        self.outcomes: Counter[str] = Counter()

    def sent(self, nonce: str) -> None:
        """The box is about to publish this nonce."""
        self._gate.sent(nonce, self._clock.mono_ms())

    async def receive(self, message: bytes) -> None:
        try:
            command = self._gate.admit(message, self._clock.mono_ms())
        except Refused as problem:
            await self._turned_away(problem)
            return
        await self._report(await self._done(command))

    async def _done(self, command: Command) -> CommandDone:
        try:
            detail = await self._run(command)
        except (Refused, Retry) as problem:
            return CommandDone(command=command.id, name=command.name, outcome="refused", detail=f"{problem.code}: {problem.zh}")
        except Exception as problem:
            # A supervisor's catch: the hub must hear that the command was taken and did not work.
            log.exception("command_failed", name=command.name)
            return CommandDone(command=command.id, name=command.name, outcome="refused", detail=f"fault: {problem}"[:200])
        return CommandDone(command=command.id, name=command.name, outcome="done", detail=detail)

    async def _turned_away(self, problem: Refused) -> None:
        outcome = _OUTCOMES.get(problem.code, "forged")
        self.outcomes[outcome] += 1
        log.warning("command_turned_away", code=problem.code, facts=problem.facts)
        minute = self._clock.mono_ms() // 60_000
        self._told = self._told + 1 if minute == self._minute else 1
        self._minute = minute
        if self._told > TURNED_AWAY_PER_MINUTE:
            return
        told = CommandDone.model_validate({
            "command": str(problem.facts.get("command", "-")),
            "name": str(problem.facts.get("name", "-")),
            "outcome": outcome,
            "detail": problem.code,
        })  # fmt: skip
        await self._report(told, count=False)

    async def _report(self, done: CommandDone, *, count: bool = True) -> None:
        if count:
            self.outcomes[done.outcome] += 1
        for _ in range(REPORT_TRIES):
            try:
                await self._journal.append(done)
                return
            except Retry:
                await asyncio.sleep(RETRY_S)
        log.error("command_outcome_not_stored", command=done.command)
