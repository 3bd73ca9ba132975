"""A plan as a page: well-formed, of one file, and drawn after the plan."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dflint.model.plan import Backfill, Estimate, Plan, PlanTarget, Step, Undo
from dflint.model.plan_report import PlanReport
from dflint.plugin import Output
from dflint_reports.plan import page
from dflint_reports.plan.timeline import lanes
from dflint_reports.plan.wording import seconds, short_span, span, whom, written
from tests.cli.running import run

_SVG = "{http://www.w3.org/2000/svg}"
_HOSTILE = "x'; <script>alert(1)</script> & \"\x1b[2J"


def step(number: int, sql: str = "SELECT 1", **fields: object) -> Step:
    return Step(id=str(number), sql=sql, kind=fields.pop("kind", "tx"), group="1.sql", **fields)  # type: ignore[arg-type]


def made(*steps: Step, point_of_no_return: str | None = None) -> Plan:
    return Plan(
        source="1.sql", target=PlanTarget(18, "abc"), steps=steps, point_of_no_return=point_of_no_return, hash="h"
    )


PLAN = made(
    step(
        1,
        "CREATE INDEX i ON t (a)",
        locks={"table:public.t": "SHARE"},
        lock_class="writes",
        estimate=Estimate(0.1, 12.0, "reads it"),
    ),
    step(2, "deploy <the> code", kind="manual", lock_class="none"),
    step(
        3,
        _HOSTILE,
        locks={'table:public."a.b <c>"': "ACCESS EXCLUSIVE", "table:public.t": "ROW SHARE"},
        lock_class="reads",
        undo=Undo(irreversible="rows are gone"),
        notes=("mind & <this>",),
    ),
    step(
        4,
        kind="backfill",
        locks={"table:public.t": "ROW EXCLUSIVE"},
        lock_class="none",
        backfill=Backfill("table:public.t", ("id",), 1000),
    ),
    point_of_no_return="3",
)


def tree(plan: Plan) -> ET.Element:
    return ET.fromstring(page.render(PlanReport(plan), Output(color=False, width=80, quiet=False)))


def bars(found: ET.Element) -> list[tuple[str, str]]:
    """Class and title of each bar."""
    return [
        (each.get("class", "").removeprefix("bar "), each.findtext(f"{_SVG}title") or each.findtext("{*}title") or "")
        for each in found.iter()
        if each.get("class", "").startswith("bar ")
    ]


def test_each_lock_is_a_bar_in_the_lane_of_its_relation() -> None:
    found = bars(tree(PLAN))
    assert found == [
        ("writes", "SHARE on t: writes wait"),
        ("none open", "ROW SHARE on t: nobody waits"),
        ("none open", "ROW EXCLUSIVE on t: nobody waits"),
        ("reads open", "ACCESS EXCLUSIVE on a.b <c>: reads and writes wait"),
    ]


def test_the_page_is_one_file_and_holds_no_script() -> None:
    text = page.render(PlanReport(PLAN), Output(color=False, width=80, quiet=False))
    assert "<script" not in text
    assert re.findall(r"(?:src|href)=\"(?!#)", text) == []
    assert re.findall(r"https?://(?!www\.w3\.org/)", text) == []
    assert "default-src 'none'" in text
    assert "\x1b" not in text
    everything = "".join(tree(PLAN).itertext())
    for said in (
        "deploy <the> code",
        "x'; <script>alert(1)</script> & \"",
        "mind & <this>",
        "impossible: rows are gone",
    ):
        assert said in everything


def test_what_matters_stands_above() -> None:
    everything = "".join(tree(PLAN).itertext())
    assert "1 step stops reads and writes; of 1 it is not known how long." in everything
    assert "1 step stops writes, the longest for up to 12 s." in everything
    assert "From here on nothing is taken back" in everything


def test_longer_steps_are_wider() -> None:
    def width(high_s: float) -> float:
        plan = made(step(1, locks={"table:public.t": "SHARE"}, estimate=Estimate(0.001, high_s, "")))
        (bar,) = [each for each in tree(plan).iter() if each.get("class", "").startswith("bar ")]
        return float(next(each for each in bar.iter() if each.tag.endswith("rect")).get("width", "0"))

    widths = [width(each) for each in (0.001, 0.1, 1, 60, 3600)]
    assert widths == sorted(set(widths))


def test_many_quiet_relations_share_a_lane() -> None:
    quiet = {f"index:public.i{number}": "ACCESS SHARE" for number in range(50)}
    loud = {f"table:public.t{number}": "ACCESS EXCLUSIVE" for number in range(5)}
    found = lanes(made(step(1, locks={**quiet, **loud}), step(2, locks={"index:public.i1": "ROW EXCLUSIVE"})))
    assert [each.name for each in found] == ["t0", "t1", "t2", "t3", "t4", "50 others"]
    assert found[-1].locks == {"1": "ACCESS SHARE", "2": "ROW EXCLUSIVE"}
    assert len(lanes(made(step(1, locks={f"table:s.t{n}": "SHARE" for n in range(200)})))) <= 41


@pytest.mark.parametrize(
    ("mode", "stopped"),
    [("ACCESS EXCLUSIVE", "reads"), ("EXCLUSIVE", "writes"), ("SHARE", "writes"), ("ROW EXCLUSIVE", "none")],
)
def test_whom_a_mode_stops(mode: str, stopped: str) -> None:
    assert whom(mode) == stopped


def test_times_in_words() -> None:
    assert [seconds(each) for each in (0.0001, 0.25, 2.34, 45, 600, 9000)] == [
        "1 ms",
        "250 ms",
        "2.3 s",
        "45 s",
        "10 min",
        "2.5 h",
    ]
    assert span(Estimate(0.5, 2, "")) == "500 ms to 2.0 s"
    assert (span(None), short_span(step(1))) == ("not known", "?")


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "1.sql", tmp_path / "plan.html"
    file.write_text("CREATE TABLE t (a int);\nCREATE INDEX ON t (a);\n")
    assert run(capsys, "plan", str(file), "--html", "-o", str(out)).status == 0
    assert ET.parse(out).getroot().tag.endswith("html")
    safe = run(capsys, "plan", str(file), "--safe", "--format", "html")
    assert safe.status == 0
    assert ET.fromstring(safe.stdout) is not None
    unknown = run(capsys, "plan", str(file), "--format", "htm")
    assert unknown.status == 2
    assert "html" in unknown.stderr


def test_what_is_written_is_said_where_it_is_anything() -> None:
    some = Estimate(1.0, 4.0, "writes it", wal_bytes=(6_000, 15_000), disk_bytes=(0, 40 * 2**30))
    assert list(written(some)) == ["6000 bytes to 15 kB to the log", "0 bytes to 40 GB to disk at its peak"]
    assert not list(written(Estimate(0.0, 0.1, "changes the catalogs only", (0, 0), (0, 0))))
    assert not list(written(Estimate(0.0, 0.1, "nobody said")))
    shown = page.render(PlanReport(made(step(1, estimate=some))), Output(color=False, width=80, quiet=False))
    assert "to the log (estimate)" in shown
