"""What the figures of a report show; each function draws on the axes that it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stance.evaluation.figures import COLOURS, DASHES, INK, LINE, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST_NAME = 24
Points = Sequence[Mapping[str, float]]


def confusion(
    axes: Axes, counts: Sequence[Sequence[int]], rows: Sequence[str], columns: Sequence[str]
) -> None:
    """Counts as a matrix; each cell is as dark as its share of its row.

    Args:
        axes: Where to draw.
        counts: One list per labelled class, with a count for each predicted one.
        rows: Names of the labelled classes.
        columns: Names of the predicted classes.
    """
    shares = [[count / max(1, sum(line)) for count in line] for line in counts]
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=3)
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            share = shares[row][column]
            axes.text(
                column + 0.5,
                row + 0.5,
                f"{count:,}\n{share:.0%}".replace("%", " %"),
                ha="center",
                va="center",
                color="white" if share > 0.55 else INK,
            )
    axes.set_xticks([at + 0.5 for at in range(len(columns))], [short(name) for name in columns])
    axes.set_yticks(
        [at + 0.5 for at in range(len(rows))],
        [short(name, 14) for name in rows],
        rotation=90,
        va="center",
    )
    axes.set(xlabel="predicted", ylabel="labelled")
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def precision_recall(
    axes: Axes,
    curves: Mapping[str, Points],
    chosen: Mapping[str, tuple[float | None, float | None]],
) -> None:
    """Precision against recall per topic, with a mark where the model's threshold lies.

    Args:
        axes: Where to draw.
        curves: By topic, points with `precision` and `recall`.
        chosen: By topic, precision and recall at the threshold; None where undefined.
    """
    for place, (topic, points) in enumerate(curves.items()):
        if not points:
            continue
        colour = COLOURS[place % len(COLOURS)]
        recall = [0.0, *(point["recall"] for point in points)]
        precision = [points[0]["precision"], *(point["precision"] for point in points)]
        dash = DASHES[place % len(DASHES)]
        axes.plot(recall, precision, dash, color=colour, label=short(topic))
        height, place_across = chosen[topic]
        if height is not None and place_across is not None:
            axes.plot(
                [place_across],
                [height],
                "o",
                color=colour,
                markeredgecolor="white",
                markersize=8,
                zorder=3,
            )
    _unit(axes, "recall", "precision")
    axes.legend(loc="lower left")


def reliability(axes: Axes, bins: Points) -> None:
    """How often predictions of a probability came true, with the diagonal of a perfect model.

    Args:
        axes: Where to draw.
        bins: With `predicted`, `observed` and `count`.
    """
    axes.plot([0, 1], [0, 1], "--", color=MUTED, linewidth=1, label="perfect")
    most = max((item["count"] for item in bins), default=1)
    axes.scatter(
        [item["predicted"] for item in bins],
        [item["observed"] for item in bins],
        s=[12 + 160 * item["count"] / most for item in bins],
        color=COLOURS[0],
        edgecolors="white",
        zorder=3,
        label="observed; larger: more",
    )
    _unit(axes, "mean predicted probability", "share that came true")
    axes.legend(loc="upper left")


def risk_coverage(
    axes: Axes,
    points: Points,
    *,
    reached: tuple[float | None, float | None],
    promised: float | None,
) -> None:
    """Error of the most confident stances against how many of all these are.

    Args:
        axes: Where to draw.
        points: With `coverage` and `error`.
        reached: Coverage and error of the stances that are not marked uncertain.
        promised: The error that the model promised for these; None if it promised none.
    """
    coverage, error = [[point[name] for point in points] for name in ("coverage", "error")]
    axes.plot(coverage, error, color=COLOURS[0], label="error of the most confident")
    if promised is not None:
        axes.axhline(promised, color=COLOURS[1], linestyle="--", label="promised at most")
    kept, wrong = reached
    if kept is not None and wrong is not None:
        axes.plot(
            [kept],
            [wrong],
            "o",
            color=COLOURS[1],
            markeredgecolor="white",
            markersize=9,
            label="reached, not marked uncertain",
        )
    highest = max([*error, promised or 0, wrong or 0])
    axes.set(xlim=(0, 1.02), ylim=(0, max(0.05, highest) * 1.55))
    axes.set(xlabel="coverage: share of stances kept", ylabel="error")
    axes.legend(loc="upper left")


def histogram(axes: Axes, counts: Mapping[str, Sequence[int]], *, threshold: float | None) -> None:
    """Probabilities of texts that carry a topic and of those that do not, counts on a log scale.

    Args:
        axes: Where to draw.
        counts: `with` and `without`, in bins of equal width over [0, 1].
        threshold: From which on the topic is found; None if unknown.
    """
    width = 1 / len(counts["with"])
    places = [(at + 0.5) * width for at in range(len(counts["with"]))]
    axes.bar(places, counts["without"], width, color=LINE, edgecolor="white", label="without")
    axes.bar(
        places,
        counts["with"],
        width * 0.55,
        color=COLOURS[0],
        edgecolor="white",
        label="with the topic",
    )
    axes.set_yscale("symlog", linthresh=1)
    top = max(1, *counts["with"], *counts["without"])
    ticks = [0, *(10**power for power in range(len(str(top))))]
    axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set(xlim=(0, 1), ylim=(0, top * 8), xlabel="probability of the topic", ylabel="texts")
    if threshold is not None:
        # Not up to the legend.
        axes.plot([threshold] * 2, [0, top * 1.5], "--", color=COLOURS[1], label="threshold")
    axes.legend(loc="upper center", ncols=3, columnspacing=1.0, handlelength=1.4)


def learning_curve(axes: Axes, history: Points) -> None:
    """Validation scores after each epoch.

    Args:
        axes: Where to draw.
        history: With `epoch` and one score per further key.
    """
    names = [name for name in history[0] if name != "epoch"]
    epochs = [row.get("epoch", place + 1) for place, row in enumerate(history)]
    for place, name in enumerate(names):
        axes.plot(
            epochs,
            [row.get(name, float("nan")) for row in history],
            DASHES[place % len(DASHES)],
            color=COLOURS[place % len(COLOURS)],
            marker="o",
            markersize=4,
            label=short(_SCORE_NAMES.get(name, name.replace("_", " "))),
        )
    axes.set_xticks(epochs if len(epochs) <= 12 else epochs[:: len(epochs) // 6])
    axes.set(xlabel="epoch", ylabel="validation score")
    axes.legend(loc="best")


_SCORE_NAMES = {
    "topic_f1": "topics macro F1",
    "topic_ap": "topics average precision",
    "stance_f1": "stance macro F1",
    "stance_accuracy": "stance accuracy",
    "joint_f1": "joint F1",
}


def short(name: Any, longest: int = _LONGEST_NAME) -> str:
    """A name that fits beside an axis."""
    words = " ".join(str(name).split())
    return words if len(words) <= longest else words[: longest - 1] + "…"


def _unit(axes: Axes, across: str, up: str) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05), xlabel=across, ylabel=up)
