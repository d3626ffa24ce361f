/** Keys of programs. */
import { ask, badge, button, confirm, table } from '../core/elements.js';
import { me, stock } from '../core/live.js';
import { View } from '../core/view.js';
import { t } from '../core/words.js';
import { showSecret } from './people.js';

const scopes = ['catalog:read', 'catalog:write', 'stock:read', 'stock:write', 'sales:read', 'sales:write', 'sales:discount', 'sales:offline', 'payments:write', 'customers:read', 'customers:write', 'reports:read', 'imports:write', 'webhooks:manage', 'admin'];

class Keys extends View {
  static modules = ['identity'];

  async load(signal) {
    const { data } = await stock.get('/v1/api-keys', {}, { signal });
    const isOwner = me.role === 'owner';
    this.show(
      this.head(t('keys'), isOwner && button(t('new_one', { one: t('one_key') }), () => this.#make(), 'main')),
      table(t('keys'), ['name text', { name: 'status', draw: (row) => badge(row.revoked_at ? 'revoked' : 'active') }, { name: 'scopes', value: (row) => row.scopes.join(', ') }, 'last_used_at moment', 'expires_at moment'], data, {
        open: isOwner ? (row) => row.revoked_at || confirm(row.name, t('revoke'), t('revoke_key'), () => stock.request('DELETE', `/v1/api-keys/${row.id}`)) : null }));
  }

  async #make() {
    const made = await ask(t('new_one', { one: t('one_key') }), ['name! text', { name: 'scopes', type: 'choices', required: true, choices: scopes, names: (one) => one }], {
      label: t('create'), submit: ({ name, scopes: chosen }) => stock.post('/v1/api-keys', { name, scopes: chosen }),
    });
    if (made) showSecret(made.name, made.secret, 'shown_once');
  }
}
customElements.define('view-keys', Keys);
export default Keys;
