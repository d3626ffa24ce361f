/** Who buys, what they owe, and how it came about. */
import { isPositive } from '../core/decimal.js';
import { button, figure, filters, h, show, stack, table } from '../core/elements.js';
import { may, stock } from '../core/live.js';
import { takePayment } from '../core/payments.js';
import { csvButton } from '../core/plots.js';
import { ListOrOne, openRecord, recordsView } from '../core/records.js';
import { amount, t } from '../core/words.js';

const kind = {
  path: '/v1/customers', title: 'customers', one: 'one_customer', modules: ['customers', 'payments', 'sales'], write: 'customers:write',
  href: (row) => `#/customers/${row.id}`,
  filters: ['q search', 'has_balance choice true'],
  columns: [{ name: 'name', sort: ['name', 'name'] }, 'email text', 'phone text', { name: 'balance', kind: 'amount', sort: ['balance', '-balance'] }, 'credit_limit amount'],
  fields: ['name! text', 'email email', 'phone text', 'tax_id text', 'credit_limit decimal',
    'external_id text', 'active flag'],
};
const List = recordsView(kind);

class Customers extends ListOrOne {
  static List = List;

  openOne() {
    this.place = stack();
    this.show(this.place, filters(['from date', 'to date'], this.query, (values) => this.ask(values)), (this.statement = h('div')));
  }

  async loadOne(path, signal) {
    const asked = { ...Object.fromEntries(this.query), limit: 200 };
    const [one, ageing, statement] = await Promise.all([stock.get(path, {}, { signal }), stock.get(`${path}/ageing`, {}, { signal }), stock.all(`${path}/statement`, asked, 2000, { signal })]);
    show(this.place,
      this.head(one.name, csvButton('statement', `${path}/statement`, () => asked), button(t('edit'), () => openRecord(kind, one.id)),
        may('payments:write') && isPositive(one.balance) && button(t('collect'), () => takePayment({ customer_id: one.id }, one.balance), 'main')),
      h('div', { class: 'figures' }, figure(t('balance_owed'), amount(one.balance), one.credit_limit && t('limit_of', { amount: amount(one.credit_limit) })),
        ['current', 'days_1_30', 'days_31_60', 'days_61_90', 'days_over_90'].map((name) => figure(t(name), amount(ageing[name])))));
    show(this.statement, table(t('statement'), ['type word', { name: 'number', draw: (row) => (row.sale_id ? h('a', { href: `#/sales/${row.sale_id}` }, row.number ?? t('one_sale')) : row.number ?? '') },
      'occurred_at moment', { name: 'change_of', kind: 'amount', value: (row) => row.change }, 'balance amount'], statement, { key: (row) => `${row.type}${row.id}` }));
  }
}
customElements.define('view-customers', Customers);
export default Customers;
