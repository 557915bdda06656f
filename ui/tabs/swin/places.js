// Where the cells of a map are drawn while it is rolled, padded and cut, and what padding looks like.
// where things are drawn on a canvas: cell sizes and gaps
export function frame(stage, width, height, now, own) {
  const { map, scene } = stage;
  const gap = now.gap * Math.max(3, width / 90);
  const cw = (width - gap * (map.pw / map.mw - 1)) / (own ? scene.columns : map.pw);
  const ch = (height - gap * (map.ph / map.mh - 1)) / (own ? scene.rows : map.ph);
  return { cw, ch, x: (c) => c * cw + Math.floor(c / map.mw + 1e-6) * gap, y: (r) => r * ch + Math.floor(r / map.mh + 1e-6) * gap };
}

// (row, column) of a cell while the map is on its way; a second one where it straddles the edge
export function spots(scene, map, cell, now) {
  const home = cell.token >= 0 ? [Math.floor(cell.token / scene.columns), cell.token % scene.columns] : null;
  const whole = scene.order === 'timm' ? [scene.rows, scene.columns] : [map.ph, map.pw];
  if (!home && scene.order === 'timm') return [[cell.r, cell.c]];
  const from = home || [(cell.r + scene.shift[0]) % map.ph, (cell.c + scene.shift[1]) % map.pw];
  const at = from.map((v, k) => { const p = (v - now.roll * scene.shift[k]) % whole[k]; return p < -1e-9 ? p + whole[k] : p; });
  const found = [];
  for (const r of at[0] > whole[0] - 1 + 1e-6 ? [at[0], at[0] - whole[0]] : [at[0]]) {
    for (const c of at[1] > whole[1] - 1 + 1e-6 ? [at[1], at[1] - whole[1]] : [at[1]]) found.push([r, c]);
  }
  return found;
}

export function hatch(pen, x, y, w, h) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, w, h);
  pen.clip();
  pen.beginPath();
  for (let k = -h; k < w; k += 7) { pen.moveTo(x + k, y + h); pen.lineTo(x + k + h, y); }
  pen.lineWidth = 1;
  pen.strokeStyle = 'rgba(255, 255, 255, .35)';
  pen.stroke();
  pen.restore();
}
