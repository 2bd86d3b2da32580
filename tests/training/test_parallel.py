"""Processes that share a batch learn what one process learns from the whole of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st

from stance import Classifier
from training import __main__ as command
from training import loop, parallel
from training.corpus import (
    Collator,
    Example,
    ExampleDataset,
    SharedSampler,
    TokenBudgetSampler,
    layout_and_targets,
    make_examples,
)
from training.loop import TrainedLens, lens_outputs
from training.losses import consistency_loss, lens_loss, term_counts
from training.network import LensModel
from training.settings import TrainingSettings

pytestmark = pytest.mark.training

ROOT = Path(__file__).parents[2]
ENCODER = tiny.encoder()
EXAMPLES = make_examples(tiny.records(24), tiny.SCHEMA, ENCODER)
SETTINGS = tiny.settings(evidence_weight=0.3, sentence_weight=0.5)


@given(size=st.integers(1, 5), budget=st.integers(64, 400), epoch=st.integers(0, 3))
def test_the_shares_of_all_processes_are_the_whole_batch(
    size: int, budget: int, epoch: int
) -> None:
    def batches() -> TokenBudgetSampler:
        return TokenBudgetSampler(
            ExampleDataset(EXAMPLES, joined_share=0.5), ENCODER, batch_tokens=budget, seed=3
        )

    whole = batches()
    shared = [SharedSampler(batches(), place=place, size=size) for place in range(size)]
    for sampler in (whole, *shared):
        sampler.set_epoch(epoch)
    assert {len(sampler) for sampler in shared} == {len(whole)}
    for batch, *shares in zip(whole, *shared, strict=True):
        assert sorted(index for share in shares for index in share) == sorted(batch)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def terms(
    lens: LensModel, examples: list[Example], shares: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of a batch with the consistency term, and the counts of its terms."""
    layout, targets = layout_and_targets(Collator(ENCODER)(examples))
    batch = Collator(ENCODER)(examples)
    one, other = (lens_outputs(lens, batch, layout) for _ in range(2))
    other = type(other)(
        presence=other.presence + 1,
        stance=other.stance - 1,
        sentence_presence=other.sentence_presence,
        focus=other.focus,
    )
    loss = lens_loss(one, targets, layout.document_of_sentence, SETTINGS, shares)
    carried = targets.stance >= 0
    loss = loss + consistency_loss(one, other, carried, shares)
    return loss, term_counts(targets, layout.document_of_sentence)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_mean_of_the_processes_losses_is_the_loss_of_the_whole(size: int) -> None:
    lens = tiny.lens()
    whole, _ = terms(lens, EXAMPLES)
    parts = [EXAMPLES[place::size] for place in range(size)]
    counts = [terms(lens, part)[1] for part in parts]
    total = torch.stack(counts).sum(0)
    losses = [
        terms(lens, part, size * count / total)[0]
        for part, count in zip(parts, counts, strict=True)
    ]
    assert torch.stack(losses).mean().item() == pytest.approx(whole.item(), rel=1e-5)
    plain = torch.stack([terms(lens, part)[0] for part in parts]).mean()
    assert plain.item() != pytest.approx(whole.item(), rel=1e-4)


def test_a_process_without_a_share_teaches_nothing() -> None:
    model = TrainedLens(tiny.lens(), SETTINGS).train()
    loss = model(**Collator(ENCODER)([]))["loss"]
    loss.backward()
    assert loss.item() == 0.0
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


def test_one_process_is_the_first_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # Clusters set these for processes that train alone, too.
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "2")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert (parallel.size(), parallel.place(), parallel.first()) == (1, 0, True)
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert (parallel.size(), parallel.place(), parallel.first()) == (4, 2, False)


