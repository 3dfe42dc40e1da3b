"""The user's folder of models: which are there, whether they are still what was put there, and taking them out.

Layout: `ID.gguf`, `ID.json` (the sidecar: where it came from, its checksum), `.partial/ID/` (unfinished downloads),
`.locks/ID.lock`. Knows nothing of the network.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import filelock

from fimble.backend.catalog.catalog import Catalog, is_model_id
from fimble.backend.catalog.partial import require_room
from fimble.backend.catalog.verify import OnBytes, check_gguf, no_progress, sha256_of
from fimble.core.errors import InputError, ModelCorruptError, ModelMissingError

_ID_MEND = "Name it yourself, in a-z, 0-9, '.', '_' and '-': `--as ID`."


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """What a sidecar says. `mtime_ns` is the file's time when its checksum was last computed."""

    id: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    source: str
    installed_at: str


class ModelStore:
    """One folder of models. Several processes may use it at once."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        """Use `folder`, which need not exist yet."""
        self.folder = folder
        self.catalog = catalog

    def resolve(self, model: str) -> Path:
        """The weights that `model` names: an id, or the path of a GGUF. This is what the engine loads.

        Raises:
            ModelMissingError: not on this machine; the mend says how to get it.
            ModelCorruptError: on this machine and damaged.
        """
        if not _is_path(model):
            return self.path_of(self.check(model).id)
        path = Path(model).expanduser().absolute()
        if not path.is_file():
            raise ModelMissingError(f"There is no file {path}.", mend="`fimble models list` shows the models by name.")
        check_gguf(path, mend="Get the file again, or choose another model: `fimble models list`.")
        return path

    def ids(self) -> tuple[str, ...]:
        """The models in the folder, sound or not, sorted."""
        return tuple(sorted(path.stem for path in self.folder.glob("*.gguf") if is_model_id(path.stem)))

    def find(self, model_id: str) -> InstalledModel | None:
        """What is on record of a model in the folder; None where it, or its record, is not there."""
        return self._read_sidecar(model_id) if self.path_of(model_id).is_file() else None

    def check(self, model_id: str, *, full: bool = False, on_bytes: OnBytes = no_progress) -> InstalledModel:
        """The model's record, after comparing the file with it.

        Size and time are compared; the checksum is computed where they changed, where there is no record, or `full`.

        Raises:
            ModelMissingError: not in the folder.
            ModelCorruptError: not the file that it should be.
        """
        path = self.path_of(model_id)
        try:
            found = path.stat()
        except FileNotFoundError:
            raise self._missing(model_id) from None
        record = self._read_sidecar(model_id)
        if record and not full and (record.size_bytes, record.mtime_ns) == (found.st_size, found.st_mtime_ns):
            return record
        mend = self._mend(model_id)
        check_gguf(path, mend=mend)
        sha256 = sha256_of(path, on_bytes)
        expected = record.sha256 if record else self._catalog_sha256(model_id)
        if expected not in (None, sha256):
            raise ModelCorruptError(
                f"{path} is not what it was: its sha256 is {sha256}, expected {expected}.", mend=mend
            )
        if record is None:
            record = InstalledModel(model_id, sha256, found.st_size, found.st_mtime_ns, "found in the folder", _now())
        record = replace(record, mtime_ns=found.st_mtime_ns)
        with contextlib.suppress(OSError):  # the file is sound all the same; it is compared again the next time
            self._write_sidecar(record)
        return record

    def remove(self, model_id: str) -> int:
        """Delete a model and what is left of its downloads. Returns the bytes freed.

        Raises:
            ModelMissingError: there is nothing to remove.
            InputError: somebody is fetching it right now.
        """
        partials = self.partial_folder(model_id)
        path = self.path_of(model_id)
        if not path.exists() and not partials.exists():
            raise self._missing(model_id)
        with self.lock(model_id, on_wait=lambda: _refuse_busy(model_id)):
            freed_bytes = sum(file.stat().st_size for file in (path, *partials.rglob("*")) if file.is_file())
            with self._writing():
                path.unlink(missing_ok=True)
                self._sidecar(model_id).unlink(missing_ok=True)
                shutil.rmtree(partials, ignore_errors=True)
        return freed_bytes

    def import_file(
        self, file: Path, *, model_id: str | None = None, link: bool = False, on_bytes: OnBytes = no_progress
    ) -> InstalledModel:
        """Take a GGUF from this machine's disk in: a copy, or with `link` a second name for the same bytes.

        Without `model_id` a file that is in the catalog gets its id there, any other its own name.

        Raises:
            InputError: no such file, no possible id, the id belongs to another file, or the folder is not writable.
            ModelCorruptError: not a whole GGUF.
        """
        origin = file.expanduser().resolve()
        if not origin.is_file():
            raise InputError(f"There is no file {file}.", mend="Give the path of a .gguf file.")
        if model_id is not None and not is_model_id(model_id):
            raise InputError(f"{model_id!r} cannot be a model's id.", mend=_ID_MEND)
        check_gguf(origin, mend="Get the file again from where it came from.")
        partials = self.folder / ".partial"
        with self._writing():
            partials.mkdir(parents=True, exist_ok=True)
            scratch = tempfile.TemporaryDirectory(dir=partials, prefix="import-")
        with self._writing(), scratch as folder:
            fresh = Path(folder) / "data"
            if not link:
                require_room(partials, origin.stat().st_size)
            _copy_or_link(origin, fresh, link=link)
            sha256 = sha256_of(fresh, on_bytes)  # of our copy: the original may be changing
            known = self.catalog.find_by_sha256(sha256)
            chosen = model_id or (known.id if known else file.stem.lower())
            with self.lock(chosen, on_wait=lambda: _refuse_busy(chosen)):
                self._require_free_id(chosen, sha256)
                return self.install(fresh, chosen, sha256=sha256, source=f"imported from {origin}")

    def install(self, fresh: Path, model_id: str, *, sha256: str, source: str) -> InstalledModel:
        """Move a checked file of this file system into place. The caller holds the lock and vouches for `sha256`."""
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        found = fresh.stat()
        record = InstalledModel(model_id, sha256, found.st_size, found.st_mtime_ns, source, _now())
        # The record first: a file in place always has one, whatever interrupts us between the two.
        self._write_sidecar(record)
        fresh.replace(self.path_of(model_id))
        shutil.rmtree(self.partial_folder(model_id), ignore_errors=True)
        return record

    @contextlib.contextmanager
    def lock(self, model_id: str, *, on_wait: Callable[[], None]) -> Generator[None]:
        """Nobody else fetches, imports or removes the model meanwhile. `on_wait` is told before a wait begins.

        Raises:
            InputError: the folder cannot be written to.
        """
        path = self.folder / ".locks" / f"{model_id}.lock"
        lock = filelock.FileLock(path)
        with self._writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                on_wait()
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def path_of(self, model_id: str) -> Path:
        """Where the model's file is, or would be."""
        if not is_model_id(model_id):
            raise ModelMissingError(f"{model_id!r} cannot be a model's id.", mend=self.catalog.suggest(model_id))
        return self.folder / f"{model_id}.gguf"

    def partial_folder(self, model_id: str) -> Path:
        """Where unfinished downloads of the model are kept."""
        return self.folder / ".partial" / model_id

    def _sidecar(self, model_id: str) -> Path:
        return self.folder / f"{model_id}.json"

    def _read_sidecar(self, model_id: str) -> InstalledModel | None:
        try:
            return InstalledModel(**json.loads(self._sidecar(model_id).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None  # as good as none: the file is compared with the catalog instead

    def _write_sidecar(self, record: InstalledModel) -> None:
        path = self._sidecar(record.id)
        fresh = path.with_suffix(".json.new")
        fresh.write_text(json.dumps(asdict(record), indent=2) + "\n", "utf-8")
        fresh.replace(path)

    def _catalog_sha256(self, model_id: str) -> str | None:
        entry = self.catalog.find(model_id)
        return entry.sha256 if entry else None

    def _missing(self, model_id: str) -> ModelMissingError:
        if self.catalog.find(model_id):
            return ModelMissingError(
                f"The model {model_id} is not on this machine.", mend=f"Fetch it: `fimble models pull {model_id}`."
            )
        return ModelMissingError(f"There is no model {model_id!r}.", mend=self.catalog.suggest(model_id))

    def _mend(self, model_id: str) -> str:
        if self.catalog.find(model_id):
            return f"Fetch it again: `fimble models pull {model_id}`."
        return (
            f"Remove it (`fimble models remove {model_id}`) and import a whole copy: `fimble models import FILE.gguf`."
        )

    def _require_free_id(self, model_id: str, sha256: str) -> None:
        if not is_model_id(model_id):
            raise InputError(f"{model_id!r}, the file's name, cannot be a model's id.", mend=_ID_MEND)
        owner = self._catalog_sha256(model_id)
        installed = self.find(model_id)
        if owner not in (None, sha256):
            reason = f"the catalog's {model_id} is another file (sha256 {owner}, yours is {sha256})"
        elif owner is None and installed and installed.sha256 != sha256:
            reason = f"a model {model_id} is here already, and it is another file"
        else:
            return
        raise InputError(f"Not imported: {reason}.", mend="Import it under another id: `--as ID`.")

    @contextlib.contextmanager
    def _writing(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"The models' folder {self.folder} cannot be written to: {error.strerror or error}.",
                mend="Mend its permissions, or set FIMBLE_HOME to a folder of yours.",
            ) from error


def _is_path(model: str) -> bool:
    return model.lower().endswith(".gguf") or "/" in model or os.sep in model or model.startswith("~")


def _refuse_busy(model_id: str) -> None:
    raise InputError(f"The model {model_id} is being fetched or imported right now.", mend="Wait until that is done.")


def _copy_or_link(origin: Path, fresh: Path, *, link: bool) -> None:
    try:
        if link:
            os.link(origin, fresh)
        else:
            shutil.copyfile(origin, fresh)
    except OSError as error:
        mend = (
            "Import without --link: a link needs both places on one disk." if link else "Check the disk's free space."
        )
        raise InputError(f"{origin} could not be imported: {error.strerror or error}.", mend=mend) from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
