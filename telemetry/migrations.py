"""The store's tables, as steps applied in order; a step is never changed once released, another is added.

Times are Unix milliseconds. Names that recur (languages, models, ...) are kept once, in `names`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

Migration = Callable[[sqlite3.Connection], None]


def m001_names_and_sessions(db: sqlite3.Connection) -> None:
    """Names that recur, and the runs of a language server that events come from."""
    db.execute("CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)")
    db.execute(
        """
        CREATE TABLE sessions (
            id INTEGER PRIMARY KEY,
            uid TEXT NOT NULL UNIQUE,
            started_ms INTEGER NOT NULL,
            ended_ms INTEGER,
            version TEXT NOT NULL
        )
        """
    )


def m002_completions(db: sqlite3.Connection) -> None:
    """One row per request, and what became of it. `key` is a hash of session and request id."""
    db.execute(
        """
        CREATE TABLE completions (
            id INTEGER PRIMARY KEY,
            key INTEGER NOT NULL,
            session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            requested_ms INTEGER NOT NULL,
            language INTEGER, node_kind INTEGER, model INTEGER, adapter INTEGER, context_sources INTEGER,
            trigger INTEGER, client INTEGER, arm INTEGER, source INTEGER, stop_reason INTEGER, reason INTEGER,
            n_prompt_tokens INTEGER, n_reused_tokens INTEGER, n_generated_tokens INTEGER,
            n_chars INTEGER, n_lines INTEGER, confidence REAL,
            queue_ms REAL, prompt_ms REAL, first_token_ms REAL, total_ms REAL,
            is_continuation INTEGER NOT NULL DEFAULT 0,
            shown_ms INTEGER, is_shown_exact INTEGER, seen_ms INTEGER,
            accepted_ms INTEGER, accepted_how TEXT, is_accepted_exact INTEGER, n_accepted_chars INTEGER,
            undone_ms INTEGER,
            ended_ms INTEGER, ended_how TEXT, is_ended_exact INTEGER, visible_ms REAL
        )
        """
    )
    db.execute("CREATE UNIQUE INDEX completions_by_key ON completions (key)")
    db.execute("CREATE INDEX completions_by_time ON completions (requested_ms)")


def m003_persistence(db: sqlite3.Connection) -> None:
    """What was left of accepted texts, up to four measures each."""
    db.execute(
        """
        CREATE TABLE persistence (
            completion_id INTEGER NOT NULL REFERENCES completions (id) ON DELETE CASCADE,
            after_s INTEGER NOT NULL,
            kept REAL NOT NULL,
            n_kept_chars INTEGER NOT NULL,
            is_unmodified INTEGER NOT NULL,
            is_carried INTEGER NOT NULL,
            PRIMARY KEY (completion_id, after_s)
        ) WITHOUT ROWID
        """
    )


def m004_code(db: sqlite3.Connection) -> None:
    """The user's code, secrets taken out; empty unless `telemetry.store_code` is on."""
    db.execute(
        """
        CREATE TABLE code (
            completion_id INTEGER NOT NULL REFERENCES completions (id) ON DELETE CASCADE,
            part TEXT NOT NULL,
            text TEXT NOT NULL,
            stored_ms INTEGER NOT NULL,
            PRIMARY KEY (completion_id, part)
        )
        """
    )
    db.execute("CREATE INDEX code_by_time ON code (stored_ms)")


def m005_experiments(db: sqlite3.Connection) -> None:
    """Comparisons of two settings; at most one runs. Sessions know which one they took part in."""
    db.execute(
        """
        CREATE TABLE experiments (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            per TEXT NOT NULL,
            seed TEXT NOT NULL,
            arms TEXT NOT NULL,
            started_ms INTEGER NOT NULL,
            stopped_ms INTEGER
        )
        """
    )
    db.execute("CREATE UNIQUE INDEX experiments_running ON experiments (stopped_ms IS NULL) WHERE stopped_ms IS NULL")
    db.execute("ALTER TABLE sessions ADD COLUMN experiment_id INTEGER REFERENCES experiments (id) ON DELETE SET NULL")
    db.execute("ALTER TABLE sessions ADD COLUMN arm TEXT")
    db.execute("ALTER TABLE sessions ADD COLUMN unit TEXT")
    db.execute("ALTER TABLE sessions ADD COLUMN unit_ends_ms INTEGER")


MIGRATIONS: Final[tuple[Migration, ...]] = (
    m001_names_and_sessions,
    m002_completions,
    m003_persistence,
    m004_code,
    m005_experiments,
)


def applied(db: sqlite3.Connection) -> tuple[str, ...]:
    """Names of the steps that this file has seen, in order."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").fetchone() is None:
        return ()
    return tuple(name for (name,) in db.execute("SELECT name FROM migrations ORDER BY rowid"))


def unknown(db: sqlite3.Connection) -> tuple[str, ...]:
    """Steps that this fimble does not know: a newer one made them."""
    known = {migration.__name__ for migration in MIGRATIONS}
    return tuple(name for name in applied(db) if name not in known)


def missing(db: sqlite3.Connection) -> tuple[Migration, ...]:
    """Steps still to be applied."""
    done = set(applied(db))
    return tuple(migration for migration in MIGRATIONS if migration.__name__ not in done)


def migrate(db: sqlite3.Connection, now_ms: float) -> None:
    """Apply the missing steps, all or none; another process may be doing the same."""
    if not missing(db):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT NOT NULL UNIQUE, applied_ms INTEGER NOT NULL)")
        for migration in missing(db):
            migration(db)
            db.execute("INSERT INTO migrations VALUES (?, ?)", (migration.__name__, int(now_ms)))
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
