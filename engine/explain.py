"""What the model sees at a cursor, part by part: where each came from, what it costs, whether it is in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fimble.core.flow import Chunk, Prompt, Segment, Stability


@dataclass(frozen=True, slots=True)
class Section:
    """Segments of one label, joined, with the markers that open them.

    `n_cached_tokens` of its `n_tokens` are in the model's cache; `chunk` is what it shows of another place.
    """

    label: str
    text: str
    n_tokens: int
    n_cached_tokens: int
    stability: Stability
    chunk: Chunk | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A whole prompt. `left_out` was found in the workspace, and there was no room for it."""

    n_tokens: int
    n_cached_tokens: int
    sections: tuple[Section, ...]
    left_out: tuple[Chunk, ...]


def explain(prompt: Prompt, chunks: Sequence[Chunk], n_cached_tokens: int) -> Explanation:
    """Explain a prompt whose first `n_cached_tokens` need no evaluation."""
    sections: list[Section] = []
    markers: list[Segment] = []
    begin = 0
    for segment in prompt.segments:
        if segment.is_marker:
            markers.append(segment)
            continue
        section = _section([*markers, segment], begin, n_cached_tokens, _chunk_of(segment, chunks))
        begin += section.n_tokens
        if sections and sections[-1].label == section.label and not markers:
            section = _joined(sections.pop(), section)
        markers = []
        sections.append(section)
    if markers:
        sections.append(_section(markers, begin, n_cached_tokens, None, label="markers"))
    shown = {id(section.chunk) for section in sections}
    left_out = tuple(chunk for chunk in chunks if id(chunk) not in shown)
    return Explanation(prompt.n_tokens, min(n_cached_tokens, prompt.n_tokens), tuple(sections), left_out)


def as_fields(explanation: Explanation) -> dict[str, object]:
    """For JSON."""
    return {
        "n_tokens": explanation.n_tokens,
        "n_cached_tokens": explanation.n_cached_tokens,
        "sections": [
            {
                "label": section.label,
                "source": section.chunk.source if section.chunk else None,
                "score": round(section.chunk.score, 3) if section.chunk else None,
                "n_tokens": section.n_tokens,
                "n_cached_tokens": section.n_cached_tokens,
                "stability": section.stability,
                "text": section.text,
            }
            for section in explanation.sections
        ],
        "left_out": [
            {"path": chunk.path, "source": chunk.source, "score": round(chunk.score, 3)}
            for chunk in explanation.left_out
        ],
    }


def as_markdown(explanation: Explanation) -> str:
    """For an editor: a table of the parts, then their texts."""
    cached = f"{explanation.n_cached_tokens} of them in the cache"
    lines = [f"# What fimble's model sees here: {explanation.n_tokens} tokens, {cached}", ""]
    lines += ["| tokens | cached | part | found by |", "|---:|---:|---|---|"]
    for section in explanation.sections:
        found_by = f"{section.chunk.source} ({section.chunk.score:.2f})" if section.chunk else ""
        label = section.label.removeprefix("chunk ").replace("|", "\\|")
        lines.append(f"| {section.n_tokens} | {section.n_cached_tokens} | {label} | {found_by} |")
    if explanation.left_out:
        lines += ["", f"Found, and no room for it: {', '.join(chunk.path for chunk in explanation.left_out)}."]
    for section in explanation.sections:
        fence = "`" * max(3, _longest_run(section.text) + 1)
        lines += ["", f"## {section.label.removeprefix('chunk ')}", "", fence, section.text.rstrip("\n"), fence]
    return "\n".join(lines) + "\n"


def _section(
    segments: Sequence[Segment], begin: int, n_cached: int, chunk: Chunk | None, *, label: str | None = None
) -> Section:
    n_tokens = sum(segment.n_tokens for segment in segments)
    return Section(
        label=label or segments[-1].label,
        text="".join(segment.text for segment in segments),
        n_tokens=n_tokens,
        n_cached_tokens=max(0, min(n_cached - begin, n_tokens)),
        stability=segments[-1].stability,
        chunk=chunk,
    )


def _joined(first: Section, second: Section) -> Section:
    return Section(
        first.label,
        first.text + second.text,
        first.n_tokens + second.n_tokens,
        first.n_cached_tokens + second.n_cached_tokens,
        second.stability,
        first.chunk,
    )


def _chunk_of(segment: Segment, chunks: Sequence[Chunk]) -> Chunk | None:
    """The chunk that a segment shows, of which the end may have been cut off."""
    body = segment.text.partition("\n")[2].rstrip()  # below the line with the path
    for chunk in chunks:
        if segment.label == chunk.label and chunk.text.replace("\r\n", "\n").startswith(body):
            return chunk
    return None


def _longest_run(text: str) -> int:
    longest = run = 0
    for char in text:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    return longest
