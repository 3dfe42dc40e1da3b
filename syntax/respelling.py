"""Spellings that a language has and its grammar has not: what is parsed has others in their place, which are as long.

Context does not matter: within strings and comments they do no harm. Found by parsing real code that compilers take.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# All of them are looked for at every judged piece: 0.1 to 3 ms a time at this size, the most in C++.
_MAX_BYTES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Respelling:
    """What `pattern` matches, or its first group where that took part, becomes `stand_in`, filled up with `fill`.

    Looked for only in texts with one of `markers`. Patterns begin with characters, and look behind after them: so most
    places are passed over ten times as fast.
    """

    markers: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    stand_in: bytes = b""
    fill: bytes = b" "

    def apply(self, text: bytes) -> bytes:
        """`text` with the stand-ins; `text` itself where there are none."""
        return self.pattern.sub(self._replace, text) if any(marker in text for marker in self.markers) else text

    def _replace(self, matched: re.Match[bytes]) -> bytes:
        start, end = matched.span(1) if matched.lastindex else matched.span()
        stand_in = (self.stand_in + self.fill * (end - start))[: end - start]
        return matched.string[matched.start() : start] + stand_in + matched.string[end : matched.end()]


@lru_cache(maxsize=8)  # a text is parsed, and then compared with the next one
def respelled(text: bytes, respellings: tuple[Respelling, ...]) -> bytes:
    """`text` with the stand-ins of all of them; `text` itself where there are none, or it is too long."""
    if len(text) <= _MAX_BYTES:
        for respelling in respellings:
            text = respelling.apply(text)
    return text


def _respelling(markers: bytes, pattern: bytes, stand_in: bytes = b"", fill: bytes = b" ") -> Respelling:
    return Respelling(tuple(markers.split()), re.compile(pattern, re.MULTILINE), stand_in, fill)


# `{"a": 1.5e+3}`
JSON: Final = (_respelling(b"e+ E+", rb"[eE](\+)", b"-"),)
# Commas before closing brackets, with the comments between, so many as stand in a block that was commented out.
LOOSE_COMMAS: Final = (_respelling(b",", rb",(?=(?:\s++|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/){0,200}+[\]}])"),)
# `case null, default ->`, since Java 21. The grammar takes names there; no part of this one is a reserved word.
JAVA: Final = (_respelling(b"null,", rb"\bcase null, (default)\b", b"def.ult"),)
# `<p>Terms & Conditions</p>`; as an operator it is as good as the other.
AMPERSANDS: Final = (_respelling(b"&", rb"&(?<=\s&)(?=\s)", b"|"),)
# `<label class="a" for="b">`
JSX_NAMES: Final = (_respelling(b"class= for=", rb"[ \t\n](class|for)(?==)", b"", b"_"),)
# `interface A<in T, out R>`
VARIANCE: Final = (
    _respelling(b"in", rb"[<,]\s*(in)(?=[ \t]+out\b)"),
    _respelling(b"in out", rb"[<,]\s*(in|out)(?=[ \t]+[A-Z]\w*[ \t]*(?:[,>=]|extends\b))"),
)
# `class A { val x = 1 }`: the grammar wants a line end or `;` behind a member. Not in `"${ a }"`, nor in `{ a -> }`.
KOTLIN: Final = (_respelling(b"}", rb"\$\{[^{}\n]*\}()| (?=\})(?<![\s{,] )(?<!-> )", b";"),)
_ARGUMENTS = rb"\((?:[^(){};\"]|\((?:[^(){};\"]|\([^(){};\"]*\))*\))*\)"
C: Final = (
    # static int __init f(void); API_EXPORT void f(); class X_EXPORT A {}; CUDA's __global__ void k() {}
    _respelling(
        b"__",
        rb"__(?<!\w__)(?<!#define __)(?:(?:global|device|host|shared|constant|managed|forceinline|noinline)__"
        rb"|init|exit|user|iomem|force|percpu|rcu|always_inline|maybe_unused|must_check|launch_bounds__\([^()]*\))"
        rb"(?=[ \t]+[\w*])",
    ),
    _respelling(
        b"EXPORT API CALLBACK",
        rb"[A-Z](?<!\w[A-Z])(?<!#define [A-Z])(?:[A-Z0-9_]*_(?:EXPORT|API)|XPORT|INAPI|PIENTRY|ALLBACK)"
        rb"(?=[ \t]+[A-Za-z_])",
    ),
    # TEST_CASE("a") { ... }, SECTION("b") { ... }
    _respelling(b'("', rb"[\n{};][ \t]*([A-Z][A-Z_]+)(?=[ \t]?\(\"[^\"\n]*\"(?:,[^(){};\n]*)?\)\s*\{)", b"if"),
    # list_for_each(a, b) { ... }, TAILQ_FOREACH(a, &b, c) f(a); not a definition, which has a type before it
    _respelling(
        b"for_each FOREACH",
        rb"\n[ \t]+(?!Q_FOREACH|BOOST_FOREACH)(\w*(?:for_each|FOREACH)\w*)(?=[ \t]?" + _ARGUMENTS + rb"\s*[\w{(*])",
        b"if",
    ),
    # va_arg(ap, char *), container_of(a, struct b, c), g_new0(char *, 1)
    _respelling(
        b"va_arg _of( entry(",
        rb"(?:va_arg|container_of|_entry)\([^(),;{}]*,\s*([^(),;{}]*[^(),;{}\s])",
        b"",
        b"_",
    ),
    _respelling(b"g_new g_slice_new", rb"g_(?:slice_)?new0?\(([^(),;{}]*[^(),;{}\s])", b"", b"_"),
)
CPP: Final = (
    *C,
    # What Qt and Unreal Engine put on a line of a class
    _respelling(
        b"Q_ GENERATED_ UPROPERTY( UFUNCTION( UCLASS( USTRUCT( UENUM(",
        rb"\n[ \t]*(Q_[A-Z_]+(?:\([^()\n]*(?:\)|\Z))?"
        rb"|(?:GENERATED_[A-Z_]+|U(?:PROPERTY|FUNCTION|CLASS|STRUCT|ENUM))\([^()\n]*(?:\)|\Z))[ \t]*$",
    ),
    # Qt's sections of a class
    _respelling(b"slots SLOTS", rb"(?:public|protected|private)[ \t]+(slots|Q_SLOTS)(?=[ \t]*(?::|\Z))"),
    _respelling(b"signals SIGNALS", rb"\n[ \t]*(signals|Q_SIGNALS)(?=[ \t]*:[ \t]*$)", b"public"),
    # CUDA's kernel<<<1, 2>>>(a)
    _respelling(b"<<<", rb"<<<[^;{}<>]*(>>>)", b")"),
    _respelling(b"<<<", rb"<<<", b"("),
)
