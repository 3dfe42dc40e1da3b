"""Languages fimble knows: one record each, with names, files, comments, blocks, grammar and what decoding needs.

Does not import tree-sitter: `grammar.py` loads what `GrammarSource` names.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import PurePath

from fimble.syntax import respelling
from fimble.syntax.respelling import Respelling

PLAINTEXT = "plaintext"


class BlockStyle(StrEnum):
    """How a language marks the end of a block."""

    INDENT = "indent"
    BRACES = "braces"
    END = "end"  # end, fi, done, esac
    TAGS = "tags"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class GrammarSource:
    """Where a tree-sitter grammar comes from: a module and its function that gives the language pointer.

    `end_padding` is put after every text before it is parsed. `respellings` stand for what the language has and the
    grammar has not. `stops_early` says that behind a sign which no token begins with the parser may drop the rest of
    the file, and call it whole.
    """

    module: str
    function: str = "language"
    end_padding: bytes = b""
    respellings: tuple[Respelling, ...] = ()
    stops_early: bool = False


@dataclass(frozen=True, slots=True)
class Closer:
    """Text that ends an unfinished lexeme. Tried only where `opener` stands in the text before it."""

    text: bytes
    opener: bytes


@dataclass(frozen=True, slots=True)
class Language:
    """All facts about one language.

    `ids` are LSP language ids, the first being our own name for it; `aliases` are what editors other than VS Code
    and data sets call it. `hard_keywords` are reserved words that tree-sitter's keyword extraction would let through
    as identifiers; `unnamed_tokens` are tokens whose text the grammar's tables do not hold; `word_blocks` are words
    that open a block, with the word that closes it, `callback_openers` calls that are given a block; `head_kinds` are
    the grammar's kinds of what a file begins with and may not have below anything else, `comma_kinds` those of brackets
    that want a comma where a line ends before they close; `breaks_leave_loops` that no macro can be the loop that a
    `break` is in. `qualified` says that the truncation test found no false
    rejects (tests/syntax/test_qualified.py), so the left constraint may be used; the others get the stop rule only.
    """

    ids: tuple[str, ...]
    suffixes: tuple[str, ...] = ()
    file_names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    line_comment: str | None = None
    block_comment: tuple[str, str] | None = None
    block_style: BlockStyle = BlockStyle.NONE
    grammar: GrammarSource | None = None
    qualified: bool = False
    closers: tuple[Closer, ...] = ()
    unnamed_tokens: tuple[bytes, ...] = ()
    line_ends_matter: bool = False
    has_heredocs: bool = False
    has_percent_literals: bool = False
    word_blocks: tuple[tuple[str, str], ...] = ()
    callback_openers: tuple[bytes, ...] = ()
    head_kinds: frozenset[str] = frozenset()
    comma_kinds: frozenset[str] = frozenset()
    hard_keywords: frozenset[bytes] = frozenset()
    breaks_leave_loops: bool = False

    @property
    def name(self) -> str:
        """The language's own name: its first LSP id."""
        return self.ids[0]


def language_for(language_id: str, path: str = "") -> Language | None:
    """The record for an LSP language id; for an id we do not know, the record for the path's name; else None."""
    by_id = _by_id().get(language_id.lower())
    if by_id is not None:
        return by_id
    known = _by_path(path)
    return known[1] if known else None


def language_id_for_path(path: str) -> str:
    """The LSP language id an editor would give the file, `plaintext` where nothing is known of its name."""
    known = _by_path(path)
    return known[0] if known else PLAINTEXT


def languages() -> tuple[Language, ...]:
    """Every record."""
    return _LANGUAGES


def _by_path(path: str) -> tuple[str, Language] | None:
    name = PurePath(path).name
    return _by_file_name().get(name) or _by_suffix().get(PurePath(name).suffix.lower())


@cache
def _by_id() -> dict[str, Language]:
    return {name: language for language in _LANGUAGES for name in (*language.ids, *language.aliases)}


