/** Records that are listed, made, changed and deleted, by a declaration of what they are. */
import { ask, button, confirm, declared, filters, h, openDialog, say, stack } from './elements.js';
import { may, stock } from './live.js';
import { namesOf } from './names.js';
import { t } from './words.js';
import { show } from './dom.js';
import { View } from './view.js';

/**
 * A kind of record.
 *
 * @typedef {object} Kind
 * @property {string} path where it is listed, as `/v1/categories`
 * @property {string} title a word for several
 * @property {string} one a word for one
 * @property {string[]} modules
 * @property {object=} query what is asked besides
 * @property {string} write the scope that changes it
 * @property {object[]} columns as `data-table` has them; `of`: what the id in it is of, as names.js has it
 * @property {object[]} fields as `record-form` has them
 * @property {object[]=} filters above the list; `{name: 'q', type: 'search'}` searches
 * @property {object=} values what a new one begins with
 * @property {string[]=} fixed fields that are only given when it is made
 * @property {boolean=} lasting whether it cannot be deleted
 * @property {(row: object) => string=} href where a row leads, if it has a page of its own
 * @property {(row: object, list: View) => void=} opens what shows a row, if it has neither a page nor a form
 * @property {(list: View) => Node[]=} actions what can be done beside making one
 * @property {(list: View) => Promise<object | undefined>=} make makes one, where a form of the fields does not do
 */

