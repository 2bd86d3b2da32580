"""Which text trains, which one validates and which one tests: drawn once, written down by id."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from stance.dataset import Dataset
from stance.duplicates import group_alike
from stance.errors import (
    DataError,
    Fault,
    UsageError,
    listing,
    shorten,
)
from stance.files import reason, replacing
from stance.formats import parse_json
from stance.records import Record

SPLITS_VERSION = 1
FRACTIONS: Mapping[str, float] = MappingProxyType({"train": 0.8, "validation": 0.1, "test": 0.1})
_ALL = ("all",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """Names of splits and the ids in each.

    Attributes:
        splits: Sorted ids per split; no id stands twice.
        seed: What the draw began from; None for splits made by hand.
    """

    splits: Mapping[str, tuple[str, ...]]
    seed: int | None = None

    @classmethod
    def load(cls, path: str | Path) -> Splits:
        """Read `splits.json`.

        Raises:
            UsageError: If the file cannot be opened.
            DataError: If it is not a splits file, or an id stands in it twice.
        """
        file = str(path)
        try:
            data = parse_json(Path(path).read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise UsageError(f"{file}: cannot be opened: {reason(error)}") from None
        except ValueError as error:
            raise DataError([Fault(file=file, expected="JSON", found=str(error))]) from None
        faults = _file_faults(data, file)
        if faults:
            raise DataError(faults)
        return cls(
            splits={name: tuple(sorted(ids)) for name, ids in data["splits"].items()},
            seed=data.get("seed"),
        )

    def save(self, path: str | Path) -> None:
        """Write `splits.json`, one id a line, so that a change shows as few changed lines.

        Raises:
            StanceError: If the file cannot be written.
        """
        data = {
            "version": SPLITS_VERSION,
            "seed": self.seed,
            "splits": {name: sorted(ids) for name, ids in self.splits.items()},
        }
        with replacing(path) as stream:
            stream.write(json.dumps(data, ensure_ascii=False, indent=1) + "\n")

    def select(self, dataset: Dataset, name: str) -> list[Record]:
        """Records of one split, in the order of the data set.

        Where faulty records were skipped on loading, their ids may be missing.

        Raises:
            UsageError: If there is no split of this name.
            DataError: If the ids of the data set and of the splits do not match.
        """
        if name not in self.splits:
            raise UsageError(
                f"split: expected one of {listing(self.splits)}, found {shorten(name)}"
            )
        known = {record.id for record in dataset.records}
        placed = {item for ids in self.splits.values() for item in ids}
        faults = [
            Fault(
                record=record.id,
                field="id",
                expected="an id of the splits file",
                found="a record that is in no split",
                advice="draw the splits again with: stance data split",
            )
            for record in dataset.records
            if record.id not in placed
        ]
        if not dataset.faults:
            faults += self.unknown_ids(known)
        if faults:
            raise DataError(faults)
        chosen = set(self.splits[name])
        return [record for record in dataset.records if record.id in chosen]

    def unknown_ids(self, known: Container[str]) -> list[Fault]:
        """A fault for each id that the data do not have."""
        return [
            Fault(
                record=item,
                field=f"splits.{split}",
                expected="an id of the data",
                found="no such record",
                advice="the splits belong to other data, or files of it are missing",
            )
            for split, ids in self.splits.items()
            for item in ids
            if item not in known
        ]


def _file_faults(data: object, file: str) -> list[Fault]:
    def fault(field: str | None, expected: str, found: object) -> Fault:
        return Fault(file=file, field=field, expected=expected, found=shorten(found))

    if not isinstance(data, dict):
        return [fault(None, "an object with version and splits", data)]
    if data.get("version") != SPLITS_VERSION:
        return [fault("version", str(SPLITS_VERSION), data.get("version"))]
    seed, splits = data.get("seed"), data.get("splits")
    faults = []
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        faults.append(fault("seed", "a whole number or null", seed))
    if not isinstance(splits, dict) or not splits:
        return [*faults, fault("splits", "an object of lists of ids", splits)]
    places: dict[str, str] = {}
    for name, ids in splits.items():
        if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
            faults.append(fault(f"splits.{name}", "a list of ids, each text", ids))
            continue
        for item in ids:
            if item in places:
                faults.append(
                    fault(f"splits.{name}", f"each id once (it is in {places[item]} too)", item)
                )
            places[item] = name
    return faults


def make_splits(
    records: Sequence[Record],
    fractions: Mapping[str, float] = FRACTIONS,
    seed: int = 0,
    *,
    keep: Splits | None = None,
) -> Splits:
    """Draw splits that keep pairs and near-duplicates together.

    Groups are the connected parts of "shares a pair id" and "is a near-duplicate". They are
    dealt out so that each split gets its share of every topic with every stance, of texts
    without a topic, and of these within every kind of text (Sechidis et al. 2011: the rarest
    first). The same records, fractions and seed give the same splits, in whatever order the
    records come.

    Args:
        records: With unique ids.
        fractions: Share of each split, above 0; they add up to 1.
        seed: Decides which group goes where among equals.
        keep: Splits of an earlier draw. What they place stays there, so that scores on a grown
            corpus can be compared with earlier ones; a new text that is alike to placed ones joins
            the split that holds most of them.

    Raises:
        UsageError: If the fractions are unsound, the groups fewer than the splits, or the kept
            splits have other names.
        DataError: If the kept splits name a text that is not among the records.
        MissingExtraError: If `datasketch` is not installed.
    """
    if (
        not fractions
        or min(fractions.values()) <= 0
        or not abs(sum(fractions.values()) - 1) <= 1e-6
        or not all(fractions)
    ):
        raise UsageError(
            "fractions: expected a name and a share above 0 each, adding up to 1, found "
            + shorten(dict(fractions))
        )
    ordered = sorted(records, key=lambda record: record.id)
    placed = _kept_places(ordered, fractions, keep) if keep else {}
    groups = group_alike(ordered)
    if len(groups) < len(fractions):
        raise UsageError(
            f"expected at least {len(fractions)} texts that are not alike, one per split, "
            f"found {len(groups)}"
        )
    dealt = _deal(groups, fractions, random.Random(seed), placed)
    return Splits(
        splits={
            name: tuple(sorted(record.id for group in dealt[name] for record in group))
            for name in fractions
        },
        seed=seed,
    )


def _kept_places(
    records: Sequence[Record], fractions: Mapping[str, float], keep: Splits
) -> dict[str, str]:
    """The split of each text that is placed already."""
    if set(keep.splits) != set(fractions):
        raise UsageError(
            f"fractions: expected the kept splits' names {listing(keep.splits)}, found "
            + listing(fractions)
        )
    if faults := keep.unknown_ids({record.id for record in records}):
        raise DataError(faults)
    return {item: split for split, ids in keep.splits.items() for item in ids}


def _strata(record: Record) -> list[tuple[str, ...]]:
    labels = [(label.topic, label.stance) for label in record.labels] or [("", "")]
    return [item for label in labels for item in (label, (*label, record.kind or ""))]


def _deal(
    groups: list[list[Record]],
    fractions: Mapping[str, float],
    draw: random.Random,
    placed: Mapping[str, str],
) -> dict[str, list[list[Record]]]:
    counts = [
        Counter([_ALL for _ in group] + [item for record in group for item in _strata(record)])
        for group in groups
    ]
    total: Counter[Any] = sum(counts, Counter())
    dealt: dict[str, list[list[Record]]] = {name: [] for name in fractions}
    have: dict[str, Counter[Any]] = {name: Counter() for name in fractions}
    seen: Counter[Any] = Counter()
    order = list(range(len(groups)))
    draw.shuffle(order)
    # Large groups first: a late one could no longer be evened out.
    order.sort(key=lambda place: -len(groups[place]))
    left = dict.fromkeys(order)
    for place in order:
        held = Counter(placed[record.id] for record in groups[place] if record.id in placed)
        if not held:
            continue
        home = max(fractions, key=lambda name: held[name])
        for record in groups[place]:
            name = placed.get(record.id, home)
            dealt[name].append([record])
            have[name].update([_ALL, *_strata(record)])
        seen.update(counts[place])
        del left[place]
    for stratum in sorted(total, key=lambda item: (total[item], item)):
        for place in [place for place in left if stratum in counts[place]]:
            lack = {
                # How far the split would fall behind its share if it got nothing of this group;
                # rounded, so that equals are equal in spite of floating point.
                name: tuple(
                    round(share * (seen[item] + counts[place][item]) - have[name][item], 6)
                    for item in (stratum, _ALL)
                )
                for name, share in fractions.items()
            }
            name = max(fractions, key=lack.__getitem__)
            dealt[name].append(groups[place])
            have[name].update(counts[place])
            seen.update(counts[place])
            del left[place]
    _fill_empty(dealt)
    return dealt


def _fill_empty(dealt: dict[str, list[list[Record]]]) -> None:
    for groups in dealt.values():
        if not groups:
            giver = max(dealt, key=lambda other: len(dealt[other]))
            groups.append(dealt[giver].pop())
