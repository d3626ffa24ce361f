/** The drawer: opened with a float, counted by coin and note, closed with what differs. */
import { newKey } from '../core/client.js';
import { add, compare, multiply, round, subtract, typed } from '../core/decimal.js';
import { ask, badge, button, card, facts, figure, figures, h, openDialog, say, show, stack, table } from '../core/elements.js';
import { may, stock } from '../core/live.js';
import { namesOf, recordsOf } from '../core/names.js';
import { filled } from '../core/records.js';
import { View } from '../core/view.js';
import { isRefusal } from '../core/waiting.js';
import { amount, complaint, currency, moment, number, t } from '../core/words.js';

class Cash extends View {
  static modules = ['payments', 'sales', 'settings', 'balance'];

  open() {
    this.place = stack();
    this.show(this.place);
  }

  async load(signal) {
    if (this.params[0]) return this.#session(this.params[0], signal);
    const [registers, past] = await Promise.all([recordsOf('registers'), stock.get('/v1/cash-sessions', { limit: 50 }, { signal })]);
    const name = await namesOf('registers');
    const open = new Map(past.data.filter((one) => one.status === 'open').map((one) => [one.register_id, one]));
    show(this.place, this.head(t('cash')),
      h('div', { class: 'columns' }, registers.filter((one) => one.active).map((one) => h('section', { class: 'card' },
        h('header', {}, h('h2', {}, one.name), badge(open.has(one.id) ? 'open' : 'closed')),
        open.has(one.id)
          ? [h('p', {}, t('open_since', { at: moment(open.get(one.id).opened_at) })), h('div', { class: 'row' }, h('a', { class: 'button', href: `#/cash/${open.get(one.id).id}` }, t('to_session')))]
          : may('sales:write') && h('div', { class: 'row' }, button(t('open_session'), () => this.#open(one), 'main'))))),
      table(t('sessions'), ['number text', { name: 'register', value: (row) => name(row.register_id) }, 'status badge', 'business_day day',
        'expected amount', 'counted amount', 'difference amount'], past.data, { href: (row) => `#/cash/${row.id}` }));
  }

  async #open(register) {
    const made = await ask(t('open_session'), [{ name: 'float', type: 'decimal', required: true, hint: 'float_hint' }, 'note text'], {
      label: t('open_session'), values: { float: '0' }, submit: (given, changed, key) => stock.post(`/v1/registers/${register.id}/sessions`, filled(given), { key }),
    });
    if (made) this.go(`cash/${made.id}`);
  }

  async #session(id, signal) {
    const [session, method, register] = await Promise.all([stock.get(`/v1/cash-sessions/${id}`, {}, { signal }), namesOf('methods'), namesOf('registers')]);
    const isOpen = session.status === 'open';
    const entry = (kind) => ask(t(kind), ['amount! decimal', { name: 'category', type: 'text', hint: 'category_hint' }, 'note text'], {
      label: t(kind), submit: (given, changed, key) => stock.post(`/v1/cash-sessions/${id}/entries`, filled({ kind, ...given }), { key }),
    });
    show(this.place,
      this.head(`${register(session.register_id)} · ${t('session_number', { n: session.number })}`,
        ...(isOpen && may('sales:write') ? [button(t('paid_in'), () => entry('paid_in')), button(t('paid_out'), () => entry('paid_out')), button(t('drop'), () => entry('drop')),
          button(t('count_and_close'), () => this.#close(session), 'main')] : [button(t('print'), () => print())])),
      figures(session, 'expected amount', 'counted amount', 'difference amount', figure(t('sales'), amount(session.sales.total), number(session.sales.count)),
        figure(t('returns'), amount(session.returns.total), number(session.returns.count)), 'float amount'),
      card(facts(session, ['status badge', 'opened_at moment', 'closed_at moment', 'business_day day',
        'note text', 'closing_note text'])),
      h('div', { class: 'columns' },
        table(t('by_method'), [{ name: 'method', value: (row) => method(row.method) }, 'income amount', 'expense amount', 'net amount', 'counted amount', 'difference amount'], session.tenders, { key: (row) => row.method }),
        table(t('entries'), ['kind word', 'amount amount', 'category text', 'note text', 'recorded_at moment'], session.entries),
        session.counts.length > 0 && table(t('by_piece'), ['value amount', 'count number', { name: 'amount', kind: 'amount', value: (row) => multiply(row.value, String(row.count)) }], session.counts, { key: (row) => row.value })));
  }

  /** Counts the drawer piece by piece; what is expected is shown when something was counted, and not before. */
  async #close(session) {
    const { decimals } = currency();
    const pieces = ['500', '200', '100', '50', '20', '10', '5', '2', '1', '0.5', '0.2', '0.1', '0.05', '0.02', '0.01']
      .map((one) => (decimals === 0 ? round(multiply(one, '100'), 0) : one)).filter((one) => decimals > 0 || compare(one, '1') >= 0);
    const counts = new Map();
    let key = newKey();
    const done = await openDialog(t('count_and_close'), (close) => {
      const sumPlace = h('div', { class: 'figures', role: 'status' });
      const fault = h('p', { class: 'notice bad', role: 'alert', hidden: true });
      const counted = () => [...counts].reduce((value, [piece, count]) => add(value, multiply(piece, String(count))), '0');
      const draw = () => show(sumPlace, figure(t('counted'), amount(counted())), figure(t('expected'), amount(session.expected)), figure(t('difference'), amount(subtract(counted(), session.expected))));
      draw();
      const note = h('input', { type: 'text', id: 'closing-note' });
      return [
        h('div', { class: 'fields' }, pieces.map((piece, index) => h('label', { class: 'field' }, h('span', {}, amount(piece)),
          h('input', { class: 'number', inputmode: 'numeric', placeholder: '0', autofocus: index === 0, oninput: (event) => {
            const value = typed(event.target.value || '0');
            const isCount = value !== null && /^\d{1,6}$/.test(value);
            event.target.toggleAttribute('aria-invalid', !isCount);
            if (isCount && value !== '0') counts.set(piece, Number(value));
            else counts.delete(piece);
            draw();
          } })))),
        sumPlace, h('label', { class: 'field', for: 'closing-note' }, h('span', {}, t('note')), note), fault,
        h('footer', {}, button(t('close_session'), async () => {
          try {
            const list = [...counts].map(([value, count]) => ({ value: round(value, decimals), count }));
            await stock.post(`/v1/cash-sessions/${session.id}/close`, filled({ ...(list.length ? { counts: list } : { counted: '0' }), note: note.value.trim() || null }), { key });
            close(true);
          } catch (error) {
            if (isRefusal(error)) key = newKey();
            show(fault, error.errors?.[0]?.detail ?? complaint(error));
            fault.hidden = false;
          }
        }, 'main')),
      ];
    });
    if (done) {
      say(t('session_closed_now'));
      this.reload();
    }
  }
}
customElements.define('view-cash', Cash);
export default Cash;
