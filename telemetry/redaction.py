"""Takes keys, tokens and passwords out of code before it is kept. Errs on the side of taking out too much."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """What a secret looks like. Group `secret` is taken out, or the whole match where there is none."""

    name: str
    pattern: re.Pattern[str]


def _rule(name: str, pattern: str) -> Rule:
    return Rule(name, re.compile(pattern))


# Formats as their issuers document them; checked by tests/telemetry/test_redaction.py.
RULES: Final = (
    _rule(
        "private_key",
        r"-----BEGIN [A-Z ]*PRIVATE KEY[A-Z ]*-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY[A-Z ]*-----|\Z)",
    ),
    _rule("aws_key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    _rule("github_token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})\b"),
    _rule("gitlab_token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    _rule("slack_token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    _rule("slack_webhook", r"https://hooks\.slack\.com/services/[A-Za-z0-9/]+"),
    _rule("google_key", r"\bAIza[A-Za-z0-9_-]{35}"),
    _rule("stripe_key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    _rule("api_key", r"\bsk-[A-Za-z0-9_-]{20,}"),
    _rule("hub_token", r"\bhf_[A-Za-z0-9]{30,}\b"),
    _rule("package_token", r"\b(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{40,}|dckr_pat_[A-Za-z0-9_-]{20,})"),
    _rule("sendgrid_key", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    _rule("jwt", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    _rule("bearer", r"(?i)\bbearer\s+(?P<secret>[A-Za-z0-9._~+/=-]{16,})"),
    _rule("url_password", r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@'\"]*:(?P<secret>[^\s/@'\"]+)@"),
    # `password = "..."`, `"api_key": '...'`, `token: ...` as in YAML or a dotenv file.
    _rule(
        "assigned",
        r"(?i)(?:passw(?:or)?d|passwd|pwd|secret|token|api_?key|apikey|access_?key|private_?key|credentials?|auth)"
        r"[A-Za-z0-9_-]*[\"']?\s*(?::=|=>|[:=])\s*[brfuBRFU]{0,2}[\"'](?P<secret>[^\"'\n]{4,})[\"']",
    ),
    # Without quotes: a dotenv file's `NAME=value`, YAML's `name: value` when the value has a digit (types have none).
    _rule(
        "assigned",
        r"(?m)^\s*(?:export\s+)?[A-Z0-9_]*(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)[A-Z0-9_]*"
        r"=(?P<secret>[^\s\"'#(){}\[\],;]{8,})\s*$",
    ),
    _rule(
        "assigned",
        r"(?im)^\s*[a-z0-9_-]*(?:password|passwd|secret|token|api_?key|access_?key|private_?key)[a-z0-9_-]*"
        r":\s+(?=\S*\d)(?P<secret>[^\s\"'#(){}\[\],;]{8,})\s*$",
    ),
)  # fmt: skip

# A quoted or bare run this long that looks random is a key more often than not.
_RUN: Final = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_=-]{32,}(?![A-Za-z0-9+/_=-])")
_MIN_BITS_PER_CHAR: Final = 3.0
_MIN_BITS_PER_CHAR_MIXED: Final = 4.0


def redact(text: str) -> str:
    """`text` with each secret found replaced by `<redacted:kind>`."""
    for rule in RULES:
        text = rule.pattern.sub(lambda match, name=rule.name: _without_secret(match, name), text)
    return _RUN.sub(lambda match: "<redacted:random>" if _looks_random(match.group()) else match.group(), text)


def _without_secret(match: re.Match[str], name: str) -> str:
    whole, mark = match.group(), f"<redacted:{name}>"
    if "secret" not in match.re.groupindex:
        return mark
    if match.group("secret").startswith("<redacted:"):
        return whole
    start, end = match.start("secret") - match.start(), match.end("secret") - match.start()
    return whole[:start] + mark + whole[end:]


def _looks_random(run: str) -> bool:
    """Hex digests and base64 keys, not long names: those have few digits or repeat their letters."""
    bits = _bits_per_char(run)
    if re.fullmatch(r"[0-9a-fA-F]+", run):
        return bits >= _MIN_BITS_PER_CHAR
    has_all = any(c.isdigit() for c in run) and any(c.islower() for c in run) and any(c.isupper() for c in run)
    return has_all and bits >= _MIN_BITS_PER_CHAR_MIXED


def _bits_per_char(run: str) -> float:
    """Shannon entropy of the characters."""
    counts = Counter(run)
    return -sum(n / len(run) * math.log2(n / len(run)) for n in counts.values())
