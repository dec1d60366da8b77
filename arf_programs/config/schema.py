"""All of arf.yaml, section by section. Larger sections have files of their own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, model_validator

from arf_programs.config.commands import (
    CheckerTrainConfig,
    CompileConfig,
    EmbedTrainConfig,
    PlantConfig,
    ProgramsConfig,
)
from arf_programs.config.evaluate import EvaluateConfig
from arf_programs.config.models import DEVICE, NAME, PIPELINE_ROLES, ModelsConfig, Section, spell_out_models
from arf_programs.config.paths import FolderPath, PathText
from arf_programs.config.train import TrainConfig


class BudgetConfig(Section):
    """Caps on what a run may send and spend. Earlier commands count, stored answers do not. Null: no cap."""

    calls: int | None = Field(default=None, ge=0, description="calls sent, retries included")
    tokens: int | None = Field(default=None, ge=0, description="tokens of prompts and answers")
    usd: float | None = Field(default=None, ge=0, description="US dollars, as far as prices are known")


Engine = Literal["local", "ray"]


class RayConfig(Section):
    """The Ray cluster for `engine: ray`, and how much of it a run takes. Nothing here changes a record."""

    address: str = Field(
        default="auto", min_length=1, description="address of the cluster; auto: the cluster of this machine"
    )
    workers: int = Field(default=2, ge=1, le=1000, description="actors of each stage")
    cpus: float = Field(default=1.0, gt=0, le=64, description="CPUs that each actor takes")
    batch: int = Field(default=500, ge=1, le=10_000, description="most rows that go to an actor together")
    format: Literal["parquet", "jsonl"] = Field(default="parquet", description="format of the files of rows")


CorpusFormat = Literal["auto", "jsonl", "csv", "parquet", "dataset", "email"]
Strategy = Literal["edits", "rewrite", "taxonomy"]

DEFAULT_INSTRUCTION = (
    "Summarize this customer-service conversation in two or three plain sentences, in the third person and the past "
    "tense. Say why the customer made contact, what was done, and how it ended. Use only what the conversation says; "
    "copy names, numbers, amounts and dates exactly; leave out greetings and personal data."
)


class ColumnsConfig(Section):
    """The names of the corpus's columns. An optional column may be null, and a row may lack it."""

    id: str | None = "id"
    conversation: str = Field(default="conversation", description="list of turns, or text with `Speaker: ...` lines")
    channel: str | None = "channel"
    references: str | None = Field(default="references", description="a text or a list of texts")
    speaker: str = Field(default="speaker", description="key of the speaker within a turn")
    text: str = Field(default="text", description="key of the text within a turn")
    time: str | None = Field(
        default="created_at", description="with corpus.group_by, what the messages of a conversation are sorted by"
    )


class CorpusConfig(Section):
    """Where the conversations are, and how they are split into training, holdout and dev."""

    path: PathText = Field(min_length=1, description="JSONL, CSV or Parquet file, data set folder, or Hugging Face id")
    format: CorpusFormat = "auto"
    split: str = Field(default="train", description="the split of a Hugging Face data set that is read")
    subset: str | None = Field(default=None, min_length=1, description="the subset (configuration) of a data set")
    columns: ColumnsConfig = ColumnsConfig()
    group_by: str | None = Field(
        default=None,
        min_length=1,
        description="column by which rows are the messages of one conversation: a ticket",
    )
    agents: tuple[str, ...] = Field(
        default=(), description="with `format: email`, domains and addresses from which agents write"
    )
    limit: int | None = Field(default=None, ge=2, description="most conversations that are read; null: all")
    holdout: float = Field(default=0.2, gt=0, lt=1, description="share of conversations that are kept for evaluation")
    dev: float = Field(
        default=0, ge=0, lt=1, description="share on which the second round looks for errors of the student"
    )
    near_duplicate: float = Field(
        default=0.8, gt=0, le=1, description="conversations stay together from this Jaccard similarity of word 5-grams"
    )
    max_tokens: int = Field(default=6000, ge=50, description="longest conversation, in tokens of about 4 characters")
    too_long: Literal["skip", "cut"] = Field(
        default="skip", description="a longer one is skipped and counted, or cut at the end of a turn"
    )

    @model_validator(mode="after")
    def _leave_some_to_train_on(self) -> CorpusConfig:
        if self.holdout + self.dev >= 1:
            raise ValueError(
                f"holdout ({self.holdout:g}) and dev ({self.dev:g}) leave nothing to train on: lower one of them"
            )
        return self

    @property
    def mails_of(self) -> tuple[str, ...] | None:
        """The domains and addresses of agents where texts are threads of mails, else None."""
        return self.agents if self.format == "email" else None


