/** What was offered at which prices: written, sent, accepted, and sold once. */
import { newKey } from '../core/client.js';
import { writeDocument } from '../core/documents.js';
import { ask, badge, button, card, facts, h, quantityColumn, show, table } from '../core/elements.js';
import { customerField } from '../core/finding.js';
import { may, stock, till } from '../core/live.js';
import { showReceipt } from '../core/receipt.js';
import { filled, ListOrOne, recordsView } from '../core/records.js';
import { t } from '../core/words.js';

const fields = [{ ...customerField, name: 'customer_id' }, 'valid_until date', 'discount decimal', 'note text'];
const columns = ['unit_price decimal', 'discount decimal'];
const stateOf = (one) => (one.sale_id ? 'sold' : one.expired ? 'expired' : one.status);
const List = recordsView({
  path: '/v1/quotes', title: 'quotes', one: 'one_quote', modules: ['quotes', 'sales'], write: 'sales:write', href: (row) => `#/quotes/${row.id}`,
  filters: ['status choice draft sent accepted cancelled', 'from date', 'to date'],
  columns: ['number text', 'occurred_at moment', { name: 'status', draw: (row) => badge(stateOf(row)) }, 'total amount', 'valid_until day', 'note text'],
  make: (kind) => writeDocument({ path: kind.path, title: t('new_one', { one: t(kind.one) }), fields, columns }),
});

class Quotes extends ListOrOne {
  static List = List;

  async loadOne(path, signal) {
    const { body: one, etag } = await stock.request('GET', path, { signal });
    const customer = one.customer_id && (await stock.get(`/v1/customers/${one.customer_id}`, {}, { signal }));
    const state = stateOf(one);
    const isOpen = state === 'sent' || state === 'accepted';
    const act = (word, properties) => button(t(`${word}_quote`), () => stock.post(`${path}/${word}`, {}, { key: newKey() }), properties);
    show(this.place,
      this.head(one.number ? t('quote_number', { n: one.number }) : t('draft'), ...(may('sales:write') ? [
        state === 'draft' && button(t('edit'), () => writeDocument({ path, title: t('edit'), fields, columns, before: { ...one, customer_id: customer, discount: '0' }, etag })),
        state === 'draft' && act('send', 'main'), state === 'sent' && act('accept'),
        isOpen && button(t('sell'), () => this.#sell(path, one), 'main'),
        state !== 'sold' && one.status !== 'cancelled' && act('cancel', 'quiet bad')] : [])),
      card(facts(one, [['status', badge(state)], ['customer', customer?.name], 'occurred_at moment', 'valid_until day', 'reserved_until moment', 'discount amount', 'tax amount', 'total amount', 'note text',
        ['sale', one.sale_id && h('a', { href: `#/sales/${one.sale_id}` }, t('one_sale'))]])),
      table(t('lines'), ['name text', quantityColumn, 'unit_price price', 'discount amount', 'total amount'], one.lines));
  }

  /** Sells it at its own prices; nothing paid is owed by its customer. */
  async #sell(path, one) {
    const sale = await ask(t('sell'), ['amount decimal', { name: 'method', type: 'record', of: 'methods', key: 'code', required: true }], {
      values: { amount: one.total }, label: t('sell'),
      submit: ({ amount, method }, changed, key) => stock.post(`${path}/convert`, filled({ register_id: till.id, payments: amount ? [{ method, amount }] : [] }), { key }),
    });
    if (sale) showReceipt(`/v1/sales/${sale.id}`);
  }
}
customElements.define('view-quotes', Quotes);
export default Quotes;
