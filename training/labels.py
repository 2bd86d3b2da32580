"""Labels as numbers: which column a text's stance on each topic is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stance.records import Record
from stance.schema import Schema

ABSENT = -1
"""In place of a stance's column: the text does not carry the topic."""

UNPREDICTED = -2
"""It carries the topic with a stance that the model does not predict, as `neutral` is."""


def stance_columns(record: Record, schema: Schema) -> NDArray[np.int64]:
    """Shape (topics,); column among the predicted stances, `ABSENT` or `UNPREDICTED`."""
    stance = np.full(len(schema.topics), ABSENT, dtype=np.int64)
    for label in record.labels:
        stance[schema.topic_index(label.topic)] = (
            schema.predicted_stances.index(label.stance)
            if label.stance in schema.predicted_stances
            else UNPREDICTED
        )
    return stance
