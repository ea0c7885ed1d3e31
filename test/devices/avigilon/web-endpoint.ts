import type { IncomingHttpHeaders } from 'node:http';
import * as catalog from './catalog';
import { tokenRefusal } from './authorization-token';
import type { EventSearch } from './events-search';
import type { FaultKind, PageFault } from './faults';
import type { AvigilonOptions } from './options';
import { Refusal } from './refusal';
import type { Sessions } from './sessions';
import type { Site } from './site';
import { AvigilonStats, type LoginRefusal, type SessionRefusal } from './stats';
import type { WebhookDelivery } from './webhook-delivery';
import type { WebhookRegistry } from './webhook-registry';

export const BASE_PATH = '/mt/api/rest/v1';
export const DEFAULTS = { nonce: 'SimNonce01', key: 'simulated-key', version: '7.14.2.8', users: { nodered: 'simulated-1' } };

type Json = Record<string, unknown>;

export interface Call {
  /** `GET /events/search` and the like. */
  route: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  /** Of POST, PUT and DELETE: the JSON object, unless there was none. */
  body: Json | undefined;
  takePageFault: (fits: (kind: FaultKind) => boolean) => PageFault | undefined;
}

/** A string is sent as text, anything else as JSON. */
export interface Answer {
  status: number;
  body: unknown;
}

interface EndpointParts {
  options: AvigilonOptions;
  site: Site;
  sessions: Sessions;
  events: EventSearch;
  registry: WebhookRegistry;
  delivery: WebhookDelivery;
  stats: AvigilonStats;
  now: () => number;
  serverNow: () => number;
}

interface Route {
  /** Query parameters besides `session`; undefined: the handler checks them. */
  parameters?: readonly string[];
  /** Whether it needs a session. */
  open?: boolean;
  /** Gives `result`. */
  handle(call: Call, session: string): unknown;
}

/** The REST interface without its sockets: routes, sessions, envelopes. */
export class WebEndpoint {
  /** What `GET /health` says. */
  health: 'GOOD' | 'WARN' | 'BAD' = 'GOOD';
  readonly users: Map<string, string>;
  private readonly version: string;
  private readonly routes: Readonly<Partial<Record<string, Route>>>;

  constructor(private readonly parts: EndpointParts) {
    const { options, site, sessions, events, registry, delivery, stats } = parts;
    this.users = new Map(Object.entries(options.users ?? DEFAULTS.users));
    this.version = options.version ?? DEFAULTS.version;
    this.routes = {
      'POST /login': { parameters: [], open: true, handle: ({ body }) => this.login(body ?? {}) },
      'POST /logout': {
        parameters: [],
        handle: (_, session) => {
          sessions.end(session);
          stats.logouts += 1;
          return {};
        },
      },
      'GET /wep-capabilities': { parameters: [], open: true, handle: () => catalog.capabilities(this.version) },
      'GET /event-subtopics': { parameters: [], open: true, handle: () => catalog.eventSubtopics() },
      'GET /server/ids': { parameters: [], handle: () => catalog.serverIds(site, options.serverIdsShape) },
      'GET /servers': { parameters: [], handle: () => catalog.servers(site, this.version) },
      'GET /sites': { parameters: [], handle: () => catalog.sites(site) },
      'GET /cameras': { parameters: ['verbosity', 'q'], handle: ({ query }) => catalog.cameras(site, query) },
      'GET /camera': { parameters: ['ids'], handle: ({ query }) => catalog.camerasById(site, query) },
      'GET /events/search': { handle: (call, session) => events.search(call.query, session, call.takePageFault) },
      'GET /webhooks': { parameters: ['ids'], handle: ({ query }) => registry.list(query.getAll('ids')) },
      'POST /webhooks': {
        parameters: [],
        handle: ({ body }) => {
          const webhook = registry.create(body ?? {});
          delivery.expectSilence(webhook);
          if (options.helloOnRegister) delivery.hello([webhook]);
          return { id: webhook.id };
        },
      },
      'PUT /webhooks': {
        parameters: [],
        handle: ({ body }) => {
          const webhook = registry.update(body ?? {});
          delivery.expectSilence(webhook);
          return { id: webhook.id };
        },
      },
      'DELETE /webhooks': {
        parameters: [],
        handle: ({ body }) => {
          registry.remove(body ?? {});
          return {};
        },
      },
    };
  }

  knows(route: string): boolean {
    return route === 'GET /health' || Object.hasOwn(this.routes, route);
  }

