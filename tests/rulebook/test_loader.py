from __future__ import annotations

from pathlib import Path

import pytest

from dflint.model.errors import RuleError, RuleErrors
from dflint.rulebook import loader
from dflint.rulebook.documentation import rule_page, rules_table, vocabulary_page
from dflint.rulebook.files import built_in_rules, rule_files
from dflint.rulebook.rule import Rule

FACTS = """\
schema: 1
facts:
  - id: build
    operations: [create_index]
    effect:
      locks: {target: SHARE}
      scan: true
"""
RULE = """\
id: slow-index
title: It is slow
hazards: [H001]
level: error
operations: [create_index]
when:
  concurrently: false
  target.new: false
message: CREATE INDEX on {target} holds {lock}.
why: It reads the table.
fix: CREATE INDEX CONCURRENTLY {name} …
facts: [build]
examples:
  bad:
    - CREATE INDEX ON t (a);
    - sql: CREATE INDEX ON t (a);
      lines: [1]
  good:
    - CREATE INDEX CONCURRENTLY ON t (a);
"""


def read(folder: Path, checks: dict[str, str] | None = None, **files: str) -> list[Rule]:
    for name, text in files.items():
        (folder / f"{name.replace('_', '-')}.yaml").write_text(text, encoding="utf-8")
    return loader.load(rule_files([str(folder)]), checks or {})[0]


def errors(folder: Path, checks: dict[str, str] | None = None, **files: str) -> list[str]:
    with pytest.raises(RuleErrors) as caught:
        read(folder, checks, **files)
    assert all(error.file and error.line for error in caught.value.errors)
    return [str(error).replace(f"{folder}/", "") for error in caught.value.errors]


def test_a_rule_is_read(tmp_path: Path) -> None:
    (rule,) = read(tmp_path, facts=FACTS, slow_index=RULE)
    assert rule.operations == ("create_index",)
    assert rule.when == {"concurrently": False, "target.new": False}
    assert rule.confidence == "high"  # the fact's
    assert rule.bad[1].lines == (1,)
    assert rule.default
    assert rule.line == 1


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("level: error", "level: fatal", "slow-index.yaml:4: 'level' must be one of error, warning, info"),
        ("level: error", "lvl: error", "slow-index.yaml:4: unknown field 'lvl' in a rule (did you mean 'level'?)"),
        ("level: error", "lvl: error", "slow-index.yaml:1: the field 'level' is missing"),
        ("id: slow-index", "id: Slow_Index", "slow-index.yaml:1: the id 'Slow_Index' is not kebab-case"),
        ("id: slow-index", "id: other", "slow-index.yaml:1: the id 'other' is not the file's name 'slow-index'"),
        ("[H001]", "[X1]", "slow-index.yaml:3: 'X1' is not a hazard id"),
        (
            "[create_index]",
            "[create_indx]",
            "slow-index.yaml:5: unknown operation 'create_indx' (did you mean 'create_index'?)",
        ),
        ("concurrently: false", "concurently: false", "slow-index.yaml:7: unknown field"),
        ("target.new: false", "target.new: 3", "slow-index.yaml:8: 'target.new' is true or false, never 3"),
        ("{target}", "{taget}", "slow-index.yaml:9: unknown placeholder 'taget' (did you mean 'target'?)"),
        ("{lock}.", "{lock.", "slow-index.yaml:9: a lone brace in 'message'"),
        ("{name}", "{elements.colum}", "slow-index.yaml:11: unknown placeholder 'elements.colum'"),
        ("facts: [build]", "facts: [bild]", "slow-index.yaml:12: unknown fact 'bild' (did you mean 'build'?)"),
        ("facts: [build]", "check: chk", "slow-index.yaml:12: unknown check 'chk'"),
        ("facts: [build]", "quiet_unless_known: [x]", "slow-index.yaml:12: unknown condition 'x'"),
        ("facts: [build]", "default: off", "slow-index.yaml:12: 'default' must be true or false"),
        ("facts: [build]", "since: 13.2", "slow-index.yaml:12: 'since' must be a whole number"),
        ("lines: [1]", "line: [1]", "slow-index.yaml:17: unknown field 'line' in an example (did you mean 'lines'?)"),
        ("    - CREATE INDEX CONC", "    # - CREATE", "slow-index.yaml:18: 'good' must be"),
        ("  good:", "  fine:", "slow-index.yaml:18: unknown field 'fine' in examples"),
        ("why: It reads", "why: ''\n#", "slow-index.yaml:10: 'why' must be text"),
        (
            "title: It is slow",
            "title: It is slow\ntitle: twice",
            "slow-index.yaml:3:1: the key 'title' is already in line 2",
        ),
    ],
)
def test_mistakes(tmp_path: Path, before: str, after: str, wanted: str) -> None:
    assert before in RULE
    found = errors(tmp_path, facts=FACTS, slow_index=RULE.replace(before, after))
    assert any(wanted in error for error in found), found


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    wrong = RULE.replace("level: error", "level: bad").replace("[create_index]", "[nothing]")
    again = RULE.replace("target.new", "target.nu")
    found = errors(tmp_path, facts=FACTS, slow_index=wrong, other=again, broken="a: [")
    assert [error.split(": ")[0] for error in found] == [
        "broken.yaml:2:1",
        "other.yaml:1",
        "other.yaml:8",
        "slow-index.yaml:1",  # its id is in other.yaml too
        "slow-index.yaml:4",
        "slow-index.yaml:5",
    ]


