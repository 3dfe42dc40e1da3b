"""Fill-in-the-middle formats: one record per model family, and which record a model gets.

A fact about a family stands once, in its record; marker lists, stops and cleaning derive from it. Knows nothing of
budgets, windows or token ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from fimble.core.errors import ModelUnsuitableError
from fimble.core.flow import ModelInfo


class Layout(StrEnum):
    """Order of a prompt. The values are those of the option `prompt.layout`."""

    PSM = "psm"  # prefix, suffix, middle
    SUFFIX_FIRST = "suffix_first"  # suffix, then prefix, which the middle continues: typing only appends tokens


class Slot(StrEnum):
    """A place in a template; markers are named as llama.cpp names them."""

    PRE = "pre"
    SUF = "suf"
    MID = "mid"
    CHUNKS = "chunks"
    PREFIX = "prefix"
    SUFFIX = "suffix"


class Joint(StrEnum):
    """Where text may be cut before its last line so that both parts, tokenized alone, give the tokens of the whole.

    The pre-tokenizer of the vocabulary decides. Qwen2's ends a piece after a run of line ends, so the last line's
    indentation is a piece of its own; GPT-2's binds line ends and the indentation that follows into one piece.
    """

    AFTER_LINE_END = "after_line_end"
    BEFORE_BLANKS = "before_blanks"


Template = tuple[Slot, ...]

# Chunks stand before everything that the cursor moves. Without markers for files they are ordinary text, and that
# belongs inside the prefix where nothing less stable precedes it.
_PSM: Template = (Slot.CHUNKS, Slot.PRE, Slot.PREFIX, Slot.SUF, Slot.SUFFIX, Slot.MID)
_PSM_CHUNKS_INSIDE: Template = (Slot.PRE, Slot.CHUNKS, Slot.PREFIX, Slot.SUF, Slot.SUFFIX, Slot.MID)
# The second SPM form of "Efficient Training of Language Models to Fill in the Middle" (arXiv 2207.14255, section 3).
_SUFFIX_FIRST: Template = (Slot.CHUNKS, Slot.PRE, Slot.SUF, Slot.SUFFIX, Slot.MID, Slot.PREFIX)


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How a family was shown several files of a repository in one text; `repo_marker` is empty where it has none."""

    file_marker: str
    repo_marker: str = ""
    after_repo_name: str = "\n"
    path_in_prefix: bool = False  # the edited file's path follows the prefix marker, not the file marker


@dataclass(frozen=True, slots=True)
class Family:
    """How one family of models wants to be asked.

    `pattern` matches its models' names and file names, lower case; `architectures` are llama.cpp's names of those that
    no other family with the same markers has. `files` is None where the family has no format for several files: path
    comments stand in. `begin_marker` opens every prompt of families that were trained so. `stop_markers` end a
    completion beside the markers of the prompt itself.
    """

    name: str
    pattern: str
    prefix_marker: str
    suffix_marker: str
    middle_marker: str
    layouts: Mapping[Layout, Template]
    default_layout: Layout
    stop_markers: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    begin_marker: str = ""
    files: FileFormat | None = None
    joint: Joint = Joint.AFTER_LINE_END
    has_space_prefix: bool = False  # SentencePiece vocabulary that puts a blank before each text it tokenizes

    def marker(self, slot: Slot) -> str:
        """The marker of a slot; empty for a slot of text and for a marker that the family lacks."""
        return {Slot.PRE: self.prefix_marker, Slot.SUF: self.suffix_marker, Slot.MID: self.middle_marker}.get(slot, "")

    @property
    def prompt_markers(self) -> tuple[str, ...]:
        """Every marker that may stand in a prompt."""
        files = (self.files.repo_marker, self.files.file_marker) if self.files else ()
        candidates = (self.begin_marker, self.prefix_marker, self.suffix_marker, self.middle_marker, *files)
        return tuple(marker for marker in candidates if marker)

    @property
    def all_markers(self) -> tuple[str, ...]:
        """Markers of the prompt, then those that only end an answer; none twice."""
        return tuple(dict.fromkeys((*self.prompt_markers, *self.stop_markers)))

    def choose_layout(self, wanted: str) -> Layout:
        """The layout for the option `prompt.layout`; the default for `auto`, and where the family lacks the wanted."""
        return next((layout for layout in self.layouts if layout.value == wanted), self.default_layout)


# Proved on the families' own vocabularies (tests/context/prompt): qwen2.5-coder, starcoder2, deepseek-coder, refact.
# The others follow what their publishers document; a marker that a vocabulary lacks is refused with its name.
_BIGCODE_STOPS = ("<|endoftext|>", "<fim_pad>")

