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

// Whoever is told next reads them anew.
onChange([], ({ modules }) => {
  for (const kind of kept.keys()) if (!modules || sources[kind][1].some((one) => modules.includes(one))) kept.delete(kind);
});

/**
 * All records of a kind.
 *
 * @param {keyof typeof sources} kind
 * @returns {Promise<object[]>}
 */
export function recordsOf(kind) {
  if (!kept.has(kind)) {
    const [path] = sources[kind];
    const rows = stock.all(path, path === '/v1/colleagues' ? { limit: null } : {});
    rows.catch(() => kept.get(kind) === rows && kept.delete(kind));
    kept.set(kind, rows);
  }
  return kept.get(kind);
}

/** A function from ids (of payment methods: codes) to names. */
export async function namesOf(kind) {
  const rows = await recordsOf(kind);
  const names = new Map(rows.map((row) => [row.code && kind === 'methods' ? row.code : row.id, row.name]));
  return (id) => (id === null || id === undefined ? '' : names.get(id) ?? '');
}

/** Forgets everything: somebody else is here. */
export const forget = () => kept.clear();
