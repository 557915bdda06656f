/* The RoPE tab's stages: clock faces, and maps of effective distance. Scenes are the dicts of ui/figures/rope.py; texts go through textContent. */
(() => {
  const glassbox = (window.glassbox ||= {});
  const make = (tag, className, text) => glassbox.element(tag, { className }, text);
  const STATES = {
    safe: ['✓', 'safe: every angle was trained', '安全：所有角度都训练过'],
    stretched: ['!', 'stretched: beyond the trained arc', '拉伸：超出训练过的弧'],
    squeezed: ['≈', 'squeezed: slowed down without need', '压缩：本不需要却变慢'],
  };
  const TURN = 2 * Math.PI;

  function svg(tag, attributes) {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }

  // an arc clockwise from twelve o'clock; a whole circle from one turn on
  function arc(radius, angle, className) {
    if (angle >= TURN) return svg('circle', { cx: 30, cy: 30, r: radius, class: className });
    const end = [30 + radius * Math.sin(angle), 30 - radius * Math.cos(angle)];
    const path = `M30 ${30 - radius} A${radius} ${radius} 0 ${angle > Math.PI ? 1 : 0} 1 ${end[0].toFixed(2)} ${end[1].toFixed(2)}`;
    return svg('path', { d: path, class: className });
  }

  const number = (v) => (v >= 10 ? v.toFixed(0) : v >= 1 ? v.toFixed(1) : v >= 0.005 ? v.toFixed(2) : '<0.01');

  function face(pair, { arc: tested, state }) {
    const node = make('figure', 'gb-face');
    node.dataset.state = state;
    const picture = svg('svg', { viewBox: '0 0 60 60', 'aria-hidden': 'true' });
    picture.append(svg('circle', { cx: 30, cy: 30, r: 26, class: 'gb-rim' }), svg('circle', { cx: 30, cy: 30, r: 18, class: 'gb-rim' }),
      arc(26, tested, 'gb-tested'), arc(18, pair.arc, 'gb-trained'));
    const mark = svg('text', { x: 30, y: 36, 'text-anchor': 'middle' });
    mark.textContent = STATES[state][0];
    picture.append(mark);
    const turns = `${number(pair.turns)} → ${number(tested / TURN)}`;
    const caption = make('figcaption', '', turns);
    node.title = `pair ${pair.pair}, wavelength ${number(pair.wave)} tokens: ${number(pair.turns)} turns trained, ${number(tested / TURN)} tested, ${STATES[state][1]}`;
    node.setAttribute('role', 'img');
    node.setAttribute('aria-label', node.title);
    node.append(picture, caption);
    return node;
  }

  // wavelength of every pair against the trained and the tested length, both on a logarithmic axis
  function drawWaves(root, scene) {
    const { words } = glassbox.maps;
    const width = Math.max(300, root.clientWidth || 700), height = 240, left = 46, right = 12, top = 10, bottom = 34;
    const every = scene.waves.flatMap((one) => one.wave).concat(scene.trained, scene.target);
    const low = Math.floor(Math.log10(Math.min(...every))), high = Math.ceil(Math.log10(Math.max(...every)));
    const x = (pair) => left + (pair / Math.max(1, scene.all - 1)) * (width - left - right);
    const y = (wave) => top + ((high - Math.log10(wave)) / (high - low)) * (height - top - bottom);
    const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, class: 'gb-waves', role: 'img', 'aria-label': 'wavelength of every pair, tokens a turn' });
    const text = (px, py, said, anchor, className = '') => {
      const node = svg('text', { x: px, y: py, 'text-anchor': anchor, class: className });
      node.textContent = said;
      picture.append(node);
    };
    picture.append(svg('rect', { x: left, y: top, width: width - left - right, height: Math.max(0, y(scene.trained) - top), class: 'gb-unfinished' }));
    for (let power = low; power <= high; power += 1) {
      picture.append(svg('line', { x1: left, x2: width - right, y1: y(10 ** power), y2: y(10 ** power), class: 'gb-grid' }));
      if (power >= 0 && (high - low < 9 || power % 2 === 0)) text(left - 6, y(10 ** power) + 4, power < 4 ? String(10 ** power) : `1e${power}`, 'end');
    }
    for (const one of scene.waves) {
      const points = one.wave.map((wave, pair) => `${x(pair).toFixed(1)},${y(wave).toFixed(1)}`).join(' ');
      picture.append(svg('polyline', { points, style: `stroke: ${one.colour}` }));
      if (one.wave.length <= 64) for (const point of points.split(' ')) {
        const [cx, cy] = point.split(',');
        picture.append(svg('circle', { cx, cy, r: 2.5, style: `fill: ${one.colour}` }));
      }
    }
    for (const [tokens, className] of [[scene.trained, 'gb-length'], [scene.target, 'gb-length gb-later']]) {
      picture.append(svg('line', { x1: left, x2: width - right, y1: y(tokens), y2: y(tokens), class: className }));
    }
    text(left + 6, y(scene.trained) - 5, `trained, ${scene.trained}`, 'start', 'gb-said');
    if (scene.target > scene.trained * 1.5) text(left + 6, y(scene.target) - 5, `target, ${scene.target}`, 'start', 'gb-said');
    for (const pair of new Set([0, Math.floor((scene.all - 1) / 2), scene.all - 1])) text(x(pair), height - 18, String(pair), 'middle');
    text((left + width - right) / 2, height - 3, 'pair', 'middle');
    const key = make('p', 'gb-clock-states');
    for (const one of scene.waves) {
      const entry = make('span', 'gb-state'), swatch = make('b', '', '●');
      swatch.style.color = one.colour;
      entry.append(swatch, make('span', '', one.labels.join('; ')));
      key.append(entry);
    }
    const title = words(make('h4', 'gb-waves-title'), 'Wavelength of every pair: tokens that one turn takes', '每对通道的波长：转一圈需要的符号数');
    const note = words(make('p', 'gb-note'), 'Shaded: longer than the trained length, so a pair there never completed a turn in training. Methods that change frequencies lift the curve; the others leave it alone.',
      '阴影：波长超过训练长度，那里的通道在训练中从未转满一圈。改变频率的方法把曲线抬高，其他方法不动它。');
    return [title, key, picture, note];
  }

  function drawClocks(root, scene) {
    const { words } = glassbox.maps;
    const legend = make('p', 'gb-note gb-clock-key');
    const counts = scene.all > scene.pairs.length;
    words(legend, `One clock a pair, fastest first${counts ? `; ${scene.pairs.length} of ${scene.all} are drawn` : ''}. Inner ring: the arc trained on ${scene.trained} tokens. Outer ring: the arc that ${scene.target} tokens need. Below: turns, trained → tested.`,
      `每对通道一个钟，快的在前${counts ? `（画出 ${scene.all} 对中的 ${scene.pairs.length} 对）` : ''}。内圈：训练长度 ${scene.trained} 走过的弧；外圈：长度 ${scene.target} 需要的弧。下方：圈数，训练 → 测试。`);
    const states = make('p', 'gb-clock-states');
    for (const [name, [mark, en, zh]] of Object.entries(STATES)) {
      const entry = make('span', 'gb-state');
      entry.dataset.state = name;
      entry.append(make('b', '', mark), words(make('span', ''), en, zh));
      states.append(entry);
    }
    const rows = scene.rows.map((row) => {
      const line = make('section', 'gb-clock-row');
      const faces = make('div', 'gb-faces');
      faces.append(...row.faces.map((one, k) => face(scene.pairs[k], one)));
      line.append(make('h4', '', row.label), faces);
      return line;
    });
    root.replaceChildren(legend, states, ...rows, ...drawWaves(root, scene));
    return null;
  }

  const HIDDEN = 0x30808080, LATER = 0;

  function unpack(map, count) {
    const raw = glassbox.maps.bytes(map.data), marks = glassbox.maps.bytes(map.marks);
    const levels = new Uint16Array(raw.buffer);
    const value = (at) => map.low + (levels[at] / 65535) * (map.high - map.low);
    return { map, marks, value, count };
  }

  // distances up to the trained length run through the colours once; what was never trained is hatched
  function paintMap(canvas, { map, marks, value, count }, most) {
    const values = new Float32Array(count * count);
    for (let i = 0; i < count; i += 1) for (let j = 0; j <= i; j += 1) values[i * count + j] = value((i * (i + 1)) / 2 + j);
    glassbox.maps.paint(canvas, values, count, count, { bound: most, signed: map.low < 0, triangle: true });
    const pen = canvas.getContext('2d');
    const picture = pen.getImageData(0, 0, count, count);
    const pixels = new Uint32Array(picture.data.buffer);
    for (let i = 0; i < count; i += 1) {
      for (let j = 0; j <= i; j += 1) {
        const mark = marks[(i * (i + 1)) / 2 + j];
        if (mark & 1) pixels[i * count + j] = HIDDEN;
        else if (mark & 2 && (i + j) % 4 === 0) pixels[i * count + j] = 0xff2a34d8;
      }
      for (let j = i + 1; j < count; j += 1) pixels[i * count + j] = LATER;
    }
    pen.putImageData(picture, 0, 0);
  }

  function drawDistance(root, scene) {
    const { words, number, cell } = glassbox.maps;
    const count = scene.at.length;
    const maps = scene.maps.map((map) => unpack(map, count));
    const note = make('p', 'gb-note');
    const grid = make('div', 'gb-distances');
    const farthest = Math.max(...scene.maps.filter((map) => map.unit === 'tokens').map((map) => map.high), 1);
    let at = [count - 1, 0];
    const units = { tokens: ['tokens away', '个符号之外'], bias: ['added to the logit', '加到 logit 上'], factor: ['times the score', '乘到分数上'] };
    const say = () => {
      words(note, `Query ${scene.at[at[0]]}, key ${scene.at[at[1]]}: truly ${scene.at[at[0]] - scene.at[at[1]]} tokens apart.`,
        `查询 ${scene.at[at[0]]}，键 ${scene.at[at[1]]}：实际相距 ${scene.at[at[0]] - scene.at[at[1]]} 个符号。`);
      for (const one of maps) {
        const later = at[1] > at[0], where = (at[0] * (at[0] + 1)) / 2 + at[1], mark = later ? 0 : one.marks[where];
        const [en, zh] = units[one.map.unit];
        const value = one.value(where), text = Math.abs(value) >= 100 ? String(Math.round(value)) : number(value);
        if (later) words(one.said, 'later: not seen', '在后面：看不到');
        else if (mark & 1) words(one.said, 'not kept: not seen', '未保留：看不到');
        else words(one.said, `${text} ${en}${mark & 2 ? ', never trained' : ''}`, `${text} ${zh}${mark & 2 ? '，从未训练' : ''}`);
      }
    };
    for (const one of maps) {
      const figure = make('figure', 'gb-distance'), canvas = make('canvas', '');
      one.said = make('p', 'gb-note');
      canvas.tabIndex = 0;
      canvas.setAttribute('role', 'img');
      canvas.setAttribute('aria-label', `${one.map.label}: map of queries by keys; arrow keys read it`);
      paintMap(canvas, one, one.map.unit === 'tokens' ? farthest : Math.max(Math.abs(one.map.low), Math.abs(one.map.high)));
      canvas.addEventListener('pointermove', (event) => { at = cell(event, canvas, count, count); say(); });
      canvas.addEventListener('keydown', (event) => {
        const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
        if (!step) return;
        event.preventDefault();
        at = at.map((v, k) => Math.min(count - 1, Math.max(0, v + step[k])));
        say();
      });
      figure.append(make('figcaption', '', one.map.label), canvas, one.said);
      grid.append(figure);
    }
    const key = words(make('p', 'gb-note'), `Rows are queries, columns keys, both from 0 to ${scene.n - 1}. Colours: the distance that the slowest pair feels, by the root, dark is 0, the same scale on all. Red hatching: an angle that it never had in training. Grey: earlier keys that are not looked at.`,
      `行是查询，列是键，都从 0 到 ${scene.n - 1}。颜色：最慢的一对通道感受到的距离（按平方根，深色为 0，各图同一色标）。红色斜纹：训练中从未出现的角度。灰色：不再查看的较早的键。`);
    root.replaceChildren(key, note, grid);
    say();
    return null;
  }

  Object.assign((glassbox.stages ||= {}), { clocks: drawClocks, distance: drawDistance });
})();
