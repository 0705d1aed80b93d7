"""Exact-set match of two queries (Spider, Yu et al. 2018, section 4).

Two queries match when their clauses say the same, as sets: the order within SELECT, FROM, WHERE
and GROUP BY does not count, nor do aliases, case, parentheses and how strings are quoted. Values
count. Weaker than equality of results (many ways to ask are not the same here), but it needs no
rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

_COMMUTES = (exp.EQ, exp.NEQ, exp.Add, exp.Mul, exp.Union, exp.Intersect)


def read_clauses(query: exp.Expr) -> Hashable:
    """What a query says, in a form in which queries that say the same are equal."""
    return _say(query, _Scope())


@dataclass(frozen=True)
class _Scope:
    """What names mean at some place.

    Attributes:
        tables: Alias to table.
        outputs: Name of an output column to what it says.
        only: The table, when there is just one, to which bare columns belong.
    """

    tables: Mapping[str, str] = field(default_factory=dict[str, str])
    outputs: Mapping[str, Hashable] = field(default_factory=dict[str, Hashable])
    only: str = ""


def _say(node: Any, scope: _Scope) -> Hashable:
    match node:
        case list():
            return tuple(_say(one, scope) for one in node)
        case exp.Select():
            return _say_select(node, scope)
        case exp.Paren() | exp.Subquery():
            return _say(node.this, scope)
        case exp.Column():
            return _say_column(node, scope)
        case exp.Identifier():
            return ("name", node.name.lower())
        case exp.Ordered():
            return ("ordered", _say(node.this, scope), bool(node.args.get("desc")))
        case exp.And() | exp.Or():
            return (node.key, _say_set(node.flatten(), scope))
        case exp.Expr():
            args = {k: v for k, v in node.args.items() if v not in (None, False, [])}
            first: Hashable = ()
            if isinstance(node, _COMMUTES):
                first = _say_set([args.pop("this"), args.pop("expression")], scope)
            return (node.key, first, tuple((k, _say(args[k], scope)) for k in sorted(args)))
        case _:
            return node


def _say_select(select: exp.Select, outer: _Scope) -> Hashable:
    def clause(name: str) -> Any:
        return select.args.get(name)

    joins: list[exp.Join] = clause("joins") or []
    inner = [join for join in joins if not join.side]
    sources = [clause("from_").this] if clause("from_") else []
    scope = _build_scope([*sources, *(join.this for join in joins)], outer)
    conditions = [join.args["on"] for join in inner if join.args.get("on")]
    conditions += [clause("where").this] if clause("where") else []
    outputs = {one.alias.lower(): _say(one.unalias(), scope) for one in select.selects if one.alias}
    later = replace(scope, outputs={**outer.outputs, **outputs})
    return (
        "select",
        bool(clause("distinct")),
        _say_set([one.unalias() for one in select.selects], scope),
        _say_set([_unalias(one) for one in (*sources, *(join.this for join in inner))], scope),
        frozenset(_say(join.args.get("using"), scope) for join in inner),
        tuple(
            (join.side, _say(_unalias(join.this), scope), _say(join.args.get("on"), scope))
            for join in joins
            if join.side
        ),
        _say_set([one for whole in conditions for one in _list_conjuncts(whole)], scope),
        _say_set(clause("group").expressions if clause("group") else [], later),
        _say_set(_list_conjuncts(clause("having").this) if clause("having") else [], later),
        _say(clause("order").expressions if clause("order") else [], later),
        tuple(_say(clause(name), later) for name in ("limit", "offset", "with_")),
    )


def _say_column(column: exp.Column, scope: _Scope) -> Hashable:
    name, table = column.name.lower(), column.table.lower()
    if not table and isinstance(column.this, exp.Identifier) and column.this.args.get("quoted"):
        # SQLite takes "x" for a string where no column is called so, and data sets rely on it.
        return ("literal", (), (("is_string", True), ("this", column.name)))
    if not table and name in scope.outputs:
        return scope.outputs[name]
    return ("column", scope.tables.get(table, table) if table else scope.only, name)


def _build_scope(sources: list[exp.Expr], outer: _Scope) -> _Scope:
    """Tables by their aliases; the second use of a table gets a number."""
    tables, uses = dict(outer.tables), Counter[str]()
    named = ""
    for source in sources:
        table = source.name.lower() if isinstance(source, exp.Table) else "subquery"
        uses[table] += 1
        named = table if uses[table] == 1 else f"{table}#{uses[table]}"
        tables[source.alias_or_name.lower()] = named
    return replace(outer, tables=tables, only=named if len(sources) == 1 else "")


def _unalias(source: exp.Expr) -> exp.Expr:
    bare = source.copy()
    bare.set("alias", None)
    return bare


def _list_conjuncts(condition: exp.Expr) -> Iterable[exp.Expr]:
    return condition.flatten() if isinstance(condition, exp.And) else [condition]


def _say_set(nodes: Iterable[Any], scope: _Scope) -> Hashable:
    """A multiset of what the nodes say."""
    return frozenset(Counter(_say(node, scope) for node in nodes).items())
