"""Whatever is sent to the API, it answers as documented: never a 5xx, bad input is the sender's fault (DESIGN 6, N-02)."""

from __future__ import annotations

import json
import os
from functools import lru_cache

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cloud.app import create_app, job_runners
from tests.support.hub import HubClient

FULL = os.environ.get("GATEHOUSE_FAULTS") == "full"
EXAMPLES = int(os.environ.get("GATEHOUSE_SCHEMA_EXAMPLES", "15" if FULL else "4"))
"""Inputs a route. With two hundred routes 4 take half a minute and 15 some two minutes, most of it to think of them."""
LEFT_OUT = ("/logout", "/me/password", "/login")
"""They end or lock the session that the test goes on with."""


async def test_the_schema_is_for_people_with_a_session_and_knows_only_the_api(hub_client):
    assert (await hub_client.get("/api/v1/openapi.json")).status_code == 401
    await hub_client.log_in("hq_finance")
    found = (await hub_client.get("/api/v1/openapi.json")).json()
    assert found["paths"] and all(path.startswith("/api/v1/") for path in found["paths"])
    for path, item in found["paths"].items():
        for method, operation in item.items():
            assert {"401", "403", "404", "422", "503"} <= set(operation["responses"]), (method, path)
            problem = operation["responses"]["422"]["content"]["application/problem+json"]["schema"]
            assert problem == {"$ref": "#/components/schemas/Problem"}
    collect = found["paths"]["/api/v1/counter/collect"]["post"]
    assert any(one["name"] == "Idempotency-Key" for one in collect["parameters"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", ["hq_finance", "project_manager"])
async def test_any_input_is_answered_as_documented(hub, role):
    """No 5xx, no status that is not documented, problem documents for what is refused."""
    hub.job_runners = job_runners()
    app = create_app(hub)
    async with HubClient(hub, app) as client:
        await client.log_in(role, project=None if role.startswith("hq") else 11)
        raw = (await client.get("/api/v1/openapi.json")).json()
        faults: list[str] = []
        asked = 0
        for case in inputs(json.dumps(raw, sort_keys=True)):
            answer = await send(client, case)
            faults += judged(case, answer)
            asked += 1
        assert not faults, "\n".join(sorted(set(faults))[:40])
        assert asked > EXAMPLES * len(raw["paths"]) / 2, "every route was asked"


@lru_cache(maxsize=1)
def inputs(schema: str) -> list[schemathesis.Case]:
    """A few inputs of every operation of a schema (JSON). Thought of once: each role sends the same."""
    found: list[schemathesis.Case] = []
    for result in schemathesis.openapi.from_dict(json.loads(schema)).get_all_operations():
        operation = result.ok()
        if not operation.path.endswith(LEFT_OUT):
            found += cases(operation)
    return found


def cases(operation) -> list[schemathesis.Case]:
    """A few of the operation's inputs, the same each run, of both kinds: as documented and not."""
    found: list[schemathesis.Case] = []
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    strategy = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))

    @settings(
        max_examples=EXAMPLES,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(case: schemathesis.Case) -> None:
        found.append(case)

    collect()
    return found


async def send(client: HubClient, case: schemathesis.Case):
    sent = case.as_transport_kwargs(base_url="http://hub")
    headers = {**dict(sent.get("headers") or {}), "x-csrf-token": client.headers["x-csrf-token"]}
    kept = {name: sent[name] for name in ("json", "data", "params", "content", "files") if sent.get(name) is not None}
    if "files" in kept:
        pairs = kept["files"].items() if isinstance(kept["files"], dict) else kept["files"]
        kept["files"] = [(name, as_file(value)) for name, value in pairs]
    if isinstance(kept.get("data"), bytes | str):
        kept["content"] = kept.pop("data")
    return await client.request(sent["method"], sent["url"], headers=headers, **kept)


def as_file(value):
    """What httpx can send: schemathesis puts numbers and nothing where a file's bytes should be."""
    if isinstance(value, tuple):
        return (value[0], as_file(value[1]), *value[2:])
    return value if isinstance(value, bytes | str) else str(value)


def judged(case: schemathesis.Case, answer) -> list[str]:
    where = f"{case.method} {case.path}"
    documented = set(case.operation.definition.raw["responses"])
    text = f"{where}: {answer.status_code} {answer.text[:160]}"
    if answer.status_code >= 500 and answer.status_code != 503:
        return [text]
    if str(answer.status_code) not in documented and answer.status_code != 405:
        return [f"undocumented {text}"]
    if answer.status_code >= 400 and answer.headers["content-type"] != "application/problem+json":
        return [f"no problem document {text}"]
    return []
