"""Tables: the bench's result as Markdown, to be read; every figure is in the JSON too."""

from . import speed_tables as speed
from .cells import table, with_interval

KLS, LOSSES = ("mean", "median", "p95", "max"), ("key", "value", "output")


def markdown(result: dict) -> str:
    """All sections that there are so far."""
    parts = [f"# bench_kv\n\n{result['what']}\n\n{_machine(result)}"]
    for name, found in result.get("fidelity", {}).items():
        about = result["about"][name.split(" ")[0]]
        parts += [
            f"## Fidelity: {name}\n\n{about}{_achieved(found)}{_accounted(found)}",
            fidelity(found),
            ratios(found),
        ]
    for found in result.get("speed", {}).values():
        title = f"## One layer, {found['tokens']} tokens\n\n{speed.note(found)}"
        parts += [title, speed.layer(found), *[speed.faster(found)] * bool(found["faster"])]
    for found in result.get("rows", {}).values():
        parts += [f"## Many rows, one layer, {found['tokens']} tokens", speed.rows(found)]
    for found in result.get("decoder", {}).values():
        parts += [f"## Whole decoder, {found['frames']} frames, {found['tokens']} tokens", speed.decoder(found)]
    skipped = [f"- {name}: {reason}" for name, reason in result.get("skipped", {}).items()]
    parts += ["## Skipped", "\n".join(skipped)] * bool(skipped)
    return "\n\n".join(parts) + "\n"


def fidelity(found: dict) -> str:
    """KL over (layer, head), relative errors in %, and the answers' KL where questions were asked."""
    lines = []
    for name, row in found["methods"].items():
        kl = [f"{row['kl'][part]:.2g}" for part in KLS]
        errors = [f"{100 * row['errors'][part]:.2f}" for part in LOSSES]
        lines.append([name, f"{row['bits_per_element']:.2f}", *kl, *errors])
        if "answer_kl" in row:
            lines[-1] += [with_interval(**row["answer_kl"]), f"{100 * row['answers_changed']:.1f}"]
    heads = ["method", "bits", *(f"KL {part}" for part in KLS), *(f"{part} %" for part in LOSSES)]
    answers = ["answer KL [95 %]", "changed %"] * any("answer_kl" in row for row in found["methods"].values())
    return table([*heads, *answers], lines)


def ratios(found: dict) -> str:
    """Of the KL, ours / theirs; a limit stands where the bits are equal, to within ratios.EQUAL."""
    lines = []
    for one in found["ratios"]:
        bits = " / ".join(f"{bits:.2f}" for bits in one["bits"])
        spread = [f"{one[part]:.2g}" for part in ("median", "most")]
        limit = "" if one["at_most"] is None else f"{one['at_most']:g} {_verdict(one)}"
        ratio = with_interval(one["ratio"], one["interval"])
        lines.append([f"{one['ours']} / {one['theirs']}", bits, ratio, *spread, str(one["units"]), limit])
    return table(["KL ratio", "bits", "of means [95 %]", "median of units", "most", "units", "at most"], lines)


def _achieved(found: dict) -> str:
    """How sharp the drawn queries are, the mean over seeds."""
    drawn = found.get("achieved", [])
    means = [sum(one[part] for one in drawn) / len(drawn) for part in ("width", "top1") if drawn]
    return (
        " Rows attend to {:.1f} tokens (median), the first key has {:.2f} of the mass.".format(*means) if means else ""
    )


def _accounted(found: dict) -> str:
    """Whether the bytes of ours are those of the closed form."""
    off = [name for name, row in found["methods"].items() if not row.get("equals_closed_form", True)]
    return f" Bytes differ from the closed form: {', '.join(off)}." if off else " All our bytes are the closed form's."


def _verdict(one: dict) -> str:
    if one["ratio"] > one["at_most"]:
        return "not reached"
    return "reached" if one["interval"] and one["interval"][1] <= one["at_most"] else "reached, its interval not"


def _machine(result: dict) -> str:
    machine = result["machine"]
    versions = {**machine["packages"], **result["peers"]}
    packages = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
    device = machine["device_name"] or machine["device"]
    return f"{device}, {machine['cores']} cores, {result['threads']} thread(s); {packages}"
