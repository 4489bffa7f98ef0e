"""Run one contender and write when its trials ended.

python -m tests.benchmarks.contenders NAME WORKLOAD_JSON MATERIAL_FOLDER FOLDER TRIALS_PER_COUNT [OVERRIDE …]
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.contenders.workload import Workload

ENDS = "ends.json"


def main() -> None:
    name, workload, material, folder, trials, *overrides = sys.argv[1:]
    ends = CONTENDERS[name].run(Workload(**json.loads(workload)), Path(material), Path(folder), int(trials), overrides)
    (Path(folder) / ENDS).write_text(json.dumps(dataclasses.asdict(ends)))


if __name__ == "__main__":
    main()
