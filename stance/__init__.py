"""English news: which topics an article carries, how it presents each, and in which sentences.

The public names; each is imported when it is first asked for, so that `import stance` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stance._version import __version__

if TYPE_CHECKING:
    from stance.classifier import Classifier
    from stance.dataset import Dataset, load_records
    from stance.door import train
    from stance.errors import (
        DataError,
        Fault,
        MissingExtraError,
        ModelError,
        SchemaError,
        StanceError,
        UsageError,
    )
    from stance.evaluation import evaluate
    from stance.predictions import Evidence, FaultyInput, Finding, Prediction
    from stance.records import Article, Label, Record
    from stance.schema import Schema, Stance, Topic
    from stance.splits import Splits

_HOME = {
    "Article": "stance.records",
    "Classifier": "stance.classifier",
    "DataError": "stance.errors",
    "Dataset": "stance.dataset",
    "Evidence": "stance.predictions",
    "Fault": "stance.errors",
    "FaultyInput": "stance.predictions",
    "Finding": "stance.predictions",
    "Label": "stance.records",
    "MissingExtraError": "stance.errors",
    "ModelError": "stance.errors",
    "Prediction": "stance.predictions",
    "Record": "stance.records",
    "Schema": "stance.schema",
    "SchemaError": "stance.errors",
    "Splits": "stance.splits",
    "Stance": "stance.schema",
    "StanceError": "stance.errors",
    "Topic": "stance.schema",
    "UsageError": "stance.errors",
    "evaluate": "stance.evaluation",
    "load_records": "stance.dataset",
    "train": "stance.door",
}

__all__ = [
    "Article",
    "Classifier",
    "DataError",
    "Dataset",
    "Evidence",
    "Fault",
    "FaultyInput",
    "Finding",
    "Label",
    "MissingExtraError",
    "ModelError",
    "Prediction",
    "Record",
    "Schema",
    "SchemaError",
    "Splits",
    "Stance",
    "StanceError",
    "Topic",
    "UsageError",
    "__version__",
    "evaluate",
    "load_records",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name; Python calls this for names that are not here yet."""
    if name not in _HOME:
        raise AttributeError(f"module 'stance' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, whether imported yet or not."""
    return sorted({*globals(), *__all__})
