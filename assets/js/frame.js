/* The frame's few lines in the browser: colours, language, address bar, copying, saving, and pressing Run.
   Loaded from the head before the page is drawn; everything is reached through window.glassbox. */
(() => {
  const root = document.documentElement;
  const keep = {
    get: (key) => { try { return localStorage.getItem('glassbox-' + key); } catch { return null; } },
    set: (key, value) => { try { localStorage.setItem('glassbox-' + key, value); } catch { /* private mode */ } },
  };
  const WORDS = {
    en: { link: 'Link to this view', python: 'Python for this view', close: 'Close', copied: 'Copied.', selected: 'Selected: press Ctrl+C or ⌘C.' },
    zh: { link: '此视图的链接', python: '此视图的 Python 代码', close: '关闭', copied: '已复制。', selected: '已选中：请按 Ctrl+C 或 ⌘C。' },
  };
  const links = {};        // slug -> query string of its state
  const computed = new Set();
  let active = null;       // slug of the tab on screen; null until the first state has been restored

  function language(code) {
    root.dataset.language = code;
    root.lang = code === 'zh' ? 'zh-Hans' : 'en';
    keep.set('language', code);
  }

  function colours(name) {
    keep.set('theme', name);
    enforce();
  }

  // Gradio sets the class from the system's preference while it mounts; a choice made here wins over that.
  function enforce() {
    const chosen = new URLSearchParams(location.search).get('__theme') ? null : keep.get('theme');
    if (chosen) document.body.classList.toggle('dark', chosen === 'dark');
  }

  function watchColours() {
    enforce();
    new MutationObserver(enforce).observe(document.body, { attributes: true, attributeFilter: ['class'] });
  }

  // The tabs' queries replace each other in the address bar; keys that start with "__" belong to Gradio and stay.
  function address(query) {
    const url = new URL(location.href);
    const own = [...url.searchParams].filter(([key]) => key.startsWith('__'));
    const next = new URLSearchParams(query);
    for (const [key, value] of own) next.set(key, value);
    if (String(next).length < 6000) history.replaceState(history.state, '', '?' + next + url.hash);
  }

  function remember(slug, query) {
    links[slug] = query;
    if (slug === active) address(query);
  }

  async function press(slug) {
    for (let wait = 0; wait < 400; wait += 1) {
      const button = document.getElementById(slug + '-run');
      if (button && !button.disabled) {
        computed.add(slug);
        button.click();
        document.getElementById(slug + '-begin')?.click();
        return;
      }
      await new Promise((done) => setTimeout(done, 25));
    }
  }

  function opened(slug, answersAtOnce) {
    if (active === null || slug === active) return;
    active = slug;
    address(links[slug] || 'tab=' + slug);
    if (answersAtOnce && !computed.has(slug)) press(slug);
  }

  // order: "slug" or "slug run"; a long run starts by itself only when a link with a state asked for it
  function ready(order) {
    const [slug, run] = order.split(' ');
    active = slug;
    root.dataset.tab = slug;
    const long = document.getElementById(slug + '-stop');
    if (run || !long) press(slug);
    root.dataset.ready = 'true';
  }

  function element(tag, attributes, text) {
    const node = Object.assign(document.createElement(tag), attributes);
    if (text) node.textContent = text;
    return node;
  }

  function dialog() {
    const found = document.getElementById('gb-share');
    if (found) return found;
    const box = element('dialog', { id: 'gb-share' });
    const title = element('h2', { id: 'gb-share-title' });
    box.setAttribute('aria-labelledby', title.id);
    const field = element('textarea', { id: 'gb-share-text', readOnly: true, spellcheck: false });
    field.setAttribute('aria-labelledby', title.id);
    const note = element('p', { id: 'gb-share-note' });
    note.setAttribute('role', 'status');
    const close = element('button', { type: 'button', id: 'gb-share-close' });
    close.addEventListener('click', () => box.close());
    box.addEventListener('click', (event) => { if (event.target === box) box.close(); });
    box.append(title, field, note, close);
    (document.querySelector('.gradio-container') || document.body).append(box);
    return box;
  }

  async function copied(text) {
    try { await navigator.clipboard.writeText(text); return true; } catch { return false; }
  }

  // Shows the text selected in a read-only field, so that it can be taken without the clipboard permission as well.
  async function share(kind, text) {
    const box = dialog();
    const link = kind === 'link';
    const whole = link ? location.origin + location.pathname + '?' + text : text;
    const words = WORDS[root.dataset.language];
    box.querySelector('h2').textContent = words[kind];
    box.querySelector('button').textContent = words.close;
    const field = box.querySelector('textarea');
    field.value = whole;
    field.rows = link ? 3 : 16;
    field.wrap = link ? 'soft' : 'off';
    box.querySelector('p').textContent = '';
    if (!box.open) box.showModal();
    field.focus();
    field.select();
    field.scrollTop = 0;
    const done = await copied(whole);
    box.querySelector('p').textContent = done ? words.copied : words.selected;
    box.dataset.copied = done;
  }

  function save(name, text, type) {
    const url = URL.createObjectURL(new Blob([text], { type: type || 'text/csv' }));
    element('a', { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }

  // Arrow keys move between tabs, as the tab pattern promises.
  function arrows(event) {
    const here = event.target.closest && event.target.closest('[role=tab]');
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!here || !step) return;
    const all = [...here.parentElement.querySelectorAll('[role=tab]')].filter((tab) => tab.offsetParent);
    const next = all[(all.indexOf(here) + step + all.length) % all.length];
    next.focus();
    next.click();
  }

  function pressed(event) {
    const button = event.target.closest && event.target.closest('[data-glassbox]');
    if (!button) return;
    if (button.dataset.glassbox === 'theme') colours(document.body.classList.contains('dark') ? 'light' : 'dark');
    if (button.dataset.glassbox === 'language') language(root.dataset.language === 'zh' ? 'en' : 'zh');
  }

  language(keep.get('language') || (navigator.language.startsWith('zh') ? 'zh' : 'en'));
  document.addEventListener('click', pressed);
  document.addEventListener('keydown', arrows);
  if (document.body) watchColours(); else document.addEventListener('DOMContentLoaded', watchColours);
  Object.assign((window.glassbox ||= {}), { share, save, remember, opened, ready, run: press, element });
})();
