// One wire a tab: messages to Python carry a number, answers carry it back. One message is under way at a time; of several that set
// the same thing only the last is sent. An answer says: turn, link, view, marks, streamed, forecast, stale, begin, running, place, held, offers,
// lacking, refused, share, save, pin.
import { fetched, pinned, remember, share, save, step } from './frame.js';
import { explain, lack, press, refuse } from './marks.js';

const PATIENCE = 20000;                    // ms after which an answer is no longer waited for
const READS = ['link', 'python', 'rows', 'note', 'pin'];  // messages after which the same is drawn
const wires = new Map();
const waiting = new Map();                 // slug -> messages said before its wire was there
const early = new Map();                   // slug -> answers that came before it was

const changes = (message) => !READS.includes(message.kind);

class Wire {
  constructor(slug, props, trigger, upload) {
    Object.assign(this, { slug, props, trigger, upload, turn: 0, answered: 0, heardOf: 0, linked: 0, line: [], busy: null, sent: null, view: null });
  }

  // Whether an answer with this number is newer than all that the user did; an older one must not overwrite it.
  newest(turn) {
    return !this.line.some(changes) && (this.busy === null || turn === this.busy || !changes(this.sent));
  }

  get tab() { return document.getElementById(`tab-${this.slug}`); }

  get noting() { return [this.sent, ...this.line].some((message) => message?.kind === 'note'); }

  say(message) {
    const last = this.line.at(-1);
    if (last && last.values && last.kind === message.kind) last.values = { ...last.values, ...message.values };
    else this.line.push(message);
    this.next();
    return this.turn;
  }

  next() {
    if (this.busy !== null || !this.line.length) return;
    this.turn += 1;
    this.busy = this.turn;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.free(this.busy), PATIENCE);
    this.sent = this.line.shift();
    if (['open', 'preset'].includes(this.sent.kind)) this.linked = this.turn;
    this.slow = setTimeout(() => this.tab?.setAttribute('aria-busy', 'true'), 300);
    this.trigger('said', { ...this.sent, turn: this.turn });
  }

  free(turn) {
    if (turn !== this.busy) return;
    this.answered = turn;
    this.busy = this.sent = null;
    clearTimeout(this.timer);
    clearTimeout(this.slow);
    this.tab?.removeAttribute('aria-busy');
    this.next();
  }

  begin() {
    const stale = document.getElementById(`${this.slug}-stale`);
    if (stale) stale.hidden = true;                                     // an answer that says so may be overtaken by the next
    this.running = true;
    this.trigger('begin', { turn: this.turn });
  }

  halt() { this.trigger('stop', {}); }

  heard(answer) {
    if (!answer) return;
    const $ = (part) => document.getElementById(`${this.slug}-${part}`);
    const old = !this.newest(answer.turn);                             // the user has gone on: links and marks come with the newer answer
    if (answer.link !== undefined && !old) {
      remember(this.slug, answer.link);
      press(this.slug, answer.short || answer.link);
      for (const [name, value] of Object.entries(answer.marks)) {
        for (const node of document.querySelectorAll(`.gb-tab-${this.slug} [data-mark="${name}"]`)) node.setAttribute('aria-pressed', node.dataset.value === value);
      }
    }
    if (answer.streamed !== undefined) {
      const fresh = answer.begin || (this.view !== null && answer.view !== this.view);
      this.view = answer.view;
      if ($('stale')) $('stale').hidden = !(answer.streamed && answer.stale && !fresh);
      if ($('going')) $('going').dataset.streamed = answer.streamed;
      if ($('forecast')) $('forecast').textContent = answer.forecast || '';
      if (answer.streamed && fresh) this.begin();
    } else if (answer.stale === false && $('stale')) $('stale').hidden = true;
    if (answer.running !== undefined) this.running = answer.running;
    if (answer.running !== undefined && $('going')) {
      $('going').dataset.running = answer.running;
      $('place').textContent = answer.running && answer.place ? placed(answer.place) : '';
    }
    for (const [index, text] of Object.entries(answer.held || {})) {
      for (const node of document.querySelectorAll(`.gb-tab-${this.slug} [data-held="${index}"]`)) node.textContent = text;
    }
    if (answer.lacking) lack(this.slug, answer.lacking);
    if (answer.refused && !old) refuse(this.slug, answer.refused);
    for (const [index, [text, fetched]] of Object.entries(answer.offers || {})) {
      const node = document.querySelector(`.gb-tab-${this.slug} [data-offer="${index}"]`);
      node.textContent = text;
      node.nextElementSibling.hidden = !fetched;
    }
    if (answer.share) share(answer.share, answer.text, this.slug);
    if (answer.pin) this.pinning = import('./pins.js').then((pins) => pins.pinned(this.slug, answer.pin));
    else if (pinned[this.slug]) import('./pins.js').then((pins) => pins.compared(this.slug));
    if (answer.save) save(answer.save, answer.text);
    count(this.slug);
    this.tab?.setAttribute('data-answered', String(this.answered));
    if (answer.turn !== undefined) {
      this.heardOf = Math.max(this.heardOf, answer.turn);
      this.free(answer.turn);
    }
  }
}

