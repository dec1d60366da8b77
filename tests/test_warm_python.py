"""Forked processes of tests begin with all that their server has to import. What it does not find, it leaves out."""

import json
import os

from warm_python import IMPORTED, run_python


def test_a_forked_process_has_all_imports_and_collects_no_garbage_among_them(tmp_path):
    program = tmp_path / "begin.py"
    program.write_text("import gc, json, sys\nprint(json.dumps([gc.get_freeze_count(), list(sys.modules)]))")
    ended = run_python(str(program), env=os.environ)
    frozen, modules = json.loads(ended.stdout)
    assert set(IMPORTED) <= set(modules)
    assert frozen > 100_000
