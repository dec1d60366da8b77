import pytest

from arf_programs.text.student_prompt import build_messages
from signatures.exceptions import DataError
from signatures.records import Conversation, ErrorNote, Revision, Summary, Turn, Verdict
from training.dataset import build_arm, build_pairs, prompt_sha256

INSTRUCTION = "Summarize this."


def conversations(*ids):
    return {id: Conversation(id=id, turns=(Turn(speaker="Customer", text=f"About {id}."),)) for id in ids}


def draft(id, text="A draft."):
    return Summary(conversation_id=id, text=text, system="teacher", model="openai/big")


def revision(id, verdict, before="A draft.", after="A better one."):
    note = ErrorNote(id=f"{id}-1", category="wrong_fact", quote="draft")
    errors = () if verdict is Verdict.UNCHANGED else (note,)
    return Revision(
        conversation_id=id, before=before, after=after, strategy="edits", model="openai/editor", verdict=verdict,
        attempts=1, errors=errors, remaining=errors if verdict is Verdict.REJECTED else (),
    )  # fmt: skip


def build(arm, drafts, revisions=(), *, of=None, on_reject="drop", samples=()):
    known = of or conversations(*(item.conversation_id for item in drafts))
    return build_arm(
        arm,
        conversations=known,
        drafts=drafts,
        revisions=revisions,
        instruction=INSTRUCTION,
        on_reject=on_reject,
        samples=samples,
    )


def test_the_teacher_arm_trains_on_the_drafts_as_they_are():
    data = build("teacher", [draft("a", "First."), draft("b", " Second.\n")], [revision("a", Verdict.VERIFIED)])
    assert [example.completion for example in data.examples] == ["First.", "Second."]
    assert {example.arm for example in data.examples} == {"teacher"}
    assert data.left_out == {}


@pytest.mark.parametrize(
    ("verdict", "completion"), [(Verdict.VERIFIED, "A better one."), (Verdict.UNCHANGED, "A draft.")]
)
def test_the_arf_arm_trains_on_what_was_verified_and_on_what_needed_no_change(verdict, completion):
    (example,) = build("arf", [draft("a")], [revision("a", verdict)]).examples
    assert example.completion == completion


@pytest.mark.parametrize(
    ("on_reject", "completions", "left_out"),
    [
        ("drop", [], {"rejected": 1}),
        ("keep_draft", ["A draft."], {}),
        ("keep_partial", ["A better one."], {}),
    ],
)
def test_a_rejected_revision_gives_what_on_reject_says(on_reject, completions, left_out):
    data = build("arf", [draft("a")], [revision("a", Verdict.REJECTED)], on_reject=on_reject)
    assert [example.completion for example in data.examples] == completions
    assert data.left_out == left_out


def test_sampled_revisions_are_further_examples_and_stand_for_a_rejected_one():
    drafts = [draft("a"), draft("b"), draft("c")]
    revisions = [revision("a", Verdict.VERIFIED), revision("b", Verdict.REJECTED), revision("c", Verdict.UNCHANGED)]
    samples = [
        revision("a", Verdict.VERIFIED, after="Another."), revision("b", Verdict.VERIFIED, after="Sampled."),
        revision("b", Verdict.REJECTED, after="Wrong."), revision("held-out", Verdict.VERIFIED),
    ]  # fmt: skip
    for on_reject in ("drop", "keep_draft", "keep_partial"):
        data = build("arf", drafts, revisions, on_reject=on_reject, samples=samples)
        assert [example.completion for example in data.examples] == [
            "A better one.",
            "Another.",
            "Sampled.",
            "A draft.",
        ]
        assert data.left_out == {}
    assert len(build("teacher", drafts, revisions, samples=samples).examples) == 3


def test_places_that_revision_wrote_anew_are_marked():
    before, after = " The customer paid 5 euros. It came on Friday.", " The customer paid 7 euros. It came on Friday."
    (example,) = build("arf", [draft("a", before)], [revision("a", Verdict.VERIFIED, before, after)]).examples
    assert [example.completion[slice(*place)] for place in example.edited] == ["7"]
    (example,) = build("teacher", [draft("a", before)]).examples
    assert example.edited == ()


def test_a_pair_is_a_verified_revision_that_changed_its_draft():
    revisions = [
        revision("a", Verdict.VERIFIED), revision("b", Verdict.UNCHANGED), revision("c", Verdict.REJECTED),
        revision("a", Verdict.VERIFIED, after="Another."), revision("a", Verdict.VERIFIED, after="A draft. "),
        revision("held-out", Verdict.VERIFIED),
    ]  # fmt: skip
    pairs = build_pairs(conversations=conversations("a", "b", "c"), revisions=revisions, instruction=INSTRUCTION)
    assert [(pair.chosen[0].content, pair.rejected[0].content) for pair in pairs] == [
        ("A better one.", "A draft."),
        ("Another.", "A draft."),
    ]
    assert pairs[0].prompt == build_messages(INSTRUCTION, conversations("a")["a"])
    assert {message.role for pair in pairs for message in (*pair.chosen, *pair.rejected)} == {"assistant"}
    assert pairs[0].provenance["errors"] == ["a-1"]


def test_examples_and_what_was_left_out_add_up_to_the_training_conversations():
    drafts = [draft("rejected"), draft("empty"), draft("unrevised"), draft("good")]
    revisions = [
        revision("rejected", Verdict.REJECTED), revision("empty", Verdict.VERIFIED, after=" \n"),
        revision("good", Verdict.VERIFIED),
    ]  # fmt: skip
    of = conversations("undrafted", "good", "rejected", "empty", "unrevised")
    data = build("arf", drafts, revisions, of=of)
    assert [example.conversation_id for example in data.examples] == ["good"]
    assert data.left_out == {"no_draft": 1, "rejected": 1, "empty": 1, "no_revision": 1}


def test_nothing_of_the_holdout_slips_in():
    data = build("teacher", [draft("held-out"), draft("a")], of=conversations("a"))
    assert [example.conversation_id for example in data.examples] == ["a"]


def test_an_example_carries_the_prompt_of_serving_and_what_produced_it():
    (example,) = build("arf", [draft("a")], [revision("a", Verdict.REJECTED)], on_reject="keep_partial").examples
    assert example.messages == build_messages(INSTRUCTION, conversations("a")["a"])
    assert example.provenance == {
        "draft_model": "openai/big", "draft_system": "teacher", "revision_model": "openai/editor", "strategy": "edits",
        "verdict": "rejected", "kept": "after", "errors": ["a-1"], "remaining": ["a-1"], "noticed": [],
        "prompt_sha256": prompt_sha256(example.messages),
    }  # fmt: skip


def test_the_prompt_hash_tells_prompts_apart_and_nothing_else():
    of = conversations("a", "b")
    first, second = build_messages(INSTRUCTION, of["a"]), build_messages(INSTRUCTION, of["b"])
    assert prompt_sha256(first) == prompt_sha256(list(first))
    assert prompt_sha256(first) != prompt_sha256(second)
    assert len(prompt_sha256(first)) == 64


def test_two_drafts_of_a_conversation_are_refused():
    with pytest.raises(DataError, match="drafts: conversation 'a' is there twice"):
        build("teacher", [draft("a"), draft("a")])
