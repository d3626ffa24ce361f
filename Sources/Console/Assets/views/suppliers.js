/** Whom goods are bought from. */
import { button } from '../core/elements.js';
import { h } from '../core/dom.js';
import { isPositive } from '../core/decimal.js';
import { may } from '../core/live.js';
import { takePayment } from '../core/payments.js';
import { recordsView } from '../core/records.js';
import { amount, t } from '../core/words.js';

export default recordsView({
  path: '/v1/suppliers', title: 'suppliers', one: 'one_supplier', modules: ['suppliers', 'purchases', 'payments'], write: 'stock:write',
  columns: ['name text', 'contact text', 'email text', 'phone text', 'payable amount'],
  fields: ['name! text', 'contact text', 'email email', 'phone text', 'tax_id text',
    'external_id text', 'active flag'],
  intro: (row) => h('div', { class: 'row' }, h('span', {}, `${t('payable')}: ${amount(row.payable)}`),
    may('payments:write') && may('stock:write') && isPositive(row.payable) && button(t('pay_out'), () => takePayment({ supplier_id: row.id }, row.payable, 'out')),
    h('a', { href: `#/purchases?supplier_id=${row.id}` }, t('purchases'))),
});
