"""One call to a model: the language model, the store of answers, budget, pacing, batches, prices and terms.

LiteLLM reaches every provider. `embedded/...` and `scripted/...` are providers of our own.
"""

from arf_programs.models.answer_files import AnswerFiles
from arf_programs.models.background import run_sync
from arf_programs.models.batch.sender import batch_senders
from arf_programs.models.budget import BudgetSpent, CallBudget, Need
from arf_programs.models.lm import EMBEDDED, SCRIPTED, build_lm, check_providers, gives_logprobs, is_local
from arf_programs.models.providers import declare_model, import_litellm, known_model, listed_price
from arf_programs.models.sending import (
    LastAnswer,
    Sender,
    Session,
    asking_anew,
    last_answer,
    may_be_asked_anew,
    metered,
    use_session,
)
from arf_programs.models.store import (
    CallStore,
    KeyedCache,
    as_cache,
    call_of,
    call_store,
    calls_by,
    calls_of,
    replay_of,
    text_of,
)
from arf_programs.models.terms import check_terms, judge_notes, terms_warnings
from arf_programs.models.weights import SMOLLM2, is_adapter, resolve_weights, weights_digest

__all__ = [
    "EMBEDDED",
    "SCRIPTED",
    "SMOLLM2",
    "AnswerFiles",
    "BudgetSpent",
    "CallBudget",
    "CallStore",
    "KeyedCache",
    "LastAnswer",
    "Need",
    "Sender",
    "Session",
    "as_cache",
    "asking_anew",
    "batch_senders",
    "build_lm",
    "call_of",
    "call_store",
    "calls_by",
    "calls_of",
    "check_providers",
    "check_terms",
    "declare_model",
    "gives_logprobs",
    "import_litellm",
    "is_adapter",
    "is_local",
    "judge_notes",
    "known_model",
    "last_answer",
    "listed_price",
    "may_be_asked_anew",
    "metered",
    "replay_of",
    "resolve_weights",
    "run_sync",
    "terms_warnings",
    "text_of",
    "use_session",
    "weights_digest",
]
