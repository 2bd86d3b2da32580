"""Model folders changed by chance, loaded and run: what is refused, what answers, what breaks.

    python -m benchmarks.attack_models [--tries 2000] [--seed 0] [--processes 2] [--file NAME]

Each file of a tiny model is attacked twice: as a damaged copy, whose digest no longer fits, and as
a stranger would send it, with the digests made anew, so that they hide no parser. Only a
`ModelError`, the answers of the sound model, or sound answers of what is now another model are
right. All else counts as a failure: other errors, answers that are no JSON, a process that ends,
one that takes longer than 20 seconds or more than a gigabyte. Exit status 1 if there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks import mutations

MANIFEST = "manifest.json"
FLOAT_FILES = ("weights.safetensors", "encoder.json")
"""Read for training and export alone."""

SECONDS = 20.0
MEGABYTES = 1_000
REFUSED, SAME, OTHER = "refused", "same answers", "another model"
TEXTS = (
    "The quay of the village thrives. Our orchard of the valley suffers.",
    "Snow covers the road to the chapel.",
)

Files = dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One changed folder.

    Attributes:
        file: The file that is changed.
        made_anew: Whether the manifest lists the digests of the changed files.
        number: With the seed, which change it is.
    """

    file: str
    made_anew: bool
    number: int


def attacked(sound: Mapping[str, bytes], attack: Attack, seed: int = 0) -> Files:
    """The files of a model folder, changed."""
    rng = random.Random(f"{seed} {attack.file} {attack.made_anew} {attack.number}")
    files, name = dict(sound), attack.file
    other = rng.choice(sorted(files.keys() - {name}))
    way = rng.randrange(10)
    if way == 0:
        files[name] = files[other]
    elif way < 4 or (way < 7 and not attack.made_anew):
        files[name] = mutations.mutate_bytes(files[name], rng, other=files[other])
    else:
        files[name] = _changed(name, files[name], rng)
    if attack.made_anew:
        with_digests(files)
    return files


def _changed(name: str, content: bytes, rng: random.Random) -> bytes:
    if name.endswith(".json"):
        return mutations.mutate_json(content, rng)
    if name.endswith(".xml"):
        return mutations.mutate_graph(content, rng)
    if name.endswith(".npz"):
        return mutations.mutate_arrays(content, rng)
    if name.endswith(".safetensors"):
        return mutations.mutate_tensors(content, rng)
    return mutations.mutate_bytes(content, rng)


def with_digests(files: Files) -> None:
    """List the files in the manifest as they are now, where it is still one."""
    from stance.schema import Schema

    try:
        manifest = json.loads(files[MANIFEST])
        for name, entry in manifest["files"].items():
            if name in files and isinstance(entry, dict):
                entry["sha256"] = hashlib.sha256(files[name]).hexdigest()
                entry["bytes"] = len(files[name])
        with contextlib.suppress(Exception):
            schema = Schema.from_dict(json.loads(files["schema.json"]))
            manifest["schema_digest"] = schema.digest
        files[MANIFEST] = json.dumps(manifest).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return


def answers(folder: Path, *, floats: bool = False) -> str:
    """All that a user gets from a model, as strict JSON.

    Args:
        folder: The model.
        floats: Ask for the float weights, too.

    Raises:
        ModelError: If the folder is refused.
    """
    from stance.classifier import Classifier
    from stance.cli.describe import Format, describe

    classifier = Classifier.from_pretrained(folder, threads=1)
    found: list[Any] = [item.to_dict(full=True) for item in classifier.predict_many(TEXTS)]
    for number in (n for item in found for n in item["scores"].values()):
        if not 0 <= number <= 1:
            raise ValueError(f"a probability of {number}")
    for form in Format:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            describe(str(folder), form)
        if any(sign in said.getvalue() for sign in ("\x1b", "\u202e")):
            raise ValueError("a control sign in what is printed")
    if floats:
        from training.weights import load_lens

        lens, encoder, _ = load_lens(folder)
        parameters = list(lens.parameters())
        found.append([sum(float(value.abs().sum()) for value in parameters), encoder.capacity])
    return json.dumps(found, allow_nan=False)


