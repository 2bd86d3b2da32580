"""The trained module as one float ONNX graph, from which all other graphs are made."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from stance.session import INPUTS
from training.network import LensModel

OUTPUT = "outputs"
OPSET = 18


class TokenGraph(nn.Module):
    """The part of the model that is exported: everything up to the token outputs."""

    def __init__(self, lens: LensModel) -> None:
        super().__init__()
        self.lens = lens

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Shape (windows, tokens) twice, to (windows, tokens, columns)."""
        return self.lens.token_outputs(input_ids, attention_mask)


def write_onnx(lens: LensModel, path: Path) -> None:
    """Write the token graph as ONNX with dynamic windows and tokens, weights inside.

    Args:
        lens: The trained model; left in evaluation mode on the CPU.
        path: File to write.
    """
    lens.eval().to("cpu")
    example = torch.ones(2, 16, dtype=torch.long)
    # With a mask of ones alone the exporter would leave the mask out of the graph.
    mask = example.clone()
    mask[1, 8:] = 0
    windows, tokens = torch.export.Dim("windows"), torch.export.Dim("tokens", max=512)
    shapes = {name: {0: windows, 1: tokens} for name in INPUTS}
    # The exporter reports each of its passes; its errors still come through as exceptions.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            TokenGraph(lens),
            (example, mask),
            str(path),
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            opset_version=OPSET,
            dynamic_shapes=shapes,
            dynamo=True,
            external_data=False,
        )
