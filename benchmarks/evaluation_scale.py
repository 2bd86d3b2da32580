"""How long `stance evaluate` takes over many predictions made earlier, and how much memory.

    python -m benchmarks.evaluation_scale [--texts 100000] [--near-duplicates]

Makes labelled texts and predictions for them at random (three topics, two stances, annotated and
shown evidence, a pair here and there), then runs the whole command on them: reading, scores with
1,000 resamples, slices, duplicates, and all three reports. Texts that are almost the same are
looked for only on demand, as the command has it for so many. Exit status 1 if it takes more than
60 seconds or 1 GB.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOPICS = ("harbours", "weather", "railways")
STANCES = ("negative", "positive")
MOST_SECONDS, MOST_BYTES = 60, 1_000_000_000
_SYLLABLES = "ba ce di fo gu la me ni po ru sa te vi xo zu".split()


def main(argv: list[str] | None = None) -> int:
    """Measure once and print one line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--near-duplicates", action="store_true")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_set(place, options.texts)
        command = [sys.executable, "-m", "stance.cli.main", "evaluate", str(place / "texts.jsonl")]
        command += ["--predictions", str(place / "answers.jsonl"), "--report", str(place / "out")]
        command += ["--near-duplicates"] if options.near_duplicates else []
        began = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        seconds = time.perf_counter() - began
    # Linux counts in KiB.
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(f"{options.texts:,} predictions: {seconds:.1f} s, {memory / 1e6:.0f} MB at most")
    return int(done.returncode != 0 or seconds > MOST_SECONDS or memory > MOST_BYTES)


def write_set(folder: Path, texts: int) -> None:
    """Write `schema.json`, `texts.jsonl` and `answers.jsonl`."""
    schema = {
        "version": 1,
        "topics": [{"name": name} for name in TOPICS],
        "stances": [{"name": name} for name in STANCES],
    }
    (folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    with (
        (folder / "texts.jsonl").open("w", encoding="utf-8") as records,
        (folder / "answers.jsonl").open("w", encoding="utf-8") as answers,
    ):
        for record, answer in _made(texts):
            records.write(json.dumps(record) + "\n")
            answers.write(json.dumps(answer) + "\n")


def _made(texts: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    draw = random.Random(0)
    for number in range(texts):
        sentences = [_sentence(draw) for _ in range(draw.choice((1, 1, 2, 4)))]
        text = " ".join(sentences)
        record: dict[str, Any] = {
            "id": f"t{number}",
            "kind": "headline" if len(sentences) == 1 else "brief",
            "text": text,
            "labels": [],
        }
        if number % 20 < 2:
            record["pair"] = f"p{number // 20}"
        findings = {True: [], False: []}  # type: dict[bool, list[dict[str, Any]]]
        scores = {}
        for topic in TOPICS:
            gold, positive = draw.random() < 0.3, draw.random() < 0.5
            quote = draw.choice(sentences)
            if gold:
                stance = STANCES[positive]
                record["labels"].append({"topic": topic, "stance": stance, "evidence": [quote]})
            probability = min(0.999, max(0.001, draw.gauss(0.8 if gold else 0.2, 0.22)))
            share = min(0.99, max(0.01, draw.gauss(0.72 if positive else 0.28, 0.25)))
            shown = draw.choice(sentences)
            start = text.index(shown)
            scores[topic] = round(probability, 4)
            findings[probability >= 0.5].append(
                {
                    "topic": topic,
                    "probability": round(probability, 4),
                    "stance": STANCES[share > 0.5],
                    "stance_probabilities": {"negative": 1 - share, "positive": share},
                    "uncertain": abs(share - 0.5) < 0.1,
                    "evidence": [
                        {
                            "sentence": shown,
                            "part": "text",
                            "start": start,
                            "end": start + len(shown),
                            "presence": 1.0,
                            "stance": 0.5,
                        }
                    ],
                }
            )
        answer = {"id": record["id"], "topics": findings[True], "below": findings[False]}
        yield record, {**answer, "scores": scores}


def _sentence(draw: random.Random) -> str:
    words = ("".join(draw.choices(_SYLLABLES, k=draw.randint(1, 4))) for _ in range(12))
    return " ".join(words).capitalize() + "."


if __name__ == "__main__":
    sys.exit(main())
