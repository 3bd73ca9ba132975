"""What is attached to a relation by name: triggers, rules and policies."""

from __future__ import annotations

from msgspec.structs import replace

from dflint.history.draft import Draft, Refused
from dflint.model.catalog import UNKNOWN, Policy, Table, Trigger, View
from dflint.model.names import Name
from dflint.model.operations.objects import AlterPolicy, CreatePolicy, CreateRule, CreateTrigger
from dflint.model.operations.tables import SetRuleState, SetTriggerState


def attachable(draft: Draft, target: Name) -> Table | View | None:
    """The table or view that has, or gets, the thing; None when it is unknown whether it is a table or a view.

    Raises:
        Refused: it is known to be neither.
    """
    found = draft.get(draft.resolve(target))
    if isinstance(found, Table | View):
        return found
    if found is UNKNOWN:
        return None
    raise Refused


# --- triggers ---------------------------------------------------------------------------------------------------------


def create_trigger(draft: Draft, operation: CreateTrigger) -> None:
    """CREATE [OR REPLACE] TRIGGER; a row trigger of a partitioned table goes to its partitions too."""
    relation = attachable(draft, operation.target)
    if relation is None:
        if operation.timing == "instead_of":
            return
        # A trigger without INSTEAD OF: on a view only for statements.
        if not operation.for_each_row:
            return
        relation = draft.altered_table(operation.target)
    trigger = Trigger(
        operation.name,
        draft.resolve_routine(operation.function),
        operation.timing,
        operation.events,
        columns=operation.columns,
        for_each_row=operation.for_each_row,
        when=operation.when,
        constraint=operation.constraint,
        arguments=operation.arguments,
        transition_tables=operation.transition_tables,
        deferrable=operation.deferrable,
        initially_deferred=operation.initially_deferred,
        referenced=draft.resolve(operation.referenced) if operation.referenced is not None else None,
    )
    if any(old.name == trigger.name for old in relation.triggers) and not operation.or_replace:
        raise Refused
    members = [relation.name]
    if isinstance(relation, Table) and relation.partition_by is not None and trigger.for_each_row:
        members = draft.family(relation.name)
    for name in members:
        member = relation if name == relation.name else draft.known_table(name)
        if member is not None:
            _put_trigger(draft, member, trigger)


def _put_trigger(draft: Draft, relation: Table | View, trigger: Trigger) -> None:
    others = [old for old in relation.triggers if old.name != trigger.name]
    draft.put(replace(relation, triggers=tuple(sorted([*others, trigger], key=lambda each: each.name))))


def drop_trigger(draft: Draft, relation_name: Name, name: str) -> None:
    """DROP TRIGGER, from the partitions too."""
    relation = attachable(draft, relation_name)
    if relation is None:
        return
    found = next((trigger for trigger in relation.triggers if trigger.name == name), None)
    if found is None:
        raise Refused
    members = [relation.name]
    if isinstance(relation, Table) and relation.partition_by is not None and found.for_each_row:
        members = draft.family(relation.name)
    for member_name in members:
        member = draft.known(member_name)
        if isinstance(member, Table | View):
            kept = [t for t in member.triggers if t.name != name or t.function != found.function]
            draft.put(replace(member, triggers=tuple(kept)))


def rename_trigger(draft: Draft, relation_name: Name, name: str, new_name: str) -> None:
    """ALTER TRIGGER … RENAME TO, of the partitions' clones too."""
    relation = attachable(draft, relation_name)
    found = next((t for t in relation.triggers if t.name == name), None) if relation is not None else None
    if relation is None or found is None or any(t.name == new_name for t in relation.triggers):
        raise Refused
    members = draft.family(relation.name) if isinstance(relation, Table) and relation.partition_by else [relation.name]
    for member_name in members:
        member = draft.known(member_name)
        if isinstance(member, Table | View):
            renamed = [
                replace(t, name=new_name) if t.name == name and t.function == found.function else t
                for t in member.triggers
            ]
            draft.put(replace(member, triggers=tuple(sorted(renamed, key=lambda each: each.name))))


