from arf_programs.models.embedded.prefix_cache import CacheBudget, PrefixCache, common_prefix_length


def test_common_prefix_length():
    assert common_prefix_length((), (1,)) == 0
    assert common_prefix_length((1, 2, 3), (1, 2, 3)) == 3
    assert common_prefix_length((1, 2, 3), (1, 2, 3, 4)) == 3
    assert common_prefix_length((1, 2, 3, 9), (1, 2, 4, 9)) == 2
    assert common_prefix_length((7,), (8,)) == 0


def known(cache: PrefixCache[str], prompt: tuple[int, ...]) -> tuple[int, str]:
    """How much of `prompt` is known, and its state as the text of the pieces."""
    length, pieces = cache.longest(prompt)
    return length, "".join(piece.state[: piece.end - piece.start] for piece in pieces)


def test_longest_shared_prefix_wins():
    cache = PrefixCache[str](CacheBudget(100))
    cache.put((1, 2, 3, 4), 0, "abcd")
    cache.put((1, 2, 9), 2, "i")
    assert known(cache, (1, 2, 3, 7)) == (3, "abc")
    assert known(cache, (1, 2, 9, 9)) == (3, "abi")
    assert known(cache, (5,)) == (0, "")


def test_what_prompts_share_is_kept_once():
    cache = PrefixCache[str](CacheBudget(100))
    cache.put((1, 2, 3), 0, "abc")
    cache.put((1, 2, 3, 4), 3, "d")
    cache.put((1, 2, 3, 4, 5), 4, "e")
    cache.put((1, 2, 3, 4, 6), 4, "f")
    assert cache.tokens == 6
    assert known(cache, (1, 2, 3, 4, 5, 6)) == (5, "abcde")
    assert known(cache, (1, 2, 3, 4, 6)) == (5, "abcdf")


def test_an_entry_may_go_on_from_the_middle_of_another():
    cache = PrefixCache[str](CacheBudget(100))
    cache.put((1, 2, 3), 0, "abc")
    cache.put((1, 2, 3, 4, 5), 3, "de")
    cache.put((1, 2, 9), 2, "i")  # leaves its parent's parent before its end
    assert known(cache, (1, 2, 9)) == (3, "abi")


def test_the_same_prompt_again_counts_once():
    cache = PrefixCache[str](CacheBudget(100))
    cache.put((1, 2), 0, "ab")
    cache.put((1, 2), 1, "b")
    assert (len(cache), cache.tokens) == (1, 2)
    assert known(cache, (1, 2)) == (2, "ab")


def test_the_least_recently_used_leaf_is_evicted():
    cache = PrefixCache[str](CacheBudget(6))
    cache.put((1, 1, 1), 0, "abc")
    cache.put((1, 1, 1, 1), 3, "d")
    cache.put((2, 2), 0, "xy")
    cache.longest((1, 1, 1, 1))
    cache.put((3, 3), 0, "uv")
    assert cache.longest((2,)) == (0, [])
    assert known(cache, (1, 1, 1, 1)) == (4, "abcd")
    cache.longest((3, 3))
    cache.put((4,), 0, "z")
    assert known(cache, (1, 1, 1, 1)) == (3, "abc")  # the leaf goes, and its parent stays
    assert cache.tokens == 6


def test_a_prompt_longer_than_the_cache_is_not_kept():
    cache = PrefixCache[str](CacheBudget(2))
    cache.put((1, 2), 0, "ab")
    cache.put((3, 4, 5), 0, "xyz")
    assert len(cache) == 1
