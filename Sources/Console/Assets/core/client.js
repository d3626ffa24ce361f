/**
 * A client of Stock: who asks, what is repeated and under which key, what was just written, and the stream of what happens.
 *
 * One file without dependencies, for browsers and whatever else has `fetch`. See docs/guide.md for what it does and why.
 */

/** What the service refused, as a problem document (RFC 9457). Go by `code`, show `detail`, mark fields by `errors`. */
export class Problem extends Error {
  /**
   * @param {{code?: string, title?: string, detail?: string, errors?: object[], request_id?: string}} document
   * @param {Response} response
   */
  constructor(document, response) {
    super(document.detail ?? document.title ?? response.statusText);
    this.name = 'Problem';
    this.status = response.status;
    this.code = document.code ?? 'internal_error';
    this.title = document.title ?? '';
    this.detail = document.detail ?? '';
    /** What is wrong with which field: `{pointer, code, detail, ...}`. */
    this.errors = document.errors ?? [];
    this.requestID = document.request_id ?? response.headers.get('X-Request-Id');
    /** Seconds after which the same may be asked again. */
    this.retryAfter = Number(response.headers.get('Retry-After')) || 0;
  }

  /** Whether the same request may succeed later. */
  get isPassing() {
    return this.status === 503 || this.status === 429 || this.code === 'idempotency_in_progress';
  }
}

/** Nobody answered: whether anything was done is not known, and a request with a key may be sent again. */
export class Unreachable extends Error {
  constructor(cause) {
    super('The service cannot be reached.', { cause });
    this.name = 'Unreachable';
  }
}