@pytest.mark.parametrize("place", ["0", "1"])
def test_only_the_first_process_speaks(
    place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("RANK", place)
    monkeypatch.setenv("LOCAL_RANK", place)
    assert command.run(["--help"]) == 0
    captured = capsys.readouterr()
    assert ("Train a model" in captured.out) == (place == "0")
    assert captured.err == ""
    # Who fails says so, whoever it is.
    assert command.run([str(tmp_path / "none"), "--out", str(tmp_path / "m")]) != 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("stance: " if place == "0" else "process 1: stance: ")


def start(*arguments: str, processes: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python, in one process or as `torchrun` does."""
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node", str(processes))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    return subprocess.run(
        [sys.executable, *(launcher if processes > 1 else ()), *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_two_processes_learn_as_one_does_from_batches_twice_as_large(tmp_path: Path) -> None:
    changes = {"joined_share": 0.5, "consistency_weight": 0.5, "gradient_accumulation": 2}
    found = []
    for processes in (1, 2):
        work = tmp_path / str(processes)
        work.mkdir()
        settings = {"epochs": 2, "batch_tokens": 192 // processes, **changes}
        script = str(ROOT / "tests" / "parallel_run.py")
        ended = start(script, str(work), json.dumps(settings), processes=processes, folder=tmp_path)
        assert ended.returncode == 0, ended.stderr
        (line,) = ended.stdout.splitlines()
        found.append(json.loads(line))
    one, two = found
    assert len(one["losses"]) >= 8
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-3)
    assert two["history"] == [pytest.approx(row, abs=1e-6) for row in one["history"]]


@pytest.mark.slow
def test_two_processes_write_one_model(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data, splits = tiny.dataset()
    folder = tmp_path / "data"
    folder.mkdir()
    lines = [json.dumps(record.to_dict()) for record in data.records]
    (folder / "a.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "schema.json").write_text(json.dumps(data.schema.to_dict()), encoding="utf-8")
    splits.save(folder / "splits.json")
    recipe = tmp_path / "recipe.toml"
    # What JSON writes of numbers, words and truths is TOML.
    chosen = tiny.settings(epochs=3, batch_tokens=96).model_dump(exclude_none=True)
    recipe.write_text(
        "".join(f"{key} = {json.dumps(value)}\n" for key, value in chosen.items()),
        encoding="utf-8",
    )
    base = str(tiny.encoder_folder(tmp_path_factory))
    # Notes what a process writes below the folder, as far as Python does it.
    script = tmp_path / "noting.py"
    script.write_text(
        "import json, os, sys\n"
        "seen = []\n"
        "def note(event, args):\n"
        "    if event == 'open' and not (args[2] or 0) & (os.O_WRONLY | os.O_RDWR):\n"
        "        return\n"
        "    if event in {'open', 'os.mkdir', 'os.rename', 'os.remove', 'os.rmdir'}:\n"
        "        seen.append(os.path.abspath(os.fsdecode(args[0])) if not isinstance(args[0], int)"
        " else '')\n"
        "sys.addaudithook(note)\n"
        "from training.__main__ import run\n"
        "status = run(sys.argv[1:])\n"
        "names = [os.path.relpath(name) for name in seen if name.startswith(os.getcwd())]\n"
        "open('process' + os.environ['RANK'] + '.json', 'w').write(json.dumps(names))\n"
        "sys.exit(status)\n",
        encoding="utf-8",
    )
    ended = start(
        *(str(script), "data", "--out", "model", "--recipe", "recipe.toml", "--base", base),
        processes=2,
        folder=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("model written to model") == 1
    assert ended.stderr.count("writing the model") == 1
    assert ended.stderr.count("joint F1") == 1
    written = [json.loads((tmp_path / f"process{place}.json").read_text()) for place in (0, 1)]
    assert any(name.endswith("manifest.json") for name in written[0])
    # Its own random state, without which a run does not go on as it was.
    assert [name for name in written[1] if "model.training/checkpoint-" not in name] == []
    made = {"data", "model", "recipe.toml", "noting.py", "process0.json", "process1.json"}
    assert {path.name for path in tmp_path.iterdir()} == made
    model = Classifier.from_pretrained(tmp_path / "model")
    assert [row["epoch"] for row in model.manifest.history] == [1.0, 2.0, 3.0]
    assert set(model.predict("The quay rots.").scores) == {"harbour", "orchard"}


@pytest.mark.slow
def test_processes_with_other_texts_do_not_train_together(tmp_path: Path) -> None:
    script = tmp_path / "other.py"
    script.write_text(
        "import os, sys\n"
        "import parallel_run\n"
        "if os.environ['RANK'] == '1':\n"
        "    parallel_run.tiny.records, old = (lambda n, *a, **k: old(n - 1, *a, **k)), "
        "parallel_run.tiny.records\n"
        "parallel_run.main(parallel_run.Path(sys.argv[1]), {})\n",
        encoding="utf-8",
    )
    ended = start(str(script), str(tmp_path), processes=2, folder=tmp_path)
    assert ended.returncode != 0
    assert "process 1 of 2 has texts or settings other than the first one's" in ended.stderr


def test_several_devices_in_one_process_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # transformers would cut each batch into rows, one part a device.
    class TwoDevices(loop.TrainingArguments):
        @property
        def _setup_devices(self) -> torch.device:
            self._n_gpu = 2
            return torch.device("cpu")

    class SeenError(Exception):
        pass

    def trainer(*, arguments: loop.TrainingArguments, **_: object) -> None:
        assert arguments.n_gpu == 1
        raise SeenError

    monkeypatch.setattr(loop, "TrainingArguments", TwoDevices)
    monkeypatch.setattr(loop, "LensTrainer", trainer)
    settings: TrainingSettings = tiny.settings()
    with pytest.raises(SeenError):
        loop.fit(
            tiny.lens(), ENCODER, EXAMPLES, EXAMPLES, settings, tmp_path,
            resume=False, device="cpu", progress=loop.Progress(shown=False),
        )  # fmt: skip
