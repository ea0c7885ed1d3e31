/** One request to a Web Endpoint and its answer: URL, JSON, envelope, and how far the server's clock is from ours (facts/avigilon-een.md A1, A3). */
import { request, type Dispatcher } from 'undici';
import type { Clock } from '../kit/clock';
import { CodedError } from '../kit/errors';
import { toNetworkError } from '../kit/http';
import type { Query } from './event-search';
import type { ServerAddress } from './server-address';

export interface WepCall {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the API's base path. */
  path: string;
  query?: Query | undefined;
  headers?: Record<string, string> | undefined;
  body?: object | undefined;
}

export interface WepAnswer {
  /** Of HTTP, or of an error envelope that came with 200. */
  status: number;
  /** What the envelope holds, or the whole where there is none (facts A3: some routes differ by version). */
  result: unknown;
  /** What the server says of an error. */
  message: string;
  /** The body was JSON, so that an API answered and no page of some other service. */
  isJson: boolean;
}

/** A page of 1000 events is 1 MB; a list of cameras at a large site may have tens. */
const MAX_BODY = 64 * 1024 * 1024;
const MAX_MESSAGE = 200;
/** Half a second of rounding in the Date header, and the way of the answer. */
const CLOCK_NOISE_MS = 2000;

export class WepHttp {
  readonly address: ServerAddress;
  readonly #dispatcher: Dispatcher;
  readonly #clock: Clock;
  #aheadMs: number | undefined;

  constructor(address: ServerAddress, dispatcher: Dispatcher, clock: Clock) {
    this.address = address;
    this.#dispatcher = dispatcher;
    this.#clock = clock;
  }

  /** ms that the server's clock is ahead of ours, by the last answer; 0 where they agree, undefined where it has not told the time. */
  get serverAheadMs(): number | undefined {
    return this.#aheadMs;
  }

  /** @throws CodedError network codes, AVIGILON_BAD_ANSWER; the signal's reason */
  async send(call: WepCall, signal: AbortSignal): Promise<WepAnswer> {
    try {
      return await this.#sendOnce(call, signal);
    } catch (error) {
      // A socket kept open may have been closed by the server just as it was used again.
      const again = call.method === 'GET' && error instanceof CodedError && error.code === 'CONNECTION_LOST' && !signal.aborted;
      if (!again) throw error;
      return this.#sendOnce(call, signal);
    }
  }

  async #sendOnce(call: WepCall, signal: AbortSignal): Promise<WepAnswer> {
    const { origin, basePath, label } = this.address;
    const query = (call.query ?? []).map((pair) => pair.map(encodeURIComponent).join('=')).join('&');
    try {
      const answer = await request(`${origin}${basePath}${call.path}${query && `?${query}`}`, {
        dispatcher: this.#dispatcher,
        method: call.method,
        headers: { accept: 'application/json', ...(call.body ? { 'content-type': 'application/json' } : {}), ...call.headers },
        ...(call.body ? { body: JSON.stringify(call.body) } : {}),
        signal,
      });
      this.#readClock(answer.headers.date);
      return read(answer.statusCode, await readBody(answer.body, label));
    } catch (error) {
      throw signal.aborted ? (signal.reason as Error) : toNetworkError(error, label);
    }
  }

  #readClock(header: string | string[] | undefined): void {
    const at = Date.parse([header ?? ''].flat()[0] ?? '');
    if (Number.isNaN(at)) return;
    const ahead = at - this.#clock.now();
    this.#aheadMs = Math.abs(ahead) <= CLOCK_NOISE_MS ? 0 : ahead;
  }
}

async function readBody(body: Dispatcher.ResponseData['body'], label: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    // Leaving the loop destroys the body and its socket.
    if (size > MAX_BODY) throw new CodedError('AVIGILON_BAD_ANSWER', `${label} sent an answer of more than ${MAX_BODY / 1024 / 1024} MB`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function read(status: number, text: string): WepAnswer {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { status, result: undefined, message: '', isJson: false };
  }
  if (typeof body !== 'object' || body === null) return { status, result: body, message: '', isJson: true };
  const { status: outcome, statusCode, message, result } = body as Record<string, unknown>;
  const failed = outcome === 'error';
  return {
    status: failed && status < 400 ? (typeof statusCode === 'number' && statusCode >= 400 ? statusCode : 500) : status,
    result: outcome === 'success' ? result : body,
    message: typeof message === 'string' ? message.replace(/\s+/g, ' ').slice(0, MAX_MESSAGE) : '',
    isJson: true,
  };
}
