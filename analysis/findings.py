"""Findings: the README's section of results, made from the committed files under analysis/results/ alone.

    python -m experiments.evaluate -m experiment=mini_ablation logger=none
    python -m experiments.evaluate -m experiment=mini_ablation kv_quant=none model.seed=0,1,2 data.seed=1,2,3 \\
        logger=none sweep.name=mini_ablation_unused
    python -m experiments.evaluate -m experiment=kv_policies frames=64 model.seed=0,1,2 data.seed=1,2,3 logger=none \\
        sweep.name=kv_policies_unused
    python -m analysis.findings runs/{mini_ablation,mini_ablation_unused,kv_policies_unused}

The last one puts tables and figures of the sweeps that it is given under analysis/results/ and writes the section anew,
without any the section alone. It says what is there: KV policies once their sweep is. Sweeps of STUDIES, which
FINDINGS.md tells of, are put there too.
"""

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from intpv.errors import BadInput

from .committed import KEPT, RESULTS, STUDIES
from .readme_section import section
from .runs import say

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"(?<=## What the ablation shows\n\n).*?(?=## Add your own)", re.DOTALL)


def publish(folder: Path) -> None:
    """Its summary anew, and of that what is KEPT, or a study's, under the name of the sweep."""
    from .summary import summarise_sweep

    summarise_sweep(folder)
    kept = (KEPT | STUDIES)[folder.name]
    if missing := [name for name in kept if not (folder / name).exists()]:
        raise BadInput(f"{folder} has no {missing[0]}: conf/experiment/{folder.name}.yaml says what makes it")
    (RESULTS / folder.name).mkdir(exist_ok=True)
    for name in kept:
        shutil.copyfile(folder / name, RESULTS / folder.name / name)


def main() -> int:
    folders = [Path(argument) for argument in sys.argv[1:]]
    return say(lambda: _publish_all(folders))


def _publish_all(folders: Sequence[Path]) -> list[Path]:
    if unknown := [str(folder) for folder in folders if folder.name not in KEPT | STUDIES]:
        raise BadInput(f"sweeps whose results are committed: {', '.join(KEPT | STUDIES)}, got {', '.join(unknown)}")
    for folder in folders:
        publish(folder)
    README.write_text(BLOCK.sub(lambda _: section(), README.read_text(encoding="utf-8")), encoding="utf-8")
    return [RESULTS / folder.name for folder in folders] + [README]


if __name__ == "__main__":
    sys.exit(main())
