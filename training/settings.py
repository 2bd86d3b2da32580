"""Training settings: a TOML recipe, checked, with every default and its reason in one place."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stance.errors import UsageError, listing
from stance.files import reason

RECIPES = Path(__file__).parent / "recipes"


class TrainingSettings(BaseModel):
    """How a model is trained. Unknown keys are refused.

    Rates are per step of AdamW, weights are factors of the loss's terms, shares lie in [0, 1].
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["lens", "baseline"] = "lens"
    """`lens` fine-tunes an encoder; `baseline` is TF-IDF with logistic regression."""

    base: str = "all-MiniLM-L6-v2"
    """Encoder by name or folder, or a model folder of stance to go on from."""

    window_tokens: int = Field(128, ge=16, le=512)
    """Longest window; the encoder's cost and its context grow with it."""

    epochs: int = Field(4, ge=1)
    batch_tokens: int = Field(1_600, ge=64)
    """Tokens of a batch, padding included: about 32 briefs or 100 headlines."""

    encoder_rate: float = Field(1.5e-4, gt=0)
    head_rate: float = Field(1e-3, gt=0)
    layer_decay: float = Field(0.9, gt=0, le=1)
    """Each layer below the top learns at this share of the rate above it."""

    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps in which the rate rises; it falls as a cosine after that."""

    weight_decay: float = Field(0.01, ge=0)
    dropout: float = Field(0.1, ge=0, lt=1)
    gradient_norm: float = Field(1.0, gt=0)
    gradient_accumulation: int = Field(1, ge=1)
    presence_weight: float = Field(2.0, ge=0)
    stance_weight: float = Field(1.0, ge=0)
    sentence_weight: float = Field(0.5, ge=0)
    """Presence of single sentences: evidence carries the topic, texts without it do not."""

    consistency_weight: float = Field(0.0, ge=0)
    """Divergence of two passes with different dropout; above 0 each step costs twice."""

    evidence_weight: float = Field(0.3, ge=0)
    """Minus log of the stance attention that lies on evidence sentences."""

    wide_weight: float = Field(1.0, ge=0)
    """Of the linear model over the text's own tokens, whose logits are added to the lens's: it errs
    otherwise than the encoder. 0 leaves it out."""

    label_smoothing: float = Field(0.05, ge=0, lt=0.5)
    """On stance: training texts are clearer than real ones, which makes a model too sure."""

    train_share: float = Field(1.0, gt=0, le=1)
    """Share of the training texts that is used, drawn by the seed: for quick runs, and to see by a
    learning curve whether more texts would help."""

    joined_share: float = Field(0.25, ge=0, le=2)
    """Texts joined from two to four others, added per epoch, as a share of the corpus: most
    labelled texts are short and carry one topic, real articles are long and carry several."""

    average_from: float = Field(0.5, ge=0, le=1)
    """From this share of the steps on, an exponential mean of the weights is kept and used."""

    average_decay: float = Field(0.995, ge=0, lt=1)
    freeze_encoder: bool = False
    """Train the heads alone, on the encoder's states computed once."""

    bf16: bool | None = None
    """None: where the processor has it."""

    seed: int = Field(0, ge=0)
    negative_share: float | None = Field(0.8, gt=0, lt=1)
    """Share of texts without any topic in the stream that calibration and thresholds are for."""

    uncertain_error: float = Field(0.10, gt=0, lt=0.5)
    """A stance that is not marked uncertain errs at most this often, at 95 % confidence."""

    calibration_windows: int = Field(300, ge=16)
    """Windows of the training data from which the int8 ranges are read."""

    parity_limit: float = Field(0.01, ge=0, le=1)
    """Share of held-out (text, topic) pairs that int8 may label otherwise than float."""


def load_recipe(name_or_path: str | Path = "default") -> TrainingSettings:
    """Read a recipe of the package by name, or a TOML file.

    Raises:
        UsageError: If there is no such recipe, or a key or value is wrong.
    """
    known = sorted(path.stem for path in RECIPES.glob("*.toml"))
    path = RECIPES / f"{name_or_path}.toml" if str(name_or_path) in known else Path(name_or_path)
    if not path.is_file():
        raise UsageError(
            f"--recipe: expected one of {listing(known)} or a TOML file, found {name_or_path!s}"
        )
    try:
        return TrainingSettings(**tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {reason(error)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: expected TOML, found a fault: {error}") from None
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise UsageError("\n".join(f"{path}: {fault}" for fault in faults)) from None
