"""gatehouse-codec as a shell sees it: lines in, lines out, exit codes; and by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

READ = {"protocol": "2007", "request": "read_data", "address": "000000000001", "di": "00010000", "preamble": 0}
READ_HEX = "6801000000000068110433333433B316"


def run(*arguments: str, text: str | bytes = "") -> subprocess.CompletedProcess[bytes]:
    data = text.encode() if isinstance(text, str) else text
    return subprocess.run([sys.executable, "-m", "protocols.cli", *arguments], input=data, capture_output=True, timeout=60)


def lines(done: subprocess.CompletedProcess[bytes]) -> list[Any]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_bad_line_gets_its_error_and_the_next_goes_on() -> None:
    asked = [
        json.dumps({"name": "a", "direction": "encode", "expect": READ}),
        "{",
        "[1]",
        b"\xff\xfe".decode("latin-1"),
        "",
        json.dumps({"direction": "decode", "hex": "6"}),
        json.dumps({"direction": "decode"}),
        json.dumps({"direction": "decode", "hex": 5}),
        json.dumps({"direction": "sideways", "hex": ""}),
        json.dumps({"direction": "encode", "expect": "x"}),
        json.dumps({"direction": "exchange", "steps": [{"send": READ_HEX}, {"receive": ""}]}),
        json.dumps({"direction": "encode", "expect": READ}),
    ]
    done = run("try", "dlt645", text="\n".join(asked))
    answers = lines(done)
    assert done.returncode == 0
    assert answers[0] == answers[-1] == {"hex": READ_HEX}
    assert [one["error"] for one in answers[1:-1]] == [
        "bad_json", "bad_case", "bad_json", "bad_value", "bad_value", "bad_value", "unsupported", "bad_case", "truncated",
    ]  # fmt: skip


def test_nothing_depends_on_the_answer_of_a_decode() -> None:
    case = {"direction": "decode", "hex": "6837030092813968910833333433373333338C16"}
    one, other = lines(run("try", "dlt645", text=f"{json.dumps(case)}\n{json.dumps(case | {'expect': {'value': '9'}})}"))
    assert one == other and one["value"] == "0.04"


@pytest.mark.parametrize(
    ("kind", "case", "expect"),
    [
        ("parking", {"id": "x", "facts": {}}, {"error": "bad_case"}),
        ("modbus", {"direction": "decode", "transport": "mbus", "hex": "E5"}, {"kind": "ack"}),
        ("modbus", {"direction": "decode", "transport": "smoke", "hex": "E5"}, {"error": "unsupported"}),
        ("modbus", {"direction": "decode", "transport": "rtu", "hex": "018302C0F1", "map": []}, {"error": "device_refused"}),
    ],
)
def test_each_kind_answers(kind: str, case: dict[str, Any], expect: dict[str, Any]) -> None:
    (found,) = lines(run("try", kind, text=json.dumps(case)))
    assert expect.items() <= found.items()


def test_an_unknown_kind_names_those_there_are() -> None:
    done = run("try", "carrier-pigeon")
    assert done.returncode == 2
    assert all(kind in done.stderr.decode() for kind in ("parking", "dlt645", "modbus"))


def test_by_hand_hex_gives_fields_and_fields_give_hex() -> None:
    assert run("encode", "dlt645", json.dumps(READ)).stdout.decode().strip() == READ_HEX
    spaced = " ".join(READ_HEX[at : at + 2] for at in range(0, len(READ_HEX), 2))
    assert READ.items() - {"preamble": 0}.items() <= json.loads(run("decode", "dlt645", *spaced.split()).stdout).items()
    assert json.loads(run("decode", "modbus", text="010304436680006E68\n").stdout)["registers"] == [0x4366, 0x8000]
    asked = {"transport": "tcp", "transaction": 1, "unit": 1, "function": 3, "address": 8192, "count": 2}
    assert run("encode", "modbus", json.dumps(asked)).stdout.decode().strip() == "000100000006010320000002"
    tcp = {"transport": "tcp", "hex": "00010000000701030443668000"}
    assert json.loads(run("decode", "modbus", json.dumps(tcp)).stdout)["transaction"] == 1
    assert json.loads(run("decode", "mbus", "E5").stdout) == {"kind": "ack"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("decode", "dlt645", "68"), "truncated"),
        (("decode", "dlt645", "xyz"), "bad_value"),
        (("encode", "dlt645", "{"), "bad_"),
        (("encode", "dlt645", "6801"), "JSON"),
        (("encode", "mbus", '{"request": "snd_nke"}'), "address"),
        (("decode", "morse", "00"), "modbus"),
    ],
)
def test_by_hand_a_problem_is_said_and_the_exit_code_is_2(arguments: tuple[str, ...], word: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2 and done.stdout == b""
    assert word in done.stderr.decode() and "Traceback" not in done.stderr.decode()
