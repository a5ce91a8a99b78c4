"""A sweep as a workspace of W&B, or as a report: python -m analysis.workspace runs/mine --entity me

Needs pip install wandb-workspaces. The runs themselves are W&B's already (logger=wandb, sent by `wandb sync`); this
makes the view of them: a section per question, a panel per figure, each strategy in the colour that it has in our own
figures, the baseline set. `--report` makes a report with the questions as headings, saved as a draft. `--dry-run` sends
nothing and writes the JSON beside the sweep's tables. Each call makes a new view; none of them changes a run.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from intpv.errors import BadInput
from intpv.escape import printable
from intpv.logger.wandb import run_id
from intpv.logger.wandb_run import variable
from intpv.record.atomic import write_json
from intpv.record.composed import read_composed
from intpv.record.damaged import Damaged

from .logger_rows import END_TO_END
from .pairs import baseline
from .runs import GROUPS, Cell, read_sweep, say
from .score_columns import prefix, regimes
from .style import looks
from .table import remark

PACKAGE = "wandb-workspaces"
MOST_RUNS = 200  # per panel; W&B's own 10 would leave most cells of a sweep out
SCORES = ("accuracy", "skill")
PINNED = ("frames", "accuracy", "skill", "kv/bytes")  # columns beside the run's name, which tells its options


@dataclass(frozen=True)
class Plot:
    """A panel: a point per run, or the mean of all runs of an option."""

    title: str
    x: str  # metric; of bars the group whose options are compared
    y: str  # metric
    kind: Literal["scatter", "bar"] = "scatter"


@dataclass(frozen=True)
class Topic:
    """A section of the workspace, and a heading of the report."""

    name: str
    question: str
    plots: Sequence[Plot]
    note: str = ""  # Markdown


def topics(cells: Sequence[Cell]) -> list[Topic]:
    """What there is to see of a sweep; a metric that no cell has makes no panel, and no panels make no section."""
    known = {name for cell in cells for name in cell.metrics}
    starts = [(prefix(regime), f", {regime}" if regime else "") for regime in regimes(cells)]
    frames = [
        Plot(f"{name} against frames{which}", "frames", start + name)
        for start, which in starts
        for name in (*SCORES, "ceiling")
    ]
    options = [
        Plot(f"{name} by {group}", group, name, "bar")
        for group in ("rope_strategy", "rearranger", "kv_quant")
        for name in SCORES
        if len({getattr(cell, group) for cell in cells}) > 1
    ]
    kv = [
        Plot(f"{name} against KV bytes{which}", "kv/bytes", start + name) for start, which in starts for name in SCORES
    ]
    kl = [Plot(f"{name} against attention KL (nats, end to end)", END_TO_END, name) for name in (*SCORES, "answer_kl")]
    costs = [("memory/peak_bytes", "peak memory"), ("kv/bytes", "KV bytes")]
    costs += [("time/watch_s", "seconds to watch a video"), ("time/ask_s", "seconds to ask")]
    memory = [Plot(f"{words} against frames", "frames", name) for name, words in costs]
    wrong = [("invalid_rate", "answers outside the options"), ("coverage", "questions answered")]
    failures = [Plot(f"{words} against frames", "frames", name) for name, words in wrong]
    found = [
        Topic("Frames", "Do more frames help, and which strategy bears them?", frames),
        Topic("Options", "What does each option bring, all else averaged?", options),
        Topic("KV cache", "What does a smaller KV cache cost?", kv),
        Topic("Attention", "Does attention that moves further lose more answers?", kl),
        Topic("Memory and time", "What does a video cost?", memory),
        Topic("Failures", "What failed, and where are answers no answers?", failures, failed_cells(cells)),
    ]
    kept = [
        Topic(one.name, one.question, [plot for plot in one.plots if _is_known(plot, known)], one.note) for one in found
    ]
    return [one for one in kept if one.plots or one.note]


def _is_known(plot: Plot, known: set[str]) -> bool:
    return plot.y in known and (plot.kind == "bar" or plot.x in known)


def failed_cells(cells: Sequence[Cell]) -> str:
    """Markdown: a line per cell that is not done, with the reason; "" where all are."""
    lines = [f"- `{printable(cell.name)}`: {printable(remark(cell))}" for cell in cells if cell.status != "done"]
    return "\n".join(["Cells that are not done, as their folders say:", "", *lines]) if lines else ""


@dataclass(frozen=True)
class RunsView:
    """The cells of a sweep as W&B's runs, and how they are to be seen."""

    cells: Sequence[Cell]
    sweep: str  # the runs' group
    entity: str
    project: str
    only: Mapping[str, Sequence[str]]  # group -> options that are shown
    group_by: Sequence[str] = ()  # groups; a panel then shows the mean of each, so that points are no longer cells

    @property
    def colors(self) -> dict[str, str]:
        """Run id -> the colour of its strategy."""
        known = looks(cell.strategy for cell in self.cells)
        return {self.run(cell): known[cell.strategy].color for cell in self.cells}

    @property
    def baseline(self) -> str | None:
        """The run that others are compared with."""
        found = baseline(self.cells)
        return self.run(found) if found else None

    def run(self, cell: Cell) -> str:
        """The cell's id in W&B."""
        return run_id(self.sweep, cell.folder.name)

    @property
    def title(self) -> str:
        return f"{self.sweep}: {len(self.cells)} cells"[:128]  # characters W&B allows


