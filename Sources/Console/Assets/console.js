/** The console: who is signed in, what can be seen, and the frame around it. */
import { Problem } from './core/client.js';
import { button, h, icon, openDialog, say, show } from './core/elements.js';
import { begin, end, may, me, onChange, onStream, stock } from './core/live.js';
import { forget } from './core/names.js';
import { onWaiting, sendWaiting } from './core/waiting.js';
import { chosenLanguage, complaint, languages, settle, speak, t } from './core/words.js';

// A held key says nothing twice.
addEventListener('keydown', (event) => event.key === 'Enter' && event.repeat && (event.preventDefault(), event.stopImmediatePropagation()), true);

/** Every view, which is called as its file: its group, and who may see it. */
const views = {
  today: ['sell_group', 'reports:read'],
  sell: ['sell_group', 'sales:write'],
  sales: ['sell_group', 'sales:read'],
  quotes: ['sell_group', 'sales:read'],
  exceptions: ['sell_group', 'manager'],
  cash: ['sell_group', 'sales:read'],
  customers: ['sell_group', 'customers:read'],
  products: ['goods', 'catalog:read'],
  stock: ['goods', 'stock:read'],
  counts: ['goods', 'stock:read'],
  transfers: ['goods', 'stock:read'],
  purchases: ['goods', 'stock:read'],
  suppliers: ['goods', 'stock:read'],
  balance: ['money_group', 'reports:read'],
  expenses: ['money_group', 'sales:read'],
  reports: ['money_group', 'reports:read'],
  people: ['tenant', 'admin'],
  keys: ['tenant', 'admin'],
  webhooks: ['tenant', 'webhooks:manage'],
  imports: ['tenant', 'imports:write'],
  audit: ['tenant', 'owner'],
  settings: ['tenant', 'catalog:read'],
  engine: ['tenant', 'owner'],
};
/** Roles include those above them; all else is a scope. */
const roles = { owner: ['owner'], manager: ['owner', 'manager'] };
const mayNeed = (need) => roles[need]?.includes(me.role) ?? may(need);
const seen = () => Object.entries(views).filter(([, [, need]]) => mayNeed(need));

// The frame

const main = h('main', { id: 'main', tabindex: '-1' });
const sayings = h('div', { id: 'sayings', role: 'status', 'aria-live': 'polite' });
let frame = null;

const link = (name) =>
  h('a', { href: `#/${name}`, 'data-view': name }, icon(name), h('span', {}, t(name)));

function drawFrame() {
  const groups = Map.groupBy(seen(), ([, [group]]) => group);
  const state = h('button', { type: 'button', class: 'state', onclick: () => openMenu() });
  const bar = ['today', 'sell', 'products', 'cash'].filter((name) => mayNeed(views[name][1]));
  frame = h('div', { class: 'frame' },
    h('a', { class: 'skip', href: '#main', onclick: (event) => (event.preventDefault(), main.focus()) }, t('skip_to_content')),
    h('nav', { class: 'side', 'aria-label': t('main_menu') },
      h('a', { class: 'mark', href: '#/' }, h('img', { src: new URL('icon.svg', import.meta.url).href, alt: '', width: 28, height: 28 }),
        h('span', {}, me.tenant.name)),
      [...groups].map(([group, list]) => h('div', { class: 'group' }, h('p', {}, t(group)), list.map(([name]) => link(name)))),
      state),
    main,
    h('nav', { class: 'bottom', 'aria-label': t('main_menu_short') }, bar.map(link),
      h('button', { type: 'button', onclick: () => openMore(groups) }, icon('more'), h('span', {}, t('more')))));
  show(document.body, frame, sayings);
  let isUp = false;
  let held = [];
  const draw = () => {
    const problems = held.filter((sale) => sale.problem).length;
    show(state, h('span', { class: `light ${isUp ? 'up' : 'down'}` }),
      h('span', {}, me.user?.name || me.user?.email || '',
        h('small', {}, held.length ? t(problems ? 'sales_refused' : 'sales_waiting', { n: held.length }) : t(isUp ? 'live' : 'not_live'))));
  };
  unwatch.push(onStream({ state: (up) => ((isUp = up), draw(), up && sendWaiting()) }));
  unwatch.push(onChange(['identity', 'settings'], () => look().catch(() => {})));
  unwatch.push(onWaiting((list) => ((held = list), draw())));
}
const unwatch = [];

/** Begins anew where somebody has changed what the person may, or what all is shown by. */
async function look() {
  const now = await stock.get('/v1/me');
  const known = ({ user, role, scopes, location_ids, tenant: { id, name, currency, timezone } }) => JSON.stringify([user?.id, role, scopes, location_ids, id, name, currency, timezone]);
  if (frame && known(now) !== known(me)) enter();
}

function openMore(groups) {
  openDialog(me.tenant.name, (close) => [
    [...groups].map(([group, list]) => h('div', { class: 'group', onclick: () => close() }, h('p', {}, t(group)), list.map(([name]) => link(name)))),
    h('hr'), menu(close),
  ]);
}

const openMenu = () => openDialog(me.user?.email ?? '', menu);

