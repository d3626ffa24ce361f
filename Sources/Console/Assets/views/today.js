/** What the shop has done today, moving by itself. */
import { compare, isZero, subtract } from '../core/decimal.js';
import { card, figure, figures, filters, h, show, stack, table } from '../core/elements.js';
import { stock } from '../core/live.js';
import { namesOf } from '../core/names.js';
import { plot, shares } from '../core/plots.js';
import { View } from '../core/view.js';
import { amount, number, period, t, today } from '../core/words.js';

class Today extends View {
  static modules = ['dashboard', 'balance', 'stock', 'sales', 'payments'];

  open() {
    this.place = stack();
    this.show(this.head(t('today')), filters(['date date'], this.query, (values) => this.ask(values)), this.place);
  }

  async load(signal) {
    const date = this.query.get('date');
    const [board, month, method] = await Promise.all([
      stock.get('/v1/dashboard', { date }, { signal }),
      stock.get('/v1/balance/series', { view: 'daily', from: today(29), to: today() }, { signal }),
      namesOf('methods'),
    ]);
    const before = board.compared.week_before;
    const versus = (name, format) => {
      const by = subtract(String(board[name]), String(before[name]));
      return isZero(by) ? t('as_week_before') : t(compare(by, '0') > 0 ? 'more_than_week_before' : 'less_than_week_before', { by: format(by.replace('-', '')) });
    };
    const open = board.hours.filter((one) => one.sales_count > 0).map((one) => one.hour);
    const [from, to] = [Math.min(8, ...open), Math.max(19, ...open)];
    const hours = board.hours.filter((one) => one.hour >= from && one.hour <= to);
    show(this.place,
      figures(board,
        figure(t('sales_total'), amount(board.sales_total), versus('sales_total', amount)), figure(t('sales_count'), number(board.sales_count), versus('sales_count', number)),
        figure(t('income'), amount(board.income), versus('income', amount)), 'expense amount', 'net amount',
        'receivables amount', figure(t('low_stock'), h('a', { href: '#/stock?stock=low' }, number(board.low_stock))),
        figure(t('out_of_stock'), h('a', { href: '#/stock?stock=out' }, number(board.out_of_stock)))),
      h('div', { class: 'columns' },
        card(h('h2', {}, t('by_hour')),
          plot(t('by_hour'), hours.map((one) => String(one.hour)), [{ name: 'sales_total', kind: 'bar', values: hours.map((one) => one.sales_total) }], amount),
          h('details', {}, h('summary', {}, t('as_table')), table(t('by_hour'), ['hour number', 'sales_count number', 'sales_total amount'], hours, { key: (row) => row.hour }))),
        card(h('h2', {}, t('by_method')),
          shares(t('by_method'), board.methods.map((one) => ({ name: method(one.method), value: one.income })), amount))),
      card(h('h2', {}, t('last_days')),
        plot(t('last_days'), month.data.map((one) => period(one.period)), [
          { name: 'income', kind: 'bar', values: month.data.map((one) => one.income) }, { name: 'expense', kind: 'bar', values: month.data.map((one) => one.expense) }], amount),
        h('p', {}, h('a', { href: '#/balance' }, t('balance')))));
  }
}
customElements.define('view-today', Today);
export default Today;
