"""The house keeps its own rules, and the tools that say so see each breach (DESIGN 1, 8; Q-01)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(tool: str, where: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, str(ROOT / "tools" / tool), str(where)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def tree(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder


def test_the_house_is_within_its_bounds() -> None:
    code, out = run("house.py", ROOT)
    assert code == 0, out


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("edge/a.py", "import cloud.app\n", "edge/a.py imports cloud.app"),
        ("cloud/ledger/a.py", "import cloud.counter.service\n", "imports cloud.counter.service"),
        ("cloud/counter/a.py", "from cloud.ledger.store import post\n", "imports cloud.ledger.store"),
        ("cloud/ledger/service.py", 'X = "SELECT 1"\n', "contains SQL"),
        ("edge/core/a.py", 'X = "DELETE FROM t"\n', "contains SQL"),
        ("protocols/a.py", "import httpx\n", "imports httpx"),
        ("protocols/a.py", 'X = open("f")\n', "calls open()"),
        ("sim/a.py", "try:\n    pass\nexcept:\n    pass\n", "bare except"),
        ("sim/a.py", "def f(a):\n    pass\n", "is not typed"),
        ("sim/a.py", "def f() -> None:\n" + "    pass\n" * 61, "has 62 lines"),
        ("sim/a.py", "X = 1\n" * 401, "has 401 lines"),
    ],
)
def test_house_names_the_breach(tmp_path: Path, name: str, text: str, said: str) -> None:
    tree(tmp_path, "sim/whole.py", "def fine(a: int) -> int:\n    return a\n")
    code, out = run("house.py", tree(tmp_path, name, text))
    assert code == 1
    assert said in out


def test_lower_slices_may_be_used_through_their_service(tmp_path: Path) -> None:
    code, out = run("house.py", tree(tmp_path, "cloud/counter/a.py", "import cloud.ledger.service\n\n\ndef f() -> None: ...\n"))
    assert code == 0, out


def test_no_float_on_the_way_of_an_amount() -> None:
    code, out = run("exact_money.py", ROOT)
    assert code == 0, out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sim/a.py", "x = due_fen / 2\n"),
        ("sim/a.py", "x = 0.5 * car.fee_fen\n"),
        ("sim/a.py", "x = float(amount_fen)\n"),
        ("sim/a.py", "def f(fen_cash: float) -> None: ...\n"),
        ("edge/a.py", "paid_fen: float = 0\n"),
        ("protocols/tariff/a.py", "x = 1.5\n"),
        ("cloud/ledger/a.py", "x = a / b\n"),
        ("cloud/counter/a.py", "x: float\n"),
        ("cloud/shared/migrations/1.sql", "create table t (\n  amount_fen integer not null);\n"),
        ("cloud/shared/migrations/1.sql", "create table t (rate double precision);\n"),
    ],
)
def test_the_check_sees_a_float_near_money(tmp_path: Path, name: str, text: str) -> None:
    code, out = run("exact_money.py", tree(tmp_path, name, text))
    assert code == 1, out


@pytest.mark.parametrize("text", ["x = Decimal(a) / b\n", "x = due_fen // 2\n", "x = 0.2  # seconds\n"])
def test_the_check_lets_exact_arithmetic_pass(tmp_path: Path, text: str) -> None:
    name = "sim/a.py" if "seconds" in text else "cloud/fees/a.py"
    assert run("exact_money.py", tree(tmp_path, name, text))[0] == 0
