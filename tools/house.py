"""Figures of the house: sizes, typing, and the room rules that import-linter cannot say. Exit 1 beyond a bound.

usage: house.py [CHECKOUT]

Bounds: module <= 400 lines, function <= 60 (95 % <= 40), parameters and results typed, no breach of the rules in RULES.
Lines of tests a line of source are shown, not gated.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOMS = ("protocols", "edge", "cloud", "provisioning", "sim")
TIERS = (
    ("access", "estate", "fleet", "notices"),
    ("ledger",),
    ("fees", "payments"),
    ("wallets", "cards"),
    ("parking", "metering"),
    ("counter",),
    ("arrears", "invoices", "tickets", "vouchers"),
    ("controls", "reports", "portal"),
)
TIER = {name: level for level, names in enumerate(TIERS) for name in names}
MODULE_LINES, FUNCTION_LINES, MOST_FUNCTIONS = 400, 60, 40
PURE_LIBRARIES = {"pydantic", "pydantic_core", "annotated_types", "cryptography", "protocols"}
SQL = re.compile(r"""["'](?:SELECT|INSERT INTO|UPDATE|DELETE FROM) """)


@dataclass
class Module:
    """One source file as the rules see it."""

    name: str
    text: str
    tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.text)

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.name.split("/"))

    def imports(self) -> Iterator[str]:
        """Absolute module names, also those inside functions."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                yield node.module

    def functions(self) -> Iterator[tuple[int, str, bool]]:
        """Lines, name, and whether parameters and result are typed."""
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                arguments = [a for a in node.args.args + node.args.kwonlyargs if a.arg not in ("self", "cls")]
                typed = node.returns is not None and all(a.annotation for a in arguments)
                yield (node.end_lineno or node.lineno) - node.lineno + 1, f"{self.name}:{node.name}", typed


def modules(root: Path, room: str) -> list[Module]:
    return [Module(p.relative_to(root).as_posix(), p.read_text(encoding="utf-8")) for p in sorted((root / room).rglob("*.py"))]


def another_room(module: Module) -> Iterator[str]:
    """Rooms stand side by side on protocols."""
    for name in module.imports():
        top = name.split(".")[0]
        if top in ROOMS and top not in (module.parts[0], "protocols"):
            yield f"imports {name}"


def another_slice(module: Module) -> Iterator[str]:
    """A slice imports only the service.py of slices in lower tiers."""
    own = module.parts
    if own[0] != "cloud" or len(own) < 3 or own[1] not in TIER:
        return
    for name in module.imports():
        parts = name.split(".")
        if parts[0] != "cloud" or len(parts) < 2 or parts[1] not in TIER or parts[1] == own[1]:
            continue
        if TIER[parts[1]] >= TIER[own[1]] or (len(parts) > 2 and parts[2] != "service"):
            yield f"imports {name}"


def sql_elsewhere(module: Module) -> Iterator[str]:
    """SQL stands in the box's storage/ and in the hub's store*.py and migrations."""
    room = module.parts[0]
    home = "storage" in module.parts if room == "edge" else bool(re.search(r"store|migrat", module.name))
    if room in ("edge", "cloud") and not home and SQL.search(module.text):
        yield "contains SQL"


def impure(module: Module) -> Iterator[str]:
    """protocols/ needs the standard library, pydantic and cryptography only; cli.py is the one exception for I/O."""
    if module.parts[0] != "protocols":
        return
    for name in module.imports():
        top = name.split(".")[0]
        if top not in sys.stdlib_module_names and top not in PURE_LIBRARIES:
            yield f"imports {name}"
    if module.name != "protocols/cli.py":
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("open", "input", "print"):
                yield f"calls {node.func.id}()"


def swallowed(module: Module) -> Iterator[str]:
    """No bare except anywhere (broad ones are ruff's BLE)."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"bare except at line {node.lineno}"


RULES = (another_room, another_slice, sql_elsewhere, impure, swallowed)


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    source: list[Module] = []
    for room in ROOMS:
        found = modules(root, room)
        source += found
        if found:
            longest = max(found, key=lambda m: m.lines)
            print(
                f"{room:13}{len(found):5} modules {sum(m.lines for m in found):6} lines, longest {longest.lines} {longest.name}"
            )
    functions = sorted(function for module in source for function in module.functions())
    if not functions:
        print("no code")
        return 1
    breaches = [f"{module.name} {why}" for module in source for rule in RULES for why in rule(module)]
    breaches += [f"{module.name} has {module.lines} lines" for module in source if module.lines > MODULE_LINES]
    breaches += [f"{name} has {lines} lines" for lines, name, _ in functions if lines > FUNCTION_LINES]
    breaches += [f"{name} is not typed" for _, name, typed in functions if not typed]
    most = functions[int(0.95 * len(functions))][0]
    if most > MOST_FUNCTIONS:
        breaches.append(f"95 % of the functions have up to {most} lines")
    for breach in breaches:
        print("breach:", breach)
    lines = sum(m.lines for m in source)
    tests = sum(m.lines for m in modules(root, "tests"))
    print(
        f"modules median {statistics.median(m.lines for m in source):.0f}; functions median "
        f"{statistics.median(f[0] for f in functions):.0f}, 95 % {most}, longest {functions[-1][0]} {functions[-1][1]}; "
        f"tests/source {tests / lines:.2f}; breaches {len(breaches)}"
    )
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
