/** The dialog's question to a server: who are you, and do you let us in? */
import { readServers, type SiteServer } from './site';
import type { WepClient } from './wep-client';
import type { WepHttp } from './wep-http';

export interface Probe {
  /** Of the Web Endpoint; empty where it does not say. */
  version: string;
  accVersion: string;
  /** GOOD, WARN or BAD. */
  health: string;
  servers: readonly SiteServer[];
  /** Seconds that the server's clock is ahead of ours. */
  clockAheadSeconds: number;
}

/** @throws as WepClient: a wrong clock, nonce or key, password and certificate have a code each */
export async function probe(http: WepHttp, client: WepClient, signal: AbortSignal): Promise<Probe> {
  const servers = await readServers((path, query, within) => client.get(path, query, within), signal);
  // Needs no session; a version that does not have it lets in nevertheless.
  const answer = await http.send({ method: 'GET', path: '/health', query: [['v', '']] }, signal).catch(() => undefined);
  const { service } = (answer?.result ?? {}) as { service?: { version?: unknown; status?: { state?: unknown }; custom?: { accVersion?: unknown } } };
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return {
    version: text(service?.version),
    accVersion: text(service?.custom?.accVersion),
    health: text(service?.status?.state),
    servers,
    clockAheadSeconds: Math.round((http.serverAheadMs ?? 0) / 1000),
  };
}
