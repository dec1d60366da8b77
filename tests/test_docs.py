"""The documentation, compared with the program: it cannot drift unnoticed."""

from __future__ import annotations

import ast
import importlib
import json
import logging
import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
import typer
import yaml
from mkdocs.commands.build import build
from mkdocs.config import load_config as load_site
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.core import TyperOption

import arf_programs
from arf_programs import __version__
from arf_programs.checks.run import CHECKS
from arf_programs.cli import session
from arf_programs.cli.app import app
from arf_programs.config.commands import KINDS
from arf_programs.config.load import load_config, validate
from arf_programs.config.models import ROLES, DraftColumn, ModelConfig, ModelsConfig
from arf_programs.config.schema import DEFAULT_INSTRUCTION, Config
from arf_programs.corpus.taxonomy import load_seed_taxonomy
from arf_programs.metrics.systems.definitions import METRICS, SYSTEMS
from arf_programs.models.providers.terms import TERMS
from arf_programs.pipeline import STAGES
from arf_programs.runs.folder import RunFile, RunFolder
from signatures import exceptions, records

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
CONFIGURATION, METHOD, ARCHITECTURE, COMPILE, PROBE, COST, SERVING = (
    DOCS / f"{n}.md" for n in ("configuration", "method", "architecture", "compile", "probe", "cost", "serving")
)
COMMAND_PAGE, GATE, PROVIDERS, RUN_FOLDER, LICENCES = (
    DOCS / f"{n}.md" for n in ("commands", "gate", "providers", "run-folder", "licences")
)
SOURCES = ("signatures", "arf_programs", "training")
PAGES = [README, *sorted(DOCS.glob("*.md")), ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
GROUP = typer.main.get_group(app)
COMMANDS = {
    " ".join([name, *more]): command
    for name, group in GROUP.commands.items()
    for *more, command in (
        ((sub, item) for sub, item in group.commands.items()) if hasattr(group, "commands") else ((group,),)
    )
}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def table(page: Path, *header: str) -> list[list[str]]:
    """The rows, as cells, of all tables of a page with that header."""
    rows: list[list[str]] = []
    inside = False
    for line in text_of(page).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            inside = False
        elif inside and set("".join(cells)) - set("- "):
            rows.append(cells)
        inside = inside or cells == list(header)
    assert rows, f"{page.name} has no table {header}"
    return rows


def code(cell: str) -> list[str]:
    """What stands between backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def fences(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)


# Configuration


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key with its field; the four roles, which are alike, as `models.<role>`."""
    for name, field in model.model_fields.items():
        key = prefix + name
        if field.annotation is ModelsConfig:
            yield from leaves(ModelConfig, "models.<role>.")
            yield from leaves(DraftColumn, "models.teacher.")
            yield "models.editors", ModelsConfig.model_fields["editors"]
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, f"{key}.")
        else:
            yield key, field


FIELDS = dict(leaves(Config))
KEY_HEADER = ("key", "type", "default", "meaning")
KEY_ROWS = {code(row[0])[0]: row for row in table(CONFIGURATION, *KEY_HEADER)}


def kind(annotation: Any) -> str:
    """A type in the words of the page."""
    names = {str: "text", Path: "text", int: "whole number", float: "number", bool: "true or false"}
    if annotation in names:
        return names[annotation]
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return kind(arguments[0])
    if annotation is ModelConfig:
        return "text or mapping"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join("null" if part is type(None) else kind(part) for part in arguments)
    return {tuple: lambda: f"list of {kind(arguments[0])}", dict: lambda: "mapping"}[get_origin(annotation)]()


def limits(field: FieldInfo) -> str:
    signs = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
    found = [(sign, getattr(item, name, None)) for item in field.metadata for name, sign in signs]
    return "".join(f", {sign} {value:g}" for sign, value in found if value is not None)


def default(key: str, field: FieldInfo) -> str:
    special = {"run_dir": "`runs/<name>`", "summarize.instruction": "below"}
    if key in special:
        return special[key]
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def test_configuration_has_every_key_and_no_other():
    documented = [code(row[0])[0] for row in table(CONFIGURATION, *KEY_HEADER)]
    assert sorted(documented) == sorted(FIELDS)


