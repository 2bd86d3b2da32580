"""One run of fine-tuning with the Trainer of transformers: epochs, validation, best weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.data_loader import prepare_data_loader
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from stance.encoding import ArticleEncoder
from stance.errors import UsageError
from stance.wide import WidePart
from training import parallel
from training.averaging import WeightAverage
from training.corpus import (
    Collator,
    Example,
    ExampleDataset,
    SharedSampler,
    TokenBudgetSampler,
    layout_and_targets,
)
from training.frozen import with_states
from training.labels import ABSENT
from training.losses import consistency_loss, lens_loss, term_counts
from training.network import DocumentLayout, LensModel, LensOutputs
from training.progress import Progress
from training.scoring import Logits, validation_scores
from training.settings import TrainingSettings
from training.wide import with_wide

BEST = "best.safetensors"
AVERAGE = "average.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopResult:
    """What a run left behind: the best epoch's weights are in the model.

    Attributes:
        best_epoch: From 1.
        history: Per epoch the validation scores by name.
    """

    best_epoch: int
    history: tuple[Mapping[str, float], ...]


class TrainedLens(nn.Module):
    """The model with its loss, as the Trainer calls it."""

    def __init__(self, lens: LensModel, settings: TrainingSettings) -> None:
        super().__init__()
        self.lens, self._settings = lens, settings

    def forward(self, **batch: Tensor) -> dict[str, Tensor]:
        """Loss and document logits of a collated batch.

        Where processes share a batch, the mean of their losses is the loss of the whole.
        """
        if not len(batch["presence_targets"]):
            return self._idle(batch["presence_targets"].device)
        layout, targets = layout_and_targets(batch)
        shares = _shares(term_counts(targets, layout.document_of_sentence))
        outputs = lens_outputs(self.lens, batch, layout)
        loss = lens_loss(outputs, targets, layout.document_of_sentence, self._settings, shares)
        weight = self._settings.consistency_weight
        if weight and self.training:
            again = lens_outputs(self.lens, batch, layout)
            second = lens_loss(again, targets, layout.document_of_sentence, self._settings, shares)
            apart = consistency_loss(outputs, again, targets.stance != ABSENT, shares)
            loss = (loss + second) / 2 + weight * apart
        return {"loss": loss, "presence": outputs.presence, "stance": outputs.stance}

    def _idle(self, device: torch.device) -> dict[str, Tensor]:
        """Take part in a step whose documents all went to other processes."""
        _shares(torch.zeros(4, dtype=torch.long, device=device))
        learnt = [value.sum() for value in self.parameters() if value.requires_grad]
        return {"loss": 0.0 * torch.stack(learnt).sum()}


def _shares(counts: Tensor) -> Tensor | None:
    """Factors with which the mean over processes of a term's means is the mean over all values.

    Args:
        counts: Values of each term in this process's share of the batch.
    """
    if parallel.size() == 1:
        return None
    return parallel.size() * counts / parallel.total(counts).clamp_min(1)


def lens_outputs(
    lens: LensModel, batch: Mapping[str, Tensor], layout: DocumentLayout
) -> LensOutputs:
    """Run the lens on a collated batch, from its states where it has them."""
    if "states" in batch:
        return lens.forward_states(batch["states"], layout)
    outputs: LensOutputs = lens(
        batch["input_ids"], batch["attention_mask"], batch["content_mask"], layout
    )
    return outputs


class LensTrainer(Trainer):
    """The Trainer with our batches, our layer-wise rates and the average of the weights."""

    def __init__(
        self,
        *,
        model: TrainedLens,
        arguments: TrainingArguments,
        settings: TrainingSettings,
        encoder: ArticleEncoder,
        train_set: ExampleDataset,
        validate: Callable[[int], Mapping[str, float]],
        average: WeightAverage,
        progress: Progress,
    ) -> None:
        self._settings, self._encoder, self._validate = settings, encoder, validate
        self._average, self._train_set, self._trained = average, train_set, model
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=train_set,
            eval_dataset=train_set,  # asked for; `evaluate` below knows the real one
            data_collator=Collator(encoder),
            callbacks=[_Steps(average, progress)],
        )
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Batches by token budget."""
        sampler = SharedSampler(
            train_batches(self._train_set, self._encoder, self._settings),
            place=parallel.place(),
            size=parallel.size(),
        )
        # The batches are shared out already; accelerate would share out their number.
        loader: DataLoader[Any] = prepare_data_loader(
            DataLoader(self._train_set, batch_sampler=sampler, collate_fn=self.data_collator),
            self.accelerator.device,
            num_processes=1,
            process_index=0,
            put_on_device=True,
        )
        return loader

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW with a rate per layer (layer-wise decay: Howard and Ruder 2018)."""
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self._trained.lens, self._settings), betas=(0.9, 0.98), fused=True
        )
        return self.optimizer

    def evaluate(self, *args: object, **kwargs: object) -> dict[str, float]:
        """Validation scores of the averaged weights, under the names the Trainer expects."""
        scores = self._validate(round(self.state.epoch or 0))
        self._trained.train()
        return {f"eval_{name}": value for name, value in scores.items()}

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # The mean first: a checkpoint counts as whole once the Trainer's own state is in it.
        if self.args.should_save:
            folder = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"
            folder.mkdir(parents=True, exist_ok=True)
            self._average.save(folder / AVERAGE)
        super()._save_checkpoint(model, trial)


class _Steps(TrainerCallback):
    """Feeds the average and the progress display."""

    def __init__(self, average: WeightAverage, progress: Progress) -> None:
        self._average, self._progress = average, progress

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._progress.start_epoch(int(state.epoch or 0) + 1, state.max_steps, state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._average.update(state.global_step)
        self._progress.advance(state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None:
            self._progress.loss(float(loss))


def train_batches(
    train_set: ExampleDataset, encoder: ArticleEncoder, settings: TrainingSettings
) -> TokenBudgetSampler:
    """The batches of an epoch: of `batch_tokens` for each process."""
    return TokenBudgetSampler(
        train_set,
        encoder,
        batch_tokens=settings.batch_tokens * parallel.size(),
        seed=settings.seed,
    )


def parameter_groups(lens: LensModel, settings: TrainingSettings) -> list[dict[str, Any]]:
    """Parameters with their rates: heads at `head_rate`, encoder layers falling from the top."""
    layers = lens.encoder.config.num_hidden_layers
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in lens.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.startswith("encoder."):
            digits = [int(part) for part in name.split(".") if part.isdigit()]
            depth = layers - digits[0] - 1 if digits else layers
            rate = settings.encoder_rate * settings.layer_decay**depth
        else:
            rate = settings.head_rate
        # Biases, norms and the pooling's scalars are not shrunk.
        decay = settings.weight_decay if parameter.dim() > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


def score_examples(
    lens: LensModel,
    encoder: ArticleEncoder,
    examples: Sequence[Example],
    *,
    bf16: bool = False,
    batch_tokens: int = 6_000,
    advance: Callable[[int], None] | None = None,
) -> Logits:
    """Logits of all examples, in their order."""
    dataset = ExampleDataset(examples)
    batches = list(TokenBudgetSampler(dataset, encoder, batch_tokens=batch_tokens, seed=None))
    collate = Collator(encoder)
    device = next(lens.parameters()).device
    n_topics, n_columns = lens.heads.n_topics, lens.heads.n_columns
    presence: NDArray[np.float64] = np.zeros((len(examples), n_topics))
    stance: NDArray[np.float64] = np.zeros((len(examples), n_topics, n_columns))
    lens.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for batch in batches:
            tensors = {
                name: value.to(device)
                for name, value in collate([dataset[index] for index in batch]).items()
            }
            layout, _ = layout_and_targets(tensors)
            outputs = lens_outputs(lens, tensors, layout)
            presence[batch] = outputs.presence.double().cpu().numpy()
            stance[batch] = outputs.stance.double().cpu().numpy()
            if advance is not None:
                advance(len(batch))
    return Logits(presence=presence, stance=stance)


def supports_bf16(device: torch.device) -> bool:
    """Whether bf16 arithmetic is faster than float32 on the device."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())


