// The film strip: the visitor's own pictures and the samples that they worked on, with what was done on each. Switching
// keeps everything; what the browser's store holds comes back after a reload and in a new tab.
import { say } from '../../js/wire.js';
import { S, fail, make, part, plain, root, tell } from './core.js';
import { drop, dropAll, fits, flush, kept, put, storeOpen } from './store.js';
import { button } from './panel.js';
import { objectsOf } from './edit.js';
import { chooseSample, openFile, ownAgain, sent } from './wire.js';

const own = record => Boolean(record.blob);
const worked = record => record.objects.some(object => object.steps.length);
const shownOnes = () => [...kept.values()].filter(record => own(record) || worked(record));
const done = record => JSON.stringify(record.objects.filter(object => object.steps.length));
const recordOf = imageId => kept.get(imageId) || [...kept.values()].find(record => record.imageId === imageId);

let pending = null, wanted = null, loose = false;   // loose: work on an own picture that is not kept

// --- what was done on the picture on screen ---

export function remember() {
  if (!S.picture) return;
  const record = recordOf(S.imageId) || { key: S.imageId, name: S.imageId, blob: null, imageId: S.imageId, thumb: thumbOf(S.imageId), when: Date.now() };
  const objects = S.objects.map(plain);
  if (!own(record) && record.key.startsWith('own-')) {                   // forgotten, or there was no room for it
    loose ||= worked({ objects });
    return;
  }
  if (!kept.has(record.key) && !worked({ objects })) return;
  if (JSON.stringify([record.objects, record.active]) === JSON.stringify([objects, S.active])) return;
  const dirty = own(record) && (record.dirty || done(record) !== done({ objects }));
  put(Object.assign(record, { objects, active: S.active, dirty }));
  renderStrip();
}

// The objects that the store has for a picture that has just come.
export function recalled(imageId) {
  if (pending && imageId.startsWith('own-')) {
    const record = kept.get(pending), twin = recordOf(imageId);
    if (twin && twin !== record && record) drop(record.key);             // the same pixels under another name
    else if (record) put(Object.assign(record, { imageId }));
  }
  pending = null;
  const found = recordOf(imageId);
  return found && worked(found) ? { objects: objectsOf(found.objects), active: found.active } : null;
}

const thumbOf = id => { const node = [...part('samples').children].find(one => one.dataset.id === id); return node ? node.querySelector('img').src : null; };

export function refused() {                          // the server would not have the picture that was being opened
  const record = pending && kept.get(pending);
  if (record && !record.imageId) drop(record.key);
  pending = null;
  renderStrip();
}

export function saved() {                            // an export holds what was done
  for (const record of kept.values()) record.dirty = false;
  loose = false;
}

// Everything that was annotated, as an export of all pictures asks for it. The server gets the own pictures that it does
// not have; a picture that it does not take is left out, and said.
export async function everyPicture() {
  const list = [], lost = [];
  for (const record of [...kept.values()].filter(worked)) {
    const id = own(record) && !opened.has(record.key) ? await provide(record) : record.imageId;
    if (id) list.push({ picture: id, objects: record.objects }); else lost.push(record.name);
  }
  if (lost.length) fail('These pictures could not be read and are left out: ' + lost.join(', ') + '.');
  return list;
}

const given = new Map();                             // key -> what waits for the server's answer

async function provide(record) {
  const path = await sent(record.blob, record.name).catch(() => null);
  if (!path) return null;
  const answer = await new Promise(done => {
    given.set(record.key, done);
    say('segment', { kind: 'add', path, key: record.key, name: record.name });
  });
  if (answer) { opened.add(record.key); put(Object.assign(record, { imageId: answer })); }
  return answer;
}

export function added({ key, id }) {
  const done = given.get(key);
  given.delete(key);
  if (done) done(id);
}

export const annotated = () => [...kept.values()].filter(worked).length;

// --- pictures ---

