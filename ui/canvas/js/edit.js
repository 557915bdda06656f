// What the user said: named objects, each a list of steps. Every change goes through commit(), which makes it undoable.

function newObject(name, steps) {
  const colours = S.objects.map(object => object.colour);
  return { uid: ++S.uid, colour: colours.length ? Math.max(...colours) + 1 : 0, name: cleanName(name) || freeName(), steps: steps || [] };
}

function freeName() {
  let n = 1;
  while (S.objects.some(object => object.name === 'object ' + n)) n++;
  return 'object ' + n;
}

function cleanName(name) {                           // no control characters, capped
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
  if (!from.length) return say('Nothing to ' + word + '.');
  to.push(snapshot());
  restore(from.pop());
  changed();
  say(word === 'undo' ? 'Undone.' : 'Done again.');
}

const undo = () => travel(S.undo, S.redo, 'undo');
const redo = () => travel(S.redo, S.undo, 'redo');

function addStep(step) {
  if (active().steps.length >= LIMITS.steps) return say('This object has ' + LIMITS.steps + ' clicks, the most that it can have.');
  commit(() => active().steps.push(step));
}

function addPoint(p, label) {
  if (!inside(p)) return;
  addStep({ point: [p[0], p[1], label], choice: null });
  say((label ? 'Include' : 'Exclude') + ' at x ' + p[0] + ', y ' + p[1] + '.');
}

function addBox(a, b) {
  const box = [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
  if (box[0] === box[2] || box[1] === box[3]) return;
  addStep({ box, choice: null });
  say('Box from ' + box.slice(0, 2).join(', ') + ' to ' + box.slice(2).join(', ') + '.');
}

function act(p, label) {                             // a click: picks a region while regions show, else prompts
  const i = S.regionsOn ? recordAt(p) : -1;
  if (i >= 0 && label) pickRecord(S.records[i]); else addPoint(p, label);
}

function clearObject() {
  if (!active() || !active().steps.length) return;
  commit(() => { active().steps = []; });
  say('Cleared ' + active().name + '.');
}

function addObject(steps) {
  if (S.objects.length >= LIMITS.objects) return say('A picture can have ' + LIMITS.objects + ' objects.');
  commit(() => { S.objects.push(newObject('', steps)); S.active = S.objects.length - 1; });
}

function removeObject(i) {
  commit(() => {
    S.objects.splice(i, 1);
    if (!S.objects.length) S.objects.push(newObject());
    S.active = clamp(S.active > i ? S.active - 1 : S.active, 0, S.objects.length - 1);
  });
}

function renameObject(i, name) {
  const clean = cleanName(name);
  if (clean && clean !== S.objects[i].name) commit(() => { S.objects[i].name = clean; }); else renderPanel();
}

function activate(i) {
  S.active = i;
  changed();
  say(active().name + '.');
}

function choose(k) {                                 // the mask of the last step that counts and feeds the next step
  const object = active(), result = resultOf(object);
  if (!result || !(k < result.masks.length) || chosenIndex(object) === k) return;
  commit(() => setChoice(object, k, result));
  say('Mask ' + (k + 1) + ', predicted IoU ' + result.scores[k].toFixed(2) + '.');
}

function setChoice(object, k, result) {
  object.steps[object.steps.length - 1].choice = k;
  remember(keyOf(object), { ...result, chosen: k });   // same masks, so no round trip is needed to show it
}

function pickRecord(record) {                        // the record's own grid point, then the candidate that equals it
  const step = { point: [record.point[0], record.point[1], 1], choice: null };
  if (active().steps.length) addObject([step]); else commit(() => active().steps.push(step));
  S.match = { key: keyOf(active()), uid: active().uid, mask: record.mask };
  settleMatch();
  say('Picked a region of ' + record.area + ' pixels.');
}

function settleMatch() {
  const object = S.match && S.objects.find(o => o.uid === S.match.uid), result = resultOf(object);
  if (!result || keyOf(object) !== S.match.key || !result.masks.length) return;
  const scores = result.masks.map(mask => overlap(mask, S.match.mask));
  S.match = null;
  setChoice(object, scores.indexOf(Math.max(...scores)), result);
  changed();
}

function remember(key, result) {
  S.results.delete(key);
  S.results.set(key, result);
  while (S.results.size > LIMITS.cached) S.results.delete(S.results.keys().next().value);
}

function changed() {
  S.preview = null;
  fail('');
  renderPanel();
  invalidate();
  send();
}
