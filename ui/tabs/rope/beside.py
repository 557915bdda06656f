"""What stands under the RoPE tab's figures: what is measured and, apart from it, what others published; each method's
rule; the calculator's methods and the block to paste.
"""

import json
import math
from typing import Any

from backends.rope.families import INTERLEAVED, interleaved
from backends.rope.params import METHODS, OWN
from backends.rope.published import LLAMA2, LLAMA2_SOURCE, PUBLISHED, STREAMING, STREAMING_SOURCE, SU_SOURCE
from ui.parts.markup import cells, code, details, note, ruled

BLANK = "–"
WARNING = "Another model, another text: read the order, not the values."
THEIRS = ("their row", "512 tokens", "4096, repeated", "4096, fresh")
HEAD = ("method", "stretched", "squeezed", "safe", "slowest turn, tokens", "cos and sin times", "logits times",
        "rope_type")
GAP = cells([""], kind="gb-gap")


def compare(params: Any, curve: Any) -> str:
    """Measured rows at the trained, else the shortest, and the longest length; on the right, set apart, the row of Su
    Jianlin's that is nearest to each."""
    near, far = curve.trained if curve.trained in curve.plan else curve.plan[0], curve.plan[-1]
    known = {row.method: row for row in PUBLISHED if row.method}
    over = cells([""]) + cells(["measured here"], "th", across=2) + GAP
    over += cells(["published elsewhere"], "th", "gb-theirs", 4)
    head = cells(("method", *(f"{n} {curve.unit}" for n in (near, far))), "th") + GAP
    head += cells(THEIRS, "th", "gb-theirs")
    ours = note(f"Left: accuracy of the last {curve.tail} {curve.unit} in %, {curve.source}.")
    rows = [_pair(line, near, far, known.get(line.method)) for line in curve.lines]
    return ruled([over, head], rows) + ours + note(f"Right: {SU_SOURCE}. {WARNING}") + _all() + rules(params, curve)


def _pair(line: Any, near: int, far: int, published: Any) -> str:
    found = dict(zip(line.lengths, line.accuracy, strict=True))
    ours = (line.label, *("" if found.get(n) is None else f"{100 * found[n]:.1f}" for n in (near, far)))
    theirs = (published.label, *_figures(published)) if published else (BLANK,) * 4
    return cells(ours) + GAP + cells(theirs, kind="gb-theirs")


def _figures(row: Any) -> tuple[str, ...]:
    return tuple(f"{v:.2f}" for v in (row.short, row.repeated, row.fresh))


def _all() -> str:
    """Every published row, folded away."""
    lengths = sorted({n for _, losses in LLAMA2 for n in losses})
    head = cells(("loss", *(f"{n} tokens" for n in lengths)), "th")
    large = [cells((name, *(f"{by[n]:.4f}" if n in by else BLANK for n in lengths))) for name, by in LLAMA2]
    rows = [cells((row.label, *_figures(row))) for row in PUBLISHED]
    inside = _published([cells(THEIRS, "th")], rows) + _published([head], large) + note(f"{LLAMA2_SOURCE}.")
    return details("rope-published", f"All {len(PUBLISHED)} published rows, and a large model", inside)


def _published(heads: list[str], rows: list[str]) -> str:
    return ruled(heads, rows, kind="gb-small gb-theirs")


def streaming(params: Any, body: Any) -> str:
    """What a large model does when it loses its sink: published, and so apart from the toy's figures."""
    rows = [cells((kept, f"{value:.2f}")) for kept, value in STREAMING]
    said = note("The cache: first tokens + last tokens.") + note(f"{STREAMING_SOURCE}. {WARNING}")
    return _published([cells(("published elsewhere", "perplexity"), "th")], rows) + said + rules(params, body)


