"""Where settings come from: defaults, config.toml, FIMBLE_* variables, then the caller's own."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from fimble.core.config import Config, Layer, Problem, options, resolve
from fimble.core.paths import Paths


@dataclass(frozen=True, slots=True)
class Settings:
    """The resolved options, the folders, and every setting that could not be used."""

    config: Config
    paths: Paths
    problems: tuple[Problem, ...]


def load_settings(layers: Sequence[Layer] = (), *, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings of this user, `layers` (an editor's, the command line's) on top. Wrong ones are reported, not fatal."""
    env = os.environ if environ is None else environ
    paths = user_paths(env)
    file_layer, file_problems = _read_config_file(paths.config / "config.toml")
    config, problems = resolve([file_layer, _env_layer(env), *layers])
    return Settings(config, paths, (*file_problems, *problems))


def user_paths(environ: Mapping[str, str]) -> Paths:
    """The platform's own places, or everything under $FIMBLE_HOME when that is set."""
    home = environ.get("FIMBLE_HOME")
    if home:
        root = Path(home).expanduser().absolute()
        return Paths(root / "config", root / "models", root / "cache", root / "state", root / "run")
    dirs = platformdirs.PlatformDirs("fimble", appauthor=False)
    return Paths(
        config=Path(dirs.user_config_dir),
        models=Path(dirs.user_data_dir) / "models",
        cache=Path(dirs.user_cache_dir),
        state=Path(dirs.user_state_dir),
        # Without a runtime folder of the session the socket lives with our state: /tmp is everybody's.
        runtime=Path(environ["XDG_RUNTIME_DIR"]) / "fimble"
        if environ.get("XDG_RUNTIME_DIR")
        else Path(dirs.user_state_dir) / "run",
    )


def _env_layer(environ: Mapping[str, str]) -> Layer:
    values = {key: environ[option.env_var] for key, option in options().items() if option.env_var in environ}
    return Layer("environment", values)


def _read_config_file(path: Path) -> tuple[Layer, tuple[Problem, ...]]:
    try:
        return Layer(str(path), tomllib.loads(path.read_text("utf-8"))), ()
    except FileNotFoundError:
        return Layer(str(path), {}), ()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return Layer(str(path), {}), (Problem(str(path), "(whole file)", f"not used: {error}"),)
