"""Probabilities for labelled texts from models that did not see them: cross-validated baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import expit

from stance.decoding import stance_probabilities
from stance.errors import UsageError
from stance.evaluation.tallies import Floats
from stance.records import Record
from stance.schema import Schema
from stance.splits import make_splits
from training.baseline import fit_baseline
from training.settings import TrainingSettings


def cross_validate(
    records: Sequence[Record],
    schema: Schema,
    *,
    folds: int = 5,
    seed: int = 0,
    watch: Callable[[range], Sequence[int]] = lambda numbers: numbers,
) -> tuple[Floats, Floats]:
    """Let a TF-IDF baseline answer for each fold after training on the others.

    Folds are splits as `stance data split` draws them: pairs and near-duplicates stay in one
    fold, so no text is judged by a model that saw its twin.

    Args:
        records: Labelled texts with unique ids.
        schema: Topics and stances.
        folds: Number of folds, 2 or more.
        seed: Of the folds.
        watch: Passes the numbers of the folds on, e.g. to show progress.

    Returns:
        Presence `(texts, topics)` and stance `(texts, topics, predicted stances)`, both in
        [0, 1], in the order of the records.

    Raises:
        UsageError: If there are fewer folds than 2, or fewer texts that differ than folds.
        DataError: If no word occurs in two texts.
    """
    if folds < 2:
        raise UsageError(f"--folds: expected 2 or more, found {folds}")
    names = [str(number) for number in range(folds)]
    splits = make_splits(records, {name: 1 / folds for name in names}, seed)
    rows = {record.id: row for row, record in enumerate(records)}
    presence = np.zeros((len(records), len(schema.topics)))
    stance = np.zeros((*presence.shape, len(schema.predicted_stances)))
    for number in watch(range(folds)):
        held = sorted(rows[name] for name in splits.splits[names[number]])
        others = sorted(set(range(len(records))).difference(held))
        model = fit_baseline(
            [records[row] for row in others], schema, TrainingSettings(kind="baseline", seed=seed)
        )
        for row, scored in zip(
            held, model.score([records[row].article for row in held]), strict=True
        ):
            presence[row] = expit(scored.scores.presence)
            stance[row] = stance_probabilities(
                scored.scores.stance, np.ones((len(schema.topics), 1))
            )
    return presence, stance
