// The opened box: a button, and what the panel below it is told. While it is open it hears of the active object whenever masks have
// come, so its answer is about the mask on screen; closed, nothing is asked. Which view is open is part of the tab's state.
import { say } from '../../js/wire.js';
import { S, active } from './core.js';

const B = { open: false, view: 'click', model: 'tiny', sent: '' };

const button = () => document.getElementById('segment-box');

function show(open) {
  B.open = open;
  B.sent = '';
  button()?.setAttribute('aria-expanded', String(open));
}

const tell = () => say('segment', { kind: 'inside', values: { view: B.open ? B.view : '' } });

export function peek() {
  if (!B.open || !S.picture) return;
  const all = active()?.steps || [];
  const clicked = all.every(({ point, box }) => point || box);            // nothing imported, nothing drawn by hand
  const steps = (clicked ? all : []).map(({ point = null, box = null, choice = null }) => ({ point, box, choice }));
  const values = { view: B.view, picture: S.imageId, model: B.model, smallest: S.smallest ?? 0, clicked, steps };
  const said = JSON.stringify(values);
  if (said !== B.sent) say('box', { kind: 'set', values });
  B.sent = said;
}

export function adoptBox(scene) {                           // a link, a preset or another picture or model
  B.model = scene.model;
  B.view = scene.inside || B.view;
  show(Boolean(scene.inside));
}

function press(event) {
  if (!event.target.closest?.('#segment-box')) return;
  show(!B.open);
  tell();
  peek();
}

function choose(event) {                                    // the chooser answers by itself; the link has to know
  if (!event.target.closest?.('#box-view')) return;
  B.view = event.target.value;
  B.sent = '';
  tell();
}

let listening = false;
export function listenToBox() {
  if (listening) return;
  listening = true;
  document.addEventListener('click', press);
  document.addEventListener('change', choose);
}
