"""Code from elsewhere as parts of a prompt, in the family's format for several files or under path comments."""

from __future__ import annotations

from fimble.context.prompt import budget
from fimble.context.prompt.fim import Family, FileFormat
from fimble.context.prompt.tokens import Encoder, Part
from fimble.core.flow import Chunk, Context, Stability
from fimble.syntax.languages import language_for

# The repository's own name is not known here and a made-up one costs a token; it must never change.
_REPO_NAME = "project"
_MAX_PATH_PARTS = 4
_MAX_PATH_CHARS = 100
_MIN_CHUNK_LINES = 2


class ChunkWriter:
    """Writes chunks the way one model can read them."""

    def __init__(self, context: Context, family: Family, encoder: Encoder) -> None:
        """Without the family's file marker in the vocabulary, path comments are written."""
        self._context = context
        self._encoder = encoder
        files = family.files
        self._files: FileFormat | None = files if files and files.file_marker in encoder.markers else None
        self._comment = _comment_marks(context)

    async def write(self, n_tokens: int) -> tuple[list[Part], str]:
        """Parts for the best chunks that fit, and text that must open the prefix after them (often empty).

        Best chunks are chosen first; they are laid out by path and line, so that a change of rank alone does not
        change the prompt's head.
        """
        opening, closing, prefix_head = self._frame()
        room = n_tokens - await self._encoder.count([*opening, *closing, Part(prefix_head, Stability.WINDOWED, "path")])
        # One question for all that may fit whole; the loop then finds the answers known.
        small = [chunk for chunk in self._context.chunks if len(chunk.text) <= room * budget.MAX_CHARS_PER_TOKEN]
        await self._encoder.count([part for chunk in small for part in self._file(chunk, _lines(chunk.text))])
        written: list[tuple[Chunk, list[Part]]] = []
        for chunk in self._context.chunks:
            if not chunk.text.strip():
                continue
            parts, is_whole = await self._fit(chunk, room)
            if parts:
                written.append((chunk, parts))
                room -= await self._encoder.count(parts)
                if not is_whole:
                    break  # the room is used up
        if not written:
            return [], ""
        written.sort(key=lambda item: (item[0].path, item[0].first_line))
        return [*opening, *(part for _, parts in written for part in parts), *closing], prefix_head

    async def _fit(self, chunk: Chunk, n_tokens: int) -> tuple[list[Part], bool]:
        """The chunk, or as many of its first lines as fit, and which; nothing when these are too few to be of use."""
        text = _lines(chunk.text)
        n_head = await self._encoder.count(self._file(chunk, ""))
        if n_tokens <= n_head:
            return [], False

        async def count(head: str) -> int:
            return await self._encoder.count(self._file(chunk, head)) - n_head

        end = await budget.suffix_end(text, text.count("\n"), n_tokens - n_head, count)
        if end < len(text) and text.count("\n", 0, end) < _MIN_CHUNK_LINES:
            return [], False
        return self._file(chunk, text[:end]), end == len(text)

    def _frame(self) -> tuple[list[Part], list[Part], str]:
        """What stands before all chunks, what stands between them and the edited file, and what opens its prefix."""
        path = f"{shown_path(self._context.path)}\n"
        files = self._files
        if files is None:
            return [], [Part(self._titled(self._context.path), Stability.PINNED, "path")], ""
        opening: list[Part] = []
        if files.repo_marker in self._encoder.markers:
            opening.append(Part(files.repo_marker, Stability.PINNED, "repo", is_marker=True))
            opening.append(Part(_REPO_NAME + files.after_repo_name, Stability.PINNED, "repo name"))
        marker = Part(files.file_marker, Stability.PINNED, "file", is_marker=True)
        if files.path_in_prefix:
            return opening, [marker], path
        return opening, [marker, Part(path, Stability.PINNED, "path")], ""

    def _file(self, chunk: Chunk, text: str) -> list[Part]:
        label = chunk.label
        body = text if text.endswith("\n") else f"{text}\n"
        if self._files is None:
            return [Part(self._titled(chunk.path) + body, Stability.PINNED, label)]
        return [
            Part(self._files.file_marker, Stability.PINNED, "file", is_marker=True),
            Part(f"{shown_path(chunk.path)}\n{body}", Stability.PINNED, label),
        ]

    def _titled(self, path: str) -> str:
        before, after = self._comment
        return f"{before}{shown_path(path)}{after}\n"


def shown_path(path: str) -> str:
    """The end of a path, as much as helps: its last four names, with slashes, on one line."""
    names = [name for name in path.replace("\\", "/").split("/") if name]
    return " ".join("/".join(names[-_MAX_PATH_PARTS:]).split())[-_MAX_PATH_CHARS:]


def _comment_marks(context: Context) -> tuple[str, str]:
    """What stands before and after a comment; `#` where the language has none or is not known."""
    language = language_for(context.language_id, context.path)
    if language and language.line_comment:
        return f"{language.line_comment} ", ""
    if language and language.block_comment:
        opener, closer = language.block_comment
        return f"{opener} ", f" {closer}"
    return "# ", ""


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode("utf-8")
