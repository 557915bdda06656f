// Sheets: tables that are read on the page itself. Scenes are the dicts of sheets.py; every text goes through textContent.
import { make } from '../../js/maps.js';

const MORE = '#2a7fbf';
const LESS = '#d55e00';

function cell(text, shade) {
  const one = make('td', '', text);
  if (shade === undefined) return one;
  one.style.setProperty('--tone', shade < 0 ? LESS : MORE);
  one.style.setProperty('--much', `${Math.round(70 * Math.abs(shade))}%`);
  return one;
}

function line(table, row, at) {
  const made = make('tr', '');
  const first = make('th', '');
  first.scope = 'row';
  if (table.hues) {
    first.append(make('i', ''));
    first.style.setProperty('--hue', table.hues[at]);
  }
  first.append(row[0]);
  made.append(first, ...row.slice(1).map((text, k) => cell(text, table.heat?.[at][k])));
  return made;
}

export function sheet(root, scene) {
  root.replaceChildren(...scene.tables.map((table) => {
    const part = make('section', 'gb-sheet');
    const frame = make('div', '');
    const grid = make('table', '');
    const top = make('tr', '');
    for (const name of table.head) {
      const one = make('th', '', name);
      one.scope = 'col';
      top.append(one);
    }
    const head = make('thead', '');
    const rows = make('tbody', '');
    head.append(top);
    rows.append(...table.rows.map((row, at) => line(table, row, at)));
    grid.append(head, rows);
    frame.tabIndex = 0;
    frame.setAttribute('role', 'group');
    frame.setAttribute('aria-label', table.title);
    frame.append(grid);
    part.append(make('h4', '', table.title), frame, ...table.notes.map((text) => make('p', 'gb-note', text)));
    return part;
  }));
}
