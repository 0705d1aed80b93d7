"""Rows to train, dev and test: by group, without overlap, and if wanted with even targets."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from whatworks.base.errors import InputError
from whatworks.base.frozen import hash_content
from whatworks.base.union_find import Joining
from whatworks.data.task import Example, Splits


def split(
    examples: Sequence[Example],
    *,
    dev: int | None = None,
    test: int | None = None,
    seed: int = 0,
    alike: Iterable[Sequence[int]] = (),
    stratify: bool = False,
) -> Splits:
    """Split whole groups at random, reproducibly.

    Groups are dealt in a shuffled order until test, then dev, hold at least the number asked for;
    the rest is train. Examples without a group are groups of one.

    Args:
        examples: All examples, in any order; the outcome depends only on their ids and groups,
            and on which are alike.
        dev: Wanted dev size; a fifth of the examples, at most 200, by default.
        test: Wanted test size; the same default.
        seed: Seed of the shuffle.
        alike: Positions of examples that stay together, too: near-duplicates.
        stratify: Each target has the same share of every split, as far as groups allow.

    Raises:
        InputError: If no example would be left for one of the splits.
    """
    total = len(examples)
    share = min(200, max(1, total // 5))
    want_test = share if test is None else test
    want_dev = share if dev is None else dev
    groups = [example.group or f"\0{example.id}" for example in examples]
    joined = Joining[str]()
    for positions in alike:
        joined.join(groups[position] for position in positions)
    members: dict[str, list[Example]] = {}
    for group, example in zip(groups, examples, strict=True):
        members.setdefault(joined.root(group), []).append(example)
    names = sorted(members)
    random.Random(seed).shuffle(names)
    if stratify:
        names = mix_evenly({name: _find_usual_target(members[name]) for name in names})
    parts: dict[str, list[Example]] = {"train": [], "dev": [], "test": []}
    for name in names:
        if len(parts["test"]) < want_test:
            part = "test"
        elif len(parts["dev"]) < want_dev:
            part = "dev"
        else:
            part = "train"
        parts[part].extend(members[name])
    empty = [name for name, rows in parts.items() if not rows and (name == "train" or total)]
    if empty:
        raise InputError(
            f"{total} examples in {len(names)} groups leave no {empty[0]} split",
            remedy="give more examples, smaller dev and test sizes, or files of their own",
        )
    return Splits(**{name: tuple(rows) for name, rows in parts.items()})


def mix_evenly(strata: Mapping[str, str]) -> list[str]:
    """The names in an order of which every beginning holds each stratum by its share.

    The k-th of the n names of a stratum comes at (k + 1/2) / n; names of one stratum, and those
    that come at the same place, keep their order.

    Args:
        strata: Name to stratum.
    """
    sizes = Counter(strata.values())
    dealt: Counter[str] = Counter()
    places: dict[str, float] = {}
    for name, stratum in strata.items():
        places[name] = (dealt[stratum] + 0.5) / sizes[stratum]
        dealt[stratum] += 1
    return sorted(places, key=lambda name: places[name])


def _find_usual_target(rows: Sequence[Example]) -> str:
    """The target that most rows of a group have; the first of several."""
    return Counter(row.target.strip() for row in rows).most_common(1)[0][0]


def check_examples(splits: Splits) -> None:
    """Refuse duplicate ids, and rows that stand in two splits.

    Raises:
        InputError: Naming how many rows are affected and the first one.
    """
    ids = Counter(e.id for part in (splits.train, splits.dev, splits.test) for e in part)
    twice = [name for name, count in ids.items() if count > 1]
    if twice:
        raise InputError(
            f"{len(twice)} duplicate ids, the first is {twice[0]!r}",
            remedy="give every row an id of its own, or leave the id column out",
        )
    train_ids = {_hash_content(e): e.id for e in splits.train}
    for name, part in (("dev", splits.dev), ("test", splits.test)):
        shared = [
            (train_ids[_hash_content(e)], e.id) for e in part if _hash_content(e) in train_ids
        ]
        if shared:
            raise InputError(
                f"train and {name} share {len(shared)} rows, the first is train "
                f"{shared[0][0]!r} = {name} {shared[0][1]!r}",
                remedy=f"remove them from one of the two, or set `split: {{on_overlap: drop}}` "
                f"to drop them from {name}",
            )


def drop_overlap(splits: Splits) -> Splits:
    """Dev without train's rows and groups, and test without those of train and dev.

    Raises:
        InputError: If nothing is left of dev or test.
    """

    def without(name: str, earlier: Sequence[Example]) -> tuple[Example, ...]:
        rows = {_hash_content(example) for example in earlier}
        groups = {example.group for example in earlier} - {None}
        part: tuple[Example, ...] = getattr(splits, name)
        remaining = tuple(e for e in part if _hash_content(e) not in rows and e.group not in groups)
        if part and not remaining:
            raise InputError(
                f"all {len(part)} rows of {name} stand in an earlier split, themselves or with "
                "others of their group",
                remedy=f"leave the file of {name} out, so that it is cut from train by group; "
                'or say that these are no groups: `columns: {group: ""}`',
            )
        return remaining

    dev = without("dev", splits.train)
    test = without("test", (*splits.train, *dev))
    return Splits(train=splits.train, dev=dev, test=test)


def _hash_content(example: Example) -> str:
    return hash_content([example.text.strip(), example.target.strip()])
