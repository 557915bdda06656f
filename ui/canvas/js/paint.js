// Drawing. invalidate() asks for one repaint at the next frame; nothing here changes the state.
let asked = false;

function invalidate() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw(); });
}

function draw() {
  const v = S.view;
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.clearRect(0, 0, canvas.width, canvas.height);
  if (!S.picture) return;
  ctx.setTransform(v.scale, 0, 0, v.scale, v.tx, v.ty);
  ctx.imageSmoothingEnabled = v.scale < 3 * ratio();
  ctx.drawImage(S.picture, 0, 0, S.width, S.height);
  ctx.imageSmoothingEnabled = false;
  const unit = ratio() / v.scale;                    // one CSS pixel in picture pixels
  if (S.regionsOn) drawRegions(unit);
  S.objects.forEach((object, i) => { if (i !== S.active) drawObject(object, unit, false); });
  if (active()) drawObject(active(), unit, true);
  if (S.drag && S.drag.box) drawBox(S.drag.box, unit, '#fff');
  if (S.cursor && document.activeElement === canvas) drawCursor(S.cursor, unit);
  part('zoom').textContent = Math.round(100 * v.scale / ratio()) + ' %';
}

function drawMask(mask, hex, alpha, unit, width) {
  ctx.globalAlpha = alpha;
  ctx.drawImage(layer(mask, hex), 0, 0, S.width, S.height);
  ctx.globalAlpha = 1;
  strokeOutline(mask, hex, unit, width);
}

function strokeOutline(mask, hex, unit, width) {
  const kx = S.width / mask.w, ky = S.height / mask.h;
  ctx.save();
  ctx.scale(kx, ky);
  ctx.lineCap = 'square';
  for (const [style, w] of [['rgba(0,0,0,.55)', width + 1.6], [hex, width]]) {
    ctx.strokeStyle = style;
    ctx.lineWidth = w * unit / kx;
    ctx.stroke(outline(mask));
  }
  ctx.restore();
}

function drawObject(object, unit, current) {
  const result = resultOf(object), previewing = current && S.preview !== null && result;
  const mask = previewing ? result.masks[S.preview] : chosenMask(object);
  if (mask) drawMask(mask, colour(object), previewing ? 0.6 : current ? 0.42 : 0.3, unit, current ? 2 : 1.3);
  if (!current) return;
  const boxes = object.steps.filter(step => step.box);
  if (boxes.length) drawBox(boxes[boxes.length - 1].box, unit, colour(object));
  object.steps.forEach((step, i) => { if (step.point) drawPoint(step.point, unit, i === object.steps.length - 1); });
}

function drawRegions(unit) {
  if (!S.regions) return;
  ctx.globalAlpha = 0.5;
  ctx.drawImage(S.regions.canvas, 0, 0, S.width, S.height);
  ctx.globalAlpha = 1;
  const record = S.records[S.hovered];
  if (record) drawMask(record.mask, '#ffffff', 0.35, unit, 2);
}

function drawBox(box, unit, style) {                 // corners are pixel indices, both inside
  const [x0, y0, x1, y1] = box, rect = [x0, y0, x1 + 1 - x0, y1 + 1 - y0];
  ctx.lineWidth = 3.5 * unit; ctx.strokeStyle = 'rgba(0,0,0,.55)'; ctx.strokeRect(...rect);
  ctx.lineWidth = 1.6 * unit; ctx.strokeStyle = style; ctx.setLineDash([6 * unit, 4 * unit]); ctx.strokeRect(...rect);
  ctx.setLineDash([]);
}

function drawPoint(point, unit, last) {              // include: blue disc with +, exclude: orange square with a bar
  const [x, y, label] = [point[0] + 0.5, point[1] + 0.5, point[2]], r = (last ? 8 : 7) * unit;
  ctx.beginPath();
  if (label) ctx.arc(x, y, r, 0, 7); else ctx.rect(x - r * 0.9, y - r * 0.9, 1.8 * r, 1.8 * r);
  ctx.lineWidth = 4 * unit; ctx.strokeStyle = 'rgba(0,0,0,.6)'; ctx.stroke();
  ctx.fillStyle = label ? '#0a63c2' : '#d55e00'; ctx.fill();
  ctx.lineWidth = 2 * unit; ctx.strokeStyle = '#fff'; ctx.stroke();
  ctx.beginPath();
  ctx.moveTo(x - r * 0.5, y); ctx.lineTo(x + r * 0.5, y);
  if (label) { ctx.moveTo(x, y - r * 0.5); ctx.lineTo(x, y + r * 0.5); }
  ctx.stroke();
}

function drawCursor(p, unit) {
  const x = p[0] + 0.5, y = p[1] + 0.5, a = 4 * unit, b = 16 * unit;
  for (const [style, width] of [['#000', 4], [S.sign ? '#7cc4ff' : '#ffb066', 2]]) {
    ctx.strokeStyle = style; ctx.lineWidth = width * unit;
    ctx.beginPath();
    ctx.moveTo(x - b, y); ctx.lineTo(x - a, y); ctx.moveTo(x + a, y); ctx.lineTo(x + b, y);
    if (S.sign) { ctx.moveTo(x, y - b); ctx.lineTo(x, y - a); ctx.moveTo(x, y + a); ctx.lineTo(x, y + b); }
    ctx.stroke();
  }
}