@pytest.mark.parametrize("key", FIELDS)
def test_a_key_is_documented_with_its_type_limits_and_default(key: str):
    _, documented_type, documented_default, meaning = KEY_ROWS[key]
    assert documented_type == kind(FIELDS[key].annotation) + limits(FIELDS[key])
    assert documented_default == default(key, FIELDS[key])
    assert len(meaning) > 10


def test_the_default_instruction_and_run_folder_are_documented():
    assert DEFAULT_INSTRUCTION in " ".join(text_of(CONFIGURATION).split())
    minimal = {"name": "calls", "corpus": {"path": "x.jsonl"}, "models": {"teacher": "embedded/smollm2-135m"}}
    assert validate(minimal, {}, source="test").run_dir == Path("runs/calls")


def test_the_fallbacks_of_the_roles_are_documented():
    documented = {
        code(row[0])[0].removeprefix("models."): row[2]
        for row in table(CONFIGURATION, "role", "asked for", "where it is left out")
    }
    assert set(documented) == set(ROLES)
    for role in ROLES:
        given = {name: f"scripted/{name}" for name in ROLES if name != role}
        if role == "teacher":
            assert documented[role] == "required"
            continue
        model = getattr(ModelsConfig.model_validate(given), role)
        if model is None:
            assert documented[role] == "no model is asked"
            continue
        taken = model.model.removeprefix("scripted/")
        assert documented[role] == f"as the {taken}"


@every_page
def test_yaml_on_a_page_is_a_valid_configuration(page: Path):
    for block in fences(page, "yaml"):
        validate(yaml.safe_load(block), {}, source=page.name)


def test_the_smallest_useful_file_has_the_lines_it_claims():
    block = fences(CONFIGURATION, "yaml")[0]
    assert "has six lines" in text_of(CONFIGURATION)
    assert len(block.splitlines()) == 6


@every_page
def test_json_on_a_page_is_json(page: Path):
    for block in fences(page, "json"):
        for line in block.splitlines():
            json.loads(line)


@every_page
def test_python_on_a_page_compiles_and_its_imports_exist(page: Path):
    for block in fences(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, item.name) for item in node.names)


def test_the_provider_diff_turns_a_valid_configuration_into_another():
    (block,) = fences(PROVIDERS, "diff")
    for sign in "-+":
        lines = [line[1:] for line in block.splitlines() if line[0] in f" {sign}"]
        document = {"corpus": {"path": "x.jsonl"}, **yaml.safe_load("\n".join(lines))}
        validate(document, {}, source="diff")


# Commands


def shell_lines(page: Path) -> list[list[str]]:
    """The commands in a page's shell blocks, as words, without comments."""
    joined = "\n".join(fences(page, "bash")).replace("\\\n", " ")
    return [words for line in joined.splitlines() if (words := shlex.split(line, comments=True))]


ARF_LINES = [
    pytest.param(words, id=" ".join(words)[:60]) for page in PAGES for words in shell_lines(page) if words[0] == "arf"
]


@pytest.mark.parametrize("words", ARF_LINES)
def test_an_arf_command_on_a_page_parses_and_its_overrides_are_valid(words: list[str]):
    size = 1 if words[1] in COMMANDS else 2
    command = COMMANDS[" ".join(words[1 : 1 + size])]
    given = command.make_context(words[size], words[1 + size :]).params
    if given.get("config") is not None:
        path = ROOT / given["config"]
        known = path if path.exists() else ROOT / "arf_programs" / "cli" / "templates" / "init" / "arf.yaml"
        assert path.exists() or not str(given["config"]).startswith("examples/")
        load_config(known, given["overrides"] or [])


@every_page
def test_commands_within_sentences_exist(page: Path):
    assert set(re.findall(r"`arf ([a-z]+)", text_of(page))) <= set(GROUP.commands)