class LabeledConfig(Section):
    """A small labelled set: a JSONL file of conversations (or ids), summaries, errors, revisions and ratings."""

    path: PathText | None = None
    demos: int = Field(default=0, ge=0, le=16, description="labelled examples shown to analyst and editor")
    pick: Literal["shortest", "nearest", "random"] = Field(default="shortest", description="which ones are shown")
    embedding: PathText | None = Field(
        default=None, min_length=1, description="what ranks the nearest: a folder of an embedding; null: BM25"
    )


class SummarizeConfig(Section):
    """The instruction to the teacher, the base model and the students."""

    instruction: str = Field(default=DEFAULT_INSTRUCTION, min_length=10)


CheckerForm = Literal["hhem", "minicheck", "factcg", "pair"]


class CheckerConfig(Section):
    """A classifier that scores sentences in place of the support question. It runs in the process of the stage."""

    model: PathText | None = Field(
        default=None, min_length=1, description="folder of weights, or id on the hub; null: none"
    )
    form: CheckerForm | None = Field(default=None, description="input form; null: by the model")
    batch_size: int = Field(default=16, ge=1, le=1024, description="sentences scored at once")
    device: str = Field(default="auto", pattern=DEVICE, description="as models.<role>.device")


class AnalyzeConfig(Section):
    """How the errors of a draft are detected."""

    analyst: bool = Field(default=True, description="ask the analyst about drafts; false: checks alone look for errors")
    strategy: Literal["auto", "holistic", "sentencewise"] = Field(
        default="auto", description="the whole summary in one question, or one for each sentence; auto: by the analyst"
    )
    checks: bool = Field(default=True, description="also run the checks, which need no model")
    values: bool = Field(
        default=False, description="also report values in whose place another of the conversation fits better: no model"
    )
    samples: int = Field(
        default=1, ge=1, le=20, description="answers to each support question, for a model without log-probabilities"
    )
    subtract_prior: bool | None = Field(
        default=None,
        description="take what the analyst says without the conversation from the score; null: if embedded",
    )
    calibration: PathText | None = Field(
        default="auto", description="auto: fitted on planted errors; a file of a calibration; null: threshold 0.5"
    )
    false_alarms: float = Field(
        default=0.05, gt=0, le=0.5, description="share of right sentences that `calibration: auto` may flag"
    )
    calibration_questions: int = Field(
        default=150, ge=40, le=5000, description="sentences that `calibration: auto` asks about, at most"
    )
    stack: bool = Field(
        default=False, description="with `calibration: auto`, weigh checks and words beside the score of a sentence"
    )
    checker: CheckerConfig = CheckerConfig()
    notes_sample: int = Field(default=40, ge=0, description="drafts on which open notes are taken; 0: seed taxonomy")
    max_categories: int = Field(default=14, ge=1, le=40)
    taxonomy: PathText | None = Field(default=None, description="taxonomy.yaml to use, so that none is induced")
    parse_retries: int | None = Field(
        default=None, ge=0, le=10, description="older name of `models.<role>.parse_retries`, for all roles"
    )


