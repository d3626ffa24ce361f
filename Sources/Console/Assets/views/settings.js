/** The shop itself, and the records that everything else names. */
import { card, tabs } from '../core/elements.js';
import { me, stock } from '../core/live.js';
import { editor, recordsView } from '../core/records.js';
import { View } from '../core/view.js';
import { t } from '../core/words.js';

const shop = {
  path: '/v1/tenant', write: 'admin', fields: [
    'name! text', 'address text', 'tax_id text', 'phone text', 'receipt_footer area', { name: 'logo', type: 'text', hint: 'logo_hint' }, 'timezone! text', 'locale! text',
    'oversell! choice deny allow', 'on_price_change! choice refuse keep', 'returns_without_sale! choice deny allow', 'prices_include_tax flag',
    'cash_rounding! decimal', 'cashier_discount_limit decimal', 'manager_discount_limit decimal', 'manager_credit_limit decimal', 'cashier_return_limit decimal', 'manager_return_limit decimal',
    'draft_reservation_minutes integer', 'quote_reservation_days integer', 'closed_until date',
  ],
};

const kinds = {
  registers: { path: '/v1/registers', one: 'register', columns: ['name text', 'location_id name locations', 'requires_session flag', 'active flag'],
    fields: ['name! text', { name: 'location_id', type: 'record', of: 'locations', only: (row) => row.kind !== 'transit' }, 'requires_session flag', 'active flag'] },
  locations: { path: '/v1/locations', one: 'location_id', columns: ['name text', 'code text', 'kind word', 'address text', 'active flag'],
    fields: ['name! text', 'code text', 'kind! choice branch warehouse transit', 'address text', 'timezone text', 'external_id text', 'active flag'] },
  payment_methods: { path: '/v1/payment-methods', one: 'method', fixed: ['code'], columns: ['name text', 'code text', 'kind word', 'position number', 'active flag'],
    fields: ['name! text', { name: 'code', type: 'text', required: true, hint: 'code_hint' }, 'kind! choice cash card transfer voucher other', 'position integer', 'opens_drawer flag', 'active flag'] },
  categories: { path: '/v1/categories', one: 'category_id', columns: ['name text', 'parent_id name categories', 'product_count number', 'active flag'],
    fields: ['name! text', 'parent_id record categories', 'external_id text', 'active flag'] },
  units: { path: '/v1/units', one: 'unit_id', columns: ['name text', 'symbol text', 'decimals number'], fields: ['name! text', 'symbol! text', 'decimals integer', 'external_id text'] },
  taxes: { path: '/v1/taxes', one: 'tax', columns: ['name text', 'kind word', 'rate number', 'compound flag', 'active flag'],
    fields: ['name! text', 'kind! choice percent amount_per_unit', 'rate! decimal', 'compound flag', 'active flag'] },
  tax_groups: { path: '/v1/tax-groups', one: 'tax_group_id', columns: ['name text', 'taxes name taxes'], fields: ['name! text'] },
  scale_codes: { path: '/v1/scale-codes', one: 'one_scale_code', columns: ['name text', 'prefix text', 'measure word', 'decimals number', 'active flag'],
    fields: ['name! text', 'prefix! text', 'measure! choice weight price', 'decimals! integer', 'item_digits integer', 'value_digits integer', 'active flag'] },
};
const above = (current) => () => tabs(t('settings'), current, [['settings', 'tenant'], ...Object.keys(kinds).map((kind) => [`settings/${kind}`, kind])]);
const lists = Object.fromEntries(Object.entries(kinds).map(([title, kind]) => {
  const scope = title === 'registers' || title === 'locations' || title === 'payment_methods' ? 'admin' : 'catalog:write';
  const List = recordsView({ title, modules: ['settings', 'products', 'categories', 'units', 'stock'], write: kind.write ?? scope, ...kind });
  return [title, List];
}));

class Settings extends View {
  open() {
    const List = lists[this.params[0]];
    if (!List) return this.show(this.head(t('settings')), above('settings')(), (this.place = card()));
    const list = new List();
    list.query = this.query;
    list.above = above(`settings/${this.params[0]}`);
    this.show(list);
  }

  async load(signal, change) {
    if (!this.place || (change && this.place.firstChild?.isTouched)) return;
    const { body, etag } = await stock.request('GET', shop.path, { signal });
    this.place.replaceChildren(editor({ ...shop, write: me.role === 'owner' ? 'admin' : 'none' }, shop.path, body, etag, () => this.reload()));
  }
}
customElements.define('view-settings', Settings);
export default Settings;
