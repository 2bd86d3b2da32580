"""SemEval-2016 task 6A: stance of tweets towards five known targets (Mohammad et al. 2016).

    python -m benchmarks.semeval FOLDER --out OUT [--convert-only] [--seeds 0 1 2]

FOLDER holds a folder per target with {train,val,test}_{text,labels}.txt, a tweet and a label (0
none, 1 against, 2 favor) a line, as in TweetEval (Barbieri et al. 2020). Targets are topics. Which
target a tweet is about is known in this task, so presence is neither learnt nor scored.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.runs import RECIPES, Converted, Figures, Task, main
from stance.errors import DataError, Fault, UsageError, shorten
from stance.evaluation import Report
from stance.files import reason
from stance.records import Article, Label, Record
from stance.schema import Schema, Stance, Topic

TARGETS = ("abortion", "atheism", "climate", "feminist", "hillary")
SPLITS = {"train": "train", "validation": "val", "test": "test"}
STANCES = {"0": "none", "1": "against", "2": "favor"}
SCHEMA = Schema(
    topics=tuple(Topic(name=name) for name in TARGETS),
    stances=tuple(Stance(name=name) for name in STANCES.values()),
)


def convert(folder: Path) -> Converted:
    """Read the files of all targets.

    Raises:
        UsageError: If one cannot be read.
        DataError: If one is not of this form; its faults are listed.
    """
    return Converted(
        schema=SCHEMA,
        parts={
            split: [
                record
                for target in TARGETS
                for record in read_tweets(folder / target, target, name)
            ]
            for split, name in SPLITS.items()
        },
        splits={split: (split,) for split in SPLITS},
    )


def read_tweets(folder: Path, target: str, part: str) -> list[Record]:
    """Read one part of one target; ids are target, part and line.

    Raises:
        UsageError: If a file cannot be read.
        DataError: If texts and labels do not match; all faults are listed.
    """
    texts, labels = (folder / f"{part}_{what}.txt" for what in ("text", "labels"))
    tweets, codes = _lines(texts), _lines(labels)
    if len(tweets) != len(codes):
        expected = f"as many lines as {texts.name}, {len(tweets):,}"
        raise DataError([Fault(file=str(labels), expected=expected, found=f"{len(codes):,}")])
    faults = []
    records = []
    for number, (tweet, code) in enumerate(zip(tweets, codes, strict=True), start=1):
        if code.strip() not in STANCES:
            found = shorten(code)
            faults.append(Fault(file=str(labels), line=number, expected="0, 1 or 2", found=found))
            continue
        if not tweet.strip():
            faults.append(Fault(file=str(texts), line=number, expected="a tweet", found="nothing"))
            continue
        name = f"{target}-{part}-{number:04d}"
        label = Label(topic=target, stance=STANCES[code.strip()])
        records.append(Record(id=name, article=Article(id=name, text=tweet), labels=(label,)))
    if faults:
        raise DataError(faults)
    return records


def _lines(path: Path) -> list[str]:
    try:
        # Tweets hold other line separators than the line feed, which splitlines would cut at.
        return path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except OSError as error:
        raise UsageError(f"{path}: cannot be opened: {reason(error)}") from None
    except UnicodeDecodeError as error:
        raise DataError([Fault(file=str(path), expected="UTF-8", found=str(error))]) from None


def figures(report: Report) -> Figures:
    """F_avg, the mean of the F1 of favor and against over all tweets, and both; in [0, 1]."""
    card = report.overall
    each = {name: card.value("sure", "stance", "each", name, "f1") for name in ("favor", "against")}
    known = [value for value in each.values() if value is not None]
    return {
        "F_avg": sum(known) / 2 if len(known) == 2 else None,
        **{f"F1 {name}": value for name, value in each.items()},
        "accuracy": card.value("sure", "stance", "accuracy"),
    }


TASK = Task(
    module="benchmarks.semeval",
    about="SemEval-2016 task 6A: stance of tweets towards five known targets.",
    source=f"holds a folder per target: {', '.join(TARGETS)}",
    recipe=RECIPES / "semeval.toml",
    seeds=(0, 1, 2),
    convert=convert,
    figures=figures,
)

if __name__ == "__main__":
    sys.exit(main(TASK))
