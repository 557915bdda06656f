/* Bilinear reading and the sum over taps, as backends.deform works them out, so that a dragged tap is answered at once; points and maps as
   they travel (ui/figures/deformable.py). */
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

  // ten numbers for each point -> points
  function points({ packed, names }) {
    const v = glassbox.maps.floats(packed);
    return Array.from({ length: v.length / 10 }, (_, k) => {
      const [y, x, gy, gx, weight, share, r, g, b, group] = v.subarray(10 * k, 10 * k + 10);
      return { name: names[k] || `key ${k}`, at: [y, x], ghost: [gy, gx], weight, share, value: [r, g, b], group };
    });
  }

  // a group's own map, one pixel for each cell: means over squares of 2^group cells of the map that is drawn
  function level(rgb, columns, rows, [high, wide], group) {
    const canvas = Object.assign(document.createElement('canvas'), { width: wide, height: high });
    const data = new ImageData(wide, high);
    const step = 2 ** group;
    for (let i = 0; i < high * wide; i += 1) {
      const [top, left] = [Math.floor(i / wide) * step, (i % wide) * step];
      const sum = [0, 0, 0];
      let count = 0;
      for (let r = top; r < Math.min(rows, top + step); r += 1) {
        for (let c = left; c < Math.min(columns, left + step); c += 1, count += 1) sum.forEach((_, k) => { sum[k] += rgb[3 * (r * columns + c) + k]; });
      }
      data.data.set([...sum.map((v) => Math.round(v / count)), 255], 4 * i);
    }
    canvas.getContext('2d').putImageData(data, 0, 0);
    return canvas;
  }

  // shows the fields that the canvas writes: place, offsets and modulations as numbers, to type or to paste
  function exact(root) {
    const page = root.closest('.gb-tab-deformable');
    const button = glassbox.board.button('Exact numbers', '精确数值', () => {
      page.toggleAttribute('data-exact');
      button.setAttribute('aria-pressed', page.hasAttribute('data-exact'));
    });
    button.setAttribute('aria-pressed', page.hasAttribute('data-exact'));
    return button;
  }

  glassbox.reading = { exact, points, level, around, read, total, reweigh };
})();
