"""Every option once: type, default, unit, doc. Docs, `fimble config`, package.json and LSP settings derive from here.

Reading files and environment variables is the callers' work (engine.settings); this module only resolves layers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast, get_type_hints

Scalar = str | int | float | bool
_T = TypeVar("_T")


def _option(default: _T, doc: str, *, choices: tuple[str, ...] = (), minimum: float | None = None) -> _T:
    value: Any = field(default=default, metadata={"doc": doc, "choices": choices, "minimum": minimum})
    return value


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Which weights answer, and how they are loaded."""

    id: str = _option("qwen2.5-coder-0.5b", "Model to complete with: an id of `fimble models list`, or a GGUF's path.")
    adapter: str = _option("", "Adapter to answer with: a name of `fimble models adapter list`, or a GGUF's path.")
    n_ctx: int = _option(8192, "Tokens the KV cache holds, all recently edited places together.", minimum=512)
    n_gpu_layers: int = _option(-1, "Layers put on the GPU; -1 puts all there. No effect with a CPU build.")
    n_threads: int = _option(0, "CPU threads for the model; 0 chooses from the cores.", minimum=0)


@dataclass(frozen=True, slots=True)
class HostOptions:
    """The model process, one for all of a user's editors."""

    linger_s: float = _option(300.0, "Seconds the model process stays after its last client has gone.", minimum=0)
    idle_unload_s: float = _option(1800.0, "Seconds without a request after which weights leave memory.", minimum=1)
    load_timeout_s: float = _option(180.0, "Seconds a model may take to load.", minimum=1)
    niceness: int = _option(
        2, "By how much the model process yields to other programs, the editor among them; 0 to 19.", minimum=0
    )
    memory_limit_mb: int = _option(0, "Address space the model process may take, in MiB; 0 sets no limit.", minimum=0)
    kv_disk_mb: int = _option(
        0,
        "MiB of the cache folder for what the model has read, your code among it, so that it need not read it again at"
        " its next start (256 is plenty); 0 keeps nothing on disk and deletes what is there.",
        minimum=0,
    )


@dataclass(frozen=True, slots=True)
class PromptOptions:
    """How much of the file and the workspace the model sees."""

    max_tokens: int = _option(1536, "Tokens a prompt may have.", minimum=64)
    prefix_lines: int = _option(96, "Lines above the cursor that the model sees.", minimum=1)
    suffix_lines: int = _option(32, "Lines below the cursor that the model sees.", minimum=0)
    chunk_tokens: int = _option(
        512, "Tokens of the prompt that code from elsewhere may take; at most half of max_tokens.", minimum=0
    )
    cold_budget_ms: int = _option(
        350, "Milliseconds an automatic completion may read before it writes; the rest is read in idle time.", minimum=1
    )
    layout: str = _option(
        "auto",
        "Order of the prompt: what the model family does best with, prefix first, or suffix first.",
        choices=("auto", "psm", "suffix_first"),
    )


@dataclass(frozen=True, slots=True)
class CompletionOptions:
    """What a completion may be."""

    enabled: bool = _option(True, "Whether fimble completes at all.")
    disabled_languages: str = _option("", "Language ids without completions, separated by commas.")
    lines: str = _option(
        "auto",
        "Length: one line, several, or several only where a block begins.",
        choices=("auto", "single", "multi"),
    )
    max_tokens: int = _option(96, "Tokens a completion may have.", minimum=1)
    invoked_max_tokens: int = _option(
        256, "The same for the first candidate of a completion that the user asked for by hand.", minimum=1
    )
    time_box_ms: int = _option(
        600,
        "Milliseconds after which an automatic completion stops and what is there counts; half of it is for writing"
        " however long reading took. Where nothing of it may be shown (within a bracket), as long again, at most 1 s.",
        minimum=1,
    )
    invoked_time_box_ms: int = _option(10_000, "The same for a completion that the user asked for by hand.", minimum=1)
    min_confidence: float = _option(
        0.2,
        "Confidence (0 to 1, from its tokens' probabilities) below which an automatic completion is not shown; 0 shows"
        " all.",
        minimum=0,
    )
    look_ahead: bool = _option(
        True, "Whether the next completion is written in idle time, as if the one on the screen had been accepted."
    )
    known_names: bool = _option(
        True,
        "Whether a name behind `.`, `->` or `::` is one that static analysis finds there, where the model thinks one"
        " of them possible.",
    )
    check_syntax: bool = _option(
        True,
        "Whether a completion that would break the file's syntax is held back or mended; off, the model's text is taken"
        " as it comes. Files of more than 400,000 characters are not judged.",
    )
    syntax_check_percent: int = _option(
        5,
        "Percent of a completion's time that checking it against the language's grammar, token by token, may take;"
        " 0 checks only where it ends.",
        minimum=0,
    )
    max_file_bytes: int = _option(20_000_000, "Files larger than this get no completions.", minimum=1)


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Fetching weights, and sending totals where you ask for it."""

    offline: bool = _option(False, "Fetch and send nothing; only weights already here are used.")
    connect_timeout_s: float = _option(8.0, "Seconds to wait for a server before the next source is tried.", minimum=1)


@dataclass(frozen=True, slots=True)
class TelemetryOptions:
    """What is counted about completions. All of it stays on this machine."""

    enabled: bool = _option(True, "Whether shown, accepted and kept completions are counted, on this machine only.")
    store_code: bool = _option(
        False, "Whether accepted code is kept too, keys and tokens taken out: to tune a model on one's own work."
    )
    retention_days: int = _option(365, "Days after which counts are deleted.", minimum=1)
    code_retention_days: int = _option(30, "Days after which kept code is deleted.", minimum=1)
    otlp_endpoint: str = _option(
        "", "OpenTelemetry collector that `fimble telemetry export --otlp` sends totals to; empty: none."
    )


@dataclass(frozen=True, slots=True)
class Config:
    """All options, resolved: every field has a value."""

    model: ModelOptions = field(default_factory=ModelOptions)
    host: HostOptions = field(default_factory=HostOptions)
    prompt: PromptOptions = field(default_factory=PromptOptions)
    completion: CompletionOptions = field(default_factory=CompletionOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    telemetry: TelemetryOptions = field(default_factory=TelemetryOptions)


@dataclass(frozen=True, slots=True)
class Option:
    """One option's declaration. `key` is `section.name`."""

    key: str
    type: type[Scalar]
    default: Scalar
    doc: str
    choices: tuple[str, ...]
    minimum: float | None

    @property
    def env_var(self) -> str:
        """The environment variable that sets it."""
        return "FIMBLE_" + self.key.replace(".", "_").upper()


