"""The rulebook: rules in a table by kind of operation, compiled when a kind is first seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from msgspec.structs import replace

from dflint.facts.condition import Condition
from dflint.facts.effects import Facts
from dflint.facts.placeholders import Placeholders
from dflint.facts.vocabulary import vocabulary
from dflint.facts.when import When, code_of, compile_when
from dflint.model import user_cache
from dflint.model.context import Check, Context, Hit
from dflint.model.effect import Basis, Confidence
from dflint.model.errors import ConfigError, nearest
from dflint.model.finding import LEVELS, Level
from dflint.plugin.manager import load as load_reference
from dflint.rulebook import cache
from dflint.rulebook.files import built_in_rules, rule_files
from dflint.rulebook.rule import Raised, Rule

_CONFIDENCES: tuple[Confidence, ...] = ("high", "medium", "low")


class Rulebook:
    """Rules ready to judge.

    Attributes:
        rules: all rules by id, whether active or not.
        active: the rules that judge, with the level each has.
        facts: what effects rest on; the knowledge that contexts need.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        facts: Facts,
        *,
        select: Sequence[str] = (),
        ignore: Sequence[str] = (),
        levels: Mapping[str, str] | None = None,
    ) -> None:
        """Choose the active rules.

        Args:
            rules: all there are.
            facts: what effects rest on.
            select: ids, patterns with ``*``, hazard ids or tags; only these judge, also those off by default.
                Empty: all that are on by default. ``all``: every rule.
            ignore: the same; these do not judge.
            levels: selector -> error, warning, info or off; later ones win.

        Raises:
            ConfigError: a selector names nothing, or a level is none.
        """
        self.rules = {rule.id: rule for rule in rules}
        self.facts = facts
        self._conditions: Mapping[str, Condition] = vocabulary()
        self.active = self._choose(select, ignore, levels or {})
        self._tables: dict[tuple[str, int], tuple[_Asked, ...]] = {}
        self._kinds: dict[str, list[Rule]] = {}
        for rule in self.rules.values():
            if rule.id in self.active:
                for kind in rule.operations:
                    self._kinds.setdefault(kind, []).append(rule)

    @classmethod
    def load(
        cls,
        paths: Sequence[str] = (),
        checks: Mapping[str, str] | None = None,
        *,
        select: Sequence[str] = (),
        ignore: Sequence[str] = (),
        levels: Mapping[str, str] | None = None,
        cached: str | None = "",
    ) -> Rulebook:
        """The built-in rules and those of ``paths``, from the cache if it is fresh.

        Args:
            paths: further directories or files with rules and facts.
            checks: check name -> reference, as plugins offer them.
            select: as in the constructor.
            ignore: as in the constructor.
            levels: as in the constructor.
            cached: directory of the cache; None for no cache, "" for the user's.

        Raises:
            RuleErrors: rule files are malformed.
            ConfigError: as in the constructor.
        """
        checks = checks or {}
        files = rule_files((built_in_rules(), *paths))
        where = user_cache.directory() if cached == "" else cached
        signed = cache.signature(files, checks)
        conditions = vocabulary()
        content = cache.read(where, signed)
        if content is None:
            # Only now: YAML, and all that verifies.
            from dflint.rulebook import loader

            content = cache.Content(*loader.load(files, checks))
            cache.write(where, signed, _with_code(content, conditions))
        return cls(content.rules, Facts(content.facts, conditions), select=select, ignore=ignore, levels=levels)

    def judge(self, context: Context) -> list[Raised]:
        """What the active rules say about the context's operation, in order of rule id."""
        key = (context.operation.kind, context.version)
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = self._table(*key)
        raised: list[Raised] = []
        for holds, raise_into in table:
            answer = holds(context)
            if answer is not False:
                raise_into(raised, context, answer is True)
        return raised

    def remark(self, rule_id: str, message: str) -> Raised | None:
        """What a rule says that is not about an operation, such as a directive that suppresses nothing.

        None when the rule is not active.
        """
        level = self.active.get(rule_id)
        if level is None:
            return None
        rule = self.rules[rule_id]
        return Raised(rule, level, rule.confidence, "static", message, facts=rule.facts, fix=rule.fix)

    def _table(self, kind: str, version: int) -> tuple[_Asked, ...]:
        rules = sorted((rule for rule in self._kinds.get(kind, ()) if rule.covers(version)), key=lambda rule: rule.id)
        judges = [_Judge(rule, self.active[rule.id], self._conditions) for rule in rules]
        return tuple((judge.holds, judge.raise_into) for judge in judges)

    # --- selection ------------------------------------------------------------------------------------------------

    def matching(self, selector: str) -> list[Rule]:
        """The rules that an id, a pattern, a hazard id, a tag or ``all`` names.

        Raises:
            ConfigError: there is none.
        """
        if selector == "all":
            return list(self.rules.values())
        found = [rule for rule in self.rules.values() if _names(selector, rule)]
        if not found:
            known = {*self.rules, *(word for rule in self.rules.values() for word in (*rule.hazards, *rule.tags))}
            raise ConfigError(f"no rule is named {selector!r}", remedy=nearest(selector, known))
        return found

    def _choose(self, select: Sequence[str], ignore: Sequence[str], levels: Mapping[str, str]) -> dict[str, Level]:
        chosen = (
            [rule for selector in select for rule in self.matching(selector)]
            if select
            else [rule for rule in self.rules.values() if rule.default]
        )
        active: dict[str, Level] = {rule.id: rule.level for rule in chosen}
        for selector, wanted in levels.items():
            level = next((each for each in LEVELS if each == wanted), None)
            if level is None and wanted != "off":
                raise ConfigError(f"{wanted!r} is not a level", remedy="write error, warning, info or off")
            for rule in self.matching(selector):
                if level is None:
                    active.pop(rule.id, None)
                elif rule.id in active or not select:
                    active[rule.id] = level
        for selector in ignore:
            for rule in self.matching(selector):
                active.pop(rule.id, None)
        return active


