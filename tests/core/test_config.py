"""Options: layers, coercion, and problems that leave the rest standing."""

from __future__ import annotations

import pytest

from fimble.core.config import Config, Layer, options, resolve


def test_defaults_without_layers() -> None:
    config, problems = resolve([])
    assert config == Config()
    assert problems == ()


def test_later_layers_win_flat_or_nested() -> None:
    layers = [Layer("file", {"model": {"id": "a", "n_ctx": 1024}}), Layer("command line", {"model.id": "b"})]
    config, problems = resolve(layers)
    assert (config.model.id, config.model.n_ctx, problems) == ("b", 1024, ())


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("model.n_ctx", "2048", 2048),
        ("host.linger_s", 5, 5.0),
        ("completion.enabled", "off", False),
        ("completion.enabled", True, True),
        ("prompt.layout", "psm", "psm"),
    ],
)
def test_coercion(key: str, raw: object, value: object) -> None:
    config, problems = resolve([Layer("test", {key: raw})])
    section, name = key.split(".")
    assert getattr(getattr(config, section), name) == value
    assert problems == ()


@pytest.mark.parametrize(
    ("key", "raw", "reason"),
    [
        ("model.n_ctx", "many", "must be a number"),
        ("model.n_ctx", 10.5, "whole number"),
        ("model.n_ctx", True, "must be a number"),
        ("model.n_ctx", 1, "at least 512"),
        ("completion.enabled", "perhaps", "true or false"),
        ("prompt.layout", "sideways", "one of auto"),
        ("model.id", 3, "must be text"),
        ("model.idd", "x", "no such option"),
    ],
)
def test_a_wrong_setting_is_reported_and_the_rest_stands(key: str, raw: object, reason: str) -> None:
    config, problems = resolve([Layer("file", {key: raw, "host.linger_s": 7})])
    assert config.host.linger_s == 7.0
    (problem,) = problems
    assert (problem.source, problem.key) == ("file", key)
    assert reason in problem.reason


def test_every_option_is_documented_and_has_a_sane_default() -> None:
    for key, option in options().items():
        assert option.doc.endswith("."), key
        assert isinstance(option.default, option.type), key
        assert not option.choices or option.default in option.choices, key
        assert option.env_var.startswith("FIMBLE_")
