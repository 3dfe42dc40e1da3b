"""llama.cpp's shared library: loaded once, quiet, its last complaints kept for error messages."""

from __future__ import annotations

import ctypes
import logging
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Any

_log = logging.getLogger(__name__)
# ggml_log_level: 1 debug, 2 info, 3 warn, 4 error, 5 continuation of the last line.
_WARN = 3
_CONTINUE = 5
_recent_complaints: deque[str] = deque(maxlen=8)


@dataclass(frozen=True, slots=True)
class BuildFacts:
    """What the installed llama-cpp-python can do."""

    version: str
    can_use_gpu: bool
    system_info: str


@cache
def llama() -> Any:
    """The `llama_cpp` module, its backend initialised and its log routed to ours."""
    import llama_cpp

    def on_log(level: int, text: bytes, _user_data: object) -> None:
        line = text.decode("utf-8", "replace").rstrip()
        if level in (_WARN, _WARN + 1) and line:
            _recent_complaints.append(line)
        if level != _CONTINUE and line:
            _log.debug("%s", line)

    callback = llama_cpp.llama_log_callback(on_log)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    llama_cpp.fimble_log_callback = callback  # type: ignore[attr-defined]  # ctypes keeps no reference of its own
    llama_cpp.llama_backend_init()
    return llama_cpp


def last_complaint() -> str:
    """The last warning or error that llama.cpp logged, or an empty string."""
    return _recent_complaints[-1] if _recent_complaints else ""


def forget_complaints() -> None:
    """Start listening afresh, before an operation whose failure will be explained."""
    _recent_complaints.clear()


def build_facts() -> BuildFacts:
    """Version and abilities of the installed build."""
    lib = llama()
    return BuildFacts(
        version=lib.__version__,
        can_use_gpu=bool(lib.llama_supports_gpu_offload()),
        system_info=lib.llama_print_system_info().decode("utf-8", "replace").strip(),
    )
