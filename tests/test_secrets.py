"""No secret stands in a file of a run or on the screen, and files of a run are private."""

import html
import json
import os
import re
import stat
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from compile_project import make_project
from conftest import write_corpus
from hypothesis import given
from hypothesis import strategies as st
from odd_server import serving_oddly
from pydantic import ValidationError
from served_team import answer, serving
from typer.testing import CliRunner
from warm_python import run_python

from arf_programs.cli.app import app
from arf_programs.config import Config, dump_config
from arf_programs.config.load import load_config
from arf_programs.config.masking import environment_without_secrets, mask, mask_message, remember_secrets
from arf_programs.config.models import ModelConfig
from arf_programs.config.secrets import resolve_references, secrets_in_address, without_login
from arf_programs.models.answers.store import request_key
from arf_programs.models.calls.lm import build_lm
from arf_programs.runs.jsonl import read_jsonl, write_text_atomic
from arf_programs.runs.storage import make_private_folder, private_files
from signatures.exceptions import ConfigError
from signatures.records import Summary

ROOT = Path(__file__).parents[1]
# Ten secrets, where people put them.
ENVIRONMENT = {
    "HOSTED_VLLM_API_KEY": "sk-planted-vllm-4f1c9e27ab01",
    "OPENAI_API_KEY": "sk-planted-openai-88d2c5e0f102",
    "ANTHROPIC_API_KEY": "sk-ant-planted-7c61b2a9d803",
    "AWS_SECRET_ACCESS_KEY": "plantedAws/wJalrXUtnFEMI04",
    "AZURE_AD_TOKEN": "eyJplanted.azure-05.q8w7e6",
    "HF_TOKEN": "hf_plantedHub06kqzwx",
    "GATEWAY": "gate-planted-07-55e1",
    "HTTPS_PROXY_OF_OURS": "http://planted-proxy-user:planted-proxy-08@proxy.invalid:3128",
}
IN_ADDRESS = {"user": "planted-user-09x", "password": "planted%40pass-10"}
PLANTED = (
    *(value for name, value in ENVIRONMENT.items() if name != "HTTPS_PROXY_OF_OURS"),
    "planted-proxy-08",
    "planted-user-09x",
    "planted@pass-10",
)


