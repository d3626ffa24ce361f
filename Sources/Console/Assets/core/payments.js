/** Money that changes hands for what is due. */
import { ask, say } from './elements.js';
import { stock } from './live.js';
import { recordsOf } from './names.js';
import { amount, t } from './words.js';

/**
 * Asks for a payment and takes it.
 *
 * @param {{sale_id?: string, customer_id?: string, purchase_id?: string, supplier_id?: string}} what
 * @param {string} due
 * @param {'in' | 'out'} direction
 */
export async function takePayment(what, due, direction = 'in') {
  const methods = (await recordsOf('methods')).filter((one) => one.active);
  const made = await ask(t(direction === 'in' ? 'collect' : 'pay_out'), [
    { name: 'amount', type: 'decimal', required: true, autofocus: true },
    { name: 'method', type: 'record', of: 'methods', key: 'code', required: true },
  ], {
    values: { amount: due, method: methods[0]?.code }, label: t(direction === 'in' ? 'collect' : 'pay_out'),
    submit: (given, changed, key) => stock.post('/v1/payments', { direction, ...what, ...given }, { key }),
  });
  if (made) say(t('paid_amount', { amount: amount(made.amount) }));
  return made;
}
