"""Names that the command line has to know before anything heavy is imported."""

from typing import Literal, get_args

OptimizerName = Literal[
    "labeled_fewshot", "bootstrap", "bootstrap_random_search", "knn_fewshot", "mipro", "gepa", "simba"
]
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)
TargetName = Literal["analyze", "revise", "judge", "summarize"]
TermsName = Literal["openai", "anthropic", "google", "xai"]
