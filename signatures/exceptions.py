"""Every exception that ARF raises on purpose.

ArfError
├── UserError            exit code 2: the user's input or configuration is wrong
│   ├── ConfigError      arf.yaml, `--set` or taxonomy.yaml is wrong
│   ├── DataError        a corpus, a labelled set or a file of a run cannot be used
│   └── MissingExtra     an optional package is not installed
└── WorkError            exit code 1: something failed at work
    ├── ModelError       a model gives no answer, or none that can be used
    │   └── EndpointError  an endpoint answers every call with an error: the stage stops
    ├── BudgetError      exit code 3: a cap of the budget is reached
    ├── QuoteError       a quote or a turn does not exist
    ├── StageError       a stage could not be finished
    └── StorageError     a disk does not take or give a file
"""


class ArfError(Exception):
    """Base of all errors that ARF raises on purpose. The message says enough, so no traceback is shown."""


class UserError(ArfError):
    """The user's input or configuration is wrong."""


class ConfigError(UserError):
    """The configuration has problems. `problems` holds all of them, each with its place and how to mend it."""

    def __init__(self, problems: list[str] | str) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class DataError(UserError):
    """A data file cannot be used. The message names the file and the line, and says how to mend it."""


class MissingExtra(UserError):  # noqa: N818 - named for what is missing
    """An optional package is not installed. The message gives the pip command."""


class WorkError(ArfError):
    """Something failed at work."""


class ModelError(WorkError):
    """A model gave no answer, or none that can be used."""


class EndpointError(ModelError):
    """An endpoint answers every call with an error, so the stage stops. A later run continues where it stopped."""


class BudgetError(WorkError):
    """A cap of the budget is reached. Nothing is lost: the run continues when the cap is raised."""


class QuoteError(WorkError):
    """The summary does not contain a quote, or the conversation does not have a turn."""


class StageError(WorkError):
    """A stage could not be finished."""


class StorageError(WorkError):
    """A disk does not take or give a file: it is full, read-only or gone. A later run continues where it stopped."""
