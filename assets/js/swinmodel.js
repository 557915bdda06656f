/* The stage's face for real attention: the clicked patch on the picture, every block's part of the picture that it may look at, and the heads
   of the chosen block. Another block or head, or another patch, is asked from the server; the overlay is switched here. */
(() => {
  const look = (block, stage) => `${stage} ${block.stage + 1}·${block.block + 1}`;

  // the weights (rows, columns) of one head of a block; 0 is the mean
  function values(block, head) {
    const size = block.inside[0] * block.inside[1];
    return block.all.subarray(head * size, (head + 1) * size);
  }

  // where a block's part lies on the picture, as shares of its sides
  function part(block) {
    return { y: block.corner[0] / block.map[0], x: block.corner[1] / block.map[1], h: block.inside[0] / block.map[0], w: block.inside[1] / block.map[1] };
  }

  // one pixel for each patch: dark where little is, warm where much is
  function heat(block, head) {
    const shown = values(block, head);
    const top = glassbox.maps.largest(shown) || 1;
    const [height, width] = block.inside;
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const image = new ImageData(width, height);
    shown.forEach((v, at) => image.data.set(glassbox.board.shade(v / top), at * 4));
    canvas.getContext('2d').putImageData(image, 0, 0);
    return canvas;
  }

  // on pixels of the device, so that no seams show
  function cells(pen, block, head, x, y, w, h) {
    const [rows, columns] = block.inside;
    const [left, top, right, bottom] = [x, y, x + w, y + h].map(Math.round);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(heat(block, head), left, top, right - left, bottom - top);
    const [r, c] = [block.token[0] - block.corner[0], block.token[1] - block.corner[1]];
    glassbox.board.outline(pen, x + c * w / columns, y + r * h / rows, w / columns, h / rows, '#ffffff', 1.5);
  }

  function whole(stage) {
    const { scene, picture, parts } = stage;
    const [pen, w, h] = glassbox.board.sized(parts.whole.canvas, Math.min(2.5, Math.max(0.4, scene.aspect)));
    pen.drawImage(picture, 0, 0, w, h);
    const block = scene.blocks[scene.chosen];
    if (stage.region && scene.alike) {
      const { rows, columns } = scene.alike;
      const small = Object.assign(document.createElement('canvas'), { width: columns, height: rows });
      const brush = small.getContext('2d');
      const image = brush.createImageData(columns, rows);
      scene.alike.all.forEach((p, at) => image.data.set(p > 0.5 ? [255, 140, 0, 90] : [8, 12, 20, 200 - 140 * p], at * 4));
      brush.putImageData(image, 0, 0);
      pen.drawImage(small, 0, 0, w, h);
      const [py, px] = [scene.place[0] * h, scene.place[1] * w];
      glassbox.board.outline(pen, px - 4, py - 4, 8, 8, '#ffffff', 2);
    } else {
      const { x, y, w: pw, h: ph } = part(block);
      pen.fillStyle = 'rgba(8, 12, 20, .55)';
      for (const box of [[0, 0, w, y * h], [0, (y + ph) * h, w, h], [0, y * h, x * w, ph * h], [(x + pw) * w, y * h, w, ph * h]]) pen.fillRect(...box);
      cells(pen, block, Math.max(0, Math.min(scene.head + 1, block.figures.length - 1)), x * w, y * h, pw * w, ph * h);
      glassbox.board.outline(pen, x * w + 1, y * h + 1, pw * w - 2, ph * h - 2, '#ffd166', 2);
    }
    parts.whole.canvas.setAttribute('aria-label', `The picture; the chosen patch is row ${block.token[0]}, column ${block.token[1]} of ${block.map[0]} by ${block.map[1]}; arrow keys choose another`);
  }

  function thumb(stage, node, block, head) {
    const { picture } = stage;
    const { x, y, w, h } = part(block);
    const ratio = (w * picture.naturalWidth) / (h * picture.naturalHeight);
    const [pen, width, height] = glassbox.board.sized(node, Math.min(2.5, Math.max(0.4, ratio)));
    pen.drawImage(picture, x * picture.naturalWidth, y * picture.naturalHeight, w * picture.naturalWidth, h * picture.naturalHeight, 0, 0, width, height);
    cells(pen, block, head, 0, 0, width, height);
  }

  function card(stage, row, press, caption, chosen, block, head) {
    const { make } = glassbox.board;
    const node = make('button', 'gb-board-card');
    node.type = 'button';
    node.setAttribute('aria-pressed', chosen);
    const canvas = make('canvas', '');
    node.append(canvas, glassbox.maps.words(make('span', ''), ...caption));
    node.addEventListener('click', press);
    row.append(node);
    return () => thumb(stage, canvas, block, head);
  }

  function lists(stage) {
    const { scene, parts } = stage;
    const later = [];
    parts.blocks.replaceChildren();
    parts.heads.replaceChildren();
    scene.blocks.forEach((block, at) => {
      const moved = block.shift[0] + block.shift[1] > 0;
      const caption = [`${look(block, 'Stage')}${moved ? ', shifted' : ''}`, `${look(block, '阶段')}${moved ? '，移位' : ''}`];
      later.push(card(stage, parts.blocks, () => stage.trigger('choose', { block: at + 1 }), caption, at === scene.chosen, block, 0));
    });
    const block = scene.blocks[scene.chosen];
    block.figures.forEach((_, head) => {
      const caption = head ? [`Head ${head}`, `头 ${head}`] : ['Mean', '平均'];
      later.push(card(stage, parts.heads, () => stage.trigger('choose', { head }), caption, head === scene.head + 1, block, head));
    });
    for (const paint of later) paint();
    stage.thumbs = later;
  }

  function tell(stage) {
    const { scene } = stage;
    const { number } = glassbox.maps;
    const block = scene.blocks[scene.chosen];
    const [itself, support, padding] = block.figures[Math.min(scene.head + 1, block.figures.length - 1)];
    const where = `${block.inside[0]} × ${block.inside[1]}`;
    glassbox.board.say(stage,
      `${scene.name}, picture resized to ${scene.seen[1]} × ${scene.seen[0]} px. ${look(block, 'Block')}: map ${block.map[0]} × ${block.map[1]}, shift ${block.shift[0]}; the patch may look at ${where} patches. ${scene.head < 0 ? 'The mean of the heads' : `Head ${scene.head + 1}`} gives ${number(itself)} to itself and spreads over ${number(support)} patches in effect${padding > 0.001 ? `, ${number(padding)} goes to padding` : ''}.`,
      `${scene.name}，图片缩放为 ${scene.seen[1]} × ${scene.seen[0]} 像素。${look(block, '块')}：特征图 ${block.map[0]} × ${block.map[1]}，移位 ${block.shift[0]}；此块可看 ${where} 个图块。${scene.head < 0 ? '各头平均' : `头 ${scene.head + 1}`}给自身 ${number(itself)}，实际分布在 ${number(support)} 个图块上${padding > 0.001 ? `，${number(padding)} 给了补零` : ''}。`);
  }

  function start(stage) {
    const { panel, make, button, pointing } = glassbox.board;
    stage.parts = { whole: panel('Click a patch', '点击一个图块'), blocks: make('div', 'gb-board-cards'), heads: make('div', 'gb-board-cards') };
    stage.region = false;
    stage.switch = button('Its region, says the model', '模型认为的所属区域', () => { stage.region = !stage.region; stage.switch.setAttribute('aria-pressed', stage.region); whole(stage); });
    stage.switch.setAttribute('aria-pressed', 'false');
    const bar = make('div', 'gb-stage-buttons');
    bar.append(stage.switch);
    const side = make('div', 'gb-board-lists');
    const { words } = glassbox.maps;
    side.append(words(make('h4', ''), 'Every block, mean of its heads', '每一块，各头平均'), stage.parts.blocks, words(make('h4', ''), 'Heads of the chosen block', '所选块的各个头'), stage.parts.heads);
    const row = make('div', 'gb-board-model');
    const left = make('div', '');
    left.append(stage.parts.whole.figure, bar);
    row.append(left, side);
    stage.body.append(row);
    const { canvas } = stage.parts.whole;
    const grid = () => {
      const { map, token } = stage.scene.blocks[stage.scene.chosen];
      return { rows: map[0], columns: map[1], token, find: (event) => glassbox.maps.cell(event, canvas, ...map) };
    };
    pointing(canvas, grid, (r, c) => {
      const { map } = stage.scene.blocks[stage.scene.chosen];
      stage.trigger('pick', { y: (r + 0.5) / map[0], x: (c + 0.5) / map[1] });
    });
  }

  function draw(stage, anew) {
    const { scene } = stage;
    if (anew) {
      for (const block of scene.blocks) block.all = glassbox.board.weights(block);
      if (scene.alike) scene.alike.all = glassbox.board.weights(scene.alike);
      stage.switch.hidden = !scene.alike;
      lists(stage);
      tell(stage);
    } else for (const paint of stage.thumbs) paint();
    whole(stage);
  }

  glassbox.board.faces.model = { start, draw };
})();
