"""`gatehouse-hub verify --witness` and `rebuild-balances` as an operator types them (G-16)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.ledger import service as ledger
from tests.support.money import EAST, entry


@pytest.fixture
def hub(pg, money_database, tmp_path):
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"GATEHOUSE_DSN": pg.app(money_database), "GATEHOUSE_KEYS": str(tmp_path)}
        command = [str(Path(sys.executable).parent / "gatehouse-hub"), *words]
        return subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    return run


async def test_verify_with_a_witness_file(money_db, hub, tmp_path):
    async with money_db.tx(EAST) as tx:
        await ledger.post(tx, entry("a"))
        heads = [head.model_dump() for head in await ledger.heads(tx, 11)]
    good, bad, none = (tmp_path / name for name in ("good.jsonl", "bad.jsonl", "none.jsonl"))
    good.write_text("\n".join(json.dumps(head) for head in heads))
    bad.write_text(json.dumps(heads[0] | {"hash": "ab" * 32}))
    none.write_text("nothing")
    assert hub("verify", "--witness", str(good)).returncode == 0
    done = hub("verify", "--witness", str(good), str(bad))
    assert done.returncode == 1
    assert "project 11, entry 1: witness: bad.jsonl: entry 1 is another one" in done.stdout
    done = hub("verify", "--witness", str(none))
    assert (done.returncode, "第 1 行" in done.stderr) == (2, True)
    assert hub("verify", "--witness", str(tmp_path / "gone")).returncode == 2


async def test_balances_are_rebuilt(money_db, money_admin, hub):
    async with money_db.tx(EAST) as tx:
        await ledger.post(tx, entry("a"))
    money_admin.tamper("UPDATE ledger_days SET debit_fen = 1")
    done = hub("verify")
    assert (done.returncode, "summary" in done.stdout) == (1, True)
    assert json.loads(hub("rebuild-balances").stdout) == {"sums": 2}
    assert hub("verify").returncode == 0
