"""One call to a model: the language model, the store of answers, budget, pacing, batches, prices and terms.

LiteLLM reaches every provider. `embedded/...` and `scripted/...` are providers of our own.
"""

from arf_programs.models.addresses import describe_hosts
from arf_programs.models.answer_files import AnswerFiles
from arf_programs.models.answers import BROKEN_OFF, CONTENT_FILTER, LENGTH
from arf_programs.models.background import run_sync
from arf_programs.models.batch.sender import batch_senders
from arf_programs.models.budget import BudgetSpent, CallBudget, Need
from arf_programs.models.chat_template import mend_template, refuse_template, render_text
from arf_programs.models.context import (
    CallContext,
    Endpoints,
    LastAnswer,
    Meter,
    Sender,
    Session,
    calling,
    current_context,
    within,
)
from arf_programs.models.engine import quiet_about_cut_offs
from arf_programs.models.fallbacks import describe as describe_refusal
from arf_programs.models.fallbacks import feature_named
from arf_programs.models.lm import (
    build_lm,
    check_providers,
    close_models,
    gives_logprobs,
    stored_lm,
    where_it_answers,
)
from arf_programs.models.person_names import finder_of_people
from arf_programs.models.placement import find_placement
from arf_programs.models.providers import (
    EMBEDDED,
    SCRIPTED,
    declare_model,
    import_litellm,
    is_local,
    listed_model,
    listed_price,
)
from arf_programs.models.served.process import LOOPBACK, end_server, free_port, server_answers, start_server
from arf_programs.models.served.vllm import (
    INSTALL_VLLM,
    LARGEST_RANK,
    Serving,
    VllmServer,
    context_of,
    find_vllm,
    has_gpu,
    vllm_command,
)
from arf_programs.models.store import Body, CallStore, NoStore, Question, Store, open_store
from arf_programs.models.terms import check_terms, judge_notes, terms_warnings
from arf_programs.models.weights import SMOLLM2, is_adapter, resolve_weights, weights_digest

__all__ = [
    "BROKEN_OFF",
    "CONTENT_FILTER",
    "EMBEDDED",
    "INSTALL_VLLM",
    "LARGEST_RANK",
    "LENGTH",
    "LOOPBACK",
    "SCRIPTED",
    "SMOLLM2",
    "AnswerFiles",
    "Body",
    "BudgetSpent",
    "CallBudget",
    "CallContext",
    "CallStore",
    "Endpoints",
    "LastAnswer",
    "Meter",
    "Need",
    "NoStore",
    "Question",
    "Sender",
    "Serving",
    "Session",
    "Store",
    "VllmServer",
    "batch_senders",
    "build_lm",
    "calling",
    "check_providers",
    "check_terms",
    "close_models",
    "context_of",
    "current_context",
    "declare_model",
    "describe_hosts",
    "describe_refusal",
    "end_server",
    "feature_named",
    "find_placement",
    "find_vllm",
    "finder_of_people",
    "free_port",
    "gives_logprobs",
    "has_gpu",
    "import_litellm",
    "is_adapter",
    "is_local",
    "judge_notes",
    "listed_model",
    "listed_price",
    "mend_template",
    "open_store",
    "quiet_about_cut_offs",
    "refuse_template",
    "render_text",
    "resolve_weights",
    "run_sync",
    "server_answers",
    "start_server",
    "stored_lm",
    "terms_warnings",
    "vllm_command",
    "weights_digest",
    "where_it_answers",
    "within",
]
