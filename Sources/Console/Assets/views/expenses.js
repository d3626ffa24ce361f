/** Money for what no other document tells of: expenses, and entries in the ledger. */
import { ask, button, openDialog, facts, h, tabs } from '../core/elements.js';
import { may, stock } from '../core/live.js';
import { namesOf } from '../core/names.js';
import { recordsView } from '../core/records.js';
import { View } from '../core/view.js';
import { t } from '../core/words.js';

const above = (current) => () => tabs(t('expenses'), current, [['expenses', 'expenses'], ['expenses/ledger', 'ledger_entries']]);

/** One entry, and what undoes it. */
async function openEntry(path, row) {
  const [one, method, supplier] = await Promise.all([stock.get(`${path}/${row.id}`), namesOf('methods'), namesOf('suppliers')]);
  openDialog(one.category, (close) => [
    facts(one, ['status badge', 'amount amount', ['method', method(one.method)], 'occurred_at moment', ['supplier_id', supplier(one.supplier_id)], 'note text', ['reason', one.reversal?.reason]]),
    one.status === 'confirmed' && may('payments:write') && h('div', { class: 'row end' }, button(t('reverse'), () => {
      close();
      ask(t('reverse'), [{ name: 'reason', type: 'text', required: true, whole: true }], { danger: true, label: t('reverse'), submit: (body, changed, key) => stock.post(`${path}/${row.id}/reverse`, body, { key }) });
    }, 'quiet bad')),
  ]);
}

const money = ['category! text', 'amount! decimal', { name: 'method', type: 'record', of: 'methods', key: 'code', required: true }];
function list(path, title, one, columns, fields) {
  return recordsView({
    path, title, one, modules: ['purchases', 'balance'], write: 'payments:write', fields, opens: (row) => openEntry(path, row),
    filters: ['category search', { name: 'method', type: 'record', of: 'methods', key: 'code' }, 'from date', 'to date'],
    columns: ['category text', 'occurred_at moment', 'amount amount', 'method name methods', ...columns, 'note text', 'status badge'],
  });
}
const Paid = list('/v1/expenses', 'expenses', 'one_expense', ['supplier_id name suppliers'],
  [...money, 'supplier_id record suppliers', { name: 'register_id', type: 'record', of: 'registers', hint: 'register_hint' }, 'note text']);
const Ledger = list('/v1/ledger-entries', 'ledger_entries', 'one_entry', ['direction word'],
  ['direction! choice income expense', ...money, 'note text']);

class Expenses extends View {
  open() {
    const isLedger = this.params[0] === 'ledger';
    const view = new (isLedger ? Ledger : Paid)();
    view.query = this.query;
    view.above = above(isLedger ? 'expenses/ledger' : 'expenses');
    this.show(view);
  }
}
customElements.define('view-expenses', Expenses);
export default Expenses;
