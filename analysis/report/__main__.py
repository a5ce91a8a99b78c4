"""Report of sweeps as one HTML file that opens from disk, without a network: python -m analysis.report runs/mine

Findings with their intervals first, then figures that can be filtered, failures, example videos, all cells, and the
commands that repeat it. Needs pip install 'intpv[report]'.
"""

import sys
from argparse import ArgumentParser
from pathlib import Path

from ..consistency import CONCERNS
from ..runs import say
from .report import write_report


def main() -> int:
    parser = ArgumentParser("python -m analysis.report", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sweeps", nargs="+", type=Path, metavar="runs/<sweep>")
    parser.add_argument("--out", type=Path, help="file (default: report.html in the first sweep)")
    parser.add_argument("--across", action="append", default=[], choices=CONCERNS, help="what cells may differ in")
    parser.add_argument("--videos", type=int, default=3, help="example videos of each sweep, 0: none (%(default)s)")
    given = parser.parse_args()
    out = given.out or given.sweeps[0] / "report.html"
    return say(lambda: [write_report(given.sweeps, out, given.across, given.videos)])


if __name__ == "__main__":
    sys.exit(main())
