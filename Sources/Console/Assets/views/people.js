/** Who works here, and who is invited to. */
import { ask, badge, button, confirm, h, openDialog, say, table } from '../core/elements.js';
import { me, stock } from '../core/live.js';
import { namesOf, recordsOf } from '../core/names.js';
import { View } from '../core/view.js';
import { moment, t } from '../core/words.js';

const roles = ['owner', 'manager', 'cashier', 'stock_keeper', 'viewer'];
/** Shows what is shown once: it is kept nowhere. */
export const showSecret = (title, secret, hint) => openDialog(title, () => [h('p', {}, t(hint)), h('input', { readonly: true, 'aria-label': title, '.value': secret, autofocus: true, onfocus: (event) => event.target.select() }),
  button(t('copy'), () => navigator.clipboard?.writeText(secret).then(() => say(t('copied'))), 'main')]);

class People extends View {
  static modules = ['identity'];

  async load(signal) {
    const [members, invitations, location] = await Promise.all([stock.get('/v1/users', {}, { signal }), stock.get('/v1/invitations', {}, { signal }), namesOf('locations')]);
    const isOwner = me.role === 'owner';
    this.show(
      this.head(t('people'), isOwner && button(t('invite'), () => this.#invite(), 'main')),
      table(t('people'), [{ name: 'name', value: (row) => row.name || row.email }, 'email text', 'role word', { name: 'status', draw: (row) => badge(row.active ? 'active' : 'ended') },
        { name: 'location_ids', value: (row) => row.location_ids.map(location).join(', ') || t('everywhere') }], members.data, { open: isOwner ? (row) => this.#change(row) : null }),
      h('h2', {}, t('invitations')),
      table(t('invitations'), ['email text', 'role word', 'expires_at moment'], invitations.data, { open: isOwner ? (row) => this.#invitation(row) : null }));
  }

  async #invite() {
    const made = await ask(t('invite'), ['email! email', { name: 'role', type: 'choice', required: true, choices: roles }], {
      values: { role: 'cashier' }, label: t('invite'), submit: (body) => stock.post('/v1/users', body),
    });
    if (made) showSecret(t('invitation_token'), made.invitation_token, 'shown_once');
  }

  async #change(row) {
    const locations = (await recordsOf('locations')).filter((one) => one.kind !== 'transit');
    const { body, etag } = await stock.request('GET', `/v1/users/${row.id}`);
    ask(body.email, [{ name: 'role', type: 'choice', required: true, choices: roles }, 'active flag',
      { name: 'location_ids', type: 'choices', hint: 'location_ids_hint', choices: locations.map((one) => one.id), names: (id) => locations.find((one) => one.id === id)?.name }], {
      values: body, submit: async (given, changed) => Object.keys(changed).length && stock.request('PATCH', `/v1/users/${row.id}`, { body: changed, match: etag }),
    });
  }

  #invitation(row) {
    openDialog(row.email, (close) => [h('p', {}, `${t('expires_at')}: ${moment(row.expires_at)}`), h('div', { class: 'row' },
      button(t('renew'), async () => (close(), showSecret(t('invitation_token'), (await stock.post(`/v1/invitations/${row.id}/renew`, undefined)).invitation_token, 'shown_once'))),
      button(t('revoke'), async () => (await confirm(t('revoke'), t('revoke'), row.email, () => stock.request('DELETE', `/v1/invitations/${row.id}`))) && close(), 'quiet bad'))]);
  }
}
customElements.define('view-people', People);
export default People;