def outcome(folder: Path, expected: str, *, floats: bool = False) -> str:
    """What came of a folder, in words; anything but the three right ones is a failure."""
    from stance.errors import ModelError

    try:
        found = answers(folder, floats=floats)
    except ModelError as error:
        words = str(error)
        if "\n" in words or len(words) > 2_000:
            return f"FAILED: a message of {len(words):,} characters in more than one line"
        return REFUSED
    except BaseException as error:  # a panic of a native library is no Exception
        words = str(error).splitlines()
        return f"FAILED: {type(error).__name__}: {(words or [''])[0][:100]}"
    return SAME if found == expected else OTHER


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files, and nothing else, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def _serve(pipe: Connection, sound: Files, seed: int, floats: bool) -> None:
    """Try attacks that come through the pipe; runs in a process that may be lost."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder / "sound", sound)
        expected = {wish: answers(folder / "sound", floats=wish) for wish in {False, floats}}
        pipe.send("ready")
        while (attack := pipe.recv()) is not None:
            write(folder / "model", attacked(sound, attack, seed))
            before = _peak()
            wish = floats and attack.file in (*FLOAT_FILES, MANIFEST)
            result = outcome(folder / "model", expected[wish], floats=wish)
            grown = _peak() - before
            if grown > MEGABYTES:
                result = f"FAILED: took {grown:,.0f} MB ({result})"
            pipe.send(result)


def _peak() -> float:
    """Largest resident memory of this process so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000


class _Worker:
    """A process that tries attacks, and another one when it is lost."""

    def __init__(self, sound: Files, seed: int, floats: bool) -> None:
        self._arguments = (sound, seed, floats)
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, *self._arguments), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def try_out(self, attack: Attack) -> str:
        """The outcome, also where the process does not live to tell."""
        self._pipe.send(attack)
        try:
            if self._pipe.poll(SECONDS):
                return str(self._pipe.recv())
            result = f"HUNG for {SECONDS:.0f} s"
        except EOFError:
            result = ""
        self.stop()
        result = result or f"CRASHED: exit status {self._process.exitcode}"
        self._start()
        return result

    def stop(self) -> None:
        """End the process."""
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def run(attacks: Sequence[Attack], sound: Files, seed: int, processes: int) -> Iterator[Any]:
    """Try attacks in several processes; yields each with its outcome."""
    from concurrent.futures import ThreadPoolExecutor
    from importlib.util import find_spec

    floats = any(name in sound for name in FLOAT_FILES) and find_spec("torch") is not None

    def work(part: Sequence[Attack]) -> list[tuple[Attack, str]]:
        worker = _Worker(sound, seed, floats)
        try:
            return [(attack, worker.try_out(attack)) for attack in part]
        finally:
            worker.stop()

    parts = [attacks[begin::processes] for begin in range(processes)]
    with ThreadPoolExecutor(processes) as pool:
        for found in pool.map(work, parts):
            yield from found


def tiny_files() -> Files:
    """The files of a model of a hundred words."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    import tiny

    with tempfile.TemporaryDirectory() as place:
        folder = tiny.write_whole_model(Path(place) / "model")
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    sound = tiny_files()
    attacks = [
        Attack(file=name, made_anew=made_anew, number=number)
        for name in options.file or sorted(sound)
        for made_anew in (False, True)
        for number in range(options.tries)
    ]
    began = time.perf_counter()
    table: dict[tuple[str, bool], Counter[str]] = {}
    failures: list[tuple[Attack, str]] = []
    for attack, result in run(attacks, sound, options.seed, options.processes):
        right = result in {REFUSED, SAME, OTHER}
        row = table.setdefault((attack.file, attack.made_anew), Counter())
        row[result if right else "failures"] += 1
        if not right:
            failures.append((attack, result))
    print(
        "| file | digests made anew | tries | refused | same answers | another model | failures |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for (name, made_anew), row in sorted(table.items()):
        cells = [f"{row[key]:,}" for key in (REFUSED, SAME, OTHER, "failures")]
        said = "yes" if made_anew else "no"
        print(f"| {name} | {said} | {row.total():,} | {' | '.join(cells)} |")
    print(f"\n{len(attacks):,} tries in {time.perf_counter() - began:,.0f} s, seed {options.seed}")
    for attack, result in failures[: options.shown]:
        print(f"{attack.file} {attack.made_anew} {attack.number}: {result}")
    return int(bool(failures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.attack_models",
        description="Load and run model folders that were changed by chance.",
    )
    parser.add_argument("--file", action="append", help="attack this file; all if not given")
    for name, default, words in (
        ("tries", 2_000, "changes a file, with and without new digests"),
        ("seed", 0, "which changes"),
        ("processes", 2, "processes that try them"),
        ("shown", 50, "most failures that are listed"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{words} ({default:,})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
