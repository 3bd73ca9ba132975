"""Pictures of impacts: nothing is missing, nothing overlaps, and no name can break the document it stands in."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from html import unescape
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflint.model.impact import STRONGEST_FIRST, Dependent, Evidence, Impact
from dflint.model.names import Identity
from dflint.model.uses import ImpactReport, QueryUse, QueryUses
from dflint.plugin import Output
from dflint.plugin.manager import Plugins, load
from dflint_reports.impact import document, dot, html, mermaid, svg, text
from dflint_reports.impact.labels import cells, name_of, shortened, wrapped
from dflint_reports.impact.layout import BOX_HEIGHT, Picture, arrange
from dflint_reports.impact.tree import MOST_BOXES, Node, tree
from dflint_reports.impact.wording import headline, verdict

SVG = "{http://www.w3.org/2000/svg}"
KINDS = ["table", "view", "materialized_view", "index", "fk", "constraint", "function", "trigger", "publication"]
NASTY = [
    "a",
    'x"y',
    "<script>",
    "]]>",
    "&amp;",
    "`x`",
    "\\",
    "{0}",
    "日本語",
    "e\u0301",
    "\u202e",
    "\x00\x1b[31m",
    "\ud800",
    "a.b",
    "\n",
]


@st.composite
def impacts(draw: st.DrawFn) -> Impact:
    """Any impact: ways of any shape, also over objects that are no dependents."""
    names = st.one_of(st.sampled_from(NASTY), st.text(min_size=1, max_size=70))
    count = draw(st.integers(0, 150))
    random = draw(st.randoms(use_true_random=False))
    parts = draw(st.lists(names, min_size=1, max_size=6))
    pool = [
        str(Identity(random.choice(KINDS), (random.choice(parts), f"{random.choice(parts)}{number}")))
        for number in range(count + 5)
    ]
    bushy = random.random()
    ways = [()] if bushy < 0.2 else [tuple(random.sample(pool, random.randrange(4))) for _ in range(10)]
    dependents: list[Dependent] = []
    for identity in pool[:count]:
        way = random.choice(ways)
        if bushy > 0.8 and dependents:
            way = (*dependents[-1].via, dependents[-1].identity)
        evidence = Evidence("body", random.choice(parts), random.randrange(1, 9), 2)
        effect = random.choice(STRONGEST_FIRST[: random.choice([2, 6])])
        dependents.append(Dependent(identity, effect, tuple(each for each in way if each != identity), (evidence,)))
    reasons = tuple(draw(st.lists(names, max_size=3)))
    return Impact(
        "drop-table", str(Identity("table", ("public", draw(names)))), True, tuple(dependents), None, None, reasons
    )


def everything(root: Node) -> Counter[str]:
    """The dependents that are drawn, and those that folds stand for."""
    return Counter(each.identity for node in root.drawn() for each in node.objects if each.effect is not None)


@given(impacts())
@settings(max_examples=150, deadline=None)
def test_every_dependent_is_a_box_or_in_one_fold(impact: Impact) -> None:
    root = tree(impact)
    assert everything(root) == Counter({each.identity for each in impact.dependents} - {impact.target})
    assert sum(1 for _ in root.drawn()) <= MOST_BOXES


def test_few_dependents_are_not_folded() -> None:
    impact = star(MOST_BOXES - 1)
    assert not any(node.is_fold for node in tree(impact).drawn())
    assert any(node.is_fold for node in tree(star(MOST_BOXES)).drawn())


def test_what_matters_least_is_folded_first() -> None:
    red = [Dependent(f"view:public.red{number}", "blocks") for number in range(20)]
    grey = [Dependent(f"index:public.grey{number}", "follows") for number in range(60)]
    root = tree(Impact("drop-table", "table:public.t", True, (*red, *grey)))
    folds = [node for node in root.drawn() if node.is_fold]
    assert [(fold.effect, fold.kinds, fold.behind) for fold in folds] == [("follows", "60 indexes", 0)]


def test_a_fold_is_as_bad_as_the_worst_in_it() -> None:
    chain = [f"view:public.v{number:03}" for number in range(300)]
    found = [Dependent(each, "follows", tuple(chain[:place])) for place, each in enumerate(chain)]
    found[-1] = Dependent(chain[-1], "breaks_later", tuple(chain[:-1]))
    folds = [
        node
        for node in tree(Impact("rename-table", "table:public.t", False, tuple(found), "u")).drawn()
        if node.is_fold
    ]
    assert [fold.effect for fold in folds] == ["breaks_later"]


@given(impacts())
@settings(max_examples=80, deadline=None)
def test_no_boxes_overlap_and_lines_go_from_left_to_right(impact: Impact) -> None:
    picture = arrange(tree(impact), 200)
    assert len(picture.boxes) == sum(1 for _ in tree(impact).drawn())
    places = [(box.x, box.y, box.x + 200, box.y + BOX_HEIGHT) for box in picture.boxes]
    apart(places)
    apart([(each.x, each.y, each.x + each.width, each.y + each.height) for each in picture.frames])
    for box in picture.boxes:
        assert box.parent is None or box.x >= box.parent.x + 200
        assert 0 <= box.x <= picture.width - 200
        assert 0 <= box.y <= picture.height - BOX_HEIGHT
        for frame in picture.frames:
            inside = frame.x <= box.x < frame.x + frame.width and frame.y <= box.y < frame.y + frame.height
            assert inside == (box.frame is frame)
    uncrossed(picture)


def apart(places: list[tuple[float, float, float, float]]) -> None:
    for one, other in itertools.combinations(places, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def uncrossed(picture: Picture) -> None:
    """Lines that leave two boxes of one column end in the order in which they begin."""
    ends: dict[float, list[tuple[float, float]]] = {}
    for box in picture.boxes:
        if box.parent is not None:
            ends.setdefault(box.parent.x, []).append((box.parent.y, box.y))
    for lines in ends.values():
        for (from_one, to_one), (from_other, to_other) in itertools.combinations(lines, 2):
            assert from_one == from_other or (from_one < from_other) == (to_one < to_other)


@given(impacts())
@settings(max_examples=60, deadline=None)
def test_documents_are_well_formed_and_hold_every_name(impact: Impact) -> None:
    report = ImpactReport(impact, queries("SELECT '<b>' \x00 " + impact.target))
    drawn = ET.fromstring(svg.render(report, Output()))
    boxes = [each for each in drawn.iter(f"{SVG}g") if "box" in (each.get("class") or "").split()]
    root = tree(impact)
    assert len(boxes) == sum(1 for _ in root.drawn())
    page = ET.fromstring(html.render(report, Output()).removeprefix("<!DOCTYPE html>\n"))
    rows = [each for each in page.iter() if (each.get("id") or "").startswith("d")]
    assert len(rows) == len(impact.dependents)
    ids = [each.get("id") for each in page.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    links = [each.get("href") or "" for each in page.iter() if each.get("href")]
    assert {link[1:] for link in links} <= set(ids)


@given(impacts())
@settings(max_examples=60, deadline=None)
def test_dot_and_mermaid_hold_nothing_but_what_they_should(impact: Impact) -> None:
    report, boxes = ImpactReport(impact), sum(1 for _ in tree(impact).drawn())
    lines = dot.render(report, Output()).split("\n")
    string = r'"(?:[^"\\\n]|\\.)*"'
    nodes = [line for line in lines if re.fullmatch(rf"  n\d+ \[label={string}(, \w+={string})*\];", line)]
    edges = [line for line in lines if re.fullmatch(rf"  n\d+ -> n\d+ \[color={string}(, style=dashed)?\];", line)]
    assert (len(nodes), len(edges), len(lines)) == (boxes, boxes - 1, 2 * boxes + 5)
    lines = mermaid.render(report, Output()).split("\n")
    nodes = [line for line in lines if re.fullmatch(r'  n\d+\["[^"<>`]*<br/>[^"<>`]*"\]:::\w+', line)]
    edges = [line for line in lines if re.fullmatch(r"  n\d+ -(-|\.-)> n\d+", line)]
    assert (len(nodes), len(edges), len(lines)) == (boxes, boxes - 1, 2 * boxes + 9)


@given(impacts())
@settings(max_examples=60, deadline=None)
def test_text_names_everything_and_holds_no_control_characters(impact: Impact) -> None:
    found = text.render(ImpactReport(impact, queries("SELECT 1\n\x1b[2J")), Output())
    assert all(line.isprintable() for line in found.split("\n"))
    assert sum(1 for line in found.split("\n") if re.match(r"  \w+:", line)) >= len(impact.dependents)
    coloured = text.render(ImpactReport(impact), Output(color=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text.render(ImpactReport(impact), Output())


def test_nothing_is_loaded_from_elsewhere() -> None:
    report = ImpactReport(star(70), queries("SELECT 1"))
    for found in (svg.render(report, Output()), html.render(report, Output())):
        addresses = set(re.findall(r"\w+://[^\"'\s]+", found))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}
        assert not re.search(r"\bsrc=|@import|url\((?!#)", found)
    assert "<script" not in svg.render(report, Output())


def test_full_names_are_shown_on_hovering_shortened_ones() -> None:
    long = "übersicht_" + "ж" * 50
    impact = Impact("drop-table", "table:public.t", True, (Dependent(f"view:public.{long}", "blocks"),))
    drawn = ET.fromstring(svg.render(ImpactReport(impact), Output()))
    titles = ["".join(each.itertext()) for each in drawn.iter(f"{SVG}title")]
    shown = ["".join(each.itertext()) for each in drawn.iter(f"{SVG}text")]
    assert any(f"view:public.{long}" in each for each in titles)
    assert not any(long in each for each in shown)
    assert any("…" in each and each.startswith("übersicht_") for each in shown)


def test_the_way_to_each_box_has_a_rule() -> None:
    ways = ("view:public.a", "view:public.b")
    impact = Impact(
        "drop-table",
        "table:public.t",
        True,
        (Dependent(ways[0], "blocks"), Dependent(ways[1], "blocks", ways[:1]), Dependent("view:public.z", "blocks")),
    )
    drawn = unescape(svg.render(ImpactReport(impact), Output()))
    (rule,) = re.findall(r"\.impact:has\(#n2:hover\) :is\(([^)]*)\)", drawn)
    assert set(rule.split(", ")) == {"#n2", "#n1", "#n0", "#e2", "#e1"}


@given(st.text(max_size=80), st.integers(1, 40))
def test_shortened_texts_fit(whole: str, room: int) -> None:
    found = shortened(whole, room)
    assert cells(found) <= max(room, 1)
    assert found == whole or cells(whole) > room
    assert len(wrapped(whole, room, 3)) <= 3


def test_names_are_shown_without_the_schema_of_the_target() -> None:
    assert name_of("column:public.users.email", "public") == "users.email"
    assert name_of("view:sales.v", "public") == "sales.v"
    assert name_of('function:public."f(integer, text)"', "public") == "f(integer, text)"
    assert name_of('table:public."a.b"', "public") == '"a.b"'
    assert name_of("publication:public", "public") == "public"


def test_nothing_is_called_safe_that_is_not_known() -> None:
    whole = Impact("rename-column", "column:public.t.a", False, (), "b")
    assert headline(whole) == "rename-column column:public.t.a to b"
    assert verdict(whole) == "Nothing breaks."
    unsure = Impact("rename-column", "column:public.t.a", False, (), "b", incomplete_because=("x",))
    assert verdict(unsure) == "Nothing is known to break."
    unknown = Impact("rename-column", "column:public.t.a", False, (Dependent("function:public.f", "unknown"),), "b")
    assert verdict(unknown) == "Nothing is known to break. 1 object cannot be judged."


@pytest.mark.parametrize("name", ["text", "json", "dot", "mermaid", "svg", "html"])
def test_formats_are_offered(name: str) -> None:
    render = load(Plugins().impact_reporters()[name])
    assert render(ImpactReport(star(3)), Output()).endswith("\n")


def test_json_holds_queries_only_when_they_were_asked_for() -> None:
    assert "queries" not in json.loads(document.render(ImpactReport(star(1)), Output()))
    found = json.loads(document.render(ImpactReport(star(1), queries("SELECT 1")), Output()))
    assert found["schema_version"] == 1
    assert found["queries"]["statements"][0]["calls"] == 7


def star(count: int) -> Impact:
    dependents = tuple(Dependent(f"index:public.i{number:03}", "auto_dropped") for number in range(count))
    return Impact("drop-table", "table:public.t", False, dependents)


def queries(statement: str) -> QueryUses:
    return QueryUses(
        (QueryUse(statement, ("table:public.t",), 1, 8, "pg_stat_statements", calls=7),), 12, ("some <why>",)
    )