export async function addFiles(files) {
  const records = [];
  for (const file of files) {
    const key = ['file', file.name, file.size, file.lastModified].join('|');
    const record = kept.get(key) || { key, name: file.name, blob: file, imageId: null, thumb: null, objects: [], active: 0, when: Date.now() + records.length };
    if (!kept.has(key) && !fits(file.size)) {
      if (!records.length) openFile(file);
      return fail('This browser keeps at most 200 MB of pictures; what does not fit is open, but not kept. Forget some to make room.');
    }
    records.push(record);
    put(record);
    if (!record.thumb) miniature(record);
  }
  renderStrip();
  if (records.length) open(records[0]);
}

async function miniature(record) {
  const image = await createImageBitmap(record.blob, { resizeHeight: 80, resizeQuality: 'medium' }).catch(() => null);
  if (!image || !kept.has(record.key)) return;
  const node = make('canvas');
  Object.assign(node, { width: 108, height: 80 });
  const k = Math.max(108 / image.width, 80 / image.height);
  node.getContext('2d').drawImage(image, (108 - image.width * k) / 2, (80 - image.height * k) / 2, image.width * k, image.height * k);
  put(Object.assign(record, { thumb: node.toDataURL('image/jpeg', 0.8) }));
  renderStrip();
}

function open(record) {
  if (!own(record)) return chooseSample(record.key);
  pending = record.key;
  if (record.imageId && opened.has(record.key)) return ownAgain(record.imageId);
  opened.add(record.key);
  return openFile(record.blob, record.name);
}

const opened = new Set();                            // own pictures that this page has given to the server

export function absent({ id }) {                     // the server does not have it any more
  const record = recordOf(id);
  if (record && own(record)) { pending = record.key; openFile(record.blob, record.name); }
}

export function step(by) {
  const all = shownOnes(), at = all.findIndex(record => record.imageId === S.imageId);
  const next = all[at + by] || (at < 0 && all[0]);
  if (next) open(next); else tell(all.length ? 'There is no other picture that way.' : 'Open pictures of your own first.');
}

export async function forget() {
  await dropAll();
  opened.clear();
  tell('This browser has forgotten all pictures and their objects; what is on screen stays.');
  renderStrip();
}

async function forgetOne(record) {
  await drop(record.key);
  tell('Forgotten.');
  renderStrip();
}

// --- the row ---

export function renderStrip() {
  const all = shownOnes(), ready = all.filter(worked).length;
  const strip = all.length > 1 || all.some(own);
  part('kept').hidden = !all.length;
  part('strip').hidden = !strip;
  root.classList.toggle('gx-with-strip', strip);
  part('progress').textContent = ready + ' of ' + all.length + ' annotated';
  part('film').replaceChildren(...all.map(frame));
}

function frame(record) {
  const node = make('span', 'gx-frame'), pick = button('gx-picture', 'Open ' + record.name, () => open(record));
  const count = record.objects.filter(object => object.steps.length).length;
  pick.setAttribute('aria-pressed', String(record.imageId === S.imageId));
  if (record.thumb) { const image = make('img'); image.src = record.thumb; image.alt = ''; pick.append(image); }
  else { const name = make('small', '', record.name); name.translate = false; pick.append(name); }
  if (count) pick.append(make('b', 'gx-done', String(count)));
  const away = button('gx-forget-one', 'Forget ' + record.name, () => forgetOne(record));
  away.append('\u00d7');
  node.append(pick, away);
  return node;
}

// An own picture whose link is reloaded is not on the server any more; the store has it.
export async function restore(imageId) {
  await storeOpen();
  renderStrip();
  const record = wanted && wanted !== imageId ? recordOf(wanted) : null;
  wanted = null;
  if (record && own(record)) { fail(''); open(record); }
}

function leaving(event) {
  flush();
  if (loose || [...kept.values()].some(record => record.dirty)) event.preventDefault();
}

export function listenToStrip() {
  // as the page was asked for: the first answer may have changed the address already
  wanted = new URL(performance.getEntriesByType('navigation')[0].name).searchParams.get('picture');
  storeOpen().then(renderStrip);
  part('forget').addEventListener('click', forget);
  part('previous').addEventListener('click', () => step(-1));
  part('next').addEventListener('click', () => step(1));
  window.addEventListener('beforeunload', leaving);
  window.addEventListener('pagehide', flush);
}
