"""stance with its plain ONNX graph in ONNX Runtime; all but the engine is stance's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.workers import contender
from benchmarks.workers.stance import Stance

GRAPH = "model.onnx"


class _Session:
    """Runs the exported graph where stance would run its own."""

    def __init__(self, graph: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"]
        )

    def run(self, batch: Any) -> Any:
        """As `stance.session.Session.run`."""
        feeds = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        return self._session.run(None, feeds)[0][batch.content_mask]


def load(model: Path | None, threads: int) -> Stance:
    """Load the released model with the graph of an export's folder."""
    import stance.session

    if model is None:
        raise SystemExit("--model: expected the folder of an ONNX export")
    graph = model / GRAPH
    # The scorer takes its session by this name when it is made.
    stance.session.Session = lambda *_, **__: _Session(graph, threads)  # type: ignore[assignment,misc]
    return Stance(None, threads)


if __name__ == "__main__":
    sys.exit(contender.main(load))
