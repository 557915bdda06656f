// One registry of stages: a scene's kind names the function that draws it, from the room's own stage.js or from the shared ones.
// A stage never draws an answer that is older than what the user did since, unless its function `follows`: then it is told that it is `old`.
// `set` sets parameters and is answered by new scenes; `note` tells held ones of what the stage has drawn by itself, for the link alone.
import { element } from './frame.js';
import { current, linked, noting, say } from './wire.js';

const rooms = new Map();

async function registry(room) {
  if (!rooms.has(room)) rooms.set(room, import(new URL(`../tabs/${room}/stage.js`, import.meta.url)).then((module) => module.stages));
  return rooms.get(room);
}

// A place for each scene, kept while its kind stays, so that a drag or the focus survives an answer; a link's or a
// preset's are new, so that it shows what it shows in a fresh page.
function places(root, scenes, fresh) {
  scenes.forEach((scene, k) => {
    const old = root.children[k];
    if (!fresh && old?.dataset.kind === scene.kind) return;
    const place = element('div', { className: 'gb-stage' });
    place.dataset.kind = scene.kind;
    if (old) old.replaceWith(place); else root.append(place);
  });
  while (root.children.length > scenes.length) root.lastChild.remove();
  return [...root.children];
}

const loaded = (url) => new Promise((done) => {
  const image = new Image();
  image.onload = () => done(image);
  image.onerror = () => done(null);
  image.src = url;
});

export function mount(element_, props, watch) {
  const root = element_.querySelector('.gb-stages');
  const { slug, room } = root.dataset;
  const send = (kind) => (values) => say(slug, { kind, values });
  const tools = { slug, say: (message) => say(slug, message), set: send('set'), note: send('note') };
  let last = 0, link = 0;                  // answers so far; the number of the newest of a link or a preset

  async function show() {
    const { value } = props;
    if (!value) return;
    const old = !current(slug, value.turn);
    const mine = (last += 1);
    const draw = value.scenes.length ? await registry(room) : {};       // a tab without a stage is only ever told of none
    const url = value.image?.url;
    if (url && tools.url !== url) {
      const picture = await loaded(url);
      if (mine !== last) return;
      Object.assign(tools, { url, picture });
    }
    if (mine !== last) return;
    const scenes = JSON.parse(JSON.stringify(value.scenes));
    if (old && !(scenes.length && scenes.every((scene) => draw[scene.kind].follows))) return;
    const fresh = linked(slug, value.turn) && link !== value.turn;
    if (fresh) link = value.turn;
    places(root, scenes, fresh).forEach((place, k) => draw[scenes[k].kind](place, scenes[k], { ...tools, value, old: old || noting(slug) }));
    root.dataset.drawn = Number(root.dataset.drawn || 0) + 1;
  }

  watch('value', show);
  show();
}
