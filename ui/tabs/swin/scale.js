// The one scale on which attention is drawn: a weight times the number of places that may be seen, so that 1 is what equal weights give.
// Eight times less is blue, eight times more orange, 1 shows the ground: a grey picture, or none. Hue is the attention's alone, so that it
// can be read over any picture and with any colour vision. Also: how tall a picture may stand.
import { line } from '../../js/board.js';
import { button, make } from '../../js/maps.js';

const OCTAVES = 3;
const LESS = [16, 52, 138];
const MORE = [255, 158, 20];
const GROUND = [142, 147, 154];
const greys = new WeakMap();
let pictured = true;                       // the switch, for all stages of the tab

export const withPicture = () => pictured;
export const tallest = () => Math.min(620, Math.round(0.68 * innerHeight));
export const aspect = (value) => Math.min(4, Math.max(0.25, value));

// red, green, blue and alpha, 0..255, of a weight `times` as large as equal ones
export function tint(times) {
  const share = Math.max(-1, Math.min(1, Math.log2(Math.max(times, 1e-9)) / OCTAVES));
  return [...(share < 0 ? LESS : MORE), 235 * Math.abs(share) ** 0.75];
}

export const css = ([red, green, blue, alpha]) => `rgba(${red}, ${green}, ${blue}, ${alpha / 255})`;

// the same opaque, over the ground
export function flat(times) {
  const [red, green, blue, alpha] = tint(times);
  return [red, green, blue].map((v, k) => v * alpha / 255 + GROUND[k] * (1 - alpha / 255));
}

// the picture in grey, made once
export function grey(picture) {
  if (!greys.has(picture)) {
    const canvas = Object.assign(document.createElement('canvas'), { width: picture.naturalWidth, height: picture.naturalHeight });
    const pen = canvas.getContext('2d');
    pen.drawImage(picture, 0, 0);
    const data = pen.getImageData(0, 0, canvas.width, canvas.height);
    for (let k = 0; k < data.data.length; k += 4) {
      const light = 0.299 * data.data[k] + 0.587 * data.data[k + 1] + 0.114 * data.data[k + 2];
      data.data.fill(40 + 0.72 * light, k, k + 3);
    }
    pen.putImageData(data, 0, 0);
    greys.set(picture, canvas);
  }
  return greys.get(picture);
}

// what lies under the colours: a part (x, y, w, h in px of the picture) of the grey picture, or nothing
export function ground(pen, picture, from, to) {
  if (pictured) pen.drawImage(grey(picture), ...from, ...to);
  else {
    pen.fillStyle = css([...GROUND, 255]);
    pen.fillRect(...to);
  }
}

// the colour bar, with 1 marked; `said`: what is drawn on it
export function bar(said) {
  const box = make('div', 'gb-swin-scale'), strip = make('div', ''), canvas = make('canvas', ''), ends = make('p', '');
  Object.assign(canvas, { width: 240, height: 14 });
  const pen = canvas.getContext('2d');
  for (let x = 0; x < canvas.width; x += 1) {
    pen.fillStyle = css([...flat(2 ** (OCTAVES * (2 * x / (canvas.width - 1) - 1))), 255]);
    pen.fillRect(x, 0, 1, canvas.height);
  }
  line(pen, [120, 0], [120, 14], '#000000', 4);
  line(pen, [120, 0], [120, 14], '#ffffff', 2);
  ends.translate = false;
  ends.append(...['⅛', '¼', '½', '1', '2', '4', '8'].map((text) => make('span', '', text)));
  strip.append(canvas, ends);
  box.append(strip, make('span', 'gb-swin-said', said));
  return box;
}

// the switch between the picture and the colours alone
export function pictureSwitch(repaint) {
  const node = button('Picture below', () => {
    pictured = !pictured;
    node.setAttribute('aria-pressed', pictured);
    repaint();
  });
  node.setAttribute('aria-pressed', pictured);
  return node;
}

// over how many of these weights a row is spread in effect
export function spread(weights) {
  const total = weights.reduce((sum, w) => sum + w, 0) || 1;
  return Math.exp(-weights.reduce((sum, w) => sum + (w > 0 ? (w / total) * Math.log(w / total) : 0), 0));
}
