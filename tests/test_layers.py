"""The laws of the source: imports go to the left only, nothing acts when it is imported, no machine is named."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("signatures", "arf_programs", "training")
FORBIDDEN = {"signatures": {"arf_programs", "training"}, "arf_programs": {"training"}, "training": set()}
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
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


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_to_the_left_only(package):
    for path in (ROOT / package).rglob("*.py"):
        roots = {name.partition(".")[0] for name in imports(parse(path))}
        assert not roots & FORBIDDEN[package], path


def test_signatures_need_pydantic_and_dspy_alone():
    allowed = {"__future__", "dspy", "pydantic", "signatures", *sys.stdlib_module_names}
    for path in (ROOT / "signatures").rglob("*.py"):
        assert {name.partition(".")[0] for name in imports(parse(path))} <= allowed, path


def test_the_pure_parts_need_no_language_model():
    """Records, edits, checks, metrics, the corpus and the report can be used without DSPy and LiteLLM."""
    pure = ["edits.py", "quotes.py", "sentences.py", "error_notes.py", "repair.py", "jsonl.py", "labeled.py"]
    folders = ["checks", "metrics", "corpus", "report", "taxonomy", "config"]
    paths = [ROOT / "arf_programs" / name for name in pure]
    paths += [path for name in folders for path in (ROOT / "arf_programs" / name).rglob("*.py")]
    for path in paths:
        assert not {name.partition(".")[0] for name in imports(parse(path))} & {"litellm", "torch", "transformers"}, (
            path
        )


def test_the_command_line_imports_nothing_heavy_at_the_top():
    for path in (ROOT / "arf_programs" / "cli").glob("*.py"):
        roots = {name.partition(".")[0] for name in top_level_imports(parse(path))}
        assert not roots & (HEAVY | {"dspy", "numpy", "scipy"}), path


def test_litellm_has_one_door():
    """Whoever imports it otherwise may fetch the price map over the network."""
    allowed = {"_litellm.py", "scripted_llm.py", "provider.py", "keyed_cache.py"}
    for path in SOURCES:
        if "litellm" in {name.partition(".")[0] for name in imports(parse(path))}:
            assert path.name in allowed, path


def test_language_models_are_built_in_one_place():
    for path in SOURCES:
        built = re.search(r"dspy\.LM\(", path.read_text(encoding="utf-8"))
        assert not built or path.name == "lm.py", path


def test_no_bare_except_no_print_and_no_passed_on_keywords():
    for path in SOURCES:
        for node in ast.walk(parse(path)):
            assert not (isinstance(node, ast.ExceptHandler) and node.type is None), f"{path}:{node.lineno}"
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id
            assert called != "print", f"{path}:{node.lineno}"


def test_no_machine_is_named():
    machine = re.compile(r"/(?:home|root|Users|tmp|work|mnt)/\w|\\\\Users\\\\|https?://(?:10\.|192\.168\.)")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    names = [ROOT / name for name in tracked] if tracked else SOURCES
    for path in {*names, *SOURCES}:
        if path.suffix in (".py", ".toml", ".yaml", ".md", ".txt", ".j2", ".jsonl", "") and path.is_file():
            found = machine.search(path.read_text(encoding="utf-8", errors="replace"))
            assert path.name == "test_layers.py" or found is None, f"{path}: {found and found.group()}"


def test_there_are_no_cycles():
    """A cycle shows where a module is imported before it can be: each one alone, in a fresh order."""
    modules = {str(path.relative_to(ROOT).with_suffix("")).replace("/", "."): path for path in SOURCES}
    graph = {
        name: {item for item in top_level_imports(parse(path)) if item in modules and item != name}
        for name, path in modules.items()
    }
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join((*above[above.index(name) :], name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*above, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_files_and_functions_stay_short():
    for path in SOURCES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path
    lengths = [
        node.end_lineno - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert sum(length <= 40 for length in lengths) >= 0.9 * len(lengths)
