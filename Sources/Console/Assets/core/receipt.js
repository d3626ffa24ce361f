/** Receipts of sales and returns, as pages that print on 58 or 80 mm, or A4. */
import { isZero } from './decimal.js';
import { put } from './dom.js';
import { button, h, icon, openDialog, show } from './elements.js';
import { stock } from './live.js';
import { amount, complaint, number, price, t } from './words.js';

const line = (left, right, kind) => h('tr', { class: kind }, h('td', {}, left), h('td', { class: 'right' }, right));

/** A receipt as an element. */
function paper(data, width) {
  const { shop, location } = data;
  const document = data.sale ?? data.return;
  const names = new Map(data.methods.map((one) => [one.code, one.name]));
  return h('article', { class: `receipt ${width === 'a4' ? 'a4' : `w${width}`}` },
    h('header', {}, h('strong', {}, shop.name), h('span', {}, location.address ?? shop.address ?? ''), shop.phone && h('span', {}, shop.phone),
      shop.tax_id && h('span', {}, shop.tax_id)),
    h('p', {}, `${t(data.sale ? 'sale_number' : 'return_number', { n: document.number ?? '—' })} · ${data.local_time.replace('T', ' ').slice(0, 16)}`,
      h('br'), h('small', {}, [data.register, data.cashier, data.customer?.name].filter(Boolean).join(' · '))),
    h('table', {}, h('tbody', {}, document.lines.map((one) => line(
      [one.name, h('br'), h('small', {}, `${number(one.packaging?.quantity ?? one.quantity)} ${one.packaging?.name ?? one.unit} × ${price(one.packaging?.price ?? one.unit_price)}`,
        one.discount && !isZero(one.discount) && ` − ${amount(one.discount)}`)],
      amount(one.total ?? one.amount))))),
    h('table', {}, h('tbody', {},
      document.discount && !isZero(document.discount) && line(t('discount'), `− ${amount(document.discount)}`),
      line(t('total'), amount(document.total), 'sum'),
      (document.tax_breakdown ?? []).map((tax) => line(h('small', {}, `${tax.name} (${amount(tax.base)})`), h('small', {}, amount(tax.amount)))),
      document.rounding && !isZero(document.rounding) && line(t('rounding'), amount(document.rounding)),
      document.payments.filter((one) => one.status !== 'reversed').map((one) => line(names.get(one.method) ?? one.method, amount(one.tendered ?? one.amount))),
      document.change && !isZero(document.change) && line(t('change'), amount(document.change)),
      document.due && !isZero(document.due) && line(t('due'), amount(document.due)))),
    h('footer', {}, document.status === 'cancelled' && h('strong', {}, t('cancelled')), shop.receipt_footer ?? ''));
}

/** Shows the receipt of a sale (or `returns/{id}`) in a dialog, to be printed. `before` stands above it in any case. */
export function showReceipt(path, { before = null, done = null } = {}) {
  return openDialog(t('receipt'), (close) => {
    const place = h('div');
    const tools = h('div', { class: 'row no-print' }, done && button(done, () => close(), { class: 'main', autofocus: true }));
    const width = localStorage.getItem('stock.paper') ?? '80';
    const draw = (data) => {
      put(tools, button([icon('print'), t('print')], () => print()),
        h('select', { 'aria-label': t('paper'), onchange: ({ target }) => (localStorage.setItem('stock.paper', target.value), show(place, paper(data, target.value))) },
          [['58', '58 mm'], ['80', '80 mm'], ['a4', 'A4']].map(([value, text]) => h('option', { value, selected: value === width }, text))));
      show(place, paper(data, width));
    };
    const read = () => stock.get(`${path}/receipt`).then(draw, (error) =>
      show(place, h('p', { class: 'notice warn no-print' }, complaint(error), ' ', button(t('try_again'), read, 'quiet'))));
    read();
    return [before && h('div', { class: 'no-print' }, before), tools, place];
  });
}
