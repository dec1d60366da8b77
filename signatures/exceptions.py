"""The one tree of exceptions.

ArfError
├── UserError            the user's input or configuration is wrong: exit code 2
│   ├── ConfigError      arf.yaml, `--set`, `taxonomy.yaml`
│   ├── DataError        a corpus, a labelled set, a stage's file
│   └── MissingExtra     an optional package is not installed
└── WorkError            something failed at work: exit code 1
    ├── ModelError       a model that does not answer, or not usefully
    │   └── EndpointError  an endpoint that only fails: the stage stops, and goes on when it works
    ├── BudgetError      a cap of the budget is reached: exit code 3
    ├── QuoteError       a quote or a turn that does not exist
    └── StageError       a stage that could not be finished
"""


class ArfError(Exception):
    """Base of every error that ARF raises on purpose; its message needs no traceback."""


class UserError(ArfError):
    """The user's input or configuration is wrong."""


class ConfigError(UserError):
    """Configuration problems, all of them at once, each with its place and its mend."""

    def __init__(self, problems: list[str] | str) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class DataError(UserError):
    """A data file that cannot be used; the message names file, line and mend."""


class MissingExtra(UserError):  # noqa: N818 - named for what is missing
    """An optional package is not installed; the message gives the pip command."""


class WorkError(ArfError):
    """Something failed at work."""


class ModelError(WorkError):
    """A model did not answer, or not usefully."""


class EndpointError(ModelError):
    """An endpoint that only fails, so that every further call would."""


class BudgetError(WorkError):
    """A cap of the budget is reached; nothing is lost, and the run goes on when the cap is raised."""


class QuoteError(WorkError):
    """A quote that the summary does not contain, or a turn that the conversation does not have."""


class StageError(WorkError):
    """A stage could not be finished."""
