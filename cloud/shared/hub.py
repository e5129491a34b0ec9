"""What every request of the hub can reach: `request.app.state.hub`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloud.shared.clock import Clock, SystemClock
from cloud.shared.db import Database
from cloud.shared.live import Live
from cloud.shared.settings import Settings


@dataclass
class Hub:
    """One process of the hub.

    paid_handlers  purpose of a payment order -> who is told that it was paid (`cloud.payments.service.PaidHandlers`)
    approval_handlers  kind of an approval -> what carries it out (`cloud.access.service.Handler`)
    job_runners    kind of a job -> what does it (`cloud.shared.jobs.Runner`)
    menu_counts    address of a page -> how much waits there for somebody (`cloud.shared.console.Count`)
    scans          prefix of a paper's number -> who knows such papers (`cloud.shared.scans.Scan`)
    channels       name of a channel of messages -> what sends there (`cloud.notices.service.Channel`)
    notice_checks  kind of a message -> what is asked in the moment before it goes (`cloud.notices.service.Check`)
    fleet          the MQTT worker; None without a broker
    """

    settings: Settings
    db: Database
    live: Live
    clock: Clock = field(default_factory=SystemClock)
    paid_handlers: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    approval_handlers: Mapping[str, Any] = field(default_factory=dict)
    job_runners: Mapping[str, Any] = field(default_factory=dict)
    menu_counts: Mapping[str, Any] = field(default_factory=dict)
    scans: Mapping[str, Any] = field(default_factory=dict)
    channels: Mapping[str, Any] = field(default_factory=dict)
    notice_checks: Mapping[str, Any] = field(default_factory=dict)
    fleet: Any = None
