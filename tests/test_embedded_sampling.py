import random

import torch

from arf_programs.models.embedded.row import choose_token, token_logprob

LOGITS = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))


def draw(logits: torch.Tensor, number: int, **settings) -> list[int]:
    generator = random.Random(5)
    return [choose_token(logits, generator=generator, **settings) for _ in range(number)]


def test_temperature_zero_is_greedy():
    assert draw(LOGITS, 3, temperature=0, top_p=1.0) == [0, 0, 0]


def test_samples_follow_the_distribution():
    tokens = draw(LOGITS, 2000, temperature=1.0, top_p=1.0)
    shares = [tokens.count(token) / 2000 for token in range(4)]
    assert all(abs(share - wanted) < 0.04 for share, wanted in zip(shares, [0.5, 0.3, 0.15, 0.05], strict=True))


def test_the_nucleus_holds_top_p_of_the_mass():
    assert set(draw(LOGITS, 300, temperature=1.0, top_p=0.7)) == {0, 1}


def test_a_forbidden_token_is_never_drawn():
    masked = LOGITS.masked_fill(torch.tensor([True, False, True, False]), float("-inf"))
    assert set(draw(masked, 300, temperature=1.0, top_p=1.0)) == {1, 3}


def test_noise_in_the_logits_does_not_change_the_sample():
    noisy = LOGITS + 1e-6 * torch.tensor([1.0, -1.0, 1.0, -1.0])
    assert draw(noisy, 100, temperature=0.8, top_p=0.9) == draw(LOGITS, 100, temperature=0.8, top_p=0.9)


def test_log_probabilities_are_those_of_what_is_allowed():
    masked = torch.log(torch.tensor([0.2, 0.6, 0.2])).masked_fill(torch.tensor([False, False, True]), float("-inf"))
    item = token_logprob(masked, token=0, top=3)
    assert abs(item.logprob - torch.log(torch.tensor(0.25)).item()) < 1e-6
    assert [token for token, _ in item.top] == [1, 0]
