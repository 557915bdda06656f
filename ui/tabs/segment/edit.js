// What the user said: named objects, each a list of steps. Every change goes through commit(), which makes it undoable.
import { LIMITS, PLAIN, S, active, chosenIndex, clamp, fail, inside, keyOf, rated, resultOf, tell } from './core.js';
import { overlap, recordAt } from './mask.js';
import { invalidate } from './paint.js';
import { renderPanel } from './panel.js';
import { dropGhost } from './hover.js';
import { outlines } from './polygon.js';
import { remember as rememberWork } from './strip.js';
import { send } from './wire.js';

export function newObject(name, steps, label) {
  const colours = S.objects.map(object => object.colour);
  return { uid: ++S.uid, colour: colours.length ? Math.max(...colours) + 1 : 0, name: cleanName(name) || freeName(), label: cleanName(label) || 'object',
    steps: steps || [] };
}

// objects of a message or of the store, with colours and ids of this page
export function objectsOf(list) {
  const before = S.objects;
  S.objects = [];
  for (const object of list) S.objects.push(newObject(object.name, object.steps, object.label));
  const made = S.objects;
  S.objects = before;
  return made;
}

// What was there before another picture's or link's objects came can be had back.
export function keepForUndo(objects, active_) {
  S.undo.push(JSON.stringify({ objects, active: active_ }));
}

function freeName() {
  let n = 1;
  while (S.objects.some(object => object.name === 'object ' + n)) n++;
  return 'object ' + n;
}

export function cleanName(name) {                           // no control characters, capped
  return Array.from(String(name || '').replace(/[\u0000-\u001f\u007f]/g, ' ').trim()).slice(0, LIMITS.name).join('').trim();
}

const snapshot = () => JSON.stringify({ objects: S.objects, active: S.active });

function restore(text) {
  const saved = JSON.parse(text);
  S.objects = saved.objects;
  S.active = saved.active;
}

function commit(change) {
  S.undo.push(snapshot());
  if (S.undo.length > LIMITS.undo) S.undo.shift();
  S.redo = [];
  change();
  changed();
}

function travel(from, to, word) {
  if (!from.length) return tell('Nothing to ' + word + '.');
  to.push(snapshot());
  restore(from.pop());
  changed();
  tell(word === 'undo' ? 'Undone.' : 'Done again.');
}

export function undo() { travel(S.undo, S.redo, 'undo'); }
export function redo() { travel(S.redo, S.undo, 'redo'); }

export function addStep(step) {
  if (active().steps.length >= LIMITS.steps) return tell('This object has ' + LIMITS.steps + ' clicks, the most that it can have.');
  commit(() => active().steps.push(step));
}

export function addPoint(p, label) {
  if (!inside(p)) return;
  addStep({ point: [p[0], p[1], label], choice: null });
  tell((label ? 'Include' : 'Exclude') + ' at x ' + p[0] + ', y ' + p[1] + '.');
}

export function setRings(rings) {                    // a polygon takes the place of the mask; edits of it replace each other
  const last = active().steps.at(-1), step = { rings, choice: null };
  if (last && last.rings) commit(() => { active().steps[active().steps.length - 1] = step; }); else addStep(step);
}