def test_an_id_is_given_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "slow-index.yaml").write_text(RULE, encoding="utf-8")
    found = errors(tmp_path, facts=FACTS, slow_index=RULE)
    assert len(found) == 1
    assert "is already in" in found[0]


def test_a_rule_is_not_blamed_for_a_malformed_fact(tmp_path: Path) -> None:
    found = errors(tmp_path, facts=FACTS.replace("SHARE", "SHAR"), slow_index=RULE)
    assert found == ["facts.yaml:6: unknown lock mode 'SHAR' (did you mean 'SHARE'?)"]


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("schema: 1", "schema: 2", "facts.yaml:1: 'schema' must be 1"),
        ("target: SHARE", "taget: SHARE", "facts.yaml:6: unknown role 'taget' (did you mean 'target'?)"),
        ("scan: true", "scan: 'yes'", "facts.yaml:7: 'scan' must be true, false, null or a list of roles"),
        ("scan: true", "waits_for: [me]", "facts.yaml:7: unknown waiting 'me'"),
        ("scan: true", "scam: true", "facts.yaml:7: unknown field 'scam' in an effect (did you mean 'scan'?)"),
        ("    effect:", "    effects:", "facts.yaml:5: unknown field 'effects' in a fact (did you mean 'effect'?)"),
    ],
)
def test_mistakes_in_facts(tmp_path: Path, before: str, after: str, wanted: str) -> None:
    assert any(wanted in error for error in errors(tmp_path, facts=FACTS.replace(before, after)))


def test_a_check_becomes_its_reference(tmp_path: Path) -> None:
    rule = RULE.replace("facts: [build]", "check: mine")
    assert read(tmp_path, {"mine": "package.module:function"}, slow_index=rule)[0].check == "package.module:function"


def test_placeholders_of_checks_are_declared(tmp_path: Path) -> None:
    rule = RULE.replace("{lock}", "{count}")
    assert any("unknown placeholder 'count'" in error for error in errors(tmp_path, facts=FACTS, slow_index=rule))
    read(tmp_path, facts=FACTS, slow_index=rule.replace("facts:", "values: [count]\nfacts:"))


def test_missing_and_odd_files(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="no such rule file"):
        rule_files([str(tmp_path / "nowhere")])
    (tmp_path / "latin.yaml").write_bytes(b"id: x\ntitle: \xe9\n")
    with pytest.raises(RuleErrors, match=r"latin.yaml:2: the file is not UTF-8"):
        loader.load(rule_files([str(tmp_path)]), {})


def test_pages(tmp_path: Path) -> None:
    rules = read(tmp_path, facts=FACTS, slow_index=RULE)
    page = rule_page(rules[0])
    for part in ("# slow-index", "It is slow.", "H001", "It reads the table.", "## Raised by", "CONCURRENTLY ON t (a)"):
        assert part in page
    assert "| `slow-index` | error | H001 | It is slow |" in rules_table(rules)


def test_the_format_document_has_the_vocabulary() -> None:
    text = (Path(built_in_rules()).parent / "docs" / "rule-format.md").read_text(encoding="utf-8")
    assert vocabulary_page() in text
    for field in loader.RULE_FIELDS:
        assert f"`{field}`" in text
