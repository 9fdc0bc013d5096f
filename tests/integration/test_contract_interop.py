"""Every contract, and what the scaffold of one becomes, satisfies another tool of the same standard."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ingestion.registry import PRODUCT_SYSTEMS

ROOT = Path(__file__).parents[2]
TOOL = ROOT / ".tools" / "datacontract" / "bin" / "python"
# One process for all: importing the tool takes longer than judging a contract.
LINT = """
import json, sys
from datacontract.data_contract import DataContract
found = {}
for path in sys.argv[1:]:
    run = DataContract(data_contract_file=path, all_errors=True).lint()
    found[path] = [f"{check.result}: {check.reason}" for check in run.checks if check.result != "passed"]
    found[path] += [] if run.checks else ["nothing was checked"]
print(json.dumps(found))
"""


def lint(*paths: Path) -> dict[str, list[str]]:
    done = subprocess.run(
        [TOOL, "-c", LINT, *paths], capture_output=True, text=True, check=False, cwd=ROOT, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.full
def test_datacontract_cli_has_nothing_to_say_about_any_contract() -> None:
    paths = sorted(PRODUCT_SYSTEMS.rglob("*.odcs.yaml"))
    complaints = {path: told for path, told in lint(*paths).items() if told}
    assert len(paths) > 30
    assert not complaints


@pytest.mark.full
def test_datacontract_cli_does_see_what_is_wrong(tmp_path: Path) -> None:
    text = (PRODUCT_SYSTEMS / "wms_main" / "lots.odcs.yaml").read_text(encoding="utf-8")
    path = tmp_path / "lots.odcs.yaml"
    path.write_text(text.replace("kind: DataContract", "kind: Fax"), encoding="utf-8")
    assert lint(path)[str(path)]
