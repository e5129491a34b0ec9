"""Draw edge/core/lane_table.py into docs/lane-table.md. `--check` only compares: exit 1 when it is not current."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from edge.core.lane_table import ARM, MAY_PASS, PLACE, Arm, Do, On, Place  # noqa: E402

PAGE = ROOT / "docs" / "lane-table.md"

HEAD = """# The lane machine

Drawn by `tools/draw_lane_table.py` from `edge/core/lane_table.py`; `tests/edge/lane/test_tables.py` checks that this page is
current and that every row is reached. Two machines run side by side in each lane: one follows the vehicle over loops A (before
the arm) and B (under and after it), the other follows the arm by its limit switches. A pair that is not in a table changes
nothing.

Beside the tables, after every input (`Machine._settled`):

- a vehicle on B or a fire while the arm closes or falls is the trigger *vehicle or fire below*, at once, without the disk (L-16);
- an arm that is down while fire is latched at an exit is opened (L-13);
- *close wanted* comes when the arm is up, B is free, there is no fire, and the vehicle is not in one of: {kept}.
"""


def drawn() -> str:
    kept = ", ".join(f"`{place.value}`" for place in Place if place in MAY_PASS)
    parts = [
        HEAD.format(kept=kept),
        "## The vehicle\n",
        _table(Place, PLACE),
        _picture(Place, PLACE),
        "## The arm\n",
        _table(Arm, ARM),
        _picture(Arm, ARM),
    ]
    return "\n".join(parts)


def _table(states: type[StrEnum], rows: Mapping[tuple[StrEnum, On], tuple[StrEnum, tuple[Do, ...]]]) -> str:  # type: ignore[type-arg]
    lines = ["| from | when | to | and |", "|---|---|---|---|"]
    for state in states:
        for (source, trigger), (target, actions) in rows.items():
            if source is state:
                to = "" if target is source else f"`{target.value}`"
                lines.append(f"| `{source.value}` | {trigger.value} | {to} | {'; '.join(action.value for action in actions)} |")
    return "\n".join(lines) + "\n"


def _picture(states: type[StrEnum], rows: Mapping[tuple[StrEnum, On], tuple[StrEnum, tuple[Do, ...]]]) -> str:  # type: ignore[type-arg]
    """A Mermaid state diagram: one arrow for each pair of states, its triggers joined."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (source, trigger), (target, _) in rows.items():
        arrows.setdefault((source.value, target.value), []).append(trigger.value)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {next(iter(states)).value}"]
    lines += [f"    {source} --> {target}: {' / '.join(triggers)}" for (source, target), triggers in arrows.items()]
    return "\n".join([*lines, "```", ""])


def main() -> int:
    if "--check" in sys.argv:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == drawn() else 1
    PAGE.write_text(drawn(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
