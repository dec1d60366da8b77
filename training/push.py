"""Export a student and upload it: `python -m training.push --run-dir runs/my-run --arm arf --repo me/my-student`.

The token comes from the environment variable HF_TOKEN and is passed only to huggingface_hub.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from arf_programs.runs import RunFolder
from arf_programs.tools.serving import find_student
from signatures.exceptions import ConfigError, StageError
from training.export import export_student
from training.settings import quiet_libraries, run_command

TOKEN = "HF_TOKEN"  # noqa: S105 - the name of the variable


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.push", description="Export a student and upload it to the Hugging Face Hub."
    )
    parser.add_argument("--run-dir", type=Path, required=True, help="folder of a run with trained students")
    parser.add_argument("--arm", default="arf", help="which student of the run")
    parser.add_argument("--repo", required=True, help="repository of the Hub, e.g. me/my-student; made if missing")
    parser.add_argument("--merged", action="store_true", help="merge the adapter into its base")
    parser.add_argument("--private", action="store_true", help="make the repository a private one")
    parser.add_argument("--license", help="licence of the base as the Hub names it, e.g. apache-2.0")
    given = parser.parse_args(argv)
    folder = RunFolder(given.run_dir)
    return run_command(
        lambda _: push(folder, given.arm, given.repo, merged=given.merged, private=given.private, license=given.license)
    )


def push(folder: RunFolder, arm: str, repo: str, *, merged: bool, private: bool, license: str | None = None) -> None:
    """Upload the student of an arm with its card to a model repository of the Hub, and make the repository if needed.

    `private` applies to a new repository; an existing one keeps its visibility. Raises ConfigError when
    HF_TOKEN is not set, StageError when the Hub refuses or cannot be reached, and what `export_student` raises.
    """
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise ConfigError(
            f"the environment variable {TOKEN} is not set: `export {TOKEN}=...` with a token that may write"
        )
    find_student(folder, arm)
    with tempfile.TemporaryDirectory(prefix="arf-push-") as temporary:
        made = Path(temporary) / "export"
        export_student(folder, arm, made, merged=merged, license=license)
        _upload(made, repo, token, private=private)


def _upload(folder: Path, repo: str, token: str, *, private: bool) -> None:
    quiet_libraries()
    from httpx import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    hub = HfApi(token=token)
    try:
        hub.create_repo(repo, private=private, exist_ok=True)
        hub.upload_folder(repo_id=repo, folder_path=folder, commit_message="Student exported by arf-programs")
    except HFValidationError as error:
        raise ConfigError(f"{repo!r} is no repository of the Hub: {error}") from None
    except (HTTPError, OSError) as error:
        reason = " ".join(str(error).split()).replace(token, "***")
        raise StageError(f"{repo}: the Hub did not take the upload: {reason}") from None


if __name__ == "__main__":
    raise SystemExit(main())
