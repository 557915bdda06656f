"""One table of this machine's times beside those of others: `python -m benchmarks.peers`, best while nothing else runs.

    --parts tiny,vit_b,model,attention,page     some of it; --quick: one round of small sizes, to see that it runs

tiny          a picture's embedding, a click and everything mode against segment_anything with the same module
vit_b         the first two against segment_anything's own network, with the same random weights; the times do not
              depend on them, but everything mode does and is left out
model         tokens a second of the curve on a real model (`backends.rope`) against one forward of transformers with
              its own attention ("sdpa"): a Llama with random weights; the losses of both are compared
attention     every kind's output against scalar loops in float64, those of the tests
page          from the command to an answer, from the address to the first picture, and the bytes of a first visit

Both sides of a line run in turn, in one process, after one run that does not count; medians. A line without a peer has
none.
"""
import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.encoder import POINT, random_sam, timed


class Row(NamedTuple):
    """One line: `better` says whether less or more is; `peer` is empty where there is none."""

    what: str
    unit: str
    here: float
    there: float | None = None
    peer: str = ""
    better: str = "less"

    @property
    def ratio(self) -> str:
        """How many times better than the peer."""
        if self.there is None:
            return ""
        return f"{self.there / self.here if self.better == 'less' else self.here / self.there:.3g}"


def in_turn(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Median seconds of both, run one after the other."""
    both = [(timed(ours)[0], timed(theirs)[0]) for _ in range(rounds + 1)][1:]
    return statistics.median(a for a, _ in both), statistics.median(b for _, b in both)


def segmented(segmenter: Any, peer: torch.nn.Module, name: str, rounds: int) -> Iterator[Row]:
    """Embedding and click against SamPredictor on a network with the same weights."""
    from segment_anything import SamPredictor

    from backends import images

    image, predictor = images.sample("chelsea"), SamPredictor(peer)
    key = (segmenter.name, segmenter.digest, "peers")
    embed = in_turn(lambda: segmenter.encode(image, key), lambda: predictor.set_image(image), rounds)
    yield Row(f"{name}: embed", "ms", *(1e3 * s for s in embed), "segment_anything")
    e = segmenter.encode(image, key)
    click = in_turn(lambda: segmenter.predict(e, *POINT), lambda: predictor.predict(*POINT), 3 * rounds)
    yield Row(f"{name}: click", "ms", *(1e3 * s for s in click), "segment_anything")


def tiny(rounds: int, quick: bool) -> Iterator[Row]:
    """The shipped model; everything mode with the settings that suit it, as the page has it and without leaving out
    what is covered."""
    from segment_anything import SamAutomaticMaskGenerator

    from backends import images
    from backends.segment import Segmenter

    segmenter, image = Segmenter("tiny"), images.sample("chelsea")
    yield from segmented(segmenter, segmenter.sam, "tiny", rounds)
    side = 3 if quick else 12
    given = {"points_per_side": side, "points_per_batch": 16, "pred_iou_thresh": 0.35, "stability_score_thresh": 0.55}
    stock = SamAutomaticMaskGenerator(segmenter.sam, output_mode="uncompressed_rle", **given)
    for covered in (True, False):
        found = in_turn(lambda skip=covered: [*segmenter.everything(image, skip_covered=skip, **given)],
                        lambda: stock.generate(image), 1 if quick else rounds // 2)
        said = f"{side} x {side} points" + ("" if covered else ", every point clicked")
        yield Row(f"tiny: everything, {said}", "ms", *(1e3 * s for s in found), "segment_anything")


def vit_b(rounds: int, quick: bool) -> Iterator[Row]:
    """SAM's ViT-B from weights in the official format."""
    from backends.segment import Segmenter
    from backends.segment.models import assemble

    own = random_sam()
    made = Segmenter.of(assemble("vit_b", own.state_dict()), "vit_b", "random")
    yield from segmented(made, own, "vit_b, random weights", rounds if quick else max(1, rounds // 2))


def model(rounds: int, quick: bool) -> Iterator[Row]:
    """Tokens a second through a Llama: the curve's reading, as configured and with YaRN, against one forward."""
    from torch.nn.functional import cross_entropy
    from transformers import AutoModelForCausalLM

    from backends import checkpoints
    from backends.rope.real import all_losses, setup
    from tests.families import written

    n, wide = (200, 64) if quick else (4096, 576)
    sizes = {"hidden_size": wide, "intermediate_size": 2 * wide, "num_hidden_layers": 2 if quick else 8,
             "num_attention_heads": 8, "head_dim": wide // 8, "max_position_embeddings": n, "initializer_range": 0.02}
    with tempfile.TemporaryDirectory() as folder:
        where = written(Path(folder), "llama", **sizes)
        chosen = setup(checkpoints.load(where))
        network = AutoModelForCausalLM.from_pretrained(where, attn_implementation="sdpa").eval()
    tokens = torch.randint(3, 96, (n + 1,), generator=torch.Generator().manual_seed(0))

    @torch.no_grad()
    def forward() -> torch.Tensor:
        return cross_entropy(network(tokens[None, :-1]).logits[0].float(), tokens[1:], reduction="none")

    gap = float((all_losses(chosen, tokens, "configured")[0] - forward()).abs().max())
    for name, said in (("configured", f"as configured (losses differ by {gap:.0e})"), ("yarn_hf", "with YaRN")):
        found = in_turn(lambda name=name: all_losses(chosen, tokens, name), forward, rounds)
        yield Row(f"Llama of {wide} channels, {n} tokens {said}", "tokens/s", *(n / s for s in found), "transformers",
                  "more")


def attention(rounds: int, quick: bool) -> Iterator[Row]:
    """Every kind on the same q, k, v of four heads against loops."""
    from backends.attention import compare
    from backends.attention.params import KINDS
    from tests.backends.attention.test_kinds import drawn, oracle

    n = 16 if quick else 64
    for kind, about in KINDS.items():
        p, q, k, v = drawn(n, dim=16, window=8, block=8)
        found = in_turn(lambda: compare.output(kind, q, k, v, p),                                        # noqa: B023
                        lambda: [oracle(kind, p, q, k, v, h) @ v[h].double() for h in range(4)], 1)      # noqa: B023
        yield Row(f"{about.label}, {n} tokens", "ms", *(1e3 * s for s in found), "scalar loops")


def page(rounds: int, quick: bool) -> Iterator[Row]:
    """The page, which has no peer."""
    from benchmarks.page import measure

    found = measure()
    yield Row("the command to the first answer", "s", found["start_s"])
    for visit, said in (("first", "the first visit"), ("warm", "the second visit")):
        yield Row(f"{said}: address to picture", "s", found[visit]["seconds"])
    yield Row("the first visit: over the wire", "kB", found["first"]["kB"])
    yield Row("the page's HTML, packed", "kB", found["html_packed_kB"])


PARTS: dict[str, Callable[[int, bool], Iterator[Row]]] = {
    one.__name__: one for one in (tiny, vit_b, model, attention, page)}


def main() -> None:
    """Command line: prints the table line by line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--parts", default=",".join(PARTS))
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--quick", action="store_true")
    a = p.parse_args()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print("| What | Unit | Here | Peer | Times better | Who |\n| --- | --- | --- | --- | --- | --- |")
    for name in a.parts.split(","):
        for row in PARTS[name](1 if a.quick else a.rounds, a.quick):
            there = "" if row.there is None else f"{row.there:.4g}"
            print(f"| {row.what} | {row.unit} | {row.here:.4g} | {there} | {row.ratio} | {row.peer} |", flush=True)


if __name__ == "__main__":
    main()
