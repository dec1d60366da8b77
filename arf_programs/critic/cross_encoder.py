"""The training of a cross-encoder by sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from arf_programs.config import CheckerTrainConfig
from arf_programs.critic.fitting import Fitted, freeze, run_training
from arf_programs.models import find_placement
from arf_programs.runs import Progress
from signatures.exceptions import DataError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

Row = tuple[str, str, bool]
"""(document, claim, whether the document supports the claim)."""


def new_cross_encoder(base: str, settings: CheckerTrainConfig, *, seed: int) -> CrossEncoder:
    """Load the base with a new output of one number, and freeze its embeddings and lower layers.

    Raises DataError for a base that cannot be loaded. Only safetensors are read, and no code of a model is run.
    """
    from sentence_transformers import CrossEncoder
    from transformers import set_seed

    set_seed(seed)
    try:
        model: CrossEncoder = CrossEncoder(
            base,
            num_labels=1,
            max_length=settings.max_tokens,
            device=find_placement().device,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "ignore_mismatched_sizes": True},
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DataError(f"checker.base: {base} cannot be loaded: {error}") from error
    model.tokenizer.model_max_length = settings.max_tokens  # the checker reads as many tokens as it was trained on
    freeze(model.model, settings.frozen)
    return model


def fit(
    model: CrossEncoder, rows: Sequence[Row], settings: CheckerTrainConfig, *, seed: int, progress: Progress
) -> Fitted:
    """Train the model on the rows with binary cross-entropy, until the epochs or the minutes end."""
    from datasets import Dataset
    from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

    data = Dataset.from_dict({
        "document": [row[0] for row in rows],
        "claim": [row[1] for row in rows],
        "label": [float(row[2]) for row in rows],
    })  # fmt: skip

    def build(arguments: dict[str, Any]) -> Any:
        return CrossEncoderTrainer(
            model=model,
            args=CrossEncoderTrainingArguments(**arguments),
            train_dataset=data,
            loss=BinaryCrossEntropyLoss(model),
        )

    made = run_training(build, len(rows), settings, seed=seed, progress=progress)
    model.eval()
    return made


def shift_output(model: CrossEncoder, by: float) -> None:
    """Add a number to the model's output, on the scale of log-odds, by the bias of its last layer."""
    import torch

    network: Any = model.model
    heads = [part for part in network.modules() if isinstance(part, torch.nn.Linear) and part.out_features == 1]
    with torch.no_grad():
        heads[-1].bias += by