def rules(params: Any, body: Any) -> str:
    """Every method with its rule, its source and the model that it runs on, folded away."""
    rows = [cells((m.label, m.note)) + cells([m.model if m.runs else "drawn only"], names=m.runs)
            for m in METHODS.values()]
    inside = ruled([cells(("method", "rule and source", "runs on"), "th")], rows, kind="gb-small gb-rulebook")
    return details("rope-rules", "Rules and sources of the methods", inside) + layouts()


def layouts() -> str:
    """Half-split and interleaved rotation: which channels of a head of 8 turn together, how one becomes the other, and
    who uses which; folded away."""
    d = 8
    order = interleaved(d)
    pairs = {"half-split": [at % (d // 2) for at in range(d)], "interleaved": [at // 2 for at in range(d)]}
    rows = [cells([f"{name}: pair"]) + "".join(cells([pair], kind=f"gb-pair-{pair}") for pair in found)
            for name, found in pairs.items()]
    rows.append(cells(["interleaved: half-split channel there"]) +
                "".join(cells([at], kind=f"gb-pair-{at % (d // 2)}") for at in order))
    files = {"half-split": "transformers: Llama, Mistral, Qwen, Gemma, Phi-3, OLMo 2, GPT-NeoX, SmolLM",
             "interleaved": f"Meta's llama files, GGUF of Llama; transformers: {', '.join(INTERLEAVED)}"}
    used = [cells([name]) + cells([found], names=True) for name, found in files.items()]
    said = ("Both are the same rotation under a permutation of the channels of queries and keys, which no score sees. "
            "Weights of one kind that are read as the other give wrong scores without an error (transformers issue "
            "25199).")
    inside = (ruled([cells(("channel", *range(d)), "th")], rows) + note(said)
              + ruled([cells(("rotation", "files"), "th")], used, kind="gb-small gb-rulebook"))
    return details("rope-layouts", "Half-split and interleaved rotation", inside)


def calculator(params: Any, calculation: Any) -> str:
    """The calculator's methods in one table, what else to know of the chosen one and of the model's own rule, and the
    block of the chosen one."""
    by = {row.name: row for row in calculation.rows}
    chosen = by.get(params.method, by["none"])
    rows = [cells((row.label, *(row.states.count(state) for state in ("stretched", "squeezed", "safe")),
                   f"{math.tau / float(row.theta[-1]):.0f}", f"{row.attention:.5g}", f"{row.logit:.5g}"))
            + cells([row.kind], names=True) for row in calculation.rows]
    words = note(unfinished(params, calculation)) + note(by[OWN].remark if OWN in by else "")
    if chosen.name != OWN:
        words += note(chosen.remark and f"{chosen.label}: {chosen.remark}")
    made = code(block(chosen), "its rule as the config.json has it" if chosen.name == OWN else
                "rope_parameters, to paste into config.json (transformers 5)")
    return words + ruled([cells(HEAD, "th")], rows) + made + rules(params, calculation)


def unfinished(params: Any, calculation: Any) -> str:
    """Which pairs never went round within the trained length, in a sentence."""
    never, pairs = calculation.unfinished, params.head_dim // 2
    where = f": {'pair' if len(never) == 1 else 'pairs'} {_span(never)} of 0 to {pairs - 1}" if never else ""
    return f"{len(never)} of {pairs} pairs never completed a turn within {params.trained} tokens{where}."


def _span(never: tuple[int, ...]) -> str:
    return str(never[0]) if len(never) == 1 else f"{never[0]} to {never[-1]}"


def block(row: Any) -> str:
    """The rope_parameters of a method as JSON, with the max_position_embeddings to go with them, or a model's own as
    they stand in its file; a list stays on one line."""
    made = {"max_position_embeddings": row.positions, "rope_parameters": row.block}
    return _laid_out(row.block if row.name == OWN else made)


def _laid_out(value: Any, indent: str = "\n") -> str:
    """JSON with one key a line."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value)
    lines = (f"{json.dumps(key)}: {_laid_out(inner, indent + '  ')}" for key, inner in value.items())
    return f"{{{indent}  {f',{indent}  '.join(lines)}{indent}}}"
