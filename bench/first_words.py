"""Reads the probability of an answer's first word from a local model, many questions about one conversation at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from question_forms import Prompt
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from arf_programs.models.local.weights import load_model, resolve_weights
from arf_programs.runs.fingerprint import digest

_TOGETHER = 16
_LEAST_SHARED = 100  # tokens from which a common beginning is read once


class FirstWords:
    """A model, and a file with what it has answered, so that a repeated run asks nothing again."""

    def __init__(self, name: str, store: Path | None, dtype: torch.dtype = torch.bfloat16) -> None:
        weights = resolve_weights(name)
        if isinstance(weights, Path) and (weights / "model.safetensors").exists():
            self.model = AutoModelForCausalLM.from_pretrained(weights, dtype=dtype).eval()
            self.tokenizer = AutoTokenizer.from_pretrained(weights)
        else:
            model, self.tokenizer = load_model(name)
            self.model = model.to(dtype).eval()
        self.store = store
        self.known: dict[str, float] = {}
        if store and store.exists():
            self.known = dict(json.loads(line) for line in store.read_text(encoding="utf-8").splitlines())
        self._words: dict[str, list[int]] = {}
        self.read = 0

    def odds(self, prompts: Sequence[Prompt]) -> dict[Prompt, float]:
        """The log-odds of the first word against the second, after each prompt."""
        keys = {prompt: digest([prompt.messages, prompt.words]) for prompt in prompts}
        open_prompts = [prompt for prompt, key in keys.items() if key not in self.known]
        for group, start in _groups([(self._tokens(prompt), prompt) for prompt in open_prompts]):
            self._read_group(group, start, keys)
        return {prompt: self.known[key] for prompt, key in keys.items()}

    def _tokens(self, prompt: Prompt) -> list[int]:
        messages = [{"role": role, "content": text} for role, text in prompt.messages]
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    @torch.inference_mode()
    def _read_group(self, group: list[tuple[list[int], Prompt]], start: int, keys: dict[Prompt, str]) -> None:
        shared = self.model(torch.tensor([group[0][0][:start]]), use_cache=True, logits_to_keep=1) if start else None
        self.read += start
        for first in range(0, len(group), _TOGETHER):
            some = group[first : first + _TOGETHER]
            rest = [tokens[start:] for tokens, _ in some]
            width = max(map(len, rest))
            ids = torch.tensor([tokens + [0] * (width - len(tokens)) for tokens in rest])
            seen = torch.tensor([[1] * (start + len(tokens)) + [0] * (width - len(tokens)) for tokens in rest])
            cache = DynamicCache()
            if shared is not None:
                for number, layer in enumerate(shared.past_key_values.layers):
                    keys_values = (x.expand(len(some), -1, -1, -1).contiguous() for x in (layer.keys, layer.values))
                    cache.update(*keys_values, number)
            hidden = self.model.model(ids, attention_mask=seen, past_key_values=cache, use_cache=True).last_hidden_state
            last = hidden[torch.arange(len(some)), [len(tokens) - 1 for tokens in rest]]
            logits = self.model.lm_head(last).float()
            self.read += width * len(some)
            self._keep(
                [
                    (keys[prompt], self._log_odds(row, prompt.words))
                    for (_, prompt), row in zip(some, logits, strict=True)
                ]
            )

    def _log_odds(self, logits: torch.Tensor, words: tuple[str, str]) -> float:
        yes, no = (torch.logsumexp(logits[self._ids(word)], 0) for word in words)
        return float(yes - no)

    def _ids(self, word: str) -> list[int]:
        """The tokens that are the word, with or without a space, in upper or lower case (a letter as it is)."""
        if word not in self._words:
            forms = {word} if len(word) == 1 else {word, word.capitalize(), word.upper()}
            singles = [
                self.tokenizer.encode(space + form, add_special_tokens=False) for form in forms for space in ("", " ")
            ]
            self._words[word] = sorted({ids[0] for ids in singles if len(ids) == 1})
        return self._words[word]

    def _keep(self, answers: list[tuple[str, float]]) -> None:
        self.known.update(answers)
        if self.store:
            with self.store.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(answer) + "\n" for answer in answers)


def _groups(prompts: list[tuple[list[int], Prompt]]) -> Iterator[tuple[list[tuple[list[int], Prompt]], int]]:
    """Yield prompts with a long common beginning together, with its length."""
    prompts = sorted(prompts, key=lambda item: item[0])
    while prompts:
        first, group, start = prompts[0][0], [prompts[0]], len(prompts[0][0]) - 1
        for item in prompts[1:]:
            length = min(start, _common(first, item[0]))
            if (length < max(_LEAST_SHARED, 0.6 * start) and len(group) > 1) or length < _LEAST_SHARED:
                break
            group.append(item)
            start = min(length, len(item[0]) - 1)
        yield group, start
        prompts = prompts[len(group) :]


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
