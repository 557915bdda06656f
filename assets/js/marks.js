// What is marked beside an answer: the presets' buttons (what each shows, which one is on screen, which needs a model that is not here
// yet), and boxes whose value cannot be used, or is an end of the slider instead.
import { element } from './frame.js';

const told = new Map();                    // slug -> promise of [{ link, says }], one a preset
const missing = new Map();                 // slug -> { number of a preset: what is to be fetched first, in a sentence }
const chip = (slug, k) => document.getElementById(`${slug}-preset-${k}`);

async function titled(slug) {
  const lacks = missing.get(slug) || {};
  for (const [k, { says }] of (await told.get(slug)).entries()) {
    const node = chip(slug, k);
    node.title = lacks[k] ? `${says}\nThis needs a model that is not fetched yet. ${lacks[k]}` : says;
    node.toggleAttribute('data-lacks', Boolean(lacks[k]));
  }
}

// Each preset's button says what is seen there.
export function explain(slug) {
  told.set(slug, chip(slug, 0) ? fetch(new URL(`../presets/${slug}.json`, import.meta.url)).then((answer) => answer.json()) : []);
  titled(slug);
}

export function lack(slug, found) {
  missing.set(slug, found);
  titled(slug);
}

// The button of the preset whose link this is.
export async function press(slug, link) {
  for (const [k, preset] of (await (told.get(slug) || [])).entries()) chip(slug, k).setAttribute('aria-pressed', preset.link === link);
}

// A value that cannot be used stays in its box: {parameter: the sentence that stands beside it}.
export function refuse(slug, found) {
  for (const box of document.querySelectorAll(`.gb-tab-${slug} [data-refused]`)) {
    if (found[box.id.slice(slug.length + 1)]) continue;
    box.removeAttribute('data-refused');
    box.querySelector('.gb-refused').remove();
    for (const field of box.querySelectorAll('[aria-invalid]')) for (const name of ['aria-invalid', 'aria-describedby']) field.removeAttribute(name);
  }
  for (const [name, text] of Object.entries(found)) {
    const box = document.getElementById(`${slug}-${name}`);
    if (!box) continue;
    const id = `${box.id}-refused`;
    if (!document.getElementById(id)) box.append(element('p', { id, className: 'gb-refused' }));
    document.getElementById(id).textContent = text;
    box.dataset.refused = 'true';
    for (const field of box.querySelectorAll('input, textarea')) {
      field.setAttribute('aria-invalid', 'true');
      field.setAttribute('aria-describedby', id);
    }
  }
}

// A slider's number box takes the end for what is typed beyond it.
function beyond(target) {
  const block = target.matches?.('.gb-tab input[type=number][max]') && target.closest('.block');
  if (!block) return;
  block.querySelector('.gb-beyond')?.remove();
  const end = Math.min(Math.max(Number(target.value), Number(target.min)), Number(target.max));
  if (target.value === '' || end === Number(target.value)) return;
  const said = element('p', { className: 'gb-beyond', textContent: `${target.value} is beyond the slider's end: ${end} is in use.` });
  said.setAttribute('role', 'status');
  block.append(said);
}
let later = 0;
document.addEventListener('change', ({ target }) => {
  clearTimeout(later);                     // by then the box shows the end, and what was typed is not to be read any more
  beyond(target);
}, true);
document.addEventListener('input', ({ target }) => {                       // in the middle of a number nothing is said
  if (!target.matches?.('.gb-tab input[max]')) return;
  target.closest('.block')?.querySelector('.gb-beyond')?.remove();
  clearTimeout(later);
  later = setTimeout(() => beyond(target), 700);
}, true);
