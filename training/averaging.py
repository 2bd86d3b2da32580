"""Exponential mean of the weights, validated and kept in place of the last step's."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


class WeightAverage:
    """Exponential mean of the weights, from a given step on (Polyak averaging)."""

    def __init__(self, model: nn.Module, *, decay: float, from_step: int) -> None:
        self._model, self._decay, self._from_step = model, decay, from_step
        self._taken = 0
        self._mean: dict[str, Tensor] = {}
        self._held: dict[str, Tensor] = {}

    def update(self, step: int) -> None:
        """Take the weights after a step."""
        if step < self._from_step:
            return
        # A plain mean until enough steps are in it: the first step must not weigh more.
        self._taken += 1
        share = max(1 - self._decay, 1 / self._taken)
        with torch.no_grad():
            for name, value in self._model.named_parameters():
                if name in self._mean:
                    self._mean[name].lerp_(value, share)
                else:
                    self._mean[name] = value.detach().clone()

    def __enter__(self) -> None:
        """Put the mean in the model's place; without one the model stays."""
        self._held = {}
        for name, value in self._model.named_parameters():
            if name in self._mean:
                self._held[name] = value.detach().clone()
                value.data.copy_(self._mean[name])

    def __exit__(self, *exception: object) -> None:
        """Put the model's own weights back."""
        for name, value in self._model.named_parameters():
            if name in self._held:
                value.data.copy_(self._held[name])
        self._held = {}

    def save(self, path: Path) -> None:
        """Write the mean, if there is one."""
        if self._mean:
            save_file(self._mean, path, metadata={"taken": str(self._taken)})

    def load(self, path: Path) -> None:
        """Read the mean, if there is one."""
        if not path.is_file():
            return
        device = str(next(self._model.parameters()).device)
        with safe_open(path, "pt", device=device) as file:
            self._mean = {name: file.get_tensor(name) for name in file.keys()}
            self._taken = int(file.metadata()["taken"])
