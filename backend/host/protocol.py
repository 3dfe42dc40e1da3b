"""What client and model process say to each other: one JSON object a frame, a 4-byte length before it.

Requests carry `id` and `op`; every request but `cancel` is answered exactly once, by a frame with its `id` and either
`result` or `error`. `generate` sends `token` frames before that. Knows neither sockets' life nor llama.cpp.
"""

from __future__ import annotations

import asyncio
import json
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fimble.core import errors
from fimble.core.flow import (
    Constraint,
    GenerationStats,
    GrammarKind,
    LineMode,
    ModelInfo,
    Prompt,
    StopReason,
    StopRules,
    Token,
    TokenId,
    UserGrammar,
)

# Part of the socket's name: a client never talks to a host of another protocol. Raise it with every change here.
PROTOCOL_VERSION = 7
_LENGTH = struct.Struct(">I")
_MAX_CONSTRAINT_CHARS = 400_000
_MAX_FRAME_BYTES = 256 * 1024 * 1024

Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which weights to run and how; requests with equal specs share one model in memory.

    `has_extra_kernels` is false where llama.cpp is to leave out those for repacked weights and for AMX. `files_stamp`
    tells weights and adapter from others that were at their paths before.
    """

    model_id: str
    path: Path
    n_ctx: int
    n_gpu_layers: int
    n_threads: int
    adapter: Path | None = None
    has_extra_kernels: bool = True
    files_stamp: str = ""


async def read_frame(reader: asyncio.StreamReader) -> Frame | None:
    """The next frame, None at the end of the stream.

    Raises:
        BackendError: the other side does not speak this protocol.
    """
    try:
        (n_bytes,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if n_bytes > _MAX_FRAME_BYTES:
            raise errors.BackendError(f"A frame of {n_bytes} bytes came over the model process's socket.")
        frame = json.loads(await reader.readexactly(n_bytes))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except ValueError as error:
        raise errors.BackendError(f"The model process's socket carried something that is not JSON: {error}") from error
    if not isinstance(frame, dict):
        raise errors.BackendError("The model process's socket carried something that is not a frame.")
    return frame


def encode_frame(frame: Frame) -> bytes:
    """A frame as bytes for the socket."""
    body = json.dumps(frame, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


def spec_to_wire(spec: ModelSpec) -> Frame:
    """A model spec as JSON."""
    return {**asdict(spec), "path": str(spec.path), "adapter": str(spec.adapter) if spec.adapter else None}


def spec_from_wire(wire: Frame) -> ModelSpec:
    """Back from JSON."""
    adapter = Path(wire["adapter"]) if wire["adapter"] else None
    fields: Frame = {**wire, "path": Path(wire["path"]), "adapter": adapter}
    return ModelSpec(**fields)


def prompt_to_wire(prompt: Prompt) -> Frame:
    """What the model process needs of a prompt: segments are for people and stay here.

    The text around the hole of a file too large to be judged by its syntax stays here too.
    """
    constraint = prompt.constraint
    if constraint and len(constraint.prefix) + len(constraint.suffix) > _MAX_CONSTRAINT_CHARS:
        constraint = None
    return {
        "tokens": prompt.tokens,
        "stop": asdict(prompt.stop),
        "constraint": asdict(constraint) if constraint else None,
        "first_choice": prompt.first_choice,
        "heals": prompt.heals,
        "name_rests": prompt.name_rests,
    }


def prompt_from_wire(wire: Frame) -> Prompt:
    """Back from JSON."""
    stop: Frame = dict(wire["stop"])
    stop["line_mode"] = LineMode(stop["line_mode"])
    stop["stop_tokens"] = tuple(stop["stop_tokens"])
    stop["neighbours"] = None if stop["neighbours"] is None else tuple(stop["neighbours"])
    return Prompt(
        tokens=tuple(wire["tokens"]),
        segments=(),
        stop=StopRules(**stop),
        constraint=_constraint_from_wire(wire["constraint"]) if wire["constraint"] else None,
        first_choice=wire["first_choice"],
        heals=wire["heals"],
        name_rests=tuple(wire["name_rests"]),
    )


def _constraint_from_wire(wire: Frame) -> Constraint:
    fields: Frame = dict(wire)
    if grammar := fields.pop("user_grammar"):
        fields["user_grammar"] = UserGrammar(GrammarKind(grammar["kind"]), grammar["text"])
    return Constraint(**fields)


def token_to_wire(token: Token) -> list[Any]:
    """A token as JSON."""
    return [token.token_id, token.text, token.logprob, token.n_taken_back]


def token_from_wire(wire: list[Any]) -> Token:
    """Back from JSON."""
    return Token(TokenId(wire[0]), wire[1], wire[2], wire[3])


def stats_from_wire(wire: Frame) -> GenerationStats:
    """Back from JSON."""
    fields: Frame = {**wire, "stop_reason": StopReason(wire["stop_reason"])}
    return GenerationStats(**fields)


def info_from_wire(wire: Frame) -> ModelInfo:
    """Back from JSON."""
    fields: Frame = {**wire, "eog_tokens": tuple(wire["eog_tokens"])}
    return ModelInfo(**fields)


def error_to_wire(error: Exception) -> Frame:
    """An error as JSON; one that is not of our tree is a bug of the model process, and says so."""
    if isinstance(error, errors.FimbleError):
        return {"kind": type(error).__name__, "message": error.message, "mend": error.mend}
    return {"kind": "BackendError", "message": f"The model process failed: {type(error).__name__}: {error}", "mend": ""}


def error_from_wire(wire: Frame) -> errors.FimbleError:
    """Back from JSON, as the same class."""
    kind = getattr(errors, wire["kind"], errors.BackendError)
    if not (isinstance(kind, type) and issubclass(kind, errors.FimbleError)):
        kind = errors.BackendError
    return kind(wire["message"], mend=wire["mend"])
