// The home view with the gallery, and the tour: their links are opened in place.
import { element, fetched, keep, visit } from './frame.js';
import { button } from './maps.js';
import { chartOf, stageOf } from './picture.js';

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const SECONDS = 2.5;                       // of each picture of a tile
let sheet = null;                          // the home view, once it was asked for
let panel = null;                          // the tour, while it is under way

async function made() {
  if (sheet) return sheet;
  sheet = element('dialog', { id: 'gb-home' });
  sheet.setAttribute('aria-label', 'Home');
  const top = element('div', { className: 'gb-home-top' });
  top.append(element('h2', {}, 'What do you want to see?'), button('Take the tour of five minutes', () => { sheet.close(); tour(); }, 'gb-primary'),
    button('Close', () => sheet.close(), 'gb-quiet'));
  const body = element('div', {});
  body.append(element('div', {}));
  sheet.append(top, body);
  document.querySelector('.gradio-container').append(sheet);
  await fetched(body, 'home.html');
  for (const tile of sheet.querySelectorAll('.gb-living')) lively(tile);
  sheet.addEventListener('click', pressed);
  return sheet;
}

// A tile shows one picture of its tab after the other, the first alone for those who want no motion.
function lively(tile) {
  const names = tile.dataset.pictures.split(' ').filter(Boolean);
  if (!names.length) return;
  const image = element('img', { alt: '', width: 320, height: 200 });
  const show = (k) => { image.src = new URL(`../gallery/${names[k % names.length]}`, import.meta.url); };
  tile.append(image);
  show(0);
  let at = 0;
  setInterval(() => { if (sheet.open && !calm.matches) show(at += 1); }, 1000 * SECONDS);
}

function pressed(event) {
  if (event.target === sheet) sheet.close();
  const link = event.target.closest('[data-visit]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  sheet.close();
  visit(link.search.slice(1));
}

export async function home() {
  (await made()).showModal();
}

// Brings what a step speaks of on screen, as soon as it is there.
async function shown(slug) {
  const drawn = () => stageOf(slug) || chartOf(slug);
  for (let tries = 0; tries < 100 && !drawn(); tries += 1) await new Promise((done) => { setTimeout(done, 100); });
  if (panel) drawn()?.scrollIntoView({ block: 'start', behavior: calm.matches ? 'auto' : 'smooth' });
}

// One step after the other; where it was left it goes on.
export async function tour() {
  const steps = [...(await made()).querySelectorAll('.gb-steps > li')];
  panel?.remove();
  let at = Math.min(Number(keep.get('tour')) || 0, steps.length - 1);
  panel = element('section', { id: 'gb-tour' });
  panel.setAttribute('aria-label', 'Tour');
  panel.setAttribute('role', 'region');
  const place = element('span', {}), words = element('div', {});
  words.setAttribute('aria-live', 'polite');
  const end = () => { panel.remove(); panel = null; document.querySelector('[data-glassbox=tour]').focus(); };
  const go = (by) => {
    at += by;
    if (at === steps.length) { keep.set('tour', '0'); end(); return; }
    keep.set('tour', String(at));
    place.textContent = `${at + 1} / ${steps.length}`;
    words.replaceChildren(...[...steps[at].children].map((node) => node.cloneNode(true)));
    back.disabled = at === 0;
    next.textContent = at === steps.length - 1 ? 'Finish' : 'Next';
    const { link } = steps[at].dataset;
    visit(link);
    next.focus();
    shown(new URLSearchParams(link).get('tab'));
  };
  const back = button('Previous', () => go(-1), 'gb-quiet'), next = button('Next', () => go(1), 'gb-primary');
  const row = element('div', { className: 'gb-downloads' });
  row.append(place, back, next, button('End', end, 'gb-quiet'));
  panel.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === 'Escape') end();
    else if (step && at + step >= 0) go(step);
  });
  panel.append(words, row);
  document.querySelector('.gradio-container').append(panel);
  go(0);
}
