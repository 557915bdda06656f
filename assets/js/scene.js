/* Draws a matrix scene and says what is under the pointer or the keyboard cursor. Texts go through textContent. */
(() => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

  const number = (v) => (v && Math.abs(v) < 1e-3 ? v.toExponential(2) : String(Number(v.toPrecision(3))));

  // 256 colours interpolated between the scene's stops
  function palette(stops) {
    const ends = stops.map(channels);
    return Array.from({ length: 256 }, (_, level) => {
      const place = (level / 255) * (ends.length - 1);
      const left = Math.min(Math.floor(place), ends.length - 2);
      return ends[left].map((value, k) => Math.round(value + (ends[left + 1][k] - value) * (place - left)));
    });
  }

  function paint(canvas, scene, levels) {
    const colours = palette(scene.colours);
    canvas.width = scene.columns;
    canvas.height = scene.rows;
    const picture = new ImageData(scene.columns, scene.rows);
    levels.forEach((level, i) => picture.data.set([...colours[level], 255], i * 4));
    canvas.getContext('2d').putImageData(picture, 0, 0);
    canvas.style.aspectRatio = `${scene.columns} / ${scene.rows}`;
  }

  function say(state) {
    const { scene, levels, note, at } = state;
    const range = `${number(scene.low)} to ${number(scene.high)}`;
    if (!at) { note.textContent = `${scene.rows} × ${scene.columns}, colours from ${range}`; return; }
    const value = scene.low + (levels[at[1] * scene.columns + at[0]] / 255) * (scene.high - scene.low);
    note.textContent = `${scene.y} ${at[1]}, ${scene.x} ${at[0]}: about ${number(value)}`;
  }

  function listen(canvas, state) {
    canvas.addEventListener('pointermove', (event) => {
      const box = canvas.getBoundingClientRect();
      const cell = (offset, size, count) => Math.min(count - 1, Math.max(0, Math.floor((offset / size) * count)));
      state.at = [cell(event.clientX - box.left, box.width, state.scene.columns), cell(event.clientY - box.top, box.height, state.scene.rows)];
      say(state);
    });
    canvas.addEventListener('pointerleave', () => { state.at = null; say(state); });
    canvas.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      const limit = [state.scene.columns, state.scene.rows];
      state.at = (state.at || [0, 0]).map((value, k) => Math.min(limit[k] - 1, Math.max(0, value + step[k])));
      say(state);
    });
  }

  // element: the component's root; scene: the dict of ui/figures/scenes.py, or null before the first run
  function scene(element, scene) {
    const canvas = element.querySelector('canvas');
    if (!canvas || !scene) return;
    const state = canvas.glassbox || { note: element.querySelector('p'), at: null };
    Object.assign(state, { scene, levels: bytes(scene.data) });
    if (!canvas.glassbox) listen(canvas, state);
    canvas.glassbox = state;
    canvas.setAttribute('aria-label', `Map of ${scene.rows} ${scene.y}s by ${scene.columns} ${scene.x}s; arrow keys read values`);
    paint(canvas, scene, state.levels);
    if (state.at && (state.at[0] >= scene.columns || state.at[1] >= scene.rows)) state.at = null;
    say(state);
  }

  window.glassbox.scene = scene;
})();
