"""What compilers take and the grammars do not: read as whole, piece by piece too, and re-read as from nothing."""

from __future__ import annotations

import re

import pytest

from fimble.core.position import ByteOffset
from fimble.syntax.grammar import Grammar, grammar_for
from fimble.syntax.languages import language_for
from fimble.syntax.parse import edited, parse
from fimble.syntax.respelling import respelled
from fimble.syntax.viable import viability_for

_KERNEL_LOOPS = """
void f(void)
{
\tlist_for_each(a, b) { x(); }
\tlist_for_each_entry(pos, &head, member)
\t\tfoo(pos);
\tTAILQ_FOREACH(x, &y, z) {
\t\tfor_each_online_cpu(cpu)
\t\t\tg(cpu);
\t}
\tfor_each(a, b);
}
"""
_QT_CLASS = """
class A_EXPORT A : public QObject {
    Q_OBJECT
    Q_PROPERTY(int a READ b)
public:
    A();
public slots:
    void a();
signals:
    void b();
protected Q_SLOTS:
    void c();
};
"""
TEXTS = [
    ("c", "static int __init f(void) { return 0; }\nint g(void __user *p);\n"),
    ("c", "int WINAPI WinMain(int a) { return 0; }\nFOO_API int g(int a);\n"),
    ("c", "char *f(va_list ap) { int n = va_arg(ap, int); return va_arg(ap, char *); }\n"),
    ("c", "void f(void) { struct b *q = container_of(a, struct b, c); char **r = g_new0(char *, 1); }\n"),
    ("c", _KERNEL_LOOPS),
    (
        "c",
        "static void for_each_foo(struct x *p, void (*fn)(int)) {\n}\nstatic void\nfor_each_bar(struct x *p)\n{\n}\n",
    ),
    (
        "c",
        "#define __init __attribute__((section(x)))\n#define A_API __attribute__((visibility(x)))\n",
    ),
    ("cpp", '\nTEST_CASE("a", "[b]") {\n  SECTION("c") { REQUIRE(d == 1); }\n}\nTEST(A, B) { x(); }\n'),
    ("cpp", '\nSCENARIO("a") { GIVEN("b") { WHEN("c") { THEN("d") { f(); } } } }\n'),
    ("cpp", _QT_CLASS),
    ("cpp", "\nclass A : public B {\n  GENERATED_BODY()\n  UPROPERTY(EditAnywhere)\n  int a;\n};\n"),
    ("cpp", "void f() {\n  Q_FOREACH(int x, v) { g(); }\n  std::for_each(a, b, [](int x) { g(x); });\n}\n"),
    ("cpp", "std::map<int, std::vector<std::pair<int, int>>> m;\nvector<vector<vector<int>>> v;\nint a = b << c;\n"),
    (
        "cuda-cpp",
        "__global__ void k(float* a) { __shared__ float s[32]; }\nvoid f() { k<<<dim3(1, 2), b, 0, s>>>(a); }\n",
    ),
    (
        "cuda-cpp",
        "__device__ __forceinline__ int f() { return 1; }\n__global__ void __launch_bounds__(256) k(int* a) { }\n",
    ),
    ("html", "<p>Terms & Conditions</p><p>a &\nb &amp; c AT&T</p>\n"),
    ("java", "class A { int f(Object o) { return switch (o) { case null, default -> 2; }; } }\n"),
    ("javascript", 'const a = <div class="z" a={b & c}><label\n  for={x}>Terms & Conditions</label></div>;\n'),
    ("jsonc", '{"a": 1.5e+3, "b": [1, 2, /* x */ ], }\n'),
    ("kotlin", "class A { val x = 1 }\nsealed class S { object A : S() }\ninterface I { fun f() }\n"),
    ("kotlin", "val a = object : A { override fun b() {} }\nclass B { companion object { const val Z = 1 } }\n"),
    ("kotlin", "class A { init { f() } }\nenum class E { A, B; fun f() = 1 }\nenum class F { A, B, }\n"),
    ("kotlin", 'val s = "${a }" + "${ b }"\nval f = { a: Int -> a }\nval g = { b -> }\nval h = { }\n'),
    ("kotlin", "fun a() { if (x) { y } else { z } }\nfun b() = when (x) { 1 -> { a } else -> b }\nfun c() { x++ }\n"),
    (
        "kotlin",
        "fun a() { try { b() } catch (e: E) { c() } finally { d() } }\nfun e() { f { return@f } }\n",
    ),
    ("typescript", "interface A<in T, out R extends B> { f(a: T): R; }\nclass C<in out T> { }\n"),
    ("typescriptreact", "const a = <p>Terms & Conditions</p>;\ntype A = B & C;\ntype D =\n  & A\n  & B;\n"),
]


@pytest.fixture(params=TEXTS, ids=lambda case: f"{case[0]}-{case[1].strip()[:30]}")
def case(request: pytest.FixtureRequest) -> tuple[str, str, Grammar]:
    language_id, text = request.param
    language = language_for(language_id)
    grammar = grammar_for(language) if language else None
    assert grammar is not None
    return language_id, text, grammar


def test_it_is_read_as_whole_and_as_long(case: tuple[str, str, Grammar]) -> None:
    _, text, grammar = case
    tree = parse(grammar, text.encode())
    assert tree is not None
    assert tree.is_clean, bytes(grammar.parser_input(text.encode()))
    assert len(grammar.respelled(text.encode())) == len(text)


def test_each_piece_of_it_may_be_written(case: tuple[str, str, Grammar]) -> None:
    language_id, text, _ = case
    viability = viability_for(language_id, "", "\n")
    assert viability is not None
    for piece in re.findall(r"\w+|\s+|[^\w\s]", text):
        assert viability.viable(piece.encode()), (viability.completion, piece)
        viability.accept(piece.encode())


def test_read_again_after_a_key_it_is_what_it_is_read_from_nothing(case: tuple[str, str, Grammar]) -> None:
    _, text, grammar = case
    whole = text.encode()
    for at in range(len(whole)):
        fewer = whole[:at] + whole[at + 1 :]
        known, other = parse(grammar, whole), parse(grammar, fewer)
        assert known is not None
        assert other is not None
        typed = edited(grammar, other, ByteOffset(at), ByteOffset(at), whole[at : at + 1])
        assert typed is not None
        assert str(typed.root) == str(known.root), (at, fewer)


def test_a_text_without_any_is_itself() -> None:
    text = b"int f(int a) { return a; }\n"
    language = language_for("cpp")
    assert language is not None
    assert language.grammar is not None
    assert respelled(text, language.grammar.respellings) is text
