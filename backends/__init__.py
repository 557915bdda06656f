"""The mechanisms and models behind the page: plain torch and numpy, nothing about widgets.

A mechanism is a pure function `answer(params, inputs) -> Result` of frozen dataclasses, the one name that its package
exports (`backends.result`); results carry `checks`, the invariants evaluated on this very input, and their tensors
declare their axes (`backends.shapes`).  Long work can be stopped (`backends.stop`).

Axis letters, the same everywhere; attention tensors are ordered `b h n d`:

    b batch or prompts      h heads (H: picture height)      n tokens or points      d width of a head
    c channels              H W picture, pixels              g side of a feature grid, cells
    m masks or pictures     k mixture or kernel index

Coordinates are (x, y) in pixels, x to the right, y down; boxes are x0, y0, x1, y1 with x0 <= x1 and y0 <= y1.
"""
