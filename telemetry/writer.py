"""Events to rows: the only place that writes completions. One transaction per batch; knows nothing of threads."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from fimble.core.flow import Event, EventKind, RequestId
from fimble.telemetry.redaction import redact

# Columns of `completions` that hold an id of `names`, by the event field they come from.
NAME_FIELDS: Final = (
    "language", "node_kind", "model", "adapter", "context_sources", "trigger", "client", "arm", "source",
    "stop_reason", "reason",
)  # fmt: skip
NUMBER_FIELDS: Final = (
    "n_prompt_tokens", "n_reused_tokens", "n_generated_tokens", "n_chars", "n_lines", "confidence", "queue_ms",
    "prompt_ms", "first_token_ms", "total_ms",
)  # fmt: skip
_FIELDS: Final = (*NAME_FIELDS, *NUMBER_FIELDS)
# Names are short. What is longer is no name, and might be code.
_MAX_NAME_CHARS: Final = 200
_MAX_NUMBER: Final = 2**53

_DESCRIBE: Final = f"""
    INSERT INTO completions (key, session_id, requested_ms, {", ".join(_FIELDS)})
    VALUES (?, ?, ?, {", ".join("?" * len(_FIELDS))})
    ON CONFLICT (key) DO UPDATE SET {", ".join(f"{name} = COALESCE(excluded.{name}, {name})" for name in _FIELDS)}
"""
_SHOWN: Final = """
    UPDATE completions SET shown_ms = COALESCE(shown_ms, :at_ms), is_continuation = MAX(is_continuation, :continues),
        is_shown_exact = MAX(COALESCE(is_shown_exact, 0), :exact)
    WHERE key = :key
"""
_SEEN: Final = "UPDATE completions SET seen_ms = :at_ms WHERE key = :key"
# A notification may say better later what an edit was taken for at first.
_ACCEPTED: Final = """
    UPDATE completions SET accepted_ms = COALESCE(accepted_ms, :at_ms), accepted_how = 'whole',
        is_accepted_exact = MAX(COALESCE(is_accepted_exact, 0), :exact), n_accepted_chars = :n_chars
    WHERE key = :key
"""
_PARTLY_ACCEPTED: Final = """
    UPDATE completions SET accepted_ms = COALESCE(accepted_ms, :at_ms), accepted_how = COALESCE(accepted_how, 'part'),
        is_accepted_exact = MAX(COALESCE(is_accepted_exact, 0), :exact),
        n_accepted_chars = MAX(COALESCE(n_accepted_chars, 0), :n_chars)
    WHERE key = :key
"""
_TYPED_THROUGH: Final = """
    UPDATE completions SET accepted_ms = COALESCE(accepted_ms, :at_ms), accepted_how = COALESCE(accepted_how, 'typed'),
        n_accepted_chars = COALESCE(n_accepted_chars, 0), visible_ms = :visible_ms
    WHERE key = :key
"""
_ENDED: Final = """
    UPDATE completions SET ended_ms = :at_ms, ended_how = :kind, is_ended_exact = :exact, visible_ms = :visible_ms
    WHERE key = :key
"""
_UNDONE: Final = "UPDATE completions SET undone_ms = :at_ms WHERE key = :key"
_PERSISTED: Final = """
    INSERT OR REPLACE INTO persistence (completion_id, after_s, kept, n_kept_chars, is_unmodified, is_carried)
    SELECT id, :after_s, :kept, :n_kept_chars, :unmodified, :carried FROM completions WHERE key = :key
"""
_CODE: Final = """
    INSERT OR REPLACE INTO code (completion_id, part, text, stored_ms)
    SELECT id, :part, :text, :at_ms FROM completions WHERE key = :key
"""
_STEPS: Final[Mapping[EventKind, str]] = {
    EventKind.SHOWN: _SHOWN,
    EventKind.SEEN: _SEEN,
    EventKind.TYPED_THROUGH: _TYPED_THROUGH,
    EventKind.ACCEPTED: _ACCEPTED,
    EventKind.PARTLY_ACCEPTED: _PARTLY_ACCEPTED,
    EventKind.DISMISSED: _ENDED,
    EventKind.REPLACED: _ENDED,
    EventKind.UNDONE: _UNDONE,
    EventKind.PERSISTED: _PERSISTED,
}


@dataclass(frozen=True, slots=True)
class Participation:
    """A session's part in an experiment. Ids begin anew after a purge: the seed tells one experiment from the next."""

    experiment_id: int
    seed: str
    arm: str
    unit: str
    unit_ends_ms: int


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One run of a language server."""

    uid: str
    started_ms: int
    version: str
    participation: Participation | None = None
    arm_label: str | None = None  # `experiment:arm`, what reports show


@dataclass(frozen=True, slots=True)
class CodePart:
    """A piece of the user's code that they want kept."""

    request_id: RequestId
    part: str
    text: str
    at_ms: float


