/** What the shop's figures say, each report as a table, and as CSV. */
import { card, declared, figures, filters, h, show, stack, table, tabs } from '../core/elements.js';
import { stock } from '../core/live.js';
import { namesOf } from '../core/names.js';
import { csvButton, shares } from '../core/plots.js';
import { View } from '../core/view.js';
import { amount, t, today } from '../core/words.js';

const days = ['from date', 'to date'];
const ages = ['current', 'days_1_30', 'days_31_60', 'days_61_90', 'days_over_90', 'total'].map((name) => `${name} amount`);
const product = (row) => h('a', { href: `#/products/${row.product_id}` }, row.name);
const byProduct = (row) => row.product_id;

/** Every report: its path, its filters, the figures above it, its columns, what a row is told by; the rows of a page, if it has pages. */
const reports = {
  'top-products': {
    filters: [...days, { name: 'by', type: 'choice', required: true, standard: 'revenue', choices: ['revenue', 'quantity', 'margin'] }], key: byProduct, shared: (row) => row.revenue,
    columns: [{ name: 'name', draw: product }, 'sku text', 'quantity number', 'returned number', 'revenue amount', 'margin amount', 'margin_percent percent'],
  },
  margins: {
    filters: days, figures: ['revenue amount', 'cost amount', 'margin amount'], key: (row) => row.category_id ?? 'none', shared: (row) => row.margin, named: (row) => row.name ?? t('none'),
    columns: [{ name: 'name', value: (row) => row.name ?? t('none') }, 'revenue amount', 'cost amount', 'margin amount', 'margin_percent percent'],
  },
  taxes: {
    filters: days, figures: ['payable amount'], key: (row) => `${row.name}${row.rate}`,
    columns: ['name text', 'base amount', 'amount amount', 'deducted_base amount', 'deducted_amount amount', 'payable amount'],
  },
  receivables: { limit: 200, figures: ['total amount', 'current amount', 'days_1_30 amount', 'days_over_90 amount', 'without_customer amount'], key: (row) => row.customer_id, columns: [{ name: 'name', draw: (row) => h('a', { href: `#/customers/${row.customer_id}` }, row.name) }, ...ages] },
  payables: { limit: 200, figures: ['total amount', 'current amount', 'days_1_30 amount', 'days_over_90 amount'], key: (row) => row.supplier_id, columns: ['name text', ...ages] },
  'stock-value': { filters: ['date date'], figures: ['value amount', 'date day', 'since day'] },
  'dead-stock': {
    limit: 200, filters: [{ name: 'days', type: 'choice', required: true, standard: '90', choices: ['30', '90', '180', '365'] }], key: byProduct, figures: ['sold_before day'],
    columns: [{ name: 'name', draw: product }, 'sku text', 'on_hand number', 'value amount', 'last_sold_on day'],
  },
  reorder: {
    filters: ['supplier_id record suppliers'], key: byProduct,
    columns: [{ name: 'name', draw: product }, { name: 'supplier_id', value: (row) => supplierOf(row.supplier_id) }, 'on_hand number', 'min_stock number', 'on_order number', 'quantity number', 'unit_cost price'],
  },
};
let supplierOf = () => '';
const word = (name) => name.replace('-', '_');

class Reports extends View {
  static modules = ['reports', 'balance', 'sales', 'stock', 'purchases', 'customers', 'suppliers', 'products'];

  open() {
    this.name = this.params[0] in reports ? this.params[0] : 'top-products';
    const report = reports[this.name];
    this.place = stack();
    this.show(this.head(t('reports'), csvButton(this.name, `/v1/reports/${this.name}`, () => this.#asked)),
      tabs(t('reports'), `reports/${this.name}`, Object.keys(reports).map((name) => [`reports/${name}`, word(name)])),
      report.filters && filters(report.filters, this.query, (values) => this.ask(values)), this.place);
  }

  get #asked() {
    const names = declared(reports[this.name].filters ?? []).map((one) => one.name);
    const month = names.includes('from') && !this.query.size ? { from: today(29), to: today() } : {};
    return { limit: reports[this.name].limit, ...month, ...Object.fromEntries(this.query) };
  }

  async load(signal) {
    const report = reports[this.name];
    if (this.name === 'reorder') supplierOf = await namesOf('suppliers');
    const [path, asked] = [`/v1/reports/${this.name}`, this.#asked];
    const data = await stock.get(path, asked, { signal });
    const rows = data.data ?? [];
    // As many as anybody reads; the file has all.
    if (data.next_cursor) rows.push(...await stock.all(path, { ...asked, cursor: data.next_cursor }, 2000, { signal }));
    const name = report.named ?? ((row) => row.name);
    show(this.place,
      report.figures && figures(data, ...report.figures),
      h('div', { class: report.shared ? 'columns uneven' : null },
        report.columns && table(t(word(this.name)), report.columns, rows, { key: report.key }),
        report.shared && rows.length > 0 && card(shares(t(word(this.name)), rows.slice(0, 12).map((row) => ({ name: name(row), value: report.shared(row) })), amount))));
  }
}
customElements.define('view-reports', Reports);
export default Reports;
