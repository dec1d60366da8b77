"""The base of every section of arf.yaml."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Frozen; unknown keys are refused; defaults are checked like anything else."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
