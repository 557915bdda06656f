// Files that leave the page, and a COCO file that comes back: one menu of formats, what to write, and two buttons.
import { say } from '../../js/wire.js';
import { S, chosenIndex, fail, part, tell } from './core.js';
import { importObjects } from './edit.js';
import { annotated, everyPicture } from './strip.js';

export function renderFiles() {
  const there = { objects: S.objects.some(object => chosenIndex(object) >= 0), regions: Boolean(S.regions), pictures: annotated() > 1 }, of = part('of');
  for (const option of of.options) option.disabled = !there[option.value];
  if (!there[of.value]) of.value = there.regions && !there.objects ? 'regions' : 'objects';
  of.hidden = !there.regions && !there.pictures;
  for (const option of part('format').querySelectorAll('[data-alone]')) option.disabled = of.value !== 'objects';
  if (part('format').selectedOptions[0]?.disabled) part('format').value = 'coco';
  part('download').disabled = !there[of.value];
}

async function download() {
  const what = part('format').value;
  if (part('of').value !== 'pictures') return say('segment', { kind: 'export', what, of: part('of').value });
  tell('Collecting the pictures ...');
  say('segment', { kind: 'export', what, pictures: await everyPicture() });
}

async function open(file, upload) {
  if (!file) return;
  fail('');
  tell('Reading the file ...');
  try {
    const { path } = await upload(file);
    say('segment', { kind: 'import', path });
  } catch (problem) {
    fail('The upload failed: the file is too large, or the server cannot be reached.');
  }
}

export function adoptImport(message) {
  if (message.epoch !== S.epoch) return;
  importObjects(message.objects);
}

let imported = Promise.resolve();                    // files are brought in the order in which they were chosen

export function listenToFiles(upload) {
  part('of').addEventListener('change', renderFiles);
  part('download').addEventListener('click', download);
  part('import').addEventListener('click', () => part('coco').click());
  part('coco').addEventListener('change', event => {
    const [file] = event.target.files;
    imported = imported.then(() => open(file, upload));
    event.target.value = '';
  });
}
