import { createHash } from 'node:crypto';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { WepEvent } from './event-log';

/** A whole answer; `json` is undefined when the body is none. */
export interface PlainAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  json: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look into whatever came
}

/** One request on a connection of its own, without checking certificates. Rejects when the answer is not complete. */
export function send(url: string, method = 'GET', headers: Record<string, string> = {}, body?: string): Promise<PlainAnswer> {
  return new Promise((resolve, reject) => {
    // Node sends none of its own with DELETE.
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const options = { method, headers: { ...headers, ...length }, agent: false as const, rejectUnauthorized: false };
    const request = (url.startsWith('https:') ? httpsRequest : httpRequest)(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text, json: parsed(text) });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `seconds`: Unix time. `more`: `:<integration id>`. */
export function authorizationToken(seconds: number, nonce = 'SimNonce01', key = 'simulated-key', more = ''): string {
  const hash = createHash('sha256').update(`${seconds}${key}`).digest('hex');
  return `${nonce}:${seconds}:${hash}${more}`;
}

type Parameters = Record<string, string | number | readonly string[]>;

/** What a script without any care would be: no retry, no renewal. For the simulator's own tests. */
export class PlainClient {
  session = '';

  /** `apiUrl` with the path; `now` in epoch ms. */
  constructor(
    private readonly apiUrl: string,
    private readonly now: () => number = Date.now,
  ) {}

  post(path: string, body: object, method = 'POST'): Promise<PlainAnswer> {
    return send(`${this.apiUrl}${path}`, method, { 'Content-Type': 'application/json' }, JSON.stringify(body));
  }

  /** Tries to log in; `changes` go over a right body, undefined removes. */
  async login(changes: Record<string, unknown> = {}): Promise<PlainAnswer> {
    const answer = await this.post('/login', {
      username: 'nodered',
      password: 'simulated-1',
      clientName: 'test',
      authorizationToken: authorizationToken(Math.floor(this.now() / 1000)),
      ...changes,
    });
    this.session = (answer.json?.result?.session as string | undefined) ?? '';
    return answer;
  }

  /** With the session in the header. */
  get(path: string, parameters: Parameters = {}): Promise<PlainAnswer> {
    return send(`${this.apiUrl}${path}${query(parameters)}`, 'GET', { 'x-avg-session': this.session });
  }

  search(parameters: Parameters): Promise<PlainAnswer> {
    return this.get('/events/search', parameters);
  }

  /** From TIME_RANGE to the last page. */
  async searchAll(parameters: Parameters): Promise<{ events: WepEvent[]; pages: number }> {
    const events: WepEvent[] = [];
    let answer = await this.search({ queryType: 'TIME_RANGE', ...parameters });
    for (let pages = 1; ; pages += 1) {
      if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.body}`);
      const { result } = answer.json as { result: { events: WepEvent[]; token?: string } };
      for (const event of result.events) events.push(event);
      if (result.token === undefined) return { events, pages };
      answer = await this.search({ queryType: 'CONTINUE', token: result.token });
    }
  }
}

function query(parameters: Parameters): string {
  const pairs = Object.entries(parameters).flatMap(([name, value]) =>
    (Array.isArray(value) ? (value as readonly string[]) : [String(value)]).map((one) => `${name}=${encodeURIComponent(one)}`),
  );
  return pairs.length > 0 ? `?${pairs.join('&')}` : '';
}