@pytest.fixture
def planted(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    remember_secrets()
    yield
    monkeypatch.undo()
    remember_secrets()


def found_in(text):
    """The secrets, or long parts of them, in a text."""
    forms = [*PLANTED, IN_ADDRESS["password"], "cGxhbnRlZC11c2Vy"]
    parts = [secret[: len(secret) // 2 + 3] for secret in PLANTED]
    return [form for form in (*forms, *parts) if form in text]


def assert_clean(folder, *outputs):
    texts = {str(path): path.read_bytes().decode(errors="replace") for path in folder.rglob("*") if path.is_file()}
    texts |= {f"output {number}": text for number, text in enumerate(outputs)}
    assert {name: found for name, text in texts.items() if (found := found_in(text))} == {}
    return "".join(texts.values())


@contextmanager
def echoing() -> Iterator[str]:
    """A server that says in its errors what it was sent, and one conversation in four is an error."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = json.dumps(body["messages"])
            if "kettle" in text or "drill" in text:
                echo = f"bad request {self.path} from {dict(self.headers)}; I know {PLANTED} and {PLANTED[0][:14]}"
                self.reply(400, {"error": {"message": f"{echo}; key sk-pl****ab01", "code": "bad_request"}})
                return
            said = answer(body) if "lamp" not in text else f"The customer's lamp broke. {PLANTED[0]} was sent."
            message = {"role": "assistant", "content": said}
            self.reply(200, {"choices": [{"message": message, "finish_reason": "stop", "index": 0}], "usage": {}})

        def reply(self, status, content):
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def environment():
    return {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def arf(*arguments, umask=0o000):
    """A command as a process of its own, so that all that its libraries print is seen."""
    command = [sys.executable, "-m", "arf_programs.cli.app", *map(str, arguments)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, umask=umask, check=False)


def arf_again(*arguments):
    """A further command in a process that begins with all imports: what these print was seen of the first."""
    return run_python("-m", "arf_programs.cli.app", *map(str, arguments), env=environment())


def arf_here(*arguments):
    """A command in this process, which prints the same where nothing of LiteLLM or another library is at work."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def write_project(folder, address, extra=""):
    write_corpus(folder / "conversations.jsonl")
    login = f"http://{IN_ADDRESS['user']}:{IN_ADDRESS['password']}@{address}"
    (folder / "arf.yaml").write_text(
        f"name: test\nrun_dir: {folder / 'run'}\ncorpus: {{path: conversations.jsonl}}\nmodels:\n"
        f"  teacher: {{model: openai/m, api_base: 'http://{address}', json_schema: true, logprobs: false,\n"
        f"    retries: 0, parse_retries: 0, parameters: {{extra_headers: {{X-Gate: os.environ/GATEWAY}}}}{extra}}}\n"
        f"  judge: {{model: openai/judge, api_base: '{login}', retries: 0}}\n"
    )
    return folder / "arf.yaml"


def test_no_artefact_and_no_output_of_a_run_holds_a_secret(tmp_path):
    with echoing() as address:
        config = write_project(tmp_path, address)
        text = config.read_text()
        runs = [arf("draft", config), arf_again("check", config, "-v")]
        runs.append(arf_again("draft", config, "-v", "--retry-failed"))
        config.write_text(text.replace("openai/m", "openai/n"))
        runs.append(arf_again("draft", config, "-v", "--json", "--set", "workers=2"))
        config.unlink()
    said = assert_clean(tmp_path, *(run.stdout + run.stderr for run in runs))
    assert_private(tmp_path / "run")  # two workers wrote into it, too
    assert "Traceback" not in runs[0].stderr
    assert "bad request" in said
    assert "The customer's lamp broke. *** was sent." in said
    assert f"http://{address}" in (tmp_path / "run" / "config.yaml").read_text()
    assert len(list(read_jsonl(tmp_path / "run" / "drafts.jsonl", Summary))) == 10


def assert_private(run):
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (run, *run.rglob("*"))}
    assert len(modes) > 10
    assert {path: oct(mode) for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}


def test_files_of_a_run_are_private_whatever_the_umask(tmp_path, planted):
    with serving() as server:
        config = write_project(tmp_path, server.base_url.removeprefix("http://"))
        before = os.umask(0)
        try:
            assert arf_here("revise", config).exit_code == 0
        finally:
            os.umask(before)
    assert_private(tmp_path / "run")


def test_no_artefact_of_batch_mode_holds_a_secret(tmp_path):
    with serving_echoes() as server:
        config = write_project(
            tmp_path, server.base_url.removeprefix("http://"), ", mode: batch, batch: {quiet: 0.1, poll: 0.05}"
        )
        run = arf_again("draft", config, "-v")
        assert run.returncode == 0, run.stderr[-2000:]
        uploads = server.requests()
        again = arf_again("draft", config, "--set", "summarize.instruction=Say what happened.", "-v")
        config.unlink()
    assert again.returncode == 0
    assert uploads
    said = assert_clean(tmp_path, run.stdout, run.stderr, again.stdout, again.stderr)
    assert "It is *** indeed." in said
    assert (tmp_path / "run" / "batches.jsonl").read_text().count("127.0.0.1")


@contextmanager
def serving_echoes():
    from model_server import running_server
    from model_server_faults import Faults

    with running_server(Faults(), lambda body: f"It is {PLANTED[0]} indeed.") as server:
        yield server


def test_no_artefact_of_a_compilation_holds_a_secret(tmp_path, planted, monkeypatch):
    from compile_project import CompileTeam
    from test_compile import arf as compile_with

    from arf_programs.models import scripted

    team = CompileTeam()

    def echo(messages, parameters):
        made = team(messages, parameters)
        return f"{made} {PLANTED[3]}" if isinstance(made, str) and not made.startswith("{") else made

    scripted.register("model", echo)
    config = make_project(tmp_path)
    result, _ = compile_with("summarize", config, "--optimizer", "bootstrap")
    assert list(tmp_path.rglob("program.json")) or list(tmp_path.rglob("candidate.json"))
    assert_clean(tmp_path, result.output)


SECRET_PARAMETERS = [
    {"extra_headers": {"X-Api-Key": "abc"}},
    {"headers": {"Authorization": "Basic dTpw"}},
    {"headers": {"authorization": "x"}},
    {"extra_headers": {"Ocp-Apim-Subscription-Key": "abc"}},
    {"extra_headers": {"Cookie": "session=1"}},
    {"extra_headers": {"X-Team": "Bearer abcdefghijklmnop"}},
    {"extra_body": {"auth": {"token": "abc"}}},
    {"extra_body": {"inner": [{"api_key": "abc"}]}},
    {"extra_body": {"note": "sk-abcdefghijklmnopqrst"}},
    {"extra_query": {"sig": "abc"}},
    {"extra_query": {"code": "abc"}},
    {"extra_body": {"jwt": "abc"}},
    {"client_secret": "abc"},
    {"password": 12345678},
    {"vertex_credentials": '{"private_key": "abc"}'},
    {"aws_session_token": "abc"},
    {"api_key": "abc"},
    {"extra_body": {"accessToken": "abc"}},
    {"extra_body": {"auth": "abc"}},
    {"aws_bedrock_key": "abc"},
    {"extra_headers": {"X-Gate": "Hq7xPlanted5521zzW"}},
    {"extra_headers": {"X-Gate": "9f86d081884c7d659a2feaa0c55ad015"}},
    {"extra_body": '{"api_key": "planted-55211"}'},
    {"extra_body": {"curl": "Authorization: planted-55211"}},
    {"extra_body": {"auth_line": "Token planted-55211"}},
    {"extra_body": {"note": "nvapi-abcdefghijklmnopqrst"}},
    {"extra_body": {"metadata": {"pw": "planted-55211"}}},
    {"extra_body": {"gateCreds": "planted-55211"}},
    {"extra_body": {"fields": [{"name": "api_key", "value": "planted-55211"}]}},
    {"extra_query": {"subscription": "Hq7xPlanted5521zzW"}},
    {"extra_body": {"ＡＰＩ_key": "planted-55211"}},
]


@pytest.mark.parametrize("parameters", SECRET_PARAMETERS, ids=str)
def test_a_secret_in_parameters_is_refused_with_the_mend_and_not_shown(parameters, tmp_path):
    config = write_project(tmp_path, "h")
    run = arf_here("status", config, "--set", f"models.teacher.parameters={json.dumps(parameters)}")
    assert run.exit_code == 2
    assert "environment variable" in run.stderr
    value = str(list(texts_of(parameters))[-1])
    assert len(value) < 4 or value not in run.stdout + run.stderr
    assert "sk-abc" not in run.stderr
    assert "12345678" not in run.stderr


def texts_of(value):
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_of(item)
    else:
        yield value


@pytest.mark.parametrize(
    "parameters",
    [
        {"extra_headers": {"HTTP-Referer": "https://a.b/c", "X-Title": "ARF"}},
        {"extra_headers": {"X-Api-Key": "os.environ/MINE"}, "headers": {"Authorization": "Bearer os.environ/MINE"}},
        {"extra_body": {"stop_token_ids": [1, 2], "prompt_cache_key": "us", "max_tokens_total": 5}},
        {"top_p": 0.5, "max_completion_tokens": 10, "reasoning_effort": "low", "stop": ["key", "token"]},
        {"vertex_credentials": "~/credentials.json", "vertex_project": "p"},
        {
            "extra_headers": {
                "OpenAI-Organization": "org-Hq7xOrganization5521",
                "anthropic-beta": "output-128k-2025-02-19",
            }
        },
        {"extra_headers": {"X-Request-Id": "9f86d081884c7d659a2feaa0c55ad015"}},
        {"extra_body": {"eos_token": "</s>", "token_type": "a", "chat_template": "{{ eos_token }}{{ m['role'] }}: x"}},
        {
            "extra_body": {
                "model": "Meta-Llama-3.1-8B-Instruct-Turbo",
                "cache_key": "ours",
                "bypass": "no",
                "author": "us",
            }
        },
    ],
    ids=str,
)
def test_what_is_no_secret_is_left_alone(parameters):
    assert ModelConfig(model="openai/x", parameters=parameters).parameters == parameters


def test_the_name_of_a_parameter_with_a_letter_that_only_looks_latin_is_refused():
    with pytest.raises(ValidationError, match="only looks Latin") as refused:
        ModelConfig(model="openai/x", parameters={"extra_body": {"ap\u0456_key": "planted-55211"}})
    assert "55211" not in refused.value.errors()[0]["msg"]


def test_a_token_in_the_path_of_an_address_is_masked_where_it_is_echoed():
    remember_secrets([ModelConfig(model="openai/x", api_base="https://host/Hq7xPlanted5521zzW/v1")])
    assert mask("404: no such path /Hq7xPlanted5521zzW/v1") == "404: no such path /***/v1"


@pytest.mark.parametrize("headers", [["Authorization: abc"], [{"name": "X-Key", "value": "abc"}], "Authorization: abc"])
def test_headers_that_are_no_mapping_are_refused(headers):
    with pytest.raises(ValidationError, match="has to give each header its value") as refused:
        ModelConfig(model="openai/x", parameters={"extra_headers": headers})
    assert "abc" not in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    "setting",
    [
        "models.teacher.api_base=https://gate.invalid/sk-planted-openai-88d2c5e0f102/v1",
        "models.teacher.license=by sk-planted-openai-88d2c5e0f102",
        "models.teacher.model=sk-planted-openai-88d2c5e0f102",
        "summarize.instruction=Use sk-planted-openai-88d2c5e0f102.",
        "corpus.path=hf_plantedHub06kqzwxyzabc.jsonl",
    ],
)
def test_a_key_anywhere_in_the_configuration_is_refused_and_not_shown(setting, tmp_path):
    run = arf_here("status", write_project(tmp_path, "h"), "--set", setting, "--set", "train.epochs=many")
    assert run.exit_code == 2
    assert "holds what looks like a key" in run.stderr
    assert "train.epochs" in run.stderr
    assert found_in(run.stdout + run.stderr) == []


def test_a_key_in_place_of_its_name_is_refused_and_not_shown(tmp_path):
    for key in ("sk-abcdefghijklmnopqrst", "hf_abcdefghijklmnopqrst"):
        run = arf_here("status", write_project(tmp_path, "h"), "--set", f"models.teacher.api_key_env={key}")
        assert run.exit_code == 2
        assert "api_key_env" in run.stderr
        assert key not in run.stderr


@pytest.mark.parametrize(
    "line",
    [
        "api_key: hunter2-planted ]",
        "api_key: *hunter2-planted",
        "api_key: !hunter2-planted x",
        "api_key: 'hunter2-planted",
        "api_key: hunter2-planted: x",
        "api_key: %hunter2-planted",
    ],
)
def test_a_mistake_in_a_line_with_a_secret_does_not_show_it(line, tmp_path):
    config = tmp_path / "arf.yaml"
    config.write_text(f"corpus: {{path: a.jsonl}}\nmodels:\n  teacher:\n    {line}\n    model: openai/m\n")
    with pytest.raises(ConfigError) as error:
        load_config(config)
    assert "hunter2" not in str(error.value)
    assert "arf.yaml" in str(error.value)


@pytest.mark.parametrize("override", ["models.teacher.parameters={X-Key: [hunter2", "models.teacher.api_key=[hunter2"])
def test_a_mistake_in_an_override_with_a_secret_does_not_show_it(override, tmp_path):
    with pytest.raises(ConfigError) as error:
        load_config(write_project(tmp_path, "h"), [override])
    assert "hunter2" not in str(error.value)
    assert "models.teacher." in str(error.value)


def test_a_server_that_we_start_gets_no_secret(planted, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY_2", "planted-second")
    monkeypatch.setenv("PGPASSWORD", "planted-database")
    remember_secrets([ModelConfig(model="openai/m", parameters={"extra_headers": {"X-Gate": "os.environ/GATEWAY"}})])
    given = environment_without_secrets()
    kept = {"HF_TOKEN", "HTTPS_PROXY_OF_OURS"}
    assert {name for name, value in given.items() if "planted" in value.lower() and name not in kept} == set()


def test_a_reference_is_resolved_when_a_model_is_asked(monkeypatch):
    monkeypatch.setenv("MINE", "value-of-mine")
    parameters = {"headers": {"A": "Bearer os.environ/MINE", "B": 1}, "stop": ["os.environ/MINE"]}
    assert resolve_references(parameters) == {
        "headers": {"A": "Bearer value-of-mine", "B": 1},
        "stop": ["value-of-mine"],
    }
    monkeypatch.delenv("MINE")
    with pytest.raises(ConfigError, match=r"os.environ/MINE: this environment variable is not set: `export MINE="):
        resolve_references(parameters)


def test_a_new_secret_in_the_body_is_the_same_question(planted, monkeypatch):
    request = {"model": "openai/x", "messages": [], "extra_body": {"auth": ENVIRONMENT["OPENAI_API_KEY"], "more": 1}}
    key = request_key(request)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another-0123456789")
    remember_secrets()
    assert request_key({**request, "extra_body": {"auth": "sk-another-0123456789", "more": 1}}) == key
    assert request_key({**request, "extra_body": {"auth": "sk-another-0123456789", "more": 2}}) != key


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("https://user:pass@host:8000/v1", "https://host:8000/v1"),
        ("https://token@host/v1?version=1", "https://host/v1?version=1"),
        ("https://host/v1?api-version=2024&api-key=abc&subscription_key=d", "https://host/v1?api-version=2024"),
        ("https://host/v1?sig=abc", "https://host/v1"),
        ("https://host/v1#token=abc", "https://host/v1"),
        ("https://host/v1;api-key=abc?x=1", "https://host/v1?x=1"),
        ("https://host/Hq7xPlanted5521zzW/v1", "https://host/***/v1"),
        ("https://host/v1/Hq7x-Planted5521zzWabcQ_d", "https://host/v1/***"),
        ("https://host/v1/9f86d081884c7d659a2feaa0c55ad015?x=1", "https://host/v1/***?x=1"),
        ("https://u:p@host/token/planted-55211/v1", "https://host/token/***/v1"),
        ("https://host/v1?x=Hq7xPlanted5521zzW&y=2", "https://host/v1?y=2"),
        ("https://host/v1/;Hq7xPlanted5521zzW", "https://host/v1/;***"),
        ("https://host/auth/v1", "https://host/auth/v1"),
        ("https://host/openai/deployments/gpt-4o-mini/v1", "https://host/openai/deployments/gpt-4o-mini/v1"),
        ("https://host/models/Meta-Llama-3.1-8B-Instruct/v1", "https://host/models/Meta-Llama-3.1-8B-Instruct/v1"),
        ("https://host/4f1c2d3e-0000-4000-8000-0123456789ab", "https://host/4f1c2d3e-0000-4000-8000-0123456789ab"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("https://host/a@b?q=1", "https://host/a@b?q=1"),
        ("no address", "no address"),
    ],
)
def test_user_password_and_tokens_are_taken_out_of_addresses(address, public):
    assert without_login(address) == public
    assert without_login(public) == public
    assert not secrets_in_address(public)


def test_the_configuration_of_a_run_has_no_login():
    models = {"teacher": {"model": "hosted_vllm/m", "api_base": "https://u:pw@host/v1?token=abc"}}
    config = Config.model_validate(
        {
            "name": "x",
            "corpus": {"path": "c.jsonl"},
            "models": models,
            "evaluate": {"systems": {"other": {"model": "openai/x", "parameters": {"base_url": "http://u:pw@other"}}}},
        }
    )
    text = dump_config(config)
    assert "pw" not in text
    assert "abc" not in text
    assert "https://host/v1" in text
    assert "http://other" in text


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=12, max_size=40), st.text()
)
def test_a_secret_of_any_letters_is_masked_where_it_is_written(secret, around):
    secret = f"7x{secret.strip()}9Z"
    os.environ["PLANTED_TOKEN"] = secret
    try:
        remember_secrets()
        for text in (f"{around}{secret}{around}", json.dumps([around, secret])):
            assert secret not in mask(text)
            assert json.dumps(secret)[1:-1] not in mask(text)
            assert secret[: len(secret) - 1] not in mask_message(text)
        for written in (html.escape(secret), b64encode(secret.encode()).decode(), json.dumps(json.dumps(secret))[3:-3]):
            assert written not in mask_message(f"The page says {written}, sorry.")
    finally:
        del os.environ["PLANTED_TOKEN"]
        remember_secrets()
    assert mask(secret) == secret