/** Makes the view of a kind. */
export function recordsView(/** @type {Kind} */ kind) {
  const columns = declared(kind.columns);
  const named = columns.filter((one) => one.of);
  class List extends View {
    static modules = kind.modules;
    static kind = kind;
    #cursor = null;
    #depth = 1;

    open() {
      this.list = h('data-table', {
        '.caption': t(kind.title), '.columns': columns, '.key': (row) => row.id ?? row.product_id,
        '.sort': this.query.get('sort'), '.sorted': columns.some((one) => one.sort) ? (sort) => this.#sort(sort) : null,
      });
      if (kind.href) this.list.href = kind.href;
      else this.list.open = kind.opens ? (row) => kind.opens(row, this) : (row) => openRecord(kind, row.id);
      this.show(
        this.head(t(kind.title), ...(kind.actions?.(this) ?? []), may(kind.write) && button(t('new_one', { one: t(kind.one) }), () => this.make(), 'main')),
        this.above?.(),
        kind.filters && filters(kind.filters, this.query, (values) => ((this.#depth = 1), this.ask(values))),
        this.list);
    }

    #sort(sort) {
      this.list.sort = sort;
      this.list.renew();
      this.#depth = 1;
      this.ask({ sort });
    }

    /** As many pages as were asked for, so that nothing that is read goes away when something changes. */
    async load(signal) {
      const query = { limit: 100, ...kind.query, ...Object.fromEntries(this.query) };
      const rows = [];
      let cursor;
      for (let page = 0; page < this.#depth; page++) {
        const answer = await stock.get(kind.path, { ...query, cursor }, { signal });
        rows.push(...answer.data);
        cursor = answer.next_cursor;
        if (!cursor) break;
      }
      const names = await Promise.all(named.map((one) => namesOf(one.of)));
      named.forEach((one, index) => (one.value = (row) => [row[one.name]].flat().map(names[index]).join(' + ')));
      if (signal.aborted) return;
      this.#cursor = cursor;
      this.list.more = cursor ? () => ((this.#depth += 1), this.reload()) : null;
      this.list.rows = rows;
    }

    async make() {
      const made = await (kind.make ?? makeRecord)(kind);
      if (made && kind.href) location.hash = kind.href(made).slice(1);
    }
  }
  customElements.define(`list-${kind.title}`, List);
  return List;
}

/** A view that is a list or, where its address names one, that one. */
export class ListOrOne extends View {
  /** The view of the list, of a kind. */
  static List;

  static get modules() {
    return this.List.kind.modules;
  }

  open() {
    if (this.params[0]) return this.openOne();
    const list = new this.constructor.List();
    list.query = this.query;
    this.show(list);
  }

  /** Draws what does not depend on the one. */
  openOne() {
    this.show((this.place = stack()));
  }

  async load(signal, change) {
    if (this.params[0]) await this.loadOne(`${this.constructor.List.kind.path}/${this.params[0]}`, signal, change);
  }
}

/** Asks for a new record and makes it. @returns {Promise<object | undefined>} */
export function makeRecord(kind) {
  return ask(t('new_one', { one: t(kind.one) }), kind.fields, {
    values: { active: true, ...kind.values }, label: t('create'),
    submit: async (given, changed, key) => {
      const made = await stock.post(kind.path, filled(given), { key });
      say(t('created'));
      return made;
    },
  });
}

/** What was filled in. */
export const filled = (given) => Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null && !(Array.isArray(value) && !value.length)));

/** Shows a record to be changed. */
export async function openRecord(kind, id) {
  const path = `${kind.path}/${id}`;
  const { body, etag } = await stock.request('GET', path);
  return openDialog(body.name ?? t(kind.one), (close) => [
    kind.intro?.(body),
    editor(kind, path, body, etag, close),
    may(kind.write) && !kind.lasting && h('div', { class: 'row end' }, button(t('delete'), async () => {
      const isDone = await confirm(t('delete_title', { name: body.name ?? '' }), t('delete'), t('delete_intro'), () => removeRecord(path));
      if (isDone) close();
    }, 'quiet bad')),
  ]);
}

async function removeRecord(path) {
  const { etag } = await stock.request('GET', path);
  await stock.request('DELETE', path, { match: etag });
  say(t('deleted'));
}

/** A form of what can be changed of a record. What somebody else changed meanwhile is shown beside what was typed. */
export function editor(kind, path, body, etag, done) {
  let tag = etag;
  let before = body;
  const fields = declared(kind.fields).filter((field) => !kind.fixed?.includes(field.name));
  const place = h('div', { class: 'editor', oninput: () => (place.isTouched = true) });
  const draw = (values) => {
    const form = h('record-form', {
      '.spec': {
        fields, values, label: may(kind.write) ? t('save') : null,
        submit: async (given) => {
          const changed = Object.fromEntries(Object.entries(given).filter(([name, value]) => differs(value, before[name])));
          if (!Object.keys(changed).length) return done?.(before);
          try {
            const answer = await stock.request('PATCH', path, { body: changed, match: tag });
            say(t('saved'));
            [before, tag] = [answer.body, answer.etag];
            done?.(answer.body);
          } catch (error) {
            if (error.code !== 'version_mismatch') throw error;
            const now = await stock.request('GET', path);
            const both = fields.filter(({ name }) => name in changed && differs(now.body[name], before[name]) && differs(now.body[name], changed[name]));
            const theirs = fields.filter(({ name }) => differs(now.body[name], before[name]));
            const chosen = both.length || theirs.length ? await settleConflict(both, theirs, now.body, changed) : changed;
            if (!chosen) return;
            [before, tag] = [now.body, now.etag];
            place.isTouched = true;
            draw({ ...now.body, ...chosen });
            say(t('conflict_settled'));
          }
        },
      },
    });
    show(place, form);
  };
  draw(body);
  return place;
}

const plainOf = (value) => (value && typeof value === 'object' && !Array.isArray(value) ? value.id ?? value : value ?? null);
const differs = (a, b) => {
  const [left, right] = [plainOf(a), plainOf(b)];
  if (left === right || (left === false && right === null) || (left === null && right === false)) return false;
  return JSON.stringify(left) !== JSON.stringify(right);
};

const say1 = (value) => (value === null || value === undefined || value === '' ? '—' : value === true ? t('yes') : value === false ? t('no') : Array.isArray(value) ? value.join(', ') : String(value));

/** Two versions side by side, of what both have changed; what only the other one has changed is told. */
function settleConflict(both, theirs, now, mine) {
  return openDialog(t('conflict_title'), (close) => {
    const chosen = { ...mine };
    return [
      h('p', {}, t('conflict_intro')),
      h('table', { class: 'versions' },
        h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, t('field')), h('th', { scope: 'col' }, t('yours')), h('th', { scope: 'col' }, t('theirs')))),
        h('tbody', {}, theirs.map(({ name, label }) => {
          const isBoth = both.some((one) => one.name === name);
          const pick = (value, isMine, text) => (isBoth
            ? h('label', {}, h('input', { type: 'radio', name: `of-${name}`, checked: isMine, onchange: () => (isMine ? (chosen[name] = value) : delete chosen[name]) }), text)
            : text);
          return h('tr', {}, h('th', { scope: 'row' }, t(label ?? name)),
            h('td', {}, name in mine ? pick(mine[name], true, say1(mine[name])) : '—'), h('td', {}, pick(now[name], false, say1(now[name]))));
        }))),
      h('footer', {}, button(t('go_on'), () => close(chosen), 'main'), button(t('cancel'), () => close(), 'quiet')),
    ];
  }, { wide: true });
}