/** A name for one intention: made with it, kept with it, sent with every try. */
export function newKey() {
  // Not randomUUID, which pages by plain HTTP do not have.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const pause = (milliseconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener('abort', () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });

/** Events: `signedin`, `signedout`. */
export class Stock extends EventTarget {
  #base;
  #keepsCookie;
  #access = null;
  #refreshToken = null;
  #refreshing = null;
  #consistency = '';
  #told = '';

  /**
   * @param {{base?: string, cookie?: boolean, token?: string}} options `base`: where the service is, if it is not the page's own host.
   *   `cookie`: the browser keeps the session, and no script sees it. `token`: an API key, instead of logging in.
   */
  constructor({ base = '', cookie = false, token = null } = {}) {
    super();
    this.#base = base;
    this.#keepsCookie = cookie;
    this.#access = token;
    /** The tenants of the person, and the one that is worked in. */
    this.tenants = [];
    this.tenant = null;
  }

  get isSignedIn() {
    return this.#access !== null;
  }

  // Sessions

  /** Logs in. @param {{email: string, password: string, tenant?: string}} credentials */
  async logIn(credentials) {
    return this.#begin(await this.#session('/v1/auth/login', credentials));
  }

  /** Goes on with the session that the browser keeps. @returns {Promise<boolean>} whether there is one. */
  async resume() {
    try {
      await this.#refresh();
      return true;
    } catch (error) {
      if (error instanceof Problem && error.status < 500) return false;
      throw error;
    }
  }

  /** Goes on in another tenant of the person's. @param {string} slug */
  async switchTo(slug) {
    return this.#begin(await this.#session('/v1/auth/switch', { tenant: slug }));
  }

  /** Ends the session, or all of the person's. */
  async logOut({ everywhere = false } = {}) {
    try {
      await this.request('POST', '/v1/auth/logout', { body: { everywhere, ...this.#place } });
    } finally {
      this.#end();
    }
  }

  get #place() {
    return this.#keepsCookie ? { cookie: true } : {};
  }

  async #session(path, body) {
    const { body: tokens } = await this.request('POST', path, { body: { ...body, ...this.#place }, isSession: true });
    return tokens;
  }

  #begin(tokens) {
    // What was seen is the former tenant's.
    if (this.tenant?.id !== tokens.tenant.id) this.#consistency = this.#told = '';
    this.#access = tokens.access_token;
    this.#refreshToken = tokens.refresh_token ?? null;
    this.tenant = tokens.tenant;
    this.tenants = tokens.tenants;
    this.dispatchEvent(new Event('signedin'));
    return tokens;
  }

  #end() {
    const was = this.#access;
    this.#access = this.#refreshToken = null;
    this.#consistency = this.#told = '';
    if (was !== null) this.dispatchEvent(new Event('signedout'));
  }

  /** Exchanges the refresh token; many who need it at once wait for one exchange. */
  #refresh() {
    this.#refreshing ??= (async () => {
      try {
        const body = this.#keepsCookie ? { cookie: true } : { refresh_token: this.#refreshToken };
        const { body: tokens } = await this.request('POST', '/v1/auth/refresh', { body, isSession: true, tries: 3 });
        const wasSignedIn = this.isSignedIn;
        if (wasSignedIn && tokens.tenant.id !== this.tenant.id) {
          // The browser keeps one session: another page of it works in another shop, and nothing of this one may go there.
          this.#end();
          throw new Unreachable();
        }
        this.#access = tokens.access_token;
        this.#refreshToken = tokens.refresh_token ?? null;
        this.tenant = tokens.tenant;
        this.tenants = tokens.tenants;
        if (!wasSignedIn) this.dispatchEvent(new Event('signedin'));
      } catch (error) {
        if (error instanceof Problem && error.status < 500 && error.status !== 429) this.#end();
        throw error;
      } finally {
        this.#refreshing = null;
      }
    })();
    return this.#refreshing;
  }

  // Requests

  /** What a stream tells last: nothing older than that, or than any answer, is answered from now on. */
  see(consistency) {
    if (consistency) this.#told = consistency;
  }

  /**
   * Sends a request, again where that is safe, and reads its answer.
   *
   * @param {string} method
   * @param {string} path
   * @param {object} options
   * @param {Record<string, unknown>=} options.query parameters; what is null, undefined or empty is left out
   * @param {unknown=} options.body what becomes JSON, or bytes as they are
   * @param {string=} options.key the Idempotency-Key
   * @param {string=} options.match the ETag that was read, for If-Match
   * @param {string=} options.accept a media type, if JSON is not wanted; the body is a text then
   * @param {boolean=} options.fresh whether the database is to be asked
   * @param {number=} options.tries how often it is sent at most
   * @param {AbortSignal=} options.signal
   * @returns {Promise<{body: any, etag: string | null, status: number, location: string | null, next: string | null}>}
   * @throws {Problem | Unreachable}
   */
  async request(method, path, options = {}) {
    const { query, body, key, match, accept, fresh, signal, tries = 4, isSession = false } = options;
    const isRepeatable = method === 'GET' || method === 'PUT' || Boolean(key) || Boolean(match) || isSession;
    const url = this.#base + path + queryText(query);
    const isRaw = body instanceof Blob || body instanceof Uint8Array;
    const isOpen = isSession && path !== '/v1/auth/switch';
    let hasRefreshed = isOpen;
    for (let attempt = 1; ; attempt++) {
      const [sent, told] = [this.#consistency, this.#told];
      const headers = { Accept: accept ?? 'application/json' };
      if (this.#access && !isOpen) {
        headers.Authorization = `Bearer ${this.#access}`;
        headers['Stock-Consistency'] = told ? `${sent},${told}` : sent;
      }
      if (body !== undefined) headers['Content-Type'] = isRaw ? 'application/octet-stream' : 'application/json';
      if (key) headers['Idempotency-Key'] = key;
      if (match) headers['If-Match'] = match;
      if (fresh) headers['Cache-Control'] = 'no-cache';
      // A session is renewed by the same token for ten seconds.
      const patience = AbortSignal.timeout(path === '/v1/auth/refresh' ? 3_000 : 30_000);
      let response;
      let text;
      try {
        response = await fetch(url, {
          method,
          headers,
          body: body === undefined || isRaw ? body : JSON.stringify(body),
          credentials: this.#keepsCookie ? 'include' : 'same-origin',
          signal: signal ? AbortSignal.any([signal, patience]) : patience,
        });
        text = await response.text();
        // Browsers take a head that was cut off for a whole one; of what is answered only 204 is empty.
        if (text === '' && response.status !== 204) throw new TypeError('The answer was cut off.');
      } catch (error) {
        if (signal?.aborted) throw error;
        if (!isRepeatable || attempt >= tries) throw new Unreachable(error);
        await pause(wait(attempt), signal);
        continue;
      }
      const seen = response.headers.get('Stock-Consistency');
      // An answer that overtook others knows less than they: reads give way, writes do not.
      if (seen && (method !== 'GET' || this.#consistency === sent)) {
        // A session's knows nothing of what was seen before it; any other has all that came with the request.
        this.#consistency = isOpen && sent ? `${sent},${seen}` : seen;
        if (!isOpen && this.#told === told) this.#told = '';
      }
      if (response.ok) {
        const isText = accept !== undefined || text === '';
        return {
          body: isText ? text : JSON.parse(text),
          etag: response.headers.get('ETag'),
          status: response.status,
          location: response.headers.get('Location'),
          next: /<([^>]+)>; rel="next"/.exec(response.headers.get('Link'))?.[1] ?? null,
        };
      }
      const problem = new Problem(documentOf(text), response);
      if (problem.status === 401 && !hasRefreshed && this.#canRefresh) {
        hasRefreshed = true;
        await this.#refresh();
        continue;
      }
      const isOnceMore = (problem.status === 408 || problem.status === 500) && attempt === 1;
      if (!isRepeatable || attempt >= tries || !(problem.isPassing || isOnceMore)) throw problem;
      await pause(Math.max(problem.retryAfter * 1000, wait(attempt)), signal);
    }
  }

  get #canRefresh() {
    return this.isSignedIn && (this.#keepsCookie || this.#refreshToken !== null);
  }

  /** The body of a read. */
  async get(path, query, options) {
    return (await this.request('GET', path, { query, ...options })).body;
  }

  /** The body of a command; a key makes it one that is done once. */
  async post(path, body = {}, options) {
    return (await this.request('POST', path, { body, ...options })).body;
  }

  /** All rows of a list, page by page, up to a number. */
  async all(path, query = {}, most = 2000, options) {
    const rows = [];
    let { cursor } = query;
    do {
      const page = await this.get(path, { limit: 200, ...query, cursor }, options);
      rows.push(...page.data);
      cursor = page.next_cursor;
    } while (cursor && rows.length < most);
    return rows;
  }

  // What happens

  /**
   * Follows the stream until the signal ends it, from one instance to the next.
   *
   * @param {{types?: string, changes?: boolean, signal: AbortSignal}} options
   * @param {{event?: (event: object) => void, change?: (change: {modules: string[], consistency: string | null}) => void,
   *   state?: (isLive: boolean) => void}} handlers `state` tells when what comes is complete, and when nothing comes.
   */
  async follow({ types, changes = false, signal }, handlers) {
    let after = null;
    let failures = 0;
    let retry = 0;
    while (!signal.aborted && this.isSignedIn) {
      const silence = new AbortController();
      let timer;
      // Something comes at least once a second.
      const listen = () => (clearTimeout(timer), (timer = setTimeout(() => silence.abort(), 8_000)));
      try {
        listen();
        const query = queryText({ types, changes: changes || null, after });
        const response = await fetch(`${this.#base}/v1/events/stream${query}`, {
          headers: { Accept: 'text/event-stream', Authorization: `Bearer ${this.#access}` },
          signal: AbortSignal.any([signal, silence.signal]),
        });
        if (response.status === 401) {
          await this.#refresh();
          continue;
        }
        if (!response.ok) throw new Problem(documentOf(await response.text()), response);
        for await (const event of eventsOf(response.body)) {
          listen();
          if (event.id) after = event.id;
          failures = 0;
          retry = event.retry;
          if (event.name === 'ready') handlers.state?.(true);
          else if (event.name === 'change') handlers.change?.(JSON.parse(event.data));
          else if (event.name === 'message') handlers.event?.(JSON.parse(event.data));
          else if (event.name === 'end' && JSON.parse(event.data).reason === 'events_pruned') after = null;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Problem && error.status === 410) after = null;
      } finally {
        clearTimeout(timer);
      }
      handlers.state?.(false);
      failures += 1;
      // As long as was told: by then nothing leads to an instance that stops.
      await pause(failures === 1 ? retry : wait(failures), signal).catch(() => {});
    }
  }
}

/** Milliseconds before the next try: twice as long each time, and some chance. */
function wait(attempt) {
  return Math.min(10_000, 150 * 2 ** attempt) * (0.5 + Math.random() / 2);
}

function queryText(query) {
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== '');
  return pairs.length ? `?${new URLSearchParams(pairs)}` : '';
}

/** A refusal's document; of what is none, as a proxy's page, nothing is told. */
function documentOf(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** Server-sent events, as the HTML standard reads them. */
async function* eventsOf(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let retry = 0;
  let event = { name: 'message', id: null, data: [] };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (event.data.length) yield { ...event, retry, data: event.data.join('\n') };
        event = { name: 'message', id: null, data: [] };
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const text = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'event') event.name = text;
      else if (field === 'id') event.id = text;
      else if (field === 'data') event.data.push(text);
      else if (field === 'retry') retry = Number(text);
    }
  }
}
