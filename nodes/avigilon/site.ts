/** What a site consists of: recording servers and cameras, read rarely and shared by all users of a server (facts/avigilon-een.md A5). */
import type { Clock } from '../kit/clock';
import { CodedError } from '../kit/errors';
import type { Query } from './event-search';
import type { WepClient } from './wep-client';

/** What an `avigilon-server` provides to the nodes that refer to it. */
export interface AvigilonServer {
  readonly client: WepClient;
  readonly site: Site;
}

export interface SiteServer {
  id: string;
  name: string;
}

export interface SiteCamera {
  id: string;
  name?: string;
  serial?: string;
  address?: string;
  model?: string;
  /** Whether its state is CONNECTED; everything else is down (facts A5). */
  connected: boolean;
}

export type SiteGet = (path: string, query: Query, signal: AbortSignal) => Promise<unknown>;

/** Lists older than this are read anew. */
export const SITE_AGE_MS = 10 * 60_000;

/** @throws as `get`, and CodedError AVIGILON_BAD_ANSWER */
export async function readServers(get: SiteGet, signal: AbortSignal): Promise<SiteServer[]> {
  const servers = serversOf(await get('/server/ids', [], signal));
  if (servers.length === 0) throw new CodedError('AVIGILON_BAD_ANSWER', 'the site names no recording server (/server/ids)');
  return servers;
}

/** The default verbosity gives several KB per camera (facts A9.6). @throws as `get`, and CodedError AVIGILON_BAD_ANSWER */
export async function readCameras(get: SiteGet, signal: AbortSignal): Promise<SiteCamera[]> {
  const { cameras } = ((await get('/cameras', [['verbosity', 'LOW']], signal)) ?? {}) as { cameras?: unknown };
  if (!Array.isArray(cameras)) throw new CodedError('AVIGILON_BAD_ANSWER', 'the answer to /cameras holds no list of cameras');
  return cameras.flatMap(cameraOf);
}

/** A list of ids or of objects, bare or inside `servers`; the shape differs between versions (facts A3, A9.10). */
export function serversOf(result: unknown): SiteServer[] {
  const inside = typeof result === 'object' && result !== null && 'servers' in result ? result.servers : result;
  if (!Array.isArray(inside)) return [];
  return inside.flatMap((one: unknown) => {
    if (typeof one === 'string' && one) return [{ id: one, name: one }];
    const { id, serverId, name } = (one ?? {}) as Record<string, unknown>;
    const known = [id, serverId].find((value) => typeof value === 'string' && value !== '') as string | undefined;
    return known === undefined ? [] : [{ id: known, name: typeof name === 'string' && name ? name : known }];
  });
}

function cameraOf(one: unknown): SiteCamera[] {
  const camera = (one ?? {}) as Record<string, unknown>;
  if (typeof camera.id !== 'string' || camera.id === '') return [];
  const texts = { name: camera.name, serial: camera.serial, address: camera.ipAddress, model: camera.model };
  return [
    {
      id: camera.id,
      ...(Object.fromEntries(Object.entries(texts).filter(([, value]) => typeof value === 'string' && value !== '')) as Partial<SiteCamera>),
      connected: camera.connectionState === 'CONNECTED',
    },
  ];
}

/** The servers and cameras of a site, as last read. */
export class Site {
  readonly #get: SiteGet;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #servers: readonly SiteServer[] = [];
  #serversAt = Number.NEGATIVE_INFINITY;
  #cameras: ReadonlyMap<string, SiteCamera> = new Map();
  #camerasAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  /** @param signal ends what is being read for all */
  constructor(get: SiteGet, clock: Clock, signal: AbortSignal) {
    this.#get = get;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Ids of the recording servers; those known where they cannot be read anew. @throws as readServers while none is known */
  async serverIds(signal: AbortSignal): Promise<readonly string[]> {
    if (this.#clock.monotonic() - this.#serversAt >= SITE_AGE_MS) {
      try {
        this.#servers = await readServers(this.#get, signal);
        this.#serversAt = this.#clock.monotonic();
      } catch (error) {
        if (this.#servers.length === 0) throw error;
      }
    }
    return this.#servers.map(({ id }) => id);
  }

  /** What the last list says of a camera; never waits. A list grown old is read anew behind the scenes. */
  readonly camera = (id: string): Pick<SiteCamera, 'name' | 'serial' | 'address'> | undefined => {
    if (this.#clock.monotonic() - this.#camerasAt >= SITE_AGE_MS) this.refresh().catch(() => undefined);
    const found = this.#cameras.get(id);
    if (!found) return undefined;
    const { name, serial, address } = found;
    return { ...(name === undefined ? {} : { name }), ...(serial === undefined ? {} : { serial }), ...(address === undefined ? {} : { address }) };
  };

  /** Whether the last list has this camera. */
  knows(id: string): boolean {
    return this.#cameras.has(id);
  }

  /** Reads the cameras, once for all who ask meanwhile. @throws as readCameras */
  refresh(): Promise<void> {
    this.#reading ??= this.#readCameras().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  /** Reads the cameras where that was never tried. */
  async ready(): Promise<void> {
    if (this.#camerasAt === Number.NEGATIVE_INFINITY) await this.refresh();
  }

  async #readCameras(): Promise<void> {
    // Also a failed attempt is one: names are worth no storm of requests.
    this.#camerasAt = this.#clock.monotonic();
    this.#cameras = new Map((await readCameras(this.#get, this.#signal)).map((camera) => [camera.id, camera]));
  }
}
