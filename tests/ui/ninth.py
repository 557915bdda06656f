"""A ninth tab, as README's "Adding a tab" describes it: ALiBi on the trained byte model. Files of its room, and the one
line."""

LINE = "from ui.tabs.alibi import TAB as ALIBI\n"
MECHANISM = '''"""ALiBi (Press et al., arXiv 2108.12409, eq. 1) on a model that was trained with RoPE.

softmax(q k^T / sqrt(d) - m_h (i - j)), added in every layer.
Letters: h heads, n tokens, d head dimension, m_h = strength * 2^(-8h/H) the slope of head h.
"""
from dataclasses import dataclass

from backends.result import Mechanism, check
from backends.settings import check as valid
from backends.settings import setting

TEXT = "def add(a, b):\\n    return a + b\\n\\n\\nprint(add(1, 2))\\n"
answer = Mechanism(__name__.rpartition(".")[0], "mechanism")


@dataclass(frozen=True)
class AlibiParams:
    """What is asked for."""

    view: str = "loss"
    text: str = setting(TEXT, "Text", "read by the byte model", kind="lines", max_length=2000)
    strength: float = setting(1.0, "Strength", "of the bias; 0 is the model as trained", (0.0, 4.0), 0.1)

    def __post_init__(self) -> None:
        valid(self)
        if len(self.text.encode()) < 2:
            raise ValueError("The text has fewer than two bytes.")


@dataclass(frozen=True)
class Losses:
    """Mean nats per byte at each strength that was tried, and each head's slope at the chosen one."""

    strengths: tuple[float, ...]
    nats: tuple[float, ...]
    chosen: float
    slopes: tuple[float, ...]


def loss(text: str, strength: float) -> float:
    """Nats per byte of the byte model with the bias in every layer."""
    import torch
    from torch.nn import functional as F

    from backends.lm import shelf
    from backends.lm.mixers import _turn
    from backends.rope.biases import alibi

    model, tokens = shelf.load("softmax"), shelf.tokens(text)
    at = torch.arange(len(tokens))
    bias = (strength * alibi(at[:, None], at[None])).masked_fill(at[:, None] < at, -torch.inf).to(tokens.device)
    with torch.no_grad():
        x = model.embed(tokens[None])
        for block in model.blocks:
            q, k, v = block.mixer.parts(block.before(x))
            q, k = _turn(q, block.mixer.theta), _turn(k, block.mixer.theta)
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
            x = x + block.mixer.leave(y.transpose(1, 2).flatten(2))
            x = x + block.mlp(block.between(x))
        logits = F.linear(model.norm(x), model.embed.weight)[0]
    return F.cross_entropy(logits[:-1], tokens[1:]).item()


def _loss(params):
    from backends.lm import shelf
    from backends.rope.biases import alibi_slopes

    strengths = tuple(sorted({0.0, 0.25, 0.5, 1.0, 2.0, 4.0, params.strength}))
    nats = tuple(loss(params.text, s) for s in strengths)
    slopes = tuple(params.strength * s for s in alibi_slopes(4).tolist())
    own = shelf.load("softmax").trace(shelf.tokens(params.text)).loss.mean().item()
    yield Losses(strengths, nats, params.strength, slopes), "", (
        check("no bias is the model itself", abs(nats[0] - own), 1e-4, "difference to its own forward pass, nats"),)


VIEWS = {"loss": _loss}
'''
FIGURES = '''"""What the ALiBi tab draws."""

from ui.core.tab import Table
from ui.parts import plots


def loss(body):
    """Loss against the bias's strength."""
    figure = plots.figure("strength of the bias", "nats per byte")
    plots.line(figure, body.strengths, body.nats, "with the bias", 0)
    return figure


def table(body):
    """One row for each strength."""
    return Table(("strength", "nats per byte"), tuple(zip(body.strengths, body.nats, strict=True)))


def words(params, body):
    """The loss at the chosen strength."""
    now, before = body.nats[body.strengths.index(body.chosen)], body.nats[0]
    return f"At {body.chosen:g} the loss is {now:.3f} nats per byte, without a bias {before:.3f}."


FIGURES, TABLES, WORDS = {"loss": loss}, {"loss": table}, {"loss": words}
'''
ROOM = '''"""The ALiBi tab: a distance penalty on a model that was trained without one."""

from ui.core.tab import Preset, Source, Tab, views
from ui.tabs.alibi import figures
from ui.tabs.alibi.mechanism import AlibiParams, answer


def _worse(result):
    return result.body.nats[-1] > result.body.nats[0] + 0.05


TAB = Tab(
    slug="alibi", title="ALiBi", question="What does a distance penalty do to a model that never saw one?",
    params=AlibiParams,
    run=answer, views=views({"loss": "Loss against strength"}, figures),
    presets=(Preset("A strong penalty hurts", AlibiParams(strength=4.0),
                    "Four times ALiBi's slopes cost over 0.05 nats.", _worse),),
    sources=(Source("text", "text", "Text from a file", most=2000),),
)
'''
ENGLISH = "**A bias.** ALiBi takes m (i - j) off each score.\n\n### What to look at\n\n1. Move the strength.\n"
CHINESE = "**偏置。** ALiBi 从每个得分中减去 m (i - j)。\n\n### 看什么\n\n1. 移动强度。\n"
CATALOGUE = '''{"ALiBi": null,
"What does a distance penalty do to a model that never saw one?": "距离惩罚对从未见过它的模型有何影响？",
"Loss against strength": "损失与强度", "A strong penalty hurts": "强惩罚有害",
"Four times ALiBi's slopes cost over 0.05 nats.": "四倍斜率的代价超过 0.05 nat。",
"Text": "文本", "read by the byte model": "由字节模型读取",
"Strength": "强度",
"of the bias; 0 is the model as trained": "偏置强度；0 为原模型",
"strength": "强度", "strength of the bias": "偏置强度", "with the bias": "有偏置",
"no bias is the model itself": "无偏置即模型本身",
"difference to its own forward pass, nats": "与其自身前向计算之差，nat",
"At {} the loss is {} nats per byte, without a bias {}.": "强度 {1} 时损失每字节 {2} nat，无偏置时 {3}。"}
'''
FILES = {"__init__.py": ROOM, "mechanism.py": MECHANISM, "figures.py": FIGURES, "explain.md": ENGLISH,
         "explain.zh.md": CHINESE, "zh.json": CATALOGUE}
