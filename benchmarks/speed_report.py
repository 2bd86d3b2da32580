"""Figures of speed and memory as tables and as a picture."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.runs import markdown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LOAD = 0.5
"""A load average above it says that other programs ran."""
OURS = "stance"
"""Contenders whose names begin so are drawn in a colour of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contender on one set of texts, in a process of its own.

    Attributes:
        contender: Its name for readers.
        texts: How many.
        tokens: Of all texts, whole, special tokens not counted.
        tokens_read: Those that were not cut off.
        run_seconds: Of each run over all texts.
        load_seconds: From the start of the interpreter's work to a model that answers, imports
            included; None where the runs include it.
        peak_megabytes: Largest resident memory of the process, 10^6 bytes; None if nobody tells.
    """

    contender: str
    texts: int
    tokens: int
    tokens_read: int
    run_seconds: tuple[float, ...]
    load_seconds: float | None = None
    peak_megabytes: float | None = None

    @property
    def seconds(self) -> float:
        """Median of the runs."""
        return statistics.median(self.run_seconds)

    @property
    def texts_per_second(self) -> float:
        """Whole texts given, however much of them is read."""
        return self.texts / self.seconds

    @property
    def tokens_per_second(self) -> float:
        """Tokens read."""
        return self.tokens_read / self.seconds

    @property
    def microseconds_per_token(self) -> float:
        """Of the tokens read."""
        return 1e6 * self.seconds / self.tokens_read


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A command that loads a model and predicts one sentence, from the shell to its end."""

    contender: str
    run_seconds: tuple[float, ...]
    peak_megabytes: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One large int8 product of two matrices: (m, k) and (k, n)."""

    size: tuple[int, int, int]
    kernel: str
    operations_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All that one run of the benchmark measured; parts that it left out are empty.

    Attributes:
        machine: Names and values that say where and when.
        load_average: Of the machine at the start; above `MOST_LOAD` the report warns.
        articles: On whole articles.
        headlines: On headlines.
        starts: Cold starts.
        lengths: stance by the number of words of each text.
        memory: `stance predict` on ever more articles.
        products: int8 products, for the processor's peak.
        operations_per_token: int8 operations that the encoder's linear layers need for a token.
        versions: By environment, what is installed in it.
        named: By environment, the distributions that the report names.
    """

    machine: Mapping[str, str]
    load_average: float
    articles: tuple[Row, ...] = ()
    headlines: tuple[Row, ...] = ()
    starts: tuple[Start, ...] = ()
    lengths: Mapping[int, Row] = field(default_factory=dict)
    memory: tuple[Row, ...] = ()
    products: tuple[Product, ...] = ()
    operations_per_token: int = 0
    versions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    named: Mapping[str, Sequence[str]] = field(default_factory=dict)


def operations_per_token(encoder: Mapping[str, Any]) -> int:
    """Operations of a BERT encoder's linear layers for a token; a product and a sum are two.

    Attention between tokens is left out, since it is not computed in int8.

    Args:
        encoder: Its configuration, as transformers writes it.
    """
    hidden, inner = encoder["hidden_size"], encoder["intermediate_size"]
    return int(2 * encoder["num_hidden_layers"] * (4 * hidden * hidden + 2 * hidden * inner))


def peak_share(
    tokens_per_second: float, operations_per_token: int, products: Sequence[Product]
) -> float:
    """Share of the fastest product's operations a second that go into tokens of the texts."""
    best = max(product.operations_per_second for product in products)
    return tokens_per_second * operations_per_token / best


def report(results: Results) -> str:
    """The report in Markdown."""
    return "\n\n".join(_blocks(results)) + "\n"


def _blocks(results: Results) -> Iterator[str]:
    yield "# Prediction speed, side by side"
    yield "\n".join(f"- {name}: {value}" for name, value in results.machine.items())
    if results.load_average > MOST_LOAD:
        yield (
            f"**Other programs ran beside this** (load average {results.load_average:.1f} at the "
            "start): do not compare these figures with others."
        )
    yield f"![Speed of each contender, and cost per token by length]({PICTURE})"
    for title, rows in (("Whole articles", results.articles), ("Headlines", results.headlines)):
        if rows:
            yield f"## {title}"
            first = rows[0]
            yield f"{first.texts:,} texts of {first.tokens / first.texts:.0f} tokens in the mean."
            yield speed_table(rows)
    if results.starts:
        yield "## Cold start"
        yield "From the shell to the end of the process, one sentence; files are in the cache."
        yield start_table(results.starts)
    if results.lengths:
        yield "## Cost by length of the text"
        yield length_table(results.lengths)
    if results.memory:
        yield "## Memory by number of articles"
        yield "`stance predict --in FILE --out FILE` on headlines, start included."
        yield memory_table(results.memory)
    if results.products:
        yield "## Share of the processor's int8 peak"
        yield product_table(results.products)
        yield from _share(results)
    if results.versions:
        yield "## Versions"
        yield "\n".join(f"- {line}" for line in version_lines(results))


def _share(results: Results) -> Iterator[str]:
    ours = next((row for row in results.articles if row.contender == OURS), None)
    if ours is None:
        return
    share = peak_share(ours.tokens_per_second, results.operations_per_token, results.products)
    yield (
        f"The encoder's linear layers need {results.operations_per_token / 1e6:.1f} million int8 "
        f"operations a token. At {ours.tokens_per_second:,.0f} tokens/s on whole articles stance "
        f"spends {100 * share:.0f} % of the fastest product's operations a second on them."
    )


