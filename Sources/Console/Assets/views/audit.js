/** What happened to accounts, keys, settings and records. */
import { h, openDialog } from '../core/elements.js';
import { recordsView } from '../core/records.js';
import { moment } from '../core/words.js';

const actions = ['login.succeeded', 'login.failed', 'session.reused', 'invitation.created', 'invitation.renewed', 'invitation.revoked', 'invitation.accepted', 'member.added', 'member.role_changed', 'member.locations_changed',
  'member.activated', 'member.deactivated', 'member.removed', 'password.changed', 'password.reset_requested', 'password.reset', 'api_key.created', 'api_key.revoked', 'tenant.changed', 'record.created', 'records.created', 'record.changed', 'record.deleted', 'import.created', 'import.cancelled', 'webhook.secret_rotated', 'webhook.redelivered', 'webhook.skipped'];

export default recordsView({
  path: '/v1/audit', title: 'audit', modules: ['identity', 'settings'], write: 'none',
  filters: [{ name: 'action', type: 'choice', choices: actions }, 'actor record colleagues', 'from date', 'to date'],
  columns: ['at moment', 'action text', { name: 'actor', value: (row) => row.actor.name ?? row.actor.type }, { name: 'subject', value: (row) => row.subject?.type }, 'address text'],
  opens: (row) => openDialog(`${row.action} · ${moment(row.at)}`, () => h('pre', {}, JSON.stringify({ subject: row.subject, details: row.details, request_id: row.request_id }, null, 2))),
});
