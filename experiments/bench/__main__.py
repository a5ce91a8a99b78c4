"""Run a benchmark: python -m experiments.bench NAME [key=value ...], NAME of kv, attention_kl, sweep and their like."""

import sys
from importlib import import_module
from pathlib import Path

from ..run.verbs import first_lines

HERE = Path(__file__).parent


def benchmarks() -> dict[str, Path]:
    """Name -> its file: a module of this package, or a package with one that is called bench."""
    return {file.stem: file for file in HERE.glob("[!_]*.py")} | {
        file.parent.name: file for file in HERE.glob("*/bench.py")
    }


def main() -> None:
    files = benchmarks()
    known = first_lines(files)
    verb = sys.argv[0] if sys.argv[0].startswith("intpv ") else "python -m experiments.bench"
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        print(f"usage: {verb} NAME [key=value ...]\n")
        print("\n".join(f"  {name:14}{line}" for name, line in known.items()))
        return
    if name not in known:
        print(f"bench: there is no benchmark {name}: use one of {', '.join(known)}", file=sys.stderr)
        sys.exit(2)
    sys.argv = [f"{verb} {name}", *sys.argv[2:]]
    import_module("." + ".".join(files[name].relative_to(HERE).with_suffix("").parts), __package__).main()


if __name__ == "__main__":
    main()
