/** Lines of a document while it is written: a product, a quantity, and what else a line has. */
import { typed } from './decimal.js';
import { button, declared, h, icon, newLineID, show, stack } from './elements.js';
import { productField } from './finding.js';
import { plain, t } from './words.js';

/**
 * An editor of lines.
 *
 * @param {string[]} columns decimals beside the quantity, as `unit_cost decimal`
 * @param {object[]} lines what there is: `{product_id, name, quantity, ...}`
 * @returns {HTMLElement & {read(): object[]}} `read` gives the lines as the API takes them
 */
export function linesEditor(columns, lines = []) {
  const decimals = declared(columns);
  let rows = lines.map((line) => ({ ...line }));
  const list = stack();
  const draw = () => show(list, rows.map((row) => h('div', { class: 'row' },
    h('span', { class: 'grow' }, row.name),
    [{ name: 'quantity' }, ...decimals].map(({ name }) => {
      const id = newLineID(name);
      return h('label', { class: 'field small', for: id }, h('small', {}, t(name)),
        h('input', { id, class: 'number', inputmode: 'decimal', '.value': plain(row[name]), onchange: (event) => (row[name] = typed(event.target.value) ?? event.target.value) }));
    }),
    button(icon('close'), () => ((rows = rows.filter((one) => one !== row)), draw()), { class: 'quiet only-icon', 'aria-label': t('remove_one', { name: row.name }) }))));
  const { find, detail } = productField;
  const finder = h('pick-field', { label: t('add_product'), placeholder: t('add_product'), '.find': find, '.detail': detail, onpicked: ({ detail: row }) => {
    if (!row) return;
    rows.push({ product_id: row.id, name: row.name, quantity: '1', unit_cost: row.cost, unit_price: row.price });
    finder.clear();
    draw();
  } });
  draw();
  const element = h('div', { class: 'stack lines' }, h('h3', {}, t('lines')), list, finder);
  element.read = () => rows.map((row) => ({ product_id: row.product_id, quantity: row.quantity, ...Object.fromEntries(decimals.map(({ name }) => [name, row[name] || undefined])) }));
  return element;
}
