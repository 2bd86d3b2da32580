"""Behavioural tests of a model, as a Markdown table with the worst test first.

    python -m benchmarks.behaviour [--model M] [--out DIR]

The texts are those of the split test of seeds/, and sentences written for the tests.
docs/reliability.md says what each test does.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.behaviour.checks import (
    invariance_cases,
    pair_cases,
    removal_cases,
    report,
    run,
    template_cases,
)
from benchmarks.measuring import positive
from stance.classifier import Classifier
from stance.errors import StanceError
from stance.evaluation.inputs import check_fit, load_job
from stance.files import write_texts

SEEDS = Path(__file__).resolve().parent.parent.parent / "seeds"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        job = load_job([str(SEEDS)], split="test")
        schema = job.dataset.schema
        classifier = Classifier.from_pretrained(options.model, threads=options.threads)
        check_fit(schema, classifier.schema)
        unpredicted = [stance.name for stance in schema.stances if not stance.predicted]
        cases = [
            *invariance_cases(
                job.records, most=options.texts, seed=options.seed, unpredicted=unpredicted
            ),
            *template_cases(options.seed),
            *removal_cases(job.records),
            *pair_cases(job.records, unpredicted),
        ]
        outcomes, failures = run(cases, classifier, schema.topic_names)
        table = report(outcomes, schema.topic_names)
        if options.out is not None:
            lines = [json.dumps(failure, ensure_ascii=False) + "\n" for failure in failures]
            write_texts(
                {
                    options.out / "behaviour.md": table + "\n",
                    options.out / "failures.jsonl": "".join(lines),
                }
            )
    except StanceError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    print(table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.behaviour",
        description="Behavioural tests of a model, as a Markdown table with the worst test first.",
    )
    parser.add_argument("--model", metavar="FOLDER", help="default: the released model")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="gets behaviour.md, the table, and failures.jsonl, every pair that failed",
    )
    parser.add_argument(
        "--texts",
        type=positive,
        default=500,
        metavar="N",
        help="most texts of an invariance test; default: %(default)s",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    parser.add_argument("--threads", type=positive, metavar="N", help="most threads of the engine")
    return parser


if __name__ == "__main__":
    sys.exit(main())
