"""Changes of types and domains, triggers, rules, policies and publications."""

from __future__ import annotations

from dflint.model.catalog import Domain, Publication, Table
from dflint.model.names import Name
from dflint.model.operations.objects import (
    AddAttribute,
    AddEnumValue,
    AlterDomain,
    AlterPolicy,
    AlterPublication,
    CreatePolicy,
    CreatePublication,
    CreateRule,
    CreateTrigger,
    RenameEnumValue,
)
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.planning.undo.before import Before, Irreversible, Nothing, identity
from dflint.planning.undo.spelling import expression_sql, quoted


def add_enum_value(before: Before, operation: AddEnumValue) -> list[str]:
    """ALTER TYPE … ADD VALUE."""
    found = before.catalog.types.get(before.resolve_type(operation.target))
    if operation.if_not_exists and operation.value in getattr(found, "values", ()):
        raise Nothing
    raise Irreversible(f"PostgreSQL cannot take the value {operation.value!r} out of an enum again")


def rename_enum_value(before: Before, operation: RenameEnumValue) -> list[str]:
    """ALTER TYPE … RENAME VALUE."""
    new, old = quote_literal(operation.new_value).strip(), quote_literal(operation.value).strip()
    return [f"ALTER TYPE {quoted(before.resolve_type(operation.target))} RENAME VALUE {new} TO {old}"]


def add_attribute(before: Before, operation: AddAttribute) -> list[str]:
    """ALTER TYPE … ADD ATTRIBUTE."""
    name, tail = quote_identifier(operation.attribute.name), " CASCADE" if operation.cascade else ""
    return [f"ALTER TYPE {quoted(before.resolve_type(operation.target))} DROP ATTRIBUTE {name}{tail}"]


def alter_domain(before: Before, operation: AlterDomain) -> list[str]:
    """ALTER DOMAIN."""
    name = before.resolve_type(operation.target)
    found = before.catalog.types.get(name)
    if not isinstance(found, Domain):
        raise Irreversible(f"the catalog does not say what domain {name} was")
    where = f"ALTER DOMAIN {quoted(name)}"
    action = operation.action
    if action in ("set_default", "drop_default"):
        return [f"{where} {_domain_default(before, name, found)}"]
    if action in ("set_not_null", "drop_not_null"):
        return _domain_not_null(where, found, action == "set_not_null")
    if action == "add_constraint":
        return [f"{where} DROP CONSTRAINT {quote_identifier(_new_constraint(before, operation, name, found))}"]
    constraint = next((each for each in found.constraints if each.name == operation.name), None)
    if constraint is None or (action == "validate_constraint" and constraint.validated):
        raise Nothing
    text = before.definition("constraint", (*name, constraint.name))
    if text is None:
        raise Irreversible(f"the catalog does not say how constraint {constraint.name} was defined")
    again = f"{where} ADD CONSTRAINT {quote_identifier(constraint.name or '')} {text}"
    if action == "drop_constraint":
        return [again]
    return [f"{where} DROP CONSTRAINT {quote_identifier(constraint.name or '')}", again]


def _domain_default(before: Before, name: Name, domain: Domain) -> str:
    if domain.default is None:
        return "DROP DEFAULT"
    text = before.definition("default", name) or expression_sql(domain.default)
    if text is None:
        raise Irreversible(f"the catalog does not say exactly what the default of domain {name} was")
    return f"SET DEFAULT {text}"


def _domain_not_null(where: str, domain: Domain, setting: bool) -> list[str]:
    if domain.not_null == setting:
        raise Nothing
    for constraint in domain.constraints:
        if constraint.kind == "not_null" and constraint.name and not setting:
            return [f"{where} ADD CONSTRAINT {quote_identifier(constraint.name)} NOT NULL"]
    return [f"{where} {'DROP' if setting else 'SET'} NOT NULL"]


def _new_constraint(before: Before, operation: AlterDomain, name: Name, was: Domain) -> str:
    if operation.constraint is not None and operation.constraint.name is not None:
        return operation.constraint.name
    now = before.after.types.get(name)
    old = {each.name for each in was.constraints}
    new = [each.name for each in now.constraints if each.name not in old] if isinstance(now, Domain) else []
    if len(new) != 1 or new[0] is None:
        raise Irreversible("the catalog does not say which name PostgreSQL chooses for the constraint")
    return new[0]


# --- what is attached to tables ---------------------------------------------------------------------------------------