def fit(
    lens: LensModel,
    encoder: ArticleEncoder,
    train: Sequence[Example],
    validation: Sequence[Example],
    settings: TrainingSettings,
    work: Path,
    *,
    wide: WidePart | None = None,
    resume: bool,
    device: str | None,
    progress: Progress,
) -> LoopResult:
    """Fine-tune and leave the best epoch's (averaged) weights in `lens`.

    Where several processes train together, the first one judges the epochs and writes the files,
    and the best weights are in its `lens` alone.

    Args:
        lens: Trained in place.
        encoder: The tokenizing side.
        train: Training examples.
        validation: Judges the epochs by joint F1, or by stance F1 where presence is not learnt.
        settings: The recipe.
        work: Folder for checkpoints, one an epoch.
        wide: The wide part, whose logits count when the epochs are judged.
        resume: Go on from the last checkpoint in `work`.
        device: `cpu`, `cuda`, or None for what there is.
        progress: Display.

    Raises:
        UsageError: If training goes astray, or processes do not train on the same texts.
    """
    cpu = device == "cpu" or (device is None and not torch.cuda.is_available())
    bf16 = settings.bf16
    if bf16 is None:
        bf16 = supports_bf16(torch.device("cpu" if cpu else "cuda"))
    if settings.freeze_encoder:
        lens.encoder.requires_grad_(False)
        train = with_states(lens, encoder, train, bf16=bf16)
        validation = with_states(lens, encoder, validation, bf16=bf16)
    train_set = ExampleDataset(train, joined_share=settings.joined_share, seed=settings.seed)
    arguments = TrainingArguments(
        output_dir=str(work),
        num_train_epochs=settings.epochs,
        lr_scheduler_type="cosine",
        warmup_steps=settings.warmup,
        gradient_accumulation_steps=settings.gradient_accumulation,
        max_grad_norm=settings.gradient_norm,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        logging_steps=20,
        seed=settings.seed,
        data_seed=settings.seed,
        bf16=bf16,
        use_cpu=cpu,
        ddp_backend="gloo" if cpu and parallel.size() > 1 else None,
        disable_tqdm=True,
        report_to=[],
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        log_level="error",
        label_names=["presence_targets"],
    )
    # More than one device in one process would cut our batches at the wrong places: torchrun starts
    # a process for each.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    if parallel.size() > 1:
        parallel.agree("texts or settings", _digest(train, settings))
    model = TrainedLens(lens, settings)
    steps = (
        len(train_batches(train_set, encoder, settings))
        * settings.epochs
        // settings.gradient_accumulation
    )
    average = WeightAverage(
        model, decay=settings.average_decay, from_step=int(steps * settings.average_from)
    )
    history_file = work / "history.json"
    history: list[dict[str, float]] = []

    # Without a presence term in the loss nothing is found, and every joint score would be 0.
    criterion = "joint_f1" if settings.presence_weight else "stance_f1"

    def judge(epoch: int) -> Mapping[str, float]:
        with average:
            logits = score_examples(lens, encoder, validation, bf16=bf16)
            if not (np.isfinite(logits.presence).all() and np.isfinite(logits.stance).all()):
                raise UsageError(
                    f"training went astray: in epoch {epoch} the model's answers are no longer "
                    "finite numbers; lower encoder_rate or head_rate in the recipe"
                )
            logits = with_wide(logits, wide, validation)
            scores = validation_scores(logits, np.stack([e.stance for e in validation]))
            best = max((row[criterion] for row in history), default=-1.0)
            if scores[criterion] >= best:
                save_file(lens.state_dict(), work / BEST)
        rows = [*history, {"epoch": float(epoch), **scores}]
        history_file.write_text(json.dumps(rows), encoding="utf-8")
        progress.end_epoch(epoch, scores)
        return scores

    def validate(epoch: int) -> Mapping[str, float]:
        scores = parallel.from_first(lambda: judge(epoch))
        history.append({"epoch": float(epoch), **scores})
        return scores

    trainer = LensTrainer(
        model=model,
        arguments=arguments,
        settings=settings,
        encoder=encoder,
        train_set=train_set,
        validate=validate,
        average=average,
        progress=progress,
    )
    checkpoint = last_checkpoint(work) if resume else None
    if checkpoint is not None:
        average.load(checkpoint / AVERAGE)
        state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        # An epoch that was scored but not saved is run again.
        history.extend(
            row
            for row in json.loads(history_file.read_text(encoding="utf-8"))
            if row["epoch"] <= round(state.epoch or 0)
        )
    if not parallel.first():
        # With the first one's seed it would drop the same places of its texts as that one.
        torch.manual_seed(settings.seed + parallel.place())
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    parallel.leave()
    if parallel.first():
        lens.load_state_dict(load_file(work / BEST))
    lens.to("cpu")
    best_row = max(history, key=lambda row: (row[criterion], row["epoch"]))
    return LoopResult(best_epoch=int(best_row["epoch"]), history=tuple(history))


def _digest(train: Sequence[Example], settings: TrainingSettings) -> str:
    digest = hashlib.sha256(settings.model_dump_json().encode())
    for example in train:
        digest.update(repr((example.token_ids, example.stance.tolist())).encode())
    return digest.hexdigest()


def last_checkpoint(work: Path) -> Path | None:
    """The newest whole checkpoint in a folder."""
    found = [
        path
        for path in work.glob("checkpoint-*")
        if (path / "trainer_state.json").is_file() and path.name.split("-")[-1].isdigit()
    ]
    return max(found, key=lambda path: int(path.name.split("-")[-1]), default=None)
