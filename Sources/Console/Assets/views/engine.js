/** Under the floor: where answers come from, and what a change anywhere retires here, as it happens. */
import { badge, card, facts, figure, h, show, stack, table } from '../core/elements.js';
import { onChange, onStream, stock } from '../core/live.js';
import { View } from '../core/view.js';
import { clock, number, percent, t } from '../core/words.js';

const rate = (value) => (value === null ? '—' : percent(String(Math.round(value * 1000) / 10)));

class Engine extends View {
  static modules = ['sales', 'products', 'stock', 'balance', 'settings', 'payments', 'customers', 'purchases'];
  #offs = [];

  open() {
    this.figures = stack();
    this.feed = h('ol', { class: 'feed', 'aria-live': 'off' });
    this.happened = h('ol', { class: 'feed', 'aria-live': 'off' });
    this.answer = h('div');
    const form = h('record-form', { '.spec': {
      label: t('explain'), values: { module: 'settings', key: 'tenant' },
      fields: ['module! choice products categories units stock balance sales payments purchases customers suppliers quotes dashboard reports settings identity views', { name: 'key', type: 'text', required: true, hint: 'explain_hint' }],
      submit: async (given) => {
        const one = await stock.get('/v1/cache/explain', given);
        show(this.answer, facts(one, ['would_serve badge', ['because', one.because.join('; ')], ['l1', one.l1.present ? `${number(one.l1.bytes)} B · ${number(Math.round(one.l1.age_ms))} ms` : '—'], ['l2', one.l2.present ? `${number(Math.round(one.l2.ttl_ms ?? 0))} ms` : '—'],
          ['version', one.scope.version], ['generation', one.scope.generation], ['applied', one.lane.applied], ['head', one.lane.head]]));
      },
    } });
    this.show(this.head(t('engine')), this.figures,
      h('div', { class: 'columns' },
        card(h('h2', {}, t('retirements')), h('p', { class: 'hint' }, t('retirements_intro')), this.feed),
        card(h('h2', {}, t('events')), this.happened),
        card(h('h2', {}, t('explain')), form, this.answer)));
    const note = (list, ...parts) => {
      list.prepend(h('li', {}, h('time', {}, clock(new Date(), true)), ' ', ...parts));
      while (list.children.length > 40) list.lastChild.remove();
    };
    this.#offs = [
      onChange([], (change) => change.modules && note(this.feed, change.modules.map((one) => [badge(one), ' ']))),
      onStream({ event: (event) => note(this.happened, h('code', {}, `${event.seq} ${event.type}`)) }),
    ];
  }

  close() {
    this.#offs.forEach((off) => off());
  }

  async load(signal) {
    const [stats, health, version] = await Promise.all([stock.get('/v1/cache/stats', {}, { signal }), stock.get('/health/cache', {}, { signal }), stock.get('/version', {}, { signal })]);
    show(this.figures,
      h('div', { class: 'figures' },
        figure(t('instance'), version.instance, `${version.version} ${version.commit?.slice(0, 8) ?? ''}`), figure(t('cache'), badge(stats.usable ? 'ok' : 'degraded'), health.reasons.join('; ')), figure(t('l1_hit_rate'), rate(stats.totals.l1_hit_rate)),
        figure(t('l2_hit_rate'), rate(stats.totals.l2_hit_rate)), figure(t('lag'), number(stats.lag)), figure(t('fresh_age'), `${number(Math.round(stats.fresh_age_ms ?? 0))} ms`), figure('Redis', t(health.redis)), figure(t('entries_kept'), number(stats.totals.entries), `${number(stats.totals.bytes)} B`)),
      table(t('by_module'), ['module text', 'l1_hits number', 'l2_hits number', 'misses number', 'bypasses number', { name: 'l1_hit_rate', kind: 'percent', value: (row) => row.l1_hit_rate && Math.round(row.l1_hit_rate * 1000) / 10 }, { name: 'entries', kind: 'number', label: 'entries_kept' }, 'version number'], stats.modules, { key: (row) => row.module }));
  }
}
customElements.define('view-engine', Engine);
export default Engine;
