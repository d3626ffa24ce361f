/** Names beside ids: of what a shop has few of, read whole and kept until it changes. */
import { onChange, stock } from './live.js';

const sources = {
  categories: ['/v1/categories', ['categories']],
  units: ['/v1/units', ['units']],
  locations: ['/v1/locations', ['stock', 'settings']],
  registers: ['/v1/registers', ['settings']],
  methods: ['/v1/payment-methods', ['settings']],
  taxes: ['/v1/taxes', ['settings', 'products']],
  tax_groups: ['/v1/tax-groups', ['settings', 'products']],
  suppliers: ['/v1/suppliers', ['suppliers']],
  colleagues: ['/v1/colleagues', ['identity']],
};

const kept = new Map();

/**
 * All records of a kind.
 *
 * @param {keyof typeof sources} kind
 * @returns {Promise<object[]>}
 */
export function recordsOf(kind) {
  if (!kept.has(kind)) {
    const [path, modules] = sources[kind];
    const rows = stock.all(path, path === '/v1/colleagues' ? { limit: null } : {});
    const entry = { rows };
    entry.off = onChange(modules, () => (entry.off(), kept.delete(kind)));
    rows.catch(() => (entry.off(), kept.delete(kind)));
    kept.set(kind, entry);
  }
  return kept.get(kind).rows;
}

/** A function from ids (of payment methods: codes) to names. */
export async function namesOf(kind) {
  const rows = await recordsOf(kind);
  const names = new Map(rows.map((row) => [row.code && kind === 'methods' ? row.code : row.id, row.name]));
  return (id) => (id === null || id === undefined ? '' : names.get(id) ?? '');
}

/** Forgets everything: somebody else is here. */
export function forget() {
  for (const entry of kept.values()) entry.off();
  kept.clear();
}
