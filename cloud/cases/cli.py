"""`gatehouse-hub try KIND` and `gatehouse-hub calc FILE|-`: published cases and one case for a person. Needs no database."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cloud.cases import billing
from protocols.errors import Refused
from protocols.money import yuan

Case = Mapping[str, Any]
Try = Callable[[Case], dict[str, Any]]

TRIES: Mapping[str, Try] = {"billing": billing.try_case}
"""What `try` knows: the kinds of the published cases."""

WRONG = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What a case of the wrong shape does to code that expects the right one."""

_FENS = {"total_fen": "合计", "discount_fen": "优惠", "payable_fen": "应付", "refund_fen": "应退", "change_fen": "找零"}


def add_verbs(verbs: Any) -> None:
    """The two subcommands, added to the hub's parser."""
    trying = verbs.add_parser("try", help="一行一个 JSON 用例，一行一个答案")
    trying.add_argument("kind", metavar="KIND", help=" ".join(sorted(TRIES)))
    trying.set_defaults(pure=lambda options: run(options.kind))
    calc = verbs.add_parser("calc", help="算一个用例，逐行说明怎么算的")
    calc.add_argument("file", metavar="FILE", help="JSON 文件，- 是标准输入")
    calc.set_defaults(pure=lambda options: show(options.file))


def run(kind: str) -> int:
    """JSON lines in, one JSON line each out. 2 when the kind is not known."""
    trier = TRIES.get(kind)
    if trier is None:
        print(f"不认识 {kind}，可用的有：{' '.join(sorted(TRIES))}", file=sys.stderr)
        return 2
    for line in sys.stdin.buffer:
        if line.strip():
            print(json.dumps(answer(trier, line), ensure_ascii=False), flush=True)
    return 0


def answer(trier: Try, line: str | bytes) -> dict[str, Any]:
    """The answer to one line, its error included: a bad line never stops the next."""
    try:
        case = json.loads(line)
    except (ValueError, RecursionError):
        return {"error": "bad_json", "zh": "不是 JSON"}
    if not isinstance(case, dict):
        return {"error": "bad_case", "zh": "一行是一个 JSON 对象"}
    try:
        return trier(case)
    except Refused as refused:
        said = {"error": refused.code, "zh": refused.zh, "en": refused.en}
        return said if refused.field is None else said | {"field": refused.field}
    except WRONG as error:
        return {"error": "bad_case", "zh": "用例的写法不对", "en": f"{type(error).__name__}: {error}"}


def show(file: str) -> int:
    """One case for a person: its sentences, then the amounts. 2 with the reason on standard error."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        print(f"读不了 {file}：{error}", file=sys.stderr)
        return 2
    found = answer(billing.try_case, text)
    if "error" in found:
        print(f"{found['error']}：{found['zh']}", file=sys.stderr)
        return 2
    for step in found.pop("explained", ()):
        print(step)
    for key, value in found.items():
        if key in _FENS and isinstance(value, int):
            print(f"{_FENS[key]}：{yuan(value)} 元")
        elif key not in ("amount_fen", "lines_fen"):
            print(f"{key}：{json.dumps(value, ensure_ascii=False)}")
    return 0