@every_page
def test_other_commands_on_a_page_exist(page: Path):
    targets = set(re.findall(r"^(\w+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    for words in shell_lines(page):
        words = [word for word in words if "=" not in word]
        if words[:1] == ["make"]:
            assert set(words[1:]) <= targets
        if words[:2] == ["python", "-m"] and words[2].startswith("training."):
            module = ROOT / Path(*words[2].split(".")).with_suffix(".py")
            flags = [word for word in words if word.startswith("--")]
            assert all(f'"{flag}"' in text_of(module) for flag in flags)
        for word in words[1:]:
            if word.startswith(("tests/", "examples/", "docs/")):
                assert (ROOT / word).exists(), word


def test_the_table_of_commands_is_that_of_the_help():
    documented = {
        " ".join(code(row[0])[0].split()[1:]): row[1] for row in table(COMMAND_PAGE, "command", "what it does")
    }
    actual = {}
    for name, command in COMMANDS.items():
        arguments = [item.metavar for item in command.params if item.param_type_name == "argument"]
        actual[" ".join([name, *arguments])] = " ".join(command.help.split())
    assert documented == actual


def test_the_table_of_options_is_that_of_the_help():
    documented = {tuple(sorted(code(row[0]))): row[1] for row in table(COMMAND_PAGE, "option", "what it does")}
    of_probe = table(COMMAND_PAGE, "option of `arf probe`", "what it does")
    for name, command in COMMANDS.items():
        options = {
            tuple(sorted(item.opts)): item.help
            for item in command.params
            if isinstance(item, TyperOption) and "--help" not in item.opts
        }
        if name == "gate":
            own = {(code(row[0])[0],): row[1] for row in table(GATE, "option of `arf gate`", "what it does")}
            assert own.items() <= options.items() <= (documented | own).items()
        elif name in ("init", "compare"):
            assert options.items() <= documented.items()
        elif name in ("export", "push", "serve"):
            own = {(code(row[0])[0],): row[1] for row in table(SERVING, f"option of `arf {name}`", "what it does")}
            assert own.items() <= options.items() <= (documented | own).items(), name
        elif name in ("purge", "forget", "privacy audit"):
            more = table(DOCS / "privacy.md", f"option of `arf {name}`", "what it does") if name != "forget" else []
            own = {(code(row[0])[0],): row[1] for row in more}
            assert own.items() <= options.items() <= (documented | own).items(), name
        elif name == "probe":
            assert options == documented | {(code(row[0])[0],): row[1] for row in of_probe}
        elif name in ("check", "improve", "stress", "triage", "checker probe", "curve", "federate", "transfer"):
            pages = {"curve": DOCS / "scaling.md", "federate": DOCS / "federate.md", "transfer": COMPILE}
            page = pages.get(name, COMMAND_PAGE)
            more = table(page, f"option of `arf {name}`", "what it does")
            assert options == documented | {(code(row[0])[0],): row[1] for row in more}
        elif name in ("run", "train", *(stage.name for stage in STAGES)):
            more = table(COMMAND_PAGE, "option of a stage", "what it does")
            more += (
                table(COMMAND_PAGE, f"option of `arf {name}`", "what it does")
                if name in ("train", "evaluate", "report")
                else []
            )
            assert options == documented | {(code(row[0])[0],): row[1] for row in more}, name
        else:
            page = {"compile": COMPILE, "estimate": COST, "review": DOCS / "review.md"}.get(name)
            rows = table(page, "option", "what it does") if page else []
            without = {("--limit",)} if name == "review" else set()  # it reads no corpus
            shared = {key: text for key, text in documented.items() if key not in without}
            assert options == {**shared, **{tuple(sorted(code(row[0]))): row[1] for row in rows}}, name


def test_exit_codes_are_documented():
    documented = [int(row[0]) for row in table(COMMAND_PAGE, "exit code", "meaning")]
    assert documented == [
        session.DONE,
        session.FAILED,
        session.WRONG_INPUT,
        session.OVER_BUDGET,
        session.CANNOT_TELL,
        session.INTERRUPTED,
    ]


# Files, records, numbers


def tree() -> dict[str, str]:
    """The paths of the README's tree, each with its phrase."""
    (block,) = fences(README, "text")
    folders: list[str] = []
    found = {}
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name, _, phrase = line.strip().partition(" ")
        folders[depth:] = [name]
        found["".join(folders)] = phrase.strip()
    return found


def test_every_path_of_the_tree_exists_and_has_a_phrase():
    for path, phrase in tree().items():
        assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file(), path
        assert phrase, path


def test_the_tree_names_every_room_and_every_folder():
    inits = [path for depth in ("*", "tools/*") for path in (ROOT / "arf_programs").glob(f"{depth}/__init__.py")]
    rooms = {f"{path.parent.relative_to(ROOT)}/" for path in inits}
    folders = {"signatures/", "arf_programs/", "training/", "examples/", "docs/", "bench/", "tests/"}
    tools = {str(path.relative_to(ROOT)) for path in (ROOT / "arf_programs" / "tools").glob("[!_]*.py")}
    assert rooms | folders | tools | {"arf_programs/pipeline.py"} == set(tree())


def figure_of_rooms() -> str:
    """The rooms from the top down as Mermaid: layers of import-linter's contract, with the phrases of the README."""
    contracts = tomllib.loads(text_of(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract.get("containers") == ["arf_programs"])
    rows = [layer.split(" | ") for layer in layers]
    phrases = {Path(path).stem: phrase.replace("`", "") for path, phrase in tree().items()}
    nodes = [f'  {room}["{room}<br>{phrases[room]}"]' for row in rows for room in row]
    arrows = [f"  {' & '.join(above)} --> {' & '.join(below)}" for above, below in pairwise(rows)]
    return "\n".join(["flowchart TB", *nodes, *arrows, ""])


def test_the_figure_of_rooms_is_that_of_the_contract():
    (drawn,) = fences(ARCHITECTURE, "mermaid")
    assert drawn == figure_of_rooms(), f"paste this into {ARCHITECTURE.name}:\n{figure_of_rooms()}"


def test_architecture_names_files_and_definitions_that_exist():
    prose = re.sub(r"^```.*?^```$", "", text_of(ARCHITECTURE), flags=re.MULTILINE | re.DOTALL)
    bases = (ROOT, ROOT / "arf_programs", ROOT / "arf_programs" / "runner")
    for path in re.findall(r"`([\w./]+\.(?:py|yaml))`", prose):
        in_run = path in ("config.yaml", "taxonomy.yaml")
        assert in_run or "/" not in path or any((base / path).is_file() for base in bases), path
    adding = prose.partition("## How to add")[2]
    source = "".join(text_of(path) for package in SOURCES for path in (ROOT / package).rglob("*.py"))
    for name in re.findall(r"`(_?[A-Z][A-Z_a-z]+|[a-z]+_[a-z_]+)`", adding):
        assert re.search(rf"\b{name}\b", source), name


def test_the_readme_is_short_and_leads_to_every_page():
    assert len(text_of(README).splitlines()) < 200
    linked = set(re.findall(r"\]\((docs/[^)#]+\.md)", text_of(README)))
    assert linked == {f"docs/{path.name}" for path in DOCS.glob("*.md")}


def test_every_example_is_on_the_page_of_providers():
    linked = set(re.findall(r"\]\(\.\./(examples/[^)]+\.yaml)\)", text_of(PROVIDERS)))
    assert linked == {str(path.relative_to(ROOT)) for path in (ROOT / "examples").rglob("*.yaml")}


def test_the_files_of_a_run_are_documented():
    folder = RunFolder(Path("run"))
    properties = [name for name, value in vars(RunFolder).items() if isinstance(value, RunFile)]
    for name in properties:
        assert re.search(rf"`{re.escape(getattr(folder, name).name)}/?`", text_of(RUN_FOLDER)), name


def test_the_sample_data_has_the_size_that_the_pages_claim():
    sizes = {}
    for name in ("conversations", "labeled"):
        sizes[name] = len((ROOT / "examples" / "quickstart" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())
    for page in (README, ROOT / "CHANGELOG.md"):
        said = " ".join(text_of(page).split())
        assert f"{sizes['conversations']} hand-written" in said
        assert f"{sizes['labeled']} of them with a labelled summary" in said


def test_method_names_every_metric_system_check_and_category():
    metrics = [name for row in table(METHOD, "metric", "value for one summary") for name in code(row[0])]
    assert metrics == list(METRICS)
    assert [code(row[0])[0] for row in table(METHOD, "check", "finds", "category")] == list(CHECKS)
    assert [code(row[0])[0] for row in table(METHOD, "seed category", "what it is")] == list(load_seed_taxonomy().ids())
    assert all(f"`{system}`" in text_of(METHOD) for system in SYSTEMS)
    verdicts = [code(row[0])[0] for row in table(METHOD, "verdict", "meaning", "trained on (arm `arf`)")]
    assert verdicts == [verdict.value for verdict in records.Verdict]


def test_architecture_names_every_stage_record_and_error():
    assert [code(row[0])[0] for row in table(ARCHITECTURE, "stage", "reads", "asks", "writes")] == [
        s.name for s in STAGES
    ]
    named = {name for row in table(ARCHITECTURE, "record", "what it is") for name in code(row[0])}
    assert named == {
        name
        for name, value in vars(records).items()
        if isinstance(value, type) and issubclass(value, records.Record) and value is not records.Record
    }
    errors = {name for name, value in vars(exceptions).items() if isinstance(value, type)}
    (drawn,) = [block for block in fences(ARCHITECTURE, "text") if "ArfError" in block]
    assert set(re.findall(r"\b[A-Z]\w+(?:Error|Extra)\b", drawn)) == errors


def test_every_provider_whose_terms_restrict_training_is_documented():
    rows = table(
        LICENCES,
        "provider",
        "name",
        "which models",
        "what the terms say, in short",
        "version",
        "source",
    )
    assert [(row[0], *code(row[1])) for row in rows] == [(terms.provider, terms.name) for terms in TERMS]
    for row, terms in zip(rows, TERMS, strict=True):
        assert terms.source in row[5]
        assert {f"{prefix}..." for prefix in terms.prefixes if not prefix.startswith("text-")} <= set(code(row[2]))


def test_the_changelog_has_a_section_for_this_version():
    headings = re.findall(r"^## (.+)$", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d", headings[1])
    assert f'version = "{__version__}"' in text_of(ROOT / "pyproject.toml")


def test_the_kinds_of_planted_error_are_documented():
    rows = table(PROBE, "kind", "what happens", "category")
    assert [code(row[0])[0] for row in rows] == list(KINDS)


def test_the_api_page_has_every_public_name():
    documented = re.findall(r"^::: arf_programs\.(\w+)", text_of(DOCS / "api.md"), re.MULTILINE)
    assert sorted(documented) == sorted(arf_programs.__all__)


# Form


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def targets(page: Path) -> list[str]:
    """Where the links and images of a page lead, outside of code."""
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", prose)


@every_page
def test_links_lead_somewhere(page: Path):
    for target in targets(page):
        if target.startswith("https://"):
            continue
        path, _, fragment = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.+)$", text_of(file), re.MULTILINE)
            assert fragment in [anchor(heading) for heading in headings], target


@pytest.mark.filterwarnings("ignore")
def test_the_site_builds_without_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    site = load_site(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path), strict=True)
    with caplog.at_level(logging.WARNING, logger="mkdocs"):
        build(site)
    assert not [record for record in caplog.records if record.name.startswith("mkdocs")]
    pages = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html")}
    assert {"index.html", "CHANGELOG.html", *(f"{path.stem}.html" for path in DOCS.glob("*.md"))} <= pages
    assert (tmp_path / "examples" / "paper.yaml").is_file()


@every_page
def test_pages_are_plain(page: Path):
    text = text_of(page)
    assert not re.search(r"(?<![\w.~])/(?:home|tmp|work|root|Users)/", text), "a path of one machine"
    assert not re.search("[\U0001f000-\U0001faff\u2600-\u27bf]", text), "an emoji"


@every_page
def test_measured_parts_are_marked_from_beginning_to_end(page: Path):
    marks = re.findall(r"<!-- (?:(?:measured|printed): )?(\S[^>]*?) -->", text_of(page))
    assert marks[1::2] == ["end"] * (len(marks) // 2)
    assert "end" not in marks[::2]
    assert len(marks) % 2 == 0


def test_the_readme_has_measured_parts():
    assert len(re.findall("<!-- measured: ", text_of(README))) >= 2
