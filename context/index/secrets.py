"""Finds keys, tokens and passwords in code, so that they enter no index and no prompt.

Two ways: formats that issuers document, and random-looking literals that are assigned to a telling name. Identifiers,
digests and placeholders must pass: a false alarm takes a definition from the model.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import PurePosixPath

# Formats by a text that each of them contains: looking for it costs next to nothing. No pattern may backtrack over
# more than a few characters, for it meets every line of a workspace.
_FORMATS = {
    "PRIVATE KEY": r"-----(?:BEGIN|END) (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----",
    # AWS access key ids
    "AKIA": r"\bAKIA[A-Z2-7]{16}\b",
    "ASIA": r"\bASIA[A-Z2-7]{16}\b",
    "ABIA": r"\bABIA[A-Z2-7]{16}\b",
    # GitHub, GitLab
    "ghp_": r"\bghp_[A-Za-z0-9]{36}",
    "gho_": r"\bgho_[A-Za-z0-9]{36}",
    "ghu_": r"\bghu_[A-Za-z0-9]{36}",
    "ghs_": r"\bghs_[A-Za-z0-9]{36}",
    "ghr_": r"\bghr_[A-Za-z0-9]{36}",
    "github_pat_": r"\bgithub_pat_[A-Za-z0-9_]{22}",
    "glpat-": r"\bglpat-[A-Za-z0-9_-]{20}",
    # Slack
    "xox": r"\bxox[abeoprs]-[A-Za-z0-9-]{10}",
    "hooks.slack.com": r"hooks\.slack\.com/services/T\w{5,}/B\w{5,}/\w{10}",
    # Google
    "AIza": r"\bAIza[A-Za-z0-9_-]{35}\b",
    "ya29.": r"\bya29\.[A-Za-z0-9_-]{20}",
    # Stripe
    "k_live_": r"\b[rs]k_live_[A-Za-z0-9]{16}",
    "k_test_": r"\b[rs]k_test_[A-Za-z0-9]{16}",
    # OpenAI, Anthropic and kin; packages; containers; mail; Azure; JSON web tokens
    "sk-": r"(?<![A-Za-z0-9_-])sk-[A-Za-z0-9_-]{0,24}?[A-Za-z0-9]{20}",
    "hf_": r"\bhf_[A-Za-z0-9]{30}",
    "npm_": r"\bnpm_[A-Za-z0-9]{36}\b",
    "pypi-": r"\bpypi-AgEI[A-Za-z0-9_-]{40}",
    "dckr_pat_": r"\bdckr_pat_[A-Za-z0-9_-]{20}",
    "SG.": r"\bSG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16}",
    "AccountKey=": r"\bAccountKey=[A-Za-z0-9+/=]{40}",
    "eyJ": r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10}",
}
_COMPILED_FORMATS = {part: re.compile(pattern) for part, pattern in _FORMATS.items()}
_TELLING = (
    r"(?:passw(?:or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|auth_?key|signing_?key|encryption_?key"
    r"|credential)"
)
# name = "value", "name": 'value', name => "value", put("name", "value")
_ASSIGNED = re.compile(
    rf"(?i){_TELLING}[\w.\-]{{0,40}}[\"'`]?\]?[ \t]{{0,4}}(?::[ \t]?[\w\[\]<>?|]{{1,30}}[ \t]?)?(?::=|=>|[:=,(])"
    r"[ \t]{0,4}[brfu@$]{0,2}([\"'`])(?P<value>[^\"'`\s]{8,200})\1"
)
# NAME=value of a dotenv file
_DOTENV = re.compile(
    r"(?m)^[ \t]{0,8}(?:export[ \t]+)?(?P<name>\w{3,60})[ \t]?=[ \t]?(?P<value>[^\s\"'#(){}\[\];,]{12,200})$"
)
_TELLING_NAME = re.compile(rf"(?i){_TELLING}")
_URL_PASSWORD = re.compile(r"://[^\s/:@'\"]{1,60}:(?P<value>[^\s/@'\"]{4,100})@")
_LITERAL = re.compile(r"[\"'`](?P<value>[A-Za-z0-9+/_=-]{40,512})[\"'`]")
_PLACEHOLDER = re.compile(
    r"^(?:.*(?:xxx|XXX).*|.*(?i:example|changeme|placeholder|dummy|redacted|your[_-]|my[_-]?secret|\.\.\.|\*\*\*).*"
    # Words in their usual shapes. Cases are told apart: else a run of letters could be cut in exponentially many ways.
    r"|[<{%$\[].*|.*[>}%\]]|[a-z]+(?:[ _.:/-][a-z]+)*|[A-Z][a-z]+(?:[ _.:/-][A-Z]?[a-z]+)*"
    r"|[A-Z]+(?:[ _.:/-][A-Z]+)*|[a-z]*(?:[A-Z][a-z]+)+|(.)\1*|[0-9.]+)$"
)
_PATH = re.compile(r"(?:https?:|unix:|\.{0,2}/|~|@@|_[a-z][a-z0-9_]*$)")
_NO_LETTER = re.compile(r"[0-9!#$%^&*]")
_HEXADECIMAL = re.compile(r"^[0-9a-fA-F-]+$")
_MIN_BITS_TELLING = 3.0
# Names in camel case change at two of five or six letters, random letters at one of two.
_MAX_CASE_CHANGES_OF_NAMES = 0.35
# Base64 of 40 random bytes has 4.6 to 5.2 bits a character, English without spaces 4.0 to 4.3.
_MIN_BITS_LITERAL = 4.6

_SECRET_FILES = re.compile(
    r"^(?:\.env(?:\..*)?|.*\.env|.*\.(?:pem|key|p12|pfx|p8|jks|keystore|kdbx|ppk|asc|gpg|ovpn|tfvars|tfstate)"
    r"|id_(?:rsa|dsa|ecdsa|ed25519).*|\.netrc|_netrc|\.npmrc|\.pypirc|\.pgpass|\.htpasswd|\.git-credentials"
    r"|credentials(?:\.\w+)?|service[_-]?account.*\.json|secrets?\.(?:ya?ml|json|toml|ini|env|properties))$",
    re.IGNORECASE,
)
_SAMPLE_SUFFIXES = (".example", ".sample", ".template", ".dist")


def is_secret_file(path: str) -> bool:
    """Whether a file holds secrets by its name: `.env`, keys, credentials. Samples without values do not."""
    name = PurePosixPath(path.replace("\\", "/")).name
    return bool(_SECRET_FILES.match(name)) and not name.lower().endswith(_SAMPLE_SUFFIXES)


def has_secret(text: str) -> bool:
    """Whether a text holds something that looks like a secret."""
    return any(part in text and pattern.search(text) for part, pattern in _COMPILED_FORMATS.items()) or _has_value(text)


def has_private_key(text: str) -> bool:
    """Whether a private key begins or ends in a text."""
    return "PRIVATE KEY" in text and bool(_COMPILED_FORMATS["PRIVATE KEY"].search(text))


def without_secrets(text: str) -> str:
    """The text with the lines that hold secrets left empty, so that the others keep their numbers.

    Nothing at all when a private key begins or ends in it.
    """
    if not has_secret(text):
        return text
    if has_private_key(text):
        return ""
    return "".join(_end_of(line) if has_secret(line) else line for line in text.splitlines(keepends=True))


def lines_without_secrets(text: str, first_line: int, end_line: int) -> str:
    """Lines of a file's text, from `first_line` to before `end_line`; none of a file that holds a private key.

    Some lines alone do not tell that they are the middle of one.
    """
    if has_private_key(text):
        return ""
    return without_secrets("\n".join(text.split("\n")[first_line:end_line]))


def _end_of(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _has_value(text: str) -> bool:
    """Whether a literal in the text is a secret by its name, or by how random it is."""
    named = [match["value"] for match in _ASSIGNED.finditer(text)]
    named += [match["value"] for match in _DOTENV.finditer(text) if _TELLING_NAME.search(match["name"])]
    if any(_is_password(value) for value in named):
        return True
    if any(not _PLACEHOLDER.match(match["value"]) for match in _URL_PASSWORD.finditer(text)):
        return True
    return any(_is_random(match["value"]) for match in _LITERAL.finditer(text))


def _is_password(value: str) -> bool:
    """Neither a word, nor a path, nor a hole to be filled."""
    if _PLACEHOLDER.match(value) or _PATH.match(value):
        return False
    if not _NO_LETTER.search(value) and _case_changes(value) <= _MAX_CASE_CHANGES_OF_NAMES:
        return False
    return _bits_per_char(value) >= _MIN_BITS_TELLING


def _is_random(value: str) -> bool:
    """Neither a digest nor words."""
    return not _HEXADECIMAL.match(value) and _is_mixed(value) and _bits_per_char(value) >= _MIN_BITS_LITERAL


def _is_mixed(value: str) -> bool:
    """Upper and lower case and digits, changing often, as in base64 of random bytes."""
    return any(char.isdigit() for char in value) and _case_changes(value) > _MAX_CASE_CHANGES_OF_NAMES


def _case_changes(value: str) -> float:
    """The share of letters and digits that differ in kind from the one before; 0 unless both cases are there."""
    kinds = ["d" if char.isdigit() else "u" if char.isupper() else "l" for char in value if char.isalnum()]
    n_changes = sum(a != b for a, b in pairwise(kinds))
    return n_changes / len(kinds) if {"u", "l"} <= set(kinds) else 0.0


def _bits_per_char(value: str) -> float:
    n = len(value)
    return -sum(count / n * math.log2(count / n) for count in Counter(value).values())
