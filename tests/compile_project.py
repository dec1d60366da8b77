"""A project with a labelled set, and scripted models that get better by what an optimizer puts into their prompt."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import scripted_team
from conftest import write_corpus

from arf_programs.models import scripted

LESSON = "Look for money that nobody gave back."
_LEARNED = ("find", "edits", "rate", "summary", "support")
SMALL = {
    "labeled_fewshot": {"k": 2},
    "bootstrap": {"max_bootstrapped_demos": 1, "max_labeled_demos": 2},
    "bootstrap_random_search": {"max_bootstrapped_demos": 1, "max_labeled_demos": 2, "num_candidate_programs": 1},
    "knn_fewshot": {"k": 2},
    "mipro": {"auto": None, "num_candidates": 2, "num_trials": 2, "max_labeled_demos": 1, "max_bootstrapped_demos": 1},
    "gepa": {"auto": None, "max_metric_calls": 20, "use_merge": False},
    "simba": {"bsize": 4, "num_candidates": 2, "max_steps": 1, "max_demos": 1},
}
_OUTPUTS = re.compile(r"Respond with a JSON object in the following order of fields: ([^\n]*)")


class CompileTeam(scripted_team.Team):
    """Sees, mends and minds the invented refund only with demonstrations or the lesson in its prompt."""

    def __call__(self, messages: scripted.Messages, params: dict[str, Any]) -> Any:
        system = str(messages[0]["content"])
        objective = system.partition("\n\nThe inputs, each")[0]
        known = any(words in objective for words in scripted_team._KINDS) or "Summarize" in system[:80]
        if not known:
            self.asked["optimizer"] += 1
            return _advise(messages)
        kind, fields = scripted_team.read_question(messages)
        if len(messages) > 2 or LESSON in system or kind not in _LEARNED:
            return super().__call__(messages, params)
        self.asked[kind] += 1
        self.params.setdefault(kind, []).append(params)
        if kind == "summary":
            return f"{scripted_team.draft(fields)} {scripted_team.FLAW}"
        if kind == "support":
            return "yes"
        unlearned = {"find": {"errors": []}, "edits": {"edits": []}, "rate": scripted_team.rating(3, "-")}
        return json.dumps(unlearned[kind])


def _advise(messages: scripted.Messages) -> str:
    """The question with the lesson in every field that is asked for; advice for each module that there may be."""
    text = "\n".join(str(message["content"]) for message in messages)
    words = max(scripted_team._KINDS, key=text.rfind)  # an instruction to improve stands behind examples
    words = words if words in text else "Summarize"
    names = re.findall(r"`(\w+)`", _OUTPUTS.findall(text)[-1])
    modules = re.findall(r"program\.[\w.]+", text)
    told = f"{words}. {LESSON}"
    return json.dumps({name: dict.fromkeys(modules, LESSON) if name == "module_advice" else told for name in names})


def make_project(folder: Path, *, count: int = 12, concurrency: int = 2, **sections: Any) -> Path:
    """Write corpus, labelled set and arf.yaml; the path of the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    write_corpus(folder / "conversations.jsonl", count)
    rows = []
    for line in (folder / "conversations.jsonl").read_text(encoding="utf-8").splitlines():
        conversation = json.loads(line)
        text = "\n".join(f"{turn['speaker']}: {turn['text']}" for turn in conversation["conversation"])
        summary = scripted_team.draft({"conversation": text})
        flawed = scripted_team.FLAW in summary
        rows.append({
            "id": conversation["id"],
            "summary": summary,
            "errors": [scripted_team._error(scripted_team.FLAW)] if flawed else [],
            "revised": summary.replace(scripted_team.FLAW, "").strip(),
            "rating": 2 if flawed else 5,
        })  # fmt: skip
    (folder / "labeled.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    model = {"model": "scripted/model", "concurrency": concurrency}
    config = {
        "name": "test",
        "run_dir": str(folder / "run"),
        "corpus": {"path": "conversations.jsonl"},
        "models": {"teacher": model, "prompt": "scripted/model", "reflection": "scripted/model"},
        "labeled": {"path": "labeled.jsonl"},
        "analyze": {"checks": False},
        "revise": {"edits": "together"},
        "evaluate": {"samples": 200},
        "compile": {"optimizers": SMALL},
    }
    (folder / "arf.yaml").write_text(json.dumps({**config, **sections}), encoding="utf-8")
    return folder / "arf.yaml"
