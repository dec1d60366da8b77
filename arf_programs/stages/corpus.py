"""Stage `corpus`: read the conversations and split them into training, holdout and dev."""

from __future__ import annotations

from pathlib import Path

from arf_programs.corpus import split_corpus, store_corpus
from arf_programs.runs import Run, SplitConversation, digest, digest_privacy, write_jsonl_atomic
from arf_programs.stages.pseudonyms import disguise_rows, keeps_pseudonyms, store_pseudonyms
from arf_programs.stages.stage import Stage


def outputs(run: Run) -> tuple[Path, ...]:
    labeled = (run.folder.labeled_pseudonyms,) if keeps_pseudonyms(run) else ()
    return (run.folder.conversations, *((run.folder.pseudonyms, *labeled) if run.config.privacy.pseudonyms else ()))


def fingerprint(run: Run) -> dict[str, str]:
    config = run.config
    # Without these keys, the hash is that of runs that were made before the keys were there.
    without = {key for key in ("subset", "dev") if not getattr(config.corpus, key)}
    column = config.models.draft_column
    return {
        **({} if column is None else {"models.teacher.column": digest(column)}),
        "corpus settings": digest(config.corpus.model_dump(mode="json", exclude=without)),
        "corpus file": run.content_digest(config.corpus.path),
        "labelled set": run.content_digest(config.labeled.path or ""),
        "seed": digest(config.seed),
        **digest_privacy(config),
    }


def store_conversations(run: Run) -> dict[str, int]:
    read = run.folder.parts / f"{STAGE.name}-read.jsonl"
    corpus = store_corpus(run.config, base_dir=run.base_dir, path=read)
    sides, labeled = split_corpus(run, corpus)
    side = dict.fromkeys(sides.holdout, "holdout") | dict.fromkeys(sides.dev, "dev")
    store_pseudonyms(run, corpus.conversations.values(), labeled)
    write_jsonl_atomic(
        run.folder.conversations,
        (
            SplitConversation(split=side.get(item.id, "train"), conversation=item)
            for item in disguise_rows(run, corpus.conversations.values(), labeled)
        ),
    )
    run.folder.replace_failures(STAGE.name, list(corpus.skipped))
    dev = {"dev": len(sides.dev)} if sides.dev else {}
    return {"train": len(sides.train), "holdout": len(sides.holdout), **dev, "skipped": len(corpus.skipped)}


STAGE = Stage("corpus", "read and split the conversations", outputs, fingerprint, store_conversations)
