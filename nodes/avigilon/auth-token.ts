/** The authorization token that a login carries (facts/avigilon-een.md A2). It names the integration, not the user. */
import { createHash } from 'node:crypto';

export interface IntegrationKeys {
  /** Of the Avigilon Technology Partner Program; its case counts. */
  nonce: string;
  key: string;
  /** Empty where the integration has none; then the token has three parts. */
  integrationId: string;
}

/** @param unixSeconds what the server compares with its own clock; it tolerates a few minutes */
export function authorizationToken({ nonce, key, integrationId }: IntegrationKeys, unixSeconds: number): string {
  const hash = createHash('sha256').update(`${unixSeconds}${key}`).digest('hex');
  return [nonce, unixSeconds, hash, ...(integrationId ? [integrationId] : [])].join(':');
}
