/** Servers that are told what happens, and what came of telling them. */
import { button, card, confirm, facts, h, openDialog, regret, show, table } from '../core/elements.js';
import { onStream, stock } from '../core/live.js';
import { ListOrOne, makeRecord, openRecord, recordsView } from '../core/records.js';
import { moment, t } from '../core/words.js';
import { showSecret } from './people.js';

const List = recordsView({
  path: '/v1/webhooks', title: 'webhooks', one: 'one_webhook', modules: ['identity'], write: 'webhooks:manage', query: { limit: null }, href: (row) => `#/webhooks/${row.id}`,
  columns: ['url text', 'active flag', 'disabled_reason word', { name: 'types', value: (row) => row.types.join(', ') }, 'after number', 'head number', 'set_aside number'],
  fields: ['url! text', { name: 'types', type: 'list', hint: 'types_hint' }, 'active flag'],
  async make(kind) {
    const made = await makeRecord(kind);
    if (made) await showSecret(made.url, made.secret, 'shown_once');
    return made;
  },
});

class Webhooks extends ListOrOne {
  static List = List;
  #off = () => {};

  openOne() {
    super.openOne();
    // What happens is sent, and nothing tells when it was.
    this.#off = onStream({ event: () => this.#look(1000) });
  }

  close() {
    this.#off();
    clearTimeout(this.timer);
  }

  #look(soon) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.reload(), soon);
  }

  async loadOne(path, signal) {
    const [one, deliveries] = await Promise.all([stock.get(path, {}, { signal }), stock.get(`${path}/deliveries`, { limit: 50 }, { signal })]);
    const act = (word, body) => stock.post(`${path}/${word}`, body).then(() => this.#look(500), regret);
    show(this.place,
      this.head(one.url,
        button(t('test'), () => act('test')),
        button(t('rotate'), () => confirm(t('rotate'), t('rotate'), t('rotate_intro'), async () => (showSecret(one.url, (await stock.post(`${path}/rotate`)).secret, 'shown_once'), this.reload()))),
        button(t(one.active ? 'switch_off' : 'switch_on'), () => stock.request('PATCH', path, { body: { active: !one.active }, match: '*' }).then(() => this.reload(), regret)),
        button(t('edit'), async () => (await openRecord(List.kind, one.id), this.reload()))),
      card(facts(one, ['active flag', 'disabled_reason word', ['types', one.types.join(', ')], 'after number', 'head number', 'set_aside number', 'failed_seq number', ['next_at', moment(one.next_try_at)], 'failing_since moment',
        'previous_secret_until moment'])),
      table(t('deliveries'), ['at moment', 'seq number', 'type text', 'status badge', { name: 'code', value: (row) => row.code ?? row.error }, 'duration_ms number', 'next_at moment'], deliveries.data, { open: (row) => this.#delivery(row, act) }));
    const later = deliveries.data.map((row) => row.next_at).filter((at) => new Date(at) > Date.now());
    const [next] = [one.next_try_at ?? [], later].flat().sort();
    if (next) this.#look(Math.max(1000, new Date(next) - Date.now() + 1000));
  }

  #delivery(row, act) {
    openDialog(`${row.seq} ${row.type ?? ''}`, (close) => {
      const told = (word) => button(t(word), () => (close(), act(word, { seq: row.seq })), { class: word === 'skip' ? 'quiet' : 'main' });
      return [facts(row, ['at moment', 'status badge', 'outcome word', 'code text', 'error text', 'attempt number', 'next_at moment', 'lost number']), row.answer && h('pre', {}, row.answer),
        row.seq > 0 && h('div', { class: 'row' }, told('redeliver'), row.status === 'failed' && told('skip'))];
    });
  }
}
customElements.define('view-webhooks', Webhooks);
export default Webhooks;