FAMILIES: tuple[Family, ...] = (
    Family(
        name="qwen2.5-coder",
        # Qwen3-Coder keeps the format.
        pattern=r"qwen[\d.]*[-_ ]?coder",
        prefix_marker="<|fim_prefix|>",
        suffix_marker="<|fim_suffix|>",
        middle_marker="<|fim_middle|>",
        architectures=("qwen2", "qwen2moe", "qwen3moe"),
        files=FileFormat(repo_marker="<|repo_name|>", file_marker="<|file_sep|>"),
        stop_markers=("<|endoftext|>", "<|fim_pad|>", "<|im_start|>", "<|im_end|>"),
        layouts={Layout.PSM: _PSM, Layout.SUFFIX_FIRST: _SUFFIX_FIRST},
        # Measured on the 0.5B instruct: 0.68 exact first lines against 0.48, and typing only appends tokens.
        default_layout=Layout.SUFFIX_FIRST,
    ),
    Family(
        name="starcoder2",
        pattern=r"starcoder[-_ ]?2",
        prefix_marker="<fim_prefix>",
        suffix_marker="<fim_suffix>",
        middle_marker="<fim_middle>",
        architectures=("starcoder2",),
        # arXiv 2402.19173, section 5: <repo_name>NAME<file_sep>PATH\nTEXT<file_sep><fim_prefix>PATH\nPREFIX...
        files=FileFormat(repo_marker="<repo_name>", file_marker="<file_sep>", after_repo_name="", path_in_prefix=True),
        stop_markers=_BIGCODE_STOPS,
        layouts={Layout.PSM: _PSM, Layout.SUFFIX_FIRST: _SUFFIX_FIRST},
        default_layout=Layout.PSM,
        joint=Joint.BEFORE_BLANKS,
    ),
    Family(
        name="starcoder",
        pattern=r"starcoder|stable[-_ ]?code",
        architectures=("starcoder",),
        prefix_marker="<fim_prefix>",
        suffix_marker="<fim_suffix>",
        middle_marker="<fim_middle>",
        stop_markers=(*_BIGCODE_STOPS, "<reponame>", "<filename>", "<gh_stars>"),
        layouts={Layout.PSM: _PSM_CHUNKS_INSIDE, Layout.SUFFIX_FIRST: _SUFFIX_FIRST},
        default_layout=Layout.PSM,
        joint=Joint.BEFORE_BLANKS,
    ),
    Family(
        name="santacoder",
        pattern=r"santacoder",
        prefix_marker="<fim-prefix>",
        suffix_marker="<fim-suffix>",
        middle_marker="<fim-middle>",
        stop_markers=("<|endoftext|>", "<fim-pad>"),
        layouts={Layout.PSM: _PSM_CHUNKS_INSIDE, Layout.SUFFIX_FIRST: _SUFFIX_FIRST},
        default_layout=Layout.PSM,
        joint=Joint.BEFORE_BLANKS,
    ),
    Family(
        name="refact",
        pattern=r"refact",
        architectures=("refact",),
        prefix_marker="<fim_prefix>",
        suffix_marker="<fim_suffix>",
        middle_marker="<fim_middle>",
        stop_markers=(*_BIGCODE_STOPS, "<reponame>", "<filename>", "<gh_stars>"),
        layouts={Layout.PSM: _PSM_CHUNKS_INSIDE, Layout.SUFFIX_FIRST: _SUFFIX_FIRST},
        default_layout=Layout.PSM,
        joint=Joint.BEFORE_BLANKS,
    ),
    Family(
        name="granite-code",
        pattern=r"granite",
        prefix_marker="<fim_prefix>",
        suffix_marker="<fim_suffix>",
        middle_marker="<fim_middle>",
        stop_markers=(*_BIGCODE_STOPS, "<reponame>", "<filename>", "<gh_stars>"),
        layouts={Layout.PSM: _PSM_CHUNKS_INSIDE, Layout.SUFFIX_FIRST: _SUFFIX_FIRST},
        default_layout=Layout.PSM,
        joint=Joint.BEFORE_BLANKS,
    ),
    Family(
        name="mellum",
        pattern=r"mellum",
        prefix_marker="<fim_prefix>",
        suffix_marker="<fim_suffix>",
        middle_marker="<fim_middle>",
        files=FileFormat(file_marker="<filename>"),
        stop_markers=("<|endoftext|>", "<fim_pad>", "<reponame>"),
        # Its publisher shows the suffix before the prefix marker, and the middle marker last.
        layouts={
            Layout.SUFFIX_FIRST: (Slot.CHUNKS, Slot.SUF, Slot.SUFFIX, Slot.PRE, Slot.PREFIX, Slot.MID),
            Layout.PSM: _PSM,
        },
        default_layout=Layout.SUFFIX_FIRST,
        joint=Joint.BEFORE_BLANKS,
    ),
    Family(
        name="deepseek-coder",
        pattern=r"deepseek[-_ ]?coder",
        architectures=("deepseek2",),
        prefix_marker="<｜fim▁begin｜>",
        suffix_marker="<｜fim▁hole｜>",
        middle_marker="<｜fim▁end｜>",
        begin_marker="<｜begin▁of▁sentence｜>",
        stop_markers=("<｜end▁of▁sentence｜>", "<|EOT|>"),
        layouts={Layout.PSM: _PSM_CHUNKS_INSIDE},
        default_layout=Layout.PSM,
    ),
    Family(
        name="codellama",
        pattern=r"code[-_ ]?llama",
        prefix_marker="▁<PRE>",
        suffix_marker="▁<SUF>",
        middle_marker="▁<MID>",
        begin_marker="<s>",
        stop_markers=("▁<EOT>", "</s>"),
        layouts={Layout.PSM: _PSM_CHUNKS_INSIDE, Layout.SUFFIX_FIRST: _SUFFIX_FIRST},
        default_layout=Layout.PSM,
        has_space_prefix=True,
    ),
    Family(
        name="codegemma",
        pattern=r"code[-_ ]?gemma",
        architectures=("gemma",),
        prefix_marker="<|fim_prefix|>",
        suffix_marker="<|fim_suffix|>",
        middle_marker="<|fim_middle|>",
        begin_marker="<bos>",
        # The same marker ends an answer: the model goes on with another file when the middle is complete.
        files=FileFormat(file_marker="<|file_separator|>"),
        stop_markers=("<eos>", "<end_of_turn>"),
        layouts={Layout.PSM: _PSM},
        default_layout=Layout.PSM,
    ),
    Family(
        name="codestral",
        pattern=r"codestral",
        prefix_marker="[PREFIX]",
        suffix_marker="[SUFFIX]",
        middle_marker="",
        begin_marker="<s>",
        stop_markers=("</s>", "[MIDDLE]"),
        layouts={Layout.SUFFIX_FIRST: (Slot.SUF, Slot.SUFFIX, Slot.PRE, Slot.CHUNKS, Slot.PREFIX)},
        default_layout=Layout.SUFFIX_FIRST,
        has_space_prefix=True,
    ),
)


