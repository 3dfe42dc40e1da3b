"""textDocument/inlineCompletion: what comes at the cursor?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from fimble.lsp_server import convert
from fimble.lsp_server.convert import Item, TriggerReader
from fimble.lsp_server.documents import Snapshot
from fimble.lsp_server.journal import ItemId
from fimble.lsp_server.session import Answer

if TYPE_CHECKING:
    from fimble.lsp_server.server import FimbleServer


def register(server: FimbleServer) -> None:
    """Add the handler; without options pygls would not advertise it."""
    triggers = TriggerReader()

    async def inline_completion(ls: FimbleServer, params: types.InlineCompletionParams) -> types.InlineCompletionList:
        return await _inline_completion(ls, params, triggers)

    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())(inline_completion)


async def _inline_completion(
    ls: FimbleServer, params: types.InlineCompletionParams, triggers: TriggerReader
) -> types.InlineCompletionList:
    trigger = triggers.read(params.context.trigger_kind)
    # The snapshot comes before the first await: the text may change after it.
    snapshot = ls.session.documents.snapshot(params.text_document.uri, convert.place(params.position))
    if snapshot is None:
        return convert.completion_list([])
    answer = await ls.session.complete(snapshot, trigger, convert.popup_item(snapshot, params.context))
    return convert.completion_list([] if answer is None else items(snapshot, answer))


def items(snapshot: Snapshot, answer: Answer) -> list[Item]:
    """One item per candidate."""
    start, end = snapshot.to_place(answer.replace.start), snapshot.to_place(answer.replace.end)
    return [Item(ItemId(answer.request_id, i), text, start, end) for i, text in enumerate(answer.texts)]
