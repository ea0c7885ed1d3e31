/** Our webhook on the server: one, ours, and no other integration's (facts/avigilon-een.md A6). */
import { CodedError } from '../kit/errors';
import type { CursorStore } from './cursor-store';
import type { WepClient } from './wep-client';
import { WepError } from './wep-errors';

export interface WebhookRegistrationOptions {
  client: Pick<WepClient, 'get' | 'send'>;
  store: CursorStore;
  /** Of the webhook's id in the store. */
  key: string;
  /** Where the server is to call; no other webhook has it. */
  url: string;
  topics: readonly string[];
  heartbeatMs: number;
}

/** Versions differ, and answer 400 to the other's word. */
type FilterWord = 'whitelist' | 'include';

export class WebhookRegistration {
  readonly #options: WebhookRegistrationOptions;
  #id: string | undefined;
  #word: FilterWord = 'whitelist';

  constructor(options: WebhookRegistrationOptions) {
    this.#options = options;
  }

  /**
   * Registers the webhook, or brings the one up to date that an earlier run has left.
   * @param token base64 of random bytes; from now on the proof of its messages
   * @throws as WepClient
   */
  async ensure(token: string, signal: AbortSignal): Promise<void> {
    const [first, ...extra] = await this.#ours(signal);
    this.#id = first;
    if (first !== undefined) {
      try {
        await this.#put('PUT', { id: first, ...this.#settings(token) }, signal);
      } catch (error) {
        if (!(error instanceof WepError) || error.status !== 404) throw error;
        this.#id = undefined;
      }
    }
    if (this.#id === undefined) {
      const created = ((await this.#put('POST', this.#settings(token), signal)) ?? {}) as { id?: unknown };
      if (typeof created.id !== 'string') throw new CodedError('AVIGILON_BAD_ANSWER', 'the server registered the webhook and did not say its id');
      this.#id = created.id;
    }
    await this.#options.store.set(this.#options.key, this.#id);
    if (extra.length > 0) await this.#delete(extra, signal);
  }

  /** Takes our webhook, and no other, off the server. @throws as WepClient */
  async remove(signal: AbortSignal): Promise<void> {
    if (this.#id === undefined) return;
    await this.#delete([this.#id], signal);
    this.#id = undefined;
    await this.#options.store.set(this.#options.key, null);
  }

  /** Ids of those that are ours: by the id kept, and by our address, where that was lost. */
  async #ours(signal: AbortSignal): Promise<string[]> {
    const { client, store, key, url } = this.#options;
    const stored = this.#id ?? store.get(key);
    const { webhooks } = ((await client.get('/webhooks', [], signal)) ?? {}) as { webhooks?: unknown };
    const listed = (Array.isArray(webhooks) ? webhooks : []) as ({ id?: unknown; url?: unknown } | null)[];
    const ours = listed.flatMap((one) => (typeof one?.id === 'string' && (one.id === stored || one.url === url) ? [one.id] : []));
    return ours.sort((a, b) => Number(b === stored) - Number(a === stored));
  }

  #settings(token: string): object {
    const { url, heartbeatMs } = this.#options;
    return { url, heartbeat: { enable: true, frequencyMs: heartbeatMs }, authenticationToken: token };
  }

  async #put(method: 'POST' | 'PUT', webhook: object, signal: AbortSignal): Promise<unknown> {
    const { client, topics } = this.#options;
    const send = (): Promise<unknown> => client.send(method, '/webhooks', { webhook: { ...webhook, eventTopics: { [this.#word]: topics } } }, signal);
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof WepError) || error.status !== 400) throw error;
      const before = this.#word;
      this.#word = before === 'whitelist' ? 'include' : 'whitelist';
      try {
        return await send();
      } catch (again) {
        // The word was not the reason; what the server said first is.
        this.#word = before;
        throw again instanceof WepError && again.status === 400 ? error : again;
      }
    }
  }

  #delete(ids: readonly string[], signal: AbortSignal): Promise<unknown> {
    return this.#options.client.send('DELETE', '/webhooks', { ids }, signal);
  }
}