def speed_table(rows: Sequence[Row]) -> str:
    """A line per contender."""
    heads = (
        "contender",
        "tokens read of a text",
        "texts/s",
        "tokens/s",
        "s of each run",
        "load, s",
        "peak memory, MB",
    )
    return _table(
        heads,
        (
            (
                row.contender,
                f"{row.tokens_read / row.texts:.0f}",
                _rate(row.texts_per_second),
                f"{row.tokens_per_second:,.0f}",
                _seconds(row.run_seconds),
                "in the runs" if row.load_seconds is None else f"{row.load_seconds:.2f}",
                _megabytes(row.peak_megabytes),
            )
            for row in rows
        ),
    )


def start_table(starts: Sequence[Start]) -> str:
    """A line per command."""
    heads = ("command", "s, median", "s of each run", "peak memory, MB")
    return _table(
        heads,
        (
            (
                start.contender,
                f"{statistics.median(start.run_seconds):.2f}",
                _seconds(start.run_seconds),
                _megabytes(start.peak_megabytes),
            )
            for start in starts
        ),
    )


def length_table(lengths: Mapping[int, Row]) -> str:
    """A line per number of words."""
    heads = ("words of a text", "texts", "tokens", "µs a token", "tokens/s", "peak memory, MB")
    return _table(
        heads,
        (
            (
                f"{words:,}",
                f"{row.texts:,}",
                f"{row.tokens:,}",
                f"{row.microseconds_per_token:.1f}",
                f"{row.tokens_per_second:,.0f}",
                _megabytes(row.peak_megabytes),
            )
            for words, row in sorted(lengths.items())
        ),
    )


def memory_table(rows: Sequence[Row]) -> str:
    """A line per number of articles."""
    heads = ("articles", "peak memory, MB", "s")
    return _table(
        heads,
        ((f"{row.texts:,}", _megabytes(row.peak_megabytes), f"{row.seconds:.1f}") for row in rows),
    )


def product_table(products: Sequence[Product]) -> str:
    """A line per product."""
    heads = ("product", "kernel", "10^12 operations/s")
    return _table(
        heads,
        (
            (
                " x ".join(f"{side:,}" for side in product.size),
                product.kernel,
                f"{product.operations_per_second / 1e12:.2f}",
            )
            for product in products
        ),
    )


def version_lines(results: Results) -> Iterator[str]:
    """An environment a line: `setfit: setfit 1.2.0, torch 2.13.0`."""
    for name, versions in results.versions.items():
        wanted = [item for item in results.named.get(name, ()) if item in versions]
        yield f"{name}: {', '.join(f'{item} {versions[item]}' for item in wanted)}"


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table, all but the first column to the right."""
    return markdown([heads, ["---", *(["---:"] * (len(heads) - 1))], *lines])


def _rate(value: float) -> str:
    return f"{value:,.1f}" if value < 1_000 else f"{value:,.0f}"


def _seconds(runs: Sequence[float]) -> str:
    return ", ".join(f"{run:.3f}" if run < 1 else f"{run:.2f}" for run in runs)


def _megabytes(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


PICTURE = "speed.svg"


def draw(results: Results, paths: Sequence[Path]) -> None:
    """Draw what was measured of whole articles and of lengths, side by side.

    Args:
        results: With one of the two at least.
        paths: Files to write; their endings say how.
    """
    import matplotlib
    from matplotlib.figure import Figure

    from stance.evaluation.figures import INK, LINE, MUTED

    panels = [
        panel
        for panel, there in ((_draw_articles, results.articles), (_draw_lengths, results.lengths))
        if there
    ]
    style: Any = {
        "axes.axisbelow": True,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "grid.color": LINE,
        "svg.hashsalt": "speed",
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(max(9.0, 5.6 * len(panels)), 4.8), layout="constrained")
        for number, panel in enumerate(panels, start=1):
            panel(figure.add_subplot(1, len(panels), number), results)
        figure.supxlabel(_caption(results), fontsize=8, color=MUTED)
        for path in paths:
            figure.savefig(path, dpi=150, facecolor="white")


def _draw_articles(axes: Axes, results: Results) -> None:
    from stance.evaluation.figures import COLOURS

    rows = sorted(results.articles, key=lambda row: row.texts_per_second)
    colours = [COLOURS[0] if row.contender.startswith(OURS) else COLOURS[4] for row in rows]
    bars = axes.barh(
        [row.contender for row in rows], [row.texts_per_second for row in rows], color=colours
    )
    labels = [
        f" {_rate(row.texts_per_second)}\n reads {100 * row.tokens_read / row.tokens:.0f} %"
        for row in rows
    ]
    axes.bar_label(bars, labels, fontsize=9)
    # The slowest and the fastest are far apart; a linear axis would show one bar.
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlim(rows[0].texts_per_second / 4, rows[-1].texts_per_second * 4)
    axes.tick_params(axis="y", length=0, labelcolor="black")
    axes.set_title(f"Whole articles ({rows[0].tokens / rows[0].texts:.0f} tokens) per second")
    axes.set_xlabel("articles/s, logarithmic")


def _draw_lengths(axes: Axes, results: Results) -> None:
    from stance.evaluation.figures import COLOURS

    words = sorted(results.lengths)
    cost = [results.lengths[number].microseconds_per_token for number in words]
    axes.plot(words, cost, color=COLOURS[0], marker="o")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_ylim(0, 1.15 * max(cost))
    axes.grid(axis="y")
    axes.set_title("stance: cost of a token by length of the text")
    axes.set_xlabel("words of a text, logarithmic")
    axes.set_ylabel("µs a token")


def _caption(results: Results) -> str:
    facts = [f"{name}: {value}" for name, value in results.machine.items()]
    if results.load_average > MOST_LOAD:
        facts.append(f"beside other programs (load average {results.load_average:.1f})")
    lines = ["; ".join(facts[:2]), "; ".join(facts[2:]), *version_lines(results)]
    return "\n".join(filter(None, lines))
