"""A-06, Civil Code art. 944: nothing here cuts or limits water, power, heat or gas, doors or lifts because somebody owes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import cloud.arrears
from cloud.app import approval_handlers, create_app, exports, job_runners, notice_checks
from cloud.arrears.domain_dunning import LEVELS, SHORT, WAYS
from cloud.notices.pages import KINDS
from tests.support.routes import routes_of

CUTTING = re.compile(
    r"cut|shut|disconnect|suspend_supply|power_?off|valve|relay|limit_(water|power)|block|blacklist|deactivate|lock_?out|revoke"
    r"|elevator|lift",
    re.IGNORECASE,
)
WORDS = re.compile(r"停水|停电|停气|停暖|限水|限电|断水|断电|关阀|拉闸|门禁|电梯|禁入|限制通行")


def test_no_route_of_arrears_or_messages_cuts_anything(hub):
    """The whole surface: every address, every permission before it"""
    found = routes_of(create_app(hub))
    mine = [one for one in found if re.search(r"/(arrears|notices)(/|$|\.)", one.path)]
    assert len(mine) >= 12, "the routes are found"
    assert [str(one) for one in mine if CUTTING.search(one.path)] == []
    # Whoever may dun may do nothing else by it: these permissions open no other address.
    theirs = [one for one in found if (one.permission or "").startswith(("arrears.", "notice."))]
    assert {one.path for one in theirs} <= {one.path for one in mine} | {
        one.path for one in found if re.search(r"/(instalments|write-offs|warnings)(/|$|\.)", one.path)
    }


def test_no_permission_job_approval_message_or_letter_names_such_a_step(hub, money_admin):
    permissions = {str(row[0]) for row in money_admin.fetch("SELECT DISTINCT permission FROM role_permissions")}
    dunning = {one for one in permissions if one.startswith(("arrears.", "notice."))}
    assert dunning and [one for one in dunning if CUTTING.search(one)] == []
    named = [*KINDS, *job_runners(), *approval_handlers(), *exports(), *notice_checks(), *LEVELS, *WAYS]
    assert [one for one in named if one.startswith(("arrears", "notice", "dun")) and CUTTING.search(one)] == []
    said = [*KINDS.values(), *LEVELS.values(), *SHORT.values(), *WAYS.values()]
    assert [one for one in said if WORDS.search(one)] == []
    assert list(LEVELS) == ["reminder", "demand", "lawyer"], "and then the papers for the court: no further step exists"


def test_the_database_knows_no_other_letter(money_admin):
    rows = money_admin.fetch("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'dunning_notices'::regclass")
    levels = next(str(row[0]) for row in rows if "level" in str(row[0]))
    assert set(re.findall(r"'(\w+)'", levels)) == set(LEVELS)


def test_arrears_reach_no_meter_lane_or_card():
    """Nothing of this slice can speak to a device: it imports none of the slices that do"""
    imported = set()
    for path in Path(cloud.arrears.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            imported |= {name.split(".")[1] for name in names if name.startswith("cloud.") and "." in name}
    assert imported and not imported & {"metering", "parking", "cards", "fleet"}, imported
