"""Where requests go: the address of each provider, the hosts that are listed, and that no other host is looked up."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import served_team
from conftest import stored_calls, write_corpus
from model_server import ModelServer, running_server
from model_server_faults import Faults
from odd_server import completion, serving_oddly
from test_asking_everywhere import COMMANDS, no_collection, project, training_is_done
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.config.models import ModelConfig
from arf_programs.models import scripted
from arf_programs.models.batch.client import BatchClient
from arf_programs.models.calls.lm import build_lm, check_provider
from arf_programs.models.providers.addresses import address_of, describe_hosts, hosts_of
from arf_programs.models.providers.litellm import import_litellm, listed_price, register_providers
from signatures.exceptions import ConfigError

__all__ = ["no_collection", "training_is_done"]
OPENAI = "api.openai.com"
# A server of one's own, and the variable for its address.
OWN = {
    "hosted_vllm/m": "HOSTED_VLLM_API_BASE",
    "lm_studio/m": "LM_STUDIO_API_BASE",
    "litellm_proxy/m": "LITELLM_PROXY_API_BASE",
    "xinference/m": "XINFERENCE_API_BASE",
    "llamafile/m": "LLAMAFILE_API_BASE",
    "docker_model_runner/m": "DOCKER_MODEL_RUNNER_API_BASE",
    "custom_openai/m": "OPENAI_BASE_URL",
    "openai/m": "OPENAI_API_BASE",
}
ELSEWHERE = ("infinity/m", "triton/m", "oobabooga/m", "custom/m", "aiohttp_openai/m")
CLOUDS = ("azure/m", "azure_ai/m", "azure_text/m", "azure/mistral-large-latest", "azure/command-r-plus", "ai21/m")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No address and no key is set but OpenAI's, as on the machine of somebody who uses OpenAI, too."""
    for name in list(os.environ):
        if name.endswith(("_API_BASE", "_BASE_URL", "_API_KEY")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    register_providers()


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts whose address was looked up. Only those of this machine are found."""
    hosts: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        hosts.append(name)
        if name not in ("127.0.0.1", "::1", "None"):
            raise socket.gaierror(-2, "refused by the test")
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return hosts


def ask(model: str, **arguments: Any) -> None:
    """Send one request as LiteLLM does. It fails, since no host is found."""
    messages = [{"role": "user", "content": "hi"}]
    litellm = import_litellm()
    with pytest.raises(litellm.exceptions.openai.OpenAIError):
        asyncio.run(litellm.acompletion(model=model, messages=messages, max_retries=0, num_retries=0, **arguments))


@pytest.mark.parametrize(
    "model", ["hosted_vllm/m", "lm_studio/m", "litellm_proxy/m", "xinference/m", "custom_openai/m", *ELSEWHERE, *CLOUDS]
)
def test_a_server_without_an_address_is_a_mistake_before_anything_is_sent(model, looked_up):
    with pytest.raises(ConfigError, match=f"{model}: the address of your server is missing: set api_base"):
        build_lm(ModelConfig(model=model), seed=1)
    assert looked_up == []


def test_no_provider_of_litellm_falls_back_on_openai():
    """Whatever LiteLLM adds: a model goes to OpenAI only if its name says so."""
    litellm = import_litellm()
    for provider in {str(getattr(item, "value", item)) for item in litellm.provider_list} - {
        "chatgpt",
        "github_copilot",
    }:
        try:
            host = address_of(ModelConfig(model=f"{provider}/m")).host
        except ConfigError:
            continue
        assert host != OPENAI or provider in ("openai", "text-completion-openai"), provider


@pytest.mark.parametrize(
    "model",
    [
        "openai/m", "gpt-4o-mini", "text-completion-openai/m", "anthropic/m", "cohere/m",
        "cohere_chat/m", "gemini/m", "openrouter/m", "amazon_nova/m", "compactifai/m", "maritalk/m", "nlp_cloud/m",
        "ollama/m", "ollama_chat/m", "langflow/m", "docker_model_runner/m", "groq/m", "mistral/m",
        "deepseek/m", "together_ai/m", "xai/m", "fireworks_ai/m", "nebius/m", "cometapi/m",
    ],
)  # fmt: skip
def test_the_host_that_is_listed_is_the_host_that_litellm_asks(model, looked_up, monkeypatch):
    monkeypatch.setenv("FIREWORKS_API_KEY", "sk-1")
    host = address_of(ModelConfig(model=model)).host
    ask(model, api_key="sk-1")
    assert set(looked_up) - {"None"} == {host.partition(":")[0]}


@pytest.mark.parametrize("model", ["vllm/m", "openai_like/m", "lemonade/m", "petals/m"])
def test_a_name_by_which_no_server_is_asked_is_refused_with_the_right_one(model):
    with pytest.raises(
        ConfigError, match=f"{model}: by this name LiteLLM asks no server, or others as well: write hosted_vllm/m"
    ):
        check_provider(ModelConfig(model=model, api_base="http://127.0.0.1:8000/v1"))


def test_the_name_by_which_only_aws_is_asked_is_told():
    with pytest.raises(ConfigError, match=r"sagemaker/m: .*: write sagemaker_chat/m\."):
        check_provider(ModelConfig(model="sagemaker/m"))


def test_the_hub_is_not_asked_about_a_model_at_an_endpoint_of_ones_own(looked_up):
    model = "huggingface/elsewhere"
    hosts_of([ModelConfig(model=model, api_base="http://127.0.0.1:9/v1")])
    assert listed_price(model) is None
    assert looked_up == []


@pytest.mark.parametrize("provider", ["ollama", "ollama_chat"])
@pytest.mark.parametrize("settings", [{}, {"json_schema": True}, {"input_price": 1.0, "output_price": 2.0}], ids=str)
def test_the_ollama_of_this_machine_is_not_asked_about_a_model_elsewhere(provider, settings, looked_up, tmp_path):
    text = "The customer called."
    body = {"message": {"role": "assistant", "content": text}, "response": text, "done": True, "done_reason": "stop"}
    with serving_oddly() as server:
        server.answer = lambda number, asked: body
        # No other test has this name, since LiteLLM remembers models.
        model = f"{provider}/elsewhere-{len(settings)}-{'schema' if 'json_schema' in settings else ''}"
        config = ModelConfig(model=model, api_base=server.url.removesuffix("/v1"), retries=0, **settings)
        hosts_of([config])
        assert listed_price(model) is None
        live(config, tmp_path)
        assert len(server.calls) == 1
    assert set(looked_up) <= {"127.0.0.1", "None"}


def live(config: ModelConfig, folder: Path) -> None:
    lm = build_lm(config, seed=1)
    with stored_calls(folder):
        lm("Are you there?")


@pytest.mark.parametrize("model", OWN)
def test_the_address_may_be_in_the_variable_of_the_provider(model, looked_up, tmp_path, monkeypatch):
    with running_server(Faults()) as server:
        monkeypatch.setenv(OWN[model], server.base_url)
        assert f"http://{address_of(ModelConfig(model=model)).host}/v1" == server.base_url
        live(ModelConfig(model=model, retries=0), tmp_path)
        assert server.stats()["requests"] == 1
    assert set(looked_up) <= {"127.0.0.1", "None"}


@pytest.mark.parametrize("model", ["hosted_vllm/m", "litellm_proxy/m", "openai/m"])
def test_a_batch_goes_to_the_address_in_the_variable_of_the_provider(model, looked_up, tmp_path, monkeypatch):
    with served_team.serving() as server:
        monkeypatch.setenv(OWN[model], server.base_url)
        write_corpus(tmp_path / "conversations.jsonl", 3)
        config = tmp_path / "arf.yaml"
        config.write_text(
            f"run_dir: {tmp_path / 'run'}\ncorpus: {{path: conversations.jsonl}}\n"
            f"models: {{teacher: {{model: {model}, mode: batch, batch: {{quiet: 0.05, poll: 0.05}}}}}}\n"
        )
        result = CliRunner().invoke(app, ["draft", str(config)])
        assert result.exit_code == 0, result.output
        assert len(server.batches.batches) == 1
    assert set(looked_up) <= {"127.0.0.1", "None"}


def test_a_batch_without_an_address_is_a_mistake_before_the_file_is_sent(looked_up, tmp_path):
    write_corpus(tmp_path / "conversations.jsonl", 3)
    config = tmp_path / "arf.yaml"
    config.write_text("corpus: {path: conversations.jsonl}\nmodels: {teacher: {model: hosted_vllm/m, mode: batch}}\n")
    for command in ("draft", "run", "compile analyze", "calibrate", "check"):
        result = CliRunner().invoke(app, [*command.split(), str(config), "--run-dir", str(tmp_path / "run")])
        assert result.exit_code == 2, (command, result.output)
    assert "HOSTED_VLLM_API_BASE" in result.output
    assert looked_up == []


@pytest.mark.parametrize(
    "address",
    [
        "host:8000/v1",
        "/v1",
        "http://",
        "ftp://host/v1",
        "http://host:port/v1",
        "${URL}",
        "http://$HOST:80/v1",
        "http://./v1",
        " http://h/v1",
        "http://h/v1\n",
        "http://a b/v1",
        "http://h\\@other/v1",
    ],
)
def test_an_address_that_is_no_url_is_named(address, monkeypatch):
    with pytest.raises(ConfigError, match="hosted_vllm/m: the address of its server is no URL"):
        check_provider(ModelConfig(model="hosted_vllm/m", api_base=address))
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", address)
    with pytest.raises(ConfigError, match="hosted_vllm/m: the address of its server is no URL"):
        check_provider(ModelConfig(model="hosted_vllm/m"))


@pytest.mark.parametrize(
    "model",
    [
        "litellm_proxy/m", "xinference/m", "custom_openai/m", "aiohttp_openai/m", "nebius/m", "deepinfra/m",
        "publicai/m",
    ],
)  # fmt: skip
def test_openais_key_goes_to_nobody_else(model, tmp_path, monkeypatch):
    """LiteLLM sends it to all that OpenAI's client reaches, if they have no key of their own."""
    keys: list[str] = []
    complete = ModelServer.complete

    async def note(self: Any, request: Any) -> Any:
        keys.append(request.headers["Authorization"])
        return await complete(self, request)

    monkeypatch.setattr(ModelServer, "complete", note)
    with running_server(Faults()) as server:
        config = ModelConfig(model=model, api_base=server.base_url, retries=0, license="mine")
        monkeypatch.setattr("arf_programs.models.calls.lm.check_provider", lambda config: None)  # it wants their key
        live(config, tmp_path / "without")
        monkeypatch.setenv(f"{model.partition('/')[0].upper()}_API_KEY", "sk-theirs")
        live(config, tmp_path / "with")
    assert keys == ["Bearer no-key", "Bearer sk-theirs"]


def test_the_code_of_a_provider_that_was_registered_needs_no_address(monkeypatch):
    litellm = import_litellm()
    entry = {"provider": "my_code", "custom_handler": object()}
    monkeypatch.setattr(litellm, "custom_provider_map", [*litellm.custom_provider_map, entry])
    monkeypatch.setattr(litellm, "provider_list", [*litellm.provider_list, "my_code"])
    check_provider(ModelConfig(model="my_code/m"))


def test_hosts_are_listed_with_their_models_and_without_passwords():
    models = [
        ModelConfig(model="hosted_vllm/a", api_base="http://me:secret@127.0.0.1:8000/v1"),
        ModelConfig(model="hosted_vllm/b", api_base="http://127.0.0.1:8000/v1"),
        ModelConfig(model="openai/gpt-4o"),
        ModelConfig(model="openai/gpt-4o", temperature=1.0),
        ModelConfig(model="embedded/smollm2-135m"),
    ]
    hosts = hosts_of(models)
    assert hosts == {"127.0.0.1:8000": ["hosted_vllm/a", "hosted_vllm/b"], OPENAI: ["openai/gpt-4o"]}
    assert describe_hosts(hosts) == (
        "Hosts that are asked: 127.0.0.1:8000 (hosted_vllm/a, hosted_vllm/b); api.openai.com (openai/gpt-4o)"
    )
    assert describe_hosts({}) == "Hosts that are asked: none"


def answer(body: dict[str, Any]) -> str:
    """The answer of the scripted model that the project has registered."""
    made = scripted.answer("judge", scripted.ScriptedCall(body["messages"], {}))
    return made.text()


@pytest.mark.parametrize("name", [*COMMANDS, "estimate", "check"])
def test_no_command_looks_up_a_host_that_is_not_listed(name, looked_up, tmp_path, monkeypatch):
    """The corpus, the tokenizers and LiteLLM's price table are asked from nobody, either."""
    monkeypatch.delenv("LITELLM_LOCAL_MODEL_COST_MAP")
    words = COMMANDS[name].words if name in COMMANDS else (name,)
    config = project(tmp_path, COMMANDS.get(name, COMMANDS["run"]))
    with running_server(Faults(), answer) as server:
        asked = config.read_text(encoding="utf-8").replace('"scripted/', '"hosted_vllm/llama-3-')
        settings = json.loads(asked)
        served = settings["evaluate"]["serve"].values()
        for model in [*settings["models"].values(), *served]:
            model |= {"api_base": server.base_url, "requests_per_minute": None, "json_schema": True, "logprobs": False}
        config.write_text(json.dumps(settings), encoding="utf-8")
        verb = 2 if words[0] == "compile" else 1
        result = CliRunner().invoke(app, [*words[:verb], str(config), *words[verb:]])
        if name != "check":  # the student's base is not there
            assert result.exit_code == 0, (result.output, result.exc_info)
        assert (server.stats()["requests"] > 0) == (name != "estimate")
    assert set(looked_up) <= {"127.0.0.1", "None"}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("model", ["hosted_vllm/m", "openai/m", "anthropic/m", "mistral/m", "gemini/m"])
def test_a_server_that_redirects_does_not_get_a_conversation_sent_elsewhere(model, status, tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "sk-1")
    with serving_oddly() as chosen, serving_oddly() as other:
        chosen.status, chosen.headers = status, {"Location": f"{other.url}/chat/completions"}
        config = ModelConfig(model=model, api_base=chosen.url, api_key_env="SOME_KEY", retries=0)
        with pytest.raises(
            Exception, match=r"redirects requests to 127\.0\.0\.1:\d+. Nothing was sent there: set api_base"
        ):
            live(config, tmp_path)
        assert len(chosen.calls) == 1
        assert other.calls == []


def test_a_batch_is_not_uploaded_where_its_server_redirects_to(tmp_path):
    with serving_oddly() as chosen, serving_oddly() as other:
        chosen.status, chosen.headers = 307, {"Location": f"{other.url}/files"}
        client = BatchClient("hosted_vllm/m", api_base=chosen.url, retries=0)
        with pytest.raises(Exception, match="Nothing was sent there"):
            asyncio.run(client.upload([b"{}\n"]))
        assert other.calls == []


def test_a_redirect_within_a_server_is_followed(tmp_path):
    with serving_oddly() as server:

        def answer(number: int, body: Any) -> Any:
            server.status = 307 if number == 1 else 200
            return completion()

        server.answer, server.headers = answer, {"Location": "/elsewhere"}
        live(ModelConfig(model="hosted_vllm/m", api_base=server.url, retries=0), tmp_path)
        assert len(server.calls) == 2


@pytest.mark.parametrize("name", ["fallbacks", "context_window_fallback_dict", "model_list", "success_callback"])
def test_a_parameter_that_sends_conversations_elsewhere_is_refused(name):
    with pytest.raises(ValueError, match=f"'{name}' would send conversations to hosts that are not listed"):
        ModelConfig(model="hosted_vllm/m", parameters={name: ["openai/gpt-4o-mini"]})


def test_a_foreign_letter_in_a_host_is_seen():
    assert list(hosts_of([ModelConfig(model="openai/m", api_base="https://\u0430pi.openai.com/v1")])) == [
        "xn--pi-6kc.openai.com"
    ]
