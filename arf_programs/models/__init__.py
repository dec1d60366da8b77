"""One call to a model: the language model, the store of answers, budget, pacing, batches, prices and terms.

LiteLLM reaches every provider. `embedded/...` and `scripted/...` are providers of our own.
"""

from arf_programs.models.answers.answer import BROKEN_OFF, CONTENT_FILTER, LENGTH
from arf_programs.models.answers.budget import BudgetSpent, CallBudget, Need
from arf_programs.models.answers.files import AnswerFiles
from arf_programs.models.answers.store import Body, CallStore, NoStore, Question, Store, open_store
from arf_programs.models.batch.sender import batch_senders
from arf_programs.models.calls.engine import quiet_about_cut_offs
from arf_programs.models.calls.fallbacks import describe as describe_refusal
from arf_programs.models.calls.fallbacks import feature_named
from arf_programs.models.calls.lm import (
    build_lm,
    check_providers,
    close_models,
    gives_logprobs,
    stored_lm,
    where_it_answers,
)
from arf_programs.models.calls.session import (
    CallContext,
    Endpoints,
    LastAnswer,
    Meter,
    Sender,
    Session,
    calling,
    current_context,
    run_sync,
    within,
)
from arf_programs.models.local.chat_template import mend_template, refuse_template, render_text, said_after
from arf_programs.models.local.person_names import finder_of_people
from arf_programs.models.local.placement import find_placement
from arf_programs.models.local.weights import (
    SMOLLM2,
    base_of,
    is_adapter,
    loading,
    resolve_weights,
    weights_digest,
)
from arf_programs.models.providers import scripted
from arf_programs.models.providers.addresses import describe_hosts
from arf_programs.models.providers.litellm import (
    EMBEDDED,
    SCRIPTED,
    declare_model,
    import_litellm,
    is_local,
    listed_model,
    listed_price,
)
from arf_programs.models.providers.terms import check_terms, judge_notes, terms_warnings
from arf_programs.models.servers.vllm import (
    INSTALL_VLLM,
    LARGEST_RANK,
    LOOPBACK,
    Serving,
    VllmServer,
    context_of,
    end_server,
    find_vllm,
    free_port,
    has_gpu,
    server_answers,
    start_server,
    vllm_command,
)
