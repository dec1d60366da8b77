"""The folder of one run: its files, manifests, fingerprints, lock, ledger, status and progress bar.

Everything that ARF writes for a run is named here, and every file is plain and readable. `Run` is what every stage is
given: the configuration with this folder.
"""

from arf_programs.runs.fingerprint import digest, digest_file, digest_model, digest_privacy, digest_prompts, draw_key
from arf_programs.runs.folder import (
    Manifest,
    RunFile,
    RunFolder,
    has_rows,
    remove_answers,
    remove_conversations,
    remove_rows,
)
from arf_programs.runs.jsonl import (
    JsonlAppender,
    JsonlIndex,
    read_jsonl,
    read_lines,
    read_record,
    write_jsonl_atomic,
    write_lines_atomic,
    write_record,
    write_text_atomic,
)
from arf_programs.runs.ledger import Call, Spent, iter_ledger, read_ledger
from arf_programs.runs.load import LoadedRun, load_run
from arf_programs.runs.progress import Progress, RunStatus, StatusFile, duration_text, read_status
from arf_programs.runs.run import (
    Run,
    Side,
    SplitConversation,
    lock_run,
    refuse_foreign_folder,
    refuse_wrong_places,
    save_config,
    saved_base_dir,
)
from arf_programs.runs.storage import (
    errors_behind,
    is_of_the_disk,
    make_private_folder,
    private_files,
    refuse_read_only,
    storage_error,
    storing,
    trouble_behind,
)
