"""抄表统计 (R-10): consumption by meter and month, what was never read, what looks odd."""

from __future__ import annotations

from cloud.reports.domain_report import Report

REPORTS = (
    Report(
        "usage",
        "R-10",
        "抄表用量表",
        "抄表",
        "每块表每月的期初、期末读数和用量",
        "readings",
        "list",
        columns=(
            "meter",
            "month",
            "project",
            "name",
            "kind",
            "quantity",
            "tariff",
            "unit",
            "before_value",
            "last_value",
            "usage",
            "readings",
            "odd",
            "last_at",
        ),
        conditions=("kind", "meter", "quantity"),
    ),
    Report(
        "usage-kinds",
        "R-10",
        "抄表汇总表",
        "抄表",
        "各项目各类表每月的用量、读数个数和待复核个数",
        "readings",
        "table",
        rows=("project", "kind", "quantity", "unit"),
        values=("usage", "readings", "odd"),
        grain="month",
        conditions=("kind",),
        drill="usage",
    ),
)
