"""Rules of the source that neither ruff nor import-linter checks."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("signatures", "arf_programs", "training")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
# Who may pass keywords on. A signature names the inputs of a question, a record the settings of a model or the parts of
# a context, and DSPy and TRL the others.
PASSES_ON = {
    ("adapter.py", "_run"),
    ("asking.py", "acall"),
    ("asking.py", "forward"),
    ("session.py", "within"),
    ("edit_sentences.py", "_first_passing"),
    ("engine.py", "lm"),
    ("provider.py", "completion"),
    ("lm.py", "stored_lm"),
    ("loss_weights.py", "__init__"),
    ("trainer.py", "__init__"),
    ("trainer.py", "score_completions"),
}
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "litellm", "llguidance"}


def imports(tree: ast.AST) -> set[str]:
    """The modules that are imported anywhere, inside functions too."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide what is imported"
            names.add(node.module or "")
    return names


def top_level_imports(tree: ast.Module) -> set[str]:
    """The modules that are imported when the module is, without those for type checkers."""
    return imports(ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], []))


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def forget_trees():
    yield
    parse.cache_clear()


def test_signatures_need_pydantic_and_dspy_alone():
    allowed = {"__future__", "dspy", "pydantic", "signatures", *sys.stdlib_module_names}
    for path in (ROOT / "signatures").rglob("*.py"):
        assert {name.partition(".")[0] for name in imports(parse(path))} <= allowed, path


def test_the_pure_parts_need_no_language_model():
    """Records, edits, checks, metrics, the corpus and the report work without DSPy, LiteLLM and torch."""
    for room in ("config", "runs", "text", "corpus", "metrics", "checks", "values", "privacy", "review", "report"):
        for path in (ROOT / "arf_programs" / room).rglob("*.py"):
            roots = {name.partition(".")[0] for name in imports(parse(path))}
            assert not roots & {"dspy", "litellm", "torch", "transformers"}, path


def test_the_command_line_imports_nothing_heavy_at_the_top():
    for path in (ROOT / "arf_programs" / "cli").rglob("*.py"):
        roots = {name.partition(".")[0] for name in top_level_imports(parse(path))}
        assert not roots & (HEAVY | {"dspy", "numpy", "scipy"}), path


def test_litellm_has_one_door():
    """Whoever imports it otherwise may fetch the price map over the network."""
    allowed = {"litellm.py", "scripted_llm.py", "provider.py", "sender.py"}
    for path in SOURCES:
        if "litellm" in {name.partition(".")[0] for name in imports(parse(path))}:
            assert path.name in allowed, path


def test_language_models_are_built_in_one_place():
    for path in SOURCES:
        calls = [node for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
        built = any(ast.unparse(call.func) == "dspy.LM" for call in calls)
        assert not built or path.relative_to(ROOT) == Path("arf_programs/models/calls/engine.py"), path


def test_keywords_are_not_passed_on():
    """`**kwargs` through layers hides what a function takes. Signatures that a framework dictates may have it."""
    for path in SOURCES:
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.args.kwarg is not None:
                name = node.args.kwarg.arg
                passed = [
                    call
                    for call in ast.walk(node)
                    if isinstance(call, ast.Call)
                    and any(word.arg is None and getattr(word.value, "id", "") == name for word in call.keywords)
                ]
                assert not passed or (path.name, node.name) in PASSES_ON, f"{path}:{node.lineno}"


def test_no_machine_is_named():
    machine = re.compile(r"/(?:home|root|Users|tmp|work|mnt)/\w|\\\\Users\\\\|https?://(?:10\.|192\.168\.)")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    names = [ROOT / name for name in tracked] if tracked else SOURCES
    for path in {*names, *SOURCES}:
        if path.suffix in (".py", ".toml", ".yaml", ".md", ".txt", ".j2", ".jsonl", "") and path.is_file():
            found = machine.search(path.read_text(encoding="utf-8", errors="replace"))
            assert path.name == "test_layers.py" or found is None, f"{path}: {found and found.group()}"


def test_files_and_functions_stay_short():
    for path in SOURCES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, path
    lengths = [
        node.end_lineno - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert sum(length <= 40 for length in lengths) >= 0.9 * len(lengths)
