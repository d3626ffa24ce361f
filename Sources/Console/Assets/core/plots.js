/** Plots, drawn here as SVG. Each is a picture of a table that stands beside it, so that whoever cannot see it loses nothing. */
import { add, compare, isZero } from './decimal.js';
import { h, put, show, svg } from './dom.js';
import { stock } from './live.js';
import { brief, t } from './words.js';

const height = 240;
const edge = { left: 52, right: 8, top: 12, bottom: 26 };

/** Steps of an axis that people can read: 1, 2 or 5 times a power of ten. */
function steps(most, least) {
  const range = most - least || 1;
  const power = 10 ** Math.floor(Math.log10(range / 4));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => range / one <= 5);
  const from = Math.floor(least / step) * step;
  const list = [];
  for (let value = from; value < most + step; value += step) list.push(Number(value.toPrecision(12)));
  return list;
}

/**
 * Bars side by side for each point, and perhaps a line over them.
 *
 * `.series` are `{name, kind: 'bar' | 'line', values}`, `.labels` are what stands below, `.format` says a value.
 */
class BarPlot extends HTMLElement {
  label = '';
  series = [];
  labels = [];
  format = String;

  // As wide as there is room, so that letters keep their size.
  #watch = new ResizeObserver(() => this.clientWidth !== this.#width && this.draw());
  #width = 0;

  connectedCallback() {
    this.#watch.observe(this);
  }

  disconnectedCallback() {
    this.#watch.disconnect();
  }

  /** Draws it anew. */
  draw() {
    this.#width = this.clientWidth;
    const width = this.#width || 600;
    const all = this.series.flatMap((one) => one.values.map(Number));
    const marks = steps(Math.max(0, ...all), Math.min(0, ...all));
    const [low, high] = [marks[0], marks.at(-1)];
    const inner = { width: width - edge.left - edge.right, height: height - edge.top - edge.bottom };
    const y = (value) => edge.top + ((high - value) / (high - low || 1)) * inner.height;
    const slot = inner.width / Math.max(1, this.labels.length);
    const x = (index) => edge.left + slot * (index + 0.5);
    const bars = this.series.filter((one) => one.kind === 'bar');
    const thick = Math.min(28, (slot * 0.72) / Math.max(1, bars.length));
    const every = Math.ceil(this.labels.length / Math.min(12, Math.max(4, Math.floor(width / 70))));
    const picture = svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': this.label });
    put(picture,
      marks.map((mark) => [
        svg('line', { class: mark === 0 ? 'base' : 'grid', x1: edge.left, x2: width - edge.right, y1: y(mark), y2: y(mark) }),
        svg('text', { class: 'tick', x: edge.left - 6, y: y(mark) + 4, 'text-anchor': 'end' }, brief(mark)),
      ]),
      this.labels.map((label, index) => index % every === 0 &&
        svg('text', { class: 'tick', x: x(index), y: height - 8, 'text-anchor': 'middle' }, label)),
      bars.map((one, place) => one.values.map((value, index) => {
        const size = Math.abs(y(Number(value)) - y(0));
        return svg('rect', {
          class: `bar ${one.name}`, x: x(index) + (place - bars.length / 2) * thick + 0.5, width: Math.max(1, thick - 1), rx: Math.min(2, thick / 4),
          y: Number(value) < 0 ? y(0) : y(Number(value)), height: isZero(value) ? 0 : Math.max(1, size),
        }, svg('title', {}, `${this.labels[index]}: ${t(one.name)} ${this.format(value)}`));
      })),
      this.series.filter((one) => one.kind === 'line').map((one) => [
        svg('polyline', { class: `line ${one.name}`, points: one.values.map((value, index) => `${x(index)},${y(Number(value))}`).join(' ') }),
        this.labels.length <= 40 && one.values.map((value, index) => svg('circle', { class: `dot ${one.name}`, cx: x(index), cy: y(Number(value)), r: 2.5 },
          svg('title', {}, `${this.labels[index]}: ${t(one.name)} ${this.format(value)}`))),
      ]));
    show(this, picture, this.series.length > 1 &&
      h('ul', { class: 'legend' }, this.series.map((one) => h('li', {}, h('span', { class: `swatch ${one.name}` }), t(one.name)))));
  }
}
customElements.define('bar-plot', BarPlot);

/** Makes a plot. */
export function plot(label, labels, series, format) {
  const element = h('bar-plot', { '.label': label, '.labels': labels, '.series': series, '.format': format });
  element.draw();
  return element;
}

/** Shares of a whole as bars that lie: `rows` are `{name, value}`, the largest first. */
export function shares(label, rows, format) {
  const most = rows.reduce((value, row) => (compare(row.value, value) > 0 ? row.value : value), '0');
  return h('ul', { class: 'shares', 'aria-label': label }, rows.map((row) => {
    const bar = h('span', { class: 'bar' });
    bar.style.inlineSize = `${Math.max(0, (Number(row.value) / (Number(most) || 1)) * 100)}%`;
    return h('li', {}, h('span', { class: 'label' }, row.name), h('span', { class: 'value' }, format(row.value)), h('span', { class: 'track', 'aria-hidden': 'true' }, bar));
  }));
}

/** A button that fetches the same as a table for a spreadsheet: all its pages, below the names of the first. */
export function csvButton(name, path, query) {
  return h('button', {
    type: 'button', class: 'quiet',
    onclick: async () => {
      let text = '';
      for (let page = { next: path }, asked = query(); page.next; asked = {}) {
        page = await stock.request('GET', page.next, { query: asked, accept: 'text/csv' });
        text += text ? page.body.slice(page.body.indexOf('\n') + 1) : page.body;
      }
      const link = h('a', { href: URL.createObjectURL(new Blob(['\ufeff', text], { type: 'text/csv' })), download: `${name}.csv` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    },
  }, 'CSV');
}

export const total = (rows, name) => rows.reduce((value, row) => add(value, row[name] ?? '0'), '0');
