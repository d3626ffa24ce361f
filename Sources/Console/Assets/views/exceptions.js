/** What sales that had happened already would have been refused for, until somebody has seen to it. */
import { ask, h } from '../core/elements.js';
import { stock } from '../core/live.js';
import { recordsView } from '../core/records.js';
import { t } from '../core/words.js';

export default recordsView({
  path: '/v1/exceptions', title: 'exceptions', modules: ['sales'], write: 'none',
  filters: ['status! choice open settled'],
  columns: ['recorded_at moment', 'code word', 'detail text', { name: 'sale', draw: (row) => h('a', { href: `#/sales/${row.sale_id}` }, t('one_sale')) },
    'status badge', 'settled_by name colleagues', 'note text'],
  opens: (row, list) => row.status === 'open' && ask(t('settle'), ['note! area'], {
    label: t('settle'), intro: row.detail,
    submit: async (given, changed, key) => (await stock.post(`/v1/exceptions/${row.id}/settle`, given, { key }), list.reload()),
  }),
});
