/** What views are put together of: tables, forms, dialogs, and fields that find. */
import { newKey } from './client.js';
import { compare, typed } from './decimal.js';
import { h, icon, newID, put, show, unseen } from './dom.js';
import { recordsOf } from './names.js';
import { isRefusal } from './waiting.js';
import * as words from './words.js';

const { t, complaint } = words;

/**
 * What is declared in short, in full: `'price decimal'` is `{ name: 'price', kind: 'decimal', type: 'decimal' }`, `'price! decimal'` has to be
 * filled in, `'status choice open closed'` has these choices, and `'unit_id record units'` is one `of` those.
 */
export const declared = (list) => list.map((one) => {
  if (typeof one !== 'string') return one;
  const [, name, must, kind, rest] = /^(\w+)(!?) (\w+) ?(.*)$/.exec(one);
  return { name, kind, type: kind, required: must !== '', of: rest, choices: rest.split(' ') };
});

// Saying something

/** Says something in the corner for some seconds, to eyes and to screen readers. */
export function say(text, kind = 'good') {
  const corner = document.querySelector('#sayings');
  const saying = h('p', { class: `saying ${kind}` }, text);
  corner.append(saying);
  setTimeout(() => saying.remove(), kind === 'bad' ? 9000 : 4500);
}

/** Says why something was not done. */
export const regret = (error) => say(error.errors?.[0]?.detail ?? complaint(error), 'bad');

/** Something to press; a text in place of its properties is its class. */
export const button = (label, onclick, properties = {}) =>
  h('button', { type: 'button', onclick, ...(typeof properties === 'string' ? { class: properties } : properties) }, label);

/** A word with the colour of what it says. */
export const badge = (value) => h('span', { class: `badge ${value}` }, t(value));

/** A figure with what it is of. */
export const figure = (label, value, more) =>
  h('div', { class: 'figure' }, h('span', { class: 'label' }, label), h('strong', {}, value), more && h('small', {}, more));

/** One below the other. */
export const stack = (...inside) => h('div', { class: 'stack' }, inside);

/** What belongs together. */
export const card = (...inside) => h('section', { class: 'card' }, inside);

/** Figures of something: in short, `'total amount'`, or as `figure` makes them. */
export const figures = (one, ...list) =>
  h('div', { class: 'figures' }, declared(list).map((each) => (each.name && !each.nodeType ? figure(t(each.name), drawn(each.kind, one[each.name]) || '—') : each)));

// Dialogs

/**
 * Opens a dialog.
 *
 * @param {string} title
 * @param {(close: (value?: unknown) => void) => Node | Node[]} make what is in it
 * @returns {Promise<unknown>} what it was closed with
 */
export function openDialog(title, make, { wide = false } = {}) {
  return new Promise((resolve) => {
    const id = newID('title');
    let result;
    const close = (value) => ((result = value), dialog.close());
    const dialog = h(
      'dialog',
      { class: wide ? 'wide' : null, 'aria-labelledby': id },
      h('header', {}, h('h2', { id }, title),
        h('button', { type: 'button', class: 'quiet only-icon', onclick: () => close(), 'aria-label': t('close') }, icon('close'))),
      h('div', { class: 'inside' }, make(close))
    );
    dialog.addEventListener('close', () => (dialog.remove(), resolve(result)));
    document.body.append(dialog);
    dialog.showModal();
    (dialog.querySelector('[autofocus], .inside input:not([type=checkbox]), .inside select, .inside textarea') ??
      dialog.querySelector('.inside button'))?.focus();
  });
}

/** Asks by a form in a dialog. @returns {Promise<unknown>} what `submit` answered, or undefined */
export function ask(title, fields, { values = {}, label = t('save'), submit = async (given) => given, intro, danger = false } = {}) {
  return openDialog(title, (close) => {
    const form = h('record-form', { '.spec': { fields, values, label, danger, submit: async (...all) => close(await submit(...all)) } });
    return [intro && h('p', {}, intro), form];
  });
}

/** Asks whether something is really to be done. */
export const confirm = (title, label, intro, submit) => ask(title, [], { label, intro, danger: true, submit: async () => (await submit?.(), true) });

// Fields that find

