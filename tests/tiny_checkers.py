"""Checkers with random weights in the architectures of the real ones, saved as those are: made in a second."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tiny_model import byte_tokenizer
from transformers import (
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    T5Config,
    T5ForTokenClassification,
)

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def save_roberta(folder: Path, *, places: int = 514, labels: dict[int, str] | None = None) -> Path:
    """MiniCheck-RoBERTa-Large: a sequence classifier with absolute places."""
    config = RobertaConfig(
        vocab_size=len(byte_tokenizer()),
        max_position_embeddings=places,
        pad_token_id=1,
        initializer_range=0.5,
        **SIZES,
        **({"id2label": labels, "label2id": {name: number for number, name in labels.items()}} if labels else {}),
    )
    return _save(RobertaForSequenceClassification, config, folder)


def save_deberta(folder: Path) -> Path:
    """FactCG-DeBERTa-v3-Large: a sequence classifier with relative places."""
    config = DebertaV2Config(
        vocab_size=len(byte_tokenizer()),
        max_position_embeddings=64,
        relative_attention=True,
        position_buckets=16,
        position_biased_input=False,
        pos_att_type=["p2c", "c2p"],
        type_vocab_size=0,
        initializer_range=0.5,
        **SIZES,
    )
    return _save(DebertaV2ForSequenceClassification, config, folder)


def save_hhem(folder: Path) -> tuple[Path, T5ForTokenClassification]:
    """HHEM-2.1-open: the weights of a T5 classifier of tokens under `t5.`, and a configuration that needs code."""
    folder.mkdir(parents=True)
    torch.manual_seed(3)
    config = T5Config(
        vocab_size=len(byte_tokenizer(pad="<pad>")),
        d_model=16,
        d_kv=4,
        d_ff=24,
        num_layers=2,
        num_heads=3,
        relative_attention_num_buckets=8,
        feed_forward_proj="gated-gelu",
        initializer_factor=1.0,
        num_labels=2,
    )
    model = T5ForTokenClassification(config).eval()
    state = {f"t5.{name}": value.contiguous() for name, value in model.state_dict().items()}
    state.pop("t5.transformer.encoder.embed_tokens.weight")  # shared with the embedding, so not saved
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    settings = {
        "model_type": "HHEMv2",
        "architectures": ["HHEMv2ForSequenceClassification"],
        "auto_map": {"AutoModelForSequenceClassification": "modeling_hhem_v2.HHEMv2ForSequenceClassification"},
    }
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "modeling_hhem_v2.py").write_text("raise SystemExit('code of a model was run')", encoding="utf-8")
    byte_tokenizer(pad="<pad>").save_pretrained(folder)
    return folder, model


def _save(kind: type, config: RobertaConfig | DebertaV2Config, folder: Path) -> Path:
    torch.manual_seed(5)
    kind(config).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder
