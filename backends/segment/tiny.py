"""The shipped promptable model `tiny`: SAM's interface, a small convolutional encoder, and a decoder that is given
*where* the click is.

Kirillov et al., "Segment Anything" (arXiv 2304.02643) define the three parts and the contract kept here, so
`segment_anything.SamPredictor` runs this model unchanged. What differs, and why: SAM's decoder learns to find the click
through cross-attention, which takes far more pictures than a laptop can render. This decoder gets the place as maps:

* discs at the clicks, a filled box, the previous mask logits;
* similarity of every cell with the feature under the clicks (several heads, the click as the query);
* geodesic distance from the clicks, along paths that pay for crossing predicted boundaries (Wang et al., "DeepIGeoS",
  arXiv 1707.00652, use geodesic maps as prompts; here the cost is learned, the boundary head is supervised).

At inference the picture is looked at twice, at full size and at 9/16 of it (a coarse view groups better, a fine one has
the outline): the coarse answer prompts the fine pass, and the logits of both are added for the single answer.

Letters: b prompts, m pictures, c channels, g cells per side (stride 8), n points of a prompt, k cost channels, s
similarity heads.  Coordinates are (x, y) in the padded input frame, 0 .. img_size.
"""
import timm
import torch
import torch.nn.functional as F
from segment_anything.modeling import Sam
from torch import Tensor, nn

from backends.device import HOST
from backends.segment.geodesic import geodesic

IMG_SIZE = 512
STRIDE = 8                     # of the embedding; masks come out at stride 4
FEAT8, FEAT4, HEADS, HEAD_DIM = 64, 24, 8, 8
COSTS = ((0.01, 1.5), (0.02, 6.0), (0.08, 3.0))   # (price per cell, price of a certain boundary) of each geodesic map
COARSE = 9 / 16               # side of the coarse view; chosen, like the sum of both logits, on development photographs
BACKGROUND, FOREGROUND, CORNER0, CORNER1 = 0, 1, 2, 3   # point labels, as in SAM's prompt encoder; -1 is padding


