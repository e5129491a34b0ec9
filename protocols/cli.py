"""gatehouse-codec: try published cases, and read or write one frame by hand.

The only module of this package that reads and writes: standard input, standard output, standard error.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from protocols.codecs.dlt645 import adapter as dlt645
from protocols.codecs.mbus import adapter as mbus
from protocols.codecs.modbus import adapter as modbus
from protocols.errors import Refused
from protocols.tariff import adapter as parking

Case = Mapping[str, Any]
Try = Callable[[Case], dict[str, Any]]

TRIES: Mapping[str, Try] = {
    "parking": parking.try_case,
    "dlt645": dlt645.try_case,
    "modbus": modbus.try_case,
}
"""What `try` knows: the kinds of the published cases."""

PROTOCOLS: Mapping[str, Try] = {
    "dlt645": dlt645.try_case,
    "modbus": modbus.try_case,
    "mbus": mbus.try_case,
}
"""What `decode` and `encode` know."""

WRONG = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError, struct.error)
"""What a case of the wrong shape does to code that expects the right one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The console command. Exit codes: 0 done, 2 the request itself was wrong."""
    options = _parser().parse_args(arguments)
    if options.verb == "try":
        return _try(options.kind)
    return _by_hand(options.verb, options.protocol, options.text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gatehouse-codec", description="表计、车位屏、卡和相机报文的编解码")
    verbs = parser.add_subparsers(dest="verb", required=True)
    trying = verbs.add_parser("try", help="一行一个 JSON 用例，一行一个答案")
    trying.add_argument("kind", metavar="KIND", help=" ".join(sorted(TRIES)))
    for verb, text in (("decode", "十六进制报文 -> JSON"), ("encode", "JSON -> 十六进制报文")):
        one = verbs.add_parser(verb, help=text)
        one.add_argument("protocol", metavar="PROTOCOL", help=" ".join(sorted(PROTOCOLS)))
        one.add_argument("text", nargs="*", help="报文或 JSON；不写就从标准输入读")
    return parser


def _try(kind: str) -> int:
    trier = TRIES.get(kind)
    if trier is None:
        return _unknown(kind, TRIES)
    for line in sys.stdin.buffer:
        if line.strip():
            print(json.dumps(answer(trier, line), ensure_ascii=False), flush=True)
    return 0


def _unknown(name: str, known: Iterable[str]) -> int:
    print(f"不认识 {name}，可用的有：{' '.join(sorted(known))}", file=sys.stderr)
    return 2


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
        return _refused(refused)
    except WRONG as error:
        return {"error": "bad_case", "zh": "用例的写法不对", "en": f"{type(error).__name__}: {error}"}


def _refused(refused: Refused) -> dict[str, Any]:
    said = {"error": refused.code, "zh": refused.zh, "en": refused.en}
    return said if refused.field is None else said | {"field": refused.field}


def _by_hand(verb: str, protocol: str, words: Sequence[str]) -> int:
    """One frame for a person: hex or a JSON object in, JSON or hex out, a problem on standard error."""
    trier = PROTOCOLS.get(protocol)
    if trier is None:
        return _unknown(protocol, PROTOCOLS)
    text = (" ".join(words) if words else sys.stdin.read()).strip()
    try:
        case = _case(verb, protocol, text)
        found = trier(case | {"direction": verb})
    except Refused as refused:
        print(f"{refused.code}：{refused.zh}（{refused.en}）", file=sys.stderr)
        return 2
    except WRONG as error:
        print(f"bad_case：写法不对（{error}）", file=sys.stderr)
        return 2
    print(found["hex"] if verb == "encode" else json.dumps(found, ensure_ascii=False, indent=1))
    return 0


def _case(verb: str, protocol: str, text: str) -> dict[str, Any]:
    """Bare hex, or an object: for `decode` with `hex` beside `map` and `transport`, for `encode` the fields themselves."""
    if not text.startswith("{"):
        if verb == "encode":
            raise Refused("bad_json", "要编码的内容写成 JSON 对象", "fields are a JSON object")
        return {"hex": text.removeprefix("0x")}
    case = json.loads(text)
    if verb == "decode" or "expect" in case or "input" in case:
        return dict(case)
    transport = {"transport": case["transport"]} if "transport" in case and protocol == "modbus" else {}
    return {"input": case, **transport}


if __name__ == "__main__":
    sys.exit(main())