/**
 * A field that finds records while one types (the combobox of ARIA 1.2).
 *
 * `.find` gives rows for a text, `.label` and `.detail` say what a row is called; `pick` is told by the event `picked`.
 */
class PickField extends HTMLElement {
  find = async () => [];
  label = (row) => row.name;
  detail = () => '';
  name = '';
  picked = null;
  /** What Enter does instead of choosing: told the text, the row that is marked, and whether somebody has marked it. */
  entered = null;
  #hasMoved = false;
  #rows = [];
  #at = -1;
  #asking = null;
  /** Whether Enter was pressed before what it chooses of was there. */
  #isMeant = false;

  connectedCallback() {
    if (this.input) return;
    const id = newID('list');
    this.input = h('input', {
      type: 'text', role: 'combobox', autocomplete: 'off', 'aria-expanded': 'false', 'aria-controls': id, 'aria-autocomplete': 'list',
      id: this.getAttribute('for-id'), placeholder: this.getAttribute('placeholder'), 'aria-label': this.getAttribute('label'),
      oninput: () => this.#ask(), onfocus: () => this.input.select(),
      onkeydown: (event) => this.#key(event),
      onblur: () => setTimeout(() => this.#hide(), 150),
    });
    this.list = h('ul', { role: 'listbox', id, hidden: true, 'aria-label': this.getAttribute('label') ?? t('found') });
    this.append(this.input, this.list);
    if (this.picked) this.input.value = this.label(this.picked);
  }

  get value() {
    return this.picked?.id ?? null;
  }

  choose(row) {
    this.picked = row;
    this.input.value = row ? this.label(row) : '';
    this.#hide();
    this.dispatchEvent(new CustomEvent('picked', { detail: row, bubbles: true }));
  }

  /** Empties it for the next. */
  clear() {
    this.picked = null;
    this.input.value = '';
    this.#hide();
  }

  /** Offers rows that somebody else has found. */
  offer(rows) {
    this.#offer(rows);
  }

  async #ask(isOpened) {
    this.picked = null;
    this.#rows = [];
    this.#drop();
    const text = this.input.value.trim();
    if (!text && !isOpened) return this.#hide();
    const asking = (this.#asking = new AbortController());
    let rows = [];
    try {
      rows = await this.find(text, asking.signal);
    } catch {}
    if (asking.signal.aborted) return;
    this.#asking = null;
    this.#offer(rows);
    if (this.#isMeant) rows.length ? this.choose(rows[0]) : this.input.form?.requestSubmit();
  }

  #offer(rows) {
    this.#rows = rows;
    this.#hasMoved = false;
    this.#at = rows.length ? 0 : -1;
    show(this.list, rows.map((row, index) =>
      h('li', { role: 'option', id: `${this.list.id}-${index}`, onpointerdown: (event) => (event.preventDefault(), this.choose(row)) },
        h('span', {}, this.label(row)), h('small', {}, this.detail(row)))));
    this.list.hidden = rows.length === 0;
    this.input.setAttribute('aria-expanded', String(rows.length > 0));
    this.#mark();
  }

  #mark() {
    [...this.list.children].forEach((item, index) => item.setAttribute('aria-selected', String(index === this.#at)));
    const marked = this.list.children[this.#at];
    if (marked) {
      this.input.setAttribute('aria-activedescendant', marked.id);
      marked.scrollIntoView({ block: 'nearest' });
    } else this.input.removeAttribute('aria-activedescendant');
  }

  /** What was asked for is not wanted any more. */
  #drop() {
    this.#asking?.abort();
    this.#asking = null;
    this.#isMeant = false;
  }

  #hide() {
    this.#drop();
    this.#rows = [];
    this.list.hidden = true;
    this.input.setAttribute('aria-expanded', 'false');
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === 'Enter' && this.entered) {
      event.preventDefault();
      return this.entered(this.input.value.trim(), this.#rows[this.#at] ?? null, this.#hasMoved);
    }
    if (event.key === 'ArrowDown' && !this.#rows.length && !this.entered) return void this.#ask(true);
    if (event.key === 'Enter' && this.#asking) {
      this.#isMeant = true;
      event.preventDefault();
    }
    if (!this.#rows.length) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const step = event.key === 'ArrowDown' ? 1 : -1;
      this.#at = (this.#at + step + this.#rows.length) % this.#rows.length;
      this.#hasMoved = true;
      this.#mark();
    } else if (event.key === 'Enter' && this.#at >= 0) this.choose(this.#rows[this.#at]);
    else if (event.key === 'Escape') this.#hide();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
customElements.define('pick-field', PickField);

// Forms

/**
 * A field of a form: `name` as in the API; `label` and `hint` are words, `of` the kind of a `record`, as names.js has it.
 *
 * @typedef {{name: string, type: string, label?: string, required?: boolean, hint?: string, choices?: string[], of?: string}} Field
 */

/**
 * A form of fields. `.spec` is `{fields, values, label, submit(values, changed, key)}`; what is refused is said at its field.
 *
 * `key` names the intention: it stays where nobody knows whether it was done, and what was refused is changed to another one.
 */
class RecordForm extends HTMLElement {
  /** @type {{fields: (Field | string)[], values: object, label: string, submit: Function, danger?: boolean}} */
  spec = { fields: [], values: {}, label: '', submit: async () => {} };
  #inputs = new Map();
  #key = newKey();

  connectedCallback() {
    if (this.form) return;
    const { fields, values, label, danger } = this.spec;
    this.problem = h('p', { class: 'notice bad', role: 'alert', hidden: true });
    this.form = h(
      'form', { novalidate: true, onsubmit: (event) => (event.preventDefault(), this.#send()) },
      this.problem,
      h('div', { class: 'fields' }, declared(fields).map((field) => this.#field(field, values?.[field.name]))),
      label && h('footer', {}, (this.sender = h('button', { type: 'submit', class: danger ? 'danger' : 'main' }, label)))
    );
    this.append(this.form);
  }

  #field(field, value) {
    const id = newID(field.name);
    const label = field.label ?? t(field.name);
    const fault = h('p', { class: 'fault', id: `${id}-fault`, hidden: true });
    const about = field.hint ? h('p', { class: 'hint', id: `${id}-hint` }, t(field.hint)) : null;
    const described = [about && `${id}-hint`, `${id}-fault`].filter(Boolean).join(' ');
    const common = { id, name: field.name, required: field.required, 'aria-describedby': described };
    let input;
    switch (field.type) {
      case 'flag':
        input = h('input', { ...common, type: 'checkbox', '.checked': Boolean(value) });
        this.#inputs.set(field.name, { field, input, fault });
        return h('div', { class: 'field flag' }, input, h('label', { for: id }, label), about, fault);
      case 'choice':
        input = h('select', common, !field.required && h('option', { value: '' }, t('none')),
          field.choices.map((one) => h('option', { value: one, selected: one === value }, field.names?.(one) ?? t(one))));
        break;
      case 'choices': {
        const chosen = new Set(value ?? []);
        input = h('fieldset', { id, class: 'choices' }, h('legend', {}, label),
          field.choices.map((one) => h('label', {},
            h('input', { type: 'checkbox', value: one, '.checked': chosen.has(one) }), field.names?.(one) ?? t(one))));
        this.#inputs.set(field.name, { field, input, fault });
        return h('div', { class: 'field whole' }, input, about, fault);
      }
      case 'record':
        input = h('select', common, h('option', { value: '' }, field.required ? '' : t('none')));
        recordsOf(field.of).then((rows) => {
          const wanted = rows.filter((row) => (row.active !== false && (field.only?.(row) ?? true)) || row.id === value);
          put(input, wanted.map((row) => h('option', { value: field.key ? row[field.key] : row.id }, row.name)));
          // Where something has to be chosen, and the first is as good as any, or the only one.
          const first = wanted.toSorted((a, b) => (a.position ?? 0) - (b.position ?? 0))[0];
          input.value = value ?? (field.required && first && (wanted.length === 1 || field.key) ? first[field.key ?? 'id'] : '');
          this.#inputs.get(field.name).given = input.value;
        }, (error) => this.fail(error));
        break;
      case 'pick':
        input = h('pick-field', { 'for-id': id, '.find': field.find, '.detail': field.detail ?? (() => ''), '.picked': value ?? null });
        if (field.show) input.label = field.show;
        break;
      case 'area':
      case 'list':
        input = h('textarea', { ...common, rows: 3 });
        input.value = Array.isArray(value) ? value.join('\n') : value ?? '';
        break;
      case 'file':
        input = h('input', { ...common, type: 'file', accept: field.accept });
        break;
      default: {
        const type = { date: 'date', email: 'email', password: 'password' }[field.type] ?? 'text';
        const isNumber = field.type === 'decimal' || field.type === 'integer';
        input = h('input', {
          ...common, type, autocomplete: field.autocomplete ?? 'off', inputmode: isNumber ? 'decimal' : null, class: isNumber ? 'number' : null,
          autofocus: field.autofocus,
        });
        input.value = isNumber ? words.plain(value) : value ?? '';
      }
    }
    this.#inputs.set(field.name, { field, input, fault });
    return h('div', { class: `field ${field.type}${field.whole ? ' whole' : ''}` },
      h('label', { for: id }, label, field.required ? h('span', { class: 'must', 'aria-hidden': 'true' }, ' *') : null), input, about, fault);
  }

  /** What stands in the form; undefined where nothing does. */
  read() {
    const values = {};
    const faults = [];
    for (const [name, { field, input }] of this.#inputs) {
      const text = ['flag', 'choices', 'file'].includes(field.type) ? '' : (input.input ?? input).value.trim();
      switch (field.type) {
        case 'flag': values[name] = input.checked; break;
        case 'pick':
          values[name] = input.value;
          // Who typed a name and chose none of what was found means somebody.
          if (values[name] === null && text) faults.push({ pointer: `/${name}`, detail: t('not_picked') });
          break;
        case 'file': values[name] = input.files[0] ?? null; break;
        case 'choices': values[name] = [...input.querySelectorAll('input:checked')].map((one) => one.value); break;
        case 'list': values[name] = text ? text.split(/\n/).map((line) => line.trim()).filter(Boolean) : []; break;
        case 'decimal':
        case 'integer': {
          const number = text === '' ? null : typed(text);
          if (text !== '' && (number === null || (field.type === 'integer' && number.includes('.')))) {
            faults.push({ pointer: `/${name}`, detail: t('no_number') });
          }
          const was = this.spec.values?.[name];
          values[name] = number !== null && field.type === 'integer' ? Number(number) : number && was && compare(number, String(was)) === 0 ? was : number;
          break;
        }
        default: values[name] = text === '' ? null : text;
      }
      const isMissing = values[name] === null || (Array.isArray(values[name]) && !values[name].length && field.required);
      if (field.required && isMissing && text === '') faults.push({ pointer: `/${name}`, detail: t('required_field') });
    }
    return { values, faults };
  }

  async #send() {
    this.clear();
    const { values, faults } = this.read();
    if (faults.length) return this.mark(faults);
    const before = this.spec.values ?? {};
    const changed = {};
    for (const [name, value] of Object.entries(values)) {
      const former = before[name]?.id && this.#inputs.get(name).field.type === 'pick' ? before[name].id : before[name] ?? (Array.isArray(value) ? [] : null);
      if (JSON.stringify(value) !== JSON.stringify(former === undefined ? null : former) && !(value === false && former === null)) changed[name] = value;
    }
    this.sender?.setAttribute('aria-busy', 'true');
    if (this.sender) this.sender.disabled = true;
    try {
      await this.spec.submit(values, changed, this.#key);
    } catch (error) {
      if (isRefusal(error)) this.#key = newKey();
      this.fail(error);
    } finally {
      this.sender?.removeAttribute('aria-busy');
      if (this.sender) this.sender.disabled = false;
    }
  }

  clear() {
    this.problem.hidden = true;
    for (const { input, fault } of this.#inputs.values()) {
      fault.hidden = true;
      (input.input ?? input).removeAttribute('aria-invalid');
    }
  }

  /** Says what is wrong, each at its field; what has none above them. */
  fail(error) {
    if (error.name !== 'Problem' && error.name !== 'Unreachable') console.error(error);
    const rest = this.mark(error.errors ?? []);
    if (rest.length || !error.errors?.length) {
      show(this.problem, rest.length ? rest.map((one) => one.detail).join(' ') : complaint(error));
      this.problem.hidden = false;
      if (rest.length === (error.errors ?? []).length) this.problem.scrollIntoView({ block: 'nearest' });
    }
  }

  /** Marks fields. @returns {object[]} the faults that are of none */
  mark(faults) {
    const rest = [];
    let first = null;
    for (const one of faults) {
      const entry = this.#inputs.get(String(one.pointer ?? '').split('/')[1]);
      if (!entry) {
        rest.push(one);
        continue;
      }
      const input = entry.input.input ?? entry.input;
      show(entry.fault, one.detail);
      entry.fault.hidden = false;
      input.setAttribute('aria-invalid', 'true');
      first ??= input;
    }
    first?.focus();
    return rest;
  }
}
customElements.define('record-form', RecordForm);

// Tables

const kinds = {
  amount: words.amount, price: words.price, number: words.number, percent: words.percent, day: words.day, moment: words.moment,
  word: (value) => (value === null || value === undefined ? '' : t(value)), badge: (value) => value && badge(value),
  flag: (value) => (value ? t('yes') : ''),
};
const drawn = (kind, value) => (kinds[kind] ?? ((one) => one ?? ''))(value);
const isRight = (kind) => ['amount', 'price', 'number', 'percent'].includes(kind);

/**
 * A table whose rows keep their place while their figures move.
 *
 * `.columns` are `{name, label?, kind?, value?(row), sort?}`, or in short; `.href(row)` is where a row leads, or `.open(row)` what it opens; `.more` is
 * called when the end is wanted. `.sort` is what is sorted by, `.sorted(name)` is told of another wish.
 */
class DataTable extends HTMLElement {
  caption = '';
  key = (row) => row.id;
  href = null;
  open = null;
  more = null;
  sort = null;
  sorted = null;
  empty = t('nothing');
  #columns = [];
  #rows = [];
  #shown = new Map();

  set columns(list) {
    this.#columns = declared(list);
  }

  connectedCallback() {
    if (!this.body) this.#frame();
  }

  #frame() {
    this.body = h('tbody');
    this.none = h('p', { class: 'none', hidden: true }, this.empty);
    this.further = h('button', { type: 'button', class: 'quiet', hidden: true, onclick: () => this.more?.() }, t('more'));
    show(this,
      h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': this.caption },
        h('table', {}, h('caption', { class: 'unseen' }, this.caption),
          h('thead', {}, h('tr', {}, this.#columns.map((column) => this.#heading(column)))), this.body)),
      this.none, this.further);
  }

  #heading(column) {
    const label = t(column.label ?? column.name);
    const properties = { scope: 'col', class: isRight(column.kind) ? 'right' : null };
    if (!column.sort || !this.sorted) return h('th', properties, label);
    const [up, down] = Array.isArray(column.sort) ? column.sort : [column.sort, `-${column.sort}`];
    const isUp = this.sort === up;
    const isDown = this.sort === down;
    return h('th', { ...properties, 'aria-sort': isUp ? 'ascending' : isDown ? 'descending' : null },
      h('button', { type: 'button', class: 'sorter', onclick: () => this.sorted(isUp ? down : up) }, label,
        h('span', { 'aria-hidden': 'true' }, isUp ? ' ↑' : isDown ? ' ↓' : '')));
  }

  get rows() {
    return this.#rows;
  }

  /** Shows rows; what moved since they were shown last is lit for a moment. */
  set rows(rows) {
    if (!this.body) this.#frame();
    this.#rows = rows;
    const before = this.#shown;
    this.#shown = new Map();
    rows.forEach((row, index) => {
      const key = this.key(row) ?? index;
      const known = before.get(key);
      before.delete(key);
      const line = known ?? { element: h('tr', { onclick: (event) => this.#click(event, line.row) }), cells: [], row };
      line.row = row;
      this.#columns.forEach((column, at) => this.#cell(line, column, at, Boolean(known)));
      this.#shown.set(key, line);
      if (this.body.children[index] !== line.element) this.body.insertBefore(line.element, this.body.children[index] ?? null);
    });
    for (const { element } of before.values()) element.remove();
    this.none.hidden = rows.length > 0;
    this.further.hidden = !this.more;
  }

  #cell(line, column, at, isKnown) {
    const value = column.value ? column.value(line.row) : line.row[column.name];
    const shown = column.draw ? column.draw(line.row) : drawn(column.kind, value);
    let cell = line.cells[at];
    if (!cell) {
      cell = line.cells[at] = h(at === 0 ? 'th' : 'td', {
        scope: at === 0 ? 'row' : null, class: isRight(column.kind) ? 'right' : null, 'data-label': t(column.label ?? column.name),
      });
      line.element.append(cell);
    }
    const text = shown instanceof Node ? shown.textContent : String(shown);
    if (isKnown && cell.textContent === text && !column.draw) return;
    const isMoved = isKnown && cell.textContent !== text;
    const leads = at === 0 && (this.href || this.open);
    if (!leads) show(cell, shown);
    else if (this.href) show(cell, h('a', { href: this.href(line.row) }, shown === '' ? '—' : shown));
    else show(cell, h('button', { type: 'button', class: 'link', onclick: () => this.open(line.row) }, shown === '' ? '—' : shown));
    if (isMoved) {
      cell.classList.remove('moved');
      requestAnimationFrame(() => cell.classList.add('moved'));
    }
  }

  #click(event, row) {
    if (event.target.closest('a, button, input, select, label') || getSelection()?.toString()) return;
    if (this.href) location.hash = this.href(row).slice(1);
    else this.open?.(row);
  }

  /** Draws the headings anew. */
  renew() {
    this.#shown = new Map();
    this.#frame();
    this.rows = this.#rows;
  }
}
customElements.define('data-table', DataTable);

/** How much, in its unit. */
export const quantityColumn = { name: 'quantity', value: (row) => `${words.number(row.quantity)} ${row.unit}` };

/** A table of rows that is complete. */
export const table = (caption, columns, rows, more = {}) => {
  const element = h('data-table', { '.caption': caption, '.columns': columns });
  Object.assign(element, more);
  element.rows = rows;
  return element;
};

/** Filters above a list: each `{name, type, ...}` as a field; `changed(values)` is told of each. */
export function filters(fields, query, changed) {
  return h('div', { class: 'filters', role: 'search' }, declared(fields).map((field) => {
    const id = newID(field.name);
    const now = query.get(field.name) ?? field.standard ?? '';
    const tell = (event) => changed({ [field.name]: event.target.value });
    let input;
    if (field.type === 'search') {
      input = h('input', { id, type: 'search', placeholder: t('search'), autocomplete: 'off', '.value': now, oninput: tell });
      return h('div', { class: 'filter search' }, h('label', { for: id, class: 'unseen' }, t('search')), icon('search'), input);
    }
    if (field.type === 'date') input = h('input', { id, type: 'date', '.value': now, onchange: tell });
    else if (field.type === 'record') {
      input = h('select', { id, onchange: tell }, h('option', { value: '' }, t('all')));
      recordsOf(field.of).then((rows) => {
        put(input, rows.map((row) => h('option', { value: field.key ? row[field.key] : row.id }, row.name ?? '—')));
        input.value = now;
      }, () => {});
    } else {
      input = h('select', { id, onchange: tell }, !field.required && h('option', { value: '' }, t('all')),
        field.choices.map((one) => h('option', { value: one, selected: one === now }, t(one))));
    }
    return h('div', { class: 'filter' }, h('label', { for: id }, t(field.label ?? field.name)), input);
  }));
}

/** Links to views that belong together. */
export const tabs = (label, current, items) =>
  h('nav', { class: 'tabs', 'aria-label': label }, items.map(([address, word]) =>
    h('a', { href: `#/${address}`, 'aria-current': address === current ? 'page' : null }, t(word))));

/** A list of what something is made of: pairs of a name and its value, or in short, `'total amount'`. */
export const facts = (one, list) =>
  h('dl', { class: 'facts' }, declared(list).map((fact) => (Array.isArray(fact) ? fact : [fact.name, drawn(fact.kind, one[fact.name])]))
    .filter(([, value]) => value !== null && value !== undefined && value !== '').map(([name, value]) => h('div', {}, h('dt', {}, t(name)), h('dd', {}, value))));

export { h, icon, newID as newLineID, show, unseen };