class Writer:
    """Writes one session's events over one connection."""

    def __init__(self, db: sqlite3.Connection, session: SessionInfo) -> None:
        """Take over `db`; `close` closes it."""
        self._db = db
        self._session = session
        self._data_version = -1
        self._session_id = 0
        self._name_ids: dict[str, int] = {}

    def write(self, items: Iterable[Event | CodePart]) -> None:
        """All items in one transaction.

        Raises:
            sqlite3.Error: none of them was written.
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._forget_if_changed()
            for item in items:
                if isinstance(item, CodePart):
                    self._write_code(item)
                else:
                    self._write_event(item)
            self._db.execute("COMMIT")
        except BaseException:
            self._data_version = -1
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def end_session(self, at_ms: float) -> None:
        """Note that the server ended in order.

        Raises:
            sqlite3.Error: it could not be noted.
        """
        self._db.execute("UPDATE sessions SET ended_ms = ? WHERE uid = ?", (int(at_ms), self._session.uid))

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _forget_if_changed(self) -> None:
        """Another process may have purged what we remember ids of (PRAGMA data_version sees others' commits only)."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version == self._data_version:
            return
        self._data_version = version
        self._name_ids.clear()
        session = self._session
        part = session.participation
        self._db.execute(
            "INSERT OR IGNORE INTO sessions (uid, started_ms, version, experiment_id, arm, unit, unit_ends_ms)"
            " VALUES (?, ?, ?, (SELECT id FROM experiments WHERE id = ? AND seed = ?), ?, ?, ?)",
            (
                session.uid,
                session.started_ms,
                session.version,
                part and part.experiment_id,
                part and part.seed,
                part and part.arm,
                part and part.unit,
                part and part.unit_ends_ms,
            ),
        )
        (self._session_id,) = self._db.execute("SELECT id FROM sessions WHERE uid = ?", (session.uid,)).fetchone()

    def _write_event(self, event: Event) -> None:
        fields = event.fields
        step = _STEPS.get(event.kind)
        if step is None:
            self._describe(event)
            return
        self._db.execute(
            step,
            {
                "key": self._key(event.request_id),
                "at_ms": int(event.at_ms),
                "kind": str(event.kind),
                "exact": _flag(fields.get("exact")),
                "continues": _flag("continues" in fields),
                "n_chars": _number(fields.get("n_chars")),
                "visible_ms": _number(fields.get("visible_ms")),
                "after_s": _number(fields.get("after_s")),
                "kept": _number(fields.get("kept")),
                "n_kept_chars": _number(fields.get("n_kept_chars")),
                "unmodified": _flag(fields.get("unmodified")),
                "carried": _flag(fields.get("carried")),
            },
        )

    def _describe(self, event: Event) -> None:
        fields = dict(event.fields)
        if event.kind is EventKind.ANSWERED:
            fields.setdefault("source", "model")
        fields.setdefault("arm", self._session.arm_label)
        model = fields.get("model")
        if isinstance(model, str):
            # A model may be named by its path, which says more of the user than of the model.
            fields["model"] = model.replace("\\", "/").rsplit("/", 1)[-1]
        names = [self._name_id(fields.get(name)) for name in NAME_FIELDS]
        numbers = [_number(fields.get(name)) for name in NUMBER_FIELDS]
        key = self._key(event.request_id)
        self._db.execute(_DESCRIBE, (key, self._session_id, int(event.at_ms), *names, *numbers))

    def _write_code(self, item: CodePart) -> None:
        self._db.execute(
            _CODE,
            {
                "key": self._key(item.request_id),
                "part": item.part,
                "text": redact(item.text),
                "at_ms": int(item.at_ms),
            },
        )

    def _name_id(self, value: str | int | float | bool | None) -> int | None:
        if not isinstance(value, str) or not value:
            return None
        name = value[:_MAX_NAME_CHARS]
        found = self._name_ids.get(name)
        if found is None:
            self._db.execute("INSERT OR IGNORE INTO names (text) VALUES (?)", (name,))
            (found,) = self._db.execute("SELECT id FROM names WHERE text = ?", (name,)).fetchone()
            self._name_ids[name] = found
        return found

    def _key(self, request_id: RequestId) -> int:
        raw = f"{self._session.uid}\0{request_id}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), signed=True)


def _number(value: str | int | float | bool | None) -> int | float | None:
    return value if isinstance(value, int | float) and abs(value) < _MAX_NUMBER else None


def _flag(value: str | int | float | bool | None) -> int:
    return int(bool(value))