def read_comparison(folder: Path, given: Namespace) -> RunsView:
    """BadInput for a folder without cells, an option that no cell has, or where nobody says whose project it is."""
    cells = read_sweep(folder)
    config = next((found for cell in cells if (found := _config(cell))), {})
    logger = config.get("logger") or {}
    entity = given.entity or logger.get("entity") or variable("ENTITY")
    if not entity:
        raise BadInput("--entity is missing: the account or team that the runs belong to (WANDB_ENTITY does the same)")
    only: dict[str, list[str]] = {}
    for text in given.only:
        group, equals, options = text.partition("=")
        there = {str(getattr(cell, _group(group))).split()[0] for cell in cells}
        for option in options.split(",") if equals else [""]:
            if option not in there:
                raise BadInput(f"--only {text}: no cell has {group}={option} (there are {', '.join(sorted(there))})")
        only[group] = options.split(",")
    project = given.project or logger.get("project") or variable("PROJECT") or "intpv"
    name = (config.get("sweep") or {}).get("name") or folder.resolve().name
    return RunsView(cells, name, entity, project, only, [_group(group) for group in given.group_by])


def _config(cell: Cell) -> dict:
    try:
        found = read_composed(cell.folder)
    except Damaged:  # the table lists it
        return {}
    return found.config if found else {}


def _group(name: str) -> str:
    if name not in GROUPS:
        raise BadInput(f"there is no group {name} to see runs by (there are {', '.join(GROUPS)})")
    return name


# What the package makes of it. Imported late: it comes with pip install, and asks nobody for a key as long as
# the entity is given.


def workspace(shown: RunsView) -> Any:
    """A wandb_workspaces Workspace, not yet sent."""
    import wandb_workspaces.workspaces as ws
    from wandb_workspaces import expr

    runs = ws.RunsetSettings(
        filters=_filters(shown),
        groupby=[expr.Config(f"choices.{group}") for group in shown.group_by],
        run_settings={run: ws.RunSettings(color=color) for run, color in shown.colors.items()},
        group_colors=_group_colors(shown),
        pinned_columns=[f"summary:{name}" for name in PINNED],
        baseline_run=shown.baseline,
    )
    sections = [
        ws.Section(name=one.name, panels=_panels(one), is_open=place < 3)
        for place, one in enumerate(topics(shown.cells))
    ]
    settings = ws.WorkspaceSettings(max_runs=MOST_RUNS)
    return ws.Workspace(shown.entity, shown.project, shown.title, sections, settings, runs)


def report(shown: RunsView) -> Any:
    """A wandb_workspaces Report, not yet sent."""
    import wandb_workspaces.reports.v2 as wr
    from wandb_workspaces.reports.v2.interface import RunSettings

    runs = wr.Runset(  # without a project it is the report's own; with one, W&B is asked for it even in a dry run
        name=shown.sweep,
        filters=_filters(shown),
        groupby=[f"config.choices.{group}" for group in shown.group_by],
        run_settings={run: RunSettings(color=color) for run, color in shown.colors.items()},
    )
    blocks: list[Any] = []
    for one in topics(shown.cells):
        blocks.append(wr.H1(one.question))
        if one.note:
            blocks.append(wr.MarkdownBlock(one.note))
        if one.plots:
            blocks.append(wr.PanelGrid(runsets=[runs], panels=_panels(Topic(one.name, one.question, one.plots))))
    return wr.Report(
        shown.project, shown.entity, shown.title, "Made by analysis.workspace from the run folders.", blocks
    )