  /** Errors: Refusal. */
  answer(call: Call): Answer {
    if (call.route === 'GET /health') return this.healthAnswer(call);
    const route = this.routes[call.route];
    if (!route) throw new Refusal(404, 'route not found.');
    const allowed = route.parameters;
    for (const name of call.query.keys()) {
      if (allowed && name !== 'session' && !allowed.includes(name)) throw new Refusal(400, `"${name}" is not allowed`);
    }
    const result = route.handle(call, route.open ? '' : this.letIn(call));
    const bare = call.route === 'GET /server/ids' && this.parts.options.serverIdsShape === 'bare';
    return { status: 200, body: bare ? result : { status: 'success', result } };
  }

  /** The session that a request carries where this server looks for it, valid or not. */
  sessionOf({ route, query, headers, body }: Call): string | undefined {
    if (!route.startsWith('GET ')) {
      const inBody = typeof body?.session === 'string' ? body.session : undefined;
      return inBody ?? (route.startsWith('DELETE ') ? (query.get('session') ?? undefined) : undefined);
    }
    const inHeader = catalog.isAtLeast(this.version, 7, 12) ? [headers['x-avg-session']].flat()[0] : undefined;
    return inHeader ?? query.get('session') ?? undefined;
  }

  private healthAnswer({ query }: Call): Answer {
    const status = this.health === 'BAD' ? 500 : 200;
    if (!query.has('v')) return { status, body: this.health };
    const custom = { accVersion: this.version, hostname: this.parts.site.servers[0]?.name ?? '', process: { startTime: '2025-11-01T05:00:00.000Z' } };
    return { status, body: { service: { status: { state: this.health }, version: this.version, custom } } };
  }

  private letIn(call: Call): string {
    const { sessions, stats, options } = this.parts;
    const session = this.sessionOf(call);
    if (!session) {
      const headerOnly = call.headers['x-avg-session'] !== undefined;
      this.noteRefused(call.route, headerOnly ? 'headerOnly' : 'missing');
      const optional = call.route.startsWith('GET ') && catalog.isAtLeast(this.version, 7, 12);
      throw optional ? new Refusal(401, 'not logged in') : new Refusal(400, '"session" is required');
    }
    const state = sessions.use(session);
    if (state !== 'open') {
      this.noteRefused(call.route, state);
      throw state === 'expired' ? new Refusal(401, 'session expired') : new Refusal(options.unknownSession ?? 401, 'session is not valid');
    }
    const { headers, query } = call;
    const way = call.body?.session === session ? 'body' : headers['x-avg-session'] === undefined ? 'query' : query.has('session') ? 'header+query' : 'header';
    stats.sessionWays[way] += 1;
    return session;
  }

  private noteRefused(route: string, why: SessionRefusal): void {
    AvigilonStats.remember(this.parts.stats.refusedSessions, { at: this.parts.now(), route, why });
  }

  private login(body: Json): object {
    const { sessions, stats } = this.parts;
    const allowed = ['username', 'password', 'clientName', 'authorizationToken', 'siteId', 'siteName', 'clientId', 'clientVersion'];
    for (const name of Object.keys(body)) if (!allowed.includes(name)) this.refuseLogin(400, 'badRequest', `"${name}" is not allowed`);
    const text = (name: string): string => {
      const value = body[name];
      return typeof value === 'string' && value !== '' ? value : this.refuseLogin(400, 'badRequest', `"${name}" is required`);
    };
    const [username, password, clientName] = [text('username'), text('password'), text('clientName')];
    if (body.clientVersion !== undefined) this.refuseLogin(500, 'clientVersion', 'internal error');
    this.checkAuthorizationToken(body.authorizationToken);
    if (this.users.get(username) !== password) this.refuseLogin(401, 'password', 'invalid username or password');
    stats.logins += 1;
    return { session: sessions.open(username, clientName), externalUserId: '', domainId: '' };
  }

  /** All of it looks the same to the client: "Unknown reason" (facts A3). */
  private checkAuthorizationToken(token: unknown): void {
    const { options, serverNow } = this.parts;
    const { nonce = DEFAULTS.nonce, key = DEFAULTS.key, integrationId, maxSkewSeconds = 300, maxTokenAgeSeconds = 0 } = options;
    const why =
      typeof token === 'string' && token !== ''
        ? tokenRefusal(token, { nonce, key, integrationId, maxSkewSeconds, maxTokenAgeSeconds }, serverNow())
        : 'noToken';
    if (why) this.refuseLogin(403, why, 'Unknown reason');
  }

  private refuseLogin(status: number, why: LoginRefusal, message: string): never {
    AvigilonStats.remember(this.parts.stats.refusedLogins, { at: this.parts.now(), why, message });
    throw new Refusal(status, message);
  }
}
