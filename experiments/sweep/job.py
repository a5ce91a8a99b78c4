"""Job: between Hydra's composed config of one cell and the plain data that a plan is made of."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from intpv.record.run_folder import RunFolder

from ..naming import chosen, without_hydra
from .plan import Planned


def planned(config: DictConfig) -> Planned:
    """Plain data: nothing below knows Hydra's configuration objects."""
    HydraConfig.instance().set_config(config)
    log_config = OmegaConf.to_container(config.hydra.job_logging, resolve=True)
    log_config["handlers"].pop("console", None)  # warnings reach the screen as events
    for logger in (log_config.get("root"), *log_config.get("loggers", {}).values()):
        logger["handlers"] = [handler for handler in logger.get("handlers", ()) if handler != "console"]
    return Planned(
        folder=Path(config.hydra.runtime.output_dir),
        config=OmegaConf.to_container(without_hydra(config), resolve=True),
        choices=chosen(config.hydra.runtime.choices),
        overrides=list(config.hydra.overrides.task),
        log_config=log_config,
    )


def write_config(config: DictConfig) -> None:
    """`.hydra/` as Hydra writes it for a job of its own launchers."""
    folder = Path(config.hydra.runtime.output_dir, ".hydra")
    folder.mkdir(parents=True, exist_ok=True)
    task, hydra = without_hydra(config), OmegaConf.masked_copy(config, ["hydra"])
    for name, part in (("config", task), ("hydra", hydra), ("overrides", config.hydra.overrides.task)):
        (folder / f"{name}.yaml").write_text(OmegaConf.to_yaml(part), encoding="utf-8")


def returned(config: DictConfig, cell: Planned) -> JobReturn:
    """A cell's accuracy is its value, so that sweepers that search (Optuna, Ax) have something to go by."""
    value = RunFolder(cell.folder).metrics()["accuracy"] if cell.status == "done" else None
    status = JobStatus.COMPLETED
    return JobReturn(cell.overrides, cfg=config, _return_value=value, status=status, task_name="evaluate")
