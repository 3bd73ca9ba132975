"""The YAML files of a kind among all rule files, told by their first key, without parsing the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dflint.facts.yaml_loader import Document
from dflint.facts.yaml_loader import load as load_yaml
from dflint.model.errors import RuleError
from dflint.rulebook.files import built_in_rules, rule_files


def documents(paths: Sequence[str], keys: Sequence[str], problems: list[RuleError]) -> Iterator[Document]:
    """The built-in files and those of ``paths`` that have one of these keys at their root.

    Args:
        paths: further directories or files.
        keys: such as ``recipe``.
        problems: what cannot be read is noted there.

    Raises:
        RuleError: a path does not exist.
    """
    mark = re.compile(rf"^({'|'.join(keys)}):", re.MULTILINE)
    for file in rule_files((built_in_rules(), *paths)):
        try:
            with open(file, encoding="utf-8-sig") as stream:
                content = stream.read()
            if mark.search(content) is None:
                continue
            document = load_yaml(content, file)
        except RuleError as error:
            problems.append(error)
        except UnicodeDecodeError as error:
            problems.append(RuleError(f"the file is not UTF-8: {error.reason}", file=file, line=1))
        except OSError as error:
            problems.append(RuleError(f"cannot be read: {error.strerror}", file=file))
        else:
            if isinstance(document.data, dict) and not set(keys).isdisjoint(document.data):
                yield document
