/**
 * Sales that are paid and not yet written down: none is lost, none is written twice.
 *
 * What was paid is put here, where a reload, a crash or an empty battery does not reach it, before anything is sent, and leaves when the
 * service has answered. It is sent under the key of its cart each time, so that it is done once.
 */
import { Problem } from './client.js';
import { me, stock } from './live.js';
import { t } from './words.js';

const watchers = new Set();
/** The keys of sales that are sent for the first time, which nobody has to be told of yet. */
const fresh = new Set();
/** For how long somebody at the till is told nothing, in milliseconds. */
const patience = 5_000;
/** For how long the service surely knows a key, in milliseconds: an hour less than it says. */
const known = 47 * 3_600_000;
let sending = false;
let timer = null;

const place = () => `stock.waiting.${me.tenant?.id}.${me.user?.id}`;

/** The sales that wait, the oldest first: `{key, body, at, total, problem}`; with a `problem` it was refused, and asks for somebody. */
export function waiting() {
  return JSON.parse(localStorage.getItem(place()) ?? '[]');
}

function keep(list) {
  if (list.length) localStorage.setItem(place(), JSON.stringify(list));
  else localStorage.removeItem(place());
  tell();
}

function tell() {
  const list = me.user ? waiting().filter((sale) => !fresh.has(sale.key)) : [];
  for (const told of watchers) told(list);
}

/** Has a function called when that changes. @returns {() => void} ends it */
export function onWaiting(told) {
  watchers.add(told);
  tell();
  return () => watchers.delete(told);
}

/**
 * Hands over a sale.
 *
 * @param {{key: string, body: object, total: string, prices: string[]}} sale `prices`: of each line, as they were at the till
 * @returns {Promise<object | null>} the sale as it was written; null while it waits
 * @throws {Problem} it was refused, and does not wait
 */
export async function handOver(sale) {
  fresh.add(sale.key);
  keep([...waiting(), { ...sale, at: new Date().toISOString() }]);
  try {
    // Two tries: somebody stands at the till, and it waits well.
    const written = await stock.post('/v1/sales', sale.body, { key: sale.key, tries: 2, signal: AbortSignal.timeout(patience) });
    forget(sale.key);
    return written;
  } catch (error) {
    if (isRefusal(error)) {
      forget(sale.key);
      throw error;
    }
    later();
    return null;
  } finally {
    fresh.delete(sale.key);
    tell();
  }
}

/** Whether the service has said no, and would say it again. */
export const isRefusal = (error) =>
  error instanceof Problem && error.code !== 'internal_error' && error.status < 500 && !error.isPassing && error.status !== 401 && error.status !== 408;

const refused = (sale, { code, detail, errors }) => ({ ...sale, problem: { code, detail, errors } });

/** Puts a sale that was refused among those that wait for somebody. */
export const keepRefused = (sale, error) => keep([...waiting(), refused({ ...sale, at: new Date().toISOString() }, error)]);

/** Takes a sale out. */
export function forget(key) {
  keep(waiting().filter((sale) => sale.key !== key));
}

/** Writes a sale down that was refused, as what has happened: the goods are gone and the money is here. */
export async function writeDown(key) {
  const sale = waiting().find((one) => one.key === key);
  if (!sale) return;
  const { body, prices, at } = sale;
  await stock.post('/v1/sales', {
    ...body, recorded: 'offline', occurred_at: at,
    // The till's own name of the sale, made of its key: the same, however often it is sent.
    id: key.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    lines: body.lines.map((line, index) => ({ unit_price: prices[index], ...line })),
  }, { key: `${key}-happened` });
  forget(key);
}

/** Sends what waits, one after another, until one finds nobody. */
export async function sendWaiting() {
  if (sending || !stock.isSignedIn || !me.user) return;
  sending = true;
  clearTimeout(timer);
  try {
    for (const sale of waiting().filter((one) => !one.problem && !fresh.has(one.key))) {
      const refuse = (error) => keep(waiting().map((one) => (one.key === sale.key ? refused(one, error) : one)));
      // It may be written, and under a key that is forgotten it would be so again: somebody has to look.
      if (Date.now() - new Date(sale.at) > known) {
        refuse({ code: 'maybe_written', detail: t('maybe_written') });
        continue;
      }
      try {
        await stock.post('/v1/sales', sale.body, { key: sale.key, tries: 1 });
        forget(sale.key);
      } catch (error) {
        if (!isRefusal(error)) return later();
        refuse(error);
      }
    }
  } finally {
    sending = false;
  }
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(sendWaiting, 2_000 + Math.random() * 2_000);
}

addEventListener('online', () => sendWaiting());
