/* Cards of attention maps side by side. Pointing at a cell of one map points at it on all of them; a click holds it, Escape lets go, arrow
   keys move it. Everything here happens in the browser: the server is asked for new maps only. Texts go through textContent. */
(() => {
  const glassbox = (window.glassbox ||= {});
  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const METRICS = [
    ['entropy', 'Entropy, nats', '熵（nat）'], ['support', 'Effective keys', '有效键数'], ['top1', 'Top-1 weight', '最大权重'],
    ['sink', 'On key 0', '键 0 的权重'], ['locality', 'Within r', '近邻权重'], ['rank', 'Rank', '秩'], ['error', 'Error to softmax', '与 softmax 的误差'],
  ];
  const make = (tag, className, text) => glassbox.element(tag, { className }, text);
  const said = (label) => (label === '\\x0a' ? '↵' : label);

  function map(state, view, extra) {
    const frame = make('div', 'gb-map' + extra);
    const canvas = make('canvas', '');
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'img');
    const [ticks, across, down] = [make('canvas', 'gb-ticks'), make('div', 'gb-across'), make('div', 'gb-down')];
    frame.append(canvas, ticks, across, down);
    listen(state, view, canvas);
    return { frame, canvas, ticks, across, down };
  }

  function scale() {
    const line = make('div', 'gb-scale');
    line.append(make('span', ''), make('canvas', ''), make('span', ''));
    return line;
  }

  function card(state, kind) {
    const view = { kind, root: make('article', 'gb-card'), title: make('h4', ''), badges: make('div', 'gb-badges'), cell: make('p', 'gb-cell') };
    view.cell.append('', make('small', 'gb-en'), make('small', 'gb-zh'));
    view.map = map(state, view, '');
    view.profile = make('canvas', 'gb-profile');
    view.scale = scale();
    view.beneath = make('div', 'gb-beneath');
    view.word = make('p', 'gb-cell');
    view.diff = map(state, view, ' gb-diff');
    view.diffScale = scale();
    view.beneath.append(view.word, view.diff.frame, view.diffScale);
    view.metrics = make('dl', 'gb-metrics');
    view.about = make('details', 'gb-about');
    view.about.append(glassbox.maps.words(make('summary', ''), 'What it is', '说明'), make('p', ''));
    view.root.append(view.title, view.badges, view.map.frame, view.scale, view.cell, view.profile, view.beneath, view.metrics, view.about);
    view.root.dataset.kind = kind;
    return view;
  }

  function badge(text, chinese, verdict, title) {
    const node = glassbox.maps.words(make('span', 'gb-badge'), text, chinese);
    node.dataset.state = verdict;
    node.title = title || '';
    return node;
  }

  function badges(card_, scene) {
    const { number } = glassbox.maps;
    const found = [];
    if (!scene.causal) found.push(badge('sees all', '可见全部', 'plain'));
    else if (card_.causal) found.push(badge('causal', '因果', 'plain'));
    else found.push(badge('sees the future', '会看到未来', 'bad', 'Its weights reach tokens that come later.'));
    const sound = card_.residual !== null && card_.residual < 1e-5;
    found.push(badge(`A·V − y: ${number(card_.residual)}`, `A·V − y：${number(card_.residual)}`, sound ? 'plain' : 'bad',
      'Norm of A·V minus the output of the fast path, over the norm of that output.'));
    const bad = card_.bad.length;
    if (bad) found.push(badge(`${bad} bad row${bad > 1 ? 's' : ''}`, `${bad} 行失效`, 'bad', `${bad} of ${scene.n} rows have no positive, finite sum; they are marked red at the left edge of the map.`));
    return found;
  }

  function metrics(card_, scene) {
    const { number, words } = glassbox.maps;
    const m = card_.metrics;
    return METRICS.flatMap(([name, en, zh]) => {
      const term = words(make('dt', ''), name === 'locality' ? `Within ${scene.radius}` : en, name === 'locality' ? `距离 ≤ ${scene.radius}` : zh);
      const value = make('dd', '', number(m[name] ?? null));
      if (name === 'error' && (m.error_low ?? null) !== null && m.error_low !== m.error_high) {
        value.append(make('small', '', ` ${number(m.error_low)}–${number(m.error_high)}`));
        value.title = 'lowest and highest over random draws';
      }
      return [term, value];
    });
  }

  function ticks(canvas, card_, n) {
    canvas.width = 1;
    canvas.height = n;
    const pen = canvas.getContext('2d');
    pen.fillStyle = glassbox.maps.BAD;
    for (const i of card_.bad) pen.fillRect(0, i, 1, 1);
  }

  // values of every card, and their differences to softmax where softmax is there
  function fill(state) {
    const { scene } = state;
    const { unpack, largest } = glassbox.maps;
    scene.cards.forEach((one) => { state.views.get(one.kind).values = unpack(one, scene.n); });
    const reference = scene.cards.find((one) => one.kind === 'softmax');
    for (const one of scene.cards) {
      const view = state.views.get(one.kind);
      view.card = one;
      view.delta = reference && one !== reference ? view.values.map((v, at) => v - state.views.get('softmax').values[at]) : null;
      view.reach = view.delta ? largest(view.delta) : 0;
      view.triangle = one.triangle && (!reference || reference.triangle);
      view.title.textContent = one.label;
      view.badges.replaceChildren(...badges(one, scene));
      view.metrics.replaceChildren(...metrics(one, scene));
      view.about.lastChild.textContent = one.note;
      ticks(view.map.ticks, one, scene.n);
      view.diff.frame.hidden = view.diffScale.hidden = !view.delta;
      const name = `${one.label}: ${scene.n} queries by ${scene.n} keys`;
      view.map.canvas.setAttribute('aria-label', `Weights of ${name}; arrow keys move the cell, Enter holds it`);
      view.diff.canvas.setAttribute('aria-label', `Difference to softmax of ${name}; arrow keys move the cell, Enter holds it`);
    }
  }

  function colour(state) {
    const { paint, legend, number } = glassbox.maps;
    const { n, cards } = state.scene;
    const views = cards.map((one) => state.views.get(one.kind));
    const top = Math.max(...cards.map((one) => one.bound));
    const apart = Math.max(...views.map((view) => view.reach));
    for (const view of views) {
      const signed = view.card.signs !== '';
      const bound = state.shared ? top : view.card.bound;
      paint(view.map.canvas, view.values, n, n, { bound, signed, triangle: view.card.triangle });
      mark(view.scale, signed ? `−${number(bound)}` : '0', number(bound), (canvas) => legend(canvas, signed));
      if (!view.delta || !state.diff) continue;
      const reach = state.shared ? apart : view.reach;
      paint(view.diff.canvas, view.delta, n, n, { bound: reach, signed: true, triangle: view.triangle });
      mark(view.diffScale, `−${number(reach)}`, number(reach), (canvas) => legend(canvas, true));
    }
  }

  function mark(line, low, high, draw) {
    line.firstChild.textContent = low;
    line.lastChild.textContent = high;
    draw(line.children[1]);
  }

  // the text with the query framed and every key shaded by its weight in the active card's row
  function tokens(state, shade) {
    const { scene, strip, at } = state;
    const key = scene.labels.join('\u0000');
    if (strip.dataset.key !== key) {
      const numbered = scene.labels.every((label, i) => label === `q${i}`);
      strip.replaceChildren(...scene.labels.map((label) => make('span', '', said(label))));
      strip.dataset.key = key;
      strip.dataset.numbered = numbered;
      state.spans = [...strip.querySelectorAll('span')];
    }
    if (shade) {
      const view = state.views.get(state.active);
      const row = view.values.subarray(at[0] * scene.n, (at[0] + 1) * scene.n);
      const top = glassbox.maps.largest(row) || 1;
      state.spans.forEach((span, k) => span.style.setProperty('--w', `${Math.round((60 * (Math.abs(row[k]) || 0)) / top)}%`));
    }
    for (const span of state.marked || []) span.className = '';
    state.marked = [state.spans[at[1]], state.spans[at[0]]];
    state.marked[0].className = 'gb-key';
    state.marked[1].className += ' gb-query';
  }

  // what follows the query alone: the bars under each map, and the shades of the tokens
  function row(state, views) {
    const { scene, root } = state;
    const from = state.at[0] * scene.n;
    const ink = getComputedStyle(root).getPropertyValue('--gb-accent');
    for (const view of views) view.top = glassbox.maps.largest(view.values.subarray(from, from + scene.n));
    const highest = Math.max(...views.map((view) => view.top));
    for (const view of views) {
      const bound = state.shared ? highest : view.top;
      glassbox.maps.bars(view.profile, view.values, from, scene.n, { bound, signed: view.card.signs !== '', colour: ink });
    }
  }

  // everything that follows the pointed cell; `anew` when maps or colours changed under it
  function point(state, anew) {
    const { scene, at, root } = state;
    const { number, words } = glassbox.maps;
    const [i, j] = at;
    root.dataset.locked = state.locked;
    root.dataset.at = `${i},${j}`;
    const views = scene.cards.map((one) => state.views.get(one.kind));
    const key = `${i} ${state.active}`;
    if (anew || state.row !== i) row(state, views);
    tokens(state, anew || state.shaded !== key);
    Object.assign(state, { row: i, shaded: key });
    for (const view of views) {
      for (const { across, down } of [view.map, view.diff]) {
        across.style.transform = `translateY(${(100 * i) / scene.n}%)`;
        down.style.transform = `translateX(${(100 * j) / scene.n}%)`;
      }
      view.cell.firstChild.nodeValue = number(view.values[i * scene.n + j]);
      view.cell.children[0].textContent = ` row max ${number(view.top)}`;
      view.cell.children[1].textContent = ` 行最大 ${number(view.top)}`;
      view.root.dataset.active = view.kind === state.active;
      const gap = view.delta ? number(view.delta[i * scene.n + j]) : '';
      if (view.delta) words(view.word, `Difference: ${gap}`, `差：${gap}`);
      else if (view.kind === 'softmax') words(view.word, 'The reference', '参照');
      else words(view.word, 'Choose Softmax too for a difference', '同时选中 Softmax 才能看到差');
    }
    const [q, k] = [said(scene.labels[i]), said(scene.labels[j])];
    const { card: one, values } = state.views.get(state.active);
    const weight = number(values[i * scene.n + j]);
    words(state.note, `Query ${i} “${q}” → key ${j} “${k}”: ${weight} in ${one.label}${state.locked ? '. Held; Esc lets go.' : ''}`,
      `查询 ${i}「${q}」→ 键 ${j}「${k}」：${one.label} 中为 ${weight}${state.locked ? '。已锁定，Esc 解除。' : ''}`);
  }

  function move(state, at, kind) {
    state.at = at;
    if (kind) state.active = kind;
    if (state.waiting) return;
    state.waiting = true;
    requestAnimationFrame(() => { state.waiting = false; if (state.scene) point(state); });
  }

  function hold(state, locked) {
    state.locked = locked;
    move(state, state.at);
  }

  function listen(state, view, canvas) {
    const under = (event) => glassbox.maps.cell(event, canvas, state.scene.n, state.scene.n);
    canvas.addEventListener('pointermove', (event) => { if (!state.locked) move(state, under(event), view.kind); });
    canvas.addEventListener('click', (event) => {
      const at = under(event);
      const again = state.locked && String(at) === String(state.at);
      move(state, at, view.kind);
      hold(state, !again);
    });
    canvas.addEventListener('keydown', (event) => {
      const step = STEPS[event.key];
      if (event.key === 'Enter' || event.key === ' ') hold(state, !state.locked);
      else if (step) {
        const far = event.shiftKey ? 10 : 1;
        move(state, state.at.map((value, k) => Math.min(state.scene.n - 1, Math.max(0, value + far * step[k]))), view.kind);
      } else return;
      event.preventDefault();
    });
    canvas.addEventListener('focus', () => { if (canvas.matches(':focus-visible')) move(state, state.at, view.kind); });
  }

  function start(element) {
    const root = element.querySelector('.gb-cards');
    const state = { root, strip: root.querySelector('.gb-tokens'), note: root.querySelector('.gb-cards-at'), views: new Map(), locked: false, shared: false, diff: true };
    root.addEventListener('click', (event) => {
      const button = event.target.closest('[data-set]');
      if (!button) return;
      const name = button.dataset.set;
      state[name] = !state[name];
      button.setAttribute('aria-pressed', state[name]);
      root.dataset[name] = state[name];
      if (state.scene) { colour(state); point(state, true); }
    });
    root.ownerDocument.addEventListener('keydown', (event) => { if (event.key === 'Escape' && state.locked) hold(state, false); });
    state.strip.addEventListener('pointermove', (event) => {
      const i = state.spans ? state.spans.indexOf(event.target) : -1;
      if (i >= 0 && !state.locked) move(state, [i, state.at[1]]);
    });
    return state;
  }

  // element: the component's root; scene: the dict of ui/figures/cards.py, or null before the first run
  function cards(element, scene) {
    const root = element.querySelector('.gb-cards');
    if (!root || !scene) return;
    const state = (root.glassbox ||= start(element));
    const kinds = scene.cards.map((one) => one.kind);
    state.scene = scene;
    if (String(kinds) !== String([...state.views.keys()])) {
      state.views = new Map(kinds.map((kind) => [kind, state.views.get(kind) || card(state, kind)]));
      root.querySelector('.gb-cards-grid').replaceChildren(...[...state.views.values()].map((view) => view.root));
    }
    if (!state.views.has(state.active)) state.active = kinds[0];
    if (!state.at || Math.max(...state.at) >= scene.n) Object.assign(state, { at: [scene.n - 1, 0], locked: false });
    fill(state);
    colour(state);
    point(state, true);
    root.dataset.n = scene.n;
    root.style.setProperty('--n', scene.n);
    root.dataset.few = kinds.length <= 3;
    root.dataset.fine = scene.n > 40;
    root.dataset.digest = scene.digest;
    root.dataset.drawn = Number(root.dataset.drawn || 0) + 1;
  }

  glassbox.cards = cards;
})();
