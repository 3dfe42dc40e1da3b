"""Builds an engine from settings: the only module that names concrete parts."""

from __future__ import annotations

from pathlib import Path

from fimble.backend.catalog.adapters import AdapterStore
from fimble.backend.catalog.catalog import is_model_id, load_catalog
from fimble.backend.catalog.store import ModelStore
from fimble.backend.host.client import HostBackend
from fimble.backend.host.protocol import ModelSpec
from fimble.backend.scripted import ScriptedBackend
from fimble.context.sources.activity import Activity
from fimble.context.sources.build import build_sources
from fimble.core.flow import Event
from fimble.core.ports import EventSink, ModelBackend
from fimble.engine.clock import SystemClock
from fimble.engine.complete import Engine
from fimble.engine.grammars import UserGrammars
from fimble.engine.settings import Settings

_SCRIPTED = "scripted:"


def build_engine(
    settings: Settings,
    *,
    backend: ModelBackend | None = None,
    workspace: Path | None = None,
    sink: EventSink | None = None,
    in_editor: bool = False,
    is_patient: bool = False,
) -> Engine:
    """An engine for `settings`; `backend` replaces the configured model, `sink` takes events (none are kept without).

    `workspace` is the folder whose other files may be shown to the model; without it only the text itself is.
    `in_editor` says that somebody works there: the workspace is watched, its index kept up in the cache folder, and
    what is open and was edited counts. Else an index that an editor or `fimble index` left there is used as it is.
    `is_patient` has a request made by hand wait for all that the sources find, however long: for an evaluation.

    Nothing is loaded or started yet: a missing model shows with the first request, or with `Engine.ready`.
    """
    sources = build_sources(
        workspace,
        n_tokens=settings.config.prompt.chunk_tokens,
        cache=settings.paths.cache,
        keeps_index_up=in_editor,
        activity=Activity() if in_editor else None,
        is_patient=is_patient,
    )
    return Engine(
        settings.config,
        backend or build_backend(settings),
        sources,
        sink or _NoSink(),
        SystemClock(),
        sources,
        UserGrammars(workspace),
        is_patient=is_patient,
    )


def build_backend(settings: Settings) -> ModelBackend:
    """The backend of the configured model."""
    model = settings.config.model
    if model.id.startswith(_SCRIPTED):
        return ScriptedBackend.from_file(Path(model.id.removeprefix(_SCRIPTED)))

    def find_model() -> ModelSpec:
        store = ModelStore(settings.paths.models, load_catalog())
        path = store.resolve(model.id)
        if not model.adapter:
            return ModelSpec(model.id, path, model.n_ctx, model.n_gpu_layers, model.n_threads)
        record = store.find(model.id) if is_model_id(model.id) else None
        adapter = AdapterStore(settings.paths.models).resolve(
            model.adapter, base_sha256=record.sha256 if record else None
        )
        # Counts and experiments tell answers with an adapter from those without by the model's id.
        name = f"{model.id}+{Path(model.adapter).stem}"
        return ModelSpec(name, path, model.n_ctx, model.n_gpu_layers, model.n_threads, adapter)

    return HostBackend(find_model, settings.paths, settings.config.host)


class _NoSink:
    """Keeps nothing."""

    def record(self, event: Event) -> None:
        """Forget it."""
        del event
