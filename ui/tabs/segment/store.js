// What this browser keeps of the visitor's work: own pictures, and for each picture its objects. IndexedDB, bounded in bytes;
// where that is not to be had, the work is kept while the page is open. Nothing of it is sent anywhere but to open a picture.
import { root } from './core.js';

export const MOST = { bytes: 200e6, pictures: 200 };
const NAME = 'glassbox-segment', ROOM = 'pictures';
export const kept = new Map();                       // key -> {key, name, blob, imageId, thumb, objects, active, when}
let base = null;
const timers = new Map();

const done = request => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function opened() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(ROOM, { keyPath: 'key' });
  base = await done(request);
  const all = await done(base.transaction(ROOM).objectStore(ROOM).getAll());
  for (const record of all.sort((a, b) => a.when - b.when)) if (!kept.has(record.key)) kept.set(record.key, record);
}

let opening = null;
export const storeOpen = () => opening ||= Promise.race([opened().catch(() => {}), new Promise(go => setTimeout(go, 2000))]);

export const bytesKept = () => [...kept.values()].reduce((sum, record) => sum + (record.blob ? record.blob.size : 0), 0);

// Whether there is room for one more picture of this size.
export const fits = size => kept.size < MOST.pictures && bytesKept() + size <= MOST.bytes;

function change(run) {
  if (!base) return Promise.resolve();
  return done(run(base.transaction(ROOM, 'readwrite').objectStore(ROOM))).catch(() => {});
}

// Written at once in this page, and in the browser's storage a moment later: of quick changes only the last one is written.
export function put(record) {
  kept.set(record.key, record);
  clearTimeout(timers.get(record.key));
  timers.set(record.key, setTimeout(() => write(record), 150));
  root.dataset.keeping = timers.size;
}

function write(record) {
  timers.delete(record.key);
  const { dirty, ...rest } = record;
  return change(room => room.put(rest)).then(() => { root.dataset.keeping = timers.size; });
}

export function flush() {                            // what waits is written now, as when the page is left
  for (const [key, timer] of timers) { clearTimeout(timer); write(kept.get(key)); }
}

export function drop(key) {
  clearTimeout(timers.get(key));
  timers.delete(key);
  kept.delete(key);
  return change(room => room.delete(key));
}

export function dropAll() {
  for (const timer of timers.values()) clearTimeout(timer);
  timers.clear();
  kept.clear();
  return change(room => room.clear());
}