function placed({ ahead, seconds }) {
  const before = ahead === 1 ? '1 run stands before yours' : `${ahead} runs stand before yours`;
  return seconds === null ? `${before}.` : `${before}, about ${Math.max(1, Math.round(seconds))} s.`;
}

// the bytes that a tab's text takes of those that are read
export function count(slug) {
  const node = document.getElementById(`${slug}-bytes`);
  const field = document.querySelector(`.gb-tab-${slug} .gb-typed textarea`);
  if (!node || !field) return;
  const used = new TextEncoder().encode(field.value).length;
  const most = Number(node.dataset.most);
  node.dataset.full = used >= most;
  node.textContent = used < most ? `${used} of ${most} bytes` : `${most} of ${most} bytes. What is longer is left out.`;
}

export function connect(element, props, trigger, upload, watch) {
  const { slug } = element.querySelector('.gb-wire').dataset;
  const wire = new Wire(slug, props, trigger, upload);
  wires.set(slug, wire);
  const opening = document.getElementById(`${slug}-opening`);
  if (opening) {
    fetched(opening, `prose/${slug}.opening.html`);
    explain(slug);
  }
  watch('value', () => wire.heard(props.value));
  for (const message of waiting.get(slug) || []) wire.say(message);
  waiting.delete(slug);
  for (const answer of early.get(slug) || []) wire.heard(answer);
  early.delete(slug);
}

// An element whose answers have no number.
export function listen(element, props, watch) {
  const { slug } = element.querySelector('.gb-aside').dataset;
  const take = () => answered(slug, props.value);
  watch('value', take);
  take();
}

// Comes back when all that a tab said is answered, however late, no run is under way and nothing is being pinned.
export async function halted(slug) {
  for (;;) {
    const wire = wires.get(slug);
    if (wire?.turn && wire.heardOf === wire.turn && !wire.line.length && !wire.running) return wire.pinning;
    await new Promise((done) => { setTimeout(done, 50); });
  }
}

// Send a message of a tab; it waits for the tab's wire where that is not there yet.
export function say(slug, message) {
  if (wires.has(slug)) wires.get(slug).say(message);
  else waiting.set(slug, [...(waiting.get(slug) || []), message]);
}

// An answer that came on another way than the wire's own: it has no number.
export function answered(slug, answer) {
  if (wires.has(slug)) wires.get(slug).heard(answer);
  else if (answer) early.set(slug, [...(early.get(slug) || []), answer]);
}

// Whether a stage has noted something that the server does not know of yet.
export const noting = (slug) => Boolean(wires.get(slug)?.noting);

// Whether an answer with this number is the newest that may be drawn.
export function current(slug, turn) {
  const wire = wires.get(slug);
  return !wire || wire.newest(turn);
}

// Whether an answer with this number is what a link or a preset shows.
export const linked = (slug, turn) => wires.get(slug)?.linked === turn;

async function send(slug, input) {
  const [file] = input.files;
  const { source } = input.dataset;
  input.value = '';
  if (file) await give(slug, source, file);
}

async function give(slug, source, file) {
  const held = document.querySelector(`.gb-tab-${slug} [data-held="${source}"]`);
  try {
    const { path } = await wires.get(slug).upload(file);
    say(slug, { kind: 'file', source, path });
  } catch {
    held.textContent = 'The upload failed: the file is too large, or the server cannot be reached.';
  }
}

const room = (node) => node.closest('[id^="tab-"]')?.id.slice(4);

document.addEventListener('click', async (event) => {
  const node = event.target.closest?.('[data-say], [data-preset], [data-long], [data-picture]');
  const slug = node && room(node);
  if (!slug) return;
  if (node.dataset.say) say(slug, JSON.parse(node.dataset.say));
  else if (node.dataset.preset) { step(); say(slug, { kind: 'preset', index: Number(node.dataset.preset) }); }
  else if (node.dataset.long) wires.get(slug)?.[node.dataset.long === 'begin' ? 'begin' : 'halt']();
  else (await import('./picture.js')).picture(slug, node.dataset.picture);
});
document.addEventListener('change', (event) => { if (event.target.matches?.('input[type=file][data-source]')) send(room(event.target), event.target); });
document.addEventListener('input', (event) => { if (event.target.closest?.('.gb-typed')) count(room(event.target)); });
document.addEventListener('dragover', (event) => { if (event.target.closest?.('[data-drop]') && event.dataTransfer.types.includes('Files')) event.preventDefault(); });
document.addEventListener('drop', (event) => {
  const place = event.target.closest?.('[data-drop]');
  const [file] = event.dataTransfer.files;
  if (!place || !file) return;
  event.preventDefault();
  give(room(place), place.dataset.drop, file);
});
