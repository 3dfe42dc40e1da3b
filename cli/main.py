"""The `fimble` command: finds subcommands, prints expected errors as sentences, sets exit codes."""

from __future__ import annotations

import importlib
import io
import sys
from importlib.metadata import version

import click

from fimble.core.errors import FimbleError

# Subcommand -> module of this folder that holds a click command of the same name. Modules load when they are used:
# `fimble --version` must not import a model runtime.
_COMMANDS = {
    "bench": "bench",
    "cache": "cache",
    "complete": "complete",
    "config": "config",
    "doctor": "doctor",
    "eval": "eval",
    "experiment": "experiment",
    "explain": "explain",
    "holes": "holes",
    "index": "index",
    "models": "models",
    "replay": "replay",
    "serve": "serve",
    "stats": "stats",
    "telemetry": "telemetry",
    "tune": "tuned",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"fimble.cli.{_COMMANDS[cmd_name]}")
        command = getattr(module, cmd_name, None) or getattr(module, f"{cmd_name}_command")
        return command if isinstance(command, click.Command) else None


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("fimble"), prog_name="fimble")
def root() -> None:
    """Code completion at your cursor, by a model on your own machine.

    Exit codes: 0 done, 1 other failure, 2 wrong input, 3 the model, 4 the model process, 5 download.
    """


@root.result_callback()
def flush(_result: object) -> None:
    """Write all of it now: that the reader has gone would be a failure when the interpreter ends."""
    sys.stdout.flush()


def main() -> None:
    """Entry point of the console script."""
    stdout = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(errors="backslashreplace")  # paths and code hold what a terminal's encoding may not
    try:
        root.main(standalone_mode=False)
    except FimbleError as error:
        click.echo(f"fimble: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("fimble: stopped.", err=True)
        sys.exit(130)
    except SystemExit as end:
        # The reader has gone (`... | head -1`): click puts a mute stream in stdout's place, and both it and rich end.
        if sys.stdout is not stdout or isinstance(end.__context__, BrokenPipeError):
            sys.exit(0)
        raise


if __name__ == "__main__":
    main()
