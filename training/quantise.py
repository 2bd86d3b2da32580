"""Float ONNX to the runtime's graph: OpenVINO, encoder in int8, heads in float."""

from __future__ import annotations

import contextlib
import io
import logging
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stance.encoding import ArticleEncoder, Window
from stance.session import GRAPH, INPUTS, WEIGHTS, load_engine

HEADS = 4
"""Linear maps that read the encoder's last states, see `training.network.LensHeads`."""


def write_graph(
    onnx: Path,
    folder: Path,
    encoder: ArticleEncoder,
    calibration: Sequence[Window],
) -> None:
    """Quantise and write the graph.

    Args:
        onnx: The float graph.
        folder: Gets `model.xml` and `model.bin`.
        encoder: Makes the batches.
        calibration: Windows of the training data, from which the ranges of activations are read
            (static quantisation: the same ranges for every text, so that no text's scores depend
            on its batch).
    """
    # First, since nncf too reports its use through the telemetry that this keeps out.
    ov = load_engine()
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    model = ov.Core().read_model(onnx)
    # It draws bars on standard output, which belongs to data.
    with contextlib.redirect_stdout(io.StringIO()):
        quantised = nncf.quantize(
            model,
            nncf.Dataset([_inputs(encoder, window) for window in calibration]),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(calibration),
            ignored_scope=nncf.IgnoredScope(names=head_nodes(model)),
        )
    ov.save_model(quantised, folder / GRAPH, compress_to_fp16=True)
    if not (folder / WEIGHTS).is_file():
        raise RuntimeError(f"OpenVINO wrote no {WEIGHTS} beside {GRAPH}")


def head_nodes(model: Any) -> list[str]:
    """Names of the nodes between the encoder's last states and the output.

    They are found from the output backwards, up to the node that feeds all heads: names differ
    between exporters, the shape of the graph does not.
    """
    queue = deque([model.outputs[0].get_node()])
    seen: dict[str, Any] = {}
    while queue:
        node = queue.popleft()
        name = node.get_friendly_name()
        readers = sum(
            target.get_node().get_type_name() == "MatMul"
            for output in node.outputs()
            for target in output.get_target_inputs()
        )
        if name in seen or readers >= HEADS:
            continue
        seen[name] = node
        queue.extend(value.get_node() for value in node.input_values())
    skipped = {"Result", "Constant", "Parameter"}
    return [name for name, node in seen.items() if node.get_type_name() not in skipped]


def _inputs(encoder: ArticleEncoder, window: Window) -> dict[str, np.ndarray[Any, Any]]:
    batch = encoder.batch([window])
    return dict(zip(INPUTS, (batch.input_ids, batch.attention_mask), strict=True))
