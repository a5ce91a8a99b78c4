"""The console script: all verbs under the one name `intpv`."""

import sys
from importlib import import_module
from pathlib import Path

from .run.verbs import first_lines

HERE = Path(__file__).parent


def verbs() -> dict[str, Path]:
    """Verb -> its file: a module of this package, or a package that can be run."""
    return {file.stem: file for file in HERE.glob("[!_]*.py")} | {
        file.parent.name: file for file in HERE.glob("*/__main__.py")
    }


def main() -> None:
    files = verbs()
    known = first_lines(files)
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb in ("-h", "--help"):
        print("usage: intpv <verb> ...\n")
        print("\n".join(f"  {name:12} {line}" for name, line in known.items()))
        return
    if verb not in known:
        sys.exit(f"intpv: no verb {verb}: use one of {', '.join(known)}")
    sys.argv = [f"intpv {verb}", *sys.argv[2:]]
    import_module("." + ".".join(files[verb].relative_to(HERE).with_suffix("").parts), __package__).main()


if __name__ == "__main__":
    main()