export function addBox(a, b) {
  const box = [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
  if (box[0] === box[2] || box[1] === box[3]) return;
  addStep({ box, choice: null });
  tell('Box from ' + box.slice(0, 2).join(', ') + ' to ' + box.slice(2).join(', ') + '.');
}

// one click of the active object: picked, so that a key or the small x deletes it; moved; deleted
export function pick(i) {
  S.picked = i;
  tell('Click ' + (i + 1) + ' of ' + active().steps.length + ' is selected: Delete removes it, a drag moves it.');
  invalidate();
}

export function moveStep(i, p) {
  const { point } = active().steps[i];
  if (point[0] === p[0] && point[1] === p[1]) return;
  commit(() => { active().steps[i] = { point: [p[0], p[1], point[2]], choice: null }; forgetChoices(i); });
  tell('Moved to x ' + p[0] + ', y ' + p[1] + '.');
}

export function removeStep(i) {
  if (!active() || !active().steps[i]) return;
  commit(() => { active().steps.splice(i, 1); forgetChoices(i); });
  tell('Deleted one click.');
}

function forgetChoices(from) {                       // masks chosen after a click that is not there any more mean nothing
  for (const step of active().steps.slice(from)) step.choice = null;
}

export function act(p, label) {                             // a click: picks a region while regions show, else prompts
  const i = S.regionsOn ? recordAt(p) : -1;
  if (i >= 0 && label) pickRecord(S.records[i]); else addPoint(p, label);
}

export function clearObject() {
  if (!active() || !active().steps.length) return;
  commit(() => { active().steps = []; });
  tell('Cleared ' + active().name + '.');
}

export function addObject(steps) {
  if (S.objects.length >= LIMITS.objects) return tell('A picture can have ' + LIMITS.objects + ' objects.');
  commit(() => { S.objects.push(newObject('', steps, active() && active().label)); S.active = S.objects.length - 1; });
}

export function importObjects(list) {                // beside the objects that are there; one without clicks makes room
  commit(() => {
    S.objects = S.objects.filter(object => object.steps.length);
    S.active = S.objects.length;
    for (const object of list) S.objects.push(newObject(object.name, object.steps, object.label));
  });
  tell(list.length === 1 ? 'Imported 1 object.' : 'Imported ' + list.length + ' objects.');
}

export function removeObject(i) {
  commit(() => {
    S.objects.splice(i, 1);
    if (!S.objects.length) S.objects.push(newObject());
    S.active = clamp(S.active > i ? S.active - 1 : S.active, 0, S.objects.length - 1);
  });
}

export function renameObject(i, name) {
  const clean = cleanName(name);
  if (clean && clean !== S.objects[i].name) commit(() => { S.objects[i].name = clean; }); else renderPanel();
}

export function setLabel(i, label) {
  if (S.objects[i].label === label) return;
  commit(() => { S.objects[i].label = label; });
  tell(S.objects[i].name + ' is labelled ' + label + '.');
}

export function unlabel(label) {                     // of all objects that have it
  const having = S.objects.filter(object => object.label === label);
  if (having.length) commit(() => { for (const object of having) object.label = PLAIN; });
}

export function activate(i) {
  S.active = i;
  changed();
  tell(active().name + '.');
}

export function choose(k) {                                 // the mask of the last step that counts and feeds the next step
  const object = active(), result = resultOf(object);
  if (!result || !(k < result.masks.length) || chosenIndex(object) === k) return;
  commit(() => setChoice(object, k, result));
  tell('Mask ' + (k + 1) + ', predicted IoU ' + rated(result.scores[k], 2) + '.');
}

function setChoice(object, k, result) {
  object.steps[object.steps.length - 1].choice = k;
  remember(keyOf(object), { ...result, chosen: k });   // same masks, so no round trip is needed to show it
}

// the record's own grid point, then the candidate that equals it; what a crop showed becomes a mask that no click made
function pickRecord(record) {
  const step = record.rle ? { mask: record.rle, choice: null } : { point: [record.point[0], record.point[1], 1], choice: null };
  if (active().steps.length) addObject([step]); else commit(() => active().steps.push(step));
  S.match = record.rle ? null : { key: keyOf(active()), uid: active().uid, mask: record.mask };
  settleMatch();
  tell('Picked a region of ' + record.area + ' pixels.');
}

export function settleMatch() {
  const object = S.match && S.objects.find(o => o.uid === S.match.uid), result = resultOf(object);
  if (!result || keyOf(object) !== S.match.key || !result.masks.length) return;
  const scores = result.masks.map(mask => overlap(mask, S.match.mask));
  S.match = null;
  setChoice(object, scores.indexOf(Math.max(...scores)), result);
  changed();
}

export function remember(key, result) {
  S.results.delete(key);
  S.results.set(key, result);
  while (S.results.size > LIMITS.cached) S.results.delete(S.results.keys().next().value);
}

function changed() {
  dropGhost();
  Object.assign(S, { preview: null, picked: -1 });
  fail('');
  renderPanel();
  invalidate();
  send();
  rememberWork();
  outlines();
}
