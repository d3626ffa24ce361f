/** What is sold: searched while one types, changed in place. */
import { ask, button, card, figure, figures, h, say, show, stack, table } from '../core/elements.js';
import { may, stock } from '../core/live.js';
import { recordsOf } from '../core/names.js';
import { editor, ListOrOne, recordsView } from '../core/records.js';
import { number, price, t } from '../core/words.js';
import { moveGoods } from './movements.js';

export const kind = {
  path: '/v1/products', title: 'products', one: 'one_product', values: { tracks_stock: true, status: 'active', oversell: 'inherit' }, modules: ['products', 'stock'], write: 'catalog:write',
  href: (row) => `#/products/${row.id}`,
  filters: ['q search', 'category_id record categories', 'stock choice ok low out',
    'status choice active archived'],
  columns: [{ name: 'name', sort: 'name' }, { name: 'sku', sort: 'sku' }, 'category_id name categories', { name: 'price', kind: 'price', sort: 'price' },
    { name: 'on_hand', kind: 'number', sort: 'on_hand' }, 'available number'],
  fields: ['name! text', 'sku text', 'price! decimal', 'category_id record categories',
    'unit_id record units', 'tax_group_id record tax_groups', 'min_stock decimal',
    'oversell! choice inherit deny allow', 'status! choice active archived',
    'external_id text', 'tracks_stock flag', { name: 'barcodes', type: 'list', hint: 'one_a_line' }],
  actions: ({ list }) => [may('catalog:write') && button(t('change_prices'), () => changePrices(list.rows))],
};
const List = recordsView(kind);

/** Sets the prices of what is listed, each that was typed. */
function changePrices(listed) {
  const rows = listed.filter((row) => row.sku || row.external_id).slice(0, 100);
  ask(t('change_prices'), rows.map((row) => ({ name: row.id, label: row.name, type: 'decimal' })), {
    values: Object.fromEntries(rows.map((row) => [row.id, row.price])), intro: t('change_prices_intro'),
    submit: async (given, changed, key) => {
      const products = rows.filter((row) => changed[row.id]).map((row) => ({ ...(row.sku ? { sku: row.sku } : { external_id: row.external_id }), price: changed[row.id] }));
      if (products.length) await stock.post('/v1/products/batch', { products }, { key });
      say(t('saved'));
    },
  });
}

class Products extends ListOrOne {
  static List = List;

  openOne() {
    this.top = stack();
    this.form = card();
    this.rest = h('div', { class: 'columns' });
    this.show(this.top, h('div', { class: 'columns' }, this.form, this.rest));
  }

  async loadOne(path, signal, change) {
    const [{ body: one, etag }, places, history, units] = await Promise.all([stock.request('GET', path, { signal }), stock.get(`${path}/stock`, {}, { signal }),
      stock.get(`${path}/price-history`, { limit: 20 }, { signal }), recordsOf('units')]);
    show(this.top,
      this.head(one.name, may('stock:write') && one.tracks_stock && button(t('move_goods'), () => moveGoods(one)), h('a', { class: 'button', href: `#/stock/movements?product_id=${one.id}` }, t('movements')),
        may('catalog:write') && button(t('packagings'), () => this.#packagings(path, one))),
      figures(one, 'price price', figure(t('on_hand'), `${number(one.on_hand)} ${units.find((unit) => unit.id === one.unit_id)?.symbol ?? ''}`), 'available number', 'cost price', 'status badge'));
    // What somebody types is not taken from their hands: the version they began with is compared when it is saved.
    if (!this.form.firstChild || !change || !(this.form.firstChild.isTouched || this.form.contains(document.activeElement))) show(this.form, editor(kind, path, one, etag, () => this.reload()));
    show(this.rest,
      table(t('by_place'), ['name text', 'on_hand number', 'available number', 'min_stock number', 'stock badge'], places.locations, {
        key: (row) => row.location_id, open: may('catalog:write') ? (row) => this.#minimum(path, row) : null }),
      one.packagings.length > 0 && table(t('packagings'), ['name text', 'factor number', 'price price', { name: 'barcodes', value: (row) => row.barcodes.join(', ') }], one.packagings),
      table(t('price_history'), ['changed_at moment', 'kind word', 'packaging text', 'old price', 'new price'], history.data));
  }

  #minimum(path, row) {
    ask(row.name, [{ name: 'min_stock', type: 'decimal', hint: 'min_stock_hint' }], { values: row, submit: ({ min_stock }) => stock.request('PUT', `${path}/stock`, { body: { location_id: row.location_id, min_stock } }) });
  }

  /** Packagings, a line for each: name; how many units; price; barcodes. */
  #packagings(path, one) {
    const text = one.packagings.map((row) => [row.name, row.factor, row.price ?? '', row.barcodes.join(' ')].join('; '));
    ask(t('packagings'), [{ name: 'packagings', type: 'list', hint: 'packagings_hint' }], {
      values: { packagings: text },
      submit: async ({ packagings }) => {
        const { etag } = await stock.request('GET', path);
        const rows = packagings.map((line) => {
          const [name, factor, cost, codes = ''] = line.split(';').map((part) => part.trim());
          return { name, factor, ...(cost ? { price: cost } : {}), barcodes: codes.split(/\s+/).filter(Boolean) };
        });
        await stock.request('PATCH', path, { body: { packagings: rows }, match: etag });
        say(t('saved'));
      },
    });
  }
}
customElements.define('view-products', Products);
export default Products;
