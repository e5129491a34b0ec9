"""Every report of the hub, by code. A file here is a report or a family of them: data, and what only that report computes."""

from __future__ import annotations

from collections.abc import Mapping

from cloud.reports.defs import arrears, cash, collected, held, meters, parking, rates, registers
from cloud.reports.domain_report import Report

ALL: tuple[Report, ...] = (
    *collected.REPORTS,
    *arrears.REPORTS,
    *rates.REPORTS,
    *held.REPORTS,
    *cash.REPORTS,
    *registers.REPORTS,
    *parking.REPORTS,
    *meters.REPORTS,
)
REPORTS: Mapping[str, Report] = {one.code: one for one in ALL}
