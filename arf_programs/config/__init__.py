"""The configuration: one pydantic model for each section of `arf.yaml`, and the function that reads the file.

All problems of a file are reported at once, each with its line and how to mend it.
"""

from arf_programs.config.commands import (
    OPTIMIZERS,
    CheckerTrainConfig,
    EmbedTrainConfig,
    Kind,
    OptimizerName,
    PlantConfig,
    SmallTrainConfig,
    TargetName,
)
from arf_programs.config.evaluate import AUTO
from arf_programs.config.load import dump_config, load_config, load_yaml
from arf_programs.config.masking import (
    environment_without_secrets,
    mask,
    mask_message,
    masked_streams,
    print_defect,
    remember_secrets,
)
from arf_programs.config.models import PIPELINE_ROLES, ROLES, BatchConfig, DraftColumn, ModelConfig, Role, Writer
from arf_programs.config.paths import as_it_is_there, cache_folder, expand_home, find_path, refuse_wrong_kinds
from arf_programs.config.schema import (
    DEFAULT_INSTRUCTION,
    CheckerConfig,
    CheckerForm,
    ColumnsConfig,
    Config,
    CorpusConfig,
    CorpusFormat,
    LabeledConfig,
    RayConfig,
    Strategy,
)
from arf_programs.config.secrets import login_header, resolve_references, without_login, without_user
from arf_programs.config.train import (
    ARMS,
    PREFERENCE_STUDENTS,
    Arm,
    ErrorKinds,
    Method,
    PreferenceConfig,
    ScheduleConfig,
    TermsName,
    TrainConfig,
)
