"""Compare sentence splitters on hand-made passages, on speed and on robustness.

    python benchmarks/sentence_splitters.py [--texts FILE.jsonl ...] [--only NAME ...]
        [--misses NAME] [--no-robustness]

Every splitter that is not installed is left out. `--texts` takes JSON Lines files whose objects
have a "text"; they serve for the speed, for counting plain ends of sentences that are missed, and
for trying hard-wrapping. `--misses` prints what one splitter gets wrong.
All times are processor time, so other work on the machine disturbs them little.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from sentences_gold import FRESH, GOLD, passage_sentences, passage_text  # noqa: E402

Splitter = Callable[[str], Iterable[str]]


def _stance() -> Splitter:
    from stance.sentences import split_sentences

    return lambda text: [sentence.text for sentence in split_sentences(text)]


def _sentencex() -> Splitter:
    import sentencex

    return lambda text: sentencex.segment("en", text)


def _nupunkt() -> Splitter:
    import nupunkt

    return nupunkt.sent_tokenize


def _syntok() -> Splitter:
    from syntok import segmenter

    def split(text: str) -> Iterable[str]:
        for paragraph in segmenter.analyze(text):
            for tokens in paragraph:
                yield "".join(token.spacing + token.value for token in tokens)

    return split


def _pysbd() -> Splitter:
    import pysbd

    return pysbd.Segmenter(language="en", clean=False).segment


def _blingfire() -> Splitter:
    import blingfire

    return lambda text: blingfire.text_to_sentences(text).split("\n")


def _sentence_splitter() -> Splitter:
    from sentence_splitter import SentenceSplitter

    return SentenceSplitter(language="en").split


def _yasbd() -> Splitter:
    import yasbd

    detector = yasbd.BoundaryDetector("en")
    return detector.segment


# Name: distribution, module whose import is timed, maker.
SPLITTERS: dict[str, tuple[str, str, Callable[[], Splitter]]] = {
    "stance": ("sentencex", "stance.sentences", _stance),
    "sentencex": ("sentencex", "sentencex", _sentencex),
    "nupunkt": ("nupunkt", "nupunkt", _nupunkt),
    "syntok": ("syntok", "syntok.segmenter", _syntok),
    "pysbd": ("pysbd", "pysbd", _pysbd),
    "yasbd": ("yasbd-lib", "yasbd", _yasbd),
    "blingfire": ("blingfire", "blingfire", _blingfire),
    "sentence-splitter": ("sentence-splitter", "sentence_splitter", _sentence_splitter),
}

# Text that repeats one piece: splitters that look ahead or scan lists are slow on some of these.
HOSTILE = (
    "word ",
    "a. ",
    "a.\n",
    '"A b." ',
    '."',
    "« . ",
    "(a). ",
    "?! ",
    "U.S. ",
    "x@y.zz. ",
    "... ",
)


def per_line(split: Splitter) -> Splitter:
    """Hand over one line at a time, as stance does, so that the rules are what is compared."""
    return lambda text: [piece for line in text.splitlines() for piece in split(line)]


def squeezed(pieces: Iterable[str]) -> list[str]:
    """Pieces without any space: some splitters change spaces."""
    return [found for piece in pieces if (found := "".join(piece.split()))]


def ends(pieces: list[str]) -> set[int]:
    """Where pieces end, counted without spaces."""
    found, position = set(), 0
    for piece in pieces:
        position += len(piece)
        found.add(position)
    return found


def accuracy(
    split: Splitter, gold: dict[str, tuple[str, ...]], misses: bool
) -> tuple[int, int, float]:
    """Passages split as marked, all passages, and F1 of the boundaries."""
    right = passages = hits = found = marked = 0
    for group, texts in gold.items():
        for passage in texts:
            want = squeezed(passage_sentences(passage))
            got = squeezed(split(passage_text(passage)))
            right += got == want
            passages += 1
            # The end of a passage is no merit.
            inner_want, inner_got = ends(want[:-1]), ends(got[:-1])
            hits += len(inner_want & inner_got)
            marked += len(inner_want)
            found += len(inner_got)
            if misses and got != want:
                print(f"{group}: {' ¦ '.join(split(passage_text(passage)))!r}")
    return right, passages, 2 * hits / (found + marked)


# The end of a sentence that nobody could doubt.
PLAIN = re.compile(r"[a-z]{4,}\. (?=[A-Z][a-z])")


def plain_misses(split: Splitter, texts: list[str]) -> tuple[int, int]:
    """Plain ends that are missed, and all, in the lines without quotations and brackets."""
    missed = plain = 0
    for line in (line for text in texts for line in text.splitlines()):
        if any(sign in line for sign in '"“('):
            continue
        found = ends(squeezed(split(line)))
        for match in PLAIN.finditer(line):
            plain += 1
            missed += len("".join(line[: match.end()].split())) not in found
    return missed, plain


def wrapped_alike(split: Splitter, texts: list[str]) -> dict[int, tuple[int, int]]:
    """By width: texts that split alike hard-wrapped and not, and all of 200 characters or more."""
    found = {}
    for width in (55, 65, 72, 80, 90):
        alike = all_ = 0
        for text in texts:
            paragraphs = [line for line in text.splitlines() if line.strip()]
            if len(" ".join(paragraphs)) < 200:
                continue
            filled = (textwrap.fill(paragraph, width) for paragraph in paragraphs)
            alike += squeezed(split("\n\n".join(filled))) == squeezed(
                split("\n\n".join(paragraphs))
            )
            all_ += 1
        found[width] = alike, all_
    return found


def speed(split: Splitter, texts: list[str]) -> float:
    """Characters per second; the best of three."""
    size = sum(map(len, texts))
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for text in texts:
            list(split(text))
        best = min(best, time.process_time() - start)
    return size / best


def import_ms(module: str) -> float:
    """The import in a fresh interpreter, without the interpreter's own start; the best of five."""
    code = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    runs = (
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for _ in range(5)
    )
    return min(float(run.stdout) for run in runs) * 1000


