/**
 * The till: for the keyboard, the scanner and the thumb.
 *
 * The cart and its key are kept in the browser with every change, so a reload goes on where it was; what is paid waits in waiting.js until it is
 * written down.
 */
import { newKey } from '../core/client.js';
import { add, compare, isPositive, isZero, multiply, round, subtract, sum, trim, typed } from '../core/decimal.js';
import { ask, badge, button, confirm, h, icon, openDialog, regret, say, show, stack } from '../core/elements.js';
import { customerField } from '../core/finding.js';
import { may, me, stock, till } from '../core/live.js';
import { recordsOf } from '../core/names.js';
import { showReceipt } from '../core/receipt.js';
import { View } from '../core/view.js';
import { forget, handOver, isRefusal, keepRefused, onWaiting, sendWaiting, writeDown } from '../core/waiting.js';
import { amount, complaint, currency, moment, number, plain, price, t } from '../core/words.js';

const emptyCart = () => ({ key: newKey(), lines: [], customer: null, discount: null, note: null });

class Sell extends View {
  static modules = ['products', 'settings', 'stock'];
  #cart = emptyCart();
  #at = -1;
  #priced = null;
  #pricing = null;
  #scans = Promise.resolve();
  #off = () => {};

  get #place() {
    return `stock.cart.${me.tenant.id}.${me.user?.id}`;
  }

  open() {
    // Another page of this till may have the key of an empty one.
    const kept = JSON.parse(localStorage.getItem(this.#place) ?? 'null');
    this.#cart = kept?.lines.length ? kept : emptyCart();
    this.scan = h('pick-field', {
      class: 'scan', label: t('scan_or_search'), placeholder: t('scan_or_search'), '.find': (text, signal) => this.#find(text, signal),
      '.detail': (row) => `${price(row.price)} · ${number(row.available)}`, '.entered': (text, row, isMarked) => this.#enter(text, row, isMarked),
      onpicked: ({ detail }) => detail && this.#add(detail, this.#quantityOf(this.scan.input.value) ?? '1'),
    });
    this.lines = h('div', { class: 'cart' });
    this.side = h('section', { class: 'card pay', 'aria-label': t('total') });
    this.till = h('select', { 'aria-label': t('register'), onchange: () => (till.id = this.till.value) });
    this.held = stack();
    this.show(
      this.head(t('sell'), this.till, may('sales:read') && button(t('drafts'), () => this.#drafts()), button(t('put_aside'), () => this.#putAside())),
      this.held,
      h('div', { class: 'till' },
        stack(this.scan, this.lines,
          h('p', { class: 'keys' }, [['Enter', 'key_pay'], ['3*', 'key_quantity'], ['↑ ↓', 'key_line'], ['Del', 'key_remove'], ['F2', 'customer'], ['F4', 'discount']]
            .map(([key, word]) => h('span', {}, h('kbd', {}, key), ' ', t(word))))),
        this.side));
    this.addEventListener('keydown', this.#keys);
    this.#off = onWaiting((list) => this.#showWaiting(list));
    this.#draw();
    this.scan.input.focus();
  }

  close() {
    this.#off();
  }

  async load() {
    const registers = (await recordsOf('registers')).filter((one) => one.active);
    const now = registers.find((one) => one.id === till.id) ?? registers.find((one) => one.is_default) ?? registers[0];
    show(this.till, registers.map((one) => h('option', { value: one.id, selected: one.id === now?.id }, one.name)));
    this.till.hidden = registers.length < 2;
    this.taxes = await recordsOf('taxes').catch(() => null);
    this.methods = (await recordsOf('methods')).filter((one) => one.active).sort((a, b) => a.position - b.position);
    this.#price();
  }

  // What is scanned or typed

  #find(text, signal) {
    const asked = text.replace(/^[\d.,]+\s*\*\s*/, '');
    if (asked.length < 2) return [];
    return stock.get('/v1/products', { q: asked, status: 'active', limit: 8 }, { signal, tries: 1 }).then((page) => page.data);
  }

  #quantityOf(text) {
    const found = /^([\d.,]+)\s*\*/.exec(text.trim());
    return found ? typed(found[1]) : null;
  }

  async #enter(text, row, isMarked) {
    const quantity = this.#quantityOf(text) ?? '1';
    const code = text.replace(/^[\d.,]+\s*\*\s*/, '').trim();
    if (text === '') return this.#cart.lines.length ? this.#pay() : undefined;
    if (code === '') return this.#setQuantity(this.#cart.lines[this.#at], quantity);
    if (isMarked && row) return this.#add(row, quantity);
    this.scan.clear();
    this.#scans = Promise.all([this.#scans, this.#lookUp(text, code, quantity, row)]);
  }

  async #lookUp(text, code, quantity, row) {
    try {
      const { data } = await stock.get('/v1/products/lookup', { code });
      if (data.length === 1) await this.#add(data[0], quantity, code);
      else if (data.length > 1) {
        this.scan.input.value = text;
        this.scan.offer(data);
      } else if (row) await this.#add(row, quantity);
      else {
        const found = (await stock.get('/v1/products', { q: code, status: 'active', limit: 8 })).data;
        if (found.length === 1) return await this.#add(found[0], quantity);
        this.scan.input.value = text;
        this.scan.input.select();
        if (found.length) this.scan.offer(found);
        else say(t('not_found_code', { code }), 'bad');
      }
    } catch (error) {
      this.scan.input.value = text;
      regret(error);
    }
  }

  async #add(product, quantity, code) {
    const { scanned } = product;
    // A label with a weight or a price is sold as the label it is.
    const isLabel = scanned && (scanned.quantity !== null || scanned.amount !== null);
    const reference = isLabel ? { code } : scanned?.packaging_id ? { packaging_id: scanned.packaging_id } : { product_id: product.id };
    const same = !isLabel && this.#cart.lines.find((line) => JSON.stringify(line.reference) === JSON.stringify(reference) && !line.unit_price && !line.discount);
    if (same) same.quantity = add(same.quantity, quantity);
    else {
      const unit = (await recordsOf('units').catch(() => [])).find((one) => one.id === product.unit_id);
      this.#cart.lines.push({
        reference, quantity, name: scanned?.packaging ? `${product.name} (${scanned.packaging})` : product.name, sku: product.sku,
        price: isLabel && scanned.amount !== null ? scanned.amount : scanned?.packaging_id ? scanned.price ?? multiply(product.price, scanned.factor) : product.price,
        per: isLabel ? scanned.quantity ?? '1' : '1', tax: product.tax_rate, unit: scanned?.packaging_id || isLabel ? '' : unit?.symbol ?? '',
      });
    }
    this.#at = same ? this.#cart.lines.indexOf(same) : this.#cart.lines.length - 1;
    this.scan.clear();
    this.scan.input.focus();
    this.#changed();
  }

  #keys = (event) => {
    const { lines } = this.#cart;
    if (event.key === 'F2') this.#askCustomer();
    else if (event.key === 'F4') this.#askDiscount();
    else if (event.target === this.scan.input && this.scan.input.value === '' && !event.defaultPrevented) {
      if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
        this.#at = Math.max(0, Math.min(lines.length - 1, this.#at + (event.key === 'ArrowUp' ? -1 : 1)));
        this.#draw();
      } else if (event.key === 'Delete' && lines[this.#at]) this.#remove(lines[this.#at]);
      else return;
    } else return;
    event.preventDefault();
  };

  // The cart

  #setQuantity(line, quantity) {
    this.scan.clear();
    if (!line || quantity === null) return;
    if (!isPositive(quantity)) return this.#remove(line);
    line.quantity = trim(quantity);
    this.#changed();
  }

  #remove(line) {
    this.#cart.lines = this.#cart.lines.filter((one) => one !== line);
    this.#at = Math.min(this.#at, this.#cart.lines.length - 1);
    this.#changed();
    this.scan.input.focus();
  }

  #changed() {
    localStorage.setItem(this.#place, JSON.stringify(this.#cart));
    this.#priced = null;
    this.#draw();
    this.#price();
  }

  #renew() {
    this.#cart = emptyCart();
    this.#at = -1;
    this.#changed();
    this.scan.input.focus();
  }

  #body(payments) {
    const { lines, customer, discount, note } = this.#cart;
    return {
      lines: lines.map((line) => ({
        ...line.reference, quantity: line.quantity, ...(line.unit_price ? { unit_price: line.unit_price } : {}), ...(line.discount ? { discount: line.discount } : {}),
      })),
      ...(this.till.value ? { register_id: this.till.value } : {}),
      ...(customer ? { customer_id: customer.id } : {}), ...(discount ? { discount } : {}), ...(note ? { note } : {}), ...(payments?.length ? { payments } : {}),
    };
  }

  /** What the service says it comes to; until it has, or without it, what adds up here. */
  async #price(payments = []) {
    this.#pricing?.abort();
    if (!this.#cart.lines.length) return;
    const pricing = (this.#pricing = new AbortController());
    let isPriced = false;
    try {
      // Nobody waits for it longer: what adds up here will do.
      const signal = AbortSignal.any([pricing.signal, AbortSignal.timeout(3_000)]);
      this.#priced = await stock.post('/v1/sales/price', { ...this.#body(), payments }, { signal });
      this.fault = null;
      isPriced = true;
    } catch (error) {
      if (pricing.signal.aborted) return;
      this.fault = error.name === 'Problem' ? error : null;
    }
    if (this.isConnected) this.#draw();
    return isPriced;
  }

  #sumOf(line, index) {
    const known = this.#priced?.lines[index]?.total;
    if (known !== undefined) return known;
    return subtract(round(multiply(line.unit_price ?? line.price, multiply(line.quantity, line.per)), currency().decimals), line.discount ?? '0');
  }

  get #total() {
    if (this.#priced) return this.#priced.total;
    const sums = this.#cart.lines.map((line, index) => this.#sumOf(line, index));
    const taxes = me.tenant.prices_include_tax ? [] : this.#cart.lines.map(({ tax }, index) => round(multiply(sums[index], multiply(tax ?? '0', '0.01')), currency().decimals));
    return subtract(sum([...sums, ...taxes]), this.#cart.discount ?? '0');
  }

  /** Whether what adds up here is what the service comes to: not with taxes that are more than a rate on top of a line. */
  get #isSure() {
    const { lines, discount } = this.#cart;
    const { prices_include_tax: areIn } = me.tenant;
    return Boolean(this.#priced) || ((this.taxes?.every((one) => one.included === null) ?? areIn) && (areIn || (!discount && lines.every(({ tax }) => tax))));
  }

  #draw() {
    const { lines, customer, discount } = this.#cart;
    const warnings = new Map();
    for (const one of [...(this.#priced?.warnings ?? []), ...(this.fault?.errors ?? [])]) {
      const index = /^\/lines\/(\d+)/.exec(one.pointer)?.[1];
      if (index) warnings.set(Number(index), one.detail);
    }
    // A list without items is none.
    for (const [name, value] of [['role', 'list'], ['aria-label', t('cart')]]) lines.length ? this.lines.setAttribute(name, value) : this.lines.removeAttribute(name);
    const typing = this.lines.querySelector('input:focus');
    // What is being typed stays; it is drawn once it is a quantity.
    if (!typing || typing.value === plain(lines[typing.id.slice(9)]?.quantity ?? '')) show(this.lines, lines.length ? lines.map((line, index) => {
      const step = (by) => this.#setQuantity(line, add(line.quantity, by));
      return h('div', { class: `line-item${index === this.#at ? ' at' : ''}`, role: 'listitem' },
        h('div', { class: 'name' }, h('button', { type: 'button', class: 'link', onclick: () => this.#editLine(line) }, line.name), ' ',
          h('small', {}, `${price(line.unit_price ?? line.price)}${line.unit ? ` / ${line.unit}` : ''}`, line.discount && ` − ${amount(line.discount)}`)),
        h('span', { class: 'amounts' },
          button('−', () => step('-1'), { 'aria-label': t('less_of', { name: line.name }) }),
          h('input', { id: `quantity-${index}`, class: 'number', inputmode: 'decimal', 'aria-label': t('quantity_of', { name: line.name }), '.value': plain(line.quantity),
            onfocus: (event) => event.target.select(), onchange: (event) => this.#setQuantity(line, typed(event.target.value)) }),
          button('+', () => step('1'), { 'aria-label': t('more_of', { name: line.name }) })),
        h('span', { class: 'sum' }, amount(this.#sumOf(line, index))),
        button(icon('close'), () => this.#remove(line), { class: 'quiet only-icon', 'aria-label': t('remove_one', { name: line.name }) }),
        warnings.has(index) && h('p', { class: 'warn' }, warnings.get(index)));
    }) : h('p', { class: 'none' }, t('cart_empty')));
    show(this.side,
      h('div', { class: 'total', 'aria-live': 'polite' }, h('span', {}, t('total')), h('strong', {}, amount(lines.length ? this.#total : '0'))),
      h('dl', {}, [['discount', discount && `− ${amount(discount)}`], ['tax', this.#priced && amount(this.#priced.tax)]]
        .filter(([, value]) => value).map(([word, value]) => h('div', {}, h('dt', {}, t(word)), h('dd', {}, value)))),
      this.fault && !this.fault.errors.some((one) => one.pointer?.startsWith('/lines/')) && h('p', { class: 'notice bad' }, complaint(this.fault)),
      button(t('pay'), () => this.#pay(), { class: 'main', disabled: !lines.length }),
      h('div', { class: 'row more' },
        button(customer ? customer.name : t('customer'), () => this.#askCustomer()),
        button(t('discount'), () => this.#askDiscount(), { disabled: !lines.length }),
        lines.length > 0 && button(t('clear'), async () => (await confirm(t('clear_cart'), t('clear'), '')) && this.#renew(), 'quiet')));
  }

  async #editLine(line) {
    await ask(line.name, ['quantity! decimal', 'unit_price decimal', 'discount decimal'], {
      values: { quantity: line.quantity, unit_price: line.unit_price ?? line.price, discount: line.discount },
      submit: async ({ quantity, unit_price, discount }) => {
        line.unit_price = unit_price !== null && compare(unit_price, line.price) !== 0 ? unit_price : null;
        line.discount = discount && !isZero(discount) ? discount : null;
        this.#setQuantity(line, quantity);
      },
    });
    this.scan.input.focus();
  }

  async #askCustomer() {
    await ask(t('customer'), [customerField], {
      values: { customer: this.#cart.customer }, label: t('take'),
      submit: async ({ customer }) => {
        this.#cart.customer = customer ? { id: customer, name: (await stock.get(`/v1/customers/${customer}`)).name } : null;
        this.#changed();
      },
    });
    this.scan.input.focus();
  }

  async #askDiscount() {
    await ask(t('discount'), [{ name: 'discount', type: 'decimal', hint: 'discount_hint' }, 'note text'], {
      values: this.#cart,
      submit: async ({ discount, note }) => (Object.assign(this.#cart, { discount: discount && !isZero(discount) ? discount : null, note }), this.#changed()),
    });
    this.scan.input.focus();
  }

  // Paying

  async #pay() {
    await this.#scans;
    if (!this.#cart.lines.length || this.fault) return;
    await this.#price();
    if (this.fault || document.querySelector('dialog')) return;
    if (!this.#isSure) return say(t('not_sure'), 'bad');
    if (isZero(this.#total)) return this.#finish([]);
    const tenders = [];
    let method = this.methods?.[0];
    let rest = this.#priced?.cash_due;
    let total;
    const isDone = await openDialog(t('pay'), (close) => {
      const place = h('div', { class: 'settle' });
      const due = () => subtract(this.#total, sum(tenders.map((one) => one.amount)));
      // Cash is counted in steps.
      const wanted = () => (method?.kind === 'cash' && rest ? rest : due());
      const again = async () => {
        rest = null;
        draw();
        if ((await this.#price(tenders)) && compare((rest = this.#priced.cash_due), due())) draw();
      };
      const draw = () => {
        total = this.#total;
        const input = h('input', { class: 'number', inputmode: 'decimal', 'aria-label': t(method?.kind === 'cash' ? 'given' : 'amount'), autofocus: true, '.value': plain(wanted()),
          oninput: () => showChange(), onkeydown: (event) => event.key === 'Enter' && (event.preventDefault(), take()) });
        const change = h('p', { role: 'status' });
        const showChange = () => {
          const given = typed(input.value);
          const back = given !== null && method?.kind === 'cash' ? subtract(given, wanted()) : '0';
          show(change, isPositive(back) ? [t('change'), ' ', h('strong', {}, amount(back))] : '');
        };
        const take = () => {
          // Another price came meanwhile.
          if (compare(this.#total, total)) return again();
          const given = typed(input.value);
          const all = wanted();
          // That was scanned.
          if (given === null || !isPositive(given) || compare(given, multiply(all, '1000')) > 0) return input.select();
          const isEnough = compare(given, all) >= 0;
          if (!isEnough || method.kind === 'cash') {
            tenders.push({ method: method.code, amount: isEnough ? all : given, ...(method.kind === 'cash' ? { tendered: given } : {}) });
          } else tenders.push({ method: method.code, amount: all });
          if (isEnough) close(true);
          else again();
        };
        show(place,
          h('p', { class: 'due' }, amount(wanted())),
          tenders.length > 0 && h('dl', {}, tenders.map((one, index) => h('div', {}, h('dt', {}, this.methods.find((m) => m.code === one.method)?.name),
            h('dd', {}, amount(one.amount), ' ', button(t('remove'), () => (tenders.splice(index, 1), again()), 'link'))))),
          h('div', { class: 'methods', role: 'group', 'aria-label': t('method') }, this.methods.map((one, index) =>
            button([one.name, h('kbd', {}, index + 1)], () => ((method = one), draw()), { 'aria-pressed': String(one === method) }))),
          h('label', { class: 'field' }, h('span', {}, t(method?.kind === 'cash' ? 'given' : 'amount')), input),
          change,
          h('footer', {},
            this.#cart.customer && button(t('on_account'), () => close(true), 'quiet'),
            button(t('take_payment'), take, 'main')));
        input.focus();
        input.select();
        showChange();
      };
      place.addEventListener('keydown', (event) => {
        const index = Number(event.key) - 1;
        if (event.altKey && this.methods[index]) (event.preventDefault(), (method = this.methods[index]), draw());
      });
      draw();
      return [place, h('p', { class: 'keys' }, h('span', {}, h('kbd', {}, 'Alt 1…9'), ' ', t('method')), h('span', {}, h('kbd', {}, 'Enter'), ' ', t('take_payment')))];
    });
    if (isDone) await this.#finish(tenders);
    else this.scan.input.focus();
  }

  async #finish(tenders) {
    const sale = { key: this.#cart.key, body: this.#body(tenders), total: this.#total, prices: this.#cart.lines.map((line) => line.unit_price ?? line.price) };
    const cart = this.#cart;
    try {
      const pending = handOver(sale);
      // From here on it is kept there; a cart that stayed would be sold twice.
      this.#renew();
      const written = await pending;
      if (written === null) return say(t('waits'), 'warn');
      await showReceipt(`/v1/sales/${written.id}`, {
        done: t('next_sale'),
        before: [h('p', { class: 'notice' }, `${t('sold')} · ${t('sale_number', { n: written.number })}`),
          isPositive(written.change) && h('p', { class: 'total' }, t('change'), ' ', h('strong', { class: 'due' }, amount(written.change)))],
      });
    } catch (error) {
      // Somebody else's goods are in the cart by now.
      if (!this.isConnected || this.#cart.lines.length) return keepRefused(sale, error);
      // What was refused stays refused under its key.
      this.#cart = { ...cart, key: newKey() };
      this.#changed();
      this.fault = error;
      this.#draw();
      regret(error);
    }
    this.scan.input.focus();
  }

  #showWaiting(list) {
    show(this.held, list.map((sale) => h('div', { class: `notice ${sale.problem ? 'bad' : 'warn'}`, role: 'status' },
      t(sale.problem ? 'sale_refused' : 'sale_waits', { total: amount(sale.total), at: moment(sale.at) }), ' ',
      sale.problem ? sale.problem.errors?.[0]?.detail ?? sale.problem.detail : button(t('try_again'), () => sendWaiting(), 'quiet'),
      sale.problem && may('sales:offline') && button(t('write_down'), () => writeDown(sale.key).then(() => say(t('written_down')), regret), 'quiet'),
      sale.problem && button(t('discard'), async () => (await confirm(t('discard'), t('discard'), t('discard_waiting'))) && forget(sale.key), 'quiet'))));
  }

  // Carts that are put away on the server

  async #putAside() {
    const cart = this.#cart;
    if (!cart.lines.length) return;
    try {
      await stock.post('/v1/sales', { ...this.#body(), status: 'draft' }, { key: cart.key });
    } catch (error) {
      if (isRefusal(error)) cart.key = newKey();
      throw error;
    }
    say(t('put_aside_done'));
    this.#renew();
  }

  async #drafts() {
    const { data } = await stock.get('/v1/sales', { status: 'draft', expand: 'customer,user', limit: 50 });
    await openDialog(t('drafts'), (close) => (data.length ? h('ul', { class: 'stack' }, data.map((one) => h('li', { class: 'row' },
      button(t('take_up'), () => (close(), this.#takeUp(one.id))), h('span', {}, amount(one.total)), badge(one.status),
      h('small', {}, [moment(one.occurred_at), one.customer?.name, one.note].filter(Boolean).join(' · '))))) : h('p', { class: 'none' }, t('nothing'))));
    this.scan.input.focus();
  }

  /** Takes a draft up again: it is given up on the server, which only one till can do. */
  async #takeUp(id) {
    if (this.#cart.lines.length) await this.#putAside();
    const draft = await stock.get(`/v1/sales/${id}`, { expand: 'customer' });
    await stock.post(`/v1/sales/${id}/discard`, {}, { key: newKey() });
    this.#cart = {
      ...emptyCart(), customer: draft.customer ?? null, discount: null, note: draft.note,
      lines: draft.lines.map((line) => ({
        reference: { product_id: line.product_id }, quantity: line.quantity, name: line.name, sku: line.sku, price: line.unit_price, per: '1', tax: line.tax_rate, unit: line.unit,
        unit_price: line.price_source === 'override' || line.packaging?.price ? line.unit_price : null, discount: isZero(line.discount) ? null : line.discount,
      })),
    };
    this.#at = this.#cart.lines.length - 1;
    this.#changed();
  }
}
customElements.define('view-sell', Sell);
export default Sell;
