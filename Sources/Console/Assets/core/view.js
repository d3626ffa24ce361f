/** What all views have in common: they read what they show, and read it again when it has changed anywhere. */
import { h, show } from './dom.js';
import { onChange } from './live.js';
import { complaint, t } from './words.js';

export class View extends HTMLElement {
  /** The modules whose change has the view read again. */
  static modules = [];

  /** What follows the view's name in the address. @type {string[]} */
  params = [];
  /** What follows `?` there. */
  query = new URLSearchParams();

  #stop = () => {};
  #reading = null;
  #isDue = false;
  #seen = () => {
    if (!document.hidden && this.#isDue) this.reload({});
  };

  connectedCallback() {
    this.classList.add('view');
    if (this.constructor.modules.length) {
      this.#stop = onChange(this.constructor.modules, (change) => {
        // Nobody looks: once, when somebody does.
        if (document.hidden) this.#isDue = true;
        else this.reload(change);
      });
    }
    document.addEventListener('visibilitychange', this.#seen);
    this.open();
    this.reload();
  }

  disconnectedCallback() {
    this.#stop();
    this.#reading?.abort();
    document.removeEventListener('visibilitychange', this.#seen);
    this.close();
  }

  /** Draws what does not depend on data. */
  open() {}

  /** Reads, and shows what was read. @param {AbortSignal} signal aborted when it is read anew, or left */
  async load(signal) {}

  /** Lets go of what it holds. */
  close() {}

  /** Reads anew; the last to be asked for is what is shown. */
  async reload(change) {
    this.#isDue = false;
    this.#reading?.abort();
    const reading = (this.#reading = new AbortController());
    try {
      await this.load(reading.signal, change);
      this.removeAttribute('failed');
      this.querySelector(':scope > .failure')?.remove();
      this.setAttribute('loaded', '');
    } catch (error) {
      if (reading.signal.aborted) return;
      this.fail(error);
    }
  }

  /** Says above everything what went wrong; what was shown before stays. */
  fail(error) {
    if (error?.name !== 'Problem' && error?.name !== 'Unreachable') console.error(error);
    this.setAttribute('failed', '');
    this.querySelector(':scope > .failure')?.remove();
    this.prepend(
      h('p', { class: 'failure notice bad', role: 'alert' }, complaint(error), ' ',
        h('button', { type: 'button', class: 'quiet', onclick: () => this.reload() }, t('try_again')))
    );
  }

  /** The head of the page: its title, and what can be done. */
  head(title, ...actions) {
    document.title = `${title} · Stock`;
    return h('header', { class: 'head' }, h('h1', { tabindex: '-1' }, title), h('div', { class: 'actions' }, ...actions));
  }

  /** Goes to another view, keeping this one's place in the history. */
  go(address) {
    location.hash = `#/${address}`;
  }

  /** Changes what follows `?` in the address, without leaving. */
  ask(values) {
    const query = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries(values)) {
      if (value === null || value === '' || value === undefined) query.delete(name);
      else query.set(name, value);
    }
    this.query = query;
    const base = location.hash.split('?')[0];
    history.replaceState(null, '', query.size ? `${base}?${query}` : base);
    return this.reload();
  }

  /** Shows children in place of what was there. */
  show(...children) {
    show(this, ...children);
  }
}