class ReviseConfig(Section):
    """How drafts are revised, and when a revision is accepted."""

    strategy: Strategy = "edits"
    edits: Literal["auto", "one_by_one", "together"] = Field(
        default="auto",
        description="strategy edits: one flagged sentence at a time, or all at once; auto: by the editor",
    )
    values: bool = Field(
        default=True, description="one_by_one: first put values of the conversation in the place of wrong ones"
    )
    candidates: int = Field(
        default=3, ge=0, le=10, description="rewrites of a sentence, at most, until one passes; 0: no editor is asked"
    )
    attempts: int = Field(default=2, ge=1, le=10)
    samples: int = Field(
        default=1, ge=1, le=16, description="revisions of each draft; all verified ones that differ are trained on"
    )
    max_change: float = Field(default=0.6, gt=0, le=1, description="largest share of words that a revision may change")
    min_words: int = Field(default=8, ge=1, description="fewest words of a revision")
    on_reject: Literal["drop", "keep_draft", "keep_partial"] = "keep_partial"
    human: Literal["prefer", "only", "ignore"] = Field(
        default="prefer", description="what people decided in `arf review`: it goes before the verifier's word"
    )
    verify_with_analyst: bool = Field(default=True, description="analyse each revision again; false: checks only")


EditsForm = Literal["one_by_one", "together"]
AnalysisForm = Literal["holistic", "sentencewise"]
_SIZE: Final = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", re.IGNORECASE)
_SMALL: Final = 4.0  # billions of parameters; from about here on a model gives all edits in one answer


def is_small(model: str) -> bool:
    """Say whether a model is embedded, or named with a size of at most 4B, as in `Qwen2.5-1.5B-Instruct`."""
    sizes = [float(number) / (1 if unit.lower() == "b" else 1000) for number, unit in _SIZE.findall(model)]
    return model.startswith("embedded/") or (bool(sizes) and max(sizes) <= _SMALL)


class PrivacyConfig(Section):
    """Pseudonyms for private values, before any call to a model that does not run in this process."""

    pseudonyms: bool = Field(
        default=False,
        description="replace private values in each call to a model outside of this process",
    )
    keep: Literal["originals", "pseudonyms"] = Field(
        default="originals",
        description="what the files of the run and the training text hold; pseudonyms: no original value at all",
    )
    names: tuple[str, ...] = Field(
        default=(), description="columns of the corpus, or keys of its metadata, that hold names of people"
    )
    ner: str | None = Field(
        default=None,
        min_length=1,
        description="folder or hub id of a token-classification model that finds further names; null: none",
    )