def set_trigger_state(draft: Draft, operation: SetTriggerState) -> None:
    """ENABLE and DISABLE TRIGGER."""
    table = draft.altered_table(operation.target, operation.if_exists)
    one = operation.scope == "one"
    if one and table.complete and all(trigger.name != operation.trigger for trigger in table.triggers):
        raise Refused
    for name in draft.family(table.name, operation.only):
        member = table if name == table.name else draft.known_table(name)
        if member is not None:
            triggers = tuple(
                [
                    replace(t, state=operation.state) if not one or t.name == operation.trigger else t
                    for t in member.triggers
                ]
            )
            draft.put(replace(member, triggers=triggers))


# --- rules ------------------------------------------------------------------------------------------------------------


def create_rule(draft: Draft, operation: CreateRule) -> None:
    """CREATE [OR REPLACE] RULE."""
    relation = attachable(draft, operation.target)
    if relation is None:
        return
    if operation.name in relation.rules:
        if not operation.or_replace:
            raise Refused
        return
    draft.put(replace(relation, rules=tuple(sorted((*relation.rules, operation.name)))))


def drop_rule(draft: Draft, relation_name: Name, name: str) -> None:
    """DROP RULE."""
    relation = attachable(draft, relation_name)
    if relation is None:
        return
    if name not in relation.rules:
        raise Refused
    draft.put(replace(relation, rules=tuple([rule for rule in relation.rules if rule != name])))


def rename_rule(draft: Draft, relation_name: Name, name: str, new_name: str) -> None:
    """ALTER RULE … RENAME TO."""
    relation = attachable(draft, relation_name)
    if relation is None or name not in relation.rules or new_name in relation.rules:
        raise Refused
    renamed = sorted(new_name if rule == name else rule for rule in relation.rules)
    draft.put(replace(relation, rules=tuple(renamed)))


def set_rule_state(draft: Draft, operation: SetRuleState) -> None:
    """ENABLE and DISABLE RULE: the catalog does not keep the state, but learns of the table."""
    if draft.get(draft.resolve(operation.target)) is UNKNOWN:
        draft.put(draft.altered_table(operation.target, operation.if_exists))


# --- policies ---------------------------------------------------------------------------------------------------------


def create_policy(draft: Draft, operation: CreatePolicy) -> None:
    """CREATE POLICY."""
    table = draft.altered_table(operation.target)
    if any(policy.name == operation.name for policy in table.policies):
        raise Refused
    policy = Policy(
        operation.name,
        command=operation.command,
        permissive=operation.permissive,
        roles=operation.roles,
        using=operation.using,
        check=operation.check,
    )
    _put_policies(draft, table, [*table.policies, policy])


def _put_policies(draft: Draft, table: Table, policies: list[Policy]) -> None:
    draft.put(replace(table, policies=tuple(sorted(policies, key=lambda policy: policy.name))))


def alter_policy(draft: Draft, operation: AlterPolicy) -> None:
    """ALTER POLICY: what is not written stays."""
    table = draft.altered_table(operation.target)
    if table.complete and all(policy.name != operation.name for policy in table.policies):
        raise Refused
    changed = [
        replace(
            policy,
            roles=operation.roles or policy.roles,
            using=operation.using or policy.using,
            check=operation.check or policy.check,
        )
        if policy.name == operation.name
        else policy
        for policy in table.policies
    ]
    _put_policies(draft, table, changed)


def drop_policy(draft: Draft, relation_name: Name, name: str) -> None:
    """DROP POLICY."""
    table = draft.altered_table(relation_name)
    kept = [policy for policy in table.policies if policy.name != name]
    if len(kept) == len(table.policies) and table.complete:
        raise Refused
    _put_policies(draft, table, kept)


def rename_policy(draft: Draft, relation_name: Name, name: str, new_name: str) -> None:
    """ALTER POLICY … RENAME TO."""
    table = draft.altered_table(relation_name)
    names = {policy.name for policy in table.policies}
    if new_name in names or (table.complete and name not in names):
        raise Refused
    _put_policies(draft, table, [replace(p, name=new_name) if p.name == name else p for p in table.policies])