@dataclass(frozen=True, slots=True)
class Section:
    """A group of options."""

    name: str
    doc: str
    options: tuple[Option, ...]


def sections() -> tuple[Section, ...]:
    """Every declared option, by section, in the order of declaration."""
    return tuple(_sections())


def options() -> dict[str, Option]:
    """Every declared option by key."""
    return {option.key: option for section in sections() for option in section.options}


@dataclass(frozen=True, slots=True)
class Problem:
    """A setting that was not used, and why. The rest of the settings stand."""

    source: str
    key: str
    reason: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.source}: {self.key}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings from one place; later layers win. `values` is flat (`section.name`) or nested, or both."""

    source: str
    values: Mapping[str, object]


def resolve(layers: Sequence[Layer]) -> tuple[Config, tuple[Problem, ...]]:
    """Lay settings over the defaults. A wrong one is left out and reported, never fatal."""
    known = options()
    chosen: dict[str, Scalar] = {}
    problems: list[Problem] = []
    for layer in layers:
        for key, raw in _flatten(layer.values):
            option = known.get(key)
            if option is None:
                problems.append(Problem(layer.source, key, "no such option"))
                continue
            try:
                chosen[key] = _coerce(option, raw)
            except ValueError as error:
                problems.append(Problem(layer.source, key, str(error)))
    parts: dict[str, Any] = {}
    for part in dataclasses.fields(Config):
        prefix = f"{part.name}."
        values = {key.removeprefix(prefix): value for key, value in chosen.items() if key.startswith(prefix)}
        part_type: Any = part.default_factory
        parts[part.name] = part_type(**values)
    return Config(**parts), tuple(problems)


def _sections() -> Iterator[Section]:
    for part in dataclasses.fields(Config):
        part_type: Any = part.default_factory
        hints = get_type_hints(part_type)
        yield Section(
            name=part.name,
            doc=(part_type.__doc__ or "").strip(),
            options=tuple(
                Option(
                    key=f"{part.name}.{item.name}",
                    type=hints[item.name],
                    default=cast("Scalar", item.default),
                    doc=item.metadata["doc"],
                    choices=item.metadata["choices"],
                    minimum=item.metadata["minimum"],
                )
                for item in dataclasses.fields(part_type)
            ),
        )


def _flatten(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten({str(k): v for k, v in value.items()}, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _coerce(option: Option, raw: object) -> Scalar:
    value = _parse(option, raw)
    if option.choices and value not in option.choices:
        raise ValueError(f"must be one of {', '.join(option.choices)}, not {raw!r}")
    if option.minimum is not None and not isinstance(value, str) and value < option.minimum:
        raise ValueError(f"must be at least {option.minimum:g}, not {raw!r}")
    return value


def _parse(option: Option, raw: object) -> Scalar:
    if option.type is bool:
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, str) and raw.strip().lower() in {"1", "true", "yes", "on"}:
            return True
        if isinstance(raw, str) and raw.strip().lower() in {"0", "false", "no", "off"}:
            return False
        raise ValueError(f"must be true or false, not {raw!r}")
    if option.type is str:
        if isinstance(raw, str):
            return raw
        raise ValueError(f"must be text, not {raw!r}")
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError(f"must be a number, not {raw!r}")
    try:
        number = float(raw)
    except ValueError:
        raise ValueError(f"must be a number, not {raw!r}") from None
    if option.type is float:
        return number
    if not number.is_integer():
        raise ValueError(f"must be a whole number, not {raw!r}")
    return int(number)
