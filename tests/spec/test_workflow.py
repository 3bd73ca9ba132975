"""The workflow up to its third step, which needs a staging environment."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

import psycopg
import pytest

from tests.guard.asynchronous import asynchronous
from tests.risk.operations import SCHEMA
from tests.servers import TestServer
from tests.spec.running import source

_THIRD = "    # Step 3:"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_up_to_step_3(pg: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
    whole = source("workflow")
    head = whole[: whole.index(_THIRD)] + "    return comprehensive_assessment, mitigation_plan\n"
    call = whole[whole.index("# Usage") :].partition("print(")[0]
    names: dict[str, Any] = {"your_connection_manager": dsn}
    code = compile(textwrap.dedent(head) + call, "workflow", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    await eval(code, names)

    assessment, plan = names["success"]
    assert assessment.overall_risk_level.name == "MEDIUM"
    assert plan.plan is not None
    assert plan.strategies
    assert plan.unmet == ()
    assert "Mitigation strategies: " in capsys.readouterr().out
