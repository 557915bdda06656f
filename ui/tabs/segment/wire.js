// The line to Python. What the user says and asks for goes through the tab's wire, one numbered message at a time; the masks of a
// prompt are asked for on a line of their own, because an encoder may be slow. What comes back through the feeds (`hear`):
//   reply    masks for one prompt, by its number       records  regions that everything mode found
//   file     a finished export                         notice   one sentence
//   import   objects of a COCO file                   next     a message that can be sent now
import { element } from '../../js/frame.js';
import { answered, say } from '../../js/wire.js';
import {
  S, active, begin, canvas, chosenIndex, clamp, fail, keyOf, part, plain, rated, resultOf, root, tell,
} from './core.js';
import { fit, resize, toClient, toPicture, watchSize } from './view.js';
import { decode, paintRegions } from './mask.js';
import { invalidate } from './paint.js';
import { adoptImport, listenToFiles } from './files.js';
import { keepForUndo, newObject, objectsOf, remember, settleMatch } from './edit.js';
import { listenToTools, markSample, renderPanel, renderSamples, showRegions } from './panel.js';
import { listenToPointer } from './pointer.js';
import { listenToKeys, setSign } from './keys.js';
import { learnLabels, readLabels } from './labels.js';
import { hearOutline, outlines } from './polygon.js';
import { setRadius } from './brush.js';
import { storeOpen } from './store.js';
import { absent, addFiles, added, forget, listenToStrip, recalled, refused, remember as rememberWork, renderStrip, restore, saved } from './strip.js';
import { dropGhost, hearGhost, listenToHover } from './hover.js';
import { adoptBox, listenToBox, peek } from './box.js';

let trigger, upload;

let phaseTimer = 0;

function setPhase(name, text) {
  root.dataset.phase = name;
  clearInterval(phaseTimer);
  part('phase').hidden = !text;
  part('phase-text').textContent = text || '';
  if (!text) return;
  let since = performance.now();
  const tick = () => {
    if (!root.offsetParent) { since = performance.now(); return; }        // nobody waits for a canvas behind another tab
    const s = (performance.now() - since) / 1000;
    part('timer').textContent = s.toFixed(1) + ' s' + (s > 30 ? ', still waiting for the server' : '');
  };
  tick();
  phaseTimer = setInterval(tick, 100);
}

const LOADING = 'Loading the picture ...';

// One request at a time; what happens meanwhile goes out as one request with the answer. An answer that is overdue does not block: after
// ten seconds the next change is sent all the same. What the user did is said at once, apart from the masks, so that a link or an export
// never lags behind a slow model.
export function send() {
  if (!S.picture) return;
  say('segment', { kind: 'set', values: { epoch: S.epoch, objects: S.objects.map(plain), active: S.active } });
  S.again = performance.now() - S.busy < 10000;
  root.dataset.sent = S.seq + 1;
  if (!S.again) sendNow();
}

function sendNow() {
  S.again = false;
  S.busy = performance.now();
  const seq = ++S.seq, keys = S.objects.map(keyOf);
  const want = keys.flatMap((key, i) => S.objects[i].steps.length && !S.results.has(key) ? [i] : []);
  S.pending.set(seq, keys);
  if (!S.encoded) setPhase('encode', 'Encoding the picture ...'); else if (want.length) setPhase('predict', 'Predicting ...');
  trigger('prompt', { seq, epoch: S.epoch, image_id: S.imageId, objects: S.objects.map(plain), active: S.active, want });
}

function receive(reply) {
  if (reply.epoch !== S.epoch || reply.seq <= S.shown) return;      // stale: another picture, or overtaken
  S.busy = -Infinity;
  const keys = S.pending.get(reply.seq);
  S.shown = reply.seq;
  for (const seq of S.pending.keys()) if (seq <= reply.seq) S.pending.delete(seq);
  if (reply.error || S.failed) fail(reply.error);                   // a notice stays until the user goes on
  S.failed = Boolean(reply.error);
  if (!reply.error) S.encoded = true;
  if (!reply.error && keys) S.smallest = reply.smallest;
  for (const item of reply.results || []) if (keys) remember(keys[item.index], { ...item, masks: item.masks.map(decode) });
  if (reply.times) S.times = { ...reply.times, click: reply.times.click === null && S.times ? S.times.click : reply.times.click };
  setPhase(reply.error ? 'failed' : 'ready', '');
  if (S.match) settleMatch();
  if (S.again) sendNow();
  outlines();
  renderPanel();
  invalidate();
  announce(reply);
  if (!reply.error) peek();
  requestAnimationFrame(() => requestAnimationFrame(() => { root.dataset.shown = reply.seq; }));
}

