// Pin and compare. What is on screen is kept as it is; what is drawn next stands beside it, with the settings that differ named. Charts get
// the same axes and scales of colour. A link carries a pin as its settings: they are worked out anew, pinned, and the link's own follow.
import { element, links, pinned as named, remember } from './frame.js';
import { button } from './maps.js';
import { beside, chartOf, saved, snapshot, stageOf } from './picture.js';
import { halted, say } from './wire.js';

const pins = new Map();                    // slug -> a Pin
const restoring = new Set();               // tabs whose pin is on the page and whose own settings are to follow
const AXIS = /^[xyz]axis\d*$/;

const short = (text) => (!text ? '–' : text.length > 60 ? `${text.slice(0, 57)} …` : text);

// the numbers between which a chart's colours run
const scaleOf = (chart) => chart._fullData.filter((trace) => trace.z && trace.zmin !== undefined).flatMap(({ zmin, zmax }) => [zmin, zmax]);

class Pin {
  constructor(slug, { link, digest, what, labels, defaults, titles, charted }) {
    Object.assign(this, { slug, link, labels, defaults, titles, charted });
    this.place = element('section', { className: 'gb-pin' });
    this.place.setAttribute('aria-label', 'Pinned');
    this.list = element('ul', {});
    this.figure = element('div', { className: 'gb-pin-figure' });
    const head = element('div', { className: 'gb-downloads' });
    head.append(element('span', {}, 'Pinned; digest of its numbers:'), element('code', { title: what, translate: false }, digest.slice(0, 12)),
      ...['PNG', 'SVG'].map((kind) => button(`Both as ${kind}`, () => this.save(kind.toLowerCase()), 'gb-quiet')), button('Remove', () => this.remove(), 'gb-quiet'));
    this.place.append(head, this.list, this.figure);
  }

  // keeps what is on screen, or will be in a moment: a chart as a chart, a stage as its picture
  async take() {
    let chart = null, stage = null;
    for (let tries = 0; !chart?._fullLayout && !stage; tries += 1) {
      if (tries === 200) return false;
      if (tries) await new Promise((done) => { setTimeout(done, 100); });
      if (this.charted) chart = chartOf(this.slug); else stage = stageOf(this.slug);
    }
    this.shot = await snapshot(chart || stage);
    const below = (chart || stage).closest(['plot', 'stage', 'canvas'].map((part) => `#${this.slug}-${part}`).join());
    if (below.matches('[id$=-canvas]')) below.after(this.place); else below.before(this.place);
    below.parentElement.dataset.pinned = 'true';
    if (chart) {
      const { data, layout } = JSON.parse(JSON.stringify({ data: chart.data, layout: chart.layout }));
      await window.Plotly.newPlot(this.figure, data, { ...layout, width: undefined, height: chart._fullLayout.height, autosize: true }, { responsive: true, displayModeBar: false });
    } else this.figure.append(element('img', { alt: 'What was pinned', src: 'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(this.shot.text) }));
    this.watcher = new MutationObserver(() => this.join());
    this.watcher.observe(below, { childList: true, subtree: true });
    return true;
  }

  // [label, value then, value now] of every setting that differs
  get differences() {
    const [then, now] = [this.link, links[this.slug] || ''].map((link) => new URLSearchParams(link));
    const value = (query, name) => query.get(name) ?? this.defaults[name];
    return Object.entries(this.labels).filter(([name]) => value(then, name) !== value(now, name))
      .map(([name, label]) => [label, ...[then, now].map((query) => this.said(name, value(query, name)))]);
  }

  // a value as the page's own words have it
  said(name, text) {
    const titles = this.titles[name];
    if (!titles) return short(text);
    const values = text.startsWith('[') ? JSON.parse(text) : [text];
    return values.map((value) => titles[value] ?? value).join(', ');
  }

  compare() {
    const rows = this.differences.map(([label, then, now]) => {
      const row = element('li', {});
      row.append(element('b', {}, label), ' ', element('span', {}, then), ' → ', element('span', {}, now));
      return row;
    });
    this.list.replaceChildren(...(rows.length ? rows : restoring.has(this.slug) ? [] : [element('li', {}, 'The settings are the same: change one.')]));
    this.join();
  }

  // both charts get the union of their axes' ranges and of their scales of colour, once for each drawing: a zoom after it stays
  async join() {
    const charts = [this.figure, chartOf(this.slug)];
    if (!charts[0]._fullLayout || !charts[1]?._fullLayout || charts[1].data === this.joined) return;
    const [one, other] = charts.map((chart) => chart._fullLayout);
    this.joined = charts[1].data;
    this.before = { colours: { zmin: charts[1]._fullData.map((t) => t.zmin ?? null), zmax: charts[1]._fullData.map((t) => t.zmax ?? null) }, axes: {} };
    const wide = {};
    for (const name of Object.keys(one).filter((key) => AXIS.test(key) && other[key]?.type === one[key].type && one[key].type !== 'category')) {
      const ends = [...one[name].range, ...other[name].range];
      const back = one[name].range[0] > one[name].range[1];
      wide[`${name}.range`] = back ? [Math.max(...ends), Math.min(...ends)] : [Math.min(...ends), Math.max(...ends)];
      this.before.axes[`${name}.range`] = [...other[name].range];
    }
    const scale = charts.flatMap(scaleOf);
    const ends = scale.length ? { zmin: Math.min(...scale), zmax: Math.max(...scale) } : {};
    for (const chart of charts) await window.Plotly.update(chart, scaleOf(chart).length ? ends : {}, wide);
  }

  async save(format) {
    const sides = await Promise.all([this.figure._fullLayout ? snapshot(this.figure) : this.shot, snapshot(chartOf(this.slug) || stageOf(this.slug))]);
    const words = this.differences.map(([label, then, now]) => `${label}: ${then} → ${now}`);
    await saved(`glassbox-${this.slug}-both`, format, beside(sides, words));
  }

  remove() {
    this.watcher?.disconnect();
    this.place.parentElement?.removeAttribute('data-pinned');
    this.place.remove();
    pins.delete(this.slug);
    delete named[this.slug];
    remember(this.slug);
    const chart = chartOf(this.slug);
    if (chart?.data === this.joined) window.Plotly.update(chart, this.before.colours, this.before.axes);
  }
}

// The answer to *Pin*.
export async function pinned(slug, answer) {
  pins.get(slug)?.remove();
  const pin = new Pin(slug, answer);
  if (!await pin.take()) return;
  pins.set(slug, pin);
  named[slug] = answer.short;
  remember(slug);
  pin.compare();
}

// What every answer of a tab may change: the settings that differ.
export const compared = (slug) => pins.get(slug)?.compare();

export async function restore(slug, pin, link) {
  const line = element('p', { className: 'gb-note' }, 'First comes the pinned figure of this link, then its own settings.');
  document.getElementById(`${slug}-notice`)?.before(line);
  restoring.add(slug);
  say(slug, { kind: 'open', link: `?${pin}` });
  await halted(slug);
  say(slug, { kind: 'pin' });
  await halted(slug);
  say(slug, { kind: 'open', link });
  await halted(slug);
  line.remove();
  restoring.delete(slug);
  compared(slug);
}
