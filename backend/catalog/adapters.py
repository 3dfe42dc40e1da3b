"""The user's adapters: small files that change how a model answers, each made for one model's very weights.

Layout, beside the models: `adapters/NAME.gguf` and `adapters/NAME.json` (where it came from, its checksum).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from fimble.backend.catalog.catalog import is_model_id
from fimble.backend.catalog.gguf_header import GgufHeader, NotGgufError, TruncatedError, read_header
from fimble.backend.catalog.verify import sha256_of
from fimble.core.errors import InputError, ModelCorruptError, ModelMissingError, ModelUnsuitableError

# Our own key in an adapter's header: the checksum of the weights it was trained on.
BASE_KEY = "fimble.base_sha256"


@dataclass(frozen=True, slots=True)
class Adapter:
    """What is on record of one adapter. `base_sha256` is empty where the file does not say what it was made for."""

    name: str
    sha256: str
    size_bytes: int
    architecture: str
    base_sha256: str
    source: str
    added_at: str


class AdapterStore:
    """The folder of adapters below a folder of models."""

    def __init__(self, models: Path) -> None:
        """Use `models`/adapters, which need not exist yet."""
        self.folder = models / "adapters"

    def add(self, file: Path, name: str | None = None) -> Adapter:
        """Copy an adapter in; the file's own name serves without `name`. One of that name is replaced.

        Raises:
            InputError: no such file, no possible name, or the folder cannot be written to.
            ModelCorruptError: not a whole GGUF, or not an adapter.
        """
        chosen = name if name is not None else file.stem.lower()
        require_name(chosen)
        if not file.is_file():
            raise InputError(f"There is no file {file}.", mend="Give the path of an adapter's .gguf file.")
        header = _adapter_header(file)
        adapter = Adapter(
            name=chosen,
            sha256=sha256_of(file),
            size_bytes=file.stat().st_size,
            architecture=str(header.metadata.get("general.architecture", "")),
            base_sha256=str(header.metadata.get(BASE_KEY, "")),
            source=str(file.expanduser().resolve()),
            added_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        fresh = self.folder / f".{chosen}.new"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, fresh)
            self._record(chosen).write_text(json.dumps(asdict(adapter), indent=2) + "\n", "utf-8")
            fresh.replace(self.path_of(chosen))
        except OSError as error:
            raise InputError(
                f"{self.folder} cannot be written to: {error.strerror or error}.", mend="Mend its permissions."
            ) from error
        finally:
            fresh.unlink(missing_ok=True)
        return adapter

    def all(self) -> tuple[Adapter, ...]:
        """Every adapter with its record, by name."""
        found = (self._read(path.stem) for path in sorted(self.folder.glob("*.gguf")))
        return tuple(adapter for adapter in found if adapter is not None)

    def remove(self, name: str) -> int:
        """Delete an adapter; returns the bytes freed.

        Raises:
            ModelMissingError: there is none of that name.
        """
        path = self.path_of(name)
        if not path.is_file():
            raise self._missing(name)
        n_bytes = path.stat().st_size
        path.unlink()
        self._record(name).unlink(missing_ok=True)
        return n_bytes

    def resolve(self, name: str, *, base_sha256: str | None) -> Path:
        """The file of an adapter, by name or path, for weights with this checksum (None where that is not known).

        Raises:
            ModelMissingError: there is none.
            ModelCorruptError: its file is damaged.
            ModelUnsuitableError: it was made for other weights.
        """
        if name.lower().endswith(".gguf"):
            path = Path(name).expanduser().absolute()
            if not path.is_file():
                raise ModelMissingError(f"There is no adapter file {path}.", mend=self._suggest())
            _require_base(name, str(_adapter_header(path).metadata.get(BASE_KEY, "")), base_sha256)
            return path
        path = self.path_of(name)
        adapter = self._read(name)
        if adapter is None or not path.is_file():
            raise self._missing(name)
        if path.stat().st_size != adapter.size_bytes:
            raise ModelCorruptError(f"{path} is not what was added.", mend="Add it again: `fimble models adapter add`.")
        _require_base(name, adapter.base_sha256, base_sha256)
        return path

    def path_of(self, name: str) -> Path:
        """Where an adapter's file is, or would be."""
        if not is_model_id(name):
            raise ModelMissingError(f"{name!r} cannot be an adapter's name.", mend=self._suggest())
        return self.folder / f"{name}.gguf"

    def _record(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _read(self, name: str) -> Adapter | None:
        try:
            return Adapter(**json.loads(self._record(name).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _missing(self, name: str) -> ModelMissingError:
        return ModelMissingError(f"There is no adapter {name!r}.", mend=self._suggest())

    def _suggest(self) -> str:
        names = ", ".join(adapter.name for adapter in self.all())
        return f"Adapters here: {names}." if names else "Add one: `fimble models adapter add FILE.gguf`."


def require_name(name: str) -> None:
    """Refuse a name that no adapter can have: InputError."""
    if not is_model_id(name):
        raise InputError(
            f"{name!r} cannot be an adapter's name.", mend="Give it another, of a-z, 0-9, '.', '_' and '-'."
        )


def _require_base(name: str, made_for: str, base_sha256: str | None) -> None:
    if base_sha256 and made_for and made_for != base_sha256:
        raise ModelUnsuitableError(
            f"The adapter {name} was made for other weights than those of the model in use.",
            mend="Set `model.id` to the model that it was trained on, or unset `model.adapter`.",
        )


def _adapter_header(path: Path) -> GgufHeader:
    mend = "Make one with `fimble tune export`, or convert one with llama.cpp's convert_lora_to_gguf.py."
    try:
        header = read_header(path)
    except (NotGgufError, TruncatedError, OSError) as error:
        raise ModelCorruptError(f"{path} is not a whole GGUF: {error}.", mend=mend) from error
    if path.stat().st_size < header.min_size_bytes:
        raise ModelCorruptError(f"{path} ends too early.", mend=mend)
    if header.metadata.get("general.type") != "adapter" or header.metadata.get("adapter.type") != "lora":
        raise ModelCorruptError(f"{path} is not a LoRA adapter.", mend=mend)
    return header
