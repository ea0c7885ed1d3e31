import type { Random } from '../seeded-random';
import type { AvigilonOptions } from './options';
import { Refusal } from './refusal';
import { guid } from './site';
import { expandTopics } from './topics';

const DEFAULT_HEARTBEAT_MS = 3_600_000;
const MOST_IDS = 16;

export interface Webhook {
  readonly id: string;
  url: string;
  /** Undefined: none. */
  heartbeatMs: number | undefined;
  /** Base64. */
  authenticationToken: string;
  /** As it was asked for, groups expanded. */
  filter: { include?: ReadonlySet<string>; exclude?: ReadonlySet<string> };
  /** Of another integration: listed, and nothing is sent. */
  readonly foreign: boolean;
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const isStrings = (value: unknown): value is string[] => Array.isArray(value) && value.every((one) => typeof one === 'string');

/** Webhooks as `/webhooks` manages them (facts A6). They outlive restarts. */
export class WebhookRegistry {
  private readonly webhooks = new Map<string, Webhook>();

  constructor(
    private readonly options: Pick<AvigilonOptions, 'webhookFilter' | 'minHeartbeatMs' | 'foreignWebhooks'>,
    private readonly random: Random,
  ) {
    for (let index = 0; index < (options.foreignWebhooks ?? 2); index += 1) {
      this.add({
        url: `https://access-control.example/hooks/${index}`,
        heartbeatMs: undefined,
        authenticationToken: guid(random).toString('base64'),
        filter: { include: new Set(['DEVICE_LPR_PLATE_FOUND']) },
        foreign: true,
      });
    }
  }

  get all(): readonly Webhook[] {
    return [...this.webhooks.values()];
  }

  has(webhook: Webhook): boolean {
    return this.webhooks.get(webhook.id) === webhook;
  }

  wants({ filter: { include, exclude } }: Webhook, topic: string): boolean {
    return (!include || include.has(topic)) && !exclude?.has(topic);
  }

  create(body: Json): Webhook {
    const { url, heartbeatMs, authenticationToken, filter } = this.settings(body, ['url', 'heartbeat', 'authenticationToken', 'eventTopics']);
    if (url === undefined) throw new Refusal(400, '"webhook.url" is required');
    if (authenticationToken === undefined) throw new Refusal(400, '"webhook.authenticationToken" is required');
    if (filter === undefined) throw new Refusal(400, '"webhook.eventTopics" is required');
    return this.add({ url, heartbeatMs, authenticationToken, filter, foreign: false });
  }

  update(body: Json): Webhook {
    const settings = this.settings(body, ['id', 'url', 'heartbeat', 'authenticationToken', 'eventTopics']);
    const id = (body.webhook as Json).id;
    const webhook = typeof id === 'string' ? this.webhooks.get(id) : undefined;
    if (!webhook) throw id === undefined ? new Refusal(400, '"webhook.id" is required') : new Refusal(404, 'webhook not found.');
    return Object.assign(webhook, settings);
  }

  /** Deleting what is not there is a success. */
  remove(body: Json): void {
    if (!isStrings(body.ids)) throw new Refusal(400, '"ids" must be an array');
    for (const id of limited(body.ids)) this.webhooks.delete(id);
  }

  list(ids: readonly string[]): object {
    const chosen = ids.length === 0 ? this.all : limited(ids).map((id) => this.webhooks.get(id)).filter((one) => one !== undefined);
    const [include, exclude] = this.filterWords();
    return {
      webhooks: chosen.map(({ id, url, heartbeatMs, filter }) => ({
        id,
        url,
        heartbeat: heartbeatMs === undefined ? { enable: false } : { enable: true, frequencyMs: heartbeatMs },
        eventTopics: {
          ...(filter.include ? { [include]: [...filter.include] } : {}),
          ...(filter.exclude ? { [exclude]: [...filter.exclude] } : {}),
        },
      })),
    };
  }

  private add(settings: Omit<Webhook, 'id'>): Webhook {
    const webhook = { id: guid(this.random).toString('base64url'), ...settings };
    this.webhooks.set(webhook.id, webhook);
    return webhook;
  }

  private filterWords(): readonly [string, string] {
    return this.options.webhookFilter === 'include' ? ['include', 'exclude'] : ['whitelist', 'blacklist'];
  }

  /** Only the settings that the body has. */
  private settings({ webhook }: Json, allowed: readonly string[]): Partial<Omit<Webhook, 'id' | 'foreign'>> {
    if (!isObject(webhook)) throw new Refusal(400, '"webhook" is required');
    for (const name of Object.keys(webhook)) if (!allowed.includes(name)) throw new Refusal(400, `"webhook.${name}" is not allowed`);
    const { url, heartbeat, authenticationToken, eventTopics } = webhook;
    return {
      ...(url === undefined ? {} : { url: targetUrl(url) }),
      ...(heartbeat === undefined ? {} : { heartbeatMs: this.heartbeat(heartbeat) }),
      ...(authenticationToken === undefined ? {} : { authenticationToken: strongToken(authenticationToken) }),
      ...(eventTopics === undefined ? {} : { filter: this.filter(eventTopics) }),
    };
  }

  private heartbeat(value: unknown): number | undefined {
    if (!isObject(value) || typeof value.enable !== 'boolean') throw new Refusal(400, '"webhook.heartbeat.enable" must be a boolean');
    if (!value.enable) return undefined;
    const { frequencyMs = DEFAULT_HEARTBEAT_MS } = value;
    if (typeof frequencyMs !== 'number' || frequencyMs < (this.options.minHeartbeatMs ?? 30_000)) {
      throw new Refusal(400, '"webhook.heartbeat.frequencyMs" is too small');
    }
    return frequencyMs;
  }

  private filter(value: unknown): Webhook['filter'] {
    const [include, exclude] = this.filterWords();
    if (!isObject(value) || Object.keys(value).length === 0) throw new Refusal(400, '"webhook.eventTopics" must be an object');
    const filter: Webhook['filter'] = {};
    for (const [word, names] of Object.entries(value)) {
      if (word !== include && word !== exclude) throw new Refusal(400, `"webhook.eventTopics.${word}" is not allowed`);
      const topics = isStrings(names) ? expandTopics(names) : undefined;
      if (!topics) throw new Refusal(400, `"webhook.eventTopics.${word}" has a value that is not allowed`);
      filter[word === include ? 'include' : 'exclude'] = topics;
    }
    return filter;
  }
}

function limited(ids: readonly string[]): readonly string[] {
  if (ids.length > MOST_IDS) throw new Refusal(400, `"ids" must contain at most ${MOST_IDS} items`);
  return ids;
}

function targetUrl(value: unknown): string {
  const { protocol } = typeof value === 'string' && URL.canParse(value) ? new URL(value) : { protocol: '' };
  if (protocol !== 'http:' && protocol !== 'https:') throw new Refusal(400, '"webhook.url" must be a valid uri');
  return value as string;
}

function strongToken(value: unknown): string {
  const isBase64 = typeof value === 'string' && /^(?:[\w+/-]{4})*(?:[\w+/-]{2}(?:==)?|[\w+/-]{3}=?)?$/.test(value);
  if (!isBase64 || Buffer.from(value, 'base64').length < 16) throw new Refusal(400, '"webhook.authenticationToken" must be 16 bytes or more in base64');
  return value;
}

