/** What is on hand where, and what moved. */
import { button, tabs } from '../core/elements.js';
import { may } from '../core/live.js';
import { recordsView } from '../core/records.js';
import { View } from '../core/view.js';
import { t } from '../core/words.js';
import { moveGoods } from './movements.js';

const above = (current) => () => tabs(t('stock'), current, [['stock', 'levels'], ['stock/movements', 'movements'], ['stock/reservations', 'reservations']]);
const shared = { write: 'none', href: (row) => `#/products/${row.product_id}`, actions: () => [may('stock:write') && button(t('move_goods'), () => moveGoods(), 'main')] };

const place = 'location_id record locations';
const Levels = recordsView({
  path: '/v1/stock', title: 'stock', modules: ['stock', 'products'], ...shared,
  filters: ['q search', 'stock choice ok low out', place, 'category_id record categories'],
  columns: ['name text', 'sku text', 'category_id name categories', 'on_hand number', 'available number',
    'in_transit number', 'min_stock number', 'stock badge'],
});
const Movements = recordsView({
  path: '/v1/stock/movements', title: 'movements', modules: ['stock'], ...shared,
  filters: ['type choice sale sale_reversal return purchase purchase_reversal adjustment loss opening count transfer', place, 'from date', 'to date'],
  columns: ['occurred_at moment', 'type word', 'quantity number', 'on_hand_after number',
    'location_id name locations', 'reason text', 'user_id name colleagues', 'unit_cost price'],
});
const Reservations = recordsView({
  path: '/v1/stock/reservations', title: 'reservations', modules: ['stock', 'sales', 'quotes'], ...shared, filters: [place],
  columns: ['kind word', 'quantity number', 'location_id name locations', 'reserved_until moment'],
});
const lists = { movements: Movements, reservations: Reservations };

class Stock extends View {
  open() {
    const which = lists[this.params[0]];
    const list = new (which ?? Levels)();
    list.query = this.query;
    list.above = above(which ? `stock/${this.params[0]}` : 'stock');
    this.show(list);
  }
}
customElements.define('view-stock', Stock);
export default Stock;
