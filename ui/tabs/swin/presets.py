"""Settings worth a look, each with the observation that it must produce; a test evaluates them."""

from collections.abc import Callable
from typing import Any

from backends.swin.params import SwinParams
from ui.core.tab import Preset
from ui.tabs.swin import outlines


def _separates(result: Any) -> bool:
    board = result.body.board
    exact = board.strangers == 4128 and board.through == board.lost == 0
    return round(100 * board.blocked) == 43 and exact and board.leak < 1e-20


def _leaks(result: Any) -> bool:
    return result.body.lesson.off >= 0.4 and result.body.lesson.on < 1e-20 and result.body.lesson.touched == 0.75


def _stays(result: Any) -> bool:
    return set(result.body.lesson.reached) == {49}


def _spreads(result: Any) -> bool:
    return result.body.lesson.reached[:2] == (49, 196) and set(result.body.lesson.reached_still) == {49}


def _differ(result: Any) -> bool:
    body = result.body.lesson
    return body.largest > body.scale and body.leak[0] > 0.1 and body.leak[1] < 1e-20 and result.body.board.through > 0


def _agree(result: Any) -> bool:
    body = result.body.lesson
    return max(pair[2] for pair in body.pairs) == 0 == max(body.padding) and len(body.pairs) == 3


def _left(result: Any) -> bool:
    """The mean weight of the left neighbour, over places that have one in their window."""
    board, (mh, mw) = result.body.board, result.body.board.layout.window
    places = [p for p in range(mh * mw) if p % mw]
    weights = [board.weights[0, p, p - 1] for p in places]
    return float(sum(weights)) / len(weights) > 0.9


def _bounded(result: Any) -> bool:
    body = result.body.lesson
    return max(body.largest_cosine) <= 10.0001 < max(body.largest_dot) and body.stretch_linear > 3 * body.stretch_log


def _odd(result: Any) -> bool:
    stages = result.body.lesson.stages
    sizes = [s.size for s in stages] == [(14, 13), (7, 7), (4, 4), (2, 2)]
    return sizes and stages[1].padded == (0, 1) and result.body.lesson.order[1] == (1, 0)


def _cheaper(result: Any) -> bool:
    [large] = [p for p in result.body.lesson.prices if p.size == (56, 56)]
    return large.global_attention == 64 * large.window_attention and large.global_seconds > 5 * large.window_seconds


def _padded(result: Any) -> bool:
    asked = result.body.lesson.asked
    more = asked.window_projections / asked.global_projections
    return asked.padded == (56, 56) and round(100 * (more - 1)) == 25 and result.checks[0].ok


def _confined(result: Any) -> bool:
    body = result.body.lesson
    return set(body.reached) == set(body.reached_still) == {49} and result.body.board.layout.shift == (0, 0)


def _calm(result: Any) -> bool:
    body, (plain, same) = result.body.lesson, result.body.lesson.plain
    return body.before[-1] > 5 * plain[-1] and abs(body.after[-1] / same[-1] - 1) < 0.01


def _halves(result: Any) -> bool:
    """Sizes of this picture, and where the work is: blocks of every stage cost alike, within a fifth."""
    parts = result.body.lesson.parts
    blocks = [p for p in parts if p.kind == "block"]
    work = [p.work for p in blocks]
    sizes = {p.stage: p.size for p in blocks} == {0: (96, 128), 1: (48, 64), 2: (24, 32)}
    return sizes and max(work) < 1.3 * min(work) and result.checks[0].ok


def _geometry(result: Any) -> bool:
    flows = result.body.lesson.flows
    return all(f.moved < 0.35 for f in flows) and flows[-1].reached > 10_000 and flows[0].reached == 64


def _alone(result: Any) -> bool:
    board = result.body.board
    return board.layout.window == (5, 7) and board.layout.shift == (0, 3) and bool(result.notice)


def _past(result: Any) -> bool:
    """The patch's weight on other patches of its own region, as the model itself draws it, and the share of them
    among the others."""
    weight, share = outlines.given(result.body.lesson)
    return weight < 0.05 and share > 0.5


def _in_outline(picture: str) -> Callable[[Any], bool]:
    """Whether what is called the clicked one's region lies in the outline drawn by hand."""
    return lambda result: outlines.within(picture, result.body.lesson.alike) >= 0.7


def _table(result: Any) -> bool:
    """Most is table, all but a hundredth of the rest is saucer, and not the whole saucer is called so."""
    called = result.body.lesson.alike > 0.5
    saucer = outlines.inside(outlines.SAUCER, called.shape)
    rest = 1 - outlines.within("coffee", called)
    return bool(rest <= 0.3 and rest - saucer[called].mean() < 0.01 * rest and called[saucer].mean() < 0.5)


