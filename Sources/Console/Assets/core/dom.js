/**
 * Elements. What is shown is always text: nothing in the console turns a text into elements, and the page's policy keeps the browser from it.
 */

/**
 * Makes an element: `h('button', { class: 'plain', onclick }, 'Sell')`.
 *
 * `on…` listens, `.name` sets a property, everything else is an attribute; null and false leave it out, true has no value.
 */
export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same of a picture. */
export function svg(tag, properties, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name.startsWith('.')) element[name.slice(1)] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  return put(element, ...children);
}

/** Adds children: elements as they are, everything else as text. */
export function put(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

const nameOf = (one) => one.id || one.name || one.getAttribute('aria-label') || one.textContent;

/** Replaces all children; what takes the place of the one that had the focus has it. */
export function show(element, ...children) {
  const held = element.contains(document.activeElement) ? document.activeElement : element;
  const name = nameOf(held);
  const alike = () => [...element.querySelectorAll(held.localName)].filter((one) => nameOf(one) === name);
  const at = alike().indexOf(held);
  element.replaceChildren();
  put(element, ...children);
  alike()[at]?.focus({ preventScroll: true });
  return element;
}

let last = 0;
/** An id that no other element has. */
export const newID = (word = 'e') => `${word}-${(last += 1)}`;

/** Text for screen readers alone. */
export const unseen = (...text) => h('span', { class: 'unseen' }, ...text);

const drawings = {
  today: 'M4 13h6V4H4zM14 20h6V4h-6zM4 20h6v-3H4z',
  sell: 'M3 5h2l2.5 10h10l2-7H6.5M9 19.5h.01M16 19.5h.01',
  sales: 'M6 3h12v18l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6',
  quotes: 'M6 3h9l4 4v14H6zM15 3v4h4M9 12h7M9 16h5',
  exceptions: 'M12 4l9 16H3zM12 10v4.5M12 17h.01',
  webhooks: 'M10 14l4-4M8 11l-2.5 2.5a3.5 3.5 0 0 0 5 5L13 16M16 13l2.5-2.5a3.5 3.5 0 0 0-5-5L11 8',
  cash: 'M3 7h18v11H3zM12 14.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4M6.5 12.5h.01M17.5 12.5h.01',
  customers: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.5 20a6.5 6.5 0 0 1 13 0M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.5a6.5 6.5 0 0 1 3.5 5.5',
  products: 'M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9',
  stock: 'M4 20V9l8-5 8 5v11M8 20v-7h8v7M8 16.5h8',
  counts: 'M8 5H5v16h14V5h-3M9 3h6v4H9zM8.5 13.5l2.5 2.5 4.5-5',
  transfers: 'M4 8h14l-3.5-3.5M20 16H6l3.5 3.5',
  purchases: 'M2 6h11v11H2zM13 10h5l4 4v3h-9M6.5 20a2 2 0 1 0 0-4 2 2 0 0 0 0 4M17.5 20a2 2 0 1 0 0-4 2 2 0 0 0 0 4',
  suppliers: 'M3 21V10l6 3.5V10l6 3.5V4h6v17zM8 17h.01M13 17h.01M18 17h.01',
  balance: 'M4 20h16M7 16v-5M12 16V6M17 16V9',
  expenses: 'M12 3v18M16.5 7.5C16 6 14.5 5.5 12 5.5c-2.5 0-4.5 1-4.5 3 0 4.5 9.5 2.5 9.5 7 0 2-2 3-5 3s-4.5-1-5-2.5',
  reports: 'M12 3v9h9A9 9 0 1 1 12 3zM16 3.5A9 9 0 0 1 20.5 8H16z',
  people: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4 21a8 8 0 0 1 16 0',
  keys: 'M14 10a4.5 4.5 0 1 0-4 4.5L12 13h2v-2h2V9l1.5-1.5M7.5 9.5h.01',
  settings: 'M4 7h9M17 7h3M15 9.5v-5M4 17h3M11 17h9M9 19.5v-5',
  audit: 'M12 7v5l3 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18',
  imports: 'M12 3v11M7.5 10l4.5 4.5L16.5 10M4 20h16',
  engine: 'M5 6h14v5H5zM5 13h14v5H5zM8 8.5h.01M8 15.5h.01M12 21v-3',
  more: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6L6 18',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14M20.5 20.5L16 16',
  print: 'M7 8V3h10v5M7 17H4V8h16v9h-3M7 14h10v7H7z',
};

/** A small picture beside a word; it says nothing to who cannot see it. */
export function icon(name) {
  return svg(
    'svg',
    { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true' },
    svg('path', { d: drawings[name] ?? drawings.more })
  );
}
