"""The mechanisms and models behind the page: plain torch and numpy, nothing about widgets.

A mechanism is a pure function `run(params, inputs) -> Result` of frozen dataclasses; results declare their axes and carry `checks`,
the invariants evaluated on this very input (`backends.shapes`).

Axis letters, the same everywhere; attention tensors are ordered `b h n d`:

    b batch or prompts      h heads (H: picture height)      n tokens or points      d width of a head
    c channels              H W picture, pixels              g side of a feature grid, cells
    m masks or pictures     k mixture or kernel index

Coordinates are (x, y) in pixels, x to the right, y down; boxes are x0, y0, x1, y1 with x0 <= x1 and y0 <= y1.
"""
