// The line to Python. The canvas asks with triggers; answers come back as events that the two feeds dispatch on the root:
//   gx-scene    another picture, model or set of objects       gx-reply  masks for one prompt, by sequence number
//   gx-records  regions that everything mode found     gx-file   a finished export        gx-notice  one sentence
let phaseTimer = 0;

function setPhase(name, text) {
  root.dataset.phase = name;
  clearInterval(phaseTimer);
  part('phase').hidden = !text;
  part('phase-text').textContent = text || '';
  if (!text) return;
  const since = performance.now();
  const tick = () => { const s = (performance.now() - since) / 1000; part('timer').textContent = s.toFixed(1) + ' s' + (s > 30 ? ', still waiting for the server' : ''); };
  tick();
  phaseTimer = setInterval(tick, 100);
}

const plain = object => JSON.parse(JSON.stringify({ name: object.name, steps: object.steps }));

// One request at a time; what happens meanwhile goes out as one request with the answer. (Gradio's own trigger_mode "always_last" would
// repeat the data of the first event.) An answer that is overdue does not block: after ten seconds the next change is sent all the same.
// What is said is told at once, apart from the masks, so that a link or an export never lags behind a slow model.
function send() {
  if (!S.picture) return;
  trigger('said', { turn: ++S.turn, epoch: S.epoch, objects: S.objects.map(plain), active: S.active });
  S.again = performance.now() - S.busy < 10000;
  root.dataset.sent = S.seq + 1;
  if (!S.again) sendNow();
}

function sendNow() {
  S.busy = performance.now();
  const seq = ++S.seq, keys = S.objects.map(keyOf);
  const want = keys.flatMap((key, i) => S.objects[i].steps.length && !S.results.has(key) ? [i] : []);
  S.pending.set(seq, keys);
  if (!S.encoded) setPhase('encode', 'Encoding the picture'); else if (want.length) setPhase('predict', 'Predicting');
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
  for (const item of reply.results || []) if (keys) remember(keys[item.index], { ...item, masks: item.masks.map(decode) });
  if (reply.times) S.times = { ...reply.times, click: reply.times.click === null && S.times ? S.times.click : reply.times.click };
  setPhase(reply.error ? 'failed' : 'ready', '');
  if (S.match) settleMatch();
  if (S.again) sendNow();
  renderPanel();
  invalidate();
  announce(reply);
  requestAnimationFrame(() => requestAnimationFrame(() => { root.dataset.shown = reply.seq; }));
}

function announce(reply) {
  const result = resultOf(active());
  if (reply.error) return say(reply.error);
  if (!(reply.results || []).length || !result) return;
  const k = chosenIndex(active());
  say(result.masks.length + (result.masks.length === 1 ? ' mask' : ' masks') + ', predicted IoU ' + result.scores[k].toFixed(2) + ', ' + result.areas[k].toLocaleString('en') + ' pixels.');
}

async function adopt(scene) {                        // Python set a picture, a model or a restored link
  if (!scene || !scene.epoch || scene.epoch === S.epoch) return;
  S.epoch = scene.epoch;
  const fresh = scene.image_id !== S.imageId;
  if (fresh) {
    setPhase('load', 'Loading the picture');
    const picture = await loadPicture(scene.image.url).catch(() => null);
    if (S.epoch !== scene.epoch) return;
    if (!picture) { setPhase('failed', ''); return fail('The picture could not be loaded from the server.'); }
    showPicture(picture, scene);
  }
  Object.assign(S, { results: new Map(), pending: new Map(), encoded: false, times: null, match: null, busy: -Infinity, objects: [], active: 0 });
  for (const object of scene.objects || []) S.objects.push(newObject(object.name, object.steps));
  if (!S.objects.length) S.objects.push(newObject());
  S.active = clamp(scene.active || 0, 0, S.objects.length - 1);
  dropRecords();
  renderPanel();
  send();
  root.dataset.ready = scene.image_id;
  root.dataset.epoch = scene.epoch;
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
  const fresh = batch.records.map(record => ({ ...record, mask: decode(record.mask) }));
  S.records = S.records.slice(0, batch.first).concat(fresh);
  S.regions = paintRegions(batch.first ? S.regions : null, S.records, batch.first);
  showRegions(true);
  root.dataset.records = batch.final ? 'final' : String(batch.done);
  say(S.records.length + ' regions' + (batch.final ? '.' : ', ' + batch.done + ' of ' + batch.total + ' points done.'));
}

function save(file) {
  const link = make('a');
  link.href = file.file.url;
  link.download = file.name;
  document.body.append(link);
  link.click();
  link.remove();
  say('Saved ' + file.name + '.');
}

async function uploadPicture(file) {
  if (!file) return;
  fail('');
  setPhase('upload', 'Uploading ' + (file.size / 1e6).toFixed(1) + ' MB');
  try {
    const { path } = await upload(file);
    trigger('picture', { path });
  } catch (problem) {
    setPhase(S.picture ? 'ready' : 'empty', '');
    fail('The upload failed: the file is too large, or the server cannot be reached.');
  }
}

function notice(message) {                           // the running session stays as it is
  setPhase(S.picture ? 'ready' : 'empty', '');
  fail(message.text);
}

const firstPicture = list => Array.from(list || []).find(file => file.size >= 0);
part('file').addEventListener('change', event => { uploadPicture(firstPicture(event.target.files)); event.target.value = ''; });
root.addEventListener('dragover', event => { if (event.dataTransfer.types.includes('Files')) { event.preventDefault(); root.classList.add('gx-dropping'); } });
root.addEventListener('dragleave', event => { if (!root.contains(event.relatedTarget)) root.classList.remove('gx-dropping'); });
root.addEventListener('drop', event => {
  event.preventDefault();
  root.classList.remove('gx-dropping');
  uploadPicture(firstPicture(event.dataTransfer.files));
});
function paste(event) {
  if (!root.isConnected) return document.removeEventListener('paste', paste);
  const typing = /^(INPUT|TEXTAREA)$/.test(event.target.tagName), file = firstPicture(event.clipboardData.files);
  if (file && !typing && root.offsetParent) { event.preventDefault(); uploadPicture(file); }
}
document.addEventListener('paste', paste);

const HANDLERS = { scene: adopt, reply: receive, records: receiveRecords, file: save, notice };
for (const [name, handler] of Object.entries(HANDLERS)) root.addEventListener('gx-' + name, event => handler(event.detail));
watch('value', () => adopt(props.value));

canvas.__gx = {                                      // for tests: where a picture point is on screen, and the state
  toClient, toPicture,
  state: () => ({ objects: S.objects.map(plain), active: S.active, sign: S.sign, cursor: S.cursor, view: { ...S.view }, seq: S.seq, shown: S.shown,
    size: [S.width, S.height], records: S.records.length, recordAreas: S.records.map(record => record.area), hovered: S.hovered, scores: (resultOf(active()) || { scores: [] }).scores,
    areas: (resultOf(active()) || { areas: [] }).areas, chosen: active() ? chosenIndex(active()) : -1, times: S.times, preview: S.preview }),
};
renderSamples();
setSign(1);
resize();
renderPanel();
adopt(props.value);
