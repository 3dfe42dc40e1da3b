"""Which models suit this machine: memory and cores against what the catalog says. Pure, but for read_hardware.

Counts for the CPU. A GPU changes speed, not the rule for memory: weights that the GPU takes still pass through RAM.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from fimble.backend.catalog.catalog import Catalog, CatalogEntry
from fimble.backend.host.cores import usable_cores

# Part of the memory that a model may take; editor, language servers and builds need the rest.
_MEMORY_SHARE = 0.75
# The 0.5B model (491 MB) on 2 cores reads 245 prompt tokens and writes 50 tokens a second (2 cores of a shared AMD
# EPYC, llama-cpp-python 0.3.36, 2026-11). Work grows with the file, so this is what one core can be asked to carry.
_MAX_BYTES_PER_CORE = 250_000_000
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Hardware:
    """What this process may use. Memory in MiB; `n_cores` are real cores, not hyper-threads."""

    total_memory_mb: int
    available_memory_mb: int
    n_cores: int


class Fit(StrEnum):
    """Whether a model goes into memory."""

    FITS = "fits"
    TIGHT = "tight"  # only once other programs have made room
    TOO_LARGE = "too_large"


def fit(entry: CatalogEntry, hardware: Hardware) -> Fit:
    """Whether the model's `memory_mb` goes into memory beside everything else."""
    if entry.memory_mb <= hardware.available_memory_mb * _MEMORY_SHARE:
        return Fit.FITS
    if entry.memory_mb <= hardware.total_memory_mb * _MEMORY_SHARE:
        return Fit.TIGHT
    return Fit.TOO_LARGE


def explain(entry: CatalogEntry, hardware: Hardware) -> str:
    """One sentence for people on why a model fits or does not."""
    need = f"{entry.id} takes about {entry.memory_mb / 1024:.1f} GiB of memory"
    match fit(entry, hardware):
        case Fit.FITS:
            return f"{need}; {hardware.available_memory_mb / 1024:.1f} GiB are free."
        case Fit.TIGHT:
            free = hardware.available_memory_mb / 1024
            return f"{need} and only {free:.1f} GiB are free: close other programs first."
        case Fit.TOO_LARGE:
            return f"{need}, too much for this machine's {hardware.total_memory_mb / 1024:.1f} GiB."


def recommend(catalog: Catalog, hardware: Hardware) -> tuple[CatalogEntry, ...]:
    """The tested models that this machine runs well without a GPU, largest first.

    Where none is fast enough: the smallest that fits. Empty where none fits.
    """
    tested = [entry for entry in catalog.entries if entry.tested and entry.size_bytes is not None]
    fitting = sorted(
        (entry for entry in tested if fit(entry, hardware) is not Fit.TOO_LARGE), key=lambda entry: entry.memory_mb
    )
    budget_bytes = hardware.n_cores * _MAX_BYTES_PER_CORE
    quick = [entry for entry in fitting if (entry.size_bytes or 0) <= budget_bytes]
    return tuple(reversed(quick)) or tuple(fitting[:1])


def read_hardware(cgroup: Path = _CGROUP) -> Hardware:
    """This machine, or the share of it that a container, its CPU quota or a CPU mask leaves this process."""
    memory = psutil.virtual_memory()
    total, available = int(memory.total), int(memory.available)
    limit = _read_number(cgroup / "memory.max")
    if limit is not None:
        used = _read_number(cgroup / "memory.current") or 0
        total, available = min(total, limit), min(available, max(0, limit - used))
    n_cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return Hardware(total >> 20, available >> 20, min(n_cores, usable_cores()))


def _read_number(path: Path) -> int | None:
    """A cgroup v2 value; None for "max" and where there is no such file."""
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None
