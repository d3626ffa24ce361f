/** Fields that find records. */
import { isZero } from './decimal.js';
import { stock } from './live.js';
import { amount } from './words.js';

const find = (path, asked) => (q, signal) => stock.get(path, { q, ...asked, limit: 8 }, { signal }).then((page) => page.data);
const show = (row) => row.name;

/** A field that finds a product. */
export const productField = { name: 'product', type: 'pick', required: true, show, detail: (row) => row.sku ?? '', find: find('/v1/products', { status: 'active' }) };

/** A field that finds a customer. */
export const customerField = { name: 'customer', type: 'pick', show, detail: (row) => (isZero(row.balance) ? '' : amount(row.balance)), find: find('/v1/customers', { active: true }) };

/** A field of places where goods can be. */
export const placeField = (name = 'location_id') => ({ name, type: 'record', of: 'locations', only: (row) => row.kind !== 'transit', required: true });
