/** What was sold: the list, and a sale with what can be done to it. */
import { compare, isPositive, isZero, multiply, round, subtract, sum } from '../core/decimal.js';
import { ask, button, card, facts, filters, h, icon, quantityColumn, say, show, table } from '../core/elements.js';
import { may, stock, till } from '../core/live.js';
import { namesOf, recordsOf } from '../core/names.js';
import { takePayment } from '../core/payments.js';
import { showReceipt } from '../core/receipt.js';
import { ListOrOne, recordsView } from '../core/records.js';
import { amount, currency, number, t } from '../core/words.js';

const List = recordsView({
  path: '/v1/sales', title: 'sales', one: 'sale', modules: ['sales', 'payments', 'views'], write: 'none', query: { expand: 'customer,user' },
  href: (row) => `#/sales/${row.id}`,
  filters: ['number search', 'status choice confirmed cancelled draft discarded',
    'register_id record registers', 'user_id record colleagues', 'from date', 'to date'],
  columns: ['number text', 'occurred_at moment', 'status badge', { name: 'customer', value: (row) => row.customer?.name },
    'total amount', 'due amount', 'returned_total amount'],
});

class Sales extends ListOrOne {
  static List = List;

  async loadOne(path, signal) {
    const [sale, method] = await Promise.all([stock.get(path, { expand: 'customer,user,register' }, { signal }), namesOf('methods')]);
    const isSold = sale.status === 'confirmed';
    const canReturn = isSold && may('sales:write') && sale.lines.some((line) => compare(line.returned_quantity, line.quantity) < 0);
    show(this.place,
      this.head(sale.number ? t('sale_number', { n: sale.number }) : t(sale.status),
        sale.status !== 'draft' && button([icon('print'), t('receipt')], () => showReceipt(path)),
        canReturn && button(t('return'), () => this.#return(sale)),
        isSold && may('payments:write') && isPositive(sale.due) && button(t('collect'), () => takePayment({ sale_id: sale.id }, sale.due), 'main'),
        isSold && may('sales:write') && sale.returns.length === 0 && button(t('cancel_sale'), () => this.#cancel(path), 'quiet bad')),
      card(facts(sale, ['status badge', 'occurred_at moment', ['customer', sale.customer && h('a', { href: `#/customers/${sale.customer.id}` }, sale.customer.name)],
        ['user', sale.user?.name], ['register', sale.register?.name], 'note text', ['reason', sale.cancellation?.reason]])),
      table(t('lines'), ['name text', quantityColumn, 'unit_price price', 'discount amount',
        'returned_quantity number', 'total amount'], sale.lines),
      h('div', { class: 'columns' },
        card(facts(sale, ['subtotal', 'discount', 'tax', 'total', 'paid', 'refunded', 'returned_total', 'due', 'change'].map((name) => `${name} amount`))),
        table(t('payments'), [{ name: 'method', value: (row) => method(row.method) }, 'occurred_at moment', 'status badge', { name: 'amount', kind: 'amount', value: (row) => (row.direction === 'out' ? `-${row.amount}` : row.amount) }], sale.payments)),
      sale.returns.length > 0 && table(t('returns'), ['number text', 'occurred_at moment', 'total amount', 'refund amount'], sale.returns,
        { open: (row) => showReceipt(`/v1/returns/${row.id}`) }));
  }

  #cancel(path) {
    ask(t('cancel_sale'), [{ name: 'reason', type: 'text', required: true, whole: true }], { label: t('cancel_sale'), danger: true, submit: (body, changed, key) => stock.post(`${path}/cancel`, body, { key }) });
  }

  /** Asks what comes back, and pays back what that is worth, as far as it was paid. */
  async #return(sale) {
    const open = sale.lines.filter((line) => compare(line.returned_quantity, line.quantity) < 0);
    const methods = (await recordsOf('methods')).filter((one) => one.active);
    const made = await ask(t('return'), [
      ...open.map((line) => ({ name: line.id, type: 'decimal', label: line.name, hint: null })),
      { name: 'method', type: 'choice', required: true, choices: methods.map((one) => one.code) }, 'note text', 'restock flag',
    ], {
      label: t('take_back'), intro: t('return_intro'),
      values: { restock: true, method: sale.payments[0]?.method ?? methods[0]?.code, ...Object.fromEntries(open.map((line) => [line.id, open.length === 1 ? subtract(line.quantity, line.returned_quantity) : null])) },
      submit: async ({ method, note, restock, ...quantities }, changed, key) => {
        const lines = open.filter((line) => quantities[line.id] && isPositive(quantities[line.id])).map((line) => ({ sale_line_id: line.id, quantity: quantities[line.id], restock }));
        if (!lines.length) throw Object.assign(new Error(), { name: 'Problem', errors: [{ pointer: `/${open[0].id}`, detail: t('required_field') }] });
        const body = { lines, ...(note ? { note } : {}), ...(till.id ? { register_id: till.id } : {}) };
        const worth = sum(lines.map((one) => {
          const line = sale.lines.find((other) => other.id === one.sale_line_id);
          const isAll = compare(one.quantity, line.quantity) === 0;
          return isAll ? line.total : round(multiply(line.total, ratio(one.quantity, line.quantity)), currency().decimals);
        }));
        // What is given back follows from the sale; the service says it where that is another amount.
        let back = isPositive(sale.due) ? (compare(worth, sale.due) > 0 ? subtract(worth, sale.due) : '0') : worth;
        for (let attempt = 0; ; attempt++) {
          try {
            return await stock.post(`/v1/sales/${sale.id}/returns`, { ...body, payments: isZero(back) ? [] : [{ method, amount: back }] }, { key: attempt ? `${key}-due` : key });
          } catch (error) {
            const due = error.errors?.find((one) => one.due !== undefined)?.due;
            if (error.code !== 'payment_mismatch' || due === undefined || attempt > 0) throw error;
            back = due;
          }
        }
      },
    });
    if (made) {
      say(t('taken_back', { amount: amount(made.refund) }));
      await showReceipt(`/v1/returns/${made.id}`);
    }
  }
}

/** A part of a whole, exact enough to be rounded once more. */
const ratio = (part, whole) => {
  const scale = 10n ** 12n;
  const digits = (text) => BigInt(round(text, 6).replace('.', ''));
  return round(`${(digits(part) * scale) / digits(whole)}`.padStart(13, '0').replace(/(\d{12})$/, '.$1'), 12);
};

customElements.define('view-sales', Sales);
export default Sales;
