// Bilinear reading and the sum over taps, as backends.deform works them out, so that a dragged tap is answered at once; points and maps
// as they travel (figures.py).
import { pixels } from '../../js/board.js';
import { floats } from '../../js/maps.js';

export function around([y, x], [rows, columns]) {
  const top = Math.floor(y), left = Math.floor(x);
  return [[0, 0], [0, 1], [1, 0], [1, 1]].map(([a, b]) => ({
    row: top + a, column: left + b, weight: (a ? y - top : 1 - (y - top)) * (b ? x - left : 1 - (x - left)),
    inside: top + a >= 0 && top + a < rows && left + b >= 0 && left + b < columns,
  }));
}

export function read({ scene, rgb }, at) {
  const value = [0, 0, 0];
  for (const one of around(at, [scene.rows, scene.columns])) {
    if (one.inside) for (let c = 0; c < 3; c += 1) value[c] += one.weight * rgb[3 * (one.row * scene.columns + one.column) + c] / 255;
  }
  return value;
}

export const total = (points) => [0, 1, 2].map((c) => points.reduce((sum, p) => sum + p.weight * p.value[c], 0));

const SHARES = {
  dcn1: (raw) => raw.map(() => 1),
  dcn2: (raw) => raw.map((v) => 1 / (1 + Math.exp(-v))),
  dcn3: (raw) => { const e = raw.map((v) => Math.exp(v - Math.max(...raw))); const sum = e.reduce((a, b) => a + b); return e.map((v) => v / sum); },
  dcn4: (raw) => raw.map(Number),
};
const UNROLLED = ['dcn3', 'dcn4'];         // no kernel, and the offset scale

export function reweigh({ operator, points, raw }) {
  const share = SHARES[operator](raw);
  points.forEach((p, k) => { p.weight = UNROLLED.includes(operator) ? share[k] : p.kernel * share[k]; p.share = share[k]; });
}

// ten numbers for each point -> points
export function unpacked({ packed, names }) {
  const v = floats(packed);
  return Array.from({ length: v.length / 10 }, (_, k) => {
    const [y, x, gy, gx, weight, share, r, g, b, group] = v.subarray(10 * k, 10 * k + 10);
    return { name: names[k] || `key ${k}`, at: [y, x], ghost: [gy, gx], weight, share, value: [r, g, b], group, kernel: share ? weight / share : 0 };
  });
}

// offsets of nine taps in cells, as the settings hold them
export function offsets({ points, start, dilation, scale, operator }) {
  const by = UNROLLED.includes(operator) ? scale : 1;
  return points.map((p, k) => [Math.floor(k / 3) - 1, (k % 3) - 1].map((step, axis) =>
    Math.round(1000 * ((p.at[axis] - start[axis]) / by - step * dilation)) / 1000));
}

// a group's own map: means over squares of 2^group cells of the map that is drawn
export function level(rgb, columns, rows, [high, wide], group) {
  const step = 2 ** group;
  return pixels(high, wide, (k) => {
    const [top, left] = [Math.floor(k / wide) * step, (k % wide) * step];
    const sum = [0, 0, 0];
    let count = 0;
    for (let r = top; r < Math.min(rows, top + step); r += 1) {
      for (let c = left; c < Math.min(columns, left + step); c += 1, count += 1) sum.forEach((_, i) => { sum[i] += rgb[3 * (r * columns + c) + i]; });
    }
    return sum.map((v) => Math.round(v / count));
  });
}
