/* Bilinear reading and the sum over taps, as backends.deform works them out, so that a dragged tap is answered at once. */
(() => {
  const glassbox = (window.glassbox ||= {});

  function around([y, x], [rows, columns]) {
    const top = Math.floor(y), left = Math.floor(x);
    return [[0, 0], [0, 1], [1, 0], [1, 1]].map(([a, b]) => ({
      row: top + a, column: left + b, weight: (a ? y - top : 1 - (y - top)) * (b ? x - left : 1 - (x - left)),
      inside: top + a >= 0 && top + a < rows && left + b >= 0 && left + b < columns,
    }));
  }

  function read(stage, at) {
    const { rows, columns } = stage.scene;
    const value = [0, 0, 0];
    for (const one of around(at, [rows, columns])) {
      if (one.inside) for (let c = 0; c < 3; c += 1) value[c] += one.weight * stage.rgb[3 * (one.row * columns + one.column) + c] / 255;
    }
    return value;
  }

  function total(points) {
    return [0, 1, 2].map((c) => points.reduce((sum, p) => sum + p.weight * p.value[c], 0));
  }

  const shares = {
    dcn1: (raw) => raw.map(() => 1),
    dcn2: (raw) => raw.map((v) => 1 / (1 + Math.exp(-v))),
    dcn3: (raw) => { const e = raw.map((v) => Math.exp(v - Math.max(...raw))); const sum = e.reduce((a, b) => a + b); return e.map((v) => v / sum); },
  };

  function reweigh(stage) {
    const { operator, points, raw } = stage.scene;
    const share = shares[operator](raw);
    points.forEach((p, k) => { p.weight = operator === 'dcn3' ? share[k] : p.kernel * share[k]; p.share = share[k]; });
  }

  glassbox.reading = { around, read, total, reweigh };
})();
