/** What is bought: drafted, ordered, received in parts, paid. */
import { newKey } from '../core/client.js';
import { isPositive } from '../core/decimal.js';
import { receive, writeDocument } from '../core/documents.js';
import { ask, button, card, facts, quantityColumn, say, show, table } from '../core/elements.js';
import { placeField } from '../core/finding.js';
import { may, stock } from '../core/live.js';
import { namesOf } from '../core/names.js';
import { takePayment } from '../core/payments.js';
import { filled, ListOrOne, recordsView } from '../core/records.js';
import { number, t } from '../core/words.js';

const fields = ['supplier_id! record suppliers', placeField(),
  'reference text', 'due_on date', 'note text'];
const columns = ['unit_cost decimal'];
const List = recordsView({
  path: '/v1/purchases', title: 'purchases', one: 'one_purchase', modules: ['purchases', 'payments', 'suppliers'], write: 'stock:write', href: (row) => `#/purchases/${row.id}`,
  filters: ['status choice draft ordered partially_received received cancelled', 'supplier_id record suppliers',
    'overdue choice true', 'from date', 'to date'],
  columns: ['occurred_at moment', 'number text', 'supplier_id name suppliers', 'status badge',
    'total amount', 'due amount', 'due_on day'],
  actions: () => [may('stock:write') && button(t('reorder'), async () => {
    const { data } = await stock.post('/v1/purchases/reorder', {}, { key: newKey() });
    say(t('reordered', { n: data.length }));
  })],
  make: (kind) => writeDocument({ path: kind.path, title: t('new_one', { one: t(kind.one) }), fields, columns }),
});

class Purchases extends ListOrOne {
  static List = List;

  async loadOne(path, signal) {
    const [{ body: one, etag }, supplier, location] = await Promise.all([stock.request('GET', path, { signal }), namesOf('suppliers'), namesOf('locations')]);
    const isOpen = one.status === 'ordered' || one.status === 'partially_received';
    show(this.place,
      this.head(one.number ? t('purchase_number', { n: one.number }) : t('draft'),
        ...(may('stock:write') ? [
          one.status === 'draft' && button(t('edit'), () => writeDocument({ path, title: t('edit'), fields, columns, before: one, etag })),
          one.status === 'draft' && button(t('order'), () => ask(t('order'), ['note text'], { label: t('order'), values: one, submit: (given, changed, key) => stock.post(`${path}/order`, filled(given), { key }) }), 'main'),
          isOpen && button(t('receive'), () => receive(path, one.lines.filter((line) => isPositive(line.open_quantity))), 'main'),
          may('payments:write') && one.status !== 'draft' && isPositive(one.due) && button(t('pay_out'), () => takePayment({ purchase_id: one.id }, one.due, 'out')),
          one.status !== 'cancelled' && button(t('cancel_purchase'), () => ask(t('cancel_purchase'), ['reason text'], { danger: true, label: t('cancel_purchase'), submit: (given, changed, key) => stock.post(`${path}/cancel`, filled(given), { key }) }), 'quiet bad'),
        ] : [])),
      card(facts(one, ['status badge', ['supplier_id', supplier(one.supplier_id)], ['location_id', location(one.location_id)], 'occurred_at moment', 'reference text',
        'due_on day', 'goods amount', 'total amount', 'paid amount', 'due amount', 'note text', ['reason', one.cancellation?.reason]])),
      table(t('lines'), ['name text', quantityColumn, 'received_quantity number', 'open_quantity number', 'unit_cost price', 'landed_cost price', 'total amount'], one.lines));
  }
}
customElements.define('view-purchases', Purchases);
export default Purchases;