/** What belongs to the person: the tenant, the language, light or dark, and the way out. */
function menu(close) {
  const choice = (label, values, now, changed) =>
    h('label', { class: 'field' }, h('span', {}, t(label)),
      h('select', { onchange: (event) => changed(event.target.value) }, values.map(([value, text]) => h('option', { value, selected: value === now }, text))));
  return h('div', { class: 'menu' },
    stock.tenants.length > 1 && choice('tenant', stock.tenants.map((one) => [one.slug, one.name]), stock.tenant.slug, async (slug) => {
      close();
      location.hash = '#/';
      await stock.switchTo(slug).catch((error) => say(complaint(error), 'bad'));
    }),
    choice('language', Object.entries(languages), document.documentElement.lang, (value) => {
      localStorage.setItem('stock.language', value);
      close();
      speak(value);
      enter();
    }),
    choice('colours', ['system', 'light', 'dark'].map((one) => [one, t(one)]), localStorage.getItem('stock.colours') ?? 'system', (value) => {
      localStorage.setItem('stock.colours', value);
      colour();
    }),
    h('div', { class: 'row' },
      button(t('sign_out'), () => (close(), leave(false))),
      button(t('sign_out_everywhere'), () => (close(), leave(true)), 'quiet')));
}

function colour() {
  const chosen = localStorage.getItem('stock.colours');
  document.documentElement.dataset.colours = chosen === 'light' || chosen === 'dark' ? chosen : 'system';
}

// The way from one view to another

let current = null;

async function route() {
  if (!stock.isSignedIn || !frame) return;
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, ...params] = path.split('/').map(decodeURIComponent);
  const known = views[name] && mayNeed(views[name][1]) ? name : seen()[0]?.[0];
  if (known !== name) return location.replace(`#/${known}`);
  const turn = (current = {});
  try {
    const { default: View } = await import(`./views/${name}.js`);
    if (current !== turn) return;
    const view = new View();
    view.params = params;
    view.query = new URLSearchParams(query);
    show(main, view);
    for (const one of document.querySelectorAll('[data-view]')) {
      if (one.dataset.view === name) one.setAttribute('aria-current', 'page');
      else one.removeAttribute('aria-current');
    }
    scrollTo(0, 0);
    if (!view.querySelector(':focus')) main.focus({ preventScroll: true });
  } catch (error) {
    console.error(error);
    show(main, h('p', { class: 'notice bad', role: 'alert' }, t('defect')));
  }
}
addEventListener('hashchange', route);

// Signing in and out

/** Everything anew, as who is signed in now. */
async function enter() {
  quit();
  try {
    Object.assign(me, await stock.get('/v1/me'));
  } catch (error) {
    if (stock.isSignedIn) showAway(error);
    return;
  }
  settle(me.tenant);
  drawFrame();
  begin();
  sendWaiting();
  await route();
}

function quit() {
  end();
  forget();
  unwatch.splice(0).forEach((off) => off());
  frame = null;
  for (const dialog of document.querySelectorAll('dialog')) dialog.remove();
}

async function leave(everywhere) {
  localStorage.removeItem('stock.session');
  await stock.logOut({ everywhere }).catch((error) => say(complaint(error), 'bad'));
}

stock.addEventListener('signedin', () => {
  // That there is a session is known here, and what it is to the browser alone.
  localStorage.setItem('stock.session', '1');
  enter();
});
stock.addEventListener('signedout', () => {
  localStorage.removeItem('stock.session');
  quit();
  Object.assign(me, { scopes: [], role: null, user: null, tenant: null });
  showSignIn();
});

function showSignIn() {
  const form = h('record-form', {
    '.spec': {
      label: t('sign_in'),
      values: { email: localStorage.getItem('stock.email') ?? '', tenant: localStorage.getItem('stock.tenant') },
      fields: [
        { name: 'email', type: 'email', required: true, autocomplete: 'username' },
        { name: 'password', type: 'password', required: true, autocomplete: 'current-password' },
        { name: 'tenant', type: 'text', hint: 'tenant_hint' },
      ],
      async submit({ email, password, tenant }) {
        await stock.logIn(tenant ? { email, password, tenant } : { email, password });
        localStorage.setItem('stock.email', email);
        if (tenant) localStorage.setItem('stock.tenant', tenant);
        else localStorage.removeItem('stock.tenant');
      },
    },
  });
  document.title = `${t('sign_in')} · Stock`;
  show(document.body,
    h('main', { class: 'door' },
      h('img', { src: new URL('icon.svg', import.meta.url).href, alt: '', width: 56, height: 56 }),
      h('h1', {}, t('sign_in_title')), form,
      !window.isSecureContext && h('p', { class: 'notice warn' }, t('plain_http')),
      h('p', { class: 'languages' }, Object.entries(languages).map(([code, name]) =>
        h('button', { type: 'button', class: 'link', lang: code, onclick: () => (localStorage.setItem('stock.language', code), speak(code), showSignIn()) }, name)))),
    sayings);
  form.querySelector(form.querySelector('[name=email]').value ? '[name=password]' : '[name=email]').focus();
}

function showAway(error) {
  show(document.body, h('main', { class: 'door' }, h('h1', {}, 'Stock'), h('p', { class: 'notice bad', role: 'alert' }, complaint(error)),
    button(t('try_again'), () => location.reload(), 'main')), sayings);
}

addEventListener('unhandledrejection', ({ reason }) => {
  if (reason?.name === 'AbortError') return;
  if (reason instanceof Problem || reason?.name === 'Unreachable') say(complaint(reason), 'bad');
});

colour();
speak(chosenLanguage());
if (localStorage.getItem('stock.session') && window.isSecureContext) {
  try {
    if (!(await stock.resume())) showSignIn();
  } catch (error) {
    showAway(error);
  }
} else showSignIn();
