import pytest

from arf_programs.text import Changes, apply_edits
from signatures.records import Edit

BEFORE = "The agent refunded 39.90 at once. It came on Monday, 9 April."


def place(quote, text=BEFORE):
    return text.index(quote), text.index(quote) + len(quote)


def changed(*pairs):
    edits = [Edit(op="replace", quote=old, replacement=new) for old, new in pairs]
    result = apply_edits(BEFORE, edits)
    return Changes(BEFORE, result.after), result.applied


@pytest.mark.parametrize(
    ("pairs", "shown"),
    [
        ([("refunded 39.90", "sent one")], ['"refunded 39.90" became "sent one"']),
        ([("at once", "")], ['"at once" was deleted after "agent refunded 39.90"']),
        ([("It came on Monday, 9 April.", "")], ['"It came on Monday, 9 April" was deleted after "39.90 at once"']),
        ([("It came", "It came late")], ['"late" was added after "once. It came"']),
        ([("The agent", "Later the agent")], ['"Later" was added at the beginning']),
        ([("9 April", "10 April"), ("39.90", "40")], ['"39.90" became "40"', '"9" became "10"']),
        ([("Monday, 9", "monday 9")], []),  # case and punctuation are no change
    ],
)
def test_changes_are_told_in_words(pairs, shown):
    assert list(changed(*pairs)[0].shown()) == shown


def test_words_that_are_the_same_by_chance_do_not_split_a_change():
    """The agent did not confirm it; "the offer was" stands in both sentences."""
    before = (
        "The agent confirmed the offer was not genuine and sent a link to the store, where it ended as an old deal."
    )
    after = "The agent suggested a look at the direct page and explained that the offer was an old deal."
    assert list(Changes(before, after).shown()) == [
        '"confirmed the offer was not genuine and sent a link to the store, where it ended as" became '
        '"suggested a look at the direct page and explained that the offer was"'
    ]


def test_words_are_written_kept_or_removed():
    changes, _ = changed(("refunded 39.90", "sent one"), ("on Monday, ", ""))
    assert changes.wrote(place("sent", changes.after))
    assert changes.wrote(place("agent sent", changes.after))
    assert not changes.wrote(place("The agent", changes.after))
    assert not changes.wrote(place("at once", changes.after))
    assert changes.wrote(place("came 9", changes.after))  # words between them were removed
    assert not changes.wrote(place("9 April", changes.after))
    assert changes.kept(place("at once"))
    assert not changes.kept(place("39.90 at once"))
    assert not changes.kept(place("came on"))
    assert changes.lost() == {"refun", "39.90", "monda"}
    assert changes.lost(place("It came on Monday")) == {"monda"}


def test_the_place_of_words_is_where_they_stand_now_or_what_took_their_place():
    changes, _ = changed(("refunded 39.90", "sent one to her"), ("on Monday, ", ""))
    now = {quote: changes.after[slice(*changes.now(place(quote)))] for quote in ("refunded", "at once", "on Monday")}
    assert now == {"refunded": "sent one to her", "at once": "at once", "on Monday": ""}


def test_an_edit_is_known_by_what_it_wrote_or_removed():
    changes, edits = changed(("refunded 39.90", "sent one"), ("Monday, ", ""), ("April.", "April. She was glad."))
    sent, monday, glad = edits
    assert changes.made_by(place("sent one", changes.after), edits) == [sent]
    assert changes.made_by(place("on 9", changes.after), edits) == [monday]
    assert changes.made_by(place("She was glad", changes.after), edits) == [glad]
    assert changes.made_by(place("at once", changes.after), edits) == []