def _with_code(content: cache.Content, conditions: Mapping[str, Condition]) -> cache.Content:
    """The rules and facts with their compiled conditions."""
    return cache.Content(
        [rule if rule.when is None else replace(rule, code=code_of(rule.when, conditions)) for rule in content.rules],
        [fact if fact.when is None else replace(fact, code=code_of(fact.when, conditions)) for fact in content.facts],
    )


def _names(selector: str, rule: Rule) -> bool:
    if selector == rule.id or selector in rule.hazards or selector in rule.tags:
        return True
    if "*" not in selector:
        return False
    from fnmatch import fnmatchcase

    return fnmatchcase(rule.id, selector)


#: Whether a rule's conditions hold, and what adds what it says.
_Asked = tuple[Callable[[Context], bool | None], Callable[[list[Raised], Context, bool], None]]


class _Judge:
    """One active rule, compiled."""

    def __init__(self, rule: Rule, level: Level, conditions: Mapping[str, Condition]) -> None:
        self._rule = rule
        self._level = level
        self._when: When | None = None if rule.when is None else compile_when(rule.when, conditions, rule.code)
        self.holds: Callable[[Context], bool | None] = _always if self._when is None else self._when.holds
        self._check: Check | None = load_reference(rule.check) if rule.check else None

    @cached_property
    def _asks_catalog(self) -> bool:
        return self._check is not None or (
            self._when is not None and any(condition.catalog for condition in self._when.conditions)
        )

    def raise_into(self, raised: list[Raised], context: Context, certain: bool) -> None:
        """Add what the rule says, now that its conditions hold or may hold."""
        missing: Sequence[Condition] = ()
        if not certain and self._when is not None:
            missing = self._when.unknown(context)
            if any(condition.name in self._rule.quiet_unless_known for condition in missing):
                return  # the rule prefers silence
        hits = Hit() if self._check is None else self._check(context.operation, context)
        if hits is None:
            return
        because = "" if certain else self._because(missing, context)
        if isinstance(hits, Hit):
            raised.append(self._raised(context, hits, because))
        else:
            raised.extend([self._raised(context, hit, because) for hit in hits])

    def _because(self, missing: Sequence[Condition], context: Context) -> str:
        """The facts that would decide, in words."""
        spell = Placeholders(context)
        reasons = dict.fromkeys(
            reason
            for condition in missing
            for reason in (
                context.effect.unknown
                if condition.missing == "{unknown_effect}"
                else (spell.format(condition.missing),)
            )
        )
        return " and ".join(reason for reason in reasons if reason) or "more about the schema"

    def _raised(self, context: Context, hit: Hit, because: str) -> Raised:
        rule = self._rule
        if not hit.certain:
            because = " and ".join(part for part in (because, hit.because or "more about the schema") if part)
        if (extension := context.managed_by) is not None:
            managed = f"what the extension {extension} does, which manages the table"
            because = f"{because} and {managed}" if because else managed
        level: Level = hit.level or self._level
        confidence = rule.confidence
        spell = Placeholders(context, hit.values)
        message = hit.message or spell.format(rule.message)
        if because:
            confidence = "low"
            level = "warning" if level == "error" else level
            message = f"{message} This depends on {because}, which is not known here."
        basis: Basis = context.catalog.basis if self._asks_catalog else "static"
        return Raised(
            rule=rule,
            level=level,
            confidence=confidence,
            basis=basis,
            message=message,
            at=hit.at,
            lock=context.effect.lock(),
            facts=rule.facts,
            because=because,
            fix=spell.format(rule.fix),
        )


def _always(_context: Context) -> bool:
    return True
