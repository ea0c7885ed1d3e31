import { createHash } from 'node:crypto';
import type { LoginRefusal } from './stats';

export interface IntegrationSecrets {
  nonce: string;
  key: string;
  integrationId?: string | undefined;
  maxSkewSeconds: number;
  maxTokenAgeSeconds: number;
}

/**
 * Checks `<nonce>:<unix seconds>:<hex sha256(seconds + key)>[:<integration id>]` (facts A2) against the server's time (epoch
 * ms). Returns what is wrong with it, or undefined.
 */
export function tokenRefusal(token: string, expected: IntegrationSecrets, now: number): LoginRefusal | undefined {
  const [nonce, seconds = '', hash, integrationId = '', ...rest] = token.split(':');
  if (hash === undefined || rest.length > 0 || !/^\d{1,12}$/.test(seconds)) return 'malformedToken';
  if (nonce !== expected.nonce) return 'nonce';
  if (hash !== createHash('sha256').update(seconds + expected.key).digest('hex')) return 'hash';
  const age = now / 1000 - Number(seconds);
  if (age < -expected.maxSkewSeconds || age > Math.max(expected.maxSkewSeconds, expected.maxTokenAgeSeconds)) return 'skew';
  if (integrationId !== '' && expected.integrationId !== undefined && integrationId !== expected.integrationId) return 'integrationId';
  return undefined;
}