PRESETS: tuple[Preset, ...] = (
    Preset(
        "Roll and mask",
        SwinParams(),
        "14 x 14 tokens, M = 7, s = 3: the mask blocks 43 % of all pairs, exactly those that only the roll brought "
        "together.",
        _separates,
    ),
    Preset(
        "Mask off: the leak",
        SwinParams(view="leak"),
        "Three quarters of the tokens share a window with strangers. Without the mask they give them over 40 % of "
        "their attention, with it "
        "less than 1e-20.",
        _leaks,
    ),
    Preset(
        "No shift",
        SwinParams(view="reach", moving=False, y=0.5, x=0.5),
        "Without shift six blocks see as far as one: 49 tokens, one window.",
        _stays,
    ),
    Preset(
        "With shift",
        SwinParams(view="reach", y=0.5, x=0.5),
        "With every second block shifted, the token in the middle depends on all 196 after two.",
        _spreads,
    ),
    Preset(
        "16 is not 2 x 7",
        SwinParams(view="orders", rows=16, columns=16),
        "The same weights, two conventions: an output differs by more than the root mean square of all. In timm over "
        "10 % of the attention goes to strangers although the mask is on; in torchvision none does.",
        _differ,
    ),
    Preset(
        "A window as high as the picture",
        SwinParams(view="reach", rows=7, columns=28, order="microsoft", y=0.5, x=0.5),
        "7 rows, a window of 7: Microsoft's code then shifts nothing, so six blocks see as far as one, 49 of 196 "
        "tokens. timm and torchvision still shift the columns.",
        _confined,
    ),
    Preset(
        "14 is 2 x 7",
        SwinParams(view="orders"),
        "Where the window divides the map and is smaller, the conventions agree to the last bit.",
        _agree,
    ),
    Preset(
        "One cell of the bias",
        SwinParams(view="bias", bias="none", head=3, edits=((0, 1, 20.0),), step="attention"),
        "One number, for the offset (0, 1), moves 42 pairs in every window: where nothing is masked, queries with a "
        "token on their left in their window give it over 90 % on average.",
        _left,
    ),
    Preset(
        "Cosine has a bound",
        SwinParams(view="cosine", window=12, rows=24, columns=24),
        "Scores of the dot product go beyond 10, scaled cosine cannot. A window of 12 leaves the range of 8 three "
        "times less on log "
        "coordinates.",
        _bounded,
    ),
    Preset(
        "The norm after the branch",
        SwinParams(view="cosine", gain=8.0, depth=12),
        "With output weights 8 times as large and the norm before each branch, the map after 12 blocks is over 5 times "
        "as large; with the norm after it, it changes by less than 1 %.",
        _calm,
    ),
    Preset(
        "An odd map",
        SwinParams(view="merge", columns=13),
        "14 x 13 tokens: zeros fill the odd side before every merge, and of four neighbours the one below comes "
        "second.",
        _odd,
    ),
    Preset(
        "64 times less",
        SwinParams(view="cost"),
        "56 x 56 tokens, M = 7: 64 times fewer multiplications in attention, and here over 5 times less time.",
        _cheaper,
    ),
    Preset(
        "Padding is computed too",
        SwinParams(view="cost", pixels=200),
        "50 x 50 tokens are padded to 56 x 56: windows project 25 % more tokens than the picture has.",
        _padded,
    ),
    Preset(
        "The whole network",
        SwinParams(view="network"),
        "A merge leaves a quarter of the tokens and doubles their channels: a block of the last stage costs as much as "
        "one of the first, within 30 %.",
        _halves,
    ),
    Preset(
        "Rollout is mostly geometry",
        SwinParams(view="rollout", map_block=8, y=0.5, x=0.5),
        "Through all blocks this patch depends on over 10,000 patches. Against equal weights in the same windows "
        "attention moves less than 35 % of the weight, from every block.",
        _geometry,
    ),
    Preset(
        "Window over the edge",
        SwinParams(rows=5),
        "Five rows, a window of seven: timm shrinks the window to 5 x 7 and does not shift the rows.",
        _alone,
    ),
    Preset(
        "It looks past the horse",
        SwinParams(view="model", picture="horse", map_block=6, y=0.3, x=0.75, region=True),
        "Nobody told the attention where to look. In the second block of stage 3 this patch gives other patches of its "
        "region (as the model draws it) under 5 % of what it gives away, though they are over half of its window.",
        _past,
    ),
    Preset(
        "The wall, not the cat",
        SwinParams(view="model", picture="chelsea", y=0.3, x=0.92, region=True),
        "At least 70 % of the places that the model calls the clicked one's region are not cat, by an outline drawn by "
        "hand.",
        _in_outline("chelsea"),
    ),
    Preset(
        "The table, and some saucer",
        SwinParams(view="model", picture="coffee", y=0.7, x=0.92, region=True),
        "At least 70 % of the places that the model calls the clicked one's region are table, by an outline drawn by "
        "hand; the others are pieces of the saucer.",
        _table,
    ),
    Preset(
        "The helmet, and more",
        SwinParams(view="model", picture="astronaut", y=0.85, x=0.75, region=True),
        "A small Swin is no segmenter: of the places that it calls the clicked helmet's region at least 40 % are not "
        "helmet, by an outline drawn by hand.",
        lambda result: outlines.within("astronaut", result.body.lesson.alike) <= 0.6,
    ),
)
