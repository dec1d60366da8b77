import torch

from arf_programs.models.embedded.memory import PrefixCache, common_prefix_length

MODEL = "a model"


def test_common_prefix_length():
    assert common_prefix_length((), (1,)) == 0
    assert common_prefix_length((1, 2, 3), (1, 2, 3)) == 3
    assert common_prefix_length((1, 2, 3), (1, 2, 3, 4)) == 3
    assert common_prefix_length((1, 2, 3, 9), (1, 2, 4, 9)) == 2
    assert common_prefix_length((7,), (8,)) == 0


def state(text: str) -> torch.Tensor:
    """A state of one byte for each position."""
    return torch.tensor([[ord(letter)] for letter in text], dtype=torch.uint8)


def known(cache: PrefixCache, prompt: tuple[int, ...], owner: str = MODEL) -> str:
    """The state of the known beginning of `prompt`, as the text of the pieces."""
    return "".join(chr(value) for piece in cache.longest(owner, prompt) for value in piece.flatten().tolist())


def test_longest_shared_prefix_wins():
    cache = PrefixCache(100)
    cache.put(MODEL, (1, 2, 3, 4), 0, state("abcd"))
    cache.put(MODEL, (1, 2, 9), 2, state("i"))
    assert known(cache, (1, 2, 3, 7)) == "abc"
    assert known(cache, (1, 2, 9, 9)) == "abi"
    assert known(cache, (5,)) == ""


def test_what_prompts_share_is_kept_once():
    cache = PrefixCache(100)
    cache.put(MODEL, (1, 2, 3), 0, state("abc"))
    cache.put(MODEL, (1, 2, 3, 4), 3, state("d"))
    cache.put(MODEL, (1, 2, 3, 4, 5), 4, state("e"))
    cache.put(MODEL, (1, 2, 3, 4, 6), 4, state("f"))
    assert cache.used == 6
    assert known(cache, (1, 2, 3, 4, 5, 6)) == "abcde"
    assert known(cache, (1, 2, 3, 4, 6)) == "abcdf"


def test_an_entry_may_go_on_from_the_middle_of_another():
    cache = PrefixCache(100)
    cache.put(MODEL, (1, 2, 3), 0, state("abc"))
    cache.put(MODEL, (1, 2, 3, 4, 5), 3, state("de"))
    cache.put(MODEL, (1, 2, 9), 2, state("i"))  # leaves its parent's parent before its end
    assert known(cache, (1, 2, 9)) == "abi"


def test_the_same_prompt_again_counts_once():
    cache = PrefixCache(100)
    cache.put(MODEL, (1, 2), 0, state("ab"))
    cache.put(MODEL, (1, 2), 1, state("b"))
    assert (len(cache), cache.used) == (1, 2)
    assert known(cache, (1, 2)) == "ab"


def test_the_least_recently_used_leaf_is_evicted():
    cache = PrefixCache(6)
    cache.put(MODEL, (1, 1, 1), 0, state("abc"))
    cache.put(MODEL, (1, 1, 1, 1), 3, state("d"))
    cache.put(MODEL, (2, 2), 0, state("xy"))
    cache.longest(MODEL, (1, 1, 1, 1))
    cache.put(MODEL, (3, 3), 0, state("uv"))
    assert known(cache, (2,)) == ""
    assert known(cache, (1, 1, 1, 1)) == "abcd"
    cache.longest(MODEL, (3, 3))
    cache.put(MODEL, (4,), 0, state("z"))
    assert known(cache, (1, 1, 1, 1)) == "abc"  # the leaf goes, and its parent stays
    assert cache.used == 6


def test_a_prompt_longer_than_the_cache_is_not_kept():
    cache = PrefixCache(2)
    cache.put(MODEL, (1, 2), 0, state("ab"))
    cache.put(MODEL, (3, 4, 5), 0, state("xyz"))
    assert len(cache) == 1


def test_models_share_the_room_and_no_prompt():
    cache = PrefixCache(4)
    cache.put("one", (1, 2), 0, state("ab"))
    cache.put("other", (1, 2, 3), 0, state("xyz"))
    assert known(cache, (1, 2), "one") == ""  # it has made room
    assert known(cache, (1, 2, 3), "other") == "xyz"
    cache.put("one", (5,), 0, state("f"))
    cache.forget("other")
    assert (known(cache, (1, 2, 3), "other"), known(cache, (5,), "one"), cache.used) == ("", "f", 1)