def conv_block(cin: int, cout: int, kernel: int = 3, dilation: int = 1) -> nn.Sequential:
    """Convolution that keeps the size, batch norm, ReLU: (b, cin, h, w) -> (b, cout, h, w)."""
    conv = nn.Conv2d(cin, cout, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(cout), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """x + conv(relu(bn(conv(x)))), 3x3, one dilation for both."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.inner = conv_block(width, width, 3, dilation)
        self.outer = nn.Sequential(nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False),
                                   nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.outer(self.inner(x)))


class TinyEncoder(nn.Module):
    """EfficientNet-Lite0 (timm, arXiv 1905.11946) with a top-down pyramid.

    `features`: (m, 3, H, W) normalised picture -> (m, C, H/8, W/8), the channels of `split`: everything that a click
    needs later.  `forward`: the same of the full picture and, padded to its size, of the coarse view: (m, 2C, H/8,
    W/8).
    """

    def __init__(self, img_size: int = IMG_SIZE, backbone: str = "tf_efficientnet_lite0"):
        super().__init__()
        self.img_size = img_size
        self.backbone = timm.create_model(backbone, features_only=True, pretrained=False, out_indices=(1, 2, 3, 4))
        c4, c8, c16, c32 = self.backbone.feature_info.channels()
        self.context = nn.Sequential(conv_block(c32, 128, 1), Residual(128, 2))
        self.lateral16, self.lateral8, self.lateral4 = (conv_block(c16, 128, 1), conv_block(c8, 96, 1),
                                                        conv_block(c4, 32, 1))
        self.merge16, self.merge8 = conv_block(128, 128), conv_block(128 + 96, 96)
        self.feat8, self.feat4 = nn.Conv2d(96, FEAT8, 1), nn.Sequential(conv_block(128, 32), nn.Conv2d(32, FEAT4, 1))
        self.similarity, self.boundary = nn.Conv2d(96, HEADS * HEAD_DIM, 1), nn.Conv2d(96 + FEAT4 * 4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.features(x), self.coarse(x)], 1)

    def coarse(self, x: Tensor) -> Tensor:
        """The coarse view of a picture, padded to the size of the full one: (m, C, H/8, W/8)."""
        g = x.shape[-1] // STRIDE
        side = coarse_side(g)
        small = F.interpolate(x, (side * STRIDE, side * STRIDE), mode="bilinear", align_corners=False, antialias=True)
        return F.pad(self.features(small), (0, g - side) * 2)

    def features(self, x: Tensor) -> Tensor:
        """One view."""
        f4, f8, f16, f32 = self.backbone(x)
        p16 = self.merge16(up(self.context(f32)) + self.lateral16(f16))
        p8 = self.merge8(torch.cat([up(p16), self.lateral8(f8)], 1))
        fine = F.pixel_unshuffle(self.feat4(torch.cat([up(p8), self.lateral4(f4)], 1)), 2)
        return torch.cat([self.feat8(p8), fine, self.similarity(p8),
                          self.boundary(torch.cat([p8, fine], 1))], 1).float()


def coarse_side(g: int) -> int:
    """Cells per side of the coarse view of a picture with g cells per side, a multiple of 4 as the encoder needs."""
    return 4 * round(g * COARSE / 4)


def up(x: Tensor) -> Tensor:
    """(b, c, h, w) -> (b, c, 2h, 2w), bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def split(embedding: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(m, C, g, g) -> stride-8 features (m, 64, g, g), stride-4 features (m, 24, 2g, 2g), similarity keys (m, s, d, g,
    g) of unit length, boundary logits (m, 1, g, g)."""
    feat8, fine, keys, boundary = embedding.split([FEAT8, FEAT4 * 4, HEADS * HEAD_DIM, 1], 1)
    keys = F.normalize(keys.unflatten(1, (HEADS, HEAD_DIM)), dim=2)
    return feat8, F.pixel_shuffle(fine, 2), keys, boundary


class TinyPromptEncoder(nn.Module):
    """Keeps SAM's signature, passes prompts on as geometry: sparse (b, n, 3) rows (x, y, label), dense (b, 2, 2g, 2g)
    logits and flag."""

    def __init__(self, img_size: int = IMG_SIZE):
        super().__init__()
        self.input_image_size = (img_size, img_size)
        self.image_embedding_size = (img_size // STRIDE, img_size // STRIDE)
        self.mask_input_size = (img_size // 4, img_size // 4)

    def get_dense_pe(self) -> Tensor:
        """SAM's decoder wants a positional code; this one works with geometry: empty, (1, 0, g, g), and unread."""
        return torch.zeros(1, 0, *self.image_embedding_size, device=HOST)

    def forward(self, points, boxes, masks) -> tuple[Tensor, Tensor]:
        """points (coords (b, n, 2), labels (b, n)) or None, boxes (b, 4) xyxy or None, masks (b, 1, 2g, 2g) logits or
        None."""
        rows = []
        if points is not None:
            rows.append(torch.cat([points[0].float(), points[1].float().unsqueeze(-1)], -1))
        if boxes is not None:
            corners = boxes.float().reshape(-1, 2, 2)
            labels = torch.tensor([CORNER0, CORNER1],
                                  device=corners.device).float().expand(len(corners), 2).unsqueeze(-1)
            rows.append(torch.cat([corners, labels], -1))
        if not rows:
            rows.append(torch.zeros(len(masks), 0, 3, device=masks.device))
        sparse = torch.cat(rows, 1)
        if masks is None:
            return sparse, sparse.new_zeros(len(sparse), 2, *self.mask_input_size)
        return sparse, as_prompt(masks.float())


class TinyMaskDecoder(nn.Module):
    """Image embedding + prompt geometry -> four masks (0: the single answer; 1, 2, 3: part, object, group) and their
    predicted IoU."""

    def __init__(self, width: int = 64, fine: int = 32):
        super().__init__()
        maps = len(COSTS) * 2 + HEADS * 2 + 5 + 2
        self.image_in, self.prompt_in = nn.Conv2d(FEAT8, width, 1), nn.Conv2d(maps, width, 1)
        self.under_click = nn.Linear(FEAT8, width)
        self.trunk = nn.Sequential(*[Residual(width, d) for d in (1, 2, 4, 1)])
        self.refine = nn.Sequential(conv_block(width // 2 + FEAT4 + 5, fine), conv_block(fine, fine))
        self.narrow = nn.Conv2d(width, width // 2, 1)
        self.masks = nn.Conv2d(fine, 4, 1)
        self.iou = nn.Sequential(nn.Linear(width * 2 + 5, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
                                 nn.Linear(64, 4))

    def forward(self, image_embeddings: Tensor, image_pe: Tensor, sparse_prompt_embeddings: Tensor,
                dense_prompt_embeddings: Tensor,
                multimask_output: bool) -> tuple[Tensor, Tensor]:
        """image_embeddings (m, 2C, g, g) with m = 1, or m dividing b: prompts are then grouped by picture.

        Returns logits (b, 3 or 1, 2g, 2g) and predicted IoU (b, 3 or 1).  The first mask is the single answer; with
        `multimask_output` two of part, object and group follow, in this order: the one that is most like the single
        answer is left out.
        """
        fine, coarse = image_embeddings.chunk(2, 1)
        sparse, dense = sparse_prompt_embeddings, dense_prompt_embeddings
        masks, rating = self.refined(fine, self.coarse_guess(coarse, sparse, dense), sparse, dense)
        if not multimask_output:
            return masks[:, :1], rating[:, :1]
        others = further(masks)
        return (torch.gather(masks, 1, others[..., None, None].expand(-1, -1, *masks.shape[2:])),
                torch.gather(rating, 1, others))

    def refined(self, fine: Tensor, guess: Tensor, sparse: Tensor, dense: Tensor) -> tuple[Tensor, Tensor]:
        """All four masks and their predicted IoU in the full view; the guess (b, 1, 2g, 2g) is the mask prompt where
        there is no other, and is added to the single answer."""
        masks, iou = self.predict_all(fine, sparse, torch.where(dense[:, 1:] > 0, dense, as_prompt(guess)))
        return torch.cat([masks[:, :1] + guess, masks[:, 1:]], 1), iou

    def coarse_guess(self, coarse: Tensor, sparse: Tensor, dense: Tensor) -> Tensor:
        """Logits (b, 1, 2g, 2g) of the single answer in the coarse view."""
        g = coarse.shape[-1]
        side = coarse_side(g)
        view = coarse[..., :side, :side]
        near = torch.cat([sparse[..., :2] * (side / g), sparse[..., 2:]], -1)
        masks, _ = self.predict_all(view, near,
                                    F.interpolate(dense, (2 * side, 2 * side), mode="bilinear", align_corners=False))
        return F.interpolate(masks[:, :1], (2 * g, 2 * g), mode="bilinear", align_corners=False)

    def predict_all(self, embedding: Tensor, sparse: Tensor, dense: Tensor) -> tuple[Tensor, Tensor]:
        """All four masks (b, 4, 2g, 2g) and predicted IoU (b, 4)."""
        each = len(sparse) // len(embedding)
        feat8, feat4, keys, boundary = split(embedding)
        prompt, clicked, fine_maps = prompt_maps(feat8, keys, boundary, sparse, dense, each)
        x = repeat(self.image_in(feat8), each) + self.prompt_in(prompt) + self.under_click(clicked)[..., None, None]
        h = self.trunk(F.relu(x).contiguous(memory_format=torch.channels_last))
        detail = torch.cat([up(self.narrow(h)), repeat(feat4, each), fine_maps],
                           1).contiguous(memory_format=torch.channels_last)
        masks = self.masks(self.refine(detail)).float()
        return masks, self.rate(h, masks.detach(), repeat(boundary, each))

    def rate(self, h: Tensor, masks: Tensor, boundary: Tensor) -> Tensor:
        """Predicted IoU (b, 4) from features inside and outside of mask i, its size, its stability and the boundary
        under its outline."""
        inside = F.avg_pool2d(masks.sigmoid(), 2)                                    # b 4 g g
        area = inside.mean((2, 3), keepdim=True)
        mean_in = torch.einsum("bcxy,bixy->bic", h, inside / (area + 1e-4)) / inside[0, 0].numel()
        mean_out = torch.einsum("bcxy,bixy->bic", h, (1 - inside) / (1 - area + 1e-4)) / inside[0, 0].numel()
        rim = inside * (1 - inside)
        on_edge = (rim * boundary.sigmoid()).sum((2, 3)) / (rim.sum((2, 3)) + 1e-4)
        stable = (masks > 1).sum((2, 3)) / (masks > -1).sum((2, 3)).clamp(min=1)
        numbers = torch.stack([area.flatten(1), area.flatten(1).sqrt(), on_edge, stable,
                               rim.mean((2, 3)) / (area.flatten(1) + 1e-3)], -1)
        # b 4 4: one output unit per mask role
        all_four = self.iou(torch.cat([mean_in, mean_out, numbers], -1).float())
        return all_four.diagonal(dim1=1, dim2=2).sigmoid()


def further(masks: Tensor) -> Tensor:
    """Indices (b, 3) of the single answer and of the two of the other three masks that are less like it, masks (b, 4,
    h, w)."""
    on = masks > 0
    alike = (on[:, 1:] & on[:, :1]).sum((2, 3)) / (on[:, 1:] | on[:, :1]).sum((2, 3)).clamp(min=1)
    kept = 1 + alike.argsort(1)[:, :2].sort(1).values
    return torch.cat([torch.zeros_like(kept[:, :1]), kept], 1)


def as_prompt(logits: Tensor) -> Tensor:
    """Mask logits (b, 1, h, w) -> dense prompt (b, 2, h, w): logits clamped to [-10, 10] and divided by 10, and the
    flag 'there is one'."""
    return torch.cat([logits.clamp(-10, 10) / 10, torch.ones_like(logits)], 1)


def repeat(x: Tensor, each: int) -> Tensor:
    """(m, ...) -> (m x each, ...): every picture's tensor, once for each of its prompts."""
    return x if each == 1 else x.repeat_interleave(each, 0)


def discs(sparse: Tensor, label: int, size: int, radius: float) -> Tensor:
    """(b, 1, size, size) map in [0, 1]: 1 at clicks of this label, falling linearly to 0 at `radius` cells; sparse xy
    in cells."""
    grid = torch.arange(size, device=sparse.device) + 0.5
    dx, dy = grid - sparse[..., 0:1], grid - sparse[..., 1:2]                        # b n size
    far = (dx[:, :, None, :].square() + dy[:, :, :, None].square()).sqrt() / radius
    near = (1 - far).clamp(min=0) * (sparse[..., 2] == label)[..., None, None]
    return near.amax(1, keepdim=True) if sparse.shape[1] else near.new_zeros(len(sparse), 1, size, size)


def box_map(sparse: Tensor, size: int) -> Tensor:
    """(b, 1, size, size): 1 inside the box of corner labels 2 and 3, 0 outside or without a box; sparse xy in cells."""
    grid = torch.arange(size, device=sparse.device) + 0.5
    first, second = sparse[..., 2] == CORNER0, sparse[..., 2] == CORNER1
    low = torch.where(first[..., None], sparse[..., :2], torch.inf).amin(1)          # b 2
    high = torch.where(second[..., None], sparse[..., :2], -torch.inf).amax(1)
    across = (grid >= low[:, None, 0, None]) & (grid <= high[:, None, 0, None])      # b 1 size
    along = (grid >= low[:, None, 1, None]) & (grid <= high[:, None, 1, None])
    return (across[:, :, None, :] & along[:, :, :, None]).float()


def with_centre(sparse: Tensor) -> Tensor:
    """Adds the centre of a box as one more row, label 1 where there is no other click to start from, else -1."""
    corners = (sparse[..., 2] >= CORNER0).float()
    centre = (sparse[..., :2] * corners[..., None]).sum(1) / corners.sum(1, keepdim=True).clamp(min=1)
    lonely = (corners.sum(1) > 0) & ~(sparse[..., 2] == FOREGROUND).any(1)
    label = torch.where(lonely, float(FOREGROUND), -1.0)
    return torch.cat([sparse, torch.cat([centre, label[:, None]], 1)[:, None]], 1)


def prompt_maps(feat8: Tensor, keys: Tensor, boundary: Tensor, sparse: Tensor, dense: Tensor,
                each: int) -> tuple[Tensor, Tensor, Tensor]:
    """All that is known about the prompt: maps (b, P, g, g), mean feature under the positive clicks (b, 64), fine maps
    (b, 5, 2g, 2g)."""
    g = feat8.shape[-1]
    cells = torch.cat([sparse[..., :2] / STRIDE, sparse[..., 2:]], -1)
    started = with_centre(cells)
    with torch.no_grad():
        edge = boundary.sigmoid()
        cost = repeat(torch.cat([price + wall * edge for price, wall in COSTS], 1), each)
        near = [(-geodesic(cost, cell_mask(started, sign, g))).exp() for sign in (FOREGROUND, BACKGROUND)]
        places = [discs(cells, FOREGROUND, g, 2.0), discs(cells, BACKGROUND, g, 2.0), box_map(cells, g),
                  discs(started, FOREGROUND, g, g / 2.0), discs(started, BACKGROUND, g, g / 2.0)]
        double = torch.cat([cells[..., :2] * 2, cells[..., 2:]], -1)
        fine = torch.cat([discs(double, FOREGROUND, 2 * g, 2.5), discs(double, BACKGROUND, 2 * g, 2.5),
                          box_map(double, 2 * g), dense], 1)
    alike, clicked = similar(feat8, keys, started, each)
    return torch.cat([*near, *alike, *places, F.avg_pool2d(dense, 2)], 1), clicked, fine


def cell_mask(cells: Tensor, label: int, g: int) -> Tensor:
    """(b, 1, g, g) bool: the cells that hold a click of this label."""
    mask = torch.zeros(len(cells), g * g, device=cells.device)
    xy = cells[..., :2].long().clamp(0, g - 1)
    mask.scatter_reduce_(1, xy[..., 1] * g + xy[..., 0], (cells[..., 2] == label).float(), "amax")
    return mask.view(-1, 1, g, g) > 0


def similar(feat8: Tensor, keys: Tensor, cells: Tensor, each: int) -> tuple[list[Tensor], Tensor]:
    """Cosine of every cell with the cells under the clicks, best over the clicks of one sign: two maps (b, s, g, g),
    and the mean stride-8 feature under the positive clicks (b, 64)."""
    g, m, n = feat8.shape[-1], len(feat8), cells.shape[1]
    xy = cells[..., :2].long().clamp(0, g - 1)
    at = (xy[..., 1] * g + xy[..., 0]).view(m, each * n)                             # m (each n)
    flat = keys.flatten(3)                                                           # m s d (g g)
    query = flat.gather(3, at[:, None, None].expand(-1, HEADS, HEAD_DIM, -1))
    cosine = torch.einsum("msdq,msdp->mqsp", query, flat).reshape(m * each, n, HEADS, g, g)
    maps = []
    for sign in (FOREGROUND, BACKGROUND):
        mine = (cells[..., 2] == sign)[..., None, None, None]
        maps.append(torch.where(mine, cosine, -1.0).amax(1))
    under = feat8.flatten(2).gather(2, at[:, None].expand(-1, FEAT8, -1)).view(m, FEAT8, each, n)
    under = under.permute(0, 2, 3, 1).reshape(m * each, n, FEAT8)
    positive = (cells[..., 2] == FOREGROUND).float()[..., None]
    return maps, (under * positive).sum(1) / positive.sum(1).clamp(min=1)


def build_tiny(img_size: int = IMG_SIZE, backbone: str = "tf_efficientnet_lite0") -> Sam:
    """A `segment_anything.modeling.Sam` with the tiny parts, random weights; load `weights/segment-tiny.safetensors`
    into it."""
    return Sam(TinyEncoder(img_size, backbone), TinyPromptEncoder(img_size), TinyMaskDecoder()).eval()