class Config(Section):
    """All of arf.yaml."""

    name: str = Field(default="arf", pattern=NAME)
    run_dir: FolderPath = Field(default=Path(), description="default: runs/<name>")
    seed: int = Field(default=17, ge=0)
    workers: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="processes, at most `concurrency`; null: one, or one for each core from 2,000 conversations",
    )
    engine: Engine = Field(default="local", description="where models are asked: on this machine or a Ray cluster")
    ray: RayConfig = RayConfig()
    calls_dir: FolderPath | None = Field(
        default=None, description="folder of stored answers; default: `calls` in run_dir"
    )
    budget: BudgetConfig = BudgetConfig()
    corpus: CorpusConfig
    models: ModelsConfig
    labeled: LabeledConfig = LabeledConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    summarize: SummarizeConfig = SummarizeConfig()
    analyze: AnalyzeConfig = AnalyzeConfig()
    revise: ReviseConfig = ReviseConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    plant: PlantConfig = PlantConfig()
    compile: CompileConfig = CompileConfig()
    programs: ProgramsConfig = ProgramsConfig()
    checker: CheckerTrainConfig = CheckerTrainConfig()
    embed: EmbedTrainConfig = EmbedTrainConfig()

    def edits_form(self) -> EditsForm:
        """Return how edits are asked for. By `auto`, an embedded or small editor mends one sentence at a time.

        So does a run that asks no editor.
        """
        if self.revise.edits != "auto":
            return self.revise.edits
        one_by_one = not self.revise.candidates or is_small(self.models.editor.model)
        return "one_by_one" if one_by_one else "together"

    def analysis_form(self) -> AnalysisForm:
        """Return how the analyst is asked. By `auto`, an embedded or small one is asked about each sentence.

        So is a checker. A small model that is shown a whole summary overlooks its errors (docs/analysts.md).
        """
        if self.analyze.strategy != "auto":
            return self.analyze.strategy
        by_sentence = self.analyze.checker.model is not None or is_small(self.models.analyst.model)
        return "sentencewise" if by_sentence else "holistic"

    @property
    def asks_editor(self) -> bool:
        """Whether an editor writes revisions, and not only values of the conversation and deletions mend a draft."""
        without = self.revise.strategy == "edits" and self.edits_form() == "one_by_one" and not self.revise.candidates
        return not without or bool({"rewrite", "taxonomy"} & set(self.train.arms))

    @property
    def analyst_corrects(self) -> bool:
        """Whether the analyst is asked for the correction of each error too, for the first attempt to mend a draft.

        It is where an able analyst reads whole summaries, and the same model is the editor and makes all edits in one
        answer. It is not where one of their questions was compiled or has demonstrations, which hold no corrections.
        """
        plain = not (self.programs.analyze or self.programs.revise or self.labeled.demos)
        able = self.analysis_form() == "holistic" and not is_small(self.models.analyst.model)
        together = self.revise.strategy == "edits" and self.edits_form() == "together"
        return self.analyze.analyst and plain and able and together and self.models.editor == self.models.analyst

    @property
    def samples_revisions(self) -> bool:
        """Whether a draft may have several revisions by the strategy of one arm."""
        return self.revise.samples > 1 or bool(self.models.editors)

    def with_editor(self, place: int) -> Config:
        """Return the configuration in which `models.editors[place - 1]` is the editor; at place 0 itself."""
        if not place:
            return self
        models = self.models.model_copy(update={"editor": self.models.editors[place - 1]})
        return self.model_copy(update={"models": models})

    @property
    def models_verify(self) -> bool:
        """Whether a model looks at each revision, and not only the checks."""
        return self.analyze.analyst and self.revise.verify_with_analyst

    @model_validator(mode="before")
    @classmethod
    def _default_run_dir(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("run_dir") is None:
            return {**value, "run_dir": f"runs/{value.get('name', 'arf')}"}
        return value

    @model_validator(mode="before")
    @classmethod
    def _give_each_model_its_parse_retries(cls, value: object) -> object:
        """`analyze.parse_retries`, the older key, holds for each model that has no such key of its own."""
        if not (isinstance(value, dict) and isinstance(value.get("analyze"), dict)):
            return value
        retries, models = value["analyze"].get("parse_retries"), value.get("models")
        if retries is None or not isinstance(models, dict):
            return value
        given = {
            role: {"parse_retries": retries, **model} if isinstance(model, dict) else model
            for role, model in spell_out_models(models).items()
        }
        return {**value, "models": given}

    @model_validator(mode="after")
    def _further_editors_are_of_use(self) -> Config:
        if self.models.editors and not self.asks_editor:
            raise ValueError("models.editors: no editor is asked with revise.candidates: 0: leave editors out")
        if self.models.editors and self.train.packing:
            raise ValueError(
                "models.editors: the revisions of one draft share its weight, and packed rows have no weights: set "
                "train.packing to false"
            )
        return self

    @model_validator(mode="after")
    def _no_batches_on_a_cluster(self) -> Config:
        batch: list[str] = [role for role, model in self.models.asked(PIPELINE_ROLES).items() if model.mode == "batch"]
        batch += ["editors"] * any(model.mode == "batch" for model in self.models.editors)
        if self.engine == "ray" and batch:
            raise ValueError(
                f"`engine: ray` does not go with `mode: batch` (models.{batch[0]}), whose waves one machine gathers: "
                "set `mode: live`, or `engine: local`"
            )
        return self
