// What is on screen as PNG or SVG: a plotly chart by plotly, a canvas as its raster with the labels around it as text; two of them side by side.
import { save } from './frame.js';

const SPACE = 'http://www.w3.org/2000/svg';

function svg(tag, attributes, text) {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

// every line of text below `root` with its place on screen
function* lines(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const style = getComputedStyle(node.parentElement);
    if (!node.nodeValue.trim() || style.visibility === 'hidden' || node.parentElement.closest('svg')) continue;
    const range = document.createRange();
    let from = 0, top = null;
    for (let to = 0; to <= node.length; to += 1) {
      range.setStart(node, Math.min(to, node.length - 1));
      range.setEnd(node, Math.min(to + 1, node.length));
      const box = range.getBoundingClientRect();
      if (to === node.length || (top !== null && box.height && box.top > top + 4)) {
        range.setStart(node, from);
        range.setEnd(node, to);
        const place = range.getBoundingClientRect();
        if (place.width) yield { text: node.nodeValue.slice(from, to), place, style };
        from = to;
      }
      if (box.height) top = box.top;
    }
  }
}

// the element as a picture that stands alone: canvases as rasters, inline drawings copied, texts as texts
function composed(root) {
  const frame = root.getBoundingClientRect();
  const out = svg('svg', { xmlns: SPACE, width: frame.width, height: frame.height, viewBox: `0 0 ${frame.width} ${frame.height}` });
  out.append(svg('rect', { width: '100%', height: '100%', fill: getComputedStyle(document.body).backgroundColor }));
  const at = (box) => ({ x: box.left - frame.left, y: box.top - frame.top, width: box.width, height: box.height });
  for (const node of root.querySelectorAll('*')) {
    const box = node.getBoundingClientRect();
    const fill = getComputedStyle(node).backgroundColor;
    if (!box.width || node.closest('svg') !== null && node.tagName !== 'svg') continue;
    if (node.tagName === 'CANVAS') out.append(svg('image', { ...at(box), href: node.toDataURL(), style: 'image-rendering: pixelated', preserveAspectRatio: 'none' }));
    else if (node.tagName === 'svg') {
      const copy = node.cloneNode(true);
      for (const [name, value] of Object.entries(at(box))) copy.setAttribute(name, value);
      styled(node, copy);
      out.append(copy);
    } else if (fill !== 'rgba(0, 0, 0, 0)') out.append(svg('rect', { ...at(box), fill }));
  }
  for (const { text, place, style } of lines(root)) {
    const { x, y, height } = at(place);
    out.append(svg('text', { x, y: y + height * 0.78, fill: style.color, 'font-size': style.fontSize, 'font-family': style.fontFamily, 'font-weight': style.fontWeight, 'xml:space': 'preserve' }, text));
  }
  return new XMLSerializer().serializeToString(out);
}

// page styles do not travel with a copy, so what they say is written into it
function styled(from, to) {
  const pairs = [[from, to], ...[...from.querySelectorAll('*')].map((node, k) => [node, to.querySelectorAll('*')[k]])];
  for (const [node, copy] of pairs) {
    const style = getComputedStyle(node);
    copy.setAttribute('style', ['fill', 'stroke', 'stroke-width', 'opacity', 'font-size', 'font-family'].map((name) => `${name}: ${style.getPropertyValue(name)}`).join('; '));
  }
}

async function raster(text, width, height) {
  const image = new Image();
  image.src = 'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(text);
  await image.decode();
  const canvas = Object.assign(document.createElement('canvas'), { width: 2 * width, height: 2 * height });
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, 'image/png'));
}

const seen = (slug, part) => { const node = document.getElementById(`${slug}-${part}`); return node?.offsetParent ? node : null; };
export const chartOf = (slug) => seen(slug, 'plot')?.querySelector('.js-plotly-plot') || null;
const canvasOf = (slug) => {
  const root = seen(slug, 'canvas')?.querySelector('.gx[data-phase=ready]');
  return root && root.dataset.shown === root.dataset.sent ? root.querySelector('.gx-stage') : null;
};
// the drawing of a tab, which is a canvas of its own on Segment; null until it shows what it should
export const stageOf = (slug) => { const root = seen(slug, 'stage')?.querySelector('.gb-stages'); return root?.children.length ? root : canvasOf(slug); };

// an element as an SVG that stands alone: { text, width, height }
export async function snapshot(node) {
  const { width, height } = node.getBoundingClientRect();
  if (!node.matches('.js-plotly-plot')) return { text: composed(node), width, height };
  const url = await window.Plotly.toImage(node, { format: 'svg', width, height });
  return { text: decodeURIComponent(url.slice(url.indexOf(',') + 1)), width, height };
}

// pictures side by side, with lines of words above them
export function beside(sides, words) {
  const [gap, line] = [16, 20];
  const top = gap + words.length * line;
  const width = sides.reduce((sum, side) => sum + side.width + gap, gap);
  const height = top + Math.max(...sides.map((side) => side.height)) + gap;
  const out = svg('svg', { xmlns: SPACE, width, height, viewBox: `0 0 ${width} ${height}` });
  const { backgroundColor, color, fontFamily } = getComputedStyle(document.body);
  out.append(svg('rect', { width: '100%', height: '100%', fill: backgroundColor }));
  words.forEach((text, k) => out.append(svg('text', { x: gap, y: gap + 12 + k * line, fill: color, 'font-size': 14, 'font-family': fontFamily }, text)));
  let x = gap;
  for (const side of sides) {
    const inner = new DOMParser().parseFromString(side.text, 'image/svg+xml').documentElement;
    for (const [name, value] of Object.entries({ x, y: top, width: side.width, height: side.height })) inner.setAttribute(name, value);
    out.append(document.importNode(inner, true));
    x += side.width + gap;
  }
  return { text: new XMLSerializer().serializeToString(out), width, height };
}

export async function saved(name, format, { text, width, height }) {
  save(`${name}.${format}`, format === 'svg' ? new Blob([text], { type: 'image/svg+xml' }) : await raster(text, width, height));
}

export async function picture(slug, format) {
  const chart = chartOf(slug);
  if (chart) {
    const { width, height } = chart.getBoundingClientRect();
    const url = await window.Plotly.toImage(chart, { format, width, height, scale: format === 'png' ? 2 : 1 });
    save(`glassbox-${slug}.${format}`, await (await fetch(url)).blob());
  }
  const stage = stageOf(slug);
  if (stage) await saved(`glassbox-${slug}${chart ? '-stage' : ''}`, format, await snapshot(stage));
}
