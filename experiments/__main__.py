"""The console script: all verbs under the one name `intpv`."""

import ast
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent


def verbs() -> dict[str, str]:
    """Verb -> its first line, read without importing anything: --help must not wait for torch."""
    files = {file.stem: ast.parse(file.read_text(encoding="utf-8")) for file in sorted(HERE.glob("[!_]*.py"))}
    has_main = {name: any(getattr(node, "name", "") == "main" for node in tree.body) for name, tree in files.items()}
    return {name: ast.get_docstring(files[name]).splitlines()[0] for name, runs in has_main.items() if runs}


def main() -> None:
    known = verbs()
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb in ("-h", "--help"):
        print("usage: intpv <verb> ...\n")
        print("\n".join(f"  {name:12} {line.split(': python')[0]}" for name, line in known.items()))
        return
    if verb not in known:
        sys.exit(f"intpv: no verb {verb}: use one of {', '.join(known)}")
    sys.argv = [f"intpv {verb}", *sys.argv[2:]]
    import_module(f".{verb}", __package__).main()


if __name__ == "__main__":
    main()