@cache
def _by_file_name() -> dict[str, tuple[str, Language]]:
    return {name: (language.name, language) for language in _LANGUAGES for name in language.file_names}


@cache
def _by_suffix() -> dict[str, tuple[str, Language]]:
    return {
        suffix: (_ID_OF_SUFFIX.get(suffix, language.name), language)
        for language in _LANGUAGES
        for suffix in language.suffixes
    }


# Suffixes whose language id is not the first id of their record.
_ID_OF_SUFFIX = {".jsx": "javascriptreact"}


def _words(text: str) -> frozenset[bytes]:
    return frozenset(text.encode().split())


def _closers(*pairs: str) -> tuple[Closer, ...]:
    """`'closer'` where it opens what it closes, `'opener closer'` otherwise."""
    return tuple(Closer(parts[-1].encode(), parts[0].encode()) for parts in (pair.split(" ") for pair in pairs))


# With a blank before it: after a `/` the bare closer would open a nested comment.
_END_OF_COMMENT = Closer(b" */", b"/*")
_END_OF_NESTED_COMMENT = Closer(b" */ */", b"/*")


_SLASHES = ("/*", "*/")

_JAVASCRIPT_KEYWORDS = _words(
    # Not default and export, which stand where names do in `export { default as a }`.
    "break case catch class const continue debugger delete do else extends finally for function if import in"
    " instanceof new return super switch this throw try typeof var void while with null true false"
)
_JAVASCRIPT_CLOSERS = (_END_OF_COMMENT, *_closers("/", "/ ]/", "'", '"', "`", "` }`", "< >"))