SECRET_NAMES = """OPENAI_API_KEY OPENAI_API_KEYS OPENAI_API_KEY_TEAM_A AZURE_OPENAI_KEY GROQ_KEY AWS_ACCESS_KEY_ID
    AWS_BEARER_TOKEN_BEDROCK WATSONX_ZENAPIKEY API_TOKEN_V2 SECRET_KEY_BASE AZURE_TENANT_SECRET_VALUE NPM_AUTH AZURE_SAS
    GOOGLE_APPLICATION_CREDENTIALS_JSON SSH_PRIVATE_KEY_BASE64 clientSecret hfToken PGPASSWORD SLACK_WEBHOOK_URL"""
OPEN_NAMES = """KEYBOARD TOKENIZERS_PARALLELISM SSH_AUTH_SOCK OPENAI_API_KEY_FILE TOKEN_URL LANGFUSE_PUBLIC_KEY
    max_tokens tokens_per_minute stop_token_ids prompt_cache_key eos_token pad_token author bypass password_policy"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_the_value_of_a_variable_with_a_secret_name_is_masked(name, monkeypatch):
    monkeypatch.setenv(name, "/zq81-planted+5521-aa9")  # base64 may begin with a slash, and is no path
    remember_secrets()
    assert mask("It says /zq81-planted+5521-aa9.") == "It says ***."
    monkeypatch.undo()
    remember_secrets()


@pytest.mark.parametrize("name", OPEN_NAMES.split())
def test_the_value_of_another_variable_stays(name, monkeypatch):
    monkeypatch.setenv(name, "zq81-planted-5521-aa9")
    remember_secrets()
    assert mask("It says zq81-planted-5521-aa9.") == "It says zq81-planted-5521-aa9."
    monkeypatch.undo()
    remember_secrets()


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("OPENAI_API_KEYS", "zq81-first-5521-aa9,zq81-second-5521-aa9", "zq81-second-5521-aa9"),
        ("AZURE_CONNECTION_STRING", "Name=ours;AccountKey=zq81/5521+aa9==;Suffix=x", "zq81/5521+aa9=="),
        ("CREDENTIALS_JSON", '{"client_secret": "zq81-5521-aa9", "type": "x"}', "zq81-5521-aa9"),
        ("SIGNING_KEY", "-----BEGIN KEY-----\nMIIEvQIBADANBgkq5521\n-----END KEY-----", "MIIEvQIBADANBgkq5521"),
    ],
)
def test_the_secrets_of_which_a_variable_is_made_are_masked(name, value, secret, monkeypatch):
    monkeypatch.setenv(name, value)
    remember_secrets()
    assert mask(f"It says {secret}.") == "It says ***."
    assert mask("Name=ours, type x") == "Name=ours, type x"
    monkeypatch.undo()
    remember_secrets()


@pytest.mark.parametrize(
    "echo",
    [
        "Incorrect API key provided: sk-plant********************f102. You can find",
        "Incorrect API key: sk-p...f102",
        "key sk-planted-openai-88 is unknown",
        "token 88d2c5e0f102 has expired",
        "'Authorization': 'Bearer sk-planted-openai-88d2c5e0f102'",
        "GET https://host/v1/models?key=sk-planted-openai-88d2c5e0f102&x=1",
    ],
)
def test_a_part_of_a_key_in_a_message_is_masked(echo, planted):
    shown = mask_message(echo)
    assert "***" in shown
    assert not re.search(r"sk-p|f102|88d2", shown.replace("sk-p...", ""))


@pytest.mark.parametrize(
    "echo",
    [
        '{"apiKey": "zq81-5521-aa9"}',
        "AZURE_CLIENT_SECRET=zq81-5521-aa9",
        "password=zq81-5521-aa9",
        "Set-Cookie: session=zq81-5521-aa9; Path=/",
        "https://h/v1?sig=zq81-5521-aa9",
        "-----BEGIN PRIVATE KEY-----\nzq81-5521-aa9\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nzq81-5521-aa9",
    ],
)
def test_what_a_message_calls_a_secret_is_masked(echo):
    assert "5521" not in mask_message(f"The provider says: {echo}")


@pytest.mark.parametrize(
    "text",
    ["max_tokens: 16000", "models.teacher.api_key: not known", "prompt_tokens=20817364", "the secret: nobody knew 1"],
)
def test_a_message_about_settings_stays_as_it_is(text):
    assert mask_message(text) == text


def test_ordinary_texts_stay_as_they_are(planted, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "production")
    monkeypatch.setenv("SOME_PASSWORD", "12345678")
    monkeypatch.setenv("SOME_SECRET", "none")
    remember_secrets()
    text = "In production, order 12345678 has none; see https://a:b@c and ?key=1 ... **bold** sk-1."
    assert mask(text) == text


def test_a_file_of_records_masks_what_it_is_given(planted, tmp_path):
    write_text_atomic(tmp_path / "x.txt", f"a {PLANTED[0]} b")
    assert (tmp_path / "x.txt").read_text() == "a *** b"


def test_a_folder_that_is_there_keeps_its_mode_unless_it_is_a_run(tmp_path):
    for name in ("shared", "run", "empty"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o755)
    (tmp_path / "shared" / "notes.txt").touch()
    (tmp_path / "run" / "config.yaml").touch()
    for name in ("shared", "run", "empty", "new/deep"):
        make_private_folder(tmp_path / name, holds="config.yaml")
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("shared", "run", "empty", "new/deep")}
    assert modes == {"shared": 0o755, "run": 0o700, "empty": 0o700, "new/deep": 0o700}


def test_the_umask_is_as_it_was_afterwards(tmp_path):
    before = os.umask(0o027)
    try:
        with private_files():
            (tmp_path / "inside").touch()
        (tmp_path / "outside").touch()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("inside", "outside")]
    assert modes == [0o600, 0o640]


def test_validation_shows_no_secret_of_code():
    with pytest.raises(ValidationError) as caught:
        ModelConfig(model="openai/x", parameters={"client_secret": "abc"})
    assert "client_secret holds a secret" in str(caught.value)


def test_user_and_password_of_an_address_are_sent_as_a_header(make_run, conversation, no_waiting):
    with serving_oddly() as server:
        run = make_run(
            "models.teacher.model=openai/m", f"models.teacher.api_base={server.url.replace('//', '//u:p%40w@')}"
        )
        lm = build_lm(run.config.models.teacher, seed=1)
    assert lm.engine.parameters["api_base"] == server.url
    assert lm.engine.parameters["extra_headers"] == {"Authorization": "Basic dTpwQHc="}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"model": "openai/m", "api_key_env": "GATEWAY"}, "a request carries only one of them"),
        ({"model": "hosted_vllm/m"}, "cannot send the user and password of api_base to hosted_vllm"),
        ({"model": "mistral/m"}, "cannot send the user and password of api_base to mistral"),
    ],
)
def test_user_and_password_that_cannot_be_sent_are_refused_before_any_call(planted, settings, reason):
    with pytest.raises(ConfigError, match=reason) as refused:
        build_lm(ModelConfig(api_base="https://user-77:secret-88@host/v1", **settings), seed=1)
    assert "secret-88" not in str(refused.value) and "user-77" not in str(refused.value)