function announce(reply) {
  const result = resultOf(active());
  if (reply.error) return tell(reply.error);
  if (!(reply.results || []).length || !result) return;
  const k = chosenIndex(active());
  tell(result.masks.length + (result.masks.length === 1 ? ' mask' : ' masks') + ', predicted IoU ' + rated(result.scores[k], 2) + ', ' + result.areas[k].toLocaleString('en') + ' pixels.');
}

export async function adopt(scene) {                        // Python set a picture, a model or a restored link
  if (!scene || !scene.epoch || scene.epoch === S.epoch) return;
  S.epoch = scene.epoch;
  adoptBox(scene);
  const fresh = scene.image_id !== S.imageId;
  if (fresh) {
    setPhase('load', LOADING);
    const [picture] = await Promise.all([loadPicture(scene.image.url).catch(() => null), storeOpen()]);
    if (S.epoch !== scene.epoch) return;
    if (!picture) { setPhase('failed', ''); return fail('The picture could not be loaded from the server.'); }
    showPicture(picture, scene);
  }
  setPhase('ready', '');
  dropGhost();
  Object.assign(S, { hoverable: Boolean(scene.hover), results: new Map(), pending: new Map(), encoded: false, times: null, match: null, busy: -Infinity });
  if (scene.objects || !S.objects.length) adoptObjects(scene);              // another model keeps what the user said, up to now
  dropRecords();
  renderPanel();
  send();
  rememberWork();
  renderStrip();
  outlines();
  root.dataset.ready = scene.image_id;
  root.dataset.epoch = scene.epoch;
  restore(scene.image_id);
}

// The objects of a link or preset; without any, those that this browser has kept for the picture. Kept ones that give way
// come back with undo.
function adoptObjects(scene) {
  const own = recalled(scene.image_id), given = scene.objects && scene.objects.length ? objectsOf(scene.objects) : null;
  const took = given || !own ? { objects: given || [], active: scene.active || 0 } : own;
  if (given && own && JSON.stringify(given.map(plain)) !== JSON.stringify(own.objects.map(plain))) keepForUndo(own.objects, own.active);
  Object.assign(S, { objects: took.objects, active: 0 });
  if (!S.objects.length) S.objects.push(newObject());
  learnLabels(S.objects);
  S.active = clamp(took.active, 0, S.objects.length - 1);
}