def _filters(shown: RunsView) -> Any:
    """The sweep's runs, `only` those asked for. Not by tag: the package makes `==` of the `=` in a tag of ours."""
    from wandb_workspaces import expr

    # W&B keeps a nested key as value under its first part; for grouping the package writes it so itself
    chosen = [expr.Config(f"choices.value.{group}").isin(list(options)) for group, options in shown.only.items()]
    return expr.And(expr.Metric("Group") == shown.sweep, *chosen)


def _group_colors(shown: RunsView) -> dict[object, object]:
    """Of runs that are grouped by strategy first: the option's own colour."""
    if list(shown.group_by[:1]) != ["rope_strategy"]:
        return {}
    options = {cell.rope_strategy.split()[0] for cell in shown.cells}
    return {option: look.color for option, look in looks(options).items()}


def _panels(topic: Topic) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    panels: list[Any] = []
    for place, plot in enumerate(topic.plots):
        layout = wr.Layout(x=8 * (place % 3), y=6 * (place // 3))
        if plot.kind == "bar":
            by = wr.Config(f"choices.{plot.x}")
            panels.append(wr.BarPlot(title=plot.title, metrics=[plot.y], groupby=by, layout=layout))
        else:
            x, y = wr.SummaryMetric(plot.x), wr.SummaryMetric(plot.y)
            panels.append(wr.ScatterPlot(title=plot.title, x=x, y=y, log_x=plot.x == "frames" or None, layout=layout))
    if topic.note:
        panels.append(wr.MarkdownPanel(topic.note, layout=wr.Layout(x=0, y=6 * (len(topic.plots) // 3 + 1), w=24)))
    return panels


def spec_json(made: Any) -> dict[str, Any]:
    """What would be sent. By private API, for there is no public one: tests/analysis/test_workspace.py watches it."""
    model = made._to_model()
    return json.loads(model.spec.model_dump_json(by_alias=True, exclude_none=True))


def write_or_send(folder: Path, given: Namespace) -> str:
    """One line: the file, or the address of what was made."""
    shown, what = read_comparison(folder, given), "report" if given.report else "workspace"
    if not find_spec("wandb_workspaces"):
        raise BadInput(f"analysis.workspace needs a package that is not installed here: pip install {PACKAGE}")
    made = report(shown) if given.report else workspace(shown)
    if given.dry_run:
        file = folder / f"wandb_{what}.json"
        write_json(file, spec_json(made))
        return f"{file}: nothing was sent"
    try:
        made.save(draft=True) if given.report else made.save()
    except Exception as error:  # no key, no project, no network: the package has a dozen types for it
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise BadInput(f"W&B did not take the {what} in {shown.entity}/{shown.project}: {said}") from None
    return made.url


def main() -> int:
    parser = ArgumentParser(prog="python -m analysis.workspace", description="A sweep as a workspace or report of W&B.")
    parser.add_argument("sweep", type=Path, help="its folder, as runs/mine")
    parser.add_argument("--entity", help="the account or team; else logger.entity of the sweep, else WANDB_ENTITY")
    parser.add_argument("--project", help="else logger.project of the sweep, else WANDB_PROJECT, else intpv")
    parser.add_argument("--only", metavar="GROUP=OPTION,...", action="append", default=[], help="as kv_quant=none")
    parser.add_argument("--group-by", metavar="GROUP", action="append", default=[], help="show means, as rope_strategy")
    parser.add_argument("--report", action="store_true", help="a report (a draft) instead of a workspace")
    parser.add_argument("--dry-run", action="store_true", help="send nothing, write the JSON beside the sweep's tables")
    given = parser.parse_args()
    return say(lambda: [printable(write_or_send(given.sweep, given))])


if __name__ == "__main__":
    sys.exit(main())
