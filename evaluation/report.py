"""Shows runs and comparisons as tables in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from fimble.evaluation.metrics import METRICS
from fimble.evaluation.statistics import Estimate
from fimble.evaluation.summary import ALL_LANGUAGES, Comparison, Row

_MAIN_METRICS = (
    "em", "em_first_line", "em_qwen", "em_cceval", "es", "parse_ok", "adds_error", "overlap", "pass_at_1", "empty",
)  # fmt: skip
_FILE_COLUMNS = 200


def open_console() -> Console:
    """Standard output; wide enough for the tables where it is not a terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_FILE_COLUMNS)


def show_rows(rows: Sequence[Row], console: Console) -> None:
    """For each set: the whole and its parts with every metric, then the languages with the main ones."""
    for set_name in dict.fromkeys(row.set_name for row in rows):
        of_set = [row for row in rows if row.set_name == set_name]
        _show_set(set_name, [row for row in of_set if row.language == ALL_LANGUAGES], console)
        _show_languages([row for row in of_set if row.language != ALL_LANGUAGES], console)
        whole = of_set[0]
        for title, counts in (
            ("no answer", whole.rejections),
            ("stopped by", whole.stop_reasons),
            ("tests not run", whole.tests_not_run),
        ):
            if counts:
                console.print(f"  {title}: {counted(counts)}", highlight=False, soft_wrap=True)


def _show_set(set_name: str, rows: Sequence[Row], console: Console) -> None:
    table = Table(title=set_name, title_justify="left")
    table.add_column("")
    for row in rows:
        table.add_column(f"{row.part}\nn={row.n}", justify="right", no_wrap=True)
    for metric in METRICS:
        if any(metric.name in row.metrics for row in rows):
            table.add_row(metric.name, *(interval(row.metrics.get(metric.name)) for row in rows))
    table.add_section()
    table.add_row("asked first: cost is of these", *(str(row.n_asked_first) for row in rows))
    table.add_row("prompt tokens", *(_plain(row.n_prompt_tokens) for row in rows))
    table.add_row("evaluated tokens", *(_plain(row.n_evaluated_tokens) for row in rows))
    table.add_row("written tokens", *(_plain(row.n_generated_tokens) for row in rows))
    table.add_row("ms, median", *(_plain(row.wall_ms) for row in rows))
    table.add_row("ms, p90", *("" if row.wall_ms_p90 is None else f"{row.wall_ms_p90:.0f}" for row in rows))
    table.add_row("syntax checks, % of writing, median", *(_plain(row.constraint_percent, ".1f") for row in rows))
    table.add_row("pieces that syntax refused", *(str(row.n_refused_pieces) for row in rows))
    console.print(table)


def _show_languages(rows: Sequence[Row], console: Console) -> None:
    if not rows:
        return
    table = Table()
    shown = [name for name in _MAIN_METRICS if any(name in row.metrics for row in rows)]
    for heading in ("language", "n", *shown):
        table.add_column(heading, justify="left" if heading == "language" else "right", no_wrap=True)
    for row in rows:
        table.add_row(row.language, str(row.n), *(interval(row.metrics.get(name)) for name in shown))
    console.print(table)


def show_comparison(compared: Sequence[Comparison], console: Console, other: str = "the earlier run") -> None:
    """This run against `other`, record by record."""
    table = Table(title=f"against {other}, paired by record", title_justify="left")
    for heading in ("set", "part", "metric", "this", "other", "difference", "higher", "lower", "p", "n"):
        table.add_column(heading, justify="left" if heading in ("set", "part", "metric") else "right")
    for line in compared:
        difference = line.paired.difference
        table.add_row(
            line.set_name,
            line.part,
            line.metric,
            f"{line.new:.3f}",
            f"{line.old:.3f}",
            f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]",
            str(line.paired.n_better),
            str(line.paired.n_worse),
            f"{line.paired.p_value:.3g}",
            str(difference.n),
        )
    console.print(table)


def interval(estimate: Estimate | None) -> str:
    """Value and 95% interval; n only where a table cannot say it once."""
    return "" if estimate is None else f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def counted(counts: Mapping[str, int]) -> str:
    """Names with their counts, most frequent first."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _plain(estimate: Estimate | None, form: str = ".0f") -> str:
    return "" if estimate is None else f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"
