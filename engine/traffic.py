"""Who waits for which generation: one may serve several requests, and what it wrote is remembered for later ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fimble.core.flow import Prompt
from fimble.core.ports import ModelBackend
from fimble.engine.flight import Flight, Written
from fimble.engine.reuse import Answer, Recall, left_of, typed_into


@dataclass(frozen=True, slots=True)
class Route:
    """Where a generation goes: all that must be the same for another request to come aboard, but for typed text."""

    uri: str
    digest: str
    prefix: str
    suffix: str


class Traffic:
    """The generation under way, and the answers of earlier ones."""

    def __init__(self, backend: ModelBackend) -> None:
        """Nothing is under way."""
        self._backend = backend
        self._recall = Recall()
        self._flight: Flight | None = None
        self._landing: list[Flight] = []
        self._route: Route | None = None

    def known(self, route: Route) -> tuple[Answer, str] | None:
        """The newest answer that applies, and what is left of it."""
        return self._recall.find(route.uri, route.digest, route.prefix, route.suffix)

    async def write(self, route: Route, prompt: Prompt) -> Written:
        """What the model writes for a route, by the generation under way if the user typed along with it.

        Raises:
            ModelError: the weights cannot be used.
            BackendError: the process that runs them failed.
        """
        flight, typed = self._board(route, prompt)
        written = await flight.landing_with(typed)
        left = left_of(written.text, typed) if written else None
        if written is None or left is None:  # which could not be seen when this request came aboard
            written = await self._take_off(route, prompt).landing()
        else:
            written = replace(written, text=left, confidence=written.confidence.after(len(typed)))
        self._keep(route, written)
        return written

    async def write_ahead(self, route: Route, prompt: Prompt) -> None:
        """Have an answer ready that nobody asked for yet. The next generation stops this one, unless it is the same."""
        if written := await self._take_off(route, prompt).end():
            self._keep(route, written)

    def stop(self) -> None:
        """Stop what nobody waits for."""
        if self._flight:
            self._flight.stop_if_forsaken()

    async def over(self) -> None:
        """Wait until nothing is under way any more: a task that outlives its event loop is torn up."""
        for flight in (*self._landing, *filter(None, (self._flight,))):
            await flight.over()

    def _board(self, route: Route, prompt: Prompt) -> tuple[Flight, str]:
        """The generation under way if the user typed along with it, and what was typed; else a new one."""
        if self._flight and self._route:
            typed = typed_into(self._route.prefix, route.prefix)
            is_same = (route.uri, route.digest, route.suffix) == (
                self._route.uri,
                self._route.digest,
                self._route.suffix,
            )
            if is_same and typed is not None and self._flight.lets_aboard(typed):
                return self._flight, typed
        return self._take_off(route, prompt), ""

    def _take_off(self, route: Route, prompt: Prompt) -> Flight:
        """Start a generation. The one before stops once nobody waits for it: nobody else will want it any more."""
        if self._flight:
            self._flight.close()
            self._landing = [flight for flight in (*self._landing, self._flight) if not flight.is_over]
        self._flight, self._route = Flight(self._backend, prompt), route
        return self._flight

    def _keep(self, route: Route, written: Written) -> None:
        self._recall.keep(
            Answer(
                route.uri,
                route.digest,
                route.prefix,
                route.suffix,
                written.text,
                written.confidence,
                written.stats.stop_reason,
            )
        )