async function loadPicture(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

function showPicture(picture, scene) {
  Object.assign(S, { picture, imageId: scene.image_id, width: scene.width, height: scene.height, undo: [], redo: [], cursor: null, pointer: null });
  part('stage').style.setProperty('--gx-ratio', scene.width + ' / ' + scene.height);
  S.view.custom = false;
  resize();
  fit();
  setRadius(Math.max(S.width, S.height) / 50);
  markSample();
}

function dropRecords() {
  S.records = [];
  S.regions = null;
  root.dataset.records = '';
  showRegions(false);
}

function receiveRecords(batch) {
  if (!batch || batch.image_id !== S.imageId || batch.epoch !== S.epoch) return;
  if (batch.first > S.records.length) return;        // a message was lost on the way: the final one holds all
  if (!batch.first) fail('');                        // what was wrong before is over
  const fresh = batch.records.map(record => ({ ...record, mask: decode(record.mask) }));
  S.records = S.records.slice(0, batch.first).concat(fresh);
  S.regions = paintRegions(batch.first ? S.regions : null, S.records, batch.first);
  showRegions(true);
  root.dataset.records = batch.final ? 'final' : String(batch.done);
  tell(S.records.length + ' regions' + (batch.final ? '.' : ', ' + batch.done + ' of ' + batch.total + ' points done.'));
}

export function chooseSample(id) {
  fail('');
  setPhase('load', LOADING);
  say('segment', { kind: 'sample', id });
}

function saveFile(file) {
  saved();
  element('a', { href: file.file.url, download: file.name }).click();
  tell('Saved ' + file.name + '.');
}

export function ownAgain(id) {                       // an own picture that this page has opened before
  fail('');
  setPhase('load', LOADING);
  say('segment', { kind: 'own', id });
}

// the path of a file that was handed to the server
export async function sent(file, name) {
  return (await upload(file instanceof File ? file : new File([file], name || 'picture'))).path;
}

export async function openFile(file, name) {
  fail('');
  setPhase('upload', 'Uploading ' + (file.size / 1e6).toFixed(1) + ' MB ...');
  try {
    const path = await sent(file, name);
    setPhase('load', LOADING);
    say('segment', { kind: 'picture', path, name: name || file.name });
  } catch (problem) {
    setPhase(S.picture ? 'ready' : 'empty', '');
    refused();
    fail('The upload failed: the file is too large, or the server cannot be reached.');
  }
}

function notice(message) {                           // the running session stays as it is
  setPhase(S.picture ? 'ready' : 'empty', '');
  refused();
  tell('');
  fail(message.text);
}

const filesOf = list => Array.from(list || []).filter(file => file.size >= 0);
function paste(event) {
  if (!root.isConnected) return document.removeEventListener('paste', paste);
  const typing = /^(INPUT|TEXTAREA)$/.test(event.target.tagName), files = filesOf(event.clipboardData.files);
  if (files.length && !typing && root.offsetParent) { event.preventDefault(); addFiles(files); }
}

function listenToPictures() {
  part('file').addEventListener('change', event => { addFiles(filesOf(event.target.files)); event.target.value = ''; });
  root.addEventListener('dragover', event => { if (event.dataTransfer.types.includes('Files')) { event.preventDefault(); root.classList.add('gx-dropping'); } });
  root.addEventListener('dragleave', event => { if (!root.contains(event.relatedTarget)) root.classList.remove('gx-dropping'); });
  root.addEventListener('drop', event => {
    event.preventDefault();
    root.classList.remove('gx-dropping');
    addFiles(filesOf(event.dataTransfer.files));
  });
  document.addEventListener('paste', paste);
}

let unsettled = false;                               // a setting cannot be used

// A setting was changed, by the user or by a link; where masks are to be cleaner, they are asked for anew.
function settle({ answer, smallest }) {
  answered('segment', answer);
  if (unsettled && smallest !== null) fail('');      // what was said of it is over; other sentences stay
  unsettled = smallest === null;
  if (unsettled || smallest === S.smallest) return;
  Object.assign(S, { smallest, results: new Map(), pending: new Map() });
  send();
}

const HANDLERS = {
  reply: receive, settled: settle, hover: hearGhost, outline: hearOutline, absent, added, records: receiveRecords, file: saveFile,
  import: adoptImport, notice,
  next: ({ message }) => say('segment', message),
};

let early = [];                                      // what came before the canvas was there

function hear(message) {
  if (early) early.push(message); else HANDLERS[message.kind](message);
}

// A feed's messages, and the one that came before this module did; large ones travel as one JSON string, since Svelte
// would wrap their arrays.
export function feed(props, watch) {
  const take = () => {
    const { value } = props;
    if (value) hear(JSON.parse(typeof value === 'string' ? value : JSON.stringify(value)));
  };
  watch('value', take);
  take();
}

// for tests: where a picture point is on screen, the state, and what a feed would bring
const handle = () => ({
  toClient, toPicture, hear, forget,
  state: () => ({ objects: S.objects.map(plain), active: S.active, sign: S.sign, cursor: S.cursor, view: { ...S.view }, seq: S.seq, shown: S.shown,
    size: [S.width, S.height], records: S.records.length, recordAreas: S.records.map(record => record.area), hovered: S.hovered, scores: (resultOf(active()) || { scores: [] }).scores,
    areas: (resultOf(active()) || { areas: [] }).areas, chosen: active() ? chosenIndex(active()) : -1, times: S.times, preview: S.preview,
    ghosts: S.ghosts, ghostArea: S.ghost ? S.ghost.mask.bits.reduce((sum, bit) => sum + bit, 0) : null, picked: S.picked,
    tool: S.tool, radius: S.radius, labels: S.labels, rings: S.polygon ? S.polygon.rings : null }),
});

export function mount(place, props, trigger_, upload_, watch) {
  begin(place);
  [trigger, upload] = [trigger_, upload_];
  canvas.__gx = handle();
  for (const listen of [listenToPointer, listenToKeys, listenToTools, listenToPictures, listenToStrip, listenToBox, watchSize]) listen();
  listenToHover(trigger);
  listenToFiles(upload);
  readLabels();
  renderSamples(props.samples || []);
  setSign(1);
  resize();
  renderPanel();
  setPhase('load', LOADING);
  watch('value', () => adopt(props.value));
  adopt(props.value);
  const waited = early || [];
  early = null;
  waited.forEach(hear);
}