def create_trigger(before: Before, operation: CreateTrigger) -> list[str]:
    """CREATE [OR REPLACE] TRIGGER."""
    relation = before.resolve(operation.target)
    found = before.catalog.relations.get(relation)
    known = {trigger.name: trigger for trigger in getattr(found, "triggers", ())}
    if operation.name in known and not operation.or_replace:
        raise Nothing
    if operation.name in known:
        return [_again(before, "trigger", relation, operation.name).replace("CREATE ", "CREATE OR REPLACE ", 1)]
    if operation.or_replace and not (found is not None and getattr(found, "complete", True)):
        raise Irreversible(f"the catalog does not say whether trigger {operation.name} existed before")
    return [f"DROP TRIGGER {quote_identifier(operation.name)} ON {quoted(relation)}"]


def create_rule(before: Before, operation: CreateRule) -> list[str]:
    """CREATE [OR REPLACE] RULE."""
    relation = before.resolve(operation.target)
    found = before.catalog.relations.get(relation)
    if operation.name in getattr(found, "rules", ()):
        if not operation.or_replace:
            raise Nothing
        return [_again(before, "rule", relation, operation.name).replace("CREATE ", "CREATE OR REPLACE ", 1)]
    if operation.or_replace and not (found is not None and getattr(found, "complete", True)):
        raise Irreversible(f"the catalog does not say whether rule {operation.name} existed before")
    return [f"DROP RULE {quote_identifier(operation.name)} ON {quoted(relation)}"]


def create_policy(before: Before, operation: CreatePolicy) -> list[str]:
    """CREATE POLICY."""
    relation = before.resolve(operation.target)
    found = before.catalog.relations.get(relation)
    if isinstance(found, Table) and any(policy.name == operation.name for policy in found.policies):
        raise Nothing
    return [f"DROP POLICY {quote_identifier(operation.name)} ON {quoted(relation)}"]


def alter_policy(before: Before, operation: AlterPolicy) -> list[str]:
    """ALTER POLICY: it cannot take USING away again, so the policy is made anew."""
    relation = before.resolve(operation.target)
    drop = f"DROP POLICY {quote_identifier(operation.name)} ON {quoted(relation)}"
    sql = [drop, _again(before, "policy", relation, operation.name)]
    text = before.catalog.details.comments.get(identity("policy", (*relation, operation.name)))
    if text is not None:
        where = f"{quote_identifier(operation.name)} ON {quoted(relation)}"
        sql.append(f"COMMENT ON POLICY {where} IS {quote_literal(text).strip()}")
    return sql


def _again(before: Before, kind: str, relation: Name, name: str) -> str:
    text = before.definition(kind, (*relation, name))
    if text is None:
        raise Irreversible(f"the catalog does not say how {kind} {name} on {relation} was defined")
    return text.rstrip().rstrip(";")


# --- publications -----------------------------------------------------------------------------------------------------


def create_publication(before: Before, operation: CreatePublication) -> list[str]:
    """CREATE PUBLICATION."""
    name = operation.target.name
    if before.catalog.publications.get(name) is not None:
        raise Nothing
    return [f"DROP PUBLICATION {quote_identifier(name)}"]


def alter_publication(before: Before, operation: AlterPublication) -> list[str]:
    """ALTER PUBLICATION."""
    name = operation.target.name
    found = before.catalog.publications.get(name)
    if not isinstance(found, Publication):
        raise Irreversible(f"the catalog does not say what publication {name} was")
    where = f"ALTER PUBLICATION {quote_identifier(name)}"
    if operation.action == "options":
        published = ", ".join(found.operations or ("insert", "update", "delete", "truncate"))
        root = str(found.via_root).lower()
        return [f"{where} SET (publish = '{published}', publish_via_partition_root = {root})"]
    if found.filters or found.columns or found.all_tables:
        raise Irreversible(f"the catalog does not say exactly what publication {name} was for")
    was, now = set(found.tables), _objects(before, operation, name)
    gone, new = sorted(was - now), sorted(now - was)
    sql = [f"{where} DROP TABLE {', '.join(map(quoted, new))}"] if new else []
    if gone:
        sql.append(f"{where} ADD TABLE {', '.join(map(quoted, gone))}")
    return sql


def _objects(before: Before, operation: AlterPublication, name: str) -> set[Name]:
    now = before.after.publications.get(name)
    if not isinstance(now, Publication) or operation.schemas:
        raise Irreversible(f"it is not known what publication {name} is for afterwards")
    return set(now.tables)