_LANGUAGES: tuple[Language, ...] = (
    Language(
        ids=("python",),
        suffixes=(".py", ".pyi", ".pyw"),
        file_names=("SConstruct", "SConscript", "wscript"),
        aliases=("py",),
        line_comment="#",
        block_style=BlockStyle.INDENT,
        grammar=GrammarSource("tree_sitter_python"),
        qualified=True,
        breaks_leave_loops=True,
        closers=_closers('"""', "'''", '"', "'", '" }"', "' }'"),
        unnamed_tokens=(b"...",),
        # Not the soft keywords: match, case, type, print, exec, async are names too.
        hard_keywords=_words(
            "False None True and as assert break class continue def del elif else except finally for from global if"
            " import in is lambda nonlocal not or pass raise return try while with yield"
        ),
    ),
    Language(
        ids=("javascript", "javascriptreact"),
        suffixes=(".js", ".mjs", ".cjs", ".jsx"),
        file_names=("Jakefile",),
        aliases=("js", "jsx"),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
        grammar=GrammarSource("tree_sitter_javascript", respellings=(*respelling.AMPERSANDS, *respelling.JSX_NAMES)),
        qualified=True,
        breaks_leave_loops=True,
        callback_openers=(b"x(() => {",),
        closers=_JAVASCRIPT_CLOSERS,
        hard_keywords=_JAVASCRIPT_KEYWORDS,
    ),
    Language(
        ids=("typescript",),
        suffixes=(".ts", ".mts", ".cts"),
        aliases=("ts",),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
        grammar=GrammarSource("tree_sitter_typescript", "language_typescript", respellings=respelling.VARIANCE),
        qualified=True,
        breaks_leave_loops=True,
        callback_openers=(b"x(() => {",),
        closers=_JAVASCRIPT_CLOSERS,
        hard_keywords=_JAVASCRIPT_KEYWORDS,
    ),
    Language(
        ids=("typescriptreact",),
        suffixes=(".tsx",),
        aliases=("tsx",),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
        grammar=GrammarSource(
            "tree_sitter_typescript", "language_tsx", respellings=(*respelling.AMPERSANDS, *respelling.VARIANCE)
        ),
        qualified=True,
        breaks_leave_loops=True,
        callback_openers=(b"x(() => {",),
        closers=_JAVASCRIPT_CLOSERS,
        hard_keywords=_JAVASCRIPT_KEYWORDS,
    ),
    Language(
        ids=("java",),
        suffixes=(".java",),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
        grammar=GrammarSource("tree_sitter_java", respellings=respelling.JAVA),
        qualified=True,
        breaks_leave_loops=True,
        callback_openers=(b"x(() -> {",),
        closers=(_END_OF_COMMENT, *_closers("'", '"', '"""')),
        head_kinds=frozenset({"package_declaration", "import_declaration"}),
        hard_keywords=_words(
            "abstract assert boolean break byte case catch char class continue default do double else extends final"
            " finally float for if implements import instanceof int interface long new package private protected"
            " public return short static super switch synchronized this throw throws try void volatile while null"
            " true false"
        ),
    ),
    Language(
        ids=("go",),
        suffixes=(".go",),
        aliases=("golang",),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
        grammar=GrammarSource("tree_sitter_go"),
        qualified=True,
        breaks_leave_loops=True,
        callback_openers=(b"x(func() {",),
        closers=(_END_OF_COMMENT, *_closers("'", '"', "`")),
        head_kinds=frozenset({"package_clause", "import_declaration"}),
        comma_kinds=frozenset(
            {
                *("literal_value", "argument_list", "special_argument_list", "parameter_list", "type_parameter_list"),
                *("type_arguments", "index_expression", "slice_expression", "parenthesized_expression"),
                "type_assertion_expression",
            }
        ),
        hard_keywords=_words(
            "break case chan const continue default defer else fallthrough for func go goto if import interface map"
            " package range return select struct switch type var"
        ),
    ),
    Language(
        ids=("rust",),
        suffixes=(".rs",),
        aliases=("rs",),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
        grammar=GrammarSource("tree_sitter_rust"),
        qualified=True,
        breaks_leave_loops=True,
        callback_openers=(b"x(|| {",),
        closers=(_END_OF_COMMENT, _END_OF_NESTED_COMMENT, *_closers("'", '"', '#" "#')),
        hard_keywords=_words(
            "as break const continue else enum extern false fn for if impl in let loop match mod move mut pub ref"
            " return static struct trait true type unsafe use where while"
        ),
    ),
    Language(
        ids=("c",),
        suffixes=(".c",),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
        grammar=GrammarSource("tree_sitter_c", respellings=respelling.C),
        qualified=True,
        closers=(_END_OF_COMMENT, *_closers("'", '"', "< >")),
        hard_keywords=_words(
            "break case continue default do else for goto if return sizeof static struct switch typedef union while"
        ),
    ),
    Language(
        ids=("cpp", "cuda-cpp"),
        # A `.h` goes to C++, as in VS Code: most C headers are C++ too, not the other way round.
        suffixes=(".cpp", ".cc", ".cxx", ".c++", ".hpp", ".hh", ".hxx", ".h", ".ipp", ".inl", ".ino", ".cu", ".cuh"),
        aliases=("c++", "cuda"),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
        grammar=GrammarSource("tree_sitter_cpp", respellings=respelling.CPP),
        qualified=True,
        closers=(_END_OF_COMMENT, *_closers("'", '"', "< >", 'R" )"')),
        hard_keywords=_words(
            "break case catch class continue default delete do else for goto if namespace new operator private"
            " protected public return sizeof static struct switch template this throw try typedef typename union"
            " using virtual while"
        ),
    ),
    Language(
        ids=("csharp",),
        suffixes=(".cs", ".csx"),
        aliases=("cs", "c#", "c_sharp"),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
        grammar=GrammarSource("tree_sitter_c_sharp"),
        qualified=True,
        breaks_leave_loops=True,
        callback_openers=(b"x(() => {",),
        closers=(_END_OF_COMMENT, *_closers("'", '"', '"""', '" }"')),
        # Not the names of types: in a list of type arguments they are read as names until it is closed.
        head_kinds=frozenset({"extern_alias_directive", "using_directive"}),
        hard_keywords=_words(
            "abstract as base break case catch class const continue default delegate do else enum event explicit extern"
            " finally fixed for foreach goto if implicit in interface internal is lock namespace new operator out"
            " override params private protected public readonly ref return sealed sizeof static struct switch this"
            " throw try typeof unsafe using virtual void volatile while"
        ),
    ),
    Language(
        ids=("json",),
        suffixes=(".json", ".webmanifest", ".ipynb", ".geojson"),
        file_names=(".babelrc", ".jshintrc", "composer.lock"),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
        grammar=GrammarSource("tree_sitter_json", respellings=respelling.JSON),
        qualified=True,
        closers=(_END_OF_COMMENT, *_closers('"')),
    ),
    Language(
        ids=("jsonc",),
        suffixes=(".jsonc", ".code-workspace"),
        aliases=("json5",),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
        grammar=GrammarSource("tree_sitter_json", respellings=(*respelling.JSON, *respelling.LOOSE_COMMAS)),
        qualified=True,
        closers=(_END_OF_COMMENT, *_closers('"')),
    ),
    Language(
        ids=("html",),
        suffixes=(".html", ".htm", ".xhtml"),
        block_comment=("<!--", "-->"),
        block_style=BlockStyle.TAGS,
        grammar=GrammarSource("tree_sitter_html", respellings=respelling.AMPERSANDS),
        qualified=True,
        closers=_closers("<!-- -->", "'", '"', "< >"),
        unnamed_tokens=(b"doctype", b"DOCTYPE", b"Doctype"),
    ),
    Language(
        ids=("php",),
        suffixes=(".php", ".phtml", ".php8"),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
        grammar=GrammarSource("tree_sitter_php", "language_php"),
        qualified=True,
        callback_openers=(b"x(function () {",),
        closers=(_END_OF_COMMENT, *_closers("'", '"', '" }"', "`")),
        unnamed_tokens=(b"?>",),
        has_heredocs=True,
    ),
    Language(
        ids=("shellscript",),
        suffixes=(".sh", ".bash", ".zsh", ".ksh", ".bats", ".ebuild"),
        file_names=(".bashrc", ".bash_profile", ".profile", ".zshrc", "PKGBUILD", "APKBUILD"),
        aliases=("sh", "bash", "zsh", "shell"),
        line_comment="#",
        block_style=BlockStyle.END,
        grammar=GrammarSource("tree_sitter_bash"),
        qualified=True,
        closers=_closers("'", '"', "`", "$( )", "$(( ))", "${ }", "!( ))", "@( ))", '" }"', '" )"'),
        has_heredocs=True,
        word_blocks=(("if", "fi"), ("do", "done"), ("case", "esac")),
    ),
    Language(
        ids=("ruby",),
        suffixes=(".rb", ".rake", ".gemspec", ".ru", ".rbi"),
        file_names=("Gemfile", "Rakefile", "Vagrantfile", "Podfile", "Brewfile", "Guardfile"),
        aliases=("rb",),
        line_comment="#",
        block_comment=("=begin", "=end"),
        block_style=BlockStyle.END,
        grammar=GrammarSource("tree_sitter_ruby"),
        qualified=True,
        closers=_closers("'", '"', "/", "`", '" }"'),
        unnamed_tokens=(b"<<A", b"<<~A", b"<<-A", b"<<~'A", b"<<-'A", b'<<~"A', b'<<-"A'),
        has_heredocs=True,
        has_percent_literals=True,
        word_blocks=tuple((word, "end") for word in ("def", "class", "module", "begin", "case", "if", "unless", "do")),
    ),
    Language(
        ids=("kotlin",),
        suffixes=(".kt", ".kts"),
        aliases=("kt",),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
        # tree-sitter-kotlin 1.1.0 never returns from `var a = b/**/\n@`: its scanner looks for white space after `@`
        # without asking for the end of the text.
        grammar=GrammarSource("tree_sitter_kotlin", end_padding=b"\n", respellings=respelling.KOTLIN, stops_early=True),
        qualified=True,
        closers=(_END_OF_COMMENT, _END_OF_NESTED_COMMENT, *_closers("'", '"', '"""', '" }"')),
        unnamed_tokens=(b"constructor", b"get", b"set", b"!in", b"!is"),
        line_ends_matter=True,
        hard_keywords=_words(
            # Few: much of what is a keyword in a finished file is read as a name while more of it is unknown.
            "do else for try when while"
        ),
    ),
    # Languages without a grammar here: their comments and file names are still of use.
    Language(ids=("css",), suffixes=(".css",), block_comment=_SLASHES, block_style=BlockStyle.BRACES),
    Language(
        ids=("scss", "less"),
        suffixes=(".scss", ".less"),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
    ),
    Language(ids=("markdown",), suffixes=(".md", ".markdown"), block_comment=("<!--", "-->"), aliases=("md",)),
    Language(ids=("yaml", "dockercompose"), suffixes=(".yaml", ".yml"), line_comment="#", aliases=("yml",)),
    Language(ids=("toml",), suffixes=(".toml",), file_names=("Cargo.lock", "poetry.lock"), line_comment="#"),
    Language(ids=("ini", "properties"), suffixes=(".ini", ".cfg", ".conf", ".properties"), line_comment="#"),
    Language(ids=("xml", "svg"), suffixes=(".xml", ".svg", ".xsd", ".xsl"), block_comment=("<!--", "-->")),
    Language(ids=("vue",), suffixes=(".vue",), block_comment=("<!--", "-->"), block_style=BlockStyle.TAGS),
    Language(ids=("svelte",), suffixes=(".svelte",), block_comment=("<!--", "-->"), block_style=BlockStyle.TAGS),
    Language(
        ids=("lua",), suffixes=(".lua",), line_comment="--", block_comment=("--[[", "]]"), block_style=BlockStyle.END
    ),
    Language(ids=("sql",), suffixes=(".sql",), line_comment="--", block_comment=_SLASHES),
    Language(
        ids=("swift",),
        suffixes=(".swift",),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
    ),
    Language(
        ids=("scala",),
        suffixes=(".scala", ".sc", ".sbt"),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
    ),
    Language(
        ids=("dart",),
        suffixes=(".dart",),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
    ),
    Language(
        ids=("groovy",),
        suffixes=(".groovy", ".gradle"),
        file_names=("Jenkinsfile",),
        line_comment="//",
        block_comment=_SLASHES,
        block_style=BlockStyle.BRACES,
    ),
    Language(ids=("zig",), suffixes=(".zig",), line_comment="//", block_style=BlockStyle.BRACES),
    Language(ids=("perl",), suffixes=(".pl", ".pm"), line_comment="#", block_style=BlockStyle.BRACES),
    Language(ids=("r",), suffixes=(".r",), line_comment="#", block_style=BlockStyle.BRACES),
    Language(ids=("julia",), suffixes=(".jl",), line_comment="#", block_style=BlockStyle.END),
    Language(ids=("elixir",), suffixes=(".ex", ".exs"), line_comment="#", block_style=BlockStyle.END),
    Language(ids=("haskell",), suffixes=(".hs",), line_comment="--", block_comment=("{-", "-}")),
    Language(ids=("powershell",), suffixes=(".ps1", ".psm1"), line_comment="#", block_style=BlockStyle.BRACES),
    Language(ids=("proto3",), suffixes=(".proto",), line_comment="//", aliases=("proto", "protobuf")),
    Language(ids=("terraform",), suffixes=(".tf", ".hcl"), line_comment="#", block_style=BlockStyle.BRACES),
    Language(ids=("dockerfile",), suffixes=(".dockerfile",), file_names=("Dockerfile",), line_comment="#"),
    Language(ids=("makefile",), suffixes=(".mk",), file_names=("Makefile", "GNUmakefile"), line_comment="#"),
    Language(ids=("cmake",), suffixes=(".cmake",), file_names=("CMakeLists.txt",), line_comment="#"),
)
