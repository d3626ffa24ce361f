/** Goods on their way from one place to another. */
import { newKey } from '../core/client.js';
import { compare, add, subtract } from '../core/decimal.js';
import { receive, writeDocument } from '../core/documents.js';
import { button, card, confirm, facts, quantityColumn, show, table } from '../core/elements.js';
import { placeField } from '../core/finding.js';
import { may, stock } from '../core/live.js';
import { namesOf } from '../core/names.js';
import { ListOrOne, recordsView } from '../core/records.js';
import { number, t } from '../core/words.js';

const fields = [placeField('from_location_id'), placeField('to_location_id'), 'note text'];
const List = recordsView({
  path: '/v1/transfers', title: 'transfers', one: 'one_transfer', modules: ['stock'], write: 'stock:write', href: (row) => `#/transfers/${row.id}`,
  filters: ['status choice draft sent partially_received received cancelled', 'location_id record locations'],
  columns: ['created_at moment', 'number text', 'from_location_id name locations', 'to_location_id name locations',
    'status badge', 'note text'],
  make: (kind) => writeDocument({ path: kind.path, title: t('new_one', { one: t(kind.one) }), fields, columns: [] }),
});

class Transfers extends ListOrOne {
  static List = List;

  async loadOne(path, signal) {
    const [{ body: one, etag }, location] = await Promise.all([stock.request('GET', path, { signal }), namesOf('locations')]);
    const lines = one.lines.map((line) => ({ ...line, open_quantity: subtract(line.quantity, add(line.received_quantity, line.lost)) }));
    const isSent = one.status === 'sent' || one.status === 'partially_received';
    const act = (word) => confirm(t(`${word}_transfer`), t(`${word}_transfer`), '', () => stock.post(`${path}/${word}`, {}, { key: newKey() }));
    show(this.place,
      this.head(one.number ? t('transfer_number', { n: one.number }) : t('draft'), ...(may('stock:write') ? [
        one.status === 'draft' && button(t('edit'), () => writeDocument({ path, title: t('edit'), fields, columns: [], before: one, etag })),
        one.status === 'draft' && button(t('send_transfer'), () => act('send'), 'main'),
        isSent && button(t('receive'), () => receive(path, lines.filter((line) => compare(line.open_quantity, '0') > 0)), 'main'),
        (one.status === 'draft' || one.status === 'sent') && button(t('cancel_transfer'), () => act('cancel'), 'quiet bad')] : [])),
      card(facts(one, ['status badge', ['from_location_id', location(one.from_location_id)], ['to_location_id', location(one.to_location_id)], 'sent_at moment', 'received_at moment', 'note text'])),
      table(t('lines'), ['name text', 'sku text', quantityColumn, 'received_quantity number', 'lost number', 'open_quantity number'], lines));
  }
}
customElements.define('view-transfers', Transfers);
export default Transfers;
