"""An audit into its folder: everything as JSON, and the texts to look at for annotation tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stance.audit.exchange import (
    argilla_dataset,
    argilla_records,
    argilla_settings,
    label_studio_config,
    label_studio_tasks,
)
from stance.audit.report import Audit
from stance.files import write_texts


def write_audit(audit: Audit, folder: str | Path) -> tuple[Path, ...]:
    """Write `audit.json`, `label-studio/` and `argilla/`, each file whole or not at all.

    Args:
        audit: What to write.
        folder: Where to; made if need be.

    Returns:
        The files.

    Raises:
        StanceError: If they cannot be written.
    """
    folder = Path(folder)
    texts = {
        folder / "audit.json": _json(audit.to_dict()),
        folder / "label-studio" / "config.xml": label_studio_config(audit.schema),
        folder / "label-studio" / "tasks.json": _json(label_studio_tasks(audit)),
        # The names that Argilla's Dataset.from_disk looks for.
        folder / "argilla" / ".argilla" / "settings.json": _json(argilla_settings(audit.schema)),
        folder / "argilla" / ".argilla" / "dataset.json": _json(argilla_dataset("stance-audit")),
        folder / "argilla" / "records.json": _json(argilla_records(audit)),
    }
    write_texts(texts)
    return tuple(texts)


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
