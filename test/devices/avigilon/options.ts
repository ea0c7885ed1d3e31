import type { SecureContextOptions } from 'node:tls';
import type { Random } from '../seeded-random';
import type { ServerClock } from './clock';
import type { Site, SiteOptions } from './site';

/** Everything that differs between installations, or that the facts leave open. */
export interface AvigilonOptions {
  /** Default 127.0.0.1. */
  host?: string;
  /** Default: a free one. */
  port?: number;
  /** HTTPS. `self-signed` makes a certificate on the spot. Default: plain HTTP (facts A1). */
  tls?: SecureContextOptions | 'self-signed';
  clock?: ServerClock;
  /** For ids, session tokens and the chance of faults. Default: the same numbers in every run. */
  random?: Random;
  site?: Site | SiteOptions;

  /** Default `{nodered: 'simulated-1'}`. */
  users?: Record<string, string>;
  /** Of the integration. Default `SimNonce01`: nonces keep their case (facts A2). */
  nonce?: string;
  /** Of the integration. Default `simulated-key`. */
  key?: string;
  /** When set, a token with another one is refused; a token with none or an empty one is not (facts A2). */
  integrationId?: string;
  /** A login token whose time differs more from the server's is refused. Default 300. */
  maxSkewSeconds?: number;
  /** How old a login token may be, when longer than the skew; the vendor's playground says 3600. Default: the skew. */
  maxTokenAgeSeconds?: number;
  /** Sessions end after this time without a request. Default 1 h. */
  sessionIdleMs?: number;
  /** What a session gets that this server never gave out, or gave out before a restart. Default 401 (facts A3 allow both). */
  unknownSession?: 401 | 403;

  /** Of the Web Endpoint; below 7.12 GETs need the session in the query. Default 7.14.2.8. */
  version?: string;
  /** What `GET /server/ids` answers in `result`; `bare`: no envelope either (facts A3). Default `servers`. */
  serverIdsShape?: 'servers' | 'list' | 'serverIdList' | 'bare';
  /** More per page than this is never served, whatever `limit` says. Default: no bound. */
  maxLimit?: number;
  /** Whether `to` may be left out (facts A4: the guide and the route table differ). Default: it is required. */
  toOptional?: boolean;
  /** Ids in `deviceIds` that no camera has: `ignore` finds nothing for them, `notFound` answers 404. Default `ignore`. */
  unknownDevice?: 'ignore' | 'notFound';
  /** Continuation tokens. Default: good for several requests and for any session until a restart. */
  continuation?: { singleUse?: boolean; boundToSession?: boolean };
  /** Id of the server that this Web Endpoint runs on. When set, queries for the others find nothing (facts A9, 4). */
  localServer?: string;

  /** The words of the webhook filter; the other pair is answered with 400 (facts A6). Default `whitelist`, `blacklist`. */
  webhookFilter?: 'whitelist' | 'include';
  /** Default `notifications`. */
  notificationsKey?: 'notifications' | 'notification';
  /** The most events in one message. Default 10. */
  notificationsPerMessage?: number;
  /** Default 30 s. */
  minHeartbeatMs?: number;
  /** When a target that does not answer is given up. Default 30 s. */
  pushTimeoutMs?: number;
  /** Whether a new webhook is greeted with HELLO. Default false: the vendor promises it only for a reconnect. */
  helloOnRegister?: boolean;
  /** Webhooks of other integrations that are there from the beginning; nothing is sent to them. Default 2. */
  foreignWebhooks?: number;
}
