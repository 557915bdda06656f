"""Tables of the RoPE tab that stand beside a figure: what is measured and, apart from it, what others published; each method's rule."""

import math
from collections.abc import Iterable
from html import escape
from typing import Any

from backends.rope.params import METHODS
from backends.rope.published import LLAMA2, LLAMA2_SOURCE, PUBLISHED, STREAMING, STREAMING_SOURCE, SU_SOURCE
from ui.markup import both

BLANK = "–"
WARNING = ("Another model, another text: read the order, not the values.", "模型和文本都不同：请看顺序，不要比数值。")


def compare(curve: Any) -> str:
    """Measured rows at the trained and the longest length; on the right, set apart, the row of Su Jianlin's that is nearest to each."""
    near, far = curve.trained, curve.plan[-1]
    known = {row.method: row for row in PUBLISHED if row.method}
    rows = [_pair(line, near, far, known.get(line.method)) for line in curve.lines]
    over = f'<td></td><th colspan="2" scope="colgroup">{both("measured here", "在此测得")}</th><td class="gb-gap"></td>'
    over += f'<th class="gb-theirs" colspan="4" scope="colgroup">{both("published elsewhere", "他人发表")}</th>'
    head = _cells(("method", f"{near} bytes", f"{far} bytes"), "th") + '<td class="gb-gap"></td>'
    head += _cells(("their row", "512 tokens", "4096, repeated", "4096, fresh"), "th", "gb-theirs")
    ours = both(f"Left: accuracy of the last {curve.tail} bytes in %, {curve.source}.", f"左：最后 {curve.tail} 个字节的准确率（%）。")
    theirs = f"{both('Right:', '右：')} {escape(SU_SOURCE)}. {both(*WARNING)}"
    return f'{_table(f"<tr>{over}</tr><tr>{head}</tr>", rows)}<p class="gb-note">{ours} {theirs}</p>{_all()}'


def _pair(line: Any, near: int, far: int, published: Any) -> str:
    found = dict(zip(line.lengths, line.accuracy, strict=True))
    ours = (METHODS[line.method].label, *("" if found.get(n) is None else f"{100 * found[n]:.1f}" for n in (near, far)))
    theirs = (published.label, *_figures(published)) if published else (BLANK,) * 4
    return _cells(ours) + '<td class="gb-gap"></td>' + _cells(theirs, "td", "gb-theirs")


def _figures(row: Any) -> tuple[str, ...]:
    return tuple(f"{v:.2f}" for v in (row.short, row.repeated, row.fresh))


def _all() -> str:
    """Every published row, folded away."""
    head = _cells(("their row", "512 tokens", "4096, repeated", "4096, fresh"), "th")
    rows = [_cells((row.label, *_figures(row))) for row in PUBLISHED]
    lengths = sorted({n for _, losses in LLAMA2 for n in losses})
    more = [_cells((name, *(f"{losses[n]:.4f}" if n in losses else BLANK for n in lengths))) for name, losses in LLAMA2]
    words = both(f"All {len(PUBLISHED)} published rows, and a large model", f"全部 {len(PUBLISHED)} 行已发表结果，以及一个大模型")
    large = _table(f"<tr>{_cells(('loss', *(f'{n} tokens' for n in lengths)), 'th')}</tr>", more, "gb-theirs")
    return (f'<details class="gb-more"><summary>{words}</summary>{_table(f"<tr>{head}</tr>", rows, "gb-theirs")}{large}'
            f'<p class="gb-note">{escape(LLAMA2_SOURCE)}.</p></details>')


def streaming() -> str:
    """What a large model does when it loses its sink: published, and so apart from the toy's figures."""
    head = f'<tr><th scope="col">{both("published elsewhere", "他人发表")}</th><th scope="col">{both("perplexity", "困惑度")}</th></tr>'
    rows = [_cells((kept, f"{value:.2f}")) for kept, value in STREAMING]
    note = both("The cache: first tokens + last tokens.", "缓存：最前的符号 + 最后的符号。")
    return f'{_table(head, rows, "gb-theirs")}<p class="gb-note">{note} {escape(STREAMING_SOURCE)}. {both(*WARNING)}</p>'


def rules() -> str:
    """Every method with its rule, its source and the model that it runs on."""
    rows = [_cells((m.label, m.note, m.model if m.runs else "drawn only")) for m in METHODS.values()]
    names = (("method", "方法"), ("rule and source", "规则与出处"), ("runs on", "运行于"))
    head = "".join(f'<th scope="col">{both(*name)}</th>' for name in names)
    return f'<div class="gb-rulebook">{_table(f"<tr>{head}</tr>", rows)}</div>'


def summary(params: Any, calculation: Any) -> str:
    """The calculator's methods in one table, and what else to know of the chosen one."""
    head = ("method", "stretched", "squeezed", "safe", "slowest pair, tokens a turn", "logits times", "rope_type")
    rows = [_cells((row.label, *(row.states.count(state) for state in ("stretched", "squeezed", "safe")),
                    f"{math.tau / float(row.theta[-1]):.0f}", f"{row.logit:.4g}", row.block["rope_type"]))
            for row in calculation.rows]
    chosen = next(row for row in calculation.rows if row.name == params.method)
    words = escape(unfinished(params, calculation) + (f" {chosen.label}: {chosen.remark}" if chosen.remark else ""))
    top = f"<tr>{_cells(head, 'th')}</tr>"
    return f'<p class="gb-note">{words}</p>{_table(top, rows)}'


def unfinished(params: Any, calculation: Any) -> str:
    """Which pairs never went round within the trained length, in a sentence."""
    never, pairs = calculation.unfinished, params.head_dim // 2
    where = f": {'pair' if len(never) == 1 else 'pairs'} {_span(never)} of 0 to {pairs - 1}" if never else ""
    return f"{len(never)} of {pairs} pairs never completed a turn within {params.trained} tokens{where}."


def _span(never: tuple[int, ...]) -> str:
    return str(never[0]) if len(never) == 1 else f"{never[0]} to {never[-1]}"


def _cells(values: Iterable[Any], tag: str = "td", kind: str = "") -> str:
    more = (f' class="{kind}"' if kind else "") + (' scope="col"' if tag == "th" else "")
    return "".join(f"<{tag}{more}>{escape(str(v))}</{tag}>" for v in values)


def _table(head: str, rows: Iterable[str], kind: str = "") -> str:
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="gb-small {kind}" tabindex="0"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'
