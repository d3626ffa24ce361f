/** What came in and went out, by day, week, month or year. */
import { figure, filters, h, show, stack, table } from '../core/elements.js';
import { stock } from '../core/live.js';
import { namesOf } from '../core/names.js';
import { csvButton, plot, total } from '../core/plots.js';
import { View } from '../core/view.js';
import { amount, period, t } from '../core/words.js';

class Balance extends View {
  static modules = ['balance', 'payments'];

  open() {
    this.place = stack();
    this.show(
      this.head(t('balance'), csvButton('balance', '/v1/balance/series', () => this.#asked)),
      filters([
        { name: 'view', type: 'choice', required: true, standard: 'monthly', choices: ['daily', 'weekly', 'monthly', 'yearly'] },
        'from date', 'to date',
        { name: 'method', type: 'record', of: 'methods', key: 'code' }, 'location_id record locations', 'register_id record registers',
      ], this.query, (values) => this.ask(values)),
      this.place);
  }

  get #asked() {
    return { view: 'monthly', ...Object.fromEntries(this.query) };
  }

  async load(signal) {
    const { view, method, ...rest } = this.#asked;
    const series = await stock.get('/v1/balance/series', { view, method, ...rest }, { signal });
    const [summary, name] = await Promise.all([
      stock.get('/v1/balance/summary', { ...rest, from: series.from, to: series.to }, { signal }), namesOf('methods'),
    ]);
    const values = (of) => series.data.map((one) => one[of]);
    const columns = ['income amount', 'expense amount', 'net amount'];
    show(this.place,
      h('div', { class: 'figures' }, ['income', 'expense', 'net'].map((one) => figure(t(one), amount(total(series.data, one))))),
      h('section', { class: 'card' },
        plot(t('balance'), series.data.map((one) => period(one.period)), [
          { name: 'income', kind: 'bar', values: values('income') }, { name: 'expense', kind: 'bar', values: values('expense') }, { name: 'net', kind: 'line', values: values('net') }], amount)),
      h('div', { class: 'columns' },
        table(t('balance'), [{ name: 'period', value: (row) => period(row.period) }, ...columns], series.data.toReversed(), { key: (row) => row.period }),
        table(t('by_method'), [{ name: 'method', value: (row) => name(row.method) }, ...columns], summary.methods, { key: (row) => row.method })));
  }
}
customElements.define('view-balance', Balance);
export default Balance;
