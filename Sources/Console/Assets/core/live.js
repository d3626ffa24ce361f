/** What keeps the glass true: the stream's changes, told to whoever shows something of their modules. */
import { Stock } from './client.js';

let press = null;
function release() {
  const ended = press;
  clearTimeout(ended?.timer);
  // Behind the click that it makes.
  setTimeout(() => (ended?.resolve(), press === ended && (press = null)));
}
addEventListener('pointerdown', () => (release(), (press = { ...Promise.withResolvers(), timer: setTimeout(release, 3000) })));
addEventListener('pointerup', release);
addEventListener('pointercancel', release);

/** Answers wait while something is pressed, three seconds at most: a click on what is drawn anew would be lost. */
class Screen extends Stock {
  async request(...asked) {
    const answer = await super.request(...asked);
    while (press) await press.promise;
    return answer;
  }
}

// By plain HTTP no browser keeps the session (docs/console.md): it ends with the page.
export const stock = new Screen({ cookie: window.isSecureContext });

/** Who asks: `/v1/me`, known while somebody is signed in. */
export const me = { scopes: [], role: null, user: null, tenant: null };

/** Which till this browser is, in the shop that is worked in. */
export const till = {
  get id() {
    return localStorage.getItem(`stock.register.${me.tenant.id}`);
  },
  set id(id) {
    localStorage.setItem(`stock.register.${me.tenant.id}`, id);
  },
};

/** Whether the caller has a scope. */
export const may = (scope) => me.scopes.includes(scope);

const readers = new Set();
const watchers = new Set();
let ending = null;
let isLive = false;

/**
 * Has a function called when something of these modules has changed, anywhere.
 *
 * @param {string[]} modules names as `GET /v1/cache/stats` has them; empty: any
 * @param {(change: {modules: string[] | null, consistency: string | null}) => void} told `modules` is null when something may have been missed
 * @returns {() => void} ends it
 */
export function onChange(modules, told) {
  const reader = { modules: new Set(modules), told };
  readers.add(reader);
  return () => readers.delete(reader);
}

/** Has a function called with each event, and with whether the stream is up. @returns {() => void} ends it */
export function onStream(handlers) {
  watchers.add(handlers);
  handlers.state?.(isLive);
  return () => watchers.delete(handlers);
}

function tell(change, isSure = change.consistency !== null) {
  for (const reader of [...readers]) {
    if (change.modules === null || reader.modules.size === 0 || change.modules.some((one) => reader.modules.has(one))) {
      reader.told(change);
    }
  }
  // Without a token an instance may answer from a second ago: once more when none does.
  if (!isSure) setTimeout(tell, 2000, change, true);
}

/** Begins to follow what happens. */
export function begin() {
  end();
  ending = new AbortController();
  stock.follow(
    { changes: true, signal: ending.signal },
    {
      change(change) {
        stock.see(change.consistency);
        tell(change);
      },
      event: (event) => watchers.forEach((one) => one.event?.(event)),
      state(isUp) {
        const was = isLive;
        isLive = isUp;
        watchers.forEach((one) => one.state?.(isUp));
        // What changed while nothing came is not known.
        if (isUp && !was) tell({ modules: null, consistency: null });
      },
    }
  );
}

/** Stops following. */
export function end() {
  ending?.abort();
  ending = null;
  isLive = false;
}
