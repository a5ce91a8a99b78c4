"""A browser for tests: headless Chromium, which loads a page, runs its scripts, and says what came of it."""

import shutil
import subprocess
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def loaded(address: str, profile: Path) -> tuple[str, str]:
    """The page's document as a browser has it after its scripts, and what the browser said."""
    logged = ["--enable-logging=stderr", "--virtual-time-budget=20000", f"--user-data-dir={profile}"]
    command = [str(CHROMIUM), *QUIET, *logged, "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    return done.stdout, done.stderr
