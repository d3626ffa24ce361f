/** Counting what stands on the shelves, with a phone in the hand. */
import { newKey } from '../core/client.js';
import { ask, button, card, confirm, facts, filters, h, regret, show, stack } from '../core/elements.js';
import { placeField, productField } from '../core/finding.js';
import { may, stock } from '../core/live.js';
import { namesOf } from '../core/names.js';
import { ListOrOne, recordsView } from '../core/records.js';
import { t } from '../core/words.js';
import { typed } from '../core/decimal.js';

const List = recordsView({
  path: '/v1/stock/counts', title: 'counts', one: 'one_count', modules: ['stock'], write: 'stock:write', href: (row) => `#/counts/${row.id}`,
  filters: ['status choice open closed cancelled'],
  columns: ['created_at moment', 'location_id name locations', 'status badge', 'note text', 'ended_at moment'],
  fields: [placeField(), 'note text'],
});

class Counts extends ListOrOne {
  static List = List;

  openOne() {
    const path = `/v1/stock/counts/${this.params[0]}`;
    this.top = stack();
    this.code = h('input', { id: 'count-code', autocomplete: 'off', enterkeyhint: 'next', onkeydown: (event) => event.key === 'Enter' && this.counted.select() });
    this.counted = h('input', { id: 'count-number', class: 'number', inputmode: 'decimal', '.value': '1', enterkeyhint: 'done', onkeydown: (event) => event.key === 'Enter' && this.#enter(path) });
    this.entry = h('section', { class: 'card', hidden: true }, h('div', { class: 'fields' },
      h('div', { class: 'field' }, h('label', { for: 'count-code' }, t('sku_or_barcode')), this.code),
      h('div', { class: 'field' }, h('label', { for: 'count-number' }, t('counted_pieces')), this.counted)),
      h('div', { class: 'row' }, button(t('enter'), () => this.#enter(path), 'main'),
        button(t('search_product'), () => ask(t('search_product'), [productField], { label: t('take'), submit: async ({ product }) => {
          const found = await stock.get(`/v1/products/${product}`);
          this.code.value = found.sku ?? found.barcodes[0] ?? '';
          this.product = this.code.value ? null : product;
        } }))));
    this.list = h('data-table', { '.caption': t('lines'), '.key': (row) => row.product_id, '.columns': ['name text', 'sku text', 'counted number', 'on_hand_seen number', 'difference number', 'counted_at moment'] });
    this.show(this.top, this.entry, filters(['differs choice true'], this.query, (values) => this.ask(values)), this.list);
  }

  async loadOne(path, signal) {
    const [one, lines, location] = await Promise.all([stock.get(path, {}, { signal }), stock.all(`${path}/lines`, Object.fromEntries(this.query), 1000, { signal }), namesOf('locations')]);
    const isOpen = one.status === 'open' && may('stock:write');
    const act = (word) => confirm(t(`${word}_count`), t(`${word}_count`), t(`${word}_count_intro`), async () => {
      await stock.post(`${path}/${word}`, {}, { key: newKey() });
      this.reload();
    });
    show(this.top, this.head(t('one_count'), isOpen && button(t('cancel_count'), () => act('cancel'), 'quiet bad'), isOpen && button(t('close_count'), () => act('close'), 'main')),
      card(facts(one, ['status badge', ['location_id', location(one.location_id)], 'created_at moment', 'ended_at moment', 'note text'])));
    this.entry.hidden = !isOpen;
    this.list.rows = lines;
  }

  async #enter(path) {
    const counted = typed(this.counted.value);
    const code = this.code.value.trim();
    if (counted === null || !(code || this.product)) return this.code.focus();
    try {
      await stock.post(`${path}/lines`, { lines: [{ ...(code ? { code } : { product_id: this.product }), counted }] });
      this.code.value = '';
      this.product = null;
      this.counted.value = '1';
      this.code.focus();
      this.reload();
    } catch (error) {
      regret(error);
      this.code.select();
    }
  }
}
customElements.define('view-counts', Counts);
export default Counts;
