"""MAMS-ACSA: 8 categories of restaurant reviews with 3 polarities (Jiang et al., EMNLP 2019).

    python -m benchmarks.mams FOLDER --out OUT [--convert-only] [--seeds 0 1 2]

FOLDER holds train.xml, val.xml and test.xml of the category task. It shows that a schema of other
topics and of three stances works from data to int8. docs/benchmarks.md has the figures.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.runs import RECIPES, Converted, Figures, Task, main
from stance.errors import DataError, Fault, UsageError, listing, shorten
from stance.evaluation import Report
from stance.files import reason
from stance.records import Article, Label, Record
from stance.schema import Schema, Stance, Topic

FILES = {"train": "train.xml", "validation": "val.xml", "test": "test.xml"}
CATEGORIES = ("food", "service", "staff", "price", "ambience", "menu", "place", "miscellaneous")
POLARITIES = ("negative", "neutral", "positive")
SCHEMA = Schema(
    topics=tuple(Topic(name=name) for name in CATEGORIES),
    stances=tuple(Stance(name=name) for name in POLARITIES),
)


def convert(folder: Path) -> Converted:
    """Read the three files.

    Raises:
        UsageError: If one cannot be read.
        DataError: If one is not MAMS-ACSA; its faults are listed.
    """
    return Converted(
        schema=SCHEMA,
        parts={split: read_sentences(folder / name, split) for split, name in FILES.items()},
        splits={split: (split,) for split in FILES},
    )


def read_sentences(path: Path, split: str) -> list[Record]:
    """Read one file; ids are the split's name and the sentence's number, from 1.

    Raises:
        UsageError: If it cannot be read.
        DataError: If it is not MAMS-ACSA; all its faults are listed.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except OSError as error:
        raise UsageError(f"{path}: cannot be opened: {reason(error)}") from None
    except ElementTree.ParseError as error:
        raise DataError([Fault(file=str(path), expected="XML", found=str(error))]) from None
    faults: list[Fault] = []
    records = []
    for number, element in enumerate(root.iter("sentence"), start=1):
        name = f"{split}-{number:04d}"
        text = element.findtext("text") or ""
        labels: list[Label] = []
        for item in element.iter("aspectCategory"):
            category, polarity = item.get("category"), item.get("polarity")
            if category not in CATEGORIES or any(label.topic == category for label in labels):
                expected = f"each at most once of {listing(CATEGORIES)}"
                faults.append(_fault(path, name, "category", expected, category))
            elif polarity not in POLARITIES:
                expected = f"one of {listing(POLARITIES)}"
                faults.append(_fault(path, name, "polarity", expected, polarity))
            else:
                labels.append(Label(topic=category, stance=polarity))
        if not text.strip():
            faults.append(_fault(path, name, "text", "a sentence", text))
        article = Article(id=name, text=text)
        records.append(Record(id=name, article=article, labels=tuple(labels)))
    if not records:
        faults.append(Fault(file=str(path), expected="elements <sentence>", found="none"))
    if faults:
        raise DataError(faults)
    return records


def _fault(path: Path, name: str, field: str, expected: str, found: object) -> Fault:
    return Fault(file=str(path), record=name, field=field, expected=expected, found=shorten(found))


def figures(report: Report) -> Figures:
    """The figures of the category task, in [0, 1].

    Polarity is scored for the gold categories, whether found or not, as the literature does.
    """
    overall = report.overall
    return {
        "polarity accuracy": overall.value("sure", "stance", "accuracy"),
        "polarity macro F1": overall.value("sure", "stance", "macro_f1"),
        "category micro F1": overall.value("topics", "micro", "f1"),
        "joint micro F1": overall.value("sure", "joint", "f1"),
    }


TASK = Task(
    module="benchmarks.mams",
    about="MAMS-ACSA: categories of restaurant reviews with three polarities.",
    source=f"holds {', '.join(FILES.values())} of MAMS-ACSA",
    recipe=RECIPES / "mams.toml",
    seeds=(0, 1, 2),
    convert=convert,
    figures=figures,
)

if __name__ == "__main__":
    sys.exit(main(TASK))
