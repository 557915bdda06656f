/* The Swin tab's stage: the row of pictures, and which of its faces is drawn (swinboard.js, swinmerge.js, swinmodel.js).
   Constant template (ui/swinning/stage.html); texts go through textContent. */
(() => {
  const glassbox = (window.glassbox ||= {});
  const make = (tag, className, text) => glassbox.element(tag, { className }, text);
  const faces = {};                  // kind -> {start(stage), draw(stage)}

  // weights of one byte each, |w| = bound * (level / 255)^2
  function weights({ data, bound }) {
    return Float32Array.from(glassbox.maps.bytes(data), (level) => bound * (level / 255) ** 2);
  }

  function button(en, zh, press, className = '') {
    const node = glassbox.maps.words(make('button', className), en, zh);
    node.type = 'button';
    node.addEventListener('click', press);
    return node;
  }

  function panel(en, zh, className = '') {
    const figure = make('figure', `gb-panel ${className}`);
    const canvas = make('canvas', '');
    const caption = glassbox.maps.words(make('figcaption', ''), en, zh);
    figure.append(caption, canvas);
    return { figure, canvas, caption };
  }

  // sets a canvas to its size on screen, in pixels of the device; returns [pen, width, height]
  function sized(canvas, ratio) {
    const width = Math.max(1, Math.round(canvas.clientWidth * Math.min(2, devicePixelRatio)));
    const height = Math.max(1, Math.round(width / ratio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.style.aspectRatio = String(ratio);
    const pen = canvas.getContext('2d');
    pen.clearRect(0, 0, width, height);
    return [pen, width, height];
  }

  // red, green, blue and alpha of a spotlight: dark where little is, a warm tint where much is; share in 0..1 of the largest
  function shade(share) {
    const level = Math.min(1, Math.max(0, share));
    const [dark, warm] = [0.68 * (1 - level), 0.5 * level];
    const alpha = warm + dark * (1 - warm);
    return [[255, 8], [140, 12], [0, 20]].map(([light, deep]) => (light * warm + deep * dark * (1 - warm)) / (alpha || 1)).concat(255 * alpha);
  }

  function spotlight(pen, share, x, y, w, h) {
    const [red, green, blue, alpha] = shade(share);
    pen.fillStyle = `rgba(${red}, ${green}, ${blue}, ${alpha / 255})`;
    pen.fillRect(x, y, w, h);
  }

  function outline(pen, x, y, w, h, colour, width) {
    pen.lineWidth = width + 2;
    pen.strokeStyle = 'rgba(0, 0, 0, .65)';
    pen.strokeRect(x, y, w, h);
    pen.lineWidth = width;
    pen.strokeStyle = colour;
    pen.strokeRect(x, y, w, h);
  }

  function say(stage, en, zh) { glassbox.maps.words(stage.note, en, zh); }

  // arrow keys and clicks on a picture of rows x columns; point(row, column) is called with cells inside
  function pointing(canvas, grid, point, hover) {
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'application');
    let at = null;
    const under = (event) => grid().find(event);
    canvas.addEventListener('click', (event) => { const cell = under(event); if (cell) point(...cell); });
    if (hover) {
      canvas.addEventListener('pointermove', (event) => hover(under(event)));
      canvas.addEventListener('pointerleave', () => hover(null));
    }
    canvas.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!step) return;
      event.preventDefault();
      const { rows, columns, token } = grid();
      at = token.map((value, k) => Math.min([rows, columns][k] - 1, Math.max(0, value + step[k])));
      point(...at);
    });
  }

  function samples(stage, props) {
    const row = stage.root.querySelector('.gb-board-samples');
    for (const one of props.samples || []) {
      const node = make('button', 'gb-board-sample');
      Object.assign(node, { type: 'button', title: one.title });
      node.setAttribute('aria-label', one.title);
      node.dataset.id = one.id;
      node.append(glassbox.element('img', { src: one.thumb, alt: '' }));
      node.addEventListener('click', () => stage.trigger('sample', { id: one.id }));
      row.append(node);
    }
  }

  function opening(stage, upload) {
    const input = stage.root.querySelector('input[type=file]');
    const send = async (file) => {
      if (!file) return;
      try {
        const { path } = await upload(file);
        stage.trigger('picture', { path });
      } catch {
        say(stage, 'The upload failed: the file is too large, or the server cannot be reached.', '上传失败：文件过大，或无法连接服务器。');
      }
    };
    stage.root.querySelector('.gb-board-open').addEventListener('click', () => input.click());
    input.addEventListener('change', () => { send(input.files[0]); input.value = ''; });
    stage.root.addEventListener('dragover', (event) => { if (event.dataTransfer.types.includes('Files')) event.preventDefault(); });
    stage.root.addEventListener('drop', (event) => { event.preventDefault(); send(event.dataTransfer.files[0]); });
  }

  function start(element, props, trigger, upload) {
    const root = element.querySelector('.gb-board');
    const stage = { root, trigger, body: root.querySelector('.gb-board-body'), note: root.querySelector('.gb-board-say'), kind: '', picture: null };
    samples(stage, props);
    opening(stage, upload);
    new ResizeObserver(() => { if (stage.scene && stage.picture) faces[stage.kind].draw(stage); }).observe(stage.body);
    root.glassbox = stage;
    return stage;
  }

  function shown(stage) {
    const { scene } = stage;
    const face = faces[scene.kind];
    if (stage.kind !== scene.kind) {
      stage.body.replaceChildren();
      stage.kind = scene.kind;
      face.start(stage);
    }
    for (const node of stage.root.querySelectorAll('.gb-board-sample')) node.setAttribute('aria-pressed', node.dataset.id === scene.picture);
    face.draw(stage, true);
    stage.root.dataset.kind = scene.kind;
    stage.root.dataset.picture = scene.picture;
    stage.root.dataset.drawn = Number(stage.root.dataset.drawn || 0) + 1;
  }

  // element: the component's root; value: a scene of ui/figures/swin.py, or null before the first answer
  function swin(element, props, trigger, upload) {
    const root = element.querySelector('.gb-board');
    if (!root) return;
    const stage = root.glassbox || start(element, props, trigger, upload);
    if (!props.value) return;
    stage.scene = JSON.parse(JSON.stringify(props.value));
    const { url } = stage.scene.image;
    if (stage.url === url) { if (stage.picture) shown(stage); return; }
    const image = new Image();
    stage.url = url;
    image.onload = () => { if (stage.url === url) { stage.picture = image; shown(stage); } };
    image.src = url;
  }

  Object.assign(glassbox, { swin, board: { faces, make, weights, button, panel, sized, shade, spotlight, outline, say, pointing } });
})();