def choose_family(info: ModelInfo) -> Family:
    """The record for a model: its declared markers decide, then its name; unknown models get one made from markers.

    Raises:
        ModelUnsuitableError: neither the markers nor the name say how to ask this model for a middle.
    """
    named = [family for family in FAMILIES if any(re.search(family.pattern, name) for name in _names(info))]
    declared = {kind: info.fim_tokens.get(kind, "") for kind in (Slot.PRE, Slot.SUF, Slot.MID)}
    if not any(declared.values()):
        if named:
            return named[0]
        raise ModelUnsuitableError(
            f"The model {_label(info)} declares no fill-in-the-middle markers, and its name is not one fimble knows.",
            mend="Choose a code model trained to fill in the middle; `fimble models list` shows tested ones.",
        )
    kin = [family for family in FAMILIES if info.architecture in family.architectures and all(declared.values())]
    fitting = [family for family in (*named, *kin) if _agrees(family, declared)]
    if fitting:
        return fitting[0]
    if all(declared.values()):
        return _from_declared(info)
    missing = ", ".join(slot.value for slot, marker in declared.items() if not marker)
    raise ModelUnsuitableError(
        f"The model {_label(info)} declares some fill-in-the-middle markers and lacks others ({missing}).",
        mend="Its GGUF file may be converted wrongly: choose another file, or a model of `fimble models list`.",
    )


def clean(family: Family, text: str, *, around: str = "") -> str:
    """`text` up to the first marker spelled out in it; a remote server may give markers as text.

    A marker that the user's own text `around` spells out is let through: it may be what is being written.
    """
    ends = [text.find(marker) for marker in _spellings(family) if marker not in around]
    return text[: min((end for end in ends if end >= 0), default=len(text))]


def _spellings(family: Family) -> Iterator[str]:
    for marker in family.all_markers:
        yield marker.lstrip("▁")  # SentencePiece's sign for a blank


def _names(info: ModelInfo) -> tuple[str, ...]:
    return (info.name.lower(), info.model_id.replace("\\", "/").rsplit("/", 1)[-1].lower())


def _label(info: ModelInfo) -> str:
    return f"{info.model_id} ({info.name or 'no name'}, {info.architecture or 'unknown'} architecture)"


def _agrees(family: Family, declared: Mapping[Slot, str]) -> bool:
    """Whether the GGUF says nothing against the family; a converter may leave markers out."""
    return all(family.marker(slot) in ("", marker) for slot, marker in declared.items() if marker)


def _from_declared(info: ModelInfo) -> Family:
    declared = info.fim_tokens
    generic = Family(
        name="generic",
        pattern="",
        prefix_marker=declared["pre"],
        suffix_marker=declared["suf"],
        middle_marker=declared["mid"],
        stop_markers=tuple(declared[kind] for kind in ("pad", "rep", "sep") if declared.get(kind)),
        # A model's own training order is not known: prefix first is what every family but Codestral can do.
        layouts={Layout.PSM: _PSM_CHUNKS_INSIDE},
        default_layout=Layout.PSM,
    )
    # The same markers mostly mean the same lineage: a fine-tuned model under another name keeps its parent's format
    # for several files only if it declares those markers too.
    if declared.get("rep") and declared.get("sep"):
        files = FileFormat(repo_marker=declared["rep"], file_marker=declared["sep"])
        generic = replace(generic, files=files, layouts={Layout.PSM: _PSM})
    return generic