def weaknesses(name: str, limit: int = 5) -> list[str]:
    """What of the robustness cases fails, in fresh interpreters with a time limit."""
    found = []
    for label, text in [("a lone surrogate", r"'A \ud800 b. C.'"), ("NUL", r"'A \0 b. C.'")]:
        if _child(name, text, limit) is None:
            found.append(f"fails on {label}")
    for piece in HOSTILE:
        times = []
        for size in (20_000, 200_000):
            taken = _child(name, f"{piece!r} * {size // len(piece)}", limit)
            if taken is None:
                found.append(f"{piece!r}: crash or over {limit} s for {size:,} characters")
                break
            times.append(taken)
        # Ten times the text; linear growth would give a factor near ten.
        if len(times) == 2 and times[1] > 0.2 and times[1] > 25 * times[0]:
            found.append(
                f"{piece!r}: {times[1] / times[0]:.0f} times the time for 10 times the text"
            )
    return found


def _child(name: str, expression: str, limit: int) -> float | None:
    code = (
        "import resource, sys, time\n"
        f"resource.setrlimit(resource.RLIMIT_CPU, ({limit}, {limit}))\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"import sentence_splitters as s; split = s.SPLITTERS[{name!r}][2]()\n"
        f"list(split('Warm up. Then go.')); text = {expression}\n"
        "t = time.process_time(); list(split(text)); print(time.process_time() - t)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return float(run.stdout) if run.returncode == 0 else None


def main() -> None:
    """Print one row per installed splitter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", nargs="*", type=Path, default=[])
    parser.add_argument("--misses", choices=SPLITTERS)
    parser.add_argument("--only", nargs="*", choices=SPLITTERS, default=list(SPLITTERS))
    parser.add_argument("--no-robustness", action="store_true")
    options = parser.parse_args()
    texts = [
        json.loads(line).get("text") or ""
        for path in options.texts
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    given = texts
    texts = texts or [passage_text(passage) for group in GOLD.values() for passage in group] * 20
    print("| splitter | version | passages right | F1 | fresh right | F1 | M chars/s | import ms |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, (distribution, module, make) in SPLITTERS.items():
        if name not in options.only or importlib.util.find_spec(module.partition(".")[0]) is None:
            continue
        split = make()
        fair = split if name == "stance" else per_line(split)
        results = [accuracy(fair, gold, options.misses == name) for gold in (GOLD, FRESH)]
        scores = " | ".join(f"{right} of {all_} | {f1:.3f}" for right, all_, f1 in results)
        print(
            f"| {name} | {importlib.metadata.version(distribution)} | {scores} "
            f"| {speed(split, texts) / 1e6:.2f} | {import_ms(module):.0f} |",
            flush=True,
        )
        if given:
            missed, plain = plain_misses(fair, given)
            print(f"    misses {missed} of {plain} plain ends")
        if given and name == "stance":
            print(f"    splits alike if hard-wrapped: {wrapped_alike(split, given)}")
        for weakness in [] if options.no_robustness else weaknesses(name):
            print(f"    {weakness}", flush=True)


if __name__ == "__main__":
    main()
