"""No binary floating point on the way of an amount (Q-01): a static check of Python and SQL.

usage: exact_money.py [CHECKOUT]   prints each breach, exit 1 when there is one.

Everywhere: nothing named `fen`, `*_fen` or `fen_*` meets a float literal, `float()`, a true division or a float annotation.
On the amount path (money, tariffs, and the slices that hold money; drawing on paper apart): no float at all, and `/` only with
a Decimal, a Fraction or a path in sight. Migrations: no floating column types, and what is called `*_fen` is a bigint.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOMS = ("protocols", "edge", "cloud", "provisioning", "sim")
SLICES = ("ledger", "fees", "payments", "wallets", "counter", "arrears", "invoices", "vouchers")
AMOUNT_PATH = ("protocols/money.py", "protocols/tariff/", *(f"cloud/{name}/" for name in SLICES))
DRAWING = re.compile(r"^cloud/\w+/papers?(_\w+)?\.py$")
"""Lengths on paper are floats of the PDF library; amounts arrive there as text."""
READS_SHEETS = {"cloud/counter/bank_files.py:fen_of"}
"""A spreadsheet's cells are doubles: this function takes their shortest text, nothing else."""
FOREIGN_SQL = {"0003_procrastinate.sql"}
EXACT = ("Decimal", "Fraction", "Path")
KNOWN_EXACT = {"abs(total) * weight / whole"}
"""Divisions read by a person: the operands are Fractions (protocols.money.allocate)."""
FLOATING_SQL = re.compile(r"\b(real|double\s+precision|float[48]?)\b", re.IGNORECASE)
FEN_COLUMN = re.compile(r"^\s*(\w*fen\w*)\s+(integer|int|int4|smallint|numeric|text)\b", re.IGNORECASE | re.MULTILINE)


def is_fen(node: ast.AST) -> bool:
    """Whether the expression is a name or attribute of an amount."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name == "fen" or name.endswith("_fen") or name.startswith("fen_")


def is_float(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float)


def is_float_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"


def near_fen(node: ast.AST) -> str | None:
    """What is wrong with one expression anywhere, or None."""
    if isinstance(node, ast.BinOp):
        sides = (node.left, node.right)
        if any(map(is_fen, sides)) and (isinstance(node.op, ast.Div) or any(is_float(s) or is_float_call(s) for s in sides)):
            return "an amount in fen meets a float or a true division"
    if isinstance(node, ast.Call) and is_float_call(node) and any(is_fen(inner) for arg in node.args for inner in ast.walk(arg)):
        return "float() of an amount in fen"
    if isinstance(node, ast.AnnAssign) and is_fen(node.target) and "float" in ast.unparse(node.annotation):
        return "an amount in fen annotated as float"
    if (
        isinstance(node, ast.arg)
        and node.annotation
        and is_fen(ast.Name(id=node.arg))
        and "float" in ast.unparse(node.annotation)
    ):
        return "a parameter in fen annotated as float"
    return None


def on_amount_path(node: ast.AST) -> str | None:
    """What is wrong with one expression in a module that computes amounts, or None."""
    if is_float(node):
        return "float literal"
    if isinstance(node, ast.Name) and node.id == "float":
        return "float"
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
        text = ast.unparse(node)
        joined = isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant) and isinstance(node.right.value, str)
        if not joined and text not in KNOWN_EXACT and not any(word in text for word in EXACT):
            return f"true division without Decimal or Fraction in sight: {text}"
    return None


def without(tree: ast.Module, name: str) -> ast.Module:
    """The module less the functions that read a spreadsheet's doubles."""
    tree.body = [node for node in tree.body if f"{name}:{getattr(node, 'name', '')}" not in READS_SHEETS]
    return tree


def breaches(root: Path) -> Iterator[str]:
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            strict = name.startswith(AMOUNT_PATH) and not DRAWING.match(name)
            for node in ast.walk(without(ast.parse(path.read_text(encoding="utf-8")), name)):
                problem = near_fen(node) or (on_amount_path(node) if strict else None)
                if problem:
                    yield f"{name}:{getattr(node, 'lineno', 0)}: {problem}"
    for path in sorted((root / "cloud").rglob("*.sql")):
        text = re.sub(r"--[^\n]*|'[^']*'", "", path.read_text(encoding="utf-8"))
        name = path.relative_to(root).as_posix()
        for found in FLOATING_SQL.finditer("" if path.name in FOREIGN_SQL else text):
            yield f"{name}: floating type {found.group(0)}"
        for found in FEN_COLUMN.finditer(text):
            yield f"{name}: {found.group(1)} is {found.group(2)}, not bigint"


def main() -> int:
    found = list(breaches(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
    for breach in found:
        print(breach)
    print(f"exact money: {len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
