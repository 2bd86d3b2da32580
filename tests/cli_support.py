"""Runs the command line within the test's process, with a classifier that needs no model."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from stance.artifact import Manifest
from stance.cli import predict as predict_verb
from stance.cli.main import main
from stance.predictions import Evidence, Finding, Prediction
from stance.records import Article
from stance.schema import Schema, Stance, Topic

SCHEMA = Schema(
    topics=(Topic(name="rivers", description="what flows"), Topic(name="bridges")),
    stances=(Stance(name="negative"), Stance(name="positive")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run of the command left behind."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Standard output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


class FakeClassifier:
    """Finds a topic where the text has its name; "bad" makes it negative, "perhaps" unsure.

    Reads `ahead` articles before it answers, as a classifier that batches does.
    """

    schema = SCHEMA
    digest = "f" * 64
    manifest = Manifest(
        kind="baseline",
        name="fake",
        created="2026-01-02",
        schema_digest=SCHEMA.digest,
        calibration={},
        files={},
    )

    def __init__(self, ahead: int = 3) -> None:
        self.ahead = ahead
        self.read = 0

    def predict_many(self, articles: Iterable[Article]) -> Iterator[Prediction]:
        stream = iter(articles)
        while batch := list(islice(stream, self.ahead)):
            self.read += len(batch)
            yield from map(self._predict, batch)

    def _predict(self, article: Article) -> Prediction:
        findings = [self._finding(article, topic) for topic in SCHEMA.topic_names]
        return Prediction(
            id=article.id,
            topics=tuple(item for item in findings if item.probability > 0.5),
            below=tuple(item for item in findings if item.probability <= 0.5),
            scores={item.topic: item.probability for item in findings},
            extra=article.extra,
        )

    def _finding(self, article: Article, topic: str) -> Finding:
        found = topic in article.text.lower()
        negative = 0.9 if "bad" in article.text else 0.2
        sentence = Evidence(
            sentence=article.text,
            part="text",
            start=0,
            end=len(article.text),
            presence=2.0,
            stance=-1.0,
        )
        return Finding(
            topic=topic,
            probability=0.97 if found else 0.03,
            stance="negative" if negative > 0.5 else "positive",
            stance_probabilities={"negative": negative, "positive": 1 - negative},
            uncertain="perhaps" in article.text,
            evidence=(sentence,) if found else (),
        )


def use_fake(monkeypatch: pytest.MonkeyPatch, classifier: FakeClassifier | None = None) -> None:
    """Let `stance predict` answer with a fake."""
    fake = classifier or FakeClassifier()
    monkeypatch.setattr(predict_verb, "load_classifier", lambda *_, **__: fake)


def run(
    capsys: pytest.CaptureFixture[str],
    *arguments: str,
    stdin: bytes | None = None,
) -> Result:
    """Run `stance ARGUMENTS`."""
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin or b""), encoding="utf-8")
    try:
        status = main(arguments)
    finally:
        sys.stdin = before
    captured = capsys.readouterr()
    return Result(status=status, out=captured.out, err=captured.err)


def write_model(folder: Path, **changes: Any) -> Path:
    """Write a model folder that is sound but holds no graph; `changes` go into the manifest."""
    folder.mkdir(parents=True)
    files = {
        "schema.json": json.dumps(SCHEMA.to_dict()).encode(),
        "weights.safetensors": b"",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    entries = {
        name: {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "required": name == "schema.json",
        }
        for name, content in files.items()
    }
    curve = [(0.25, 0.7, 0.9), (0.5, 0.8125, 0.6875)]
    manifest = {
        "format_version": 1,
        "kind": "baseline",
        "name": "tiny",
        "created": "2026-01-02",
        "schema_digest": SCHEMA.digest,
        "calibration": {name: {"curve": curve} for name in SCHEMA.topic_names},
        "files": entries,
        **changes,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder
