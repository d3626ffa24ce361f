/** Files that are taken over: sent by parts, tried first, and followed while they run. */
import { newKey } from '../core/client.js';
import { ask, button, card, facts, h, say, show, table } from '../core/elements.js';
import { stock } from '../core/live.js';
import { ListOrOne, recordsView } from '../core/records.js';
import { complaint, t } from '../core/words.js';

const part = 1024 * 1024;
/** The columns of the kinds, as docs/imports.md has them; others are mapped in a file of their own. */
const known = {
  products: ['sku', 'name', 'price', 'tax_rate', 'category', 'unit', 'barcodes', 'min_stock', 'tracks_stock', 'external_id'],
  customers: ['name', 'email', 'phone', 'tax_id', 'credit_limit', 'external_id'], suppliers: ['name', 'contact', 'email', 'phone', 'tax_id', 'external_id'],
  categories: ['name', 'parent', 'external_id'], units: ['name', 'symbol', 'decimals', 'external_id'], stock: ['sku', 'location', 'on_hand', 'cost'], prices: ['sku', 'price'],
};
const List = recordsView({
  path: '/v1/imports', title: 'imports', one: 'one_import', modules: [], write: 'imports:write', href: (row) => `#/imports/${row.id}`,
  columns: ['created_at moment', 'kind word', 'name text', 'status badge', 'rows number', 'rejected number'],
  make: ({ one }) => ask(t('new_one', { one: t(one) }), [{ name: 'kind', type: 'choice', required: true, choices: Object.keys(known) }, { name: 'file', type: 'file', required: true, accept: '.csv,.txt,text/csv' }, 'dry_run flag'], {
    label: t('go_on'), values: { dry_run: true, kind: 'products' },
    submit: async (given) => {
      const mapping = await map(given);
      return mapping && send(given, mapping);
    },
  }),
});

/** Shows the first rows, and asks which column is what. */
async function map({ kind, file }) {
  const head = (await file.slice(0, 64 * 1024).text()).replace(/^\ufeff/, '');
  const delimiter = [';', ',', '\t'].map((one) => [one, head.split('\n')[0].split(one).length]).sort((a, b) => b[1] - a[1])[0][0];
  const rows = head.split(/\r?\n/).slice(0, 6).filter(Boolean).map((line) => line.split(delimiter).map((cell) => cell.replace(/^"|"$/g, '')));
  const titles = rows[0] ?? [];
  return ask(t('which_column'), known[kind].map((name) => ({ name, type: 'choice', choices: titles, names: (one) => one })), {
    label: t('send_file'), intro: t('which_column_intro', { rows: rows.slice(1).map((row) => row.join(' · ')).join('  /  ').slice(0, 300) }),
    values: Object.fromEntries(known[kind].map((name) => [name, titles.find((title) => title.toLowerCase().trim() === name) ?? null])),
    submit: async (given) => ({ delimiter: delimiter === '\t' ? 'tab' : delimiter, columns: Object.fromEntries(Object.entries(given).filter(([, title]) => title)) }),
  });
}

async function send({ kind, file, dry_run }, mapping) {
  const made = await stock.post('/v1/imports', { kind, name: file.name.slice(0, 100), mapping, dry_run }, { key: newKey() });
  const parts = Math.max(1, Math.ceil(file.size / part));
  for (let index = 0; index < parts; index++) {
    await stock.request('PUT', `/v1/imports/${made.id}/parts/${index + 1}`, { body: file.slice(index * part, (index + 1) * part) });
  }
  return stock.post(`/v1/imports/${made.id}/start`, { parts, bytes: file.size });
}

class Imports extends ListOrOne {
  static List = List;

  close() {
    clearTimeout(this.timer);
  }

  async loadOne(path, signal) {
    const one = await stock.get(path, {}, { signal, fresh: true });
    const errors = one.rejected > 0 ? (await stock.get(`${path}/errors`, { limit: 100 }, { signal })).data : [];
    const isRunning = ['receiving', 'queued', 'running'].includes(one.status);
    const act = (word) => stock.post(`${path}/${word}`).then(() => this.reload(), (error) => say(complaint(error), 'bad'));
    show(this.place,
      this.head(one.name ?? t('one_import'), isRunning && button(t('cancel'), () => act('cancel'), 'quiet bad'), one.status === 'quarantined' && button(t('go_on'), () => act('resume'))),
      one.rows_to_write > 0 && isRunning && h('progress', { max: one.rows_to_write, value: one.rows_written, 'aria-label': t('rows_written') }),
      card(facts(one, ['status badge', 'kind word', ['dry_run', one.options.dry_run ? t('yes') : t('no')], 'rows number', 'created number', 'updated number',
        'unchanged number', 'rejected number', 'started_at moment', 'finished_at moment', ['unused_columns', one.unused_columns.join(', ')], 'error text'])),
      errors.length > 0 && table(t('rejected'), ['line number', 'code text', 'reason text'], errors, { key: (row) => `${row.line}${row.code}` }));
    // Of an import that runs nothing tells how far it is.
    clearTimeout(this.timer);
    if (isRunning) this.timer = setTimeout(() => this.isConnected && this.reload(), 1000);
  }
}
customElements.define('view-imports', Imports);
export default Imports;
